//! A watched mailbox: INBOX and the junk folder, and a folder that a check names, each on a connection
//! that is kept between runs.
//!
//! Runs register the token of their message, wait until both folders are seen to be watched, submit, and
//! wait. The watchers (one task a folder) poll densely by NOOP just after a submission and go over to
//! IDLE, because a server may hold an IDLE notice back (Dovecot does for half a second); all runs on one
//! mailbox share the polling. Nothing is removed but messages with a valid token of ours, and those only
//! after whoever waits for them has been told. Where a mailbox is read by POP3, which shows it as it was at
//! the sign-in and has no junk folder, one poller looks into it by session after session instead.

mod allowance;
mod refusal;
mod sent;
mod settings;

mod board;
mod event;
mod guests;
mod ledger;
mod pace;
mod sort;
mod teller;

mod poller;
mod visit;
mod watcher;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fact, FaultClass, RunId};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::message::Attached;
use super::token::{Token, TokenKey};
use super::{imap, pop3};
use crate::net::Net;
use crate::probe::Amendment;
use crate::stopwatch::Lap;
use allowance::Allowance;
use board::Board;
use poller::Poller;
use sent::Sent;
use watcher::{FolderState, Watcher};

pub use event::{Arrival, Arrived, Bounced, Event, Place, Reply, Told};
pub use guests::{Guest, Sighting};
pub(crate) use ledger::{Closed, Ledger};
pub use pace::SessionPace;
pub use refusal::Refusal;
pub use settings::{Habits, Inbox, MailboxSettings};
pub use visit::Visit;

/// How long one step of a conversation may take, unless a run's deadline comes first.
pub const STEP: Duration = Duration::from_secs(10);
/// A server that owes an answer for longer hangs.
const PROMPT: Duration = Duration::from_millis(500);
/// How long the clean-up may take at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a run wants watched.
#[derive(Clone, Debug)]
pub struct Order {
    /// Of its message.
    pub token: Token,
    /// Verifies tokens.
    pub key: Arc<TokenKey>,
    /// By then it must be answered.
    pub deadline: Instant,
    /// How many bytes its message has.
    pub bytes: u64,
    /// The attachment of its message, if it has one.
    pub attached: Option<Attached>,
    /// A folder to watch as well, because a filter is to file the message there.
    pub folder: Option<Arc<str>>,
    /// Whether the message, or what is to come back, is expected here and looked for as often as may be;
    /// else the watchers are patient.
    pub eager: bool,
    /// Whether an automatic reply after the run is news.
    pub wants_replies: bool,
    /// Where to tell what comes up after the run.
    pub amendments: mpsc::Sender<Amendment>,
}

/// A mailbox and its watchers.
pub struct Mailbox {
    settings: Arc<MailboxSettings>,
    net: Net,
    clock: Clock,
    board: Arc<Board>,
    watchers: Mutex<Option<Watchers>>,
    sent: Sent,
    allowance: Allowance,
    shutdown: CancellationToken,
}

struct Watchers {
    tasks: JoinSet<()>,
    inbox: tokio::sync::watch::Receiver<FolderState>,
    junk: tokio::sync::watch::Receiver<FolderState>,
    folders: HashMap<Arc<str>, tokio::sync::watch::Receiver<FolderState>>,
}

/// The states of the folders that a run wants watched.
struct Watched {
    inbox: tokio::sync::watch::Receiver<FolderState>,
    junk: tokio::sync::watch::Receiver<FolderState>,
    folder: Option<tokio::sync::watch::Receiver<FolderState>>,
}

impl Mailbox {
    /// Of these settings. It connects when the first run wants it.
    pub fn new(settings: MailboxSettings, net: Net, clock: Clock) -> Arc<Self> {
        let (settings, shutdown) = (Arc::new(settings), CancellationToken::new());
        let sent = Sent::new(Arc::clone(&settings), (net.clone(), clock), shutdown.clone());
        let (board, watchers) = (Arc::new(Board::new(clock)), Mutex::new(None));
        let allowance = Allowance::default();
        Arc::new(Self { settings, net, clock, board, watchers, sent, allowance, shutdown })
    }

    /// As configured.
    pub fn settings(&self) -> &MailboxSettings {
        &self.settings
    }

    /// Whether its provider takes one more message just now; where it does, it is counted.
    ///
    /// # Errors
    /// When it would be one too many: the refusal would be of our own making.
    pub fn may_send(&self) -> Result<(), crate::policy::Refusal> {
        self.allowance.take(&self.settings, self.clock.monotonic())
    }

