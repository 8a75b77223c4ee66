//! Durations and sizes as people write them: always with a unit.

use std::time::Duration;

/// Reads `"30s"`, `"5m"`, `"1h 30m"`, `"7d"`.
///
/// # Errors
/// What to write instead, to follow the key's name.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if is_bare_number(text) {
        return Err(format!(
            "needs a unit: write \"{text}s\" for seconds, \"{text}m\" for minutes"
        ));
    }
    // humantime would read a capital M as a month, and months and years have no fixed length.
    let letters = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    for unit in letters {
        if !matches!(unit, "us" | "ms" | "s" | "sec" | "m" | "min" | "h" | "d" | "w") {
            return Err(format!(
                "has the unit {unit}, which is not known: use ms, s, m, h or d, such as \"30s\""
            ));
        }
    }
    match humantime::parse_duration(text) {
        Ok(duration) => Ok(duration),
        Err(_) => {
            Err(format!("must be a number and a unit, such as \"30s\" or \"5m\", not \"{text}\""))
        }
    }
}

/// A duration as it would be written: `90s` is `1m30s`.
pub fn duration_text(duration: Duration) -> String {
    const UNITS: [(&str, u128); 6] = [
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
        ("us", 1),
    ];
    let mut rest_us = duration.as_micros();
    let mut text = String::new();
    for (unit, us) in UNITS {
        if rest_us >= us {
            text.push_str(&format!("{}{unit}", rest_us / us));
            rest_us %= us;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads `"64KiB"`, `"256MiB"`, `"1GB"` into bytes.
///
/// # Errors
/// What to write instead, to follow the key's name.
pub fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if is_bare_number(text) {
        return Err(format!("needs a unit: write \"{text}MiB\", or \"{text}B\" for bytes"));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let unit = unit.trim();
    let Some((_, bytes)) = SIZE_UNITS.iter().find(|(known, _)| known.eq_ignore_ascii_case(unit))
    else {
        return Err(format!(
            "must be a whole number and a unit, such as \"256MiB\" or \"64KiB\", not \"{text}\""
        ));
    };
    let number: Option<u64> = number.parse().ok();
    number.and_then(|number| number.checked_mul(*bytes)).ok_or_else(|| {
        format!("must be a whole number and a unit, such as \"256MiB\", not \"{text}\"")
    })
}

/// A size as it would be written: the largest unit that divides it.
pub fn size_text(bytes: u64) -> String {
    for (unit, size) in SIZE_UNITS {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    format!("{bytes}B")
}

/// Reads `"80%"`.
///
/// # Errors
/// What to write instead, to follow the key's name.
pub fn percent(text: &str) -> Result<u8, String> {
    let text = text.trim();
    if is_bare_number(text) {
        return Err(format!("needs its sign: write \"{text}%\""));
    }
    let number = text.strip_suffix('%').map(str::trim_end);
    let digits = number.filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|number| number.parse().ok()).ok_or_else(|| {
        format!("must be a whole number and its sign, such as \"80%\", not \"{text}\"")
    })
}

fn is_bare_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h 30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("7d", Some(604_800_000)),
            ("60", None),
            ("5M", None),
            ("1y", None),
            ("soon", None),
            ("-5s", None),
            ("", None),
            ("999999999999999999999d", None),
        ] {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
        assert_eq!(
            duration("60"),
            Err("needs a unit: write \"60s\" for seconds, \"60m\" for minutes".into())
        );
    }

    #[test]
    fn percents() {
        for (text, expected) in [
            ("80%", Some(80)),
            (" 100 % ", Some(100)),
            ("80", None),
            ("%", None),
            ("+8%", None),
            ("0.5%", None),
            ("300%", None),
        ] {
            assert_eq!(percent(text).ok(), expected, "{text}");
        }
        assert_eq!(percent("80"), Err("needs its sign: write \"80%\"".into()));
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("256MiB", Some(256 << 20)),
            ("64 KiB", Some(64 << 10)),
            ("1GB", Some(1_000_000_000)),
            ("10b", Some(10)),
            ("10", None),
            ("MiB", None),
            ("1.5MiB", None),
            ("99999999999TiB", None),
            ("", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(us in 0_u64..10_000_000_000_000, bytes in 0_u64..u64::MAX) {
            let written = Duration::from_micros(us);
            proptest::prop_assert_eq!(duration(&duration_text(written)), Ok(written));
            proptest::prop_assert_eq!(size(&size_text(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let read = (duration(&text), size(&text));
            proptest::prop_assert!(read.0.is_err() || read.1.is_err(), "nothing is both");
        }
    }
}
