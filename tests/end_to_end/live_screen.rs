//! `top` on a terminal, against a real collector: from an outage to its acknowledgement by keys alone, a collector that goes
//! away and comes back, and a terminal that is as it was before, whatever ends the program.

use std::process::Command;

use mailsonde_collector::api::path;
use mailsonde_collector::query::IncidentsAnswer;
use rustix::process::Signal;

use crate::one_port::OnePort;
use crate::pty::Pty;
use crate::site::PROGRAM;

const SERVICES: &str =
    "[[service]]\nname = \"port\"\ntitle = \"Mail in Durban\"\nchecks = [\"port\"]\n";
const DOWN: &str = "\u{1b}[B";
const ESCAPE: &str = "\u{1b}";

fn top(port: &OnePort) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["collector", "--data"]).arg(port.site.collector_folder()).arg("top");
    command
}

fn watched() -> OnePort {
    let mut port = OnePort::open("1s", "900ms");
    port.define(SERVICES);
    port.site.start_agent();
    port
}

#[test]
fn an_outage_is_seen_looked_into_and_acknowledged() {
    let mut port = watched();
    let mut screen = Pty::start(top(&port), (120, 40));
    screen.expect(&["mail works from 1 of 1", "Mail in Durban", "branch", "no incidents", "█"]);

    // the server goes: it is seen without a key
    port.close();
    screen.expect(&["mail FAILS from branch", "down   Mail in Durban", "×", "#1"]);

    // service > site > check > runs with phases > run
    screen.press("\r");
    screen.expect(&["all > service Mail", "what is not up", "port at branch: failing"]);
    screen.press("\r");
    screen.expect(&["site branch", "kind"]);
    screen.press("\r");
    screen.expect(&["port at branch", "verdict", "fail", "began at", "connect"]);
    screen.press(&format!("{DOWN}\r"));
    screen.expect(&["> run", "refused"]);

    // all the way back, to the incident
    screen.press("3");
    screen.expect(&["Incidents, 1 not over"]);
    screen.press("a");
    screen.expect(&["acknowledge #1? note"]);
    screen.press("the switch is off\r");
    screen.expect(&["incident 1 is acknowledged"]);
    let incidents: IncidentsAnswer = port.site.ask(path::INCIDENTS);
    assert_eq!(incidents.incidents[0].state.as_str(), "acknowledged");
    screen.press("\r");
    screen.expect(&["incident 1, ", "acknowledged", "the switch is off"]);

    // and it comes back
    port.reopen();
    screen.press(ESCAPE);
    screen.expect(&["mail works from 1 of 1", "up     Mail in Durban"]);

    // other sizes
    for (columns, lines) in [(80, 24), (40, 8), (10, 2), (120, 40)] {
        screen.resize(columns, lines);
        let is_fitting = |seen: &str| seen.lines().count() <= usize::from(lines);
        assert!(is_fitting(&screen.seen()), "{}", screen.seen());
        screen.expect(&["mail work"]);
    }
    screen.press("q");
    assert!(screen.end().success());
    assert!(screen.is_as_before());
}

#[test]
fn a_collector_that_goes_away_is_said_and_the_terminal_is_given_back() {
    let mut port = watched();
    let mut screen = Pty::start(top(&port), (100, 30));
    screen.expect(&["mail works from 1 of 1"]);
    port.site.stop_collector();
    screen.expect(&["nobody knows how mail is", "no answer since", "the collector is not running"]);
    port.site.start_collector();
    port.site.wait_for_operators();
    screen.expect(&["mail works from 1 of 1"]);

    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        screen.signal(signal);
        assert!(screen.end().success(), "{signal:?}");
        assert!(screen.is_as_before(), "{signal:?}");
        screen = Pty::start(top(&port), (100, 30));
        screen.expect(&["mail works from 1 of 1"]);
        assert!(screen.is_taken());
    }
    screen.press("\u{3}");
    assert!(screen.end().success());
    assert!(screen.is_as_before());
}

#[test]
fn where_there_is_no_screen_it_says_what_to_do() {
    let mut port = watched();
    port.site.collector(&["top"]).expect(2, "top needs a terminal that shows a screen");
    let mut command = top(&port);
    command.arg("--json");
    let mut screen = Pty::start(command, (200, 10));
    screen.expect(&["use `status --watch --json`"]);
    assert_eq!(screen.end().code(), Some(2));
    port.site.stop_collector();
    let mut screen = Pty::start(top(&port), (200, 10));
    screen.expect(&["the collector is not running: start it"]);
    assert_eq!(screen.end().code(), Some(2));
    assert!(screen.is_as_before());
}
