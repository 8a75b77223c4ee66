//! The course of one check at one vantage point over a time: how many runs ended how, and how long those took that passed.
//!
//! A time is cut into steps of whole buckets: minutes as long as they are kept and the time is short, else hours, else
//! days. Percentiles of a step come from its merged sketch (within 1 %). A step of which nothing is known is there, and
//! empty: a gap is a gap.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use serde::{Deserialize, Serialize};

use super::{Query, QueryError};
use crate::judge::rollup::Cell;
use crate::judge::sketch::{P50, P95};
use crate::period::Resolution;
use crate::series::{PhaseId, SeriesId};

/// Steps of a course at most.
pub const MOST_STEPS: u64 = 120;
/// The 99th percentile, in thousandths.
const P99: u32 = 990;
/// A minute is kept for so long at least.
const MINUTES: Duration = Duration::from_secs(8 * 86_400);
/// Of a longer time hours are told, as long as those are kept.
const HOURS: Duration = Duration::from_secs(370 * 86_400);
/// The upper bounds of the classes of a heat map, in microseconds: 1, 2, 5 times powers of ten.
pub const CLASSES_US: [i64; 18] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    i64::MAX,
];

/// A course.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CourseAnswer {
    /// The begin of the first step.
    pub from: Timestamp,
    /// How long a step is, in seconds.
    pub step_s: u64,
    /// From the first to the last; of one without runs all is zero.
    pub steps: Vec<StepAnswer>,
    /// All of it.
    pub total: StepAnswer,
}

/// One step of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAnswer {
    /// Scheduled runs that passed.
    pub pass: u64,
    /// Scheduled runs that failed.
    pub fail: u64,
    /// Scheduled runs that could not be judged.
    pub void: u64,
    /// Half of those that passed took no longer, in microseconds.
    pub p50_us: Option<i64>,
    /// 95 of 100 took no longer, in microseconds.
    pub p95_us: Option<i64>,
    /// 99 of 100 took no longer, in microseconds.
    pub p99_us: Option<i64>,
    /// How many of those that passed fall into each class of [`CLASSES_US`]; empty where none passed.
    pub classes: Vec<u64>,
}

impl StepAnswer {
    fn of(cell: &Cell) -> Self {
        let latency = &cell.latency;
        let mut before = 0;
        let counts = CLASSES_US.iter().map(|bound| {
            let to = latency.count_to(bound.saturating_sub(1));
            to.saturating_sub(std::mem::replace(&mut before, to))
        });
        let classes: Vec<u64> = counts.collect();
        Self {
            pass: cell.counts.pass,
            fail: cell.counts.fail,
            void: cell.counts.void,
            p50_us: latency.at(P50),
            p95_us: latency.at(P95),
            p99_us: latency.at(P99),
            classes: if latency.is_empty() { Vec::new() } else { classes },
        }
    }

    /// Whether anything ran.
    pub fn is_empty(&self) -> bool {
        self.pass == 0 && self.fail == 0 && self.void == 0
    }
}

/// Of which buckets, and how many of them make a step.
fn steps(now: WallTime, range: &Range<WallTime>) -> (Resolution, u64) {
    let length = range.end.since(range.start);
    let (resolution, bucket_s): (_, u64) =
        if now.since(range.start) <= MINUTES && length <= MINUTES / 4 {
            (Resolution::Minute, 60)
        } else if now.since(range.start) <= HOURS && length <= HOURS / 4 {
            (Resolution::Hour, 3_600)
        } else {
            (Resolution::Day, 86_400)
        };
    let buckets = length.as_secs().div_ceil(bucket_s).max(1);
    // round numbers of buckets, so that steps begin at round times
    let rounds = [1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 240, 480, 1_440];
    let fits = rounds.into_iter().find(|each| buckets.div_ceil(*each) <= MOST_STEPS);
    (resolution, bucket_s.saturating_mul(fits.unwrap_or(buckets)))
}

impl Query {
    /// The course of a check at a vantage point, by its name.
    ///
    /// # Errors
    /// When there is no such vantage point or check, or the views cannot be read.
    pub fn course(
        &self,
        (check, agent): (&str, &str),
        range: Range<Timestamp>,
    ) -> Result<CourseAnswer, QueryError> {
        let series = self.series_of(check, agent)?;
        let reader = self.views.reader();
        let now = self.clock.wall();
        let range = WallTime::from(range.start)..WallTime::from(range.end);
        let (resolution, step_s) = steps(now, &range);
        let step_ns = i64::try_from(step_s.saturating_mul(1_000_000_000)).unwrap_or(i64::MAX);
        let first = range.start.as_ns().div_euclid(step_ns);
        let begin = WallTime::from_ns(first.saturating_mul(step_ns));
        let cells = reader.cells((series, PhaseId::TOTAL), resolution, &(begin..range.end))?;
        let mut steps: BTreeMap<i64, Cell> = BTreeMap::new();
        let mut total = Cell::default();
        for (at, cell) in &cells {
            let step = at.as_ns().div_euclid(step_ns).saturating_sub(first);
            steps.entry(step).or_default().merge(cell);
            total.merge(cell);
        }
        let count = range.end.as_ns().saturating_sub(begin.as_ns()).div_euclid(step_ns);
        let each = (0..=count).map(|step| steps.get(&step).map(StepAnswer::of).unwrap_or_default());
        Ok(CourseAnswer {
            from: begin.timestamp(),
            step_s,
            steps: each.collect(),
            total: StepAnswer::of(&total),
        })
    }

    /// What a check at a vantage point is called, both by name.
    ///
    /// # Errors
    /// When there is no such vantage point or check.
    pub(super) fn series_of(&self, check: &str, agent: &str) -> Result<SeriesId, QueryError> {
        let agents = self.registry.agents();
        let found = agents.into_iter().find(|(it, _)| it.name.eq_ignore_ascii_case(agent));
        let unknown = |what, name: &str| QueryError::Unknown { what, name: name.to_owned() };
        let (enrolled, entry) = found.ok_or_else(|| unknown("agent", agent))?;
        if !entry.checks.iter().any(|known| known.name == check) {
            return Err(unknown("check", check));
        }
        Ok(SeriesId::of(enrolled.agent, check))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        let now = WallTime::from_s(1_800_000_000);
        let day = Duration::from_secs(86_400);
        for (length_s, step_s) in [
            (3_600, 60),
            (6 * 3_600, 180),
            (86_400, 900),
            (7 * 86_400, 7_200),
            (30 * 86_400, 10 * 3_600),
            (365 * 86_400, 5 * 86_400),
        ] {
            let range = now.minus(Duration::from_secs(length_s))..now;
            assert_eq!(steps(now, &range).1, step_s, "{length_s}");
        }
        // minutes of long ago are not kept
        let old = now.minus(day * 30)..now.minus(day * 30).plus(Duration::from_secs(3_600));
        assert_eq!(steps(now, &old), (Resolution::Hour, 3_600));
    }
}
