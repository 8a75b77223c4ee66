//! Maintenance windows as an iCalendar object (RFC 5545), for whoever plans around them.
//!
//! One VEVENT a window, and one more (RECURRENCE-ID) for each time that was ended early or made longer. A window that
//! comes again stands in its zone, whose clock changes come along as VTIMEZONE; one that comes once stands in UTC. The
//! same windows always give the same bytes. Absent on purpose: a library, because those that write calendars leave out
//! time zones, or put today's date in them.

use std::collections::BTreeSet;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::judge::planned::{Occurrence, Window, zone};

/// Octets of a line at most, its end not counted (RFC 5545 section 3.1).
const LINE: usize = 75;
/// Clock changes of one zone at most: two a year for as long as a window may come again, and more.
const CHANGES: usize = 64;

/// What a calendar says of a window: a line, and some more.
type Words<'w> = &'w dyn Fn(&Window) -> (String, String);

/// These windows, for those who plan around them.
pub(super) fn of(windows: &[&Window]) -> String {
    let words = |window: &Window| {
        let plan = &window.plan;
        let about = format!("About: {}", plan.scope.words());
        let told = match plan.announcement.as_str() {
            "" => about,
            announcement => format!("{announcement}\n\n{about}"),
        };
        (plan.title.clone(), told)
    };
    told("Maintenance of e-mail", windows, &words)
}

/// These windows in words of somebody else's; the calendar is called so.
pub(in crate::query) fn told(name: &str, windows: &[&Window], words: Words<'_>) -> String {
    let mut text = Lines::default();
    text.line("BEGIN:VCALENDAR");
    text.line("VERSION:2.0");
    text.line(concat!("PRODID:-//Mailsonde//", env!("CARGO_PKG_VERSION"), "//EN"));
    text.line("CALSCALE:GREGORIAN");
    text.line("METHOD:PUBLISH");
    text.line(&format!("X-WR-CALNAME:{}", escaped(name)));
    let zones: BTreeSet<&str> = windows.iter().filter_map(|window| zone_of(window)).collect();
    for name in zones {
        time_zone(&mut text, name, windows);
    }
    for window in windows {
        events(&mut text, window, words);
    }
    text.line("END:VCALENDAR");
    text.0
}

/// The zone in which a window stands; `None` for UTC.
fn zone_of(window: &Window) -> Option<&str> {
    let name = window.plan.time_zone.as_str();
    (window.plan.every.is_some() && name != "UTC").then_some(name)
}

/// A window, and each time of it that became another than it was planned.
fn events(text: &mut Lines, window: &Window, words: Words<'_>) {
    let Some(planned) = window.plan.times().ok().filter(|planned| !planned.is_empty()) else {
        return;
    };
    let first = planned.first().copied();
    let is_off = window.cancelled_at.is_some() && window.times().is_empty();
    if let Some(first) = first {
        let first =
            if window.plan.every.is_none() { window.times().first().copied() } else { None }
                .unwrap_or(first);
        event(text, window, (first, None), is_off, words);
    }
    if window.plan.every.is_none() {
        return;
    }
    for time in window.times() {
        let as_planned = planned.iter().find(|planned| planned.until > time.from);
        match as_planned {
            Some(as_planned) if as_planned != time => {
                event(text, window, (*time, Some(*as_planned)), false, words);
            }
            _ => {}
        }
    }
}

