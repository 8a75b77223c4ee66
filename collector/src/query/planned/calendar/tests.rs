//! Calendars, read back by a parser that is not ours.

use icalendar::{Calendar, CalendarComponent, Component};
use mailsonde_proto::WallTime;

use super::*;
use crate::judge::planned::{Planned, PlannedAction, Scope, WindowPlan};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn plan(title: &str, from: &str, every: Option<&str>, time_zone: &str) -> WindowPlan {
    WindowPlan {
        title: title.into(),
        announcement: String::new(),
        scope: Scope { services: vec!["mail".into()], ..Scope::default() },
        from: at(from),
        length_s: 7_200,
        every: every.map(str::to_owned),
        time_zone: time_zone.into(),
        acceptance: vec![],
        by: "ann".into(),
    }
}

fn by_ann(action: fn(u64, String) -> PlannedAction) -> PlannedAction {
    action(1, "ann".into())
}

fn calendar(doings: &[(&str, PlannedAction)]) -> String {
    let mut planned = Planned::default();
    for (when, action) in doings {
        planned.apply(WallTime::from(at(when)), action);
    }
    of(&planned.windows().iter().collect::<Vec<_>>())
}

/// The properties of each event.
fn events(text: &str, properties: &[&str]) -> Vec<String> {
    let read: Calendar = text.parse().unwrap();
    let line = |component: &CalendarComponent| {
        let CalendarComponent::Event(event) = component else { return None };
        let shown = |name: &&str| {
            let property = event.properties().get(*name)?;
            let zone = property.params().get("TZID").map(|zone| format!("{} ", zone.value()));
            Some(format!("{name} {}{}", zone.unwrap_or_default(), property.value()))
        };
        Some(properties.iter().filter_map(shown).collect::<Vec<_>>().join("; "))
    };
    read.components.iter().filter_map(line).collect()
}

const WHEN: [&str; 5] = ["RECURRENCE-ID", "DTSTART", "DTEND", "RRULE", "STATUS"];

