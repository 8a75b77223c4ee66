//! What each day of the page's services was like, in the organisation's zone. What is over is kept: it is read again now
//! and then, because what comes late can change it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;

use super::PublicDay;
use crate::query::strip::DayAnswer;
use crate::query::{Query, QueryError};

/// Days that are shown.
const DAYS: u32 = 90;
/// Days that are read each time: today, and yesterday, of which the last minutes come after midnight.
const FRESH: u32 = 2;
/// The others are read again after this.
const AGAIN: Duration = Duration::from_secs(600);
/// Services that are read at once: of more all that there are would be read.
const AT_ONCE: usize = 16;

/// Days as they were read last.
#[derive(Debug, Default)]
pub struct DaysKept {
    /// Of which days, in which zone, when.
    read: Option<(Date, TimeZone, WallTime)>,
    days: BTreeMap<String, Vec<PublicDay>>,
}

impl DaysKept {
    /// The days of a service.
    pub(super) fn of(&self, service: &str) -> Vec<PublicDay> {
        self.days.get(service).cloned().unwrap_or_default()
    }

    /// Reads what may have changed.
    pub(super) fn read(
        &mut self,
        query: &Query,
        services: &[&str],
        (zone, now): (&TimeZone, WallTime),
    ) -> Result<(), QueryError> {
        let today = zone.to_datetime(now.timestamp()).date();
        let is_kept = self.read.as_ref().is_some_and(|(last, in_zone, at)| {
            *last == today && in_zone == zone && now.since(*at) < AGAIN
        });
        let wanted = if is_kept { FRESH } else { DAYS };
        // what fails to be read leaves nothing half kept
        let before = self.read.take();
        for some in services.chunks(AT_ONCE) {
            for (name, fresh) in query.days(some, wanted, zone)? {
                self.take(name, fresh, is_kept);
            }
        }
        self.read = if is_kept { before } else { Some((today, zone.clone(), now)) };
        Ok(())
    }

    /// Puts days in the place of those that they are.
    fn take(&mut self, service: String, fresh: Vec<DayAnswer>, is_kept: bool) {
        let kept = self.days.entry(service).or_default();
        let (all, some) = (usize::try_from(DAYS).unwrap_or(0), fresh.len());
        kept.truncate(if is_kept { all.saturating_sub(some) } else { 0 });
        kept.extend(fresh.into_iter().map(PublicDay::from));
    }
}

impl From<DayAnswer> for PublicDay {
    fn from(DayAnswer { day, up, down, unknown }: DayAnswer) -> Self {
        let [up_min, down_min, unknown_min] = [up, down, unknown].map(u64::from);
        Self { date: day, up_min, down_min, unknown_min }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: i8, count: i8, up: u32) -> Vec<DayAnswer> {
        let day =
            |day| DayAnswer { day: Date::constant(2026, 1, 1), up: up + day, down: 0, unknown: 0 };
        let days = u32::try_from(from).unwrap()..u32::try_from(from + count).unwrap();
        days.map(day).collect()
    }

    #[test]
    fn what_is_fresh_takes_the_place_of_what_it_is() {
        let mut kept = DaysKept::default();
        kept.take("mail".into(), days(0, 90, 0), false);
        kept.take("mail".into(), days(88, 2, 1_000), true);
        let up: Vec<_> = kept.of("mail").iter().map(|day| day.up_min).collect();
        assert_eq!((up.len(), &up[86..]), (90, &[86, 87, 1_088, 1_089][..]));
        kept.take("mail".into(), days(0, 90, 2_000), false);
        assert_eq!(kept.of("mail")[0].up_min, 2_000);
        assert_eq!(kept.of("other"), []);
    }
}
