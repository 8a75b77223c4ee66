//! What commands write to a terminal and to a pipe: tables that fit the one and are whole in the other, colours, and how far
//! something is that takes long.

use std::process::Command;
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::query::IncidentsAnswer;

use crate::one_port::OnePort;
use crate::pty::Pty;
use crate::site::{AGENT, PROGRAM, Site, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// With names as long as operators make them.
const SERVICES: &str = "time_zone = \"Africa/Johannesburg\"\n\
    [[service]]\nname = \"mail-of-the-regional-office-in-durban-for-everybody-there\"\n\
    title = \"Mail of the regional office in Durban, sending and receiving, for everybody there\"\n\
    owner = \"the operators of the regional office in Durban\"\nchecks = [\"port\"]\n\
    [[service.objective]]\nsli = \"uptime\"\ntarget = \"50%\"\nwindow = \"year\"\n\
    [[service.agreement]]\nname = \"what-was-promised-to-the-regional-office-in-durban\"\n\
    sli = \"uptime\"\ntarget = \"50%\"\nwindow = \"month\"\n";

/// Each command that lists something.
const LISTS: &[&str] = &[
    "status",
    "health",
    "vendors",
    "services",
    "incidents list",
    "incidents show 1",
    "channel list",
    "notices",
    "on-call",
    "reviews list",
    "actions list",
    "observations --limit 40",
    "changes",
    "objectives",
    "sla show",
    "token list",
    "agents",
    "audit show",
    "checks",
    "ca",
    "maintenance list",
    "silence list",
    "exclusion list",
    "capacity",
    "user list",
    "api-token list",
    "session list",
];

/// Something stands in as many lists as can be.
fn with_long_names() -> OnePort {
    let mut port = OnePort::open("1s", "900ms");
    port.define(SERVICES);
    port.close();
    port.site.start_agent();
    wait_until("an incident is opened", PATIENCE, || {
        !port.site.ask::<IncidentsAnswer>(path::INCIDENTS).incidents.is_empty()
    });
    let title = "new disks for the mail server of the regional office in Durban, and a new cable";
    let service = "mail-of-the-regional-office-in-durban-for-everybody-there";
    for words in [
        &["maintenance", "plan", title, "--service", service, "--for", "2h"][..],
        &["silence", "add", "--on", "floor=9", "--for", "1h", "--reason", title],
        &["incidents", "ack", "1", "--note", title],
        &["token", "create", "--label", "site=the-regional-office-in-durban-for-everybody"],
        &["api-token", "create", "--name", "the-program-on-the-wall-in-durban", "--role", "viewer"],
    ] {
        port.site.collector(words).expect(0, "");
    }
    port
}

#[test]
fn tables_fit_terminals_and_are_whole_in_a_pipe() {
    let port = with_long_names();
    for words in LISTS {
        let command = || {
            let mut command = Command::new(PROGRAM);
            command.args(["collector", "--data"]).arg(port.site.collector_folder());
            command.args(words.split(' '));
            command
        };
        for columns in [80, 100, 200] {
            let mut pty = Pty::start(command(), (columns, 400));
            pty.end();
            pty.drain();
            for (line, is_broken) in pty.lines() {
                // a sentence is broken by the terminal; a row has blanks between its cells
                let is_row = line.trim().contains("  ");
                assert!(!(is_broken && is_row), "{words} at {columns} columns: {line}");
            }
        }
        let piped = command().output().unwrap();
        let piped = String::from_utf8(piped.stdout).unwrap();
        assert!(!piped.contains('\u{1b}') && !piped.contains('…'), "{words}: {piped}");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let port = OnePort::open("1s", "900ms");
    let status = |variables: &[(&str, &str)]| {
        let mut command = Command::new(PROGRAM);
        command.args(["collector", "--data"]).arg(port.site.collector_folder()).arg("status");
        command.env_remove("NO_COLOR").envs(variables.iter().copied());
        command
    };
    for (variables, on_terminal, in_pipe) in [
        (&[][..], true, false),
        (&[("NO_COLOR", "1")], false, false),
        (&[("NO_COLOR", "")], true, false),
        (&[("TERM", "dumb")], false, false),
        (&[("CLICOLOR_FORCE", "1")], true, true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
    ] {
        let piped = status(variables).output().unwrap();
        let piped = String::from_utf8(piped.stdout).unwrap();
        assert_eq!(piped.contains('\u{1b}'), in_pipe, "{variables:?}: {piped:?}");
        let mut pty = Pty::start_with(status(&[]), variables, (100, 30));
        pty.end();
        pty.drain();
        assert_eq!(pty.has_colours(), on_terminal, "{variables:?}: {}", pty.seen());
    }
}

#[test]
fn what_takes_long_shows_how_far_it_is_to_who_looks() {
    let mut site = Site::new();
    let check =
        "name = \"slow\"\nkind = \"synthetic\"\ntakes = \"5s\"\nevery = \"24h\"\ntimeout = \"9s\"";
    site.add_check(check);
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    wait_until("the agent is here", PATIENCE, || site.runs(AGENT, &["slow"]));
    let run = || {
        let mut command = Command::new(PROGRAM);
        command.args(["collector", "--data"]).arg(site.collector_folder()).args(["run", "slow"]);
        command
    };
    let mut pty = Pty::start(run(), (80, 24));
    pty.expect(&["0 of 1 runs"]);
    pty.end();
    pty.drain();
    // what was seen of it is wiped away
    let seen = pty.seen();
    assert!(!seen.contains("of 1 runs") && seen.contains("1 passed, 0 failed"), "{seen}");
    let piped = run().output().unwrap();
    let said = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(said, "1 passed, 0 failed\n");
}
