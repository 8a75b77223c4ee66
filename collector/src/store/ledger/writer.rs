//! The one thread that writes the ledger: gather, append, flush once, answer all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use mailsonde_proto::convert::{SequenceRange, Tombstone};
use mailsonde_proto::journal::{Journal, JournalError};
use mailsonde_proto::{Clock, WallTime};
use tokio::sync::{mpsc, oneshot};

use super::marks::{Known, Mark, Marks};
use super::record::{Entry, GapReason, quarantined};
use super::{LedgerError, Source, Stored};

/// Bytes that are gathered for one flush.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Requests that are gathered for one flush.
const GROUP_REQUESTS: usize = 512;
/// The quarantine keeps the last of what was refused, not all of it for ever.
const QUARANTINE_BYTES: u64 = 64 * 1024 * 1024;

/// What the writer is asked to do. Cheap to clone: observations are shared.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Store observations; an empty one stands for one that was refused as malformed.
    Batch {
        /// The sequence of the first.
        first: u64,
        /// As the agent sent them.
        observations: Vec<Bytes>,
    },
    /// Store that sequences will never come.
    Tombstone(Tombstone),
    /// Keep what is no observation in quarantine.
    Malformed {
        /// Its sequence.
        sequence: u64,
        /// What it is.
        bytes: Bytes,
    },
    /// Declare what is missing before an agent's oldest.
    Greeting {
        /// The oldest sequence that the agent still has.
        oldest: u64,
    },
    /// Remove segments that ended before a time, as far as the pipeline has read.
    Retain {
        /// Records that came before this may go.
        time: WallTime,
        /// The pipeline's cursor.
        read: u64,
    },
    /// Answer, and nothing more.
    Nothing,
}

impl Wanted {
    fn bytes(&self) -> usize {
        match self {
            Self::Batch { observations, .. } => observations.iter().map(Bytes::len).sum(),
            _ => 0,
        }
    }
}

/// A wish and where its answer goes.
pub(super) struct Request {
    pub(super) source: Source,
    pub(super) wanted: Wanted,
    pub(super) answer: oneshot::Sender<Result<Stored, LedgerError>>,
}

pub(super) struct Writer {
    journal: Journal,
    quarantine: Journal,
    marks: Marks,
    clock: Clock,
    /// Marks as they were before the group that is being written.
    before: HashMap<Source, Option<Mark>>,
    /// Whether the disk refused the last group.
    refused: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(journal: Journal, quarantine: Journal, marks: Marks, clock: Clock) -> Self {
        let refused = Arc::default();
        Self { journal, quarantine, marks, clock, before: HashMap::new(), refused }
    }

