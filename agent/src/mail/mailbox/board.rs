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
use super::ledger::{Closed, Ledger};
use super::pace::Wanted;
use crate::mail::failure::Failure;
use crate::mail::message::Body;
use crate::mail::token::{Token, TokenKey};
use crate::probe::Amendment;

/// The most copies of one message that are kept.
const MOST_ARRIVALS: usize = 4;
/// Shares of commands are counted in thousandths.
const WHOLE: u64 = 1_000;

/// Where a message can turn up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// INBOX.
    Inbox,
    /// The junk folder.
    Junk,
}

/// A message of ours, seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// By what it was seen: `imap` or `pop3`.
    pub protocol: &'static str,
    /// In which of the two folders.
    pub place: Place,
    /// The folder's name.
    pub folder: String,
    /// Its UID there, or its unique-id in POP3.
    pub uid: String,
    /// When it was first seen.
    pub first_seen: Instant,
    /// When it was last seen to be absent.
    pub last_absent: Instant,
    /// When it was stored, by the server's clock, in whole seconds.
    pub stored: Option<WallTime>,
    /// In bytes, as stored.
    pub bytes: u32,
    /// What became of its body.
    pub body: Body,
}

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was seen.
    Arrived(Arrival),
    /// It came back.
    Bounced(Failure),
}

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
    key: Option<Arc<TokenKey>>,
    amendments: Option<mpsc::Sender<Amendment>>,
    epoch: Option<Epoch>,
    largest: usize,
    commands: u64,
}

struct Open {
    token: Token,
    deadline: Instant,
    registered: Instant,
    sent: Option<Instant>,
    accepted: Option<Instant>,
    events: Vec<Event>,
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
        state.key = Some(order.key);
        state.amendments = Some(order.amendments);
        state.epoch = Some(order.token.run.epoch);
        state.largest = state.largest.max(order.bytes);
        let run = order.token.run;
        let open = Open {
            token: order.token,
            deadline: order.deadline,
            registered,
            sent: None,
            accepted: None,
            events: Vec::new(),
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
            let was_seen = open.arrivals > 0;
            state.closed.remember(Closed { token: open.token, accepted: open.accepted, was_seen });
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
        let runs = u64::try_from(state.open.len()).unwrap_or(u64::MAX).max(1);
        for open in state.open.values_mut() {
            open.share += commands.saturating_mul(WHOLE) / runs;
        }
    }

    pub(super) fn key(&self) -> Option<Arc<TokenKey>> {
        self.lock().key.clone()
    }

    /// The most bytes of a message that are worth reading.
    pub(super) fn largest(&self) -> usize {
        self.lock().largest
    }

    /// What the runs want of a watcher that was last seen to work at `verified`.
    pub(super) fn wanted(&self, verified: Option<Instant>) -> Wanted {
        let state = self.lock();
        let mut wanted = Wanted::default();
        for open in state.open.values() {
            wanted.to_verify |= verified.is_none_or(|verified| verified < open.registered);
            wanted.open += 1;
            wanted.newest = wanted.newest.max(Some(open.registered));
            if open.events.is_empty() {
                wanted.waiting += u32::from(open.sent.is_some());
                wanted.youngest = wanted.youngest.max(open.sent);
                wanted.largest_share = wanted.largest_share.max(open.share / WHOLE);
            } else {
                wanted.settling = true;
            }
        }
        wanted
    }

    /// When the last of the open runs ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().open.values().map(|open| open.deadline).max()
    }

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
        if let Some(open) = state.open.get_mut(&token.run).filter(|open| open.token == *token) {
            open.arrivals += 1;
            if open.events.len() < MOST_ARRIVALS {
                open.events.push(Event::Arrived(arrival));
            }
            open.bell.notify_one();
            return Disposition::Told;
        }
        let amendment = state.closed.saw(token, &arrival);
        state.disposition(amendment)
    }

    /// A message of ours came back.
    pub(super) fn bounced(&self, token: &Token, failure: Failure) -> Disposition {
        let mut state = self.lock();
        if let Some(open) = state.open.get_mut(&token.run).filter(|open| open.token == *token) {
            if open.events.len() < MOST_ARRIVALS {
                open.events.push(Event::Bounced(failure));
            }
            open.bell.notify_one();
            return Disposition::Told;
        }
        let amendment = state.closed.bounced(token, failure);
        state.disposition(amendment)
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

impl State {
    fn disposition(&self, amendment: Option<Amendment>) -> Disposition {
        match (amendment, &self.amendments) {
            (Some(amendment), Some(to)) => Disposition::Amend(to.clone(), Box::new(amendment)),
            _ => Disposition::Unknown,
        }
    }
}
