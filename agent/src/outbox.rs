//! The outbox: what keeps a run from being forgotten, and an observation from being lost.
//!
//! A folder with the file `epoch`, the keys `token.key` and `signing.key`, and two journals. The `ledger` holds intents
//! (an intent's number is its record's sequence), their closing, and what became of the observations;
//! it is kept for a week. The `spool` holds the observations themselves until the collector has
//! acknowledged them. One [`Keeper`] writes both, for all runs at once: everything that waits is
//! written and flushed together.
//!
//! Invariants:
//! - An intent is on disk before its run begins; at the next start, one without an observation becomes
//!   `void(interrupted)`.
//! - An observation is on disk before it is sent. produced = acknowledged + spooled + tombstoned +
//!   rejected, always, also over restarts ([`Accounts`]).
//! - No observation has the key (epoch, sequence) of another. Where the collector shows that it has
//!   seen more than we have (an outbox restored from a backup), a new epoch begins: what is spooled is
//!   still sent under the old one, whose keys the collector can compare (the same bytes are
//!   acknowledged, others rejected and reported), and everything after it goes under the new one.
//!
//! An amendment is an observation with intent 0 and `amends`; the same thing about the same run is told
//! once. Absent on purpose: the network.

mod books;
mod folder;
mod keeper;
mod read;
mod record;
mod recover;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::convert::{SequenceRange, Tombstone};
use mailsonde_proto::journal::{Disk, JournalError, RealDisk};
use mailsonde_proto::{
    Cause, Clock, Epoch, Fault, Observation, RunId, SettingsDigest, Verdict, WallTime,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::mail::token::TokenKey;
use crate::probe::Amendment;
use books::Books;
use keeper::Request;

pub use folder::signing_key;
pub use keeper::Keeper;
pub use read::{Reader, Spooled};

/// Requests that may wait for the keeper; who comes later waits to be let in.
const QUEUE: usize = 256;

/// How much the outbox may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// Age of an observation in the spool.
    pub spool_age: Duration,
    /// Bytes of the ledger.
    pub ledger_bytes: u64,
    /// Age of an intent.
    pub ledger_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let week = Duration::from_secs(7 * 86_400);
        Self { spool_bytes: 256 << 20, spool_age: week, ledger_bytes: 64 << 20, ledger_age: week }
    }
}

/// A run that is about to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The check's name.
    pub check: String,
    /// The check's kind.
    pub kind: String,
    /// The slot.
    pub scheduled_for: WallTime,
    /// Now.
    pub written_at: WallTime,
    /// Why there is a run.
    pub cause: Cause,
    /// Of the settings it runs with.
    pub settings_digest: SettingsDigest,
}

/// What became of everything that this outbox ever took in; `produced` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Observations taken in.
    pub produced: u64,
    /// On the collector's disk.
    pub acknowledged: u64,
    /// Waiting here.
    pub spooled: u64,
    /// Given up, and said so.
    pub tombstoned: u64,
    /// Refused by the collector.
    pub rejected: u64,
}

/// Something that was told about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    run: RunId,
    what: u64,
}

impl Told {
    /// What an amendment tells. Figures in its words are left out: the same stray that is found again
    /// after a crash is later than before, and no news.
    fn of(amendment: &Amendment) -> Self {
        Self::new(amendment.run, &amendment.fault)
    }

    /// What a spooled amendment told.
    fn in_observation(observation: &Observation) -> Option<Self> {
        match (&observation.verdict, observation.amends) {
            (Verdict::Fail(fault), Some(run)) => Some(Self::new(run, fault)),
            _ => None,
        }
    }

    fn new(run: RunId, fault: &Fault) -> Self {
        let words: String =
            fault.explanation.chars().filter(|c| c.is_alphabetic() || *c == ' ').collect();
        let text = format!("{}\n{}\n{words}", fault.phase, fault.class.as_str());
        let digest = SettingsDigest::of(&text).0;
        let what = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Self { run, what }
    }
}

/// Where the outbox stands; sequences are those of the spool's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The epoch that is sent now: the oldest with anything unsettled.
    pub epoch: Epoch,
    /// A record's sequence within that epoch is its own minus this.
    pub base: u64,
    /// The first record that is not of that epoch, or not there yet.
    pub end: u64,
    /// Whether a newer epoch waits behind `end`.
    pub is_disputed: bool,
    /// This record and all before it need not be sent any more.
    pub settled: u64,
    /// Ranges behind `settled` that were given up, in order.
    pub tombstones: Arc<Vec<Tombstone>>,
    /// Bytes of the spool on disk.
    pub spooled_bytes: u64,
    /// What became of everything.
    pub accounts: Accounts,
}

