//! Who waits for what: the runs that are open on a mailbox, and the memory of those that were.
//!
//! A token makes an arrival only for an open run with exactly that token; for every other run it becomes
//! an amendment. Everything here is bounded, and locked for moments only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Epoch, RunId, WallTime};
use tokio::sync::{Notify, mpsc, watch};

use super::Order;
use super::event::{Arrival, Bounced, Event, Reply};
use super::guests::{Guest, Guests, Name};
use super::ledger::{Closed, Ledger};
use super::pace::Wanted;
use crate::mail::message::{Attached, LARGEST_BODY};
use crate::mail::token::{Token, TokenKey};
use crate::probe::Amendment;

/// The most events of one message that are kept.
const MOST_EVENTS: usize = 6;
/// Shares of commands are counted in thousandths.
const WHOLE: u64 = 1_000;

/// What is to be done about a message of ours.
pub(super) enum Disposition {
    /// Whoever waits has been told: it can be removed.
    Told,
    /// Nobody waits any more: this has to be told first.
    Amend(mpsc::Sender<Amendment>, Box<Amendment>),
    /// Nobody here knows it; it may be another process's.
    Unknown,
}

pub(super) struct Board {
    clock: Clock,
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    open: HashMap<RunId, Open>,
    closed: Ledger,
    guests: Guests,
    key: Option<Arc<TokenKey>>,
    amendments: Option<mpsc::Sender<Amendment>>,
    epoch: Option<Epoch>,
    largest: u64,
    commands: u64,
}

struct Open {
    order: Order,
    registered: Instant,
    sent: Option<Instant>,
    accepted: Option<Instant>,
    events: Vec<Event>,
    last_event: Option<Instant>,
    told: usize,
    arrivals: usize,
    forged: u32,
    share: u64,
    bell: Arc<Notify>,
}

