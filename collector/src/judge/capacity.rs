//! When a limit is reached, as far as the past tells: a robust trend, and its uncertainty.
//!
//! The trend is the median of the slopes between any two days (Theil 1950, Sen 1968): up to 29 % of the days may be
//! anything without bending it. Its interval at 95 % is that of Sen, from Kendall's statistic. Invariant: no date
//! without the two between which it lies, and none at all where the interval holds both growth and none. Absent on
//! purpose: seasons; a week of days is looked at least.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::Share;

/// Fewer days are no trend.
pub const LEAST_DAYS: usize = 7;
/// The newest so many days are looked at.
pub const MOST_DAYS: usize = 400;
/// Dates further ahead are told as that.
pub const HORIZON: Duration = Duration::from_secs(10 * 366 * 86_400);
/// The growth that is planned for where a service does not say.
pub const PLANNED_GROWTH: Share = Share::from_ppm(100_000);

/// 95 % of a normal distribution lie within so many standard deviations.
const Z95: f64 = 1.959_964;
const DAYS_OF_A_YEAR: f64 = 365.25;
const DAY_S: f64 = 86_400.0;

/// What something was on a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The day.
    pub day: Date,
    /// In the unit of whatever it is.
    pub value: f64,
}

/// How something changes: a line, and two others between which it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The day from which days are counted: the newest.
    pub day: Date,
    /// The likeliest line.
    pub line: Line,
    /// The least rise that is likely at 95 %.
    pub least: Line,
    /// The greatest.
    pub most: Line,
    /// How many days it is made of.
    pub days: usize,
}

/// A line through days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// How much more a day later.
    pub per_day: f64,
    /// What it is on the trend's day.
    pub level: f64,
}

/// Where a trend leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outlook", rename_all = "snake_case")]
pub enum Outlook {
    /// Too few days are known.
    TooFew,
    /// It may as well rise as fall: no date can be told.
    NoTrend,
    /// It rises, and there is no limit that it could reach.
    Rises,
    /// It falls.
    Falls,
    /// The limit is reached already.
    Reached,
    /// The limit is reached, more than ten years from now at the earliest.
    Far,
    /// The limit is reached.
    Reaches {
        /// The likeliest day; `None` when it lies more than ten years ahead.
        day: Option<Date>,
        /// The earliest that is likely.
        earliest: Date,
        /// The latest; `None` when it lies more than ten years ahead.
        latest: Option<Date>,
    },
}

impl Trend {
    /// The trend of what something was on these days, one value a day at most, oldest first; `None` where they are too
    /// few.
    pub fn of(points: &[Point]) -> Option<Self> {
        let points = points.get(points.len().saturating_sub(MOST_DAYS)..)?;
        if points.len() < LEAST_DAYS {
            return None;
        }
        let day = points.last()?.day;
        let known: Vec<(f64, f64)> =
            points.iter().map(|point| (between(day, point.day), point.value)).collect();
        let slopes = slopes(&known);
        let (lower, upper) = interval(&slopes, known.len());
        let line = |per_day: f64| {
            let mut levels: Vec<f64> = known.iter().map(|(x, y)| y - per_day * x).collect();
            levels.sort_by(f64::total_cmp);
            Line { per_day, level: median(&levels) }
        };
        let days = known.len();
        Some(Self { day, line: line(median(&slopes)), least: line(lower), most: line(upper), days })
    }

    /// The rise in a year, as a share of what there is on the trend's day: the least, the likeliest, the most; `None`
    /// where there is nothing that could grow.
    pub fn yearly(&self) -> Option<[f64; 3]> {
        let level = self.line.level;
        let share = |line: Line| line.per_day * DAYS_OF_A_YEAR / level;
        (level > 0.0).then(|| [self.least, self.line, self.most].map(share))
    }

    /// When it reaches a limit.
    pub fn outlook(&self, limit: Option<f64>) -> Outlook {
        if limit.is_some_and(|limit| self.line.level >= limit) {
            return Outlook::Reached;
        }
        if self.most.per_day < 0.0 {
            return Outlook::Falls;
        }
        if self.least.per_day <= 0.0 {
            return Outlook::NoTrend;
        }
        let Some(limit) = limit else { return Outlook::Rises };
        let [a, b, c] = [self.most, self.line, self.least].map(|line| self.reaches(line, limit));
        // each line goes through the days in its own way: the earliest is whichever reaches the limit first
        let reached = || [a, b, c].into_iter().flatten();
        match reached().min() {
            None => Outlook::Far,
            Some(earliest) => {
                let are_all = reached().count() == 3;
                let latest = reached().max().filter(|_| are_all);
                Outlook::Reaches { day: b, earliest, latest }
            }
        }
    }

    /// The day on which a line reaches a limit; `None` when that lies too far ahead.
    fn reaches(&self, line: Line, limit: f64) -> Option<Date> {
        let days = ((limit - line.level) / line.per_day).max(0.0);
        let ahead = SignedDuration::try_from_secs_f64(days * DAY_S).ok()?;
        let is_near = ahead.unsigned_abs() <= HORIZON;
        is_near.then(|| self.day.saturating_add(ahead))
    }
}

/// Days from one to another.
fn between(from: Date, to: Date) -> f64 {
    let hours = from.duration_until(to).as_hours();
    i32::try_from(hours).map_or(0.0, f64::from) / 24.0
}

