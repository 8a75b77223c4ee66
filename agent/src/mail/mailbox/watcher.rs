//! One folder's watcher: connects, says that it watches, looks, tells, and cleans up.
//!
//! After every (re)connection it searches for messages of ours that nobody was told of. It removes a
//! message only after whoever waits for it has been told, so a crash at any point leaves the message
//! where the next start finds it.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fact};
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::board::{Arrival, Board, Disposition, Place};
use super::ledger::amendment_of_forgotten;
use super::pace::{self, Next};
use super::sort::{Sorted, sort};
use super::{MailboxSettings, STEP};
use crate::mail::bounce::{self, Action};
use crate::mail::dial::Patience;
use crate::mail::failure::Failure;
use crate::mail::imap::{self, Described, MOST_MESSAGES, Selected, Session, uid_set};
use crate::mail::message::judge_body;
use crate::mail::token::Token;
use crate::mail::wire::Record;
use crate::net::Net;
use crate::stopwatch::{Lap, Stopwatch};

/// Pauses between attempts to connect grow from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Messages to be removed are collected while somebody waits, up to so many or for so long.
const MOST_REMOVALS: usize = 50;
const LONGEST_REMOVAL: Duration = Duration::from_secs(1);
/// The least bytes of a message that are asked for.
const READ: usize = 64 * 1024;
/// What a message may gain on its way: Received headers and the like.
const HEADER_ROOM: usize = 32 * 1024;
/// Bytes that are read at once: one response has at most 1 MiB.
const READ_AT_ONCE: usize = 512 * 1024;
/// A message of ours from another outbox is a stray from then on; before, its own process removes it.
const STRAY_AFTER: Duration = Duration::from_secs(15 * 60);

/// What a watcher says about its folder.
#[derive(Clone, Debug)]
pub(super) enum FolderState {
    /// It has not connected yet.
    Starting,
    /// It watches, and was seen to work at `verified`.
    Ready {
        verified: Instant,
        laps: Arc<[Lap]>,
        facts: Arc<[Fact]>,
        record: Record,
        folder: Arc<str>,
    },
    /// It could not connect, or lost the connection.
    Failed { attempted: Instant, failure: Failure, laps: Vec<Lap>, transcript: String },
    /// There is no such folder.
    Absent,
}

pub(super) struct Watcher {
    place: Place,
    settings: Arc<MailboxSettings>,
    net: Net,
    clock: Clock,
    board: Arc<Board>,
    shutdown: CancellationToken,
    state: watch::Sender<FolderState>,
    changes: watch::Receiver<u64>,
    /// What is known of the folder beyond one connection.
    known: Option<Selected>,
    /// When the folder was last seen to hold nothing new, on any connection.
    absent: Option<Instant>,
}

/// One connection.
struct Connection {
    session: Session,
    folder: String,
    looked: Instant,
    verified: Instant,
    /// When the folder was last seen to hold nothing new.
    absent: Instant,
    next_uid: u32,
    removals: Vec<u32>,
    removals_since: Instant,
    spoken: u64,
}