    /// A message of this mailbox's was accepted; `key` verifies the copy that a provider may keep of it.
    pub fn submitted(&self, key: &Arc<TokenKey>) {
        self.sent.submitted(key);
    }

    /// IMAP or POP3 commands spoken so far, on all its connections.
    pub fn commands(&self) -> u64 {
        self.board.commands()
    }

    /// Registers a run, and waits until INBOX is seen to be watched, and the folder that it names. The junk
    /// folder is waited for as well, but where it cannot be watched the run goes on without it, and a fact
    /// says so.
    ///
    /// # Errors
    /// Why INBOX or the folder cannot be watched.
    pub async fn watch(&self, order: Order) -> Result<Watch, Refusal> {
        let deadline = order.deadline;
        let run = order.token.run;
        let folder = order.folder.clone();
        // Before the watchers start: an attempt that began earlier is not looked at.
        let registered = self.board.open(order);
        let mut watch = Watch {
            board: Arc::clone(&self.board),
            clock: self.clock,
            run,
            laps: Vec::new(),
            facts: Vec::new(),
            inbox: tokio::sync::watch::channel(FolderState::Starting).1,
        };
        let mut watched = self.watchers(folder.as_ref()).await;
        watch.inbox = watched.inbox.clone();
        let Ok((seen, junk_seen, folder_seen)) =
            timeout_at(deadline, watched.seen(registered)).await
        else {
            let words = "the mailbox was not ready to be watched before the run had to end";
            let phase = match self.settings.inbox {
                Inbox::Imap(_) => imap::name::SELECT,
                Inbox::Pop3(..) => pop3::name::LIST,
            };
            let failure = Failure::new(phase, FaultClass::Timeout, words);
            return Err(Refusal { failure, laps: Vec::new(), transcript: watch.transcript() });
        };
        match seen {
            FolderState::Failed { failure, laps, transcript, .. } => {
                return Err(Refusal { failure, laps, transcript });
            }
            FolderState::Ready { laps, facts, .. } => {
                let fresh = laps.first().is_some_and(|lap| lap.from >= registered);
                watch.laps = if fresh { laps.to_vec() } else { Vec::new() };
                watch.facts.extend(facts.iter().cloned());
            }
            FolderState::Starting | FolderState::Absent => {}
        }
        if let FolderState::Failed { failure, laps, transcript, .. } = folder_seen {
            return Err(Refusal { failure, laps, transcript });
        }
        let junk = match junk_seen {
            FolderState::Ready { folder: junk, .. } if folder.as_deref() == Some(&junk) => {
                return Err(Refusal::of_junk_named(&junk));
            }
            FolderState::Ready { folder, .. } => folder.to_string(),
            FolderState::Failed { failure, .. } => format!("not watched: {}", failure.fault),
            FolderState::Starting | FolderState::Absent => {
                self.settings.no_junk_folder().to_owned()
            }
        };
        let protocol = self.settings.inbox.protocol();
        watch.facts.push(Fact::new(format!("{protocol}.junk_folder"), junk));
        Ok(watch)
    }

    /// Removes what is still to be removed, signs out, and ends the watchers. Bounded in time.
    pub async fn shutdown(&self) {
        self.shutdown.cancel();
        tokio::join!(self.end_watchers(), self.sent.end());
    }

    async fn end_watchers(&self) {
        let Some(mut watchers) = self.watchers.lock().await.take() else { return };
        let all = async { while watchers.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            tracing::warn!(mailbox = %self.settings.name, "watchers did not end in time");
        }
    }

    /// The watchers' states; watchers that are missing are started (again).
    async fn watchers(&self, folder: Option<&Arc<str>>) -> Watched {
        let mut watchers = self.watchers.lock().await;
        if watchers.as_mut().is_some_and(|w| w.tasks.try_join_next().is_some()) {
            tracing::error!(mailbox = %self.settings.name, "a watcher ended, all are restarted");
            *watchers = None;
        }
        let watchers = watchers.get_or_insert_with(|| {
            let mut tasks = JoinSet::new();
            let (inbox, junk) = match &self.settings.inbox {
                Inbox::Pop3(server, pace) => {
                    let inbox = self.start_poller(&mut tasks, (server.clone(), *pace));
                    (inbox, tokio::sync::watch::channel(FolderState::Absent).1)
                }
                Inbox::Imap(_) => {
                    let inbox = self.start(&mut tasks, Place::Inbox, None);
                    (inbox, self.start(&mut tasks, Place::Junk, None))
                }
            };
            Watchers { tasks, inbox, junk, folders: HashMap::new() }
        });
        let Watchers { tasks, inbox, junk, folders } = watchers;
        // POP3 shows no other folder, and no check asks for one.
        let folder = folder.filter(|_| matches!(self.settings.inbox, Inbox::Imap(_)));
        let folder = folder.map(|name| {
            let start = || self.start(tasks, Place::Folder, Some(Arc::clone(name)));
            folders.entry(Arc::clone(name)).or_insert_with(start).clone()
        });
        Watched { inbox: inbox.clone(), junk: junk.clone(), folder }
    }

