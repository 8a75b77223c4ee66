//! Slots that nothing came of: derived from what was announced and what was observed.
//!
//! Whole hours are counted by the hour, the rest by the minute. Where minutes are not kept any more, the range is
//! widened to whole hours. [`Reader::day`] answers for every series at once what [`Reader::missed`] answers for one:
//! each period is read once, not once for each series.

use std::collections::BTreeMap;
use std::time::Duration;

use mailsonde_proto::WallTime;

use super::Reader;
use super::reader::Range;
use crate::judge::availability::{Schedule, horizon, missed};
use crate::judge::rollup::Counts;
use crate::period::Resolution;
use crate::series::{PhaseId, SeriesId};
use crate::store::{Error, Row};

const HOUR: Duration = Resolution::Hour.length();

/// How many runs were observed in each bucket of a series.
type Observed = BTreeMap<WallTime, Counts>;

impl Reader {
    /// How many slots of a series in a range were missed, as known at `now`.
    ///
    /// # Errors
    /// As [`Reader::cells`].
    pub fn missed(&self, series: SeriesId, range: &Range, now: WallTime) -> Result<u64, Error> {
        let bytes = self.views.get(&Row::Schedule(series))?.unwrap_or_default();
        let schedule = Schedule::decode(&bytes);
        parts(&schedule, range, now).iter().try_fold(0_u64, |sum, (resolution, part)| {
            if part.start >= part.end || schedule.expected(part.start, part.end) == 0 {
                return Ok(sum);
            }
            let cells = self.cells((series, PhaseId::TOTAL), *resolution, part)?;
            let observed = cells.into_iter().map(|(begin, cell)| (begin, cell.counts)).collect();
            Ok(sum.saturating_add(missed_in(&schedule, *resolution, part, &observed)))
        })
    }

    /// What was counted in the hours of a range, and how many slots were missed in it as known at `now`, for every
    /// series that was ever announced.
    ///
    /// # Errors
    /// As [`Reader::cells`].
    pub fn day(
        &self,
        range: &Range,
        now: WallTime,
    ) -> Result<BTreeMap<SeriesId, (Counts, u64)>, Error> {
        let schedules = self.schedules()?;
        // what is wanted, and what slots are counted in
        let whole = |resolution| {
            let all = schedules.values().flat_map(|schedule| parts(schedule, range, now));
            let own = all.filter(|(of, part)| *of == resolution && part.start < part.end);
            own.map(|(_, part)| part)
                .reduce(|one, other| one.start.min(other.start)..one.end.max(other.end))
        };
        let widened = whole(Resolution::Hour).unwrap_or_else(|| range.clone());
        let widened = widened.start.min(range.start)..widened.end.max(range.end);
        let hours = self.recent().counts(&self.views, Resolution::Hour, &widened)?;
        let minutes = match whole(Resolution::Minute) {
            Some(part) => self.recent().counts(&self.views, Resolution::Minute, &part)?,
            None => BTreeMap::new(),
        };
        let none = Observed::new();
        let found = schedules.into_iter().map(|(series, schedule)| {
            let hours = hours.get(&series).unwrap_or(&none);
            let minutes = minutes.get(&series).unwrap_or(&none);
            let mut counts = Counts::default();
            let own = hours.iter().filter(|(begin, _)| range.contains(begin));
            own.for_each(|(_, hour)| counts.merge(hour));
            let parts = parts(&schedule, range, now);
            let missed = parts.iter().fold(0_u64, |sum, (resolution, part)| {
                let observed = if *resolution == Resolution::Minute { minutes } else { hours };
                sum.saturating_add(missed_in(&schedule, *resolution, part, observed))
            });
            (series, (counts, missed))
        });
        Ok(found.collect())
    }
}

/// A range as far as its slots must have come by `now`: minutes, whole hours, minutes.
fn parts(schedule: &Schedule, range: &Range, now: WallTime) -> [(Resolution, Range); 3] {
    let timeout = schedule.spans().iter().map(|span| span.check.timeout).max();
    let known = now.minus(Resolution::Minute.kept_for().unwrap_or_default()).plus(HOUR);
    let sure = range.end.min(horizon(now, timeout.unwrap_or_default()));
    let start = if range.start < known { rounded_down(range.start) } else { range.start };
    let end = if sure < known { rounded_up(sure) } else { sure };
    let (first_hour, last_hour) = (rounded_up(start).min(end), rounded_down(end));
    let last_hour = last_hour.max(first_hour);
    [
        (Resolution::Minute, start..first_hour),
        (Resolution::Hour, first_hour..last_hour),
        (Resolution::Minute, last_hour..end),
    ]
}

fn missed_in(
    schedule: &Schedule,
    resolution: Resolution,
    range: &Range,
    observed: &Observed,
) -> u64 {
    if range.start >= range.end || schedule.expected(range.start, range.end) == 0 {
        return 0;
    }
    let mut sum = 0_u64;
    let mut seen_until = range.start;
    for (begin, counts) in observed.range(range.clone()) {
        let end = begin.plus(resolution.length()).min(range.end);
        sum = sum.saturating_add(schedule.expected(seen_until, *begin)); // nothing came at all
        sum = sum.saturating_add(missed(schedule.expected(*begin, end), counts));
        seen_until = end;
    }
    sum.saturating_add(schedule.expected(seen_until, range.end))
}

fn rounded_down(at: WallTime) -> WallTime {
    WallTime::from_s(at.as_ns().div_euclid(3_600_000_000_000) * 3_600)
}

fn rounded_up(at: WallTime) -> WallTime {
    let down = rounded_down(at);
    if down == at { at } else { down.plus(HOUR) }
}
