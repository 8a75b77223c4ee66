//! Dates of headers (RFC 5322 section 3.3), with the obsolete forms (section 4.3) and those of C's
//! `ctime` and of RFC 3339, which old and odd servers write.

use jiff::civil;
use mailsonde_proto::WallTime;

/// Reads a date; `None` when it is none. Without a zone it is taken for UTC, as `-0000` is.
pub fn date(text: &str) -> Option<WallTime> {
    let text: String = without_comments(text).chars().take(100).collect();
    if let Ok(timestamp) = text.trim().parse::<jiff::Timestamp>() {
        return Some(timestamp.into());
    }
    let mut parts = Parts::default();
    for word in text.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
        parts.take(word);
    }
    parts.time()
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(char),
            _ => {}
        }
    }
    kept
}

#[derive(Debug, Default)]
struct Parts {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    time: Option<civil::Time>,
    offset_s: Option<i64>,
}

impl Parts {
    fn take(&mut self, word: &str) {
        if word.contains(':') {
            self.time = self.time.or_else(|| clock(word));
        } else if self.time.is_some() && self.offset_s.is_none() && zone(word).is_some() {
            self.offset_s = zone(word);
        } else if let Some(month) = month(word) {
            self.month = self.month.or(Some(month));
        } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
            if self.day.is_none() && word.len() <= 2 {
                self.day = word.parse().ok();
            } else if self.year.is_none() {
                self.year = year(word);
            }
        } else if let [day, name, of] = word.split('-').collect::<Vec<_>>().as_slice() {
            // 24-Nov-2025
            self.day = self.day.or(day.parse().ok());
            self.month = self.month.or(month(name));
            self.year = self.year.or(year(of));
        }
    }

    fn time(&self) -> Option<WallTime> {
        let date = civil::Date::new(self.year?, self.month?, self.day?).ok()?;
        let offset = i32::try_from(self.offset_s.unwrap_or(0)).ok()?;
        let offset = jiff::tz::Offset::from_seconds(offset).ok()?;
        let timestamp = offset.to_timestamp(date.to_datetime(self.time?)).ok()?;
        Some(timestamp.into())
    }
}

/// `16:00`, `16:00:00`, `16:00:60` (a leap second), `16:00:00.123`.
fn clock(word: &str) -> Option<civil::Time> {
    let mut parts = word.split(':');
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let (second, fraction) = match parts.next() {
        None => ("0", ""),
        Some(second) => second.split_once('.').unwrap_or((second, "")),
    };
    let second = second.parse::<i8>().ok()?.min(59);
    let nanoseconds = if fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{fraction:0<9}").get(..9)?.parse().ok()?
    } else {
        0
    };
    civil::Time::new(hour, minute, second, nanoseconds).ok()
}

/// Two digits mean 1950 to 2049, three count from 1900 (RFC 5322 section 4.3).
fn year(word: &str) -> Option<i16> {
    let year: i16 = word.parse().ok()?;
    match (word.len(), year) {
        (2, 0..50) => Some(2_000 + year),
        (2 | 3, _) => Some(1_900 + year),
        (4, _) => Some(year),
        _ => None,
    }
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| *month == start)?;
    i8::try_from(at + 1).ok()
}

/// `+0130`, `GMT`, the names of RFC 5322 section 4.3 and a few more that mean one thing, military letters,
/// which mean nothing (that section says -0000). In seconds east.
fn zone(word: &str) -> Option<i64> {
    if let Some(digits) = word.strip_prefix(['+', '-']) {
        let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
        let seconds = (number / 100 * 60 + number % 100) * 60;
        return Some(if word.starts_with('-') { -seconds } else { seconds });
    }
    let hours = match word.to_ascii_uppercase().as_str() {
        "UT" | "UTC" | "GMT" => 0,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "CET" | "MET" => 1,
        "CEST" | "MEST" => 2,
        "JST" => 9,
        word if word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_uppercase()) => 0,
        _ => return None,
    };
    Some(hours * 3_600)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_of_all_forms() {
        for (text, expected) in [
            ("Mon, 24 Nov 2025 16:00:00 +0000", Some(0)),
            ("Mon, 24 Nov 2025 08:00:00 -0800 (PST)", Some(0)),
            ("24 Nov 2025 17:30:00 +0130", Some(0)),
            ("Mon, 24 Nov 2025 16:00:00 -0000", Some(0)),
            ("Mon,24 Nov 2025 16:00:01 GMT", Some(1)),
            ("Mon, 24 Nov 25 11:00 EST", Some(0)),
            ("Mon, 24 Nov 125 16:00:00 Z", Some(0)),
            ("Mon Nov 24 16:00:00 2025", Some(0)),
            ("Mon Nov 24 08:00:00 PST 2025", Some(0)),
            ("Mon, 24 Nov 2025 16 (four (o'clock)) :00", None),
            ("Mon,  24 November 2025 16:00:60 UT", Some(59)),
            ("24-Nov-2025 16:00:02 +0000", Some(2)),
            ("2025-11-24T16:00:03Z", Some(3)),
            ("2025-11-24T17:00:03+01:00", Some(3)),
            ("Mon, 24 Nov 2025 16:00:00.250 +0000", Some(0)),
            ("Mon, 31 Feb 2025 16:00:00 +0000", None),
            ("Mon, 24 Nov 2025 25:00:00 +0000", None),
            ("Mon, 24 Nov 2025 16:00:00 +9999", None),
            ("24 Nov 2025", None),
            ("", None),
        ] {
            let seen = date(text).map(|time| time.as_us().div_euclid(1_000_000) - 1_764_000_000);
            assert_eq!(seen, expected, "{text}");
        }
        let fraction = date("Mon, 24 Nov 2025 16:00:00.250 +0000").unwrap();
        assert_eq!(fraction.as_us() % 1_000_000, 250_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_text_panics(
            text in "((Mon, )?[0-9]{1,3}[ -](Nov|Feb|\\PC)[ -][0-9]{1,5} [0-9]{1,3}:[0-9]{1,3}(:[0-9]{1,3}(\\.[0-9]{0,12})?)?( [+-][0-9]{3,5}| [A-Z]{1,4})?( \\(.{0,3})?|[A-Za-z0-9:+., ()-]{0,30}|\\PC{0,12})",
        ) {
            if let Some(read) = date(&text) {
                let year = read.to_string().get(..5).unwrap_or_default().to_owned();
                prop_assert!(year.starts_with(|c: char| c.is_ascii_digit() || c == '-'), "{year}");
            }
        }
    }
}
