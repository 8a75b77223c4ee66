//! How an incident is told to people who do not run mail: clauses, names, times, durations.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::judge::engine::family;
use crate::judge::incident::{Expected, FaultBrief, Incident, Kind, Scope};
use crate::text::one_line;

/// Names that a sentence holds.
const MOST_NAMED: usize = 4;

/// `a`, `a and b`, `a, b and c`, `a, b, c, d and 3 more`.
pub fn named(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| one_line(name)).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        all if all.len() > MOST_NAMED + 1 => {
            let told: Vec<&str> = all.iter().take(MOST_NAMED).map(String::as_str).collect();
            format!("{} and {} more", told.join(", "), all.len() - MOST_NAMED)
        }
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// `20 s`, `34 min`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(seconds: i64) -> String {
    let (whole, part) = match seconds.max(0) {
        s @ 0..120 => return format!("{s} s"),
        s @ 120..7_200 => return format!("{} min", (s + 30) / 60),
        s @ 7_200..172_800 => ((s / 3_600, "h"), (s % 3_600 / 60, "min")),
        s => ((s / 86_400, "d"), (s % 86_400 / 3_600, "h")),
    };
    match part.0 {
        0 => format!("{} {}", whole.0, whole.1),
        _ => format!("{} {} {} {}", whole.0, whole.1, part.0, part.1),
    }
}

/// `14:02`, or `14:02 on 22 November` where that is another day than today.
pub(super) fn time(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let format = match (at.date() == now.date(), at.year() == now.year()) {
        (true, _) => "%H:%M",
        (false, true) => "%H:%M on %-d %B",
        (false, false) => "%H:%M on %-d %B %Y",
    };
    at.strftime(format).to_string()
}

/// The main clause now, since a time, and once it is over: `Mail does not work`, `Mail has not worked`, `Mail did not
/// work`.
pub(super) fn clauses(incident: &Incident, what: &str, is_many: bool) -> [String; 3] {
    let was_down = incident.services.values().any(|impact| impact.was_down);
    let (does, has) = if is_many { ("do", "have") } else { ("does", "has") };
    let s = if is_many { "" } else { "s" };
    let of = |now: String, since: String, past: &str| {
        [format!("{what} {now}"), format!("{what} {since}"), format!("{what} {past}")]
    };
    match incident.kind {
        Kind::Outage if was_down => {
            of(format!("{does} not work"), format!("{has} not worked"), "did not work")
        }
        Kind::Outage => of(
            format!("work{s} only in part"),
            format!("{has} worked only in part"),
            "worked only in part",
        ),
        Kind::Flapping => of(
            format!("work{s} only at times"),
            format!("{has} worked only at times"),
            "worked only at times",
        ),
        Kind::Silence => [
            format!("nobody can tell at the moment whether {what} work{s}"),
            format!("nobody has been able to tell whether {what} work{s}"),
            format!("nobody could tell whether {what} worked"),
        ],
        Kind::Burn => of(
            format!("fail{s} more often than agreed"),
            format!("{has} failed more often than agreed"),
            "failed more often than agreed",
        ),
    }
}

/// The same once it is over: `Mail works again`.
pub(super) fn back(incident: &Incident, what: &str, is_many: bool) -> String {
    let verb = |one: &'static str, many: &'static str| if is_many { many } else { one };
    match incident.kind {
        Kind::Outage | Kind::Flapping => format!("{what} {} again", verb("works", "work")),
        Kind::Silence => format!("it can be told again how {what} {}", verb("works", "work")),
        Kind::Burn => format!("{what} {} to what was agreed again", verb("keeps", "keep")),
    }
}

/// What people notice of it, in one sentence.
pub(super) fn effect(incident: &Incident) -> &'static str {
    match incident.kind {
        Kind::Silence => "Mail may well work: it is only that nothing measures it there.",
        Kind::Burn => "Single messages may fail or be late.",
        Kind::Outage | Kind::Flapping => effect_of(&incident.fault),
    }
}

fn effect_of(fault: &FaultBrief) -> &'static str {
    match (family(&fault.phase), fault.class.as_str()) {
        ("tls", _) => {
            "Mail programs cannot connect securely, or warn of it. Please do not click such a warning away."
        }
        ("auth", _) => "Signing in to mail fails.",
        ("arrival" | "submission", "mismatch") => {
            "Messages arrive otherwise than they should, for example as junk."
        }
        ("arrival", _) => "Messages can be sent, but arrive late or not at all.",
        ("submission", _) => "Messages cannot be sent, or only after some time.",
        ("connect" | "resolve", _) => {
            "Mail programs cannot reach the mail system: sending and receiving may fail."
        }
        (_, "mismatch") => "Something is not as it should be.",
        _ => "Some of it fails.",
    }
}

/// `at any site`, or at which: it stands behind what does not work.
pub(super) fn for_whom(incident: &Incident) -> String {
    let still = incident.still_fails_from();
    let is_everywhere = matches!(incident.scope, Scope::Everywhere { sites } if sites > 1);
    let all = incident.sites();
    let sites = if incident.is_live() && !still.is_empty() { still } else { all.clone() };
    if is_everywhere && sites.len() == all.len() {
        return "at any site".to_owned();
    }
    let sites: Vec<&str> = sites.into_iter().filter(|site| !site.is_empty()).collect();
    match (sites.is_empty(), incident.kind) {
        (false, _) => format!("at {}", named(&sites)),
        (true, Kind::Burn) => "over all sites".to_owned(),
        (true, _) => "at some places".to_owned(),
    }
}

/// When it is thought to work again, in one sentence that claims no more than is known.
pub(super) fn expected(incident: &Incident, now: Timestamp, zone: &TimeZone) -> String {
    let works = match incident.kind {
        Kind::Silence => "be measured again",
        Kind::Burn => "keep to what was agreed again",
        Kind::Outage | Kind::Flapping => "work again",
    };
    let unknown = format!("When it will {works} is not known yet");
    let time = |at: Timestamp| time(at, now, zone);
    let like = |of: usize, median_s: i64| match of {
        1 => format!("the one before of this sort lasted {}", duration(median_s)),
        _ => format!(
            "half of the {of} before of this sort lasted no longer than {}",
            duration(median_s)
        ),
    };
    match incident.expected(now) {
        Expected::Unknown => format!("{unknown}."),
        Expected::Stated { by_when } => format!("It is expected to {works} by {}.", time(by_when)),
        Expected::Passed { by_when } => format!(
            "It was expected to {works} by {}; that has passed, and a new time is not known yet.",
            time(by_when)
        ),
        Expected::Likely { by_when, median_s, of } => {
            format!("{unknown}; {}, which would be until {}.", like(of, median_s), time(by_when))
        }
        Expected::Longer { median_s, of } => {
            format!("{unknown}: it lasts longer than usual ({}).", like(of, median_s))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_durations() {
        for (names, told) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "b"], "a and b"),
            (&["a", "b", "c", "d", "e"], "a, b, c, d and e"),
            (&["a", "b", "c", "d", "e", "f"], "a, b, c, d and 2 more"),
        ] {
            assert_eq!(named(names), told);
        }
        for (seconds, told) in [
            (-1, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (2_039, "34 min"),
            (7_200, "2 h"),
            (7_500, "2 h 5 min"),
            (172_800, "2 d"),
            (280_000, "3 d 5 h"),
        ] {
            assert_eq!(duration(seconds), told);
        }
    }
}
