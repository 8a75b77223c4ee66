//! The ledger: what agents sent, in the order in which it came to the collector's disk.
//!
//! One thread writes; it takes every request that waits, appends them all, flushes once, and answers all.
//! So an answer means 'on disk', and hundreds of streams share each flush.
//!
//! It also keeps, per agent and epoch, how far its sequences are stored without a gap (the mark), and a
//! checksum of each of the last [`WINDOW`] observations, so that one that comes again is told from another
//! one under the same key. Marks stand in every segment's header: they survive retention.
//!
//! Absent on purpose: what an observation says. That was judged before, and is folded later.

mod looked;
mod marks;
mod record;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use bytes::Bytes;
use mailsonde_proto::convert::{SequenceRange, Tombstone};
use mailsonde_proto::journal::{
    Damage, Disk, Follower, Index, Journal, JournalError, Options, RealDisk, compact_oldest,
};
use mailsonde_proto::{AgentId, Clock, Epoch, WallTime};
use tokio::sync::{mpsc, oneshot};

pub use looked::Looked;
pub use marks::WINDOW;
pub use record::{Entry, GapReason, Unreadable};
pub use writer::Wanted;

use marks::Marks;
use writer::{Request, Writer};

/// The folder of what is stored.
pub const OBSERVATIONS: &str = "observations";
/// The folder of what was refused.
pub const QUARANTINE: &str = "quarantine";

/// Requests that may wait for the writer.
const QUEUE: usize = 1_024;

/// Why the ledger did not take something.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk would not take it; nothing of it is stored, and it may be offered again.
    #[error("the ledger cannot write: {0}")]
    Disk(Arc<JournalError>),
    /// A batch does not follow on what is stored, so accepting it would hide a gap.
    #[error("sequence {first} does not follow on {stored_through}: say hello again")]
    OutOfOrder {
        /// The batch's first sequence.
        first: u64,
        /// What is stored.
        stored_through: u64,
    },
    /// The ledger is shutting down.
    #[error("the ledger is closed")]
    Closed,
}

/// How the ledger is kept.
#[derive(Clone, Copy, Debug)]
pub struct LedgerOptions {
    /// A segment of this many bytes is full.
    pub segment_bytes: u64,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024 }
    }
}

/// Whose sequences are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// From the certificate.
    pub agent: AgentId,
    /// Of its outbox.
    pub epoch: Epoch,
}

/// What became of a batch. All of it is on disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The highest sequence that is stored without a gap.
    pub through: u64,
    /// Sequences that were stored before with other bytes; what came now is in quarantine.
    pub conflicts: Vec<SequenceRange>,
}

/// The handle that ingest and pipeline hold. Dropping the last one ends the writer.
#[derive(Clone)]
pub struct Ledger {
    requests: mpsc::Sender<Request>,
    index: Arc<Index>,
    quarantine: Arc<Index>,
    disk: Arc<dyn Disk>,
    refused: Arc<AtomicBool>,
}

/// What opening the ledger found, and the writer to wait for at the end.
pub struct Opened {
    /// The handle.
    pub ledger: Ledger,
    /// What was damaged or cut off.
    pub damage: Vec<Damage>,
    /// Ends when every handle is gone; join it after that.
    pub writer: JoinHandle<()>,
}