/// Why an outbox cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Another process has it.
    #[error(
        "another agent uses the outbox {}: stop it, or give this one a data folder of its own",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be used.
    #[error("cannot {action} {}: see that the agent may write there and that there is space", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The key's file is not one.
    #[error(
        "{} is not a key of 32 bytes: restore it, or remove it so that a new one is made (test mail \
         under way is then not recognised any more)",
        path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// A journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why a run must not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// The intent cannot be written; the slot is `void(local_disk)`, which is kept.
    #[error("the intent cannot be written, so no mail is sent: {0}")]
    Disk(String),
    /// The keeper has ended.
    #[error("the outbox is closed")]
    Closed,
}

/// The outbox as runs and uplink see it. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    requests: mpsc::Sender<Request>,
    progress: watch::Receiver<Progress>,
    key: Arc<TokenKey>,
}

impl Outbox {
    /// Opens the outbox in `folder`, makes it when there is none, and mends what a crash left. The
    /// keeper must be run; the outbox is closed when it ends. Blocks on the disk.
    ///
    /// # Errors
    /// When another agent has it, or the disk will not have it; not because a journal is damaged.
    pub fn open(
        folder: &Path,
        limits: Limits,
        clock: Clock,
    ) -> Result<(Self, Keeper), OutboxError> {
        Self::open_on(Arc::new(RealDisk), folder, limits, clock)
    }

    /// The same on another disk.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        limits: Limits,
        clock: Clock,
    ) -> Result<(Self, Keeper), OutboxError> {
        let (books, key) = Books::open(disk, folder, limits, clock)?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let (said, progress) = watch::channel(books.progress());
        let keeper = Keeper::new(books, queue, said);
        Ok((Self { requests, progress, key: Arc::new(key) }, keeper))
    }

    /// Makes and verifies the tokens of this agent's test messages.
    pub fn token_key(&self) -> &Arc<TokenKey> {
        &self.key
    }

    /// Writes down that a run begins; names it.
    ///
    /// # Errors
    /// When it cannot be written: then no run may begin, and the slot is void.
    pub async fn begin(&self, intent: Intent) -> Result<RunId, NotBegun> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Begin { intent, reply }).await;
        answer.await.unwrap_or(Err(NotBegun::Closed))
    }

    /// Writes down what a run found, or (with intent 0) what became of a slot without a run. Returns
    /// when it is on disk; where the disk is full it is kept in memory and written when there is room.
    pub async fn finish(&self, observation: Observation) {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Finish { observation: Box::new(observation), reply }).await;
        let _closed_means_ended: Result<(), _> = answer.await;
    }

    /// Writes down what was learnt about an earlier run, once. Returns whether it was news.
    pub async fn amend(&self, amendment: Amendment) -> bool {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Amend { amendment: Box::new(amendment), reply }).await;
        answer.await.unwrap_or(false)
    }

    /// The collector has the record `through` and all before it.
    pub async fn acknowledge(&self, through: u64) {
        self.ask(Request::Acknowledge { through }).await;
    }

    /// The collector will not store these records.
    pub async fn reject(&self, ranges: Vec<SequenceRange>) {
        self.ask(Request::Reject { ranges }).await;
    }

    /// The collector knows more of the epoch `disputed` than we do: another begins, unless it has.
    /// Returns whether it did.
    pub async fn dispute(&self, disputed: Epoch) -> bool {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Dispute { epoch: disputed, reply }).await;
        answer.await.unwrap_or(false)
    }

    /// These records cannot be read: gives them up, unless that has happened. Returns whether they are
    /// accounted for.
    pub async fn give_up_damaged(&self, range: SequenceRange) -> bool {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Damaged { range, reply }).await;
        answer.await.unwrap_or(false)
    }

    /// A reader of the spool that starts with the record `from`; `None` when the outbox is closed.
    pub async fn read_from(&self, from: u64) -> Option<Reader> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Follow { from, reply }).await;
        answer.await.ok().map(Reader::new)
    }

    /// Where the outbox stands; changes with every group that is written.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// What became of everything.
    pub fn accounts(&self) -> Accounts {
        self.progress.borrow().accounts
    }

    async fn ask(&self, request: Request) {
        // A keeper that has ended drops the reply's sender, which is how the asker knows.
        let _closed: Result<(), _> = self.requests.send(request).await;
    }
}

#[cfg(test)]
mod tests;
