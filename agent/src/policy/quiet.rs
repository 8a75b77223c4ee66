//! Hours in which no run begins, by the host's local time.

use std::fmt;

use jiff::civil::{DateTime, Time, Weekday};

/// The days, as they are written.
pub(crate) const DAYS: &[(&str, Weekday)] = &[
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// From one time of day to another, on some days. Where it goes past midnight, the day is the one on which it
/// begins; from a time to the same time is a whole day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quiet {
    /// Empty: every day.
    pub(crate) days: Vec<Weekday>,
    pub(crate) from: Time,
    pub(crate) to: Time,
}

impl Quiet {
    /// Whether this local time is within.
    pub(crate) fn holds(&self, now: DateTime) -> bool {
        let begins_on = |day| self.days.is_empty() || self.days.contains(&day);
        let (today, time) = (now.weekday(), now.time());
        if self.from < self.to {
            return begins_on(today) && (self.from..self.to).contains(&time);
        }
        (begins_on(today) && time >= self.from) || (begins_on(today.previous()) && time < self.to)
    }
}

/// `from 22:00 to 06:00 on mon, tue`.
impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.strftime("%H:%M"), self.to.strftime("%H:%M"));
        write!(f, "from {from} to {to}")?;
        if self.days.is_empty() {
            return f.write_str(" on every day");
        }
        let known = DAYS.iter().filter(|(_, day)| self.days.contains(day));
        let days: Vec<_> = known.map(|(word, _)| *word).collect();
        write!(f, " on {}", days.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{datetime, time};

    use super::*;

    #[test]
    fn hours_and_days() {
        // 2026-11-23 is a Monday.
        let night = |days: &[Weekday]| Quiet {
            days: days.to_vec(),
            from: time(22, 0, 0, 0),
            to: time(6, 0, 0, 0),
        };
        let noon = Quiet { from: time(12, 0, 0, 0), to: time(13, 0, 0, 0), ..night(&[]) };
        let all_day = Quiet { from: time(0, 0, 0, 0), to: time(0, 0, 0, 0), ..night(&[]) };
        let monday = night(&[Weekday::Monday]);
        let sunday_long = Quiet { days: vec![Weekday::Sunday], ..all_day.clone() };
        for (quiet, day, hour, minute, holds) in [
            (&noon, 23, 11, 59, false),
            (&noon, 23, 12, 0, true),
            (&noon, 23, 12, 59, true),
            (&noon, 23, 13, 0, false),
            (&night(&[]), 23, 21, 59, false),
            (&night(&[]), 23, 22, 0, true),
            (&night(&[]), 23, 5, 59, true),
            (&night(&[]), 23, 6, 0, false),
            (&monday, 23, 23, 0, true),
            // Monday's night ends on Tuesday; Sunday's is none.
            (&monday, 24, 5, 0, true),
            (&monday, 23, 5, 0, false),
            (&monday, 24, 23, 0, false),
            (&all_day, 24, 0, 0, true),
            (&all_day, 24, 23, 59, true),
            (&sunday_long, 22, 12, 0, true),
            (&sunday_long, 23, 0, 0, false),
        ] {
            let now = datetime(2026, 11, day, hour, minute, 0, 0);
            assert_eq!(quiet.holds(now), holds, "{quiet} at {now}");
        }
        assert_eq!(monday.to_string(), "from 22:00 to 06:00 on mon");
        assert_eq!(noon.to_string(), "from 12:00 to 13:00 on every day");
    }
}