impl Ledger {
    /// Opens the ledger in `folder`, or makes it.
    ///
    /// # Errors
    /// When the folder cannot be used at all; never because of what a file holds.
    pub fn open(
        folder: &Path,
        options: LedgerOptions,
        clock: Clock,
    ) -> Result<Opened, JournalError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let kept = |name: &str| -> PathBuf { folder.join(name) };
        let cut = Options { segment_bytes: options.segment_bytes, first_sequence: 1 };
        let (journal, recovery) = Journal::open(disk.clone(), &kept(OBSERVATIONS), cut)?;
        let cut = Options { segment_bytes: 4 * 1024 * 1024, first_sequence: 1 };
        let (quarantine, _) = Journal::open(disk.clone(), &kept(QUARANTINE), cut)?;
        let marks = Marks::recover(&journal, &recovery.note)?;
        let index = journal.index().clone();
        let refused_before = quarantine.index().clone();
        let (requests, waiting) = mpsc::channel(QUEUE);
        let mut writer = Writer::new(journal, quarantine, marks, clock);
        let refused = writer.refused();
        let writer = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.serve(waiting))
            .map_err(|source| JournalError::Disk {
                action: "start the writer of",
                path: folder.to_owned(),
                source,
            })?;
        let ledger = Self { requests, index, quarantine: refused_before, disk, refused };
        Ok(Opened { ledger, damage: recovery.damage, writer })
    }

    /// Stores a batch; an empty observation stands for one that was refused as malformed.
    ///
    /// # Errors
    /// When it does not follow on what is stored, or the disk would not take it.
    pub async fn append(
        &self,
        source: Source,
        first: u64,
        observations: Vec<Bytes>,
    ) -> Result<Stored, LedgerError> {
        self.ask(source, Wanted::Batch { first, observations }).await
    }

    /// Stores that sequences will never come.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn bury(&self, source: Source, tombstone: Tombstone) -> Result<Stored, LedgerError> {
        self.ask(source, Wanted::Tombstone(tombstone)).await
    }

    /// Keeps what a peer sent that is no observation, for people to look at.
    ///
    /// # Errors
    /// When the disk would not take it.
    pub async fn quarantine(
        &self,
        source: Source,
        sequence: u64,
        bytes: Bytes,
    ) -> Result<Stored, LedgerError> {
        self.ask(source, Wanted::Malformed { sequence, bytes }).await
    }

    /// The highest sequence that is stored without a gap. Where the agent's oldest is beyond the next, the
    /// ones between are gone for good (this collector came back from a backup): they become a declared gap.
    ///
    /// # Errors
    /// When the disk would not take the declaration.
    pub async fn greet(&self, source: Source, oldest: u64) -> Result<Stored, LedgerError> {
        self.ask(source, Wanted::Greeting { oldest }).await
    }

    async fn ask(&self, source: Source, wanted: Wanted) -> Result<Stored, LedgerError> {
        self.offer(source, wanted).await?.await.ok().ok_or(LedgerError::Closed)?
    }

    /// Puts a wish in the writer's queue, in order; the answer comes when all of it is on disk.
    ///
    /// # Errors
    /// When the writer is gone.
    pub async fn offer(
        &self,
        source: Source,
        wanted: Wanted,
    ) -> Result<oneshot::Receiver<Result<Stored, LedgerError>>, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { source, wanted, answer };
        self.requests.send(request).await.ok().ok_or(LedgerError::Closed)?;
        Ok(answered)
    }

    /// Returns when the writer has got to what waits for it now: it is alive.
    ///
    /// # Errors
    /// When the writer is gone.
    pub async fn answers(&self) -> Result<(), LedgerError> {
        let source = Source { agent: AgentId::default(), epoch: Epoch::default() };
        self.ask(source, Wanted::Nothing).await.map(|_| ())
    }

    /// Where readers find out what is committed.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// What is kept of what was refused.
    pub fn quarantine_index(&self) -> &Arc<Index> {
        &self.quarantine
    }

    /// Whether the disk refused what was to be stored last.
    pub fn refused(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.refused)
    }

    /// A reader of the raw records from a cursor on; [`Entry::decode`] reads what it gives.
    pub fn follow(&self, from: u64) -> Follower {
        Follower::over(self.disk.clone(), self.index.clone(), from)
    }

    /// Rewrites the oldest closed segment before `before` as compressed columns; says whether there was one.
    ///
    /// # Errors
    /// When the disk would not take it.
    pub fn compact(&self, before: u64) -> Result<bool, JournalError> {
        compact_oldest(&self.disk, &self.index, before)
    }

    /// Removes whole segments whose records all came before `time` and before the cursor `read`.
    ///
    /// # Errors
    /// When the writer is gone.
    pub async fn retain(&self, time: WallTime, read: u64) -> Result<(), LedgerError> {
        let source = Source { agent: AgentId::default(), epoch: Epoch::default() };
        self.ask(source, Wanted::Retain { time, read }).await.map(|_| ())
    }
}
