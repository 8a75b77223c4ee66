//! One folder's watcher: connects, says that it watches, looks, tells, and cleans up.
//!
//! After every (re)connection it searches for messages of ours that nobody was told of. It removes a
//! message only after whoever waits for it has been told, so a crash at any point leaves the message
//! where the next start finds it.

mod folder;
mod state;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::event::Place;
use super::pace::{self, Next, Wanted};
use super::teller::Teller;
use super::{MailboxSettings, STEP};
use crate::mail::dial::Patience;
use crate::mail::failure::Failure;
use crate::mail::imap::{self, MOST_MESSAGES, Selected, Session, uid_set};
use crate::mail::wire::Record;
use crate::net::Net;
use crate::stopwatch::Stopwatch;

pub(super) use state::FolderState;

/// Pauses between attempts to connect grow from the first to the second.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Messages to be removed are collected while somebody waits, up to so many or for so long.
const MOST_REMOVALS: usize = 50;
const LONGEST_REMOVAL: Duration = Duration::from_secs(1);

pub(super) struct Watcher {
    place: Place,
    /// The folder's name, where a check gives it.
    folder: Option<Arc<str>>,
    settings: Arc<MailboxSettings>,
    net: Net,
    clock: Clock,
    board: Arc<Board>,
    teller: Teller,
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
        (place, folder): (Place, Option<Arc<str>>),
        (settings, net, clock): (Arc<MailboxSettings>, Net, Clock),
        board: Arc<Board>,
        shutdown: CancellationToken,
    ) -> (Self, watch::Receiver<FolderState>) {
        let (state, receiver) = watch::channel(FolderState::Starting);
        let changes = board.changes();
        let teller = Teller {
            board: Arc::clone(&board),
            clock,
            shutdown: shutdown.clone(),
            mailbox: settings.name.clone(),
        };
        let watcher = Self {
            place,
            folder,
            settings,
            net,
            clock,
            board,
            teller,
            shutdown,
            state,
            changes,
            known: None,
            absent: None,
        };
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

    fn wanted(&self, verified: Option<Instant>) -> Wanted {
        self.board.wanted(self.folder.as_deref(), verified)
    }

    /// Waits before the next attempt; a run that registered since the last one does not wait.
    async fn pause(&mut self, attempted: Instant, pause: Duration) {
        let until = self.clock.monotonic() + pause;
        loop {
            self.changes.mark_unchanged();
            if self.wanted(None).newest.is_some_and(|newest| newest > attempted) {
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
        let record = record.insert(dial.record(self.settings.inbox.server())).clone();
        let mut session =
            Session::open(dial, self.settings.inbox.server(), record.clone(), watch).await?;
        let folder = match (&self.folder, self.place, &self.settings.junk_folder) {
            (Some(named), ..) => Some(named.to_string()),
            (None, Place::Junk, Some(named)) => Some(named.clone()),
            (None, Place::Junk, None) => {
                let said = session.junk_folder().await?;
                said.or_else(|| self.settings.habits.junk_folder.clone())
            }
            (None, ..) => Some("INBOX".to_owned()),
        };
        let Some(folder) = folder else {
            session.logout().await;
            return Ok(None);
        };
        let selected = match self.place {
            Place::Folder => self.select_when_it_is_there(&mut session, &folder).await?,
            Place::Inbox | Place::Junk => session.select(&folder).await?,
        };
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
            due: None,
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
            self.tell(connection, found, &[(u32::MAX, seen)], new_from).await?;
        }
        connection.absent = asked;
        Ok(())
    }

    /// Until the connection is lost, or everything ends.
    async fn keep_watch(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        while !self.shutdown.is_cancelled() {
            self.changes.mark_unchanged();
            let now = self.clock.monotonic();
            let wanted = self.wanted(Some(connection.verified));
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
        self.awaits(Some(asked));
        connection.session.noop().await?;
        self.seen_to_work(connection, asked);
        Ok(())
    }

    /// Says by when the server should have answered what is asked.
    fn awaits(&self, answer: Option<Instant>) {
        self.state.send_if_modified(|state| {
            if let FolderState::Ready { due, .. } = state {
                *due = answer;
            }
            // Nobody waits for this alone.
            false
        });
    }

    async fn idle(&mut self, connection: &mut Connection, most: Duration) -> Result<(), Failure> {
        self.awaits(Some(self.clock.monotonic() + most));
        let (changes, shutdown) = (&mut self.changes, &self.shutdown);
        let wake = async {
            tokio::select! {
                () = shutdown.cancelled() => {}
                _changed = changes.changed() => {}
            }
        };
        connection.session.idle(most, wake).await?;
        self.awaits(None);
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
            if let FolderState::Ready { verified, due, .. } = state {
                *verified = asked;
                *due = None;
            }
        });
    }

    /// Describes and tells what is new in the folder.
    async fn look_at_news(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        if !connection.session.has_news() {
            return Ok(());
        }
        let asked = self.clock.monotonic();
        let set = format!("{}:*", connection.next_uid.max(1));
        let mut found = connection.session.describe(&set).await?;
        // What was announced before the question is in its answer. What was announced with the answer may
        // not be, and is not announced again.
        let news = connection.session.take_news();
        let described = found.iter().map(|message| message.sequence).max().unwrap_or(0);
        let left = news.iter().filter(|(count, seen)| *seen >= asked && *count > described);
        connection.session.keep_news(left.copied().collect());
        // `N:*` is never empty: it holds the last message even when that is older.
        found.retain(|message| message.uid >= connection.next_uid);
        let new_from = Some(connection.next_uid);
        let last = found.iter().map(|message| message.uid).max();
        connection.next_uid = last.map_or(connection.next_uid, |last| last.saturating_add(1));
        self.tell(connection, found, &news, new_from).await?;
        // Only now: where the connection is lost before, the next one looks at them again.
        if let Some(known) = &mut self.known {
            known.uid_next = connection.next_uid;
        }
        connection.absent = asked;
        Ok(())
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