impl Board {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default(), version: watch::Sender::new(0) }
    }

    /// Changes whenever a run is opened, sent, accepted or closed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(super) fn open(&self, order: Order) -> Instant {
        let registered = self.clock.monotonic();
        let mut state = self.lock();
        state.key = Some(Arc::clone(&order.key));
        state.amendments = Some(order.amendments.clone());
        state.epoch = Some(order.token.run.epoch);
        state.largest = state.largest.max(order.bytes);
        let run = order.token.run;
        let open = Open {
            order,
            registered,
            sent: None,
            accepted: None,
            events: Vec::new(),
            last_event: None,
            told: 0,
            arrivals: 0,
            forged: 0,
            share: 0,
            bell: Arc::new(Notify::new()),
        };
        state.open.insert(run, open);
        drop(state);
        self.changed();
        registered
    }

    pub(super) fn sent(&self, run: RunId) {
        let now = self.clock.monotonic();
        if let Some(open) = self.lock().open.get_mut(&run) {
            open.sent = Some(now);
        }
        self.changed();
    }

    pub(super) fn accepted(&self, run: RunId, at: Instant) {
        if let Some(open) = self.lock().open.get_mut(&run) {
            open.accepted = Some(at);
        }
        self.changed();
    }

    pub(super) async fn next(&self, run: RunId) -> Event {
        loop {
            match self.take(run) {
                Some(Ok(event)) => return event,
                Some(Err(bell)) => bell.notified().await,
                None => return std::future::pending().await,
            }
        }
    }

    /// The next event of an open run, or the bell that rings when there is one.
    fn take(&self, run: RunId) -> Option<Result<Event, Arc<Notify>>> {
        let mut state = self.lock();
        let open = state.open.get_mut(&run)?;
        let event = open.events.get(open.told).cloned();
        open.told += usize::from(event.is_some());
        Some(event.ok_or_else(|| Arc::clone(&open.bell)))
    }

    pub(super) fn close(&self, run: RunId) {
        let mut state = self.lock();
        if let Some(open) = state.open.remove(&run) {
            let Order { token, attached, wants_replies, .. } = open.order;
            let (accepted, was_seen) = (open.accepted, open.arrivals > 0);
            let closed = Closed { token, accepted, was_seen, attached, wants_replies };
            state.closed.remember(closed);
        }
        drop(state);
        self.changed();
    }

    pub(super) fn forged(&self, run: RunId) -> u32 {
        self.lock().open.get(&run).map_or(0, |open| open.forged)
    }

    pub(super) fn share(&self, run: RunId) -> u64 {
        self.lock().open.get(&run).map_or(0, |open| open.share.div_ceil(WHOLE))
    }

    pub(super) fn commands(&self) -> u64 {
        self.lock().commands
    }

    // -- for the watchers

    /// Commands were spoken: every open run bears its share.
    pub(super) fn spent(&self, commands: u64) {
        let mut state = self.lock();
        state.commands += commands;
        let runs = state.open.len() + state.guests.len();
        let runs = u64::try_from(runs).unwrap_or(u64::MAX).max(1);
        state.guests.bear(commands.saturating_mul(WHOLE) / runs);
        for open in state.open.values_mut() {
            open.share += commands.saturating_mul(WHOLE) / runs;
        }
    }

    pub(super) fn key(&self) -> Option<Arc<TokenKey>> {
        self.lock().key.clone()
    }

    /// The most bytes of a message that are worth reading.
    pub(super) fn largest(&self) -> u64 {
        self.lock().largest
    }

    /// The attachment of a run's message, where the run is known and there is one.
    pub(super) fn attached(&self, token: &Token) -> Option<Attached> {
        let state = self.lock();
        match state.open.get(&token.run).filter(|open| open.order.token == *token) {
            Some(open) => open.order.attached.clone(),
            None => state.closed.attached(token),
        }
    }

    /// What the runs want of a watcher that was last seen to work at `verified`; of one of a folder
    /// beside INBOX and junk only those runs that name it.
    pub(super) fn wanted(&self, folder: Option<&str>, verified: Option<Instant>) -> Wanted {
        let state = self.lock();
        let mut wanted = Wanted::default();
        let concerned = |open: &&Open| folder.is_none() || open.order.folder.as_deref() == folder;
        for open in state.open.values().filter(concerned) {
            wanted.to_verify |= verified.is_none_or(|verified| verified < open.registered);
            wanted.open += 1;
            wanted.newest = wanted.newest.max(Some(open.registered));
            if open.last_event.is_some() {
                wanted.settling = wanted.settling.max(open.last_event);
            } else if open.order.eager {
                wanted.waiting += u32::from(open.sent.is_some());
                wanted.youngest = wanted.youngest.max(open.sent);
                wanted.largest_share = wanted.largest_share.max(open.share / WHOLE);
            } else {
                wanted.patient = wanted.patient.max(open.sent);
            }
        }
        if folder.is_none() {
            state.guests.want(&mut wanted, verified, WHOLE);
        }
        wanted
    }

    /// When the last of the open runs ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        let ours = state.open.values().map(|open| open.order.deadline).max();
        ours.max(state.guests.deadline())
    }

    // -- mail of other agents

    /// One is expected at this address; when that was registered.
    pub(super) fn expect(&self, guest: Guest, address: &str) -> Instant {
        let registered = self.clock.monotonic();
        let mut state = self.lock();
        state.key.get_or_insert_with(|| Arc::clone(&guest.key));
        state.amendments.get_or_insert_with(|| guest.amendments.clone());
        state.largest = state.largest.max(guest.bytes.min(LARGEST_BODY));
        state.guests.expect(guest, address, registered);
        drop(state);
        self.changed();
        registered
    }

    /// Its sender is told that it may come.
    pub(super) fn guest_ready(&self, name: Name) {
        self.lock().guests.ready(name, self.clock.monotonic());
        self.changed();
    }

    pub(super) async fn guest_seen(&self, name: Name) {
        loop {
            let seen = self.lock().guests.seen(name);
            match seen {
                Some(Ok(())) => return,
                Some(Err(bell)) => bell.notified().await,
                None => return std::future::pending().await,
            }
        }
    }

    pub(super) fn guest_gone(&self, name: Name) {
        self.lock().guests.close(name);
        self.changed();
    }

    /// The token of a message that another agent signed which is believed.
    pub(super) fn signed(&self, headers: &[u8], now: WallTime) -> Option<Token> {
        self.lock().guests.signed(headers, now)
    }

    /// Such a message was seen. Whether it can be removed.
    pub(super) fn saw_guests(&self, token: &Token, arrival: Arrival) -> bool {
        self.lock().guests.saw(token, arrival)
    }

    // -- what was seen

    /// A forged token was seen.
    pub(super) fn saw_forged(&self) {
        for open in self.lock().open.values_mut() {
            open.forged = open.forged.saturating_add(1);
        }
    }

    /// Whether a token is of a run of this process, or of one before it with the same outbox.
    pub(super) fn is_of_this_epoch(&self, token: &Token) -> bool {
        self.lock().epoch == Some(token.run.epoch)
    }

    /// A message of ours was seen.
    pub(super) fn saw(&self, token: &Token, arrival: Arrival) -> Disposition {
        let mut state = self.lock();
        if let Some(open) = state.open_run(token) {
            open.arrivals += 1;
            open.happened(Event::Arrived(arrival), self.clock.monotonic());
            return Disposition::Told;
        }
        let amendment = state.closed.saw(token, &arrival);
        state.disposition(amendment)
    }

    /// A message of ours came back.
    pub(super) fn bounced(&self, token: &Token, bounced: Bounced) -> Disposition {
        let mut state = self.lock();
        if let Some(open) = state.open_run(token) {
            open.happened(Event::Bounced(bounced), self.clock.monotonic());
            return Disposition::Told;
        }
        let amendment = state.closed.bounced(token, bounced.failure);
        state.disposition(amendment)
    }

    /// A message of ours was answered by a machine.
    pub(super) fn replied(&self, token: &Token, reply: Reply) -> Disposition {
        let mut state = self.lock();
        if let Some(open) = state.open_run(token) {
            open.happened(Event::Replied(reply), self.clock.monotonic());
            return Disposition::Told;
        }
        match state.closed.replied(token, &reply) {
            Some(None) => Disposition::Told,
            told => state.disposition(told.flatten()),
        }
    }

    /// An amendment on its way to whoever asked last.
    pub(super) fn amend(&self, amendment: Box<Amendment>) -> Disposition {
        match &self.lock().amendments {
            Some(to) => Disposition::Amend(to.clone(), amendment),
            None => Disposition::Unknown,
        }
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn happened(&mut self, event: Event, now: Instant) {
        if self.events.len() < MOST_EVENTS {
            self.events.push(event);
        }
        self.last_event = Some(now);
        self.bell.notify_one();
    }
}

impl State {
    fn open_run(&mut self, token: &Token) -> Option<&mut Open> {
        self.open.get_mut(&token.run).filter(|open| open.order.token == *token)
    }

    fn disposition(&self, amendment: Option<Amendment>) -> Disposition {
        match (amendment, &self.amendments) {
            (Some(amendment), Some(to)) => Disposition::Amend(to.clone(), Box::new(amendment)),
            _ => Disposition::Unknown,
        }
    }
}
