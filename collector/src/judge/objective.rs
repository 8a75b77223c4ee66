//! What an indicator comes to over a time: good, bad and unknown, as whole numbers, and what that says of a target.
//!
//! Unknown is never up: what is not known counts in what is valid and makes an interval of the result. A target is
//! reached when it would be were all of it bad, not reached when it would not be were all of it good, and else not
//! proven. Absent on purpose: where minutes and counts are read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chronicle::Stay;
use super::definition::{Definitions, ROUND_TRIP, Share, Sli, Voiced};
use super::rollup::{Cell, FaultCode, Tally};
use super::slots::{MINUTES_OF_DAY, Slots};
use super::window::Stretches;
use crate::series::SeriesId;

/// Round trips are counted exactly against so many thresholds at most, the smallest first.
const THRESHOLDS: usize = 16;
const HOURS_OF_DAY: u32 = 24;
const DAY_NS: i64 = 86_400_000_000_000;

/// What is good, bad and unknown of what counts: minutes or runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallied {
    /// Up, passed, in time.
    pub good: u64,
    /// Down, failed, too slow.
    pub bad: u64,
    /// Nobody knows.
    pub unknown: u64,
}

/// What an interval says of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Even if all that is unknown was bad.
    Met,
    /// Even if all that is unknown was good.
    Missed,
    /// That depends on what is unknown; or nothing was measured.
    NotProven,
}

/// What may be bad, what was, and what is left of it; negative when it is overspent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// So much may be bad in the whole window.
    pub allowed: u64,
    /// So much was, for certain.
    pub spent: u64,
    /// So much more may be, for certain.
    pub left: i64,
}

impl Tallied {
    /// All that counts.
    pub fn all(&self) -> u64 {
        self.good.saturating_add(self.bad).saturating_add(self.unknown)
    }

    /// What this says of a target.
    pub fn reached(&self, target: Share) -> Reached {
        let all = self.all();
        if all == 0 {
            Reached::NotProven
        } else if target.is_reached_by(self.good, all) {
            Reached::Met
        } else if target.is_reached_by(self.good.saturating_add(self.unknown), all) {
            Reached::NotProven
        } else {
            Reached::Missed
        }
    }

    /// The budget of a window in which so much more is still to come.
    pub fn budget(&self, target: Share, to_come: u64) -> Budget {
        let allowed = target.allowance(self.all().saturating_add(to_come));
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Budget { allowed, spent: self.bad, left: signed(allowed).saturating_sub(signed(self.bad)) }
    }

    /// Counts a service's minutes of a UTC day (from 1970-01-01), those that are in `counted`.
    pub fn add_minutes(&mut self, day: u32, slots: &Slots, counted: &Stretches) {
        for (range, state) in minutes_of(day, slots) {
            let count = counted.count_in(&range);
            let place = match state {
                Voiced::Up => &mut self.good,
                Voiced::Down => &mut self.bad,
                Voiced::Unknown => &mut self.unknown,
            };
            *place = place.saturating_add(count);
        }
    }
}

/// A day's stretches in minutes from 1970-01-01 UTC.
pub fn minutes_of(day: u32, slots: &Slots) -> impl Iterator<Item = (Range<u32>, Voiced)> + '_ {
    let midnight = day.saturating_mul(u32::from(MINUTES_OF_DAY));
    slots.iter().map(move |(from, until, state)| {
        (midnight.saturating_add(from.into())..midnight.saturating_add(until.into()), state)
    })
}

/// What scheduled runs came to, by an indicator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Those that passed.
    pub pass: u64,
    /// Those that failed.
    pub fail: u64,
    /// Those that could not be judged.
    pub void: u64,
    /// Those of which nothing came.
    pub missed: u64,
    /// Of those that passed, the ones in time.
    pub within: u64,
    /// Whether all those in time were counted one by one; else some come from a sketch whose values are within 1 %.
    pub is_estimated: bool,
    /// The failures by voice and check, by phase and class.
    pub by: BTreeMap<(String, String), Tally<FaultCode>>,
}

