//! Histories of plans, and what they come to at any time.

mod properties;

use std::collections::BTreeMap;

use super::*;
use crate::judge::definition::Definitions;

/// 2026-12-06, a Sunday, at noon.
const NOON: i64 = 1_796_558_400;

fn at(min: i64) -> WallTime {
    WallTime::from_s(NOON + min * 60)
}

fn ts(min: i64) -> Timestamp {
    at(min).timestamp()
}

fn definitions() -> Definitions {
    Definitions::implicit([("mail", "round-trip"), ("dns", "dns")])
}

fn scope_of(service: &str) -> Scope {
    Scope { services: vec![service.to_owned()], ..Scope::default() }
}

fn plan(from: i64, minutes: u64) -> WindowPlan {
    WindowPlan {
        title: "new disks".to_owned(),
        announcement: String::new(),
        scope: scope_of("mail"),
        from: ts(from),
        length_s: minutes * 60,
        every: None,
        time_zone: "UTC".to_owned(),
        acceptance: vec!["mail".to_owned()],
        by: "ann".to_owned(),
    }
}

fn daily(from: i64, minutes: u64) -> WindowPlan {
    WindowPlan { every: Some("FREQ=DAILY;COUNT=4".to_owned()), ..plan(from, minutes) }
}

fn extended(window: u64, until: i64) -> PlannedAction {
    PlannedAction::WindowExtended { window, until: ts(until), by: "ann".into() }
}

fn ended(window: u64) -> PlannedAction {
    PlannedAction::WindowEnded { window, by: "ann".into() }
}

fn cancelled(window: u64) -> PlannedAction {
    PlannedAction::WindowCancelled { window, by: "ann".into() }
}

fn silence(until: i64) -> PlannedAction {
    PlannedAction::Silence(SilencePlan {
        scope: scope_of("mail"),
        until: ts(until),
        reason: "known".into(),
        by: "ann".into(),
    })
}

fn exclusion(from: i64, until: i64) -> PlannedAction {
    PlannedAction::Excluded(ExclusionPlan {
        service: "mail".into(),
        from: ts(from),
        until: ts(until),
        kind: Exclusion::CustomerFault,
        note: "their power was off".into(),
        by: "ann".into(),
    })
}

fn after(actions: &[(i64, PlannedAction)]) -> Planned {
    let mut planned = Planned::default();
    for (minute, action) in actions {
        planned.apply(at(*minute), action);
    }
    planned
}

fn is_covered(planned: &Planned, minute: i64) -> bool {
    let labels = BTreeMap::new();
    let place = Place { services: &["mail"], agent: "b1", labels: &labels, check: "mail" };
    planned.under_maintenance(at(minute), &place).is_some()
}