    fn start_poller(
        &self,
        tasks: &mut JoinSet<()>,
        server: (Endpoint, SessionPace),
    ) -> tokio::sync::watch::Receiver<FolderState> {
        let (poller, state) = Poller::new(
            server,
            (Arc::clone(&self.settings), self.net.clone(), self.clock),
            Arc::clone(&self.board),
            self.shutdown.clone(),
        );
        tasks.spawn(poller.run());
        state
    }

    fn start(
        &self,
        tasks: &mut JoinSet<()>,
        place: Place,
        folder: Option<Arc<str>>,
    ) -> tokio::sync::watch::Receiver<FolderState> {
        let (watcher, state) = Watcher::new(
            (place, folder),
            (Arc::clone(&self.settings), self.net.clone(), self.clock),
            Arc::clone(&self.board),
            self.shutdown.clone(),
        );
        tasks.spawn(watcher.run());
        state
    }
}

impl Watched {
    /// INBOX, the junk folder, and the named one, once each was seen to be watched.
    async fn seen(&mut self, registered: Instant) -> (FolderState, FolderState, FolderState) {
        let named = async {
            match &mut self.folder {
                Some(folder) => until_watched(folder, registered).await,
                None => FolderState::Absent,
            }
        };
        tokio::join!(
            until_watched(&mut self.inbox, registered),
            until_watched(&mut self.junk, registered),
            named
        )
    }
}

/// Until the folder was seen to be watched after `registered`, or an attempt after it failed.
async fn until_watched(
    state: &mut tokio::sync::watch::Receiver<FolderState>,
    registered: Instant,
) -> FolderState {
    let settled = state.wait_for(|state| match state {
        FolderState::Ready { verified, .. } => *verified >= registered,
        FolderState::Failed { attempted, .. } => *attempted >= registered,
        FolderState::Absent => true,
        FolderState::Starting => false,
    });
    // An error means that the watcher is gone, which its last state explains as well as anything.
    match settled.await {
        Ok(state) => state.clone(),
        Err(_) => FolderState::Starting,
    }
}

/// One run's hold on a mailbox; dropping it closes the run.
pub struct Watch {
    board: Arc<Board>,
    clock: Clock,
    run: RunId,
    laps: Vec<Lap>,
    facts: Vec<Fact>,
    inbox: tokio::sync::watch::Receiver<FolderState>,
}

impl Watch {
    /// How the connection to INBOX was made, when it was made for this run.
    pub fn laps(&self) -> &[Lap] {
        &self.laps
    }

    /// What was learnt when the connections were made.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The message has left: from now on it may arrive.
    pub fn sent(&self) {
        self.board.sent(self.run);
    }

    /// The server has accepted the message.
    pub fn accepted(&self, at: Instant) {
        self.board.accepted(self.run, at);
    }

    /// Waits for what happens next to the message.
    pub async fn next(&self) -> Event {
        self.board.next(self.run).await
    }

    /// Forged tokens that turned up meanwhile.
    pub fn forged(&self) -> u32 {
        self.board.forged(self.run)
    }

    /// The run's share of the commands that were spoken while it was open, rounded up.
    pub fn commands(&self) -> u64 {
        self.board.share(self.run)
    }

    /// What keeps INBOX from being watched just now, if anything does.
    pub fn trouble(&self) -> Option<Failure> {
        match &*self.inbox.borrow() {
            FolderState::Failed { failure, .. } => Some(failure.clone()),
            FolderState::Ready { due: Some(due), .. } => {
                let late = self.clock.monotonic().saturating_duration_since(*due);
                let hangs = late > PROMPT;
                hangs.then(|| Failure::timeout(imap::name::WATCH, "an answer to the watcher", late))
            }
            _ => None,
        }
    }

    /// What was said on the connection to INBOX.
    pub fn transcript(&self) -> String {
        match &*self.inbox.borrow() {
            FolderState::Ready { record, .. } => record.text(),
            FolderState::Failed { transcript, .. } => transcript.clone(),
            _ => String::new(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.board.close(self.run);
    }
}
