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
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn all_is_well() {
    insta::assert_snapshot!(shown(&three(up(), up()), &plain(150), ALL));
}

#[test]
fn the_worst_stands_first_and_says_why() {
    let answer = three(failing(), silent());
    insta::assert_snapshot!(shown(&answer, &plain(150), ALL));
    insta::assert_snapshot!(shown(&answer, &plain(80), Most { rows: 2, reasons: 1 }));
}

#[test]
fn a_vantage_point_without_a_check_is_there_too() {
    let mut answer = status(vec![vantage("hq", Some(up())), vantage("new", None)]);
    answer.collector.records_behind = 120_000;
    insta::assert_snapshot!(shown(&answer, &plain(150), ALL));
}

#[test]
fn as_json() {
    let answer = status(vec![vantage("branch-coast", Some(failing()))]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
    let read: StatusAnswer =
        serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap();
    assert_eq!(read, answer);
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
