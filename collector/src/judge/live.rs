//! How one series is doing now: its last verdict, failing since when, how many in a row.
//!
//! Everything goes by the slot a run was for, not by when it was heard of. The newest [`WINDOW`] runs are
//! kept one by one, so their order of arrival does not matter; what is older is kept as a summary, and a
//! run that comes in later than that many others is taken into the summary as it comes.

use mailsonde_proto::{Fault, Observation, Verdict, VoidReason, WallTime};
use prost::Message;

use crate::judge::rollup::{VoidCode, class_code, class_of};

/// How many of the newest runs are kept one by one.
pub const WINDOW: usize = 64;

/// How much of a server's reply, and of our own explanation, a state keeps, in bytes.
const TEXT_MAX: usize = 256;

/// The state of one series.
#[derive(Clone, PartialEq, Message)]
pub struct SeriesState {
    /// The newest scheduled runs, by slot.
    #[prost(message, repeated, tag = "1")]
    recent: Vec<Outcome>,
    /// What came before them.
    #[prost(message, required, tag = "2")]
    older: Summary,
    #[prost(message, optional, tag = "3")]
    last_fault: Option<FaultRecord>,
    #[prost(message, optional, tag = "4")]
    last_void: Option<VoidRecord>,
}

/// How one scheduled run ended.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Outcome {
    /// The slot, in microseconds since 1970.
    #[prost(sfixed64, tag = "1")]
    slot_us: i64,
    /// [`PASS`], [`FAIL`] or [`VOID`].
    #[prost(uint32, tag = "2")]
    ended: u32,
    /// How long the run took, in microseconds.
    #[prost(uint64, tag = "3")]
    total_us: u64,
}

const VOID: u32 = 0;
const FAIL: u32 = 1;
const PASS: u32 = 2;

impl Outcome {
    /// The slot the run was for.
    pub fn slot(&self) -> WallTime {
        WallTime::from_ns(self.slot_us.saturating_mul(1_000))
    }

    /// How long the run took, in microseconds.
    pub fn total_us(&self) -> u64 {
        self.total_us
    }

    /// Its word: `pass`, `fail` or `void`.
    pub fn verdict(&self) -> &'static str {
        match self.ended {
            PASS => "pass",
            FAIL => "fail",
            _ => "void",
        }
    }

    fn order(&self) -> (i64, u32, u64) {
        (self.slot_us, self.ended, self.total_us)
    }
}

/// What a stretch of runs, one after another, comes down to.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Summary {
    #[prost(message, optional, tag = "1")]
    last: Option<Outcome>,
    #[prost(message, optional, tag = "2")]
    last_pass: Option<Outcome>,
    /// The first failure after the last pass, in microseconds since 1970.
    #[prost(sfixed64, optional, tag = "3")]
    failing_since_us: Option<i64>,
    /// Failures after the last pass.
    #[prost(uint64, tag = "4")]
    failures: u64,
}

impl Summary {
    fn push(&mut self, outcome: Outcome) {
        let newest = |there: Option<Outcome>| match there {
            Some(there) if there.order() > outcome.order() => Some(there),
            _ => Some(outcome),
        };
        self.last = newest(self.last);
        let after_pass = self.last_pass.is_none_or(|pass| pass.slot_us <= outcome.slot_us);
        match outcome.ended {
            PASS => {
                self.last_pass = newest(self.last_pass);
                // A pass that comes too late ends the failures before it only if there are none after.
                if self.last == Some(outcome) {
                    self.failing_since_us = None;
                    self.failures = 0;
                }
            }
            FAIL if after_pass => {
                let since = self.failing_since_us.unwrap_or(outcome.slot_us);
                self.failing_since_us = Some(since.min(outcome.slot_us));
                self.failures = self.failures.saturating_add(1);
            }
            _ => {}
        }
    }

    /// This stretch and then `next`.
    fn then(self, next: Self) -> Self {
        let failures_before = if next.last_pass.is_some() { 0 } else { self.failures };
        let since_before = if next.last_pass.is_some() { None } else { self.failing_since_us };
        Self {
            last: next.last.or(self.last),
            last_pass: next.last_pass.or(self.last_pass),
            failing_since_us: since_before.or(next.failing_since_us),
            failures: failures_before.saturating_add(next.failures),
        }
    }

