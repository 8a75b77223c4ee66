//! When something comes again: a recurrence rule (RFC 5545 section 3.3.10) in a time zone.
//!
//! Rules are reckoned in civil time and each time is then looked up in the zone, so that a window at 22:00 stays at
//! 22:00 when clocks are changed. A civil time that there is not, or twice, is taken as RFC 5545 section 3.3.5 has it:
//! by the offset before the gap, and the first of the two. Bounded: no more often than daily, and no longer than
//! [`HORIZON_DAYS`]. Absent on purpose: RDATE and EXDATE, which ending and cancelling stand for.

use chrono::{DateTime, TimeZone as _};
use jiff::civil::{self, DateTime as Civil};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rrule::{RRule, RRuleSet, Tz, Unvalidated};

/// A rule is followed for so many days from its first time.
pub const HORIZON_DAYS: i64 = 5 * 366;
/// Times of one rule at most: one a day.
const MOST: u16 = 1_831;
/// Bytes of a rule at most.
const MAX_BYTES: usize = 256;
/// What a rule may ask for.
const PARTS: [&str; 11] = [
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
];

/// Why a text is no rule that we follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARule {
    /// It has another form.
    #[error(
        "--every \"{rule}\" is no rule of RFC 5545 ({why}): write such as \"FREQ=WEEKLY;BYDAY=SU\""
    )]
    Form {
        /// As it was written.
        rule: String,
        /// What is wrong with it.
        why: String,
    },
    /// More often than daily.
    #[error(
        "--every comes more often than once a day: FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY"
    )]
    TooOften,
    /// The first time does not follow it.
    #[error(
        "the first time does not follow --every, which first comes at {next}: give that as --from"
    )]
    FirstTime {
        /// When it comes first.
        next: Civil,
    },
    /// It never comes.
    #[error("--every never comes within five years of --from")]
    Never,
    /// The zone is not known.
    #[error("there is no time zone called {0}: write such as Africa/Johannesburg, or UTC")]
    Zone(String),
}

/// The zone of this name.
///
/// # Errors
/// When nobody knows it.
pub fn zone(name: &str) -> Result<TimeZone, NotARule> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_unknown| NotARule::Zone(name.to_owned()))
}

/// When something begins that begins at `from` and again by `rule`, in order; without a rule once.
///
/// # Errors
/// When the rule is none, or `from` does not follow it.
pub(super) fn times(
    from: Timestamp,
    rule: Option<&str>,
    zone: &TimeZone,
) -> Result<Vec<Timestamp>, NotARule> {
    let Some(text) = rule else { return Ok(vec![from]) };
    let (rule, until) = parsed(text, zone)?;
    let first = from.to_zoned(zone.clone()).datetime();
    let horizon = first.saturating_add(SignedDuration::from_hours(24 * HORIZON_DAYS));
    let last = until.map_or(horizon, |until| until.min(horizon));
    let begin = floating(first).ok_or(NotARule::Never)?;
    let validated = rule.validate(begin).map_err(|why| form(text, why))?;
    let all = RRuleSet::new(begin).rrule(validated).all(MOST).dates;
    let civil: Vec<Civil> =
        all.iter().filter_map(civil_of).take_while(|time| *time <= last).collect();
    match civil.first() {
        None => Err(NotARule::Never),
        Some(next) if *next != first => Err(NotARule::FirstTime { next: *next }),
        Some(_) => Ok(civil.into_iter().filter_map(|time| instant(time, zone)).collect()),
    }
}

/// The rule without its end, and the last civil time at which it may come.
fn parsed(rule: &str, zone: &TimeZone) -> Result<(RRule<Unvalidated>, Option<Civil>), NotARule> {
    let wrong = |why: &str| form(rule, why);
    if rule.len() > MAX_BYTES || !rule.is_ascii() {
        return Err(wrong("it is too long, or not ASCII"));
    }
    let whole = rule.trim().to_ascii_uppercase();
    let whole = whole.strip_prefix("RRULE:").unwrap_or(&whole);
    let (mut kept, mut until) = (Vec::new(), None);
    for part in whole.split(';') {
        let (key, value) = part.split_once('=').ok_or_else(|| wrong("parts are KEY=VALUE"))?;
        match key {
            "FREQ" if !matches!(value, "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY") => {
                return Err(NotARule::TooOften);
            }
            "UNTIL" => {
                until = Some(
                    end(value, zone)
                        .ok_or_else(|| wrong("UNTIL is such as 20261231, or 20261231T215959Z"))?,
                );
            }
            "INTERVAL" if value.parse::<u16>() == Ok(0) => {
                return Err(wrong("INTERVAL is at least 1"));
            }
            key if !PARTS.contains(&key) => return Err(wrong("this part is not followed here")),
            _ => kept.push(part),
        }
    }
    if until.is_some() && kept.iter().any(|part| part.starts_with("COUNT=")) {
        return Err(wrong("it has COUNT and UNTIL"));
    }
    let parsed = kept.join(";").parse().map_err(|why: rrule::RRuleError| form(rule, why))?;
    Ok((parsed, until))
}

fn form(rule: &str, why: impl std::fmt::Display) -> NotARule {
    NotARule::Form { rule: rule.to_owned(), why: why.to_string() }
}

