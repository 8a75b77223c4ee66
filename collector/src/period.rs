//! Where a figure stands in time: minutes are kept by the hour, hours by the day, days by the month.
//!
//! A **bucket** is one minute, hour or day; a **period** is the hour, day or month whose buckets are
//! written, sealed and forgotten together. All in UTC: a month in another time zone is a sum of hours
//! (or of minutes, for zones that are off by a part of an hour).

use std::time::Duration;

use jiff::civil::Date;
use mailsonde_proto::WallTime;

const DAY_S: i64 = 86_400;
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// How long one bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// Minutes, kept by the hour for 9 days; what comes later than 8 days is not counted into them.
    Minute,
    /// Hours, kept by the day for 13 months.
    Hour,
    /// Days, kept by the month for ever.
    Day,
}

impl Resolution {
    /// All of them, finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its number on disk.
    pub const fn code(self) -> u8 {
        match self {
            Self::Minute => 1,
            Self::Hour => 2,
            Self::Day => 3,
        }
    }

    /// By its number on disk.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| resolution.code() == code)
    }

    /// The plural word, which is also the folder's name.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Minute => "minutes",
            Self::Hour => "hours",
            Self::Day => "days",
        }
    }

    /// The length of one bucket.
    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3_600),
            Self::Day => Duration::from_secs(86_400),
        }
    }

    /// How long after a period's end something is still counted into it; `None` is for ever. Minutes stay a day longer
    /// than that, so that an hour whose minutes change can look back a day.
    pub const fn taken_for(self) -> Option<Duration> {
        match self {
            Self::Minute => Some(Duration::from_secs(8 * 86_400)),
            Self::Hour | Self::Day => self.kept_for(),
        }
    }

    /// How long a period is kept after its end; `None` is for ever.
    pub const fn kept_for(self) -> Option<Duration> {
        match self {
            Self::Minute => Some(Duration::from_secs(9 * 86_400)),
            Self::Hour => Some(Duration::from_secs(396 * 86_400)),
            Self::Day => None,
        }
    }

    /// How many neighbouring buckets share one row of an open period.
    const fn stretch(self) -> u8 {
        match self {
            Self::Minute => 10,
            Self::Hour | Self::Day => 4,
        }
    }
}

/// The hour, day or month whose buckets are kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// What its buckets are.
    pub resolution: Resolution,
    /// Hours, days or months since 1970-01-01 UTC.
    pub number: u32,
}

impl Period {
    /// The period and the bucket in it (0 to 59, 0 to 23, 0 to 30) that `at` falls into.
    ///
    /// Times before 1970 fall into the first bucket of all.
    pub fn of(resolution: Resolution, at: WallTime) -> (Self, u8) {
        let s = at.as_ns().div_euclid(1_000_000_000).max(0);
        let (number, bucket) = match resolution {
            Resolution::Minute => (s / 3_600, s / 60 % 60),
            Resolution::Hour => (s / DAY_S, s / 3_600 % 24),
            Resolution::Day => {
                let date = date_of(s / DAY_S);
                let months = (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1;
                (months, i64::from(date.day()) - 1)
            }
        };
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        (Self { resolution, number }, u8::try_from(bucket).unwrap_or(0))
    }

    /// When its first bucket begins.
    pub fn start(self) -> WallTime {
        let number = i64::from(self.number);
        match self.resolution {
            Resolution::Minute => WallTime::from_s(number * 3_600),
            Resolution::Hour => WallTime::from_s(number * DAY_S),
            Resolution::Day => WallTime::from_s(days_before_month(number) * DAY_S),
        }
    }

    /// When its last bucket ends.
    pub fn end(self) -> WallTime {
        self.next().start()
    }

    /// The one after it.
    pub fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// Whether it is past its time at `now`, and is not kept any more.
    pub fn is_over(self, now: WallTime) -> bool {
        self.resolution.kept_for().is_some_and(|kept| self.end().plus(kept) <= now)
    }

    /// Whether it is too late at `now` to count anything into it.
    pub fn is_late(self, now: WallTime) -> bool {
        self.resolution.taken_for().is_some_and(|taken| self.end().plus(taken) <= now)
    }

    /// When one of its buckets begins.
    pub fn bucket_start(self, bucket: u8) -> WallTime {
        self.start().plus(self.resolution.length() * u32::from(bucket))
    }

    /// The row of an open period that a bucket stands in.
    pub fn stretch(self, bucket: u8) -> u8 {
        bucket / self.resolution.stretch()
    }

    /// `2026-11-23T14` for minutes, `2026-11-23` for hours, `2026-11` for days.
    pub fn label(self) -> String {
        let start = self.start().timestamp();
        let format = match self.resolution {
            Resolution::Minute => "%Y-%m-%dT%H",
            Resolution::Hour => "%Y-%m-%d",
            Resolution::Day => "%Y-%m",
        };
        start.strftime(format).to_string()
    }

    /// Reads a label back.
    pub fn from_label(resolution: Resolution, label: &str) -> Option<Self> {
        let whole = match resolution {
            Resolution::Minute => format!("{label}:00:00Z"),
            Resolution::Hour => format!("{label}T00:00:00Z"),
            Resolution::Day => format!("{label}-01T00:00:00Z"),
        };
        let (period, _) = Self::of(resolution, whole.parse::<jiff::Timestamp>().ok()?.into());
        (period.label() == label).then_some(period)
    }
}

fn date_of(days: i64) -> Date {
    EPOCH.saturating_add(jiff::Span::new().days(days.min(3_000_000)))
}

fn days_before_month(months: i64) -> i64 {
    let year = i16::try_from(1970 + months / 12).unwrap_or(i16::MAX).min(9_998);
    let month = i8::try_from(months % 12 + 1).unwrap_or(1);
    let first = Date::new(year, month, 1).unwrap_or(EPOCH);
    (first - EPOCH).get_days().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_and_buckets() {
        let at: jiff::Timestamp = "2026-11-23T14:07:59.9Z".parse().unwrap();
        for (resolution, label, bucket, start) in [
            (Resolution::Minute, "2026-11-23T14", 7, "2026-11-23T14:07:00Z"),
            (Resolution::Hour, "2026-11-23", 14, "2026-11-23T14:00:00Z"),
            (Resolution::Day, "2026-11", 22, "2026-11-23T00:00:00Z"),
        ] {
            let (period, found) = Period::of(resolution, at.into());
            assert_eq!((period.label().as_str(), found), (label, bucket));
            let expected: jiff::Timestamp = start.parse().unwrap();
            assert_eq!(period.bucket_start(found), expected.into());
            assert_eq!(Period::from_label(resolution, label), Some(period));
            assert!(period.start() <= at.into() && WallTime::from(at) < period.end());
        }
        assert_eq!(Period::from_label(Resolution::Day, "2026-13"), None);
        assert_eq!(Period::from_label(Resolution::Hour, "readme"), None);
    }

    #[test]
    fn every_day_of_four_years_has_its_place() {
        for day in 0..1_461 {
            let at = WallTime::from_s((20_000 + day) * DAY_S + 5);
            let (period, bucket) = Period::of(Resolution::Day, at);
            assert_eq!(period.bucket_start(bucket), WallTime::from_s((20_000 + day) * DAY_S));
        }
    }

    #[test]
    fn no_time_is_out_of_range() {
        for ns in [i64::MIN, -1, 0, i64::MAX] {
            for resolution in Resolution::ALL {
                let (period, _) = Period::of(resolution, WallTime::from_ns(ns));
                assert!(period.start() <= period.end(), "{ns}");
            }
        }
    }
}
