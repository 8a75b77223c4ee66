//! How services were on each of the last days: the strip that a page shows of 90 days.
//!
//! Days are those of a time zone, and minutes are counted as agreements count them, with nothing left out. A day of which
//! nothing is known has no minutes at all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Query, QueryError};
use crate::judge::definition::Voiced;
use crate::judge::objective::minutes_of;
use crate::series::ServiceId;

const DAY_MINUTES: u32 = 1_440;

/// One day of a service, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAnswer {
    /// Which.
    pub day: Date,
    /// In which it was up.
    pub up: u32,
    /// In which it was down.
    pub down: u32,
    /// Of which nothing is known.
    pub unknown: u32,
}

impl Query {
    /// The last days of these services up to today, oldest first.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn days(
        &self,
        services: &[&str],
        days: u32,
        zone: &TimeZone,
    ) -> Result<BTreeMap<String, Vec<DayAnswer>>, QueryError> {
        let now = self.clock.wall().timestamp();
        let (empty, begins) = calendar(now, days, zone);
        let (Some(first), Some(end)) = (begins.first(), begins.last()) else {
            return Ok(BTreeMap::new());
        };
        let names: BTreeMap<ServiceId, &str> =
            services.iter().map(|name| (ServiceId::of(name), *name)).collect();
        let wanted: BTreeSet<ServiceId> = names.keys().copied().collect();
        let mut found: BTreeMap<String, Vec<DayAnswer>> =
            services.iter().map(|name| ((*name).to_owned(), empty.clone())).collect();
        let utc_days = first / DAY_MINUTES..end / DAY_MINUTES + 1;
        self.views.reader().slots(utc_days, &wanted, |day, service, slots| {
            let Some(own) = names.get(&service).and_then(|name| found.get_mut(*name)) else {
                return;
            };
            for (minutes, state) in minutes_of(day, slots) {
                add(own, &begins, (minutes.start, minutes.end), state);
            }
        })?;
        Ok(found)
    }
}

/// The days without anything, and the minute (from 1970-01-01 UTC) in which each begins, and that after the last.
fn calendar(now: Timestamp, days: u32, zone: &TimeZone) -> (Vec<DayAnswer>, Vec<u32>) {
    let today = now.to_zoned(zone.clone()).date();
    let (mut empty, mut begins) = (Vec::new(), Vec::new());
    let begin = |day: Date| {
        let at = day.to_zoned(zone.clone()).map(|at| at.timestamp().as_second());
        at.ok().and_then(|s| u32::try_from(s.div_euclid(60)).ok()).unwrap_or(0)
    };
    for back in (0..days).rev() {
        let Ok(day) = today.checked_sub(i64::from(back).days()) else { continue };
        empty.push(DayAnswer { day, up: 0, down: 0, unknown: 0 });
        begins.push(begin(day));
    }
    begins.extend(today.tomorrow().ok().map(begin));
    (empty, begins)
}

fn add(days: &mut [DayAnswer], begins: &[u32], (start, end): (u32, u32), state: Voiced) {
    let mut at = begins.partition_point(|begin| *begin <= start).saturating_sub(1);
    let mut from = start.max(begins.first().copied().unwrap_or(0));
    while from < end
        && let (Some(day), Some(next)) = (days.get_mut(at), begins.get(at + 1))
    {
        let until = end.min(*next);
        let minutes = until.saturating_sub(from);
        let count = match state {
            Voiced::Up => &mut day.up,
            Voiced::Down => &mut day.down,
            Voiced::Unknown => &mut day.unknown,
        };
        *count = count.saturating_add(minutes);
        from = from.max(until);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the night in which summer time ends in Berlin, in minutes: the day has 25 hours.
    #[test]
    fn minutes_belong_to_the_days_of_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-10-26T12:00:00Z".parse().unwrap();
        let (mut days, begins) = calendar(now, 3, &zone);
        assert_eq!(days[0].day, jiff::civil::date(2026, 10, 24));
        let minute = |text: &str| {
            u32::try_from(text.parse::<Timestamp>().unwrap().as_second() / 60).unwrap()
        };
        // from before the first day until after the last
        let all = (minute("2026-10-20T00:00:00Z"), minute("2026-10-30T00:00:00Z"));
        add(&mut days, &begins, all, Voiced::Up);
        let down = (minute("2026-10-24T21:50:00Z"), minute("2026-10-24T22:10:00Z"));
        add(&mut days, &begins, down, Voiced::Down);
        let told: Vec<_> = days.iter().map(|day| (day.up, day.down)).collect();
        assert_eq!(told, [(1_440, 10), (1_500, 10), (1_440, 0)]);
    }
}
