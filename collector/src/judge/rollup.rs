//! What is counted in one bucket: verdicts, and how long it took.
//!
//! A missed slot is not counted here. It is derived where figures are read, from the checks' definitions
//! and these counts (`availability`): so an observation that comes late corrects it by coming.

use mailsonde_proto::{FaultClass, Verdict, VoidReason};

use crate::judge::sketch::Sketch;
use crate::series::PhaseId;

/// What is known of one check, vantage point and phase in one bucket.
///
/// A phase's own cells have a latency only; the counts are those of the run as a whole and stand with
/// [`PhaseId::TOTAL`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cell {
    /// How the runs ended.
    pub counts: Counts,
    /// How long scheduled runs that passed took: a run that fails or gives up says nothing about how
    /// long a working server takes.
    pub latency: Sketch,
    /// Round trips that passed and took no longer, by the limit in microseconds they were counted against.
    pub within: Tally<u64>,
    /// Round trips that passed and took longer, by limit. Where both together are fewer than passed, the limit was
    /// not known when the others were counted.
    pub beyond: Tally<u64>,
}

impl Cell {
    /// Takes in what another cell counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.latency.merge(&other.latency);
        self.within.merge(&other.within);
        self.beyond.merge(&other.beyond);
    }
}

impl Cell {
    /// Counts a round trip that passed against limits, in microseconds.
    pub fn count_against(&mut self, limits_us: &[u64], total_us: u64) {
        for limit_us in limits_us {
            let tally = if total_us <= *limit_us { &mut self.within } else { &mut self.beyond };
            tally.add(*limit_us, 1);
        }
    }
}

/// How runs ended. Only scheduled runs have a verdict that counts; the others are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Scheduled runs that passed.
    pub pass: u64,
    /// Scheduled runs that failed.
    pub fail: u64,
    /// Scheduled runs that could not be judged.
    pub void: u64,
    /// Runs that were not scheduled: confirmations, runs on demand.
    pub extra: u64,
    /// Observations that tell more about an earlier run.
    pub amended: u64,
    /// Observations whose slot cannot be true (`fold::is_dated`), counted when they were received.
    pub misdated: u64,
    /// The voids by reason.
    pub void_by: Tally<VoidCode>,
    /// The failures by phase and class.
    pub fail_by: Tally<FaultCode>,
}

impl Counts {
    /// Counts the verdict of a scheduled run.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Pass => self.pass = self.pass.saturating_add(1),
            Verdict::Fail(fault) => {
                self.fail = self.fail.saturating_add(1);
                let code =
                    FaultCode { phase: PhaseId::of(&fault.phase), class: class_code(fault.class) };
                self.fail_by.add(code, 1);
            }
            Verdict::Void { reason, .. } => {
                self.void = self.void.saturating_add(1);
                self.void_by.add(VoidCode::of(*reason), 1);
            }
        }
    }

    /// Scheduled runs that were observed, whatever they said.
    pub fn observed(&self) -> u64 {
        self.pass.saturating_add(self.fail).saturating_add(self.void)
    }

    /// Takes in other counts.
    pub fn merge(&mut self, other: &Self) {
        self.pass = self.pass.saturating_add(other.pass);
        self.fail = self.fail.saturating_add(other.fail);
        self.void = self.void.saturating_add(other.void);
        self.extra = self.extra.saturating_add(other.extra);
        self.amended = self.amended.saturating_add(other.amended);
        self.misdated = self.misdated.saturating_add(other.misdated);
        self.void_by.merge(&other.void_by);
        self.fail_by.merge(&other.fail_by);
    }
}

/// A small sorted map from what is counted to how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<K>(Vec<(K, u64)>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord> Tally<K> {
    /// Counts `key` some more times.
    pub fn add(&mut self, key: K, times: u64) {
        match self.0.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => {
                if let Some((_, count)) = self.0.get_mut(at) {
                    *count = count.saturating_add(times);
                }
            }
            Err(at) => self.0.insert(at, (key, times)),
        }
    }

    /// Takes in another tally.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(key, count)| self.add(key, count));
    }

    /// Everything counted, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> + '_ {
        self.0.iter().copied()
    }

    /// How often `key` was counted.
    pub fn of(&self, key: K) -> u64 {
        self.iter().find(|(there, _)| *there == key).map_or(0, |(_, count)| count)
    }
}

/// A void's reason as its number on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoidCode(pub u8);

/// The reasons by number; what a newer collector wrote reads as unknown, and keeps its number.
const REASONS: [VoidReason; 11] = [
    VoidReason::Unknown,
    VoidReason::Interrupted,
    VoidReason::Missed,
    VoidReason::Paused,
    VoidReason::Overrun,
    VoidReason::LocalNetwork,
    VoidReason::LocalClock,
    VoidReason::LocalDisk,
    VoidReason::Policy,
    VoidReason::Internal,
    VoidReason::Peer,
];

impl VoidCode {
    /// The number of a reason.
    pub fn of(reason: VoidReason) -> Self {
        let at = REASONS.iter().position(|there| *there == reason);
        Self(at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0))
    }

    /// The reason of a number.
    pub fn reason(self) -> VoidReason {
        REASONS.get(usize::from(self.0)).copied().unwrap_or(VoidReason::Unknown)
    }
}

/// A fault's phase and class as numbers on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultCode {
    /// Where it happened.
    pub phase: PhaseId,
    /// The class's number; see [`FaultCode::fault_class`].
    pub class: u8,
}

const CLASSES: [FaultClass; 7] = [
    FaultClass::Unknown,
    FaultClass::Temporary,
    FaultClass::Permanent,
    FaultClass::Timeout,
    FaultClass::Refused,
    FaultClass::Protocol,
    FaultClass::Mismatch,
];

impl FaultCode {
    /// What kind of failure it was.
    pub fn fault_class(self) -> FaultClass {
        class_of(self.class)
    }
}

/// The class of a number on disk.
pub(crate) fn class_of(code: u8) -> FaultClass {
    CLASSES.get(usize::from(code)).copied().unwrap_or(FaultClass::Unknown)
}

/// The number of a class on disk.
pub(crate) fn class_code(class: FaultClass) -> u8 {
    let at = CLASSES.iter().position(|there| *there == class);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Fault;

    use super::*;

    #[test]
    fn verdicts_are_counted_with_their_reasons() {
        let mut counts = Counts::default();
        counts.add(&Verdict::Pass);
        counts.add(&Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "refused")));
        counts.add(&Verdict::void(VoidReason::LocalClock, ""));
        assert_eq!((counts.pass, counts.fail, counts.void, counts.observed()), (1, 1, 1, 3));
        assert_eq!(counts.void_by.of(VoidCode::of(VoidReason::LocalClock)), 1);
        let (code, times) = counts.fail_by.iter().next().unwrap();
        assert_eq!(
            (code.phase, code.fault_class(), times),
            (PhaseId::of("auth"), FaultClass::Permanent, 1)
        );
    }

    #[test]
    fn numbers_on_disk_and_back() {
        for reason in REASONS {
            assert_eq!(VoidCode::of(reason).reason(), reason);
        }
        for class in CLASSES {
            assert_eq!(
                FaultCode { phase: PhaseId::TOTAL, class: class_code(class) }.fault_class(),
                class
            );
        }
        assert_eq!(VoidCode(200).reason(), VoidReason::Unknown);
    }
}