/// The minutes that are covered, as `from-until`.
fn covered(planned: &Planned, minutes: Range<i64>) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for minute in minutes.filter(|minute| is_covered(planned, *minute)) {
        match parts.last_mut() {
            Some((_, until)) if *until == minute => *until = minute + 1,
            _ => parts.push((minute, minute + 1)),
        }
    }
    parts.iter().map(|(from, until)| format!("{from}-{until}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_covered_after_what_was_done() {
    use PlannedAction::Window as Planning;
    let day = 1_440;
    for (actions, expected) in [
        (vec![(0, Planning(plan(60, 30)))], "60-90"),
        (vec![(0, Planning(plan(60, 30))), (70, ended(1))], "60-70"),
        (vec![(0, Planning(plan(60, 30))), (50, ended(1))], "60-90"),
        (vec![(0, Planning(plan(60, 30))), (80, extended(1, 120))], "60-120"),
        (vec![(0, Planning(plan(60, 30))), (70, extended(1, 75))], "60-75"),
        (vec![(0, Planning(plan(60, 30))), (70, extended(1, 65))], "60-70"),
        (vec![(0, Planning(plan(60, 30))), (95, extended(1, 120))], "60-90"),
        (vec![(0, Planning(plan(60, 30))), (10, extended(1, 120))], "60-120"),
        // an end before its beginning: nothing is left of it, and nothing of it is before itself
        (vec![(0, Planning(plan(60, 30))), (10, extended(1, 30))], ""),
        (vec![(0, Planning(plan(60, 30))), (10, cancelled(1))], ""),
        (vec![(0, Planning(plan(60, 30))), (70, cancelled(1))], "60-70"),
        (vec![(0, Planning(plan(60, 30))), (99, cancelled(1))], "60-90"),
        // whatever a record says, the past stays as it is
        (vec![(70, Planning(plan(60, 30)))], "70-90"),
        (vec![(99, Planning(plan(60, 30)))], ""),
        (
            vec![(0, Planning(daily(60, 30))), (day + 70, ended(1))],
            "60-90 1500-1510 2940-2970 4380-4410",
        ),
        (vec![(0, Planning(daily(60, 30))), (day + 70, cancelled(1))], "60-90 1500-1510"),
        (
            vec![(0, Planning(daily(60, 30))), (95, extended(1, day + 120))],
            "60-90 1500-1560 2940-2970 4380-4410",
        ),
        (
            vec![(0, Planning(daily(60, 30))), (70, extended(1, 9_999))],
            "60-1530 2940-2970 4380-4410",
        ),
        (vec![(0, Planning(plan(60, 30))), (0, Planning(plan(80, 20))), (85, ended(1))], "60-100"),
        (vec![(0, ended(1)), (0, extended(7, 9)), (1, cancelled(0))], ""),
    ] {
        assert_eq!(covered(&after(&actions), -10..6_000), expected, "{actions:?}");
    }
}

#[test]
fn silences_hold_from_when_they_are_made() {
    let labels = BTreeMap::new();
    let place = Place { services: &["mail"], agent: "b1", labels: &labels, check: "mail" };
    let ended = |silence| PlannedAction::SilenceEnded { silence, by: "bob".into() };
    let planned = after(&[(0, silence(60)), (30, silence(90)), (40, ended(2)), (95, ended(1))]);
    for (minute, expected) in
        [(-1, None), (0, Some(1)), (35, Some(1)), (59, Some(1)), (60, None), (70, None)]
    {
        assert_eq!(planned.silenced(at(minute), &place), expected, "{minute}");
    }
    assert_eq!(planned.silence(2).unwrap().ended_by.as_deref(), Some("bob"));
    assert_eq!(planned.silence(1).unwrap().ended_by, None);
    let other = Place { services: &["dns"], ..place };
    assert_eq!(planned.silenced(at(0), &other), None);
}

#[test]
fn what_agreements_leave_out() {
    let site = WindowPlan {
        scope: Scope { on: Some("site=durban".into()), ..Scope::default() },
        ..plan(200, 30)
    };
    let withdrawn =
        PlannedAction::ExclusionWithdrawn { exclusion: 2, note: "no".into(), by: "bob".into() };
    let planned = after(&[
        (0, PlannedAction::Window(plan(60, 30))),
        (0, PlannedAction::Window(site)),
        (70, ended(1)),
        (300, exclusion(65, 250)),
        (300, exclusion(10, 20)),
        (310, withdrawn),
    ]);
    let definitions = definitions();
    let shown = |service: &str, from, until| -> Vec<String> {
        let service = definitions.service(service).unwrap();
        let all = planned.excluded(service, at(from)..at(until));
        all.iter()
            .map(|part| {
                let minute = |time: WallTime| time.signed_us_since(at(0)) / 60_000_000;
                let (from, until) = (minute(part.from), minute(part.until));
                format!("{from}-{until} {:?} {} {}", part.kind, part.number, part.reason)
            })
            .collect()
    };
    let fault = "CustomerFault 1 their power was off";
    assert_eq!(
        shown("mail", 0, 1_000),
        ["60-70 Maintenance 1 new disks".to_owned(), format!("65-250 {fault}")]
    );
    assert_eq!(
        shown("mail", 68, 100),
        ["68-70 Maintenance 1 new disks".to_owned(), format!("68-100 {fault}")]
    );
    assert_eq!(shown("mail", 250, 1_000), Vec::<String>::new());
    assert_eq!(shown("dns", 0, 1_000), Vec::<String>::new());
    // a service that is at that site only is under the window of the site
    let mut durban = definitions.service("mail").unwrap().clone();
    (durban.name, durban.on) = ("durban".to_owned(), "site=durban".to_owned());
    let found = planned.excluded(&durban, at(0)..at(1_000));
    assert_eq!(found.iter().map(|part| part.number).collect::<Vec<_>>(), [2]);
}

#[test]
fn an_acceptance_run_is_due_once_after_each_time() {
    let done = |from| {
        PlannedAction::AcceptanceDone(Acceptance {
            window: 1,
            from: ts(from),
            passed: vec!["mail".into()],
            failed: vec![],
        })
    };
    let asked = || PlannedAction::AcceptanceAsked { window: 1, by: "ann".into() };
    let day = 1_440;
    let base = (0, PlannedAction::Window(daily(60, 30)));
    let with = |more: &[(i64, PlannedAction)]| after(&[std::slice::from_ref(&base), more].concat());
    for (more, minute, expected) in [
        (vec![], 89, None),
        (vec![], 90, Some(60)),
        (vec![], 149, Some(60)),
        (vec![], 150, None),
        (vec![(70, ended(1))], 70, Some(60)),
        (vec![(60, ended(1))], 70, None),
        (vec![(91, done(60))], 92, None),
        (vec![(91, done(60))], day + 90, Some(day + 60)),
        (vec![(91, done(60)), (day + 91, done(day + 60))], day + 92, None),
        (vec![(91, done(60)), (400, asked())], 401, Some(60)),
        (vec![(91, done(60)), (400, asked()), (402, done(60))], 403, None),
        (vec![(400, asked())], 460, None),
        (vec![(10, cancelled(1))], 90, None),
    ] {
        let due = with(&more).due(at(minute));
        let found = due.first().map(|due| due.occurrence.from);
        assert_eq!(found, expected.map(at), "{more:?} at {minute}");
    }
    let without = WindowPlan { acceptance: vec![], ..plan(60, 30) };
    assert_eq!(after(&[(0, PlannedAction::Window(without))]).due(at(90)), []);
}

#[test]
fn states_follow_what_was_done() {
    let base = (0, PlannedAction::Window(daily(60, 30)));
    for (more, minute, expected) in [
        (vec![], 0, WindowState::Planned),
        (vec![], 60, WindowState::Running),
        (vec![], 90, WindowState::Planned),
        (vec![], 5_000, WindowState::Over),
        (vec![(70, cancelled(1))], 65, WindowState::Running),
        (vec![(70, cancelled(1))], 70, WindowState::Cancelled),
        (vec![(70, ended(1))], 70, WindowState::Planned),
    ] {
        let planned = after(&[std::slice::from_ref(&base), &more].concat());
        assert_eq!(planned.window(1).unwrap().state(at(minute)), expected, "{more:?} {minute}");
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a line a case")]
fn what_cannot_be_done_says_what_can() {
    let planned = after(&[
        (0, PlannedAction::Window(plan(60, 30))),
        (0, PlannedAction::Window(daily(600, 30))),
        (0, silence(5)),
        (0, exclusion(-60, -30)),
    ]);
    let window = |change: fn(&mut WindowPlan)| {
        let mut plan = plan(100, 30);
        change(&mut plan);
        PlannedAction::Window(plan)
    };
    let excluded = |change: fn(&mut ExclusionPlan)| match exclusion(-20, -10) {
        PlannedAction::Excluded(mut plan) => {
            change(&mut plan);
            PlannedAction::Excluded(plan)
        }
        other => other,
    };
    let asked = |window| PlannedAction::AcceptanceAsked { window, by: String::new() };
    for (action, words) in [
        (window(|plan| plan.title = "  ".into()), "a title is needed"),
        (window(|plan| plan.scope = Scope::default()), "say what it is about"),
        (
            window(|plan| plan.scope = scope_of("post")),
            "no service called post: there are dns, mail",
        ),
        (window(|plan| plan.from = ts(5)), "cannot begin in the past, at 2026-12-06T12:05:00Z"),
        (window(|plan| plan.from = ts(3 * 366 * 1_440)), "more than two years ahead"),
        (window(|plan| plan.length_s = 59), "from a minute to 14 days"),
        (window(|plan| plan.acceptance = vec!["a b".into()]), "each by its name"),
        (window(|plan| plan.every = Some("FREQ=HOURLY".into())), "more often than once a day"),
        (
            window(|plan| {
                plan.every = Some("FREQ=DAILY".into());
                plan.length_s = 25 * 3_600;
            }),
            "until it comes again, at 2026-12-07T13:40:00Z",
        ),
        (window(|plan| plan.time_zone = "Nowhere".into()), "no time zone called Nowhere"),
        (ended(9), "no maintenance window W9"),
        (ended(1), "W1 does not run"),
        (extended(1, 5), "the end must lie ahead"),
        (extended(1, 99_999), "from a minute to 14 days"),
        (
            extended(2, 2_100),
            "reaches into the next time of W2, which begins at 2026-12-07T22:00:00Z",
        ),
        (asked(1), "no time of W1 is over yet"),
        (silence(10), "a silence ends in the future"),
        (silence(200_000), "within 90 days"),
        (PlannedAction::SilenceEnded { silence: 1, by: String::new() }, "S1 is over already"),
        (excluded(|plan| plan.note.clear()), "--note is needed"),
        (excluded(|plan| plan.service = "x".into()), "no service called x"),
        (excluded(|plan| plan.until = ts(11)), "what is excluded is over"),
        (excluded(|plan| plan.kind = Exclusion::Maintenance), "maintenance is planned ahead"),
        (
            PlannedAction::ExclusionWithdrawn { exclusion: 2, note: "x".into(), by: String::new() },
            "no exclusion X2",
        ),
    ] {
        let error = planned.check(at(10), &action, &definitions()).unwrap_err().to_string();
        assert!(error.contains(words), "{action:?}: {error}");
    }
    for (action, number) in [
        (window(|_| {}), 3),
        (window(|plan| plan.from = ts(10)), 3),
        (extended(1, 120), 1),
        (extended(2, 2_040), 2),
        (cancelled(2), 2),
        (silence(11), 2),
        (exclusion(-20, 10), 2),
    ] {
        assert_eq!(planned.check(at(10), &action, &definitions()), Ok(number), "{action:?}");
    }
    let over = planned.check(at(90), &ended(1), &definitions()).unwrap_err().to_string();
    assert!(over.contains("W1 is over: plan another"), "{over}");
}

#[test]
fn actions_read_back_and_have_words() {
    let done = Acceptance {
        window: 1,
        from: ts(60),
        passed: vec![],
        failed: vec![NotAccepted { check: "mail".into(), agent: "b1".into(), why: "down".into() }],
    };
    let actions = [
        PlannedAction::Window(daily(60, 30)),
        extended(1, 120),
        ended(1),
        cancelled(1),
        PlannedAction::AcceptanceAsked { window: 1, by: "ann".into() },
        PlannedAction::AcceptanceDone(done),
        silence(10),
        PlannedAction::SilenceEnded { silence: 1, by: "ann".into() },
        exclusion(-20, -10),
        PlannedAction::ExclusionWithdrawn {
            exclusion: 1,
            note: "wrong day".into(),
            by: "ann".into(),
        },
    ];
    for action in &actions {
        let json = serde_json::to_string(action).unwrap();
        assert_eq!(&serde_json::from_str::<PlannedAction>(&json).unwrap(), action, "{json}");
    }
    let words: Vec<_> = actions.iter().map(PlannedAction::words).collect();
    insta::assert_snapshot!(words.join("\n"), @r#"
    planned maintenance "new disks" of mail from 2026-12-06 13:00 UTC, FREQ=DAILY;COUNT=4
    changed the end of maintenance W1 to 2026-12-06 14:00 UTC
    ended maintenance W1
    cancelled maintenance W1
    asked for the acceptance run of maintenance W1
    did not accept maintenance W1: mail
    silenced mail until 2026-12-06 12:10 UTC: known
    ended silence S1
    excluded 2026-12-06 11:40 UTC to 2026-12-06 11:50 UTC from the agreements of mail: their power was off
    withdrew exclusion X1: wrong day
    "#);
}
