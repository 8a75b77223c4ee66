//! The time that an objective looks at: windows, business hours, and sets of minutes and hours.
//!
//! Calendar windows begin and end at the organisation's midnight; a month in which the clock is put back has an hour
//! more. A rolling window is so many times 24 hours. Absent on purpose: where a time zone's rules come from; whoever
//! asks has read them.

use std::ops::Range;

use jiff::Span;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;

use super::definition::{BusinessHours, Window};

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
const MINUTE_NS: i64 = 60_000_000_000;
const MINUTES_OF_HOUR: u32 = 60;
const HOUR_NS: i64 = 3_600_000_000_000;
/// Days of business hours at most: longer windows than this are not looked at.
const DAYS: usize = 4_000;

/// The window that ends at, or has in it, `now`. A calendar window is whole, also where it is not over.
pub fn range(window: Window, zone: &TimeZone, now: WallTime) -> Range<WallTime> {
    match window {
        Window::Rolling { days } => now.minus(DAY * u32::from(days))..now,
        Window::Month | Window::Quarter | Window::Year => {
            calendar(window, zone, zone.to_datetime(now.timestamp()).date())
        }
    }
}

/// The calendar window that a day lies in; for a rolling one the days up to its end.
pub fn calendar(window: Window, zone: &TimeZone, day: Date) -> Range<WallTime> {
    let month = day.first_of_month();
    let quarter_month = month.saturating_sub(Span::new().months((month.month() - 1) % 3));
    let (first, months) = match window {
        Window::Rolling { .. } => {
            return range(window, zone, midnight(zone, day.saturating_add(Span::new().days(1))));
        }
        Window::Month => (month, 1),
        Window::Quarter => (quarter_month, 3),
        Window::Year => (day.first_of_year(), 12),
    };
    let end = first.saturating_add(Span::new().months(months));
    midnight(zone, first)..midnight(zone, end)
}

/// When a day begins. Where the clock is put forward at midnight, when it begins after that.
fn midnight(zone: &TimeZone, day: Date) -> WallTime {
    at(zone, day.to_datetime(jiff::civil::Time::midnight()))
}

fn at(zone: &TimeZone, time: DateTime) -> WallTime {
    zone.to_ambiguous_zoned(time).compatible().map_or_else(
        |_| WallTime::from_ns(i64::MAX), // beyond the years that a clock can show
        |zoned| WallTime::from(zoned.timestamp()),
    )
}

/// When people use a service, within a range: in order, without overlaps.
pub fn in_hours(
    hours: &BusinessHours,
    zone: &TimeZone,
    range: &Range<WallTime>,
) -> Vec<Range<WallTime>> {
    let first = zone.to_datetime(range.start.timestamp()).date();
    let mut found = Vec::new();
    for day in first.series(Span::new().days(1)).take(DAYS) {
        let begin = midnight(zone, day);
        if begin >= range.end {
            break;
        }
        if hours.holidays.contains(&day) {
            continue;
        }
        let weekday = day.weekday().to_monday_zero_offset();
        for stretch in
            hours.weekly.iter().filter(|there| i8::try_from(there.weekday) == Ok(weekday))
        {
            let from = minute_of(zone, day, stretch.from_minute).max(range.start);
            let until = minute_of(zone, day, stretch.until_minute).min(range.end);
            if from < until {
                found.push(from..until);
            }
        }
    }
    found
}

fn minute_of(zone: &TimeZone, day: Date, minute: u16) -> WallTime {
    let midnight = day.to_datetime(jiff::civil::Time::midnight());
    at(zone, midnight.saturating_add(Span::new().minutes(minute)))
}

/// Minutes or hours, counted from 1970-01-01 UTC: in order, without overlaps or neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretches(Vec<Range<u32>>);

impl Stretches {
    /// Of ranges in any order.
    pub fn of(ranges: impl IntoIterator<Item = Range<u32>>) -> Self {
        let mut ranges: Vec<_> =
            ranges.into_iter().filter(|range| range.start < range.end).collect();
        ranges.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<u32>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Self(joined)
    }

