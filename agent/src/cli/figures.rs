//! Durations as people like to read them: three digits and a unit.

/// `420 µs`, `4.21 ms`, `24.1 ms`, `842 ms`, `1.84 s`, `2m04s`; negative ones with a sign.
pub(crate) fn duration(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let size = us.unsigned_abs();
    let text = match size {
        0..1_000 => format!("{size} µs"),
        1_000..9_995 => format!("{} ms", decimal(size, 1_000, 100)),
        9_995..99_950 => format!("{} ms", decimal(size, 1_000, 10)),
        99_950..999_500 => format!("{} ms", decimal(size, 1_000, 1)),
        999_500..9_995_000 => format!("{} s", decimal(size, 1_000_000, 100)),
        9_995_000..59_950_000 => format!("{} s", decimal(size, 1_000_000, 10)),
        _ => {
            let seconds = size.saturating_add(500_000) / 1_000_000;
            format!("{}m{:02}s", seconds / 60, seconds % 60)
        }
    };
    format!("{sign}{text}")
}

/// `size / unit`, rounded to one part in `parts` (1, 10 or 100) of the unit.
fn decimal(size: u64, unit: u64, parts: u64) -> String {
    let step = unit / parts;
    let steps = (size + step / 2) / step;
    match parts {
        1 => steps.to_string(),
        10 => format!("{}.{}", steps / 10, steps % 10),
        _ => format!("{}.{:02}", steps / 100, steps % 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        for (us, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (4_213, "4.21 ms"),
            (9_994, "9.99 ms"),
            (9_995, "10.0 ms"),
            (24_149, "24.1 ms"),
            (99_950, "100 ms"),
            (842_499, "842 ms"),
            (999_500, "1.00 s"),
            (59_949_999, "59.9 s"),
            (59_950_000, "1m00s"),
            (124_400_000, "2m04s"),
            (-500_000, "-500 ms"),
            (i64::MIN, "-153722867280m55s"),
        ] {
            assert_eq!(duration(us), text, "{us}");
        }
    }
}
