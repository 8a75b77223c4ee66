//! What people read, and what is asked.

use clap::Parser;
use jiff::Timestamp;

use super::*;
use crate::cli::terminal::plain;
use crate::judge::definition::Share;
use crate::judge::planned::{NotAccepted, WindowState};
use crate::query::planned::{
    AcceptanceAnswer, AffectedAnswer, AffectedObjective, DoneAnswer, TimeAnswer, WindowAnswer,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn done(at_: &str, what: &str) -> DoneAnswer {
    DoneAnswer {
        at: at(at_),
        by: "user ann".into(),
        what: what.into(),
        was_until: Some(at("2026-12-06T22:00:00Z")),
        until: Some(at("2026-12-06T23:30:00Z")),
    }
}

fn window() -> WindowAnswer {
    WindowAnswer {
        number: 1,
        state: WindowState::Planned,
        title: "new disks\u{1b}[2J".into(),
        announcement: "No mail from 20:00.".into(),
        scope: Scope { services: vec!["mail".into()], ..Scope::default() },
        time: Some(TimeAnswer {
            from: at("2026-12-06T20:00:00Z"),
            until: at("2026-12-06T22:00:00Z"),
        }),
        every: None,
        time_zone: "Africa/Johannesburg".into(),
        times_left: 1,
        last_until: Some(at("2026-12-06T22:00:00Z")),
        acceptance: vec!["mail".into(), "imap".into()],
        accepted: None,
        planned_by: "user ann".into(),
        planned_at: at("2026-12-01T08:00:00Z"),
        history: vec![done("2026-12-01T08:00:00Z", "planned")],
    }
}

fn answer(window: WindowAnswer) -> ReadinessAnswer {
    let objective = |name: &str, ppm, budget_left_ppm| AffectedObjective {
        name: name.into(),
        target: Share::from_ppm(ppm),
        budget_left_ppm,
    };
    let affected = AffectedAnswer {
        service: "mail".into(),
        title: "Mail".into(),
        vantage_points: 3,
        of: 3,
        is_left_out: true,
        objectives: vec![
            objective("uptime", 999_000, Some(712_345)),
            objective("delivery", 980_000, None),
            objective("success", 980_000, Some(-20_000)),
        ],
    };
    let part = AffectedAnswer {
        service: "imap".into(),
        title: "imap".into(),
        vantage_points: 1,
        is_left_out: false,
        objectives: vec![],
        ..affected.clone()
    };
    ReadinessAnswer {
        now: at("2026-12-06T14:00:00Z"),
        window,
        affected: vec![affected, part],
        warnings: vec![
            "1 of 3 agents that run mail are not connected: it passes only when all do".into(),
        ],
    }
}

#[test]
fn a_window_is_a_line() {
    let weekly = WindowAnswer {
        number: 12,
        state: WindowState::Running,
        every: Some("FREQ=WEEKLY;BYDAY=SU".into()),
        accepted: Some(accepted(vec![])),
        ..window()
    };
    let over = WindowAnswer {
        state: WindowState::Over,
        time: Some(TimeAnswer {
            from: at("2026-12-05T23:00:00Z"),
            until: at("2026-12-06T01:00:00Z"),
        }),
        accepted: Some(accepted(vec![failed("mail", "durban")])),
        ..window()
    };
    let gone =
        WindowAnswer { state: WindowState::Cancelled, time: None, acceptance: vec![], ..window() };
    let now = at("2026-12-06T14:00:00Z");
    let windows = WindowsAnswer { now, windows: vec![window(), weekly, over, gone] };
    insta::assert_snapshot!(shown::list(&windows, &plain(140)), @r"
    window  state      time                                       again                 about  what           accepted
    W1      planned    2026-12-06 22:00 to 2026-12-07 00:00 SAST                        mail   new disks·[2J  to come
    W12     running    2026-12-06 22:00 to 2026-12-07 00:00 SAST  FREQ=WEEKLY;BYDAY=SU  mail   new disks·[2J  yes
    W1      over       2026-12-06 01:00 to 03:00 SAST                                   mail   new disks·[2J  NO
    W1      cancelled  –                                                                mail   new disks·[2J  –
    ");
    let none = WindowsAnswer { now, windows: vec![] };
    assert!(shown::list(&none, &plain(140)).starts_with("no maintenance is planned: `"));
}

fn accepted(failed: Vec<NotAccepted>) -> AcceptanceAnswer {
    let (at_, from) = (at("2026-12-06T01:00:10Z"), at("2026-12-05T23:00:00Z"));
    AcceptanceAnswer { at: at_, from, passed: vec!["imap".into()], failed }
}

fn failed(check: &str, agent: &str) -> NotAccepted {
    let why = "connect: nobody listens on 10.0.0.1:587".to_owned();
    NotAccepted { check: check.into(), agent: agent.into(), why }
}

#[test]
fn what_was_planned_is_shown_with_whom_it_touches() {
    insta::assert_snapshot!(shown::planned(&answer(window()), &plain(130)), @r"
    planned W1: new disks·[2J, 2026-12-06 22:00 to 2026-12-07 00:00 SAST

    service  vantage points  left out of agreements    objective  target  budget left
    Mail             3 of 3  yes                       uptime     99.9 %       71.2 %
                                                       delivery     98 %    not known
                                                       success      98 %  none
    imap             1 of 3  no, a part of it goes on  none
    ! 1 of 3 agents that run mail are not connected: it passes only when all do
    ");
    let weekly = WindowAnswer { every: Some("FREQ=WEEKLY".into()), times_left: 262, ..window() };
    let first = shown::planned(&answer(weekly), &plain(130));
    insta::assert_snapshot!(first.lines().next().unwrap(), @"planned W1: new disks·[2J, 2026-12-06 22:00 to 2026-12-07 00:00 SAST, and 261 times more (FREQ=WEEKLY, Africa/Johannesburg)");
}

#[test]
fn one_window_with_all_that_is_known() {
    let history = vec![
        done("2026-12-01T08:00:00Z", "planned"),
        done("2026-12-06T21:00:00Z", "extended"),
        done("2026-12-06T23:00:00Z", "ended"),
        done("2026-12-06T23:10:00Z", "acceptance_asked"),
    ];
    let mut nowhere = failed("imap", "");
    nowhere.why = "no agent that is meant runs it".into();
    let not = accepted(vec![failed("mail", "durban"), nowhere]);
    let over = WindowAnswer { state: WindowState::Over, accepted: Some(not), history, ..window() };
    insta::assert_snapshot!(shown::detailed(&answer(over), &plain(130)), @r"
    window           W1
    what             new disks·[2J
    state            over
    about            mail
    time             2026-12-06 20:00 to 22:00 UTC
    again            no
    announcement     No mail from 20:00.
    must pass after  mail, imap
    planned by       user ann, 2026-12-01 08:00 UTC
    NOT ACCEPTED at 2026-12-06 01:00 UTC:
      mail at durban: connect: nobody listens on 10.0.0.1:587
      imap: no agent that is meant runs it
    mend what fails, then `mailsonde-collector maintenance accept W1`
    2026-12-06 21:00 UTC  until 2026-12-06 23:30 UTC instead of 2026-12-06 22:00 UTC by user ann
    2026-12-06 23:00 UTC  ended; it was to last until 2026-12-06 22:00 UTC by user ann
    2026-12-06 23:10 UTC  its acceptance run asked for again by user ann

    service  vantage points  left out of agreements    objective  target  budget left
    Mail             3 of 3  yes                       uptime     99.9 %       71.2 %
                                                       delivery     98 %    not known
                                                       success      98 %  none
    imap             1 of 3  no, a part of it goes on  none
    ");
    let fine = WindowAnswer { accepted: Some(accepted(vec![])), ..window() };
    let fine = shown::detailed(&answer(fine), &plain(130));
    assert!(fine.contains("accepted at 2026-12-06 01:00 UTC: imap passed\n"), "{fine}");
    assert!(fine.contains("20:00 to 22:00 UTC (in 6 h)"), "{fine}");
}

#[test]
fn what_was_done_is_said() {
    let mut said = String::new();
    for what in ["extended", "ended", "cancelled", "acceptance_asked"] {
        let changed =
            WindowAnswer { history: vec![done("2026-12-06T21:00:00Z", what)], ..window() };
        said.push_str(&shown::acted(&answer(changed), &plain(130)));
    }
    insta::assert_snapshot!(said, @r"
    W1 is over at 2026-12-06 23:30 UTC, not at 2026-12-06 22:00 UTC
    W1 is over now; its acceptance run follows: `mailsonde-collector maintenance show W1` tells what came of it
    W1 is called off
    the acceptance run of W1 follows: `mailsonde-collector maintenance show W1` tells what came of it
    ");
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: MaintenanceCommand,
}

#[test]
fn what_is_wished_is_what_was_written() {
    let line = [
        "x",
        "plan",
        "new disks",
        "--service",
        "mail",
        "--service",
        "dns",
        "--on",
        "site=durban",
        "--from",
        "2026-12-01 22:00",
        "--for",
        "2h",
        "--every",
        "FREQ=DAILY",
        "--accept",
        "mail",
        "--time-zone",
        "Africa/Johannesburg",
    ];
    let MaintenanceCommand::Plan(arguments) = Line::try_parse_from(line).unwrap().command else {
        panic!("no plan")
    };
    let wish = wish(&arguments, &plain(120));
    let scope = Scope {
        services: vec!["mail".into(), "dns".into()],
        on: Some("site=durban".into()),
        checks: vec![],
    };
    let expected = WindowWish {
        title: "new disks".into(),
        scope,
        from: Some("2026-12-01 22:00".into()),
        length_s: Some(7_200),
        every: Some("FREQ=DAILY".into()),
        acceptance: vec!["mail".into()],
        zone: Zone { said: Some("Africa/Johannesburg".into()), own: Some("UTC".into()) },
        ..WindowWish::default()
    };
    assert_eq!(wish, expected);
    let line = ["x", "plan", "a", "--for", "2h", "--until", "now"];
    assert!(Line::try_parse_from(line).is_err());
    let MaintenanceCommand::List(wanted) =
        Line::try_parse_from(["x", "list", "--all", "--service", "a b"]).unwrap().command
    else {
        panic!("no list")
    };
    let asked = question(path::MAINTENANCE, &wanted);
    assert_eq!(asked, "/api/v1/maintenance?all=true&service=a%20b");
}