    fn until_us(&self) -> Option<i64> {
        self.last.map(|last| last.slot_us)
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
struct FaultRecord {
    #[prost(sfixed64, tag = "1")]
    slot_us: i64,
    #[prost(string, tag = "2")]
    phase: String,
    #[prost(uint32, tag = "3")]
    class: u32,
    #[prost(uint32, optional, tag = "4")]
    basic_code: Option<u32>,
    #[prost(string, tag = "5")]
    enhanced_code: String,
    #[prost(string, tag = "6")]
    reply: String,
    #[prost(string, tag = "7")]
    explanation: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
struct VoidRecord {
    #[prost(sfixed64, tag = "1")]
    slot_us: i64,
    #[prost(uint32, tag = "2")]
    reason: u32,
    #[prost(string, tag = "3")]
    detail: String,
}

impl SeriesState {
    /// Takes in a scheduled run.
    pub fn observe(&mut self, observation: &Observation) {
        let slot_us = observation.scheduled_for.as_us();
        let ended = match &observation.verdict {
            Verdict::Pass => PASS,
            Verdict::Fail(_) => FAIL,
            Verdict::Void { .. } => VOID,
        };
        self.insert(Outcome { slot_us, ended, total_us: observation.total_us });
        match &observation.verdict {
            Verdict::Pass => {}
            Verdict::Fail(fault) => {
                if self.last_fault.as_ref().is_none_or(|last| last.slot_us <= slot_us) {
                    newest(&mut self.last_fault, FaultRecord::of(slot_us, fault));
                }
            }
            Verdict::Void { reason, detail } => {
                if self.last_void.as_ref().is_none_or(|last| last.slot_us <= slot_us) {
                    let reason = VoidCode::of(*reason).0.into();
                    let detail = shortened(detail);
                    newest(&mut self.last_void, VoidRecord { slot_us, reason, detail });
                }
            }
        }
    }

    /// Takes in what another state saw of the same series: the same, in any order of arrival, as seeing
    /// all of it here.
    pub fn merge(&mut self, other: &Self) {
        let (first, second) = if self.older.until_us() <= other.older.until_us() {
            (self.older, other.older)
        } else {
            (other.older, self.older)
        };
        let mut recent = std::mem::take(&mut self.recent);
        recent.extend(&other.recent);
        recent.sort_unstable_by_key(Outcome::order);
        // Single runs older than the later summary's end belong between the two summaries.
        let between = recent.partition_point(|run| Some(run.slot_us) <= second.until_us());
        self.older = first;
        recent.drain(..between).for_each(|run| self.older.push(run));
        self.older = self.older.then(second);
        let overflow = recent.len().saturating_sub(WINDOW);
        recent.drain(..overflow).for_each(|run| self.older.push(run));
        self.recent = recent;
        if let Some(fault) = other.last_fault.clone() {
            newest(&mut self.last_fault, fault);
        }
        if let Some(void) = other.last_void.clone() {
            newest(&mut self.last_void, void);
        }
    }

    /// The run of the latest slot.
    pub fn last(&self) -> Option<Outcome> {
        self.recent.last().copied().or(self.older.last)
    }

    /// The latest run that passed.
    pub fn last_pass(&self) -> Option<Outcome> {
        self.summary().last_pass
    }

    /// The slot of the first failure after the last pass, while there is one. A void run in between
    /// neither ends it nor begins it.
    pub fn failing_since(&self) -> Option<WallTime> {
        let since_us = self.summary().failing_since_us?;
        Some(WallTime::from_ns(since_us.saturating_mul(1_000)))
    }

    /// Failures since the last pass.
    pub fn consecutive_failures(&self) -> u64 {
        self.summary().failures
    }

    /// The newest runs, oldest first.
    pub fn recent(&self) -> &[Outcome] {
        &self.recent
    }

    /// The latest failure's slot and fault, its texts shortened.
    pub fn last_fault(&self) -> Option<(WallTime, Fault)> {
        let record = self.last_fault.as_ref()?;
        Some((WallTime::from_ns(record.slot_us.saturating_mul(1_000)), record.fault()))
    }

    /// The latest void run's slot, reason and detail.
    pub fn last_void(&self) -> Option<(WallTime, VoidReason, &str)> {
        let record = self.last_void.as_ref()?;
        let code = VoidCode(u8::try_from(record.reason).unwrap_or(0));
        let slot = WallTime::from_ns(record.slot_us.saturating_mul(1_000));
        Some((slot, code.reason(), &record.detail))
    }

    fn insert(&mut self, outcome: Outcome) {
        let late = Some(outcome.slot_us) <= self.older.until_us();
        if late {
            return self.older.push(outcome);
        }
        let at = self.recent.partition_point(|there| there.order() <= outcome.order());
        self.recent.insert(at, outcome);
        if self.recent.len() > WINDOW {
            let oldest = self.recent.remove(0);
            self.older.push(oldest);
        }
    }

    fn summary(&self) -> Summary {
        let mut all = self.older;
        self.recent.iter().for_each(|run| all.push(*run));
        all
    }
}

impl FaultRecord {
    fn of(slot_us: i64, fault: &Fault) -> Self {
        Self {
            slot_us,
            phase: shortened(&fault.phase),
            class: class_code(fault.class).into(),
            basic_code: fault.basic_code.map(u32::from),
            enhanced_code: fault.enhanced_code.map(|code| code.to_string()).unwrap_or_default(),
            reply: shortened(&fault.reply),
            explanation: shortened(&fault.explanation),
        }
    }

    fn fault(&self) -> Fault {
        let class = class_of(u8::try_from(self.class).unwrap_or(0));
        Fault {
            phase: self.phase.clone(),
            class,
            basic_code: self.basic_code.and_then(|code| u16::try_from(code).ok()),
            enhanced_code: self.enhanced_code.parse().ok(),
            reply: self.reply.clone(),
            explanation: self.explanation.clone(),
        }
    }
}

/// Keeps the greater one: by slot, then by its text, so that no order of arrival matters.
fn newest<T: Ord>(kept: &mut Option<T>, other: T) {
    if kept.as_ref().is_none_or(|kept| *kept < other) {
        *kept = Some(other);
    }
}

fn shortened(text: &str) -> String {
    let end = (0..=TEXT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests;