    /// The minutes whose first moment lies in one of these times.
    pub fn minutes(times: impl IntoIterator<Item = Range<WallTime>>) -> Self {
        Self::of(times.into_iter().map(|time| up(time.start, MINUTE_NS)..up(time.end, MINUTE_NS)))
    }

    /// The hours (UTC) whose first moment lies in one of these times.
    pub fn hours_begun(times: impl IntoIterator<Item = Range<WallTime>>) -> Self {
        Self::of(times.into_iter().map(|time| up(time.start, HOUR_NS)..up(time.end, HOUR_NS)))
    }

    /// The hours (UTC) that lie whole in one of these times.
    pub fn whole_hours(times: impl IntoIterator<Item = Range<WallTime>>) -> Self {
        Self::of(times.into_iter().map(|time| up(time.start, HOUR_NS)..down(time.end, HOUR_NS)))
    }

    /// The hours (UTC) that any part of one of these times lies in.
    pub fn hours_touched(times: impl IntoIterator<Item = Range<WallTime>>) -> Self {
        Self::of(times.into_iter().map(|time| down(time.start, HOUR_NS)..up(time.end, HOUR_NS)))
    }

    /// The minutes that any part of one of these times lies in.
    pub fn minutes_touched(times: impl IntoIterator<Item = Range<WallTime>>) -> Self {
        Self::of(times.into_iter().map(|time| down(time.start, MINUTE_NS)..up(time.end, MINUTE_NS)))
    }

    /// Of hours: their minutes.
    pub fn to_minutes(&self) -> Self {
        let minute = |hour: u32| hour.saturating_mul(MINUTES_OF_HOUR);
        Self::of(self.iter().map(|hours| minute(hours.start)..minute(hours.end)))
    }

    /// Of minutes: the hours that are among them whole, and those of which only a part is.
    pub fn to_hours(&self) -> (Self, Self) {
        let whole = self
            .iter()
            .map(|minutes| minutes.start.div_ceil(MINUTES_OF_HOUR)..minutes.end / MINUTES_OF_HOUR);
        let whole = Self::of(whole);
        let touched = self
            .iter()
            .map(|minutes| minutes.start / MINUTES_OF_HOUR..minutes.end.div_ceil(MINUTES_OF_HOUR));
        let parts = Self::of(touched).without(&whole);
        (whole, parts)
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        self.0.iter().cloned()
    }

    /// Those that are in both.
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (start, end) = (a.start.max(b.start), a.end.min(b.end));
            if start < end {
                both.push(start..end);
            }
            if a.end <= b.end {
                left.next();
            } else {
                right.next();
            }
        }
        Self(both)
    }

    /// Those that are not in the other.
    pub fn without(&self, other: &Self) -> Self {
        let mut gaps = Vec::new();
        let mut at = 0;
        for taken in &other.0 {
            gaps.push(at..taken.start);
            at = taken.end;
        }
        gaps.push(at..u32::MAX);
        self.and(&Self::of(gaps))
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|range| u64::from(range.end.saturating_sub(range.start))).sum()
    }

    /// How many of a range.
    pub fn count_in(&self, range: &Range<u32>) -> u64 {
        let first = self.0.partition_point(|there| there.end <= range.start);
        let within = self.0.iter().skip(first).take_while(|there| there.start < range.end);
        let counts = within.map(|there| {
            u64::from(there.end.min(range.end).saturating_sub(there.start.max(range.start)))
        });
        counts.sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is in one of them.
    pub fn has(&self, number: u32) -> bool {
        let after = self.0.partition_point(|range| range.end <= number);
        self.0.get(after).is_some_and(|range| range.start <= number)
    }
}

fn up(at: WallTime, unit_ns: i64) -> u32 {
    let whole = at.as_ns().div_euclid(unit_ns) + i64::from(at.as_ns().rem_euclid(unit_ns) != 0);
    u32::try_from(whole.max(0)).unwrap_or(u32::MAX)
}

fn down(at: WallTime, unit_ns: i64) -> u32 {
    u32::try_from(at.as_ns().div_euclid(unit_ns).max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