fn event(
    text: &mut Lines,
    window: &Window,
    (time, instead_of): (Occurrence, Option<Occurrence>),
    is_off: bool,
    words: Words<'_>,
) {
    let plan = &window.plan;
    let zone = zone_of(window);
    let changed_at = window.history.last().map_or(window.planned_at, |change| change.at);
    text.line("BEGIN:VEVENT");
    // No other collector gives this number at the same nanosecond.
    text.line(&format!("UID:w{}-{:x}@mailsonde", window.number, window.planned_at.as_ns()));
    text.line(&format!("DTSTAMP:{}", utc(changed_at.timestamp())));
    text.line(&format!("LAST-MODIFIED:{}", utc(changed_at.timestamp())));
    text.line(&format!("CREATED:{}", utc(window.planned_at.timestamp())));
    text.line(&format!("SEQUENCE:{}", window.history.len().saturating_sub(1)));
    if let Some(instead_of) = instead_of {
        text.line(&stamped("RECURRENCE-ID", instead_of.from.timestamp(), zone));
    }
    text.line(&stamped("DTSTART", time.from.timestamp(), zone));
    text.line(&stamped("DTEND", time.until.timestamp(), zone));
    if let Some(every) = plan.every.as_deref().filter(|_| instead_of.is_none()) {
        text.line(&format!("RRULE:{}", rule(every, window)));
    }
    let (title, told) = words(window);
    text.line(&format!("SUMMARY:{}", escaped(&title)));
    if !told.is_empty() {
        text.line(&format!("DESCRIPTION:{}", escaped(&told)));
    }
    text.line("CATEGORIES:MAINTENANCE");
    text.line(if is_off { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
    text.line("TRANSP:TRANSPARENT");
    text.line("END:VEVENT");
}

/// The rule as it was planned; of a window that was called off, until then. Its UNTIL is in UTC where the beginning
/// has a zone (RFC 5545 section 3.3.10).
fn rule(every: &str, window: &Window) -> String {
    let whole = every.trim().to_ascii_uppercase();
    let whole = whole.strip_prefix("RRULE:").unwrap_or(&whole).to_owned();
    let last = match window.cancelled_at {
        Some(cancelled) if !window.times().is_empty() => Some(cancelled.timestamp()),
        _ if whole.contains("UNTIL=") => {
            let planned = window.plan.times().unwrap_or_default();
            planned.last().map(|last| last.from.timestamp())
        }
        _ => None,
    };
    let Some(last) = last else { return whole };
    let is_kept = |part: &&str| !part.starts_with("UNTIL=") && !part.starts_with("COUNT=");
    let mut parts: Vec<_> = whole.split(';').filter(is_kept).map(str::to_owned).collect();
    parts.push(format!("UNTIL={}", utc(last)));
    parts.join(";")
}

/// A zone's clock changes, from the one before the first window that stands in it to the one after the last.
fn time_zone(text: &mut Lines, name: &str, windows: &[&Window]) {
    let Ok(zone) = zone(name) else { return };
    let here = windows.iter().filter(|window| zone_of(window) == Some(name));
    let times = here.flat_map(|window| window.plan.times().unwrap_or_default());
    let (mut first, mut last): (Option<Timestamp>, Option<Timestamp>) = (None, None);
    for time in times {
        let (from, until) = (time.from.timestamp(), time.until.timestamp());
        first = Some(first.map_or(from, |first| first.min(from)));
        last = Some(last.map_or(until, |last| last.max(until)));
    }
    let (Some(first), Some(last)) = (first, last) else { return };
    text.line("BEGIN:VTIMEZONE");
    text.line(&format!("TZID:{name}"));
    let before = zone.preceding(first).next();
    match before {
        Some(change) => observance(text, &zone, change.timestamp()),
        None => always(text, &zone, first),
    }
    for change in zone.following(first).take(CHANGES).take_while(|it| it.timestamp() <= last) {
        observance(text, &zone, change.timestamp());
    }
    text.line("END:VTIMEZONE");
}

/// What holds from a clock change on (RFC 5545 section 3.6.5): its beginning in the civil time before it.
fn observance(text: &mut Lines, zone: &TimeZone, at: Timestamp) {
    let just_before = at.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(at);
    let (from, to) = (zone.to_offset(just_before), zone.to_offset_info(at));
    let kind = if to.dst().is_dst() { "DAYLIGHT" } else { "STANDARD" };
    text.line(&format!("BEGIN:{kind}"));
    text.line(&format!("DTSTART:{}", from.to_datetime(at).strftime("%Y%m%dT%H%M%S")));
    text.line(&format!("TZOFFSETFROM:{}", offset(from)));
    text.line(&format!("TZOFFSETTO:{}", offset(to.offset())));
    text.line(&format!("TZNAME:{}", to.abbreviation()));
    text.line(&format!("END:{kind}"));
}

/// Of a zone without clock changes.
fn always(text: &mut Lines, zone: &TimeZone, at: Timestamp) {
    let info = zone.to_offset_info(at);
    text.line("BEGIN:STANDARD");
    text.line("DTSTART:19700101T000000");
    text.line(&format!("TZOFFSETFROM:{}", offset(info.offset())));
    text.line(&format!("TZOFFSETTO:{}", offset(info.offset())));
    text.line(&format!("TZNAME:{}", info.abbreviation()));
    text.line("END:STANDARD");
}

/// `+0200`; with seconds where there are some (RFC 5545 section 3.3.14).
fn offset(offset: Offset) -> String {
    let s = offset.seconds();
    let (sign, s) = (if s < 0 { '-' } else { '+' }, s.unsigned_abs());
    let rest = if s % 60 == 0 { String::new() } else { format!("{:02}", s % 60) };
    format!("{sign}{:02}{:02}{rest}", s / 3_600, s / 60 % 60)
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A property that is a time: in a zone, or in UTC.
fn stamped(name: &str, at: Timestamp, in_zone: Option<&str>) -> String {
    let zoned = in_zone.and_then(|name| Some((name, zone(name).ok()?)));
    match zoned {
        Some((zone_name, zone)) => {
            let civil = at.to_zoned(zone).strftime("%Y%m%dT%H%M%S").to_string();
            format!("{name};TZID={zone_name}:{civil}")
        }
        None => format!("{name}:{}", utc(at)),
    }
}

/// Text as a value (RFC 5545 section 3.3.11); control characters have no place in it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Content lines, folded (RFC 5545 section 3.1).
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        let mut octets = 0;
        for c in line.chars() {
            if octets + c.len_utf8() > LINE {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(c);
            octets += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests;