impl Watcher {
    pub(super) fn new(
        place: Place,
        (settings, net, clock): (Arc<MailboxSettings>, Net, Clock),
        board: Arc<Board>,
        shutdown: CancellationToken,
    ) -> (Self, watch::Receiver<FolderState>) {
        let (state, receiver) = watch::channel(FolderState::Starting);
        let changes = board.changes();
        let (known, absent) = (None, None);
        let watcher =
            Self { place, settings, net, clock, board, shutdown, state, changes, known, absent };
        (watcher, receiver)
    }

    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.shutdown.is_cancelled() {
            let attempted = self.clock.monotonic();
            let mut watch = Stopwatch::start(self.clock);
            let mut record = None;
            let failure = match self.connect(&mut watch, &mut record).await {
                Ok(Some(mut connection)) => {
                    pause = FIRST_PAUSE;
                    let kept = self.keep_watch(&mut connection).await;
                    self.absent = Some(connection.absent);
                    match kept {
                        Ok(()) => return self.leave(connection).await,
                        Err(failure) => failure,
                    }
                }
                Ok(None) => {
                    self.state.send_replace(FolderState::Absent);
                    return self.shutdown.cancelled().await;
                }
                Err(failure) => failure,
            };
            let mailbox = &self.settings.name;
            tracing::info!(%mailbox, folder = ?self.place, fault = %failure.fault, "not watched");
            let transcript = record.map(|record: Record| record.text()).unwrap_or_default();
            let laps = watch.laps().to_vec();
            self.state.send_replace(FolderState::Failed { attempted, failure, laps, transcript });
            self.pause(attempted, pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits before the next attempt; a run that registered since the last one does not wait.
    async fn pause(&mut self, attempted: Instant, pause: Duration) {
        let until = self.clock.monotonic() + pause;
        loop {
            self.changes.mark_unchanged();
            if self.board.wanted(None).newest.is_some_and(|newest| newest > attempted) {
                return;
            }
            tokio::select! {
                () = sleep_until(until) => return,
                () = self.shutdown.cancelled() => return,
                changed = self.changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Connects, signs in, selects, and looks for strays; `None` when there is no such folder.
    async fn connect(
        &mut self,
        watch: &mut Stopwatch,
        record: &mut Option<Record>,
    ) -> Result<Option<Connection>, Failure> {
        let now = self.clock.monotonic();
        let deadline = now + pace::connecting(self.place, now, self.board.deadline());
        let patience = Patience { clock: self.clock, step: STEP, deadline };
        let dial = imap::dial(&self.net, patience);
        let record = record.insert(dial.record(&self.settings.imap)).clone();
        let mut session = Session::open(dial, &self.settings.imap, record.clone(), watch).await?;
        let folder = match (self.place, &self.settings.junk_folder) {
            (Place::Inbox, _) => Some("INBOX".to_owned()),
            (Place::Junk, Some(named)) => Some(named.clone()),
            (Place::Junk, None) => session.junk_folder().await?,
        };
        let Some(folder) = folder else {
            session.logout().await;
            return Ok(None);
        };
        let selected = session.select(&folder).await?;
        let now = self.clock.monotonic();
        let mut connection = Connection {
            session,
            folder: folder.clone(),
            looked: now,
            verified: now,
            absent: self.absent.unwrap_or(now),
            next_uid: selected.uid_next,
            removals: Vec::new(),
            removals_since: now,
            spoken: 0,
        };
        self.catch_up(&mut connection, selected).await?;
        connection.session.keep();
        self.known = Some(selected);
        watch.lap(imap::name::SELECT);
        connection.looked = self.clock.monotonic();
        self.board.spent(connection.newly_spoken());
        self.state.send_replace(FolderState::Ready {
            verified: connection.verified,
            laps: watch.laps().into(),
            facts: connection.session.facts().into(),
            record,
            folder: folder.into(),
        });
        Ok(Some(connection))
    }

    /// What came while nobody watched: messages with our header, and since the last connection also
    /// notifications, which do not carry it.
    async fn catch_up(
        &mut self,
        connection: &mut Connection,
        selected: Selected,
    ) -> Result<(), Failure> {
        if selected.uid_next == 0 {
            // A server that does not say: the last message's UID says it.
            let last = connection.session.describe("*").await?;
            connection.next_uid = last.iter().map(|m| m.uid).max().unwrap_or(0).saturating_add(1);
        }
        let since = self.known.filter(|known| known.uid_validity == selected.uid_validity);
        let asked = self.clock.monotonic();
        let mut uids = connection.session.search_tokens().await?;
        if let Some(known) = since {
            let recent = u32::try_from(MOST_MESSAGES).unwrap_or(u32::MAX);
            let from = known.uid_next.max(connection.next_uid.saturating_sub(recent));
            uids.extend(from..connection.next_uid);
        }
        for some in uids.chunks(MOST_MESSAGES) {
            let Some(set) = uid_set(some) else { continue };
            let found = connection.session.describe(&set).await?;
            let seen = self.clock.monotonic();
            let new_from = since.map(|known| known.uid_next);
            self.tell(connection, found, (u32::MAX, seen), new_from).await?;
        }
        connection.absent = asked;
        Ok(())
    }

    /// Until the connection is lost, or everything ends.
    async fn keep_watch(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        while !self.shutdown.is_cancelled() {
            self.changes.mark_unchanged();
            let now = self.clock.monotonic();
            let wanted = self.board.wanted(Some(connection.verified));
            let removal_due = connection.removal_due(now, wanted.waiting > 0);
            if removal_due && !wanted.to_verify {
                let uids = std::mem::take(&mut connection.removals);
                connection.session.remove(&uids).await?;
            } else {
                let has_idle = connection.session.has("IDLE");
                match pace::next(self.place, has_idle, &wanted, now, connection.looked) {
                    Next::Poll(at) if at <= now => self.poll(connection).await?,
                    Next::Poll(at) => self.sleep(at).await,
                    Next::Idle(most) => self.idle(connection, most).await?,
                }
            }
            self.look_at_news(connection).await?;
            self.board.spent(connection.newly_spoken());
        }
        Ok(())
    }

    async fn sleep(&mut self, until: Instant) {
        tokio::select! {
            () = sleep_until(until) => {}
            () = self.shutdown.cancelled() => {}
            _changed = self.changes.changed() => {}
        }
    }

    async fn poll(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let asked = self.clock.monotonic();
        connection.session.noop().await?;
        self.seen_to_work(connection, asked);
        Ok(())
    }

    async fn idle(&mut self, connection: &mut Connection, most: Duration) -> Result<(), Failure> {
        let (changes, shutdown) = (&mut self.changes, &self.shutdown);
        let wake = async {
            tokio::select! {
                () = shutdown.cancelled() => {}
                _changed = changes.changed() => {}
            }
        };
        connection.session.idle(most, wake).await?;
        // The end of IDLE was answered, but not asked for at a known time: it proves no absence.
        connection.looked = self.clock.monotonic();
        Ok(())
    }

    /// An answer to a command that was sent at `asked` proves that the watcher worked then.
    fn seen_to_work(&self, connection: &mut Connection, asked: Instant) {
        connection.verified = asked;
        connection.looked = asked;
        if !connection.session.has_news() {
            connection.absent = asked;
        }
        self.state.send_modify(|state| {
            if let FolderState::Ready { verified, .. } = state {
                *verified = asked;
            }
        });
    }

    /// Describes and tells what is new in the folder.
    async fn look_at_news(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let Some(news) = connection.session.take_news() else { return Ok(()) };
        let asked = self.clock.monotonic();
        let set = format!("{}:*", connection.next_uid.max(1));
        let mut found = connection.session.describe(&set).await?;
        // `N:*` is never empty: it holds the last message even when that is older.
        found.retain(|message| message.uid >= connection.next_uid);
        let new_from = Some(connection.next_uid);
        let last = found.iter().map(|message| message.uid).max();
        connection.next_uid = last.map_or(connection.next_uid, |last| last.saturating_add(1));
        self.tell(connection, found, news, new_from).await?;
        // Only now: where the connection is lost before, the next one looks at them again.
        if let Some(known) = &mut self.known {
            known.uid_next = connection.next_uid;
        }
        connection.absent = asked;
        Ok(())
    }

    /// Tells whoever waits for these messages, and notes which can be removed. `news` is the number of
    /// messages that were seen first, and when; UIDs from `new_from` on came while this agent ran.
    async fn tell(
        &mut self,
        connection: &mut Connection,
        found: Vec<Described>,
        (count, seen): (u32, Instant),
        new_from: Option<u32>,
    ) -> Result<(), Failure> {
        let Some(key) = self.board.key() else { return Ok(()) };
        let now = self.clock.monotonic();
        let mut ours = Vec::new();
        let mut notifications = Vec::new();
        for message in found {
            match sort(&message.headers, &key) {
                Sorted::Ours(token) => ours.push((message, token)),
                Sorted::Notification => notifications.push(message),
                Sorted::Forged => self.board.saw_forged(),
                Sorted::Foreign => {}
            }
        }
        let uids = ours.iter().map(|(message, _)| message).chain(&notifications);
        let bodies = self.read(connection, uids).await?;
        let body_of = |uid| bodies.iter().find(|(of, _)| *of == uid).map(|(_, body)| body);
        for (message, token) in ours {
            let body = body_of(message.uid).map(Vec::as_slice).unwrap_or_default();
            let whole = usize::try_from(message.size).is_ok_and(|size| size <= body.len());
            let arrival = Arrival {
                place: self.place,
                folder: connection.folder.clone(),
                uid: message.uid,
                first_seen: if message.sequence <= count { seen } else { now },
                last_absent: connection.absent,
                stored: message.stored,
                bytes: message.size,
                body: judge_body(body, whole, token.body),
            };
            let is_new = new_from.is_some_and(|from| arrival.uid >= from);
            self.tell_one(connection, &token, arrival, is_new).await;
        }
        for message in notifications {
            let read = body_of(message.uid).and_then(|body| bounce::read(body));
            let Some(read) = read else { continue };
            let token = read.candidates.iter().find_map(|sealed| key.open(sealed).ok());
            let Some(token) = token else { continue };
            let disposition = match read.action {
                Action::Failed => self.board.bounced(&token, read.failure),
                Action::Delayed | Action::Fine => Disposition::Told,
            };
            self.dispose(connection, message.uid, disposition).await;
        }
        Ok(())
    }

    async fn tell_one(
        &self,
        connection: &mut Connection,
        token: &Token,
        arrival: Arrival,
        is_new: bool,
    ) {
        let uid = arrival.uid;
        let mut disposition = self.board.saw(token, arrival.clone());
        if matches!(disposition, Disposition::Unknown) {
            let age = arrival.stored.map(|stored| self.clock.wall().since(stored));
            let of_this_epoch = self.board.is_of_this_epoch(token);
            if of_this_epoch && is_new {
                let amendment = Box::new(amendment_of_forgotten(token, &arrival));
                disposition = self.board.amend(amendment);
            } else if of_this_epoch || age.is_none_or(|age| age > STRAY_AFTER) {
                tracing::info!(mailbox = %self.settings.name, run = ?token.run, uid, "stray removed");
                disposition = Disposition::Told;
            }
        }
        self.dispose(connection, uid, disposition).await;
    }

    /// Sends the amendment if there is one; only then can the message go.
    async fn dispose(&self, connection: &mut Connection, uid: u32, disposition: Disposition) {
        match disposition {
            Disposition::Told => {}
            Disposition::Unknown => return,
            Disposition::Amend(to, amendment) => {
                let sent = tokio::select! {
                    sent = to.send(*amendment) => sent.is_ok(),
                    () = self.shutdown.cancelled() => false,
                };
                if !sent {
                    return;
                }
            }
        }
        if connection.removals.is_empty() {
            connection.removals_since = self.clock.monotonic();
        }
        connection.removals.push(uid);
    }

    /// The bodies of messages that are ours or about ours.
    async fn read(
        &self,
        connection: &mut Connection,
        messages: impl Iterator<Item = &Described>,
    ) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
        let most = READ.max(self.board.largest().saturating_add(HEADER_ROOM));
        let mut bodies = Vec::new();
        let (mut some, mut bytes) = (Vec::new(), 0);
        for message in messages {
            let size = usize::try_from(message.size).unwrap_or(most).min(most);
            if bytes + size > READ_AT_ONCE && !some.is_empty() {
                let set = uid_set(&std::mem::take(&mut some)).unwrap_or_default();
                bodies.extend(connection.session.read(&set, most).await?);
                bytes = 0;
            }
            some.push(message.uid);
            bytes += size;
        }
        if let Some(set) = uid_set(&some) {
            bodies.extend(connection.session.read(&set, most).await?);
        }
        Ok(bodies)
    }

    async fn leave(&self, mut connection: Connection) {
        let uids = std::mem::take(&mut connection.removals);
        match connection.session.remove(&uids).await {
            Ok(()) => connection.session.logout().await,
            Err(failure) => {
                tracing::info!(fault = %failure.fault, "clean-up left to the next start")
            }
        }
    }
}

impl Connection {
    fn removal_due(&self, now: Instant, somebody_waits: bool) -> bool {
        let is_old = now.saturating_duration_since(self.removals_since) > LONGEST_REMOVAL;
        match self.removals.len() {
            0 => false,
            MOST_REMOVALS.. => true,
            _ => is_old || !somebody_waits,
        }
    }

    fn newly_spoken(&mut self) -> u64 {
        let spoken = self.session.commands();
        let fresh = spoken.saturating_sub(self.spoken);
        self.spoken = spoken;
        fresh
    }
}