/// A day (all of it), a civil time, or a time in UTC.
fn end(value: &str, zone: &TimeZone) -> Option<Civil> {
    if let Some(utc) = value.strip_suffix('Z') {
        let at = Civil::strptime("%Y%m%dT%H%M%S", utc).ok()?.to_zoned(TimeZone::UTC).ok()?;
        return Some(at.timestamp().to_zoned(zone.clone()).datetime());
    }
    if value.contains('T') {
        return Civil::strptime("%Y%m%dT%H%M%S", value).ok();
    }
    Some(civil::Date::strptime("%Y%m%d", value).ok()?.at(23, 59, 59, 0))
}

/// A civil time as if it were in UTC: that is how it is reckoned with.
fn floating(civil: Civil) -> Option<DateTime<Tz>> {
    let at = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    Tz::UTC.timestamp_opt(at, 0).single()
}

fn civil_of(at: &DateTime<Tz>) -> Option<Civil> {
    let at = Timestamp::from_second(at.timestamp()).ok()?;
    Some(at.to_zoned(TimeZone::UTC).datetime())
}

/// In the zone: by the offset before a gap, the first of two.
fn instant(civil: Civil, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(civil).compatible().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(from: &str, rule: &str, in_zone: &str, most: usize) -> Vec<String> {
        let zone = zone(in_zone).unwrap();
        let all = times(from.parse().unwrap(), Some(rule), &zone).unwrap();
        all.into_iter().take(most).map(|at| at.to_string()).collect()
    }

    #[test]
    fn a_window_keeps_its_civil_time_when_clocks_are_changed() {
        // 2026-03-29: clocks go from 02:00 to 03:00 in Berlin; 2026-10-25 back from 03:00 to 02:00
        for (from, rule, expected) in [
            (
                "2026-03-22T21:00:00Z",
                "FREQ=WEEKLY;BYDAY=SU",
                ["2026-03-22T21:00:00Z", "2026-03-29T20:00:00Z", "2026-04-05T20:00:00Z"],
            ),
            // 02:30 is not there on the 29th: by the offset before, 03:30
            (
                "2026-03-28T01:30:00Z",
                "FREQ=DAILY",
                ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
            ),
            // 02:30 is there twice on the 25th: the first
            (
                "2026-10-24T00:30:00Z",
                "FREQ=DAILY",
                ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
            ),
        ] {
            assert_eq!(begun(from, rule, "Europe/Berlin", 3), expected, "{from} {rule}");
        }
    }

    #[test]
    fn rules_and_their_ends() {
        for (rule, count, last) in [
            ("FREQ=DAILY;COUNT=3", 3, "2026-12-08T20:00:00Z"),
            ("rrule:freq=daily;until=20261208", 3, "2026-12-08T20:00:00Z"),
            ("FREQ=DAILY;UNTIL=20261208T200000Z", 3, "2026-12-08T20:00:00Z"),
            ("FREQ=DAILY;UNTIL=20261208T195959Z", 2, "2026-12-07T20:00:00Z"),
            ("FREQ=DAILY;UNTIL=20261208T220000", 3, "2026-12-08T20:00:00Z"),
            ("FREQ=MONTHLY;BYDAY=1SU;COUNT=2", 2, "2027-01-03T20:00:00Z"),
            ("FREQ=YEARLY;COUNT=2", 2, "2027-12-06T20:00:00Z"),
        ] {
            // a Sunday, the first of its month; 22:00 in Johannesburg
            let all = begun("2026-12-06T20:00:00Z", rule, "Africa/Johannesburg", usize::MAX);
            let found = (all.len(), all.last().unwrap().as_str());
            assert_eq!(found, (count, last), "{rule}");
        }
        let all = begun("2026-12-06T20:00:00Z", "FREQ=DAILY", "UTC", usize::MAX);
        assert!(all.len() <= usize::from(MOST) && all.last().unwrap().as_str() < "2031-12-12");
    }

    #[test]
    fn what_is_no_rule() {
        for (rule, words) in [
            ("", "parts are KEY=VALUE"),
            ("FREQ=HOURLY", "more often than once a day"),
            ("FREQ=FORTNIGHTLY", "more often than once a day"),
            ("FREQ=DAILY;BYHOUR=1,2", "not followed here"),
            ("FREQ=DAILY;COUNT=2;UNTIL=20261231", "COUNT and UNTIL"),
            ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is such as"),
            ("FREQ=WEEKLY;BYDAY=XX", "is no rule"),
            ("BYDAY=SU", "is no rule"),
            ("FREQ=WEEKLY;BYDAY=MO", "first comes at 2026-12-07T20:00:00"),
            ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never comes"),
            ("FREQ=DAILY;UNTIL=20200101", "never comes"),
            ("FREQ=DAILY;INTERVAL=0", "INTERVAL is at least 1"),
            ("FREQ=DAILY;INTERVAL=00", "INTERVAL is at least 1"),
        ] {
            let from = "2026-12-06T20:00:00Z".parse().unwrap();
            let error = times(from, Some(rule), &TimeZone::UTC).unwrap_err().to_string();
            assert!(error.contains(words), "{rule}: {error}");
        }
        assert!(zone("Europe/Nowhere").is_err());
    }
}
