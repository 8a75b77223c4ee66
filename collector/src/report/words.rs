//! Figures as a report's readers know them. What is equal is written equally, here and at the command line.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::document::Tone;
use crate::judge::capacity::Outlook;
use crate::judge::objective::Reached;
use crate::query::sla::{AgreementAnswer, FigureAnswer};
use crate::query::{ReportAnswer, SubjectAnswer};

/// Nothing is known.
pub(super) const UNKNOWN: &str = "–";

/// The zone in which times are told.
pub(super) fn zone(report: &ReportAnswer) -> TimeZone {
    TimeZone::get(&report.time_zone).unwrap_or(TimeZone::UTC)
}

/// `October 2026`.
pub(super) fn month_name(report: &ReportAnswer) -> String {
    report.month.first_day().strftime("%B %Y").to_string()
}

/// `3 Oct 14:02`.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%-d %b %H:%M").to_string()
}

/// `850 µs`, `24 ms`, `1.24 s`, `12.4 s`, `2 min 5 s`.
pub(super) fn micros(us: Option<i64>) -> String {
    us.map_or_else(|| UNKNOWN.to_owned(), crate::figures::duration)
}

/// `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(super) fn seconds(s: Option<i64>) -> String {
    let Some(s) = s else { return UNKNOWN.to_owned() };
    let both = |large: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {of}"),
    };
    match s.max(0) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => both(s / 3_600, "h", s % 3_600 / 60, "min"),
        s => both(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

/// `44,640`: with commas between thousands.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 incident`, `3 incidents`.
pub(super) fn counted(of: u64, what: &str) -> String {
    if of == 1 { format!("1 {what}") } else { format!("{} {what}s", count(of)) }
}

/// `99.93 %`, rounded towards 0, so that 100 % means all; as the command line has it.
pub(super) fn percent(share: f64) -> String {
    crate::figures::percent(share)
}

/// `part / all` as per cent; `–` of nothing.
pub(super) fn share(part: u64, all: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(all.max(1));
    match all {
        0 => UNKNOWN.to_owned(),
        _ if part >= all => "100 %".to_owned(),
        _ => format!("{}.{:02} %", hundredths / 100, hundredths % 100),
    }
}

/// `99.93 %` where that is all there is to say, `98.10 % to 99.95 %` where too little is known.
pub(super) fn interval(figure: &FigureAnswer) -> String {
    match (figure.lower, figure.upper) {
        (Some(lower), Some(upper)) => crate::figures::between(lower, upper),
        _ => "nothing measured".to_owned(),
    }
}

/// The same of whole numbers.
pub(super) fn interval_of(good: u64, bad: u64, unknown: u64) -> String {
    let all = good.saturating_add(bad).saturating_add(unknown);
    let (lower, upper) = (share(good, all), share(good.saturating_add(unknown), all));
    if lower == upper { lower } else { format!("{lower} to {upper}") }
}

/// `of the month`, or `of the 37 min that were measured`: who began late has no month behind their figure.
pub(super) fn of_month(report: &ReportAnswer, measured_minutes: u64) -> String {
    if is_most(measured_minutes, minutes(report)) {
        return "of the month".to_owned();
    }
    format!("of the {} min that were measured", count(measured_minutes))
}

/// `12.50 % of the time`, where it is not most of it that services were measured, one with another.
pub(super) fn of_time(report: &ReportAnswer, measured_minutes: u64) -> Option<String> {
    let services = u64::try_from(report.services.len()).unwrap_or(u64::MAX);
    let all = minutes(report).saturating_mul(services);
    (!is_most(measured_minutes, all))
        .then(|| format!("{} of the time", share(measured_minutes, all)))
}

/// Minutes of the month, up to when the report was made.
fn minutes(report: &ReportAnswer) -> u64 {
    let s = report.until.min(report.made_at).duration_since(report.from).as_secs();
    u64::try_from(s).unwrap_or(0) / 60
}

/// Nine tenths: a new service, or an agent that came on the second day, need not be told.
fn is_most(part: u64, all: u64) -> bool {
    u128::from(part) * 10 >= u128::from(all) * 9
}

/// A result by its word.
pub(super) fn result(reached: Reached) -> (Tone, &'static str) {
    match reached {
        Reached::Met => (Tone::Good, "met"),
        Reached::Missed => (Tone::Bad, "missed"),
        Reached::NotProven => (Tone::Doubtful, "not proven"),
    }
}

/// `uptime 99.9 %`, `latency 95 % within 30 s`.
pub(super) fn promised(figure: &FigureAnswer) -> String {
    let within = figure.within_us.map(|us| {
        let us = i64::try_from(us).unwrap_or(i64::MAX);
        format!(" within {}", crate::figures::duration(us))
    });
    let hours = if figure.in_hours { " in hours" } else { "" };
    format!("{} {}{}{hours}", figure.indicator, figure.target, within.unwrap_or_default())
}

/// What is owed: `10 %`, `10 % to 25 %`, `up to 10 %`, `–`.
pub(super) fn credit(agreement: &AgreementAnswer) -> String {
    match (agreement.credit, agreement.credit_at_worst) {
        (None, None) => UNKNOWN.to_owned(),
        (Some(owed), Some(worst)) if owed == worst => owed.to_string(),
        (Some(owed), None) => owed.to_string(),
        (Some(owed), Some(worst)) => format!("{owed} to {worst}"),
        (None, Some(worst)) => format!("up to {worst}"),
    }
}

/// An amount in its unit.
pub(super) fn amount(value: Option<i64>, subject: &SubjectAnswer) -> String {
    let Some(value) = value else { return UNKNOWN.to_owned() };
    match subject.unit.as_str() {
        "bytes" => crate::figures::bytes(u64::try_from(value).unwrap_or(0)),
        "us" => crate::figures::duration(value),
        _ => count(u64::try_from(value).unwrap_or(0)),
    }
}

/// Where a capacity leads.
pub(super) fn outlook(subject: &SubjectAnswer) -> (Tone, String) {
    match subject.outlook {
        Outlook::TooFew => (Tone::Plain, "too few days for a trend".to_owned()),
        Outlook::NoTrend => (Tone::Plain, "no trend".to_owned()),
        Outlook::Falls => (Tone::Plain, "falls".to_owned()),
        Outlook::Rises => (Tone::Plain, "rises; no limit is known".to_owned()),
        Outlook::Far => (Tone::Good, "more than ten years away".to_owned()),
        Outlook::Reached => (Tone::Bad, "the limit is reached".to_owned()),
        Outlook::Reaches { day, earliest, .. } => {
            let likeliest = match day {
                Some(day) => format!("likeliest {day}"),
                None => "likeliest in more than ten years".to_owned(),
            };
            (Tone::Doubtful, format!("{likeliest}, at the earliest {earliest}"))
        }
    }
}

/// Names as people list them: `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_as_people_read_them() {
        for (number, shown) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (44_640, "44,640"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), shown);
        }
        for (s, shown) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (3_600, "1 h"),
            (12_000, "3 h 20 min"),
            (190_000, "2 d 4 h"),
        ] {
            assert_eq!(seconds(Some(s)), shown);
        }
        for ((part, all), shown) in
            [((0, 0), "–"), ((1, 3), "33.33 %"), ((3, 3), "100 %"), ((99_999, 100_000), "99.99 %")]
        {
            assert_eq!(share(part, all), shown);
        }
        assert_eq!(interval_of(98, 1, 1), "98.00 % to 99.00 %");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
