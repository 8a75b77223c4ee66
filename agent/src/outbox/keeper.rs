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

/// An answer that is ready to be sent.
type Reply = Box<dyn FnOnce() + Send>;

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
            let served = spawn_blocking(move || {
                let replies = books.serve(group, is_over);
                (books, replies)
            });
            let replies;
            (books, replies) = served.await?;
            said.send_if_modified(|progress| {
                let now = books.progress();
                let is_new = *progress != now;
                *progress = now;
                is_new
            });
            // Last: whoever is answered finds the progress that the answer speaks of.
            for reply in replies {
                reply();
            }
            if is_over {
                return Ok(());
            }
        }
    }
}

impl Books {
    /// Carries out a group of requests with one flush of each journal.
    fn serve(&mut self, group: Vec<Request>, is_over: bool) -> Vec<Reply> {
        let is_idle = group.is_empty();
        let mut replies = Vec::with_capacity(group.len());
        let (mut intents, mut begins) = (Vec::new(), Vec::new());
        let (mut entries, mut later) = (Vec::new(), Vec::new());
        for request in group {
            match request {
                Request::Begin { intent, reply } => {
                    intents.push(intent);
                    begins.push(reply);
                }
                Request::Finish { observation, reply } => {
                    entries.push(Entry::new(&observation));
                    replies.push(answer(reply, ()));
                }
                Request::Amend { amendment, reply } => {
                    let entry = self.amendment(*amendment);
                    // Twice in one group is twice as well.
                    let entry = entry
                        .filter(|new| !entries.iter().any(|other: &Entry| other.told == new.told));
                    replies.push(answer(reply, entry.is_some()));
                    entries.extend(entry);
                }
                other => later.push(other),
            }
        }
        self.spool(entries);
        self.begin(&intents, begins, &mut replies);
        replies.extend(later.into_iter().filter_map(|request| self.carry_out(request)));
        self.trim_spool();
        if self.wants_ledger() && (is_idle || is_over || self.marks.len() > MANY_MARKS) {
            if let Err(error) = self.write_ledger(&[]) {
                warn!(error = %in_full(&error), "outbox: the ledger waits for the disk");
            }
            self.folder.keep_reserve();
        }
        replies
    }

    fn begin(
        &mut self,
        intents: &[Intent],
        begins: Vec<oneshot::Sender<Result<RunId, NotBegun>>>,
        replies: &mut Vec<Reply>,
    ) {
        if intents.is_empty() {
            return;
        }
        let epoch = self.state.epoch();
        match self.write_ledger(intents) {
            Ok(numbers) => {
                for (intent, reply) in numbers.into_iter().zip(begins) {
                    replies.push(answer(reply, Ok(RunId { epoch, intent })));
                }
            }
            Err(error) => {
                let said = in_full(&error);
                for (intent, reply) in intents.iter().zip(begins) {
                    self.hold_void(intent, &error);
                    replies.push(answer(reply, Err(NotBegun::Disk(said.clone()))));
                }
            }
        }
    }

    fn carry_out(&mut self, request: Request) -> Option<Reply> {
        match request {
            Request::Acknowledge { through } => self.acknowledge(through),
            Request::Reject { ranges } => self.reject(&ranges),
            Request::Dispute { epoch, reply } => return Some(answer(reply, self.dispute(epoch))),
            Request::Damaged { range, reply } => {
                return Some(answer(reply, self.give_up(range, TombstoneReason::Damaged)));
            }
            Request::Follow { from, reply } => return Some(answer(reply, self.follow(from))),
            Request::Begin { .. } | Request::Finish { .. } | Request::Amend { .. } => {}
        }
        None
    }
}

/// Who asked may have gone meanwhile, and that is well.
fn answer<T: Send + 'static>(reply: oneshot::Sender<T>, said: T) -> Reply {
    Box::new(move || {
        let _gone: Result<(), T> = reply.send(said);
    })
}