impl Events {
    /// Takes in a bucket of a voice's check; slots of which nothing came are told by [`Events::miss`].
    pub fn add(&mut self, sli: Sli, by: &(String, String), cell: &Cell) {
        let counts = &cell.counts;
        self.pass = self.pass.saturating_add(counts.pass);
        self.fail = self.fail.saturating_add(counts.fail);
        self.void = self.void.saturating_add(counts.void);
        if counts.fail > 0 {
            match self.by.get_mut(by) {
                Some(tally) => tally.merge(&counts.fail_by),
                None => drop(self.by.insert(by.clone(), counts.fail_by.clone())),
            }
        }
        if let Sli::Latency { within_us } = sli {
            let within = cell.within.of(within_us);
            let is_exact = within.saturating_add(cell.beyond.of(within_us)) == counts.pass;
            let estimate = || {
                let limit_us = i64::try_from(within_us).unwrap_or(i64::MAX);
                cell.latency.count_to(limit_us).min(counts.pass)
            };
            self.within = self.within.saturating_add(if is_exact { within } else { estimate() });
            self.is_estimated |= !is_exact;
        }
    }

    /// Counts slots of which nothing came.
    pub fn miss(&mut self, slots: u64) {
        self.missed = self.missed.saturating_add(slots);
    }

    /// What this comes to by an indicator.
    pub fn tallied(&self, sli: Sli) -> Tallied {
        let unknown = self.void.saturating_add(self.missed);
        match sli {
            // a run of which nothing is known may have been a slow one
            Sli::Latency { .. } => {
                Tallied { good: self.within, bad: self.pass.saturating_sub(self.within), unknown }
            }
            _ => Tallied { good: self.pass, bad: self.fail, unknown },
        }
    }
}

/// Whether an indicator counts runs of a kind of check.
pub fn counts_kind(sli: Sli, kind: &str) -> bool {
    match sli {
        Sli::Delivery | Sli::Latency { .. } => kind == ROUND_TRIP,
        Sli::Uptime | Sli::Success => true,
        Sli::Resolution { .. } | Sli::Security => false,
    }
}

/// In which hours (UTC, from 1970-01-01) a series counts, and as whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The whole days of it.
    pub days: Stretches,
    /// The other hours of it.
    pub hours: Stretches,
    /// The minutes of it, of hours of which only a part counts.
    pub minutes: Stretches,
    /// Its voice and its check.
    pub by: (String, String),
}

