//! What runs came to since this process began, counted one by one: for whoever scrapes.
//!
//! Invariants: a figure never goes back while the process lives, and an observation counts once, also where the
//! pipeline reads it again; whoever scrapes is told since when is counted. Only what counts in service level
//! indicators does here, of what was received since the process began. Bounded: further series than [`MOST`] are left
//! out, and how many runs that were is told. Absent on purpose: anything that outlives the process, which views know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailsonde_proto::{AgentId, Observation, Verdict, WallTime};

use crate::series::SeriesId;

/// Series that are counted.
const MOST: usize = 20_000;
/// Upper bounds of a histogram's buckets, in microseconds; what took longer is in the sum alone.
pub(crate) const BOUNDS_US: [u64; 12] = [
    10_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// The runs of one check at one vantage point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) void: u64,
    /// How long those that passed took, all together, in microseconds.
    pub(crate) sum_us: u64,
    /// How many of them took no longer than each of [`BOUNDS_US`].
    pub(crate) within: [u64; BOUNDS_US.len()],
}

impl Counted {
    fn count(&mut self, observation: &Observation) {
        let count = match &observation.verdict {
            Verdict::Pass => &mut self.passed,
            Verdict::Fail(_) => &mut self.failed,
            Verdict::Void { .. } => &mut self.void,
        };
        *count = count.saturating_add(1);
        if observation.verdict != Verdict::Pass {
            return;
        }
        self.sum_us = self.sum_us.saturating_add(observation.total_us);
        for (within, bound_us) in self.within.iter_mut().zip(BOUNDS_US) {
            *within = within.saturating_add(u64::from(observation.total_us <= bound_us));
        }
    }

    /// Takes in another series of the same check.
    pub(crate) fn merge(&mut self, other: &Self) {
        let Self { passed, failed, void, sum_us, within } = other;
        for (own, theirs) in [
            (&mut self.passed, passed),
            (&mut self.failed, failed),
            (&mut self.void, void),
            (&mut self.sum_us, sum_us),
        ] {
            *own = own.saturating_add(*theirs);
        }
        for (own, theirs) in self.within.iter_mut().zip(within) {
            *own = own.saturating_add(*theirs);
        }
    }
}

/// Counts runs; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tally(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    since: WallTime,
    /// Records of the ledger before this are counted.
    counted_to: u64,
    series: HashMap<SeriesId, Counted>,
    left_out: u64,
}

impl Tally {
    /// Counts what is received from now on.
    pub fn new(now: WallTime) -> Self {
        let (series, left_out) = (HashMap::new(), 0);
        Self(Arc::new(Mutex::new(Inner { since: now, counted_to: 0, series, left_out })))
    }

    /// One run of the ledger's record `sequence`. Records come in order, or again.
    pub(crate) fn count(
        &self,
        sequence: u64,
        received_at: WallTime,
        agent: AgentId,
        observation: &Observation,
    ) {
        let mut inner = self.lock();
        if received_at < inner.since || sequence < inner.counted_to || !observation.counts() {
            return;
        }
        let series = SeriesId::of(agent, &observation.check);
        let has_room = inner.series.len() < MOST || inner.series.contains_key(&series);
        if has_room {
            inner.series.entry(series).or_default().count(observation);
        } else {
            inner.left_out = inner.left_out.saturating_add(1);
        }
    }

    /// Every record of the ledger before `next` was given to [`Tally::count`].
    pub(crate) fn counted_to(&self, next: u64) {
        let mut inner = self.lock();
        inner.counted_to = inner.counted_to.max(next);
    }

    /// Since when is counted, everything that was, and how many runs were left out.
    pub(crate) fn read(&self) -> (WallTime, HashMap<SeriesId, Counted>, u64) {
        let inner = self.lock();
        (inner.since, inner.series.clone(), inner.left_out)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::status::samples::{NOW, refused, run};

    #[test]
    fn what_is_read_again_counts_once_and_what_came_before_does_not() {
        let (tally, agent) = (Tally::new(NOW), AgentId([1; 16]));
        let before = NOW.minus(std::time::Duration::from_secs(1));
        let (pass, fail) = (run(1, Verdict::Pass), run(2, refused()));
        tally.count(4, before, agent, &pass);
        tally.counted_to(5);
        for _ in 0..2 {
            tally.count(5, NOW, agent, &pass);
            tally.count(5, NOW, agent, &fail);
            tally.counted_to(6);
        }
        let (since, series, left_out) = tally.read();
        let counted = &series[&SeriesId::of(agent, &pass.check)];
        assert_eq!((since, left_out, counted.passed, counted.failed), (NOW, 0, 1, 1));
        assert_eq!(counted.sum_us, pass.total_us);
        assert_eq!(counted.within, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "{}", pass.total_us);
    }
}
