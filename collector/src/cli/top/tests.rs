//! The live screen as operators see it, on a buffer instead of a terminal.

mod acts;
mod sample;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::model::{Answered, Mark, Model, Pane, Place, Question};
use super::palette::Palette;
use super::sheet::{Key, Series};
use super::update::{Wish, press, selected};
use super::view;
use crate::judge::definition::Voiced;
use sample::{known, run, series, status};

/// What stands on a screen of this size.
fn seen(model: &mut Model, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    model.size = (width, height);
    terminal.draw(|frame| view::draw(frame, model, Palette::without_colours())).unwrap();
    let lines = terminal.backend().to_string();
    // a backend for tests tells of cells behind wide characters
    let whole = |line: &str| line.split("\" Hidden by").next().unwrap_or_default().to_owned();
    let lines = lines.lines().map(|line| whole(line).trim_matches('"').trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Presses keys: `down`, `enter`, …, `^c`, or each character of a text in quotes.
fn keys(model: &mut Model, keys: &str) -> Option<Wish> {
    let mut wish = None;
    for word in keys.split_whitespace() {
        let pressed: Vec<KeyEvent> = match word {
            "down" => vec![KeyCode::Down.into()],
            "up" => vec![KeyCode::Up.into()],
            "end" => vec![KeyCode::End.into()],
            "home" => vec![KeyCode::Home.into()],
            "page" => vec![KeyCode::PageDown.into()],
            "enter" => vec![KeyCode::Enter.into()],
            "esc" => vec![KeyCode::Esc.into()],
            "tab" => vec![KeyCode::Tab.into()],
            "backtab" => vec![KeyCode::BackTab.into()],
            "back" => vec![KeyCode::Backspace.into()],
            "space" => vec![KeyCode::Char(' ').into()],
            word => match word.strip_prefix('^') {
                Some(letter) => {
                    let code = KeyCode::Char(letter.chars().next().unwrap());
                    vec![KeyEvent::new(code, KeyModifiers::CONTROL)]
                }
                None => word.chars().map(|c| KeyCode::Char(c).into()).collect(),
            },
        };
        for key in pressed {
            wish = press(model, key);
        }
    }
    wish
}

#[test]
fn the_first_screen() {
    insta::assert_snapshot!(seen(&mut known(), (120, 30)), @r"
    mail FAILS from branch-coast since 14:02 (12 min): mail, auth: the server refused the sign-in (permanent, 535 5.7.8);
    works from 2 of 3
    14:14:20 UTC  https://collector.test:7444
    Services, worst first
      state  service              up from       not up from  incidents  owner
    > down   Mail in Durban 郵便  1 of 2 sites  coast        #7         ann
      up     Mail in Cape Town    1 of 1 sites                          ben

    Vantage points
      state    vantage point  since              p50   usual  last runs  works, 24 h  check            agent
      failing  branch-coast   14:02 (12 min)  251 ms  240 ms      ██·××  99.93 %      mail and 1 more  connected
      up       branch-hills   14:02 (12 min)  1.24 s  240 ms          █  99.93 %      mail             connected
      up       hq             14:02 (12 min)  198 ms  240 ms          █  99.93 %      mail             connected

    Incidents, 1 not over
          severity  state     began           what                                                    from where       users
      #7  major     open      14:02 (12 min)  mail: auth: permanent: 535 5.7.8 authentication failed  fails from 1 o…    120
      #6  major     verified  14:02 (8 min)   mail: auth: permanent: 535 5.7.8 authentication failed  fails from 1 o…    120











    ?: help  q: quit  tab: next  enter: closer  /: filter  s: sort  a: acknowledge
    ");
}

#[test]
fn the_first_screen_of_80_columns() {
    insta::assert_snapshot!(seen(&mut known(), (80, 24)), @r"
    mail FAILS from branch-coast since 14:02 (12 min): mail, auth: the server
    refused the sign-in (permanent, 535 5.7.8); works from 2 of 3
    14:14:20 UTC  https://collector.test:7444
    Services, worst first
      state  service              up from       not up from  incidents  owner
    > down   Mail in Durban 郵便  1 of 2 sites  coast        #7         ann
      up     Mail in Cape Town    1 of 1 sites                          ben

    Vantage points
      state    vantage point  since              p50   usual  last runs  works, 24 h
      failing  branch-coast   14:02 (12 min)  251 ms  240 ms      ██·××  99.93 %
      up       branch-hills   14:02 (12 min)  1.24 s  240 ms          █  99.93 %
      up       hq             14:02 (12 min)  198 ms  240 ms          █  99.93 %

    Incidents, 1 not over
          severity  state     began           what
      #7  major     open      14:02 (12 min)  mail: auth: permanent: 535 5.7.8 auth…
      #6  major     verified  14:02 (8 min)   mail: auth: permanent: 535 5.7.8 auth…





    ?: help  q: quit  tab: next  enter: closer  /: filter  s: sort  a: acknowledge
    ");
}

#[test]
fn a_small_screen_holds_what_has_the_focus() {
    let mut model = known();
    keys(&mut model, "tab");
    insta::assert_snapshot!(seen(&mut model, (44, 8)), @r"
    mail FAILS from branch-coast since 14:02 (12
    14:14:20 UTC  https://collector.test:7444
    Vantage points, worst first
      state    vantage point  since
    > failing  branch-coast   14:02 (12 min)
      up       branch-hills   14:02 (12 min)
      up       hq             14:02 (12 min)
    ?: help  q: quit  tab: next  enter: closer
    ");
    insta::assert_snapshot!(seen(&mut model, (19, 3)), @"mail FAILS from br…");
}

#[test]
fn no_size_is_too_small() {
    let mut model = known();
    for place in ["", "enter", "enter", "enter", "enter", "?", "?", "3 a", "esc enter"] {
        keys(&mut model, place);
        for width in 1..60 {
            for height in 1..12 {
                seen(&mut model, (width, height));
            }
        }
    }
}

#[test]
fn down_to_the_checks_of_a_site() {
    let mut model = known();
    keys(&mut model, "enter");
    assert_eq!(*model.place(), Place::Service("mail-durban".into()));
    insta::assert_snapshot!(seen(&mut model, (100, 9)), @r"
    mail FAILS from branch-coast since 14:02 (12 min): mail, auth: the server refused the sign-in
    14:14:20 UTC  https://collector.test:7444
    all > service Mail in Durban 郵便: down, down when any, worst first
      state  site   checks up  what is not up
    > down   coast  1 of 2     mail at branch-coast: failing
      up     hills  1 of 1


    esc: back  enter: closer  /: filter  s: sort  ?: help  q: quit
    ");
    keys(&mut model, "enter");
    assert_eq!(*model.place(), Place::Site("mail-durban".into(), "coast".into()));
    insta::assert_snapshot!(seen(&mut model, (100, 9)), @r"
    mail FAILS from branch-coast since 14:02 (12 min): mail, auth: the server refused the sign-in
    14:14:20 UTC  https://collector.test:7444
    all > service Mail in Durban 郵便 > site coast, worst first
      state    check  vantage point  since              p50   usual  last runs  works, 24 h  kind
    > failing  mail   branch-coast   14:02 (12 min)  251 ms  240 ms      ██·××  99.93 %      round-trip
      up       mx     branch-coast   14:02 (12 min)  4.2 ms  240 ms          █  99.93 %      dns


    esc: back  enter: closer  /: filter  s: sort  ?: help  q: quit
    ");
}

#[test]
fn down_to_one_run() {
    let mut model = known();
    keys(&mut model, "enter enter");
    assert_eq!(keys(&mut model, "enter"), Some(Wish::Ask));
    assert_eq!(*model.place(), Place::Runs(series()));
    assert!(model.questions().contains(&Question::Runs(series())));
    model.take(Answered::Runs(series(), sample::runs()));
    insta::assert_snapshot!(seen(&mut model, (100, 20)), @r"
    mail FAILS from branch-coast since 14:02 (12 min): mail, auth: the server refused the sign-in
    (permanent, 535 5.7.8); works from 2 of 3
    14:14:20 UTC  https://collector.test:7444
    failing since 14:02 (12 min), p50 251 ms (usual 240 ms), p95 502 ms (usual 500 ms)
    last runs ██·××
    all > service Mail in Durban 郵便 > site coast > mail at branch-coast
      slot      verdict    took  what it found
    > 14:14:00  fail     251 ms  auth: the server refused the sign-in (permanent, 535 5.7.8)
      14:13:00  fail     251 ms  auth: the server refused the sign-in (permanent, 535 5.7.8)
      14:12:00  void     251 ms  auth took 169 ms
      14:01:00  pass     251 ms  auth took 169 ms
      14:00:00  pass     251 ms  auth took 169 ms

    phase      began at        took
    resolve        0 µs      1.2 ms  ▏
    connect      1.2 ms       20 ms  ██████
    tls           22 ms       61 ms       █████████████████
    auth          83 ms      169 ms                        █████████████████████████████████████████████

    esc: back  enter: closer  /: filter  s: sort  ?: help  q: quit
    ");
    keys(&mut model, "down enter");
    insta::assert_snapshot!(seen(&mut model, (100, 30)), @r"
    mail FAILS from branch-coast since 14:02 (12 min): mail, auth: the server refused the sign-in
    (permanent, 535 5.7.8); works from 2 of 3
    14:14:20 UTC  https://collector.test:7444
    all > service Mail in Durban 郵便 > site coast > mail at branch-coast > run
    mail at branch-coast (round-trip), slot 14:13:00
    fail, took 251 ms: auth: the server refused the sign-in (permanent, 535 5.7.8)
    the server said: 5.7.8 Error: authentication failed

    phase      began at        took
    resolve        0 µs      1.2 ms  ▏
    connect      1.2 ms       20 ms  ██████
    tls           22 ms       61 ms       █████████████████
    auth          83 ms      169 ms                        █████████████████████████████████████████████

    smtp.greeting: 220 mail.coast.test ESMTP

    what was said
    S: 220 mail.coast.test ESMTP
    C: AUTH PLAIN (hidden)
    S: 535 5.7.8 Error









    esc: back  up, down: scroll  ?: help  q: quit
    ");
    for place in [3, 2, 1] {
        keys(&mut model, "esc");
        assert_eq!(model.visits.len(), place + 1);
    }
    keys(&mut model, "esc esc esc");
    assert_eq!(*model.place(), Place::Overview(Pane::Services));
}

#[test]
fn a_collector_that_goes_away_is_said_and_so_is_its_return() {
    let mut model = known();
    model.now = "2026-11-23T14:14:30Z".parse().unwrap();
    model.take(Answered::Failed("the collector is not running:\nstart it".into()));
    model.now = "2026-11-23T14:15:00Z".parse().unwrap();
    model.take(Answered::Failed("the collector is not running: start it".into()));
    let gone = seen(&mut model, (120, 24));
    let head: Vec<&str> = gone.lines().take(2).collect();
    insta::assert_snapshot!(head.join("\n"), @r"
    nobody knows how mail is: the collector does not answer
    no answer since 14:14 (30 s); below is how it was 40 s ago: the collector is not running: start it
    ");
    model.take(Answered::Status(status()));
    assert_eq!(model.away, None);

    // one that hangs, before it is given up
    let now = model.now;
    model.pass(now, std::time::Duration::from_secs(4));
    assert_eq!(model.away, None);
    model.pass(now, std::time::Duration::from_secs(6));
    assert!(seen(&mut model, (120, 24)).starts_with("nobody knows how mail is"));
    model.take(Answered::Status(status()));
    let back = seen(&mut model, (120, 24));
    assert!(back.ends_with("the collector answers again"), "{back}");
    assert!(back.starts_with("mail FAILS from branch-coast"), "{back}");
}

#[test]
fn no_server_steers_the_screen() {
    let mut model = known();
    let hostile = "\u{1b}[2J\u{202e}\u{9b}31m\r\nx\u{7}";
    let mut services = sample::services();
    services.services[0].title = hostile.into();
    model.take(Answered::Services(services));
    let mut incidents = sample::incidents();
    incidents.incidents[0].headline = hostile.repeat(90);
    model.take(Answered::Incidents(incidents));
    let mut runs = sample::runs();
    runs.observations[0].transcript = format!("S: {hostile}\nC: b");
    runs.observations[0].phases[0].name = hostile.into();
    model.take(Answered::Runs(series(), runs));
    for pressed in ["", "enter", "enter", "enter", "enter", "end"] {
        keys(&mut model, pressed);
        let seen = seen(&mut model, (100, 30));
        let steers =
            |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!seen.contains(steers), "{seen:?}");
    }
}

#[test]
fn runs_become_marks_once_each() {
    let mut model = known();
    let marks = |model: &Model| model.marks[&series()].iter().copied().collect::<Vec<Mark>>();
    let before = marks(&model);
    model.take(Answered::Status(status()));
    model.take(Answered::Past(sample::runs()));
    model.take(Answered::Past(sample::runs()));
    assert_eq!(marks(&model).len(), before.len().max(sample::runs().observations.len()));
    assert!(marks(&model).is_sorted_by_key(|mark| mark.at));
    let many =
        (0..200).map(|at| run(&format!("2026-11-23T13:{:02}:{:02}Z", at / 60, at % 60), "pass"));
    let mut runs = sample::runs();
    runs.observations = many.collect();
    model.take(Answered::Past(runs));
    assert_eq!(marks(&model).len(), super::model::KEPT);
}

#[test]
fn what_is_worst_stands_first() {
    let mut model = known();
    let mut services = sample::services();
    services.services.reverse();
    model.take(Answered::Services(services));
    assert_eq!(selected(&model), Some(Key::Service("mail-durban".into())));
    assert!(Voiced::Down > Voiced::Unknown && Voiced::Unknown > Voiced::Up);
    keys(&mut model, "s");
    assert_eq!(selected(&model), Some(Key::Service("mail-cape".into())));
    assert_eq!(Series { vantage_point: "branch-coast".into(), check: "mail".into() }, series());
}
