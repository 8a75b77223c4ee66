//! Observations on their way to the spool: what the disk will not take now waits in memory, bounded.

use bytes::Bytes;
use mailsonde_proto::convert::{observation_from_bytes, observation_to_bytes};
use mailsonde_proto::journal::JournalError;
use mailsonde_proto::phase::name;
use mailsonde_proto::{Observation, Verdict, VoidReason};
use tracing::{info, warn};

use super::{Books, in_full, void_of};
use crate::outbox::record::{ClosedRecord, Mark};
use crate::outbox::{Intent, Told};

/// Observations that wait in memory for the disk, at most.
const MOST_HELD: usize = 4_096;
/// Bytes that they take, at most; beyond, the oldest are cut down to their verdict.
const MOST_HELD_BYTES: usize = 4 << 20;
/// An observation on its way to the spool.
pub(in crate::outbox) struct Entry {
    pub(in crate::outbox) bytes: Bytes,
    /// 0: of no run of its own.
    pub(in crate::outbox) intent: u64,
    pub(in crate::outbox) told: Option<Told>,
    /// See [`ClosedRecord::was_seen`].
    pub(in crate::outbox) was_seen: bool,
}

impl Entry {
    pub(in crate::outbox) fn new(observation: &Observation) -> Self {
        let bytes = observation_to_bytes(observation);
        let was_seen = was_seen(observation);
        Self { bytes, intent: observation.intent, told: None, was_seen }
    }
}

/// Whether a run saw its message arrive, or passed: then a message of it that is found later is no news.
pub(in crate::outbox) fn was_seen(observation: &Observation) -> bool {
    observation.verdict == Verdict::Pass
        || observation.phases.iter().any(|phase| phase.name == name::ARRIVAL)
}

impl Books {
    /// Puts observations on disk; what the disk will not take is held in memory, in order.
    pub(in crate::outbox) fn spool(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.held_bytes += entry.bytes.len();
            self.held.push_back(entry);
        }
        if self.held.is_empty() {
            return;
        }
        match self.write_spool() {
            Ok(()) if self.disk_is_full => {
                self.disk_is_full = false;
                info!(forgotten = self.dropped, "outbox: the disk takes observations again");
                self.dropped = 0;
            }
            Ok(()) => {}
            Err(error) => {
                if !self.disk_is_full {
                    warn!(error = %in_full(&error), "outbox: observations wait in memory for the disk");
                }
                self.disk_is_full = true;
                self.bound_held();
            }
        }
        self.keep_limits();
    }

    fn write_spool(&mut self) -> Result<(), JournalError> {
        let epochs = self.state.epochs_note();
        while !self.held.is_empty() {
            self.roll_spool_when_due(&epochs)?;
            let mut sequences = Vec::new();
            for entry in &self.held {
                if !sequences.is_empty() && self.spool.wants_roll() {
                    break;
                }
                sequences.push(self.spool.append(&[&entry.bytes])?);
            }
            self.spool.commit()?;
            for through in sequences {
                let Some(entry) = self.held.pop_front() else { break };
                self.held_bytes = self.held_bytes.saturating_sub(entry.bytes.len());
                let closed =
                    ClosedRecord { intent: entry.intent, through, was_seen: entry.was_seen };
                self.state.apply(0, Mark::Closed(closed));
                self.marks.push(Mark::Closed(closed));
                if let Some(told) = entry.told {
                    self.state.tell(told);
                    self.marks.push(Mark::Told(told.into()));
                }
            }
        }
        Ok(())
    }

    fn roll_spool_when_due(&mut self, epochs: &[u8]) -> Result<(), JournalError> {
        let now = self.clock.wall();
        let newest = self.spool.index().segments().last().map(|segment| segment.created_at);
        // So that age is known to a seventh of its limit, however slowly a segment fills.
        let is_old = newest.is_some_and(|at| now.since(at) > self.limits.spool_age / 7);
        if self.spool.wants_roll() || is_old {
            self.spool.roll(epochs, now)?;
        }
        Ok(())
    }

    /// Memory has limits too: first the oldest lose everything but their verdict, then they go. A run
    /// that is forgotten so stays open in the ledger and is `void(interrupted)` at the next start.
    fn bound_held(&mut self) {
        for entry in &mut self.held {
            if self.held_bytes <= MOST_HELD_BYTES {
                break;
            }
            let Ok(mut observation) = observation_from_bytes(&entry.bytes) else { continue };
            observation.phases.clear();
            observation.facts.clear();
            observation.findings.clear();
            observation.transcript.clear();
            let bytes = observation_to_bytes(&observation);
            self.held_bytes = (self.held_bytes + bytes.len()).saturating_sub(entry.bytes.len());
            entry.bytes = bytes;
        }
        while self.held.len() > MOST_HELD {
            if let Some(entry) = self.held.pop_front() {
                self.held_bytes = self.held_bytes.saturating_sub(entry.bytes.len());
                self.dropped += 1;
            }
        }
    }

    /// The slot of an intent that could not be written.
    pub(in crate::outbox) fn hold_void(&mut self, intent: &Intent, error: &JournalError) {
        let detail = format!("the intent could not be written: {}", in_full(error));
        let observation = void_of(0, intent, VoidReason::LocalDisk, detail);
        let entry = Entry::new(&observation);
        self.held_bytes += entry.bytes.len();
        self.held.push_back(entry);
        self.bound_held();
    }
}
