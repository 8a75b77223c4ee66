use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::judge::definition::Stretch;

fn wall(text: &str) -> WallTime {
    text.parse::<Timestamp>().unwrap().into()
}

/// Europe, in a form that needs no files: one hour ahead, two in summer.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

#[test]
fn calendar_windows_begin_at_the_organisations_midnight() {
    for (window, now, start, end, hours) in [
        (
            Window::Month,
            "2026-10-31T22:59:59Z",
            "2026-09-30T22:00:00Z",
            "2026-10-31T23:00:00Z",
            745,
        ),
        (
            Window::Month,
            "2026-10-31T23:00:00Z",
            "2026-10-31T23:00:00Z",
            "2026-11-30T23:00:00Z",
            720,
        ),
        (
            Window::Month,
            "2026-03-15T00:00:00Z",
            "2026-02-28T23:00:00Z",
            "2026-03-31T22:00:00Z",
            743,
        ),
        (
            Window::Quarter,
            "2026-05-15T00:00:00Z",
            "2026-03-31T22:00:00Z",
            "2026-06-30T22:00:00Z",
            2_184,
        ),
        (
            Window::Year,
            "2025-12-31T23:30:00Z",
            "2025-12-31T23:00:00Z",
            "2026-12-31T23:00:00Z",
            8_760,
        ),
        (
            Window::Rolling { days: 7 },
            "2026-10-26T12:00:00Z",
            "2026-10-19T12:00:00Z",
            "2026-10-26T12:00:00Z",
            168,
        ),
    ] {
        let found = range(window, &berlin(), wall(now));
        assert_eq!(found, wall(start)..wall(end), "{window:?} {now}");
        assert_eq!(Stretches::hours_begun([found]).count(), hours, "{window:?} {now}");
    }
}

#[test]
fn business_hours_are_those_of_the_wall_clock() {
    let weekdays =
        (0..5).map(|weekday| Stretch { weekday, from_minute: 8 * 60, until_minute: 18 * 60 });
    let sunday = Stretch { weekday: 6, from_minute: 0, until_minute: 1_440 };
    let hours = BusinessHours {
        weekly: weekdays.chain([sunday]).collect(),
        holidays: vec![jiff::civil::date(2026, 10, 27)],
    };
    // from Friday noon; the clock is put back in the night to Sunday
    let range = wall("2026-10-23T10:00:00Z")..wall("2026-10-28T07:30:00Z");
    let found = in_hours(&hours, &berlin(), &range);
    let expected = [
        ("2026-10-23T10:00:00Z", "2026-10-23T16:00:00Z"),
        ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("2026-10-26T07:00:00Z", "2026-10-26T17:00:00Z"),
        ("2026-10-28T07:00:00Z", "2026-10-28T07:30:00Z"),
    ];
    assert_eq!(found, expected.map(|(from, until)| wall(from)..wall(until)));
    assert_eq!(Stretches::minutes(found.clone()).count(), (6 + 25 + 10) * 60 + 30);
    assert_eq!(Stretches::hours_begun(found.clone()).count(), 6 + 25 + 10 + 1);
    assert_eq!(Stretches::whole_hours(found).count(), 6 + 25 + 10);
}

fn ranges() -> impl Strategy<Value = Vec<Range<u32>>> {
    prop::collection::vec(
        (0..60_u32, 0..12_u32).prop_map(|(start, long)| start..start + long),
        0..9,
    )
}

fn set(stretches: &Stretches) -> BTreeSet<u32> {
    stretches.iter().flatten().collect()
}

proptest! {
    #[test]
    fn stretches_are_sets(a in ranges(), b in ranges(), at in 0..80_u32) {
        let (one, other) = (Stretches::of(a.clone()), Stretches::of(b.clone()));
        let (a, b): (BTreeSet<u32>, BTreeSet<u32>) =
            (a.into_iter().flatten().collect(), b.into_iter().flatten().collect());
        prop_assert_eq!(set(&one), a.clone());
        prop_assert_eq!(one.count(), u64::try_from(a.len()).unwrap());
        prop_assert_eq!(set(&one.and(&other)), a.intersection(&b).copied().collect());
        prop_assert_eq!(set(&one.without(&other)), a.difference(&b).copied().collect());
        prop_assert_eq!(one.has(at), a.contains(&at));
        let counted = (at..at + 9).filter(|number| a.contains(number)).count();
        prop_assert_eq!(one.count_in(&(at..at + 9)), u64::try_from(counted).unwrap());
    }
}