    /// Whether the disk refused the last group.
    pub(super) fn refused(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.refused)
    }

    /// Serves until every handle is gone.
    pub(super) fn serve(&mut self, mut waiting: mpsc::Receiver<Request>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut bytes = first.wanted.bytes();
            let mut group = vec![first];
            while bytes < GROUP_BYTES && group.len() < GROUP_REQUESTS {
                let Ok(request) = waiting.try_recv() else { break };
                bytes += request.wanted.bytes();
                group.push(request);
            }
            self.write_group(group);
        }
    }

    /// All of a group or nothing of it: a record that the disk refuses takes back the ones before it.
    fn write_group(&mut self, group: Vec<Request>) {
        // whether the disk takes anything is not known by asking for nothing
        let (asked, group): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|request| matches!(request.wanted, Wanted::Nothing));
        for Request { answer, .. } in asked {
            answer.send(Ok(Stored::default())).ok();
        }
        if group.is_empty() {
            return;
        }
        let now = self.clock.wall();
        let mut answers = Vec::with_capacity(group.len());
        let mut failed = self.roll(now).err();
        for Request { source, wanted, answer } in group {
            let result = match failed {
                None => self.stage(now, source, wanted),
                Some(_) => Err(LedgerError::Closed), // replaced below
            };
            if let Err(LedgerError::Disk(error)) = &result {
                failed = Some(error.clone());
            }
            answers.push((answer, result));
        }
        let before = std::mem::take(&mut self.before);
        if failed.is_none() {
            let flushed = self.quarantine.commit().and_then(|_| self.journal.commit());
            failed = flushed.err().map(Arc::new);
        }
        if failed.is_some() {
            for (source, mark) in before {
                self.marks.put_back(source, mark);
            }
        }
        self.refused.store(failed.is_some(), Ordering::Relaxed);
        for (answer, result) in answers {
            let result = failed.clone().map_or(result, |error| Err(LedgerError::Disk(error)));
            // Nobody waits any more when the stream has ended; that is no loss.
            answer.send(result).ok();
        }
    }

    /// Begins a new segment where one is due. Only between groups, because it commits what is pending.
    fn roll(&mut self, now: WallTime) -> Result<(), Arc<JournalError>> {
        if self.quarantine.wants_roll() {
            while self.quarantine.index().bytes() > QUARANTINE_BYTES
                && self.quarantine.remove_oldest()?.is_some()
            {}
            self.quarantine.roll(&[], now)?;
        }
        if self.journal.wants_roll() {
            self.journal.roll(&self.marks.encode(), now)?;
        }
        Ok(())
    }

    fn stage(
        &mut self,
        now: WallTime,
        source: Source,
        wanted: Wanted,
    ) -> Result<Stored, LedgerError> {
        self.before.entry(source).or_insert_with(|| self.marks.copy(source));
        let conflicts = match wanted {
            Wanted::Batch { first, observations } => {
                self.batch(now, source, first, observations)?
            }
            Wanted::Tombstone(buried) => {
                let counts = [buried.pass, buried.fail, buried.void];
                self.gap(now, source, (buried.range, GapReason::Agent(buried.reason), counts))?;
                Vec::new()
            }
            Wanted::Malformed { sequence, bytes } => {
                self.set_aside(now, source, sequence, (bytes, "malformed"))?;
                Vec::new()
            }
            Wanted::Greeting { oldest } => {
                let through = self.marks.through(source);
                if oldest > through.saturating_add(1) {
                    let range = SequenceRange { first: through + 1, last: oldest - 1 };
                    tracing::error!(
                        agent = %source.agent, epoch = %source.epoch, first = range.first, last = range.last,
                        "observations that were acknowledged are not here any more; a gap is declared"
                    );
                    self.gap(now, source, (range, GapReason::CollectorBehind, [0; 3]))?;
                }
                Vec::new()
            }
            Wanted::Retain { time, read } => {
                self.retain(time, read).map_err(disk)?;
                Vec::new()
            }
            Wanted::Nothing => Vec::new(),
        };
        Ok(Stored { through: self.marks.through(source), conflicts })
    }

    /// Stores what is new of a batch; compares what is not.
    fn batch(
        &mut self,
        now: WallTime,
        source: Source,
        first: u64,
        mut observations: Vec<Bytes>,
    ) -> Result<Vec<SequenceRange>, LedgerError> {
        let through = self.marks.through(source);
        let next = through.saturating_add(1);
        if first > next {
            return Err(LedgerError::OutOfOrder { first, stored_through: through });
        }
        let again = usize::try_from(next - first).unwrap_or(usize::MAX).min(observations.len());
        let mut conflicts = Vec::new();
        for (sequence, observation) in (first..).zip(observations.drain(..again)) {
            if self.marks.known(source, sequence, &observation) == Known::Same {
                continue;
            }
            self.set_aside(now, source, sequence, (observation, "conflict"))?;
            conflicts.push(SequenceRange { first: sequence, last: sequence });
        }
        if observations.is_empty() {
            return Ok(conflicts);
        }
        self.marks.store(source, next, &observations);
        let entry = Entry::Batch { received_at: now, source, first: next, observations };
        self.put(entry)?;
        Ok(conflicts)
    }

    /// Writes that sequences will never come, as far as they are not stored.
    fn gap(
        &mut self,
        now: WallTime,
        source: Source,
        (range, reason, counts): (SequenceRange, GapReason, [u64; 3]),
    ) -> Result<(), LedgerError> {
        let next = self.marks.through(source).saturating_add(1);
        if range.last < next {
            return Ok(());
        }
        if range.first > next {
            let stored_through = next - 1;
            return Err(LedgerError::OutOfOrder { first: range.first, stored_through });
        }
        self.marks.skip(source, range.last);
        let range = SequenceRange { first: next, last: range.last };
        self.put(Entry::Gap { received_at: now, source, range, reason, counts })
    }

    fn put(&mut self, entry: Entry) -> Result<(), LedgerError> {
        self.journal.append(&[&entry.encode()]).map(|_| ()).map_err(disk)
    }

    fn set_aside(
        &mut self,
        now: WallTime,
        source: Source,
        sequence: u64,
        what: (Bytes, &str),
    ) -> Result<(), LedgerError> {
        let record = quarantined(now, source, sequence, what);
        self.quarantine.append(&[&record]).map(|_| ()).map_err(disk)
    }

    /// Removes segments that ended before `time` and that the pipeline has read.
    fn retain(&mut self, time: WallTime, read: u64) -> Result<(), JournalError> {
        while let [oldest, behind, ..] = self.journal.index().segments().as_slice() {
            if behind.created_at >= time || behind.first > read {
                break;
            }
            let first = oldest.first;
            if self.journal.remove_oldest()?.is_none_or(|(removed, _)| removed != first) {
                break;
            }
        }
        Ok(())
    }
}

fn disk(error: JournalError) -> LedgerError {
    LedgerError::Disk(Arc::new(error))
}