#[test]
fn one_window_is_one_event_in_utc() {
    let mut once = plan("disks; a, b\\c", "2026-12-01T20:00:00Z", None, "Africa/Johannesburg");
    once.announcement = "No mail from 22:00.\nThanks — wir bedauern die Unannehmlichkeiten, die dadurch entstehen: äöü".into();
    let text = calendar(&[("2026-11-29T10:00:00Z", PlannedAction::Window(once))]);
    insta::assert_snapshot!(text.replace("\r\n", "\n"), @r"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//Mailsonde//0.1.0//EN
    CALSCALE:GREGORIAN
    METHOD:PUBLISH
    X-WR-CALNAME:Maintenance of e-mail
    BEGIN:VEVENT
    UID:w1-18ec7bbc47a44000@mailsonde
    DTSTAMP:20261129T100000Z
    LAST-MODIFIED:20261129T100000Z
    CREATED:20261129T100000Z
    SEQUENCE:0
    DTSTART:20261201T200000Z
    DTEND:20261201T220000Z
    SUMMARY:disks\; a\, b\\c
    DESCRIPTION:No mail from 22:00.\nThanks — wir bedauern die Unannehmlichke
     iten\, die dadurch entstehen: äöü\n\nAbout: mail
    CATEGORIES:MAINTENANCE
    STATUS:CONFIRMED
    TRANSP:TRANSPARENT
    END:VEVENT
    END:VCALENDAR
    ");
    assert!(text.lines().all(|line| line.len() <= LINE));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    let read: Calendar = text.parse().unwrap();
    let CalendarComponent::Event(event) = &read.components[0] else { panic!("{text}") };
    assert_eq!(event.get_summary(), Some("disks; a, b\\c"));
    assert!(event.get_description().unwrap().contains("Mail".to_lowercase().as_str()));
    assert!(event.get_description().unwrap().contains(".\nThanks"));
}

#[test]
fn a_window_that_comes_again_stands_in_its_zone() {
    let every = Some("FREQ=WEEKLY;BYDAY=SU;UNTIL=20270430");
    let weekly = plan("patches", "2027-03-07T21:00:00Z", every, "Europe/Berlin");
    let text = calendar(&[
        ("2026-11-29T10:00:00Z", PlannedAction::Window(weekly)),
        (
            "2027-03-14T22:00:00Z",
            PlannedAction::WindowExtended {
                window: 1,
                until: at("2027-03-15T00:00:00Z"),
                by: "ann".into(),
            },
        ),
        ("2027-04-04T21:00:00Z", by_ann(|window, by| PlannedAction::WindowEnded { window, by })),
    ]);
    assert_eq!(
        events(&text, &WHEN),
        [
            "DTSTART Europe/Berlin 20270307T220000; DTEND Europe/Berlin 20270308T000000; \
             RRULE FREQ=WEEKLY;BYDAY=SU;UNTIL=20270425T200000Z; STATUS CONFIRMED",
            "RECURRENCE-ID Europe/Berlin 20270314T220000; DTSTART Europe/Berlin 20270314T220000; \
             DTEND Europe/Berlin 20270315T010000; STATUS CONFIRMED",
            "RECURRENCE-ID Europe/Berlin 20270404T220000; DTSTART Europe/Berlin 20270404T220000; \
             DTEND Europe/Berlin 20270404T230000; STATUS CONFIRMED",
        ]
    );
    let zone = text.split("BEGIN:VTIMEZONE").nth(1).unwrap().split("END:VTIMEZONE").next().unwrap();
    insta::assert_snapshot!(zone.replace("\r\n", "\n"), @r"

    TZID:Europe/Berlin
    BEGIN:STANDARD
    DTSTART:20261025T030000
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    TZNAME:CET
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:20270328T020000
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0200
    TZNAME:CEST
    END:DAYLIGHT
    ");
}

#[test]
fn what_is_called_off_says_so() {
    let cancel = || by_ann(|window, by| PlannedAction::WindowCancelled { window, by });
    let once = || PlannedAction::Window(plan("disks", "2026-12-01T20:00:00Z", None, "UTC"));
    let weekly = plan("patches", "2026-12-06T20:00:00Z", Some("FREQ=WEEKLY;COUNT=9"), "UTC");
    let weekly = || PlannedAction::Window(weekly.clone());
    let planned = "2026-11-29T10:00:00Z";
    for (doings, expected) in [
        (
            vec![(planned, once()), ("2026-11-30T00:00:00Z", cancel())],
            vec!["DTSTART 20261201T200000Z; DTEND 20261201T220000Z; STATUS CANCELLED"],
        ),
        (
            vec![(planned, once()), ("2026-12-01T21:00:00Z", cancel())],
            vec!["DTSTART 20261201T200000Z; DTEND 20261201T210000Z; STATUS CONFIRMED"],
        ),
        (
            vec![(planned, weekly()), ("2026-11-30T00:00:00Z", cancel())],
            vec![
                "DTSTART 20261206T200000Z; DTEND 20261206T220000Z; RRULE FREQ=WEEKLY;COUNT=9; \
                 STATUS CANCELLED",
            ],
        ),
        (
            vec![(planned, weekly()), ("2026-12-13T21:00:00Z", cancel())],
            vec![
                "DTSTART 20261206T200000Z; DTEND 20261206T220000Z; \
                 RRULE FREQ=WEEKLY;UNTIL=20261213T210000Z; STATUS CONFIRMED",
                "RECURRENCE-ID 20261213T200000Z; DTSTART 20261213T200000Z; \
                 DTEND 20261213T210000Z; STATUS CONFIRMED",
            ],
        ),
    ] {
        assert_eq!(events(&calendar(&doings), &WHEN), expected);
    }
}

#[test]
fn a_window_keeps_its_name_and_counts_its_changes() {
    let once = || PlannedAction::Window(plan("disks", "2026-12-01T20:00:00Z", None, "UTC"));
    let longer = PlannedAction::WindowExtended {
        window: 1,
        until: at("2026-12-01T23:00:00Z"),
        by: "ann".into(),
    };
    let planned = "2026-11-29T10:00:00Z";
    let named = |doings: &[_]| events(&calendar(doings), &["UID", "SEQUENCE", "DTEND"]);
    let before = named(&[(planned, once())]);
    let after = named(&[(planned, once()), ("2026-11-30T00:00:00Z", longer)]);
    assert_eq!(before, ["UID w1-18ec7bbc47a44000@mailsonde; SEQUENCE 0; DTEND 20261201T220000Z"]);
    assert_eq!(after, ["UID w1-18ec7bbc47a44000@mailsonde; SEQUENCE 1; DTEND 20261201T230000Z"]);
}