/// Between any two days, in order.
fn slopes(known: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(known.len() * known.len().saturating_sub(1) / 2);
    for (index, (x, y)) in known.iter().enumerate() {
        for (later_x, later_y) in known.iter().skip(index + 1) {
            let run = later_x - x;
            if run > 0.0 {
                slopes.push((later_y - y) / run);
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// The slopes between which the true one lies at 95 % (Sen 1968, without a correction for ties, which would only make
/// it narrower).
fn interval(slopes: &[f64], days: usize) -> (f64, f64) {
    let n = float(days);
    let width = Z95 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let all = float(slopes.len());
    let at = |rank: f64| {
        let rank = rank.clamp(0.0, (all - 1.0).max(0.0));
        slopes
            .iter()
            .zip(0_u32..)
            .find(|(_, index)| f64::from(*index) >= rank)
            .map(|(slope, _)| *slope)
    };
    let (first, last) = (slopes.first().copied(), slopes.last().copied());
    let lower = at(((all - width) / 2.0 - 1.0).floor()).or(first).unwrap_or(0.0);
    let upper = at(((all + width) / 2.0).ceil()).or(last).unwrap_or(0.0);
    (lower, upper)
}

/// Of values in order; 0 of none.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.get(half.wrapping_sub(1)), sorted.len() % 2) {
        (Some(middle), _, 1) => *middle,
        (Some(upper), Some(lower), _) => f64::midpoint(*upper, *lower),
        _ => 0.0,
    }
}

/// So many as a number.
fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    const FIRST: Date = jiff::civil::date(2026, 1, 1);

    fn points(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        let day = |(value, index): (f64, i64)| Point { day: FIRST + index.days(), value };
        values.into_iter().zip(0..).map(day).collect()
    }

    /// A line with a wobble that has no trend of its own.
    fn wobbling(days: u32, per_day: f64, wobble: f64) -> Vec<Point> {
        let wobbles = [0.3, -0.9, 0.7, -0.2, 1.0, -0.6, 0.1, -0.4];
        let value = |day: u32| {
            let at = usize::try_from(day * 5 % 8).unwrap();
            100.0 + f64::from(day) * per_day + wobbles[at] * wobble
        };
        points((0..days).map(value))
    }

    #[test]
    fn limits_and_when_they_are_reached() {
        let reaches = |day: &str, earliest: &str, latest: &str| Outlook::Reaches {
            day: Some(day.parse().unwrap()),
            earliest: earliest.parse().unwrap(),
            latest: Some(latest.parse().unwrap()),
        };
        for (points, limit, expected) in [
            (points([1.0; 6]), Some(9.0), None),
            (points([1.0; 7]), Some(9.0), Some(Outlook::NoTrend)),
            // exactly one a day, without a doubt: 200 is reached on day 100
            (
                wobbling(60, 1.0, 0.0),
                Some(200.0),
                Some(reaches("2026-04-11", "2026-04-11", "2026-04-11")),
            ),
            (wobbling(60, 1.0, 0.0), None, Some(Outlook::Rises)),
            (wobbling(60, -1.0, 0.0), Some(200.0), Some(Outlook::Falls)),
            (wobbling(60, 1.0, 0.0), Some(100.0), Some(Outlook::Reached)),
            (wobbling(60, 0.001, 0.0), Some(1_000.0), Some(Outlook::Far)),
            (wobbling(60, 0.0, 5.0), Some(200.0), Some(Outlook::NoTrend)),
            (wobbling(60, 0.01, 5.0), Some(200.0), Some(Outlook::NoTrend)),
        ] {
            let outlook = Trend::of(&points).map(|trend| trend.outlook(limit));
            assert_eq!(outlook, expected, "{:?} {limit:?}", points.last());
        }
        // in doubt, the date comes with its interval, and the interval holds the truth
        let Some(Outlook::Reaches { day, earliest, latest }) =
            Trend::of(&wobbling(60, 1.0, 5.0)).map(|trend| trend.outlook(Some(200.0)))
        else {
            panic!("no date")
        };
        let truth: Date = "2026-04-11".parse().unwrap();
        assert!(earliest < truth && truth < latest.unwrap(), "{earliest} {latest:?}");
        assert!(day.unwrap() >= earliest && day <= latest);
        assert_eq!(Trend::of(&[]), None);
    }

    #[test]
    fn a_quarter_of_the_days_may_be_anything() {
        let mut wild = wobbling(60, 1.0, 0.0);
        wild.iter_mut().step_by(4).for_each(|point| point.value = 1e9);
        let trend = Trend::of(&wild).unwrap();
        assert!((trend.line.per_day - 1.0).abs() < 0.05, "{trend:?}");
        let share = Trend::of(&wobbling(60, 1.0, 0.0)).unwrap().yearly().unwrap();
        assert!((share[1] - 365.25 / 159.0).abs() < 1e-9, "{share:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn a_date_has_its_interval(
            values in prop::collection::vec(0.0..1_000.0_f64, 7..60),
            limit in 1.0..5_000.0_f64,
        ) {
            let trend = Trend::of(&points(values)).unwrap();
            prop_assert!(trend.least.per_day <= trend.line.per_day);
            prop_assert!(trend.line.per_day <= trend.most.per_day);
            if let Outlook::Reaches { day, earliest, latest } = trend.outlook(Some(limit)) {
                prop_assert!(trend.least.per_day > 0.0, "a date although it may fall");
                prop_assert!(earliest >= trend.day);
                prop_assert!(day.is_none_or(|day| earliest <= day));
                prop_assert!(latest.is_none_or(|latest| day.is_some_and(|day| day <= latest)));
            }
        }

        #[test]
        fn what_is_turned_around_falls_as_it_rose(values in prop::collection::vec(0.0..1_000.0_f64, 7..40)) {
            let there = Trend::of(&points(values.clone())).unwrap();
            let back = Trend::of(&points(values.into_iter().map(|value| -value))).unwrap();
            prop_assert!((there.line.per_day + back.line.per_day).abs() < 1e-6);
            prop_assert!((there.least.per_day + back.most.per_day).abs() < 1e-6);
        }
    }
}
