//! Business hours as operators write them: `mon-fri 08:00-18:00`.

use crate::config::section::Section;
use crate::judge::definition::{BusinessHours, Stretch};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The minutes of a day.
const DAY: u16 = 24 * 60;
/// Lines of hours at most.
const MAX_LINES: usize = 50;
/// Days without hours at most.
const MAX_HOLIDAYS: usize = 1_000;

const FORM: &str =
    "must be days and hours, such as \"mon-fri 08:00-18:00\" or \"sat,sun 09:00-24:00\"";

/// A service's hours; `None` where it has none of its own.
pub(super) fn read(section: &mut Section<'_>) -> Option<BusinessHours> {
    let lines = section.list("hours", MAX_LINES, stretches);
    let mut weekly: Vec<_> = lines.into_iter().flat_map(|(_, stretches)| stretches).collect();
    weekly.sort_unstable();
    let overlap = weekly
        .iter()
        .zip(weekly.iter().skip(1))
        .find(|(one, next)| one.weekday == next.weekday && next.from_minute < one.until_minute);
    if let Some((_, next)) = overlap {
        let day = day(next.weekday);
        section.wrong("hours", format!("hours overlap on {day}: write each hour of it once"));
    }
    let date = |text: &str| {
        let form = "must be dates, such as \"2026-12-25\"";
        text.parse::<jiff::civil::Date>().map_err(|_no_date| form)
    };
    let mut holidays: Vec<_> =
        section.list("holidays", MAX_HOLIDAYS, date).into_iter().map(|(_, date)| date).collect();
    holidays.sort_unstable();
    holidays.dedup();
    if section.has("holidays") && !section.has("hours") {
        section.wrong("holidays", "holidays are days without hours: say hours as well");
    }
    if section.is_empty("hours") {
        section.wrong("hours", format!("hours {FORM}"));
    }
    (!weekly.is_empty()).then_some(BusinessHours { weekly, holidays })
}

/// What one line says; hours past midnight belong to the next day.
fn stretches(line: &str) -> Result<Vec<Stretch>, &'static str> {
    let (days, hours) = line.trim().split_once(char::is_whitespace).ok_or(FORM)?;
    let (from, until) = hours.trim().split_once('-').ok_or(FORM)?;
    let (from, until) = (minute(from)?, minute(until)?);
    if from == DAY || from == until {
        return Err(FORM);
    }
    let mut found = Vec::new();
    for weekday in weekdays(days)? {
        let mut add = |weekday, from_minute, until_minute| {
            if from_minute < until_minute {
                found.push(Stretch { weekday, from_minute, until_minute });
            }
        };
        if from < until {
            add(weekday, from, until);
        } else {
            add(weekday, from, DAY);
            add((weekday + 1) % 7, 0, until);
        }
    }
    Ok(found)
}

fn minute(text: &str) -> Result<u16, &'static str> {
    let (hour, minute) = text.trim().split_once(':').ok_or(FORM)?;
    let number = |digits: &str| {
        let is_form = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| is_form).ok_or(FORM)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let of_day = hour * 60 + minute;
    if minute < 60 && of_day <= DAY { Ok(of_day) } else { Err(FORM) }
}

fn weekdays(text: &str) -> Result<Vec<u8>, &'static str> {
    let of = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        (0_u8..).zip(DAYS).find(|(_, day)| *day == name).map(|(weekday, _)| weekday).ok_or(FORM)
    };
    let mut found = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (of(first)?, of(last)?);
        let length = (last + 7 - first) % 7;
        found.extend((0..=length).map(|offset| (first + offset) % 7));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn day(weekday: u8) -> &'static str {
    DAYS.get(usize::from(weekday)).copied().unwrap_or("?")
}

/// The same as text: `mon-fri 08:00-18:00`, one for each stretch that days share.
pub(super) fn shown(hours: &BusinessHours) -> Vec<String> {
    let mut times: Vec<(u16, u16)> = Vec::new();
    for Stretch { from_minute, until_minute, .. } in &hours.weekly {
        if !times.contains(&(*from_minute, *until_minute)) {
            times.push((*from_minute, *until_minute));
        }
    }
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let line = |(from, until): (u16, u16)| {
        let is_then = |s: &&Stretch| (s.from_minute, s.until_minute) == (from, until);
        let days: Vec<u8> = hours.weekly.iter().filter(is_then).map(|s| s.weekday).collect();
        format!("{} {}-{}", days_shown(&days), clock(from), clock(until))
    };
    times.into_iter().map(line).collect()
}

fn days_shown(days: &[u8]) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for weekday in days {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *weekday => *last = *weekday,
            _ => runs.push((*weekday, *weekday)),
        }
    }
    let run = |(first, last): (u8, u8)| match last - first {
        0 => day(first).to_owned(),
        1 => format!("{},{}", day(first), day(last)),
        _ => format!("{}-{}", day(first), day(last)),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_and_what_they_say() {
        for (line, shown_as) in [
            ("mon-fri 08:00-18:00", "mon-fri 08:00-18:00"),
            ("Sat  8:00 - 12:30", "sat 08:00-12:30"),
            ("mon,wed 09:00-17:00", "mon,wed 09:00-17:00"),
            ("mon-sun 00:00-24:00", "mon-sun 00:00-24:00"),
            ("fri-mon 10:00-11:00", "mon,fri-sun 10:00-11:00"),
            ("sun 22:00-06:00", "sun 22:00-24:00; mon 00:00-06:00"),
            ("mon 22:00-00:00", "mon 22:00-24:00"),
        ] {
            let weekly = stretches(line).unwrap();
            let hours = BusinessHours { weekly, holidays: vec![] };
            assert_eq!(shown(&hours).join("; "), shown_as, "{line}");
        }
        for line in [
            "",
            "mon",
            "08:00-18:00",
            "mon 08:00",
            "mon 08-18",
            "mon 24:00-06:00",
            "mon 08:60-09:00",
            "mon 08:00-08:00",
            "mon 08:00-25:00",
            "mon +8:00-09:00",
            "mo 08:00-09:00",
            "mon- 08:00-09:00",
            "mon 08:00-09:00 tue",
        ] {
            assert_eq!(stretches(line), Err(FORM), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(
            first in 0_usize..7, last in 0_usize..7, from in 0_u16..DAY, length in 1_u16..DAY
        ) {
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let until = clock((from + length) % DAY);
            let line = format!("{}-{} {}-{until}", DAYS[first], DAYS[last], clock(from));
            let mut weekly = stretches(&line).unwrap();
            weekly.sort_unstable();
            let minutes: u32 =
                weekly.iter().map(|s| u32::from(s.until_minute - s.from_minute)).sum();
            let days = u32::try_from((last + 7 - first) % 7 + 1).unwrap();
            prop_assert_eq!(minutes, days * u32::from(length));
            let lines = shown(&BusinessHours { weekly: weekly.clone(), holidays: vec![] });
            let mut again: Vec<_> =
                lines.iter().flat_map(|line| stretches(line).unwrap()).collect();
            again.sort_unstable();
            prop_assert_eq!(again, weekly);
        }
    }
}
