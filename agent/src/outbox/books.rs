//! Both journals and what they add up to: everything that the keeper does, without any waiting.
//!
//! Order is what keeps the invariants: the spool is flushed before its closing goes to the ledger, and
//! the ledger is flushed before a segment of the spool is removed. A closing alone is written with
//! whatever comes next; a start finds the runs of the last few records in the spool itself.

mod hold;
mod trim;

use std::collections::VecDeque;
use std::sync::Arc;

use mailsonde_proto::convert::SequenceRange;
use mailsonde_proto::journal::{Follower, Journal, JournalError, Next};
use mailsonde_proto::{Clock, Epoch, Observation, RunId, Verdict, VoidReason, WallTime};
use prost::Message;
use tracing::{info, warn};

use super::folder::Folder;
use super::record::{IntentRecord, Mark, Record};
use super::state::{Span, State};
use super::{Intent, Limits, OutboxError, Progress, Told};
use crate::probe::Amendment;

pub(super) use hold::{Entry, was_seen};
pub(super) use trim::segment_bytes;

/// Closings that wait for the next write of the ledger before they are written for themselves.
pub(super) const MANY_MARKS: usize = 256;
/// Records of the ledger from a run's intent to its closing, at most; beyond, it is taken for open.
const MOST_BETWEEN: usize = 20_000;
/// Epochs that may wait one behind another; more would mean a collector that disputes for sport.
const MOST_EPOCHS: usize = 16;

/// The outbox's two journals.
pub(super) struct Books {
    pub(super) folder: Folder,
    pub(super) ledger: Journal,
    pub(super) spool: Journal,
    pub(super) state: State,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    /// Records for the ledger that are true already and on disk elsewhere.
    pub(super) marks: Vec<Mark>,
    /// Whether the ledger does not know all that the collector has answered.
    pub(super) settled_is_new: bool,
    pub(super) held: VecDeque<Entry>,
    held_bytes: usize,
    /// Observations of runs that had to be forgotten while the disk was full.
    dropped: u64,
    disk_is_full: bool,
}

impl Books {
    pub(super) fn new(
        folder: Folder,
        (ledger, spool): (Journal, Journal),
        state: State,
        limits: Limits,
        clock: Clock,
    ) -> Self {
        Self {
            folder,
            ledger,
            spool,
            state,
            limits,
            clock,
            marks: Vec::new(),
            settled_is_new: false,
            held: VecDeque::new(),
            held_bytes: 0,
            dropped: 0,
            disk_is_full: false,
        }
    }

    /// Writes what waits and these intents to the ledger, and flushes it. Returns their numbers.
    pub(super) fn write_ledger(&mut self, intents: &[Intent]) -> Result<Vec<u64>, JournalError> {
        let now = self.clock.wall();
        if self.ledger.wants_roll() {
            self.ledger.roll(&self.state.to_note(), now)?;
        }
        for mark in &self.marks {
            append(&mut self.ledger, mark.clone())?;
        }
        if self.settled_is_new {
            append(&mut self.ledger, Mark::Settled(self.state.settled_record()))?;
        }
        let epoch = self.state.epoch();
        let mut records = Vec::with_capacity(intents.len());
        for intent in intents {
            let mark = Mark::Intent(IntentRecord::new(epoch, 0, intent));
            records.push((append(&mut self.ledger, mark.clone())?, mark));
        }
        self.ledger.commit()?;
        self.marks.clear();
        self.settled_is_new = false;
        let numbers = records.iter().map(|(number, _)| *number).collect();
        for (number, mark) in records {
            self.state.apply(number, mark);
        }
        self.trim_ledger(now);
        Ok(numbers)
    }

    /// Whether the ledger should be written although nobody waits for it.
    pub(super) fn wants_ledger(&self) -> bool {
        !self.marks.is_empty() || self.settled_is_new
    }

    fn trim_ledger(&mut self, now: WallTime) {
        loop {
            let segments = self.ledger.index().segments();
            let old = segments
                .get(1)
                .is_some_and(|behind| now.since(behind.created_at) > self.limits.ledger_age);
            let large = self.ledger.index().bytes() > self.limits.ledger_bytes;
            if !(old || large) || !matches!(self.ledger.remove_oldest(), Ok(Some(_))) {
                return;
            }
        }
    }

    /// The observation of an amendment; `None` when it was told, or the run is none of ours.
    pub(super) fn amendment(&mut self, amendment: Amendment) -> Option<Entry> {
        let told = Told::of(&amendment);
        let in_held = self.held.iter().any(|entry| entry.told == Some(told));
        if in_held || self.state.was_told(told) {
            return None;
        }
        let Some(intent) = self.intent(amendment.run) else {
            info!(
                run = amendment.run.intent,
                "outbox: a message of a run that is not known any more"
            );
            return None;
        };
        if amendment.is_found && self.is_old_news(amendment.run) {
            return None;
        }
        let now = self.clock.wall();
        let observation = Observation {
            started_at: now,
            amends: Some(amendment.run),
            verdict: Verdict::Fail(amendment.fault),
            phases: amendment.phases,
            facts: amendment.facts,
            ..void_of(0, &intent, VoidReason::Unknown, String::new())
        };
        Some(Entry { told: Some(told), ..Entry::new(&observation) })
    }

