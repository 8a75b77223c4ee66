//! The one who writes: takes everything that waits, writes it, flushes once, and answers all.

use std::time::Duration;

use mailsonde_proto::convert::{SequenceRange, TombstoneReason};
use mailsonde_proto::journal::Follower;
use mailsonde_proto::{Epoch, Observation, RunId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;
use tracing::warn;

use super::books::{Books, Entry, MANY_MARKS, in_full};
use super::{Intent, NotBegun, Progress};
use crate::probe::Amendment;

/// Requests that are served together, at most.
const GROUP: usize = 256;
/// How often what waits for the disk, or for company, is tried without being asked.
const TICK: Duration = Duration::from_secs(1);

/// What runs and uplink ask of the keeper.
pub(super) enum Request {
    Begin { intent: Intent, reply: oneshot::Sender<Result<RunId, NotBegun>> },
    Finish { observation: Box<Observation>, reply: oneshot::Sender<()> },
    Amend { amendment: Box<Amendment>, reply: oneshot::Sender<bool> },
    Acknowledge { through: u64 },
    Reject { ranges: Vec<SequenceRange> },
    Dispute { epoch: Epoch, reply: oneshot::Sender<bool> },
    Damaged { range: SequenceRange, reply: oneshot::Sender<bool> },
    Follow { from: u64, reply: oneshot::Sender<Follower> },
}

/// Writes the outbox for as long as it runs.
pub struct Keeper {
    books: Books,
    queue: mpsc::Receiver<Request>,
    said: watch::Sender<Progress>,
}

impl Keeper {
    pub(super) fn new(
        books: Books,
        queue: mpsc::Receiver<Request>,
        said: watch::Sender<Progress>,
    ) -> Self {
        Self { books, queue, said }
    }

    /// Serves until `ended` says so or every [`Outbox`](super::Outbox) is gone; then writes what is
    /// left.
    ///
    /// # Errors
    /// When writing panicked, which is a defect.
    pub async fn run(self, ended: impl Future<Output = ()>) -> Result<(), JoinError> {
        let Self { mut books, mut queue, said } = self;
        let mut ended = std::pin::pin!(ended);
        let mut is_closing = false;
        loop {
            let mut group = Vec::new();
            tokio::select! {
                biased;
                () = &mut ended, if !is_closing => {
                    queue.close();
                    is_closing = true;
                    continue;
                }
                // A tick is a group of none.
                _ = timeout(TICK, queue.recv_many(&mut group, GROUP)) => {}
            }
            let is_over = queue.is_closed() && group.is_empty() && queue.is_empty();
            books = spawn_blocking(move || {
                books.serve(group, is_over);
                books
            })
            .await?;
            said.send_if_modified(|progress| {
                let now = books.progress();
                let is_new = *progress != now;
                *progress = now;
                is_new
            });
            if is_over {
                return Ok(());
            }
        }
    }
}

impl Books {
    /// Carries out a group of requests with one flush of each journal.
    fn serve(&mut self, group: Vec<Request>, is_over: bool) {
        let is_idle = group.is_empty();
        let (mut intents, mut begins) = (Vec::new(), Vec::new());
        let (mut entries, mut finished, mut told) = (Vec::new(), Vec::new(), Vec::new());
        let mut later = Vec::new();
        for request in group {
            match request {
                Request::Begin { intent, reply } => {
                    intents.push(intent);
                    begins.push(reply);
                }
                Request::Finish { observation, reply } => {
                    entries.push(Entry::new(&observation));
                    finished.push(reply);
                }
                Request::Amend { amendment, reply } => {
                    let entry = self.amendment(*amendment);
                    // Twice in one group is twice as well.
                    let entry = entry
                        .filter(|new| !entries.iter().any(|other: &Entry| other.told == new.told));
                    told.push((reply, entry.is_some()));
                    entries.extend(entry);
                }
                other => later.push(other),
            }
        }
        self.spool(entries);
        for reply in finished {
            let _runner_left: Result<(), ()> = reply.send(());
        }
        for (reply, was_news) in told {
            let _runner_left: Result<(), bool> = reply.send(was_news);
        }
        self.begin(&intents, begins);
        for request in later {
            self.answer(request);
        }
        self.trim_spool();
        if self.wants_ledger() && (is_idle || is_over || self.marks.len() > MANY_MARKS) {
            if let Err(error) = self.write_ledger(&[]) {
                warn!(error = %in_full(&error), "outbox: the ledger waits for the disk");
            }
            self.folder.keep_reserve();
        }
    }

    fn begin(
        &mut self,
        intents: &[Intent],
        replies: Vec<oneshot::Sender<Result<RunId, NotBegun>>>,
    ) {
        if intents.is_empty() {
            return;
        }
        let epoch = self.state.epoch();
        match self.write_ledger(intents) {
            Ok(numbers) => {
                for (intent, reply) in numbers.into_iter().zip(replies) {
                    let _runner_left: Result<(), _> = reply.send(Ok(RunId { epoch, intent }));
                }
            }
            Err(error) => {
                let said = in_full(&error);
                for (intent, reply) in intents.iter().zip(replies) {
                    self.hold_void(intent, &error);
                    let _runner_left: Result<(), _> = reply.send(Err(NotBegun::Disk(said.clone())));
                }
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Acknowledge { through } => self.acknowledge(through),
            Request::Reject { ranges } => self.reject(&ranges),
            Request::Dispute { epoch, reply } => {
                let _uplink_left: Result<(), bool> = reply.send(self.dispute(epoch));
            }
            Request::Damaged { range, reply } => {
                let given_up = self.give_up(range, TombstoneReason::Damaged);
                let _uplink_left: Result<(), bool> = reply.send(given_up);
            }
            Request::Follow { from, reply } => {
                let _uplink_left: Result<(), Follower> = reply.send(self.follow(from));
            }
            Request::Begin { .. } | Request::Finish { .. } | Request::Amend { .. } => {}
        }
    }
}