/// Which series count in which of the hours that are wanted. A series counts in every hour in which it belonged to
/// the service at any time.
pub fn parts(
    stays: &[Stay<'_>],
    sli: Sli,
    (hours, minutes): (&Stretches, &Stretches),
) -> BTreeMap<SeriesId, Part> {
    let mut stayed: BTreeMap<SeriesId, (Vec<_>, &Stay<'_>)> = BTreeMap::new();
    for stay in stays.iter().filter(|stay| counts_kind(sli, &stay.check.kind)) {
        let (times, last) = stayed.entry(stay.series).or_insert_with(|| (Vec::new(), stay));
        times.push(stay.from..stay.until);
        *last = stay;
    }
    let parts = stayed.into_iter().filter_map(|(series, (times, last))| {
        // on a day on which its schedule or its membership changed, slots are told by the hour
        let ends =
            times.iter().flat_map(|time| [time.start, time.end]).filter(|at| !is_midnight(*at));
        let changed = Stretches::of(ends.map(day_of).map(|day| day..day.saturating_add(1)));
        let touched = Stretches::hours_touched(times);
        let (days, hours) = split_days(&touched.and(hours), &changed);
        let minutes = touched.to_minutes().and(minutes);
        let by = (last.voice.to_owned(), last.check.name.clone());
        let is_empty = days.is_empty() && hours.is_empty() && minutes.is_empty();
        (!is_empty).then_some((series, Part { days, hours, minutes, by }))
    });
    parts.collect()
}

fn day_of(at: WallTime) -> u32 {
    u32::try_from(at.as_ns().div_euclid(DAY_NS).max(0)).unwrap_or(u32::MAX)
}

fn is_midnight(at: WallTime) -> bool {
    at.as_ns().rem_euclid(DAY_NS) == 0
}

/// Whole days (in days) that are not among those to be told by the hour, and the hours that are left.
fn split_days(hours: &Stretches, by_hour: &Stretches) -> (Stretches, Stretches) {
    let whole = |range: Range<u32>| range.start.div_ceil(HOURS_OF_DAY)..range.end / HOURS_OF_DAY;
    let days = Stretches::of(hours.iter().map(whole)).without(by_hour);
    let of_days = days.iter().map(|day| day.start * HOURS_OF_DAY..day.end * HOURS_OF_DAY);
    let rest = hours.without(&Stretches::of(of_days));
    (days, rest)
}

/// The limits that round trips are counted against, in microseconds: every one that an objective or agreement names.
pub fn thresholds(definitions: &Definitions) -> Vec<u64> {
    let objectives = definitions.services.iter().flat_map(|service| {
        let objectives = service.objectives.iter().map(|objective| objective.sli);
        objectives.chain(service.agreements.iter().map(|agreement| agreement.sli))
    });
    let limits = objectives.filter_map(|sli| match sli {
        Sli::Latency { within_us } => Some(within_us),
        _ => None,
    });
    limits.collect::<BTreeSet<u64>>().into_iter().take(THRESHOLDS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGET: Share = Share::from_ppm(990_000);

    #[test]
    fn unknown_makes_an_interval_and_the_bounds_decide() {
        for (good, bad, unknown, expected) in [
            (0, 0, 0, Reached::NotProven),
            (990, 10, 0, Reached::Met),
            (989, 11, 0, Reached::Missed),
            (985, 5, 10, Reached::NotProven),
            (990, 0, 10, Reached::Met),
            (980, 11, 9, Reached::Missed),
            (0, 0, 5, Reached::NotProven),
        ] {
            let tallied = Tallied { good, bad, unknown };
            assert_eq!(tallied.reached(TARGET), expected, "{tallied:?}");
        }
    }

    #[test]
    fn a_budget_is_that_of_the_whole_window() {
        let tallied = Tallied { good: 900, bad: 20, unknown: 80 };
        assert_eq!(tallied.budget(TARGET, 0), Budget { allowed: 10, spent: 20, left: -10 });
        assert_eq!(tallied.budget(TARGET, 4_000), Budget { allowed: 50, spent: 20, left: 30 });
    }

    #[test]
    fn what_was_not_counted_against_a_limit_is_estimated_and_says_so() {
        let sli = Sli::Latency { within_us: 1_000_000 };
        let by = ("hq".to_owned(), "mail".to_owned());
        let mut cell = Cell::default();
        cell.counts.pass = 3;
        [100_000, 500_000, 2_000_000].iter().for_each(|us| cell.latency.add(*us));
        let mut events = Events::default();
        events.add(sli, &by, &cell);
        assert_eq!((events.within, events.is_estimated), (2, true));
        cell.within.add(1_000_000, 1);
        cell.beyond.add(1_000_000, 2);
        let mut events = Events::default();
        events.add(sli, &by, &cell);
        events.miss(4);
        assert_eq!((events.within, events.is_estimated), (1, false));
        assert_eq!(events.tallied(sli), Tallied { good: 1, bad: 2, unknown: 4 });
    }

    proptest! {
        /// Of a share of what counts that falls silent, the interval widens by exactly that share.
        #[test]
        fn silence_widens_the_interval_by_what_is_silent(pass in 0..5_000_u64, fail in 0..50_u64, silent in 0..5_000_u64) {
            let silent = silent.min(pass);
            let before = Tallied { good: pass, bad: fail, unknown: 0 };
            let after = Tallied { good: pass - silent, bad: fail, unknown: silent };
            prop_assert_eq!(after.all(), before.all());
            prop_assert_eq!(after.good + after.unknown, before.good);
            prop_assert!(after.reached(TARGET) == before.reached(TARGET) || after.reached(TARGET) == Reached::NotProven);
        }

        #[test]
        fn days_and_hours_are_all_hours(ranges in prop::collection::vec((0..300_u32, 0..100_u32), 0..6)) {
            let hours = Stretches::of(ranges.into_iter().map(|(start, long)| start..start + long));
            let (days, rest) = split_days(&hours, &Stretches::of(std::iter::once(3..5)));
            prop_assert!(!days.has(3) && !days.has(4));
            let of_days = Stretches::of(days.iter().map(|day| day.start * 24..day.end * 24));
            prop_assert!(of_days.and(&rest).is_empty());
            prop_assert_eq!(Stretches::of(of_days.iter().chain(rest.iter())), hours);
        }
    }
}