    /// Whether a message of this run was seen before, so that finding it says nothing: the run saw it
    /// arrive, or was amended.
    fn is_old_news(&mut self, run: RunId) -> bool {
        if self.state.was_amended(run) {
            return true;
        }
        let closes = |mark: &Mark| match mark {
            Mark::Closed(closed) if closed.intent == run.intent => Some(closed.was_seen),
            _ => None,
        };
        if let Some(was_seen) = self.marks.iter().find_map(closes) {
            return was_seen;
        }
        let held = self.held.iter().find(|entry| entry.intent == run.intent);
        if let Some(entry) = held {
            return entry.was_seen;
        }
        let mut reader = self.ledger.follow(run.intent);
        for _ in 0..MOST_BETWEEN {
            let mark = match reader.read() {
                Ok(Next::Record { record, .. }) => Record::decode(record).ok().and_then(|r| r.mark),
                Ok(Next::Gap { .. }) => None,
                Ok(Next::CaughtUp) | Err(_) => return false,
            };
            if let Some(was_seen) = mark.as_ref().and_then(closes) {
                return was_seen;
            }
        }
        false
    }

    /// Looks an intent up where it is written: open ones are few, closed ones are not kept in memory.
    fn intent(&mut self, run: RunId) -> Option<Intent> {
        let oldest = self.ledger.index().oldest();
        if run.intent < oldest {
            return None;
        }
        let Ok(Next::Record { sequence, record }) = self.ledger.follow(run.intent).read() else {
            return None;
        };
        let Some(Mark::Intent(intent)) = Record::decode(record).ok()?.mark else { return None };
        (sequence == run.intent && intent.epoch() == run.epoch).then(|| intent.intent())
    }

    /// Begins another epoch behind everything spooled, when `disputed` is the current one; says whether
    /// it did.
    pub(super) fn dispute(&mut self, disputed: Epoch) -> bool {
        if self.state.epoch() != disputed || self.state.epochs.len() >= MOST_EPOCHS {
            return false;
        }
        if let Err(error) = self.begin_epoch() {
            warn!(error = %in_full(&error), "outbox: a new epoch is wanted and cannot be written");
            return false;
        }
        let epoch = self.state.epoch();
        warn!(%disputed, %epoch, "outbox: the collector knows more than this outbox; a new epoch begins");
        true
    }

    /// Begins a new epoch behind everything spooled.
    pub(super) fn begin_epoch(&mut self) -> Result<(), OutboxError> {
        let base = self.spool.next_sequence().saturating_sub(1);
        let span = Span { epoch: Epoch::random(), base };
        // First: a file that does not agree with the ledger makes the next start begin another.
        self.folder.write_epoch(span.epoch)?;
        self.state.begin_epoch(span);
        self.marks.push(Mark::Epoch(span.into()));
        self.write_ledger(&[])?;
        self.spool.roll(&self.state.epochs_note(), self.clock.wall())?;
        Ok(())
    }

    /// Where the outbox stands.
    pub(super) fn progress(&self) -> Progress {
        let next = self.spool.index().next();
        let front = self.state.epochs.first().copied().unwrap_or(Span { epoch: Epoch(0), base: 0 });
        let behind = self.state.epochs.get(1);
        Progress {
            epoch: front.epoch,
            base: front.base,
            end: behind.map_or(next, |span| span.base.saturating_add(1)),
            is_disputed: behind.is_some(),
            settled: self.state.settled,
            tombstones: Arc::new(self.state.tombstones.clone()),
            spooled_bytes: self.spool.index().bytes(),
            accounts: self.state.accounts(next),
        }
    }

    pub(super) fn acknowledge(&mut self, through: u64) {
        self.state.acknowledge(through.min(self.last()));
        self.settled_is_new = true;
    }

    pub(super) fn reject(&mut self, ranges: &[SequenceRange]) {
        let last = self.last();
        for range in ranges.iter().filter(|range| range.first <= last) {
            self.state.reject(SequenceRange { first: range.first, last: range.last.min(last) });
        }
        self.settled_is_new = true;
    }

    fn last(&self) -> u64 {
        self.spool.index().next().saturating_sub(1)
    }

    pub(super) fn follow(&self, from: u64) -> Follower {
        self.spool.follow(from)
    }
}

pub(super) fn append(ledger: &mut Journal, mark: Mark) -> Result<u64, JournalError> {
    ledger.append(&[&Record { mark: Some(mark) }.encode_to_vec()])
}

/// The void observation of an intent.
pub(super) fn void_of(
    number: u64,
    intent: &Intent,
    reason: VoidReason,
    detail: String,
) -> Observation {
    Observation {
        intent: number,
        check: intent.check.clone(),
        kind: intent.kind.clone(),
        scheduled_for: intent.scheduled_for,
        started_at: intent.written_at,
        clock_error_us: None,
        cause: intent.cause,
        settings_digest: intent.settings_digest,
        amends: None,
        verdict: Verdict::void(reason, detail),
        total_us: 0,
        phases: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}

/// An error with what caused it.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
