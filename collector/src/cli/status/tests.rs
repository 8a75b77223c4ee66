//! What an operator sees.

use jiff::tz::TimeZone;
use mailsonde_proto::Verdict;

use super::{ALL, Most, Screen, sentence, shown};
use crate::cli::terminal::{Terminal, plain};
use crate::query::status::samples::{failing, series, silent, status, up, vantage, void};
use crate::query::{SeriesReading, StatusAnswer};

fn three(coast: SeriesReading, north: SeriesReading) -> StatusAnswer {
    status(vec![
        vantage("branch-coast", Some(coast)),
        vantage("branch-north", Some(north)),
        vantage("hq", Some(up())),
    ])
}

/// With the agent of branch-north not connected.
fn away(mut answer: StatusAnswer) -> StatusAnswer {
    answer.vantage_points[1].connected = false;
    answer
}

#[test]
fn the_first_line() {
    let answers = [
        three(up(), up()),
        three(failing(), up()),
        three(failing(), failing()),
        three(up(), silent()),
        away(three(up(), silent())),
        three(failing(), silent()),
        three(up(), series([(3, Verdict::Pass)])),
        three(up(), series([(9, Verdict::Pass), (0, void())])),
        three(up(), SeriesReading::default()),
        status(vec![vantage("hq", None)]),
        status(vec![vantage("hq", Some(silent()))]),
        status((0..5).map(|at| vantage(&format!("branch-{at}"), Some(failing()))).collect()),
        status(vec![]),
    ];
    let lines: Vec<_> = answers.iter().map(|answer| sentence::of(answer, &TimeZone::UTC)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
        mail works from 3 of 3 vantage points
        mail FAILS from branch-coast since 14:02 (12 min): auth: the server refused the sign-in (permanent, 535 5.7.8); works from 2 of 3
        mail FAILS from branch-coast since 14:02 (12 min), branch-north since 14:02 (12 min): branch-coast: auth: the server refused the sign-in (permanent, 535 5.7.8); works from 1 of 3
        mail works from 2 of 3 vantage points; nothing judged from branch-north since 13:40 (34 min), although its agent is connected
        mail works from 2 of 3 vantage points; nothing heard from branch-north since 13:40 (34 min)
        mail FAILS from branch-coast since 14:02 (12 min): auth: the server refused the sign-in (permanent, 535 5.7.8); works from 1 of 3; nothing judged from branch-north since 13:40 (34 min), although its agent is connected
        mail works from 2 of 3 vantage points; late: branch-north since 14:11 (3 min), although its agent is connected
        mail works from 2 of 3 vantage points; nothing judged from branch-north since 14:05 (9 min) (local network: no route to any host)
        mail works from 2 of 3 vantage points; nothing judged from branch-north yet, although its agent is connected
        nobody knows whether mail works; nothing heard yet from hq
        nobody knows whether mail works; nothing judged from hq since 13:40 (34 min), although its agent is connected
        mail FAILS from branch-0 since 14:02 (12 min), branch-1 since 14:02 (12 min), branch-2 since 14:02 (12 min), 2 more: branch-0: auth: the server refused the sign-in (permanent, 535 5.7.8); works from 0 of 5
        no agent has been enrolled yet: `mailsonde-collector token create`
        ");
}

#[test]
fn all_is_well() {
    insta::assert_snapshot!(shown(&three(up(), up()), &plain(150), ALL), @r"
        mail works from 3 of 3 vantage points

        vantage point  check  state  since  last   p50 of 15 min       p95 of 15 min       works, of 24 h  known
        branch-coast   mail   up     –      24 ms  24 ms, usual 22 ms  61 ms, usual 58 ms  99.93–100 %     99.93 %
        branch-north   mail   up     –      24 ms  24 ms, usual 22 ms  61 ms, usual 58 ms  99.93–100 %     99.93 %
        hq             mail   up     –      24 ms  24 ms, usual 22 ms  61 ms, usual 58 ms  99.93–100 %     99.93 %
        ");
}

#[test]
fn the_worst_stands_first_and_says_why() {
    let answer = three(failing(), silent());
    insta::assert_snapshot!(shown(&answer, &plain(150), ALL), @r"
        mail FAILS from branch-coast since 14:02 (12 min): auth: the server refused the sign-in (permanent, 535 5.7.8); works from 1 of 3; nothing judged from branch-north since 13:40 (34 min), although its agent is connected

        vantage point  check  state    since           last   p50 of 15 min       p95 of 15 min        works, of 24 h  known
        branch-coast   mail   failing  14:02 (12 min)  24 ms  31 ms, usual 22 ms  1.24 s, usual 58 ms  99.01–99.15 %   99.86 %
        branch-north   mail   unknown  13:40 (34 min)  24 ms  24 ms, usual 22 ms  61 ms, usual 58 ms   97.50–99.93 %   97.57 %
        hq             mail   up       –               24 ms  24 ms, usual 22 ms  61 ms, usual 58 ms   99.93–100 %     99.93 %

        branch-coast mail, last fault 14:14: auth: the server refused the sign-in (permanent, 535 5.7.8)
          the server said: 5.7.8 Error: authentication failed: ·[31mbad password
        ");
    insta::assert_snapshot!(shown(&answer, &plain(80), Most { rows: 2, reasons: 1 }), @r"
        mail FAILS from branch-coast since 14:02 (12 min): auth: the server refused the sign-in (permanent, 535 5.7.8); works from 1 of 3; nothing judged from branch-north since 13:40 (34 min), although its agent is connected

        vantage point  check  state    since  p50 (usual)    p95 (usual)    works, 24 h
        branch-coast   mail   failing  14:02  31 ms (22 ms)  1.24 s (58     99.01–99.15
                                                             ms)            %
        branch-north   mail   unknown  13:40  24 ms (22 ms)  61 ms (58 ms)  97.50–99.93
                                                                            %
        and 1 more, none of them worse

        branch-coast mail, last fault 14:14: auth: the server refused the sign-in (permanent, 535 5.7.8)
          the server said: 5.7.8 Error: authentication failed: ·[31mbad password
        ");
}

#[test]
fn a_vantage_point_without_a_check_is_there_too() {
    let mut answer = status(vec![vantage("hq", Some(up())), vantage("new", None)]);
    answer.collector.records_behind = 120_000;
    insta::assert_snapshot!(shown(&answer, &plain(150), ALL), @r"
        mail works from 1 of 2 vantage points; nothing heard yet from new
        the figures are being brought up to date: 120000 records are stored and not in them yet

        vantage point  check  state    since  last   p50 of 15 min       p95 of 15 min       works, of 24 h  known
        new            –      unknown
        hq             mail   up       –      24 ms  24 ms, usual 22 ms  61 ms, usual 58 ms  99.93–100 %     99.93 %
        ");
}

#[test]
fn as_json() {
    let answer = status(vec![vantage("branch-coast", Some(failing()))]);
    let read: StatusAnswer =
        serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap();
    assert_eq!(read, answer);
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer.collector).unwrap(), @r#"
        {
          "software": "mailsonde-collector 0.1.0",
          "started_at": "2026-11-22T13:14:20Z",
          "records_behind": 0
        }
        "#);
    let check = &answer.vantage_points[0].checks[0];
    insta::assert_snapshot!(serde_json::to_string_pretty(check).unwrap(), @r#"
        {
          "check": "mail",
          "kind": "round-trip",
          "cadence_us": 60000000,
          "state": "failing",
          "since": "2026-11-23T14:02:20Z",
          "last_run_at": "2026-11-23T14:14:20Z",
          "last_round_trip_us": 24310,
          "round_trip": {
            "p50_us": 31000,
            "p95_us": 1240000,
            "runs": 47
          },
          "usual_round_trip": {
            "p50_us": 22000,
            "p95_us": 58400,
            "runs": 10000
          },
          "availability_24h": {
            "lower": 0.9901,
            "upper": 0.9915,
            "coverage": 0.9986
          },
          "failures_in_a_row": 13,
          "last_fault": {
            "at": "2026-11-23T14:14:20Z",
            "phase": "auth",
            "class": "permanent",
            "basic_code": 535,
            "enhanced_code": "5.7.8",
            "reply": "5.7.8 Error: authentication failed: \u001b[31mbad password",
            "explanation": "the server refused the sign-in"
          },
          "last_void": null
        }
        "#);
}

#[test]
fn no_server_steers_the_terminal_and_colours_only_where_wanted() {
    let answer = three(failing(), silent());
    assert!(!shown(&answer, &plain(150), ALL).contains('\x1b'));
    let coloured = Terminal { colours: true, is_terminal: true, ..plain(150) };
    let text = shown(&answer, &coloured, ALL);
    assert!(text.starts_with("\x1b[1;31mmail FAILS"), "{text}");
    assert!(text.contains("·[31mbad password"), "{text}");
}

#[test]
fn a_screen_is_drawn_over_not_cleared() {
    let mut screen = Screen { is_terminal: true, is_begun: false };
    assert_eq!(screen.draw("a\nb\n"), "\x1b[2J\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    assert_eq!(screen.draw("c\n"), "\x1b[Hc\x1b[K\n\x1b[J");
    let mut file = Screen { is_terminal: false, is_begun: false };
    assert_eq!(file.draw("a\n"), "a\n");
}
