//! Figures as people read them: durations, times, shares; the same on a terminal and on a page.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Nothing is known.
pub(crate) const UNKNOWN: &str = "–";

/// `850 µs`, `4.2 ms`, `24 ms`, `1.24 s`, `12.4 s`, `2 min 5 s`; three digits at most.
pub(crate) fn duration(us: i64) -> String {
    let sign = if us < 0 { "−" } else { "" };
    let us = us.unsigned_abs();
    let figure = match us {
        0..1_000 => format!("{us} µs"),
        1_000..9_950 => tenths(us, 1_000, "ms"),
        9_950..999_500 => format!("{} ms", (us + 500) / 1_000),
        999_500..9_995_000 => {
            let hundredths = (us + 5_000) / 10_000;
            format!("{}.{:02} s", hundredths / 100, hundredths % 100)
        }
        9_995_000..59_950_000 => tenths(us, 1_000_000, "s"),
        _ => {
            let s = (us + 500_000) / 1_000_000;
            format!("{} min {} s", s / 60, s % 60)
        }
    };
    format!("{sign}{figure}")
}

fn tenths(us: u64, unit_us: u64, unit: &str) -> String {
    let tenths = (us * 10 + unit_us / 2) / unit_us;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A duration that may be unknown.
pub(crate) fn maybe(us: Option<i64>) -> String {
    us.map_or_else(|| UNKNOWN.to_owned(), duration)
}

/// `12 s`, `34 min`, `5 h`, `3 d`: how long, roughly.
pub(crate) fn roughly(from: Timestamp, to: Timestamp) -> String {
    let s = to.as_second().saturating_sub(from.as_second()).max(0);
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// `14:02` today, `Nov 22 14:02` this year, `2025-11-22 14:02` otherwise.
pub(crate) fn time(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let format = if at.date() == now.date() {
        "%H:%M"
    } else if at.year() == now.year() {
        "%b %-d %H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    at.strftime(format).to_string()
}

/// `14:02:07`, with the day when it is not today's.
pub(crate) fn time_to_the_second(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    format!("{}{}", time(at, now, zone), zoned.strftime(":%S"))
}

/// `14:02 (12 min)`.
pub(crate) fn since(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    format!("{} ({})", time(at, now, zone), roughly(at, now))
}

/// A share as per cent, rounded towards 0, so that 100 % means all: `99.93 %`.
pub(crate) fn percent(share: f64) -> String {
    // A share has at most nine digits after the point: what the float adds is less than that.
    let hundredths = (share * 10_000.0 + 1e-6).floor();
    if hundredths >= 10_000.0 { "100 %".into() } else { format!("{:.2} %", hundredths / 100.0) }
}

/// `60 s`, `5 min`: a cadence, exactly.
pub(crate) fn cadence(us: u64) -> String {
    humantime::format_duration(std::time::Duration::from_micros(us)).to_string()
}

/// `1.2 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut tenths = bytes.saturating_mul(10);
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if tenths < 10_240 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10).replace(".0 ", " ");
        }
        tenths /= 1_024;
    }
    format!("{} TiB", tenths / 10)
}

/// `99.93 %` where that is all there is to say, `98.10 % to 99.95 %` where too little is known.
pub(crate) fn between(lower: f64, upper: f64) -> String {
    let (lower, upper) = (percent(lower), percent(upper));
    if lower == upper { lower } else { format!("{lower} to {upper}") }
}

/// `1 site`, `3 sites`: of words whose plural ends in s.
pub(crate) fn plural(many: usize, what: &str) -> String {
    if many == 1 { format!("1 {what}") } else { format!("{many} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (us, expected) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (4_249, "4.2 ms"),
            (9_949, "9.9 ms"),
            (9_950, "10 ms"),
            (24_310, "24 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (1_239_999, "1.24 s"),
            (12_400_000, "12.4 s"),
            (59_949_999, "59.9 s"),
            (59_950_000, "1 min 0 s"),
            (125_000_000, "2 min 5 s"),
            (-500, "−500 µs"),
        ] {
            assert_eq!(duration(us), expected, "{us}");
        }
    }

    #[test]
    fn all_is_all_and_nothing_less() {
        for (share, expected) in [
            (1.0, "100 %"),
            (0.999_99, "99.99 %"),
            (0.9993, "99.93 %"),
            (0.57, "57.00 %"),
            (0.0, "0.00 %"),
        ] {
            assert_eq!(percent(share), expected, "{share}");
        }
    }

    #[test]
    fn times() {
        let now: Timestamp = "2026-11-23T14:14:20Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-23T14:02:00Z", "14:02 (12 min)"),
            ("2026-11-23T14:14:00Z", "14:14 (20 s)"),
            ("2026-11-22T23:59:59Z", "Nov 22 23:59 (14 h)"),
            ("2025-12-31T00:00:00Z", "2025-12-31 00:00 (327 d)"),
            ("2026-11-23T14:15:00Z", "14:15 (0 s)"),
        ] {
            assert_eq!(since(at.parse().unwrap(), now, &TimeZone::UTC), expected);
        }
    }

    #[test]
    fn sizes() {
        for (count, expected) in
            [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (256 << 20, "256 MiB")]
        {
            assert_eq!(bytes(count), expected);
        }
    }
}
