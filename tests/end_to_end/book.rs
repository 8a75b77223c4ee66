//! The commands of the book that only ask, carried out for real against a collector with an agent, a service, an agreement and an
//! incident; what a page shows beside one has the heads that the answer has.

#[path = "../../deploy/tests/book/blocks.rs"]
mod blocks;

use std::process::Command;
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::query::IncidentsAnswer;

use self::blocks::{Block, blocks, commands};
use crate::one_port::OnePort;
use crate::pty::Pty;
use crate::site::{PROGRAM, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
/// Wide enough for every column.
const SIZE: (u16, u16) = (240, 600);

const SERVICES: &str = "[[service]]\nname = \"mail-durban\"\ntitle = \"Mail in Durban\"\nowner = \"mail team\"\n\
    users = 120\nchecks = [\"port\"]\n\
    [[service.objective]]\nsli = \"uptime\"\ntarget = \"99.9%\"\n\
    [[service.agreement]]\nname = \"contract-2026\"\nsli = \"uptime\"\ntarget = \"99.5%\"\n";

/// Something is wrong at this collector, as on the pages.
fn broken() -> OnePort {
    let mut port = OnePort::open("1s", "900ms");
    port.define(SERVICES);
    port.close();
    port.site.start_agent();
    wait_until("an incident is opened", PATIENCE, || {
        !port.site.ask::<IncidentsAnswer>(path::INCIDENTS).incidents.is_empty()
    });
    port
}

/// A command of a page, as it is called here.
fn called(port: &OnePort, place: &str, words: &[String]) -> Command {
    let mut command = Command::new(PROGRAM);
    match words[0].as_str() {
        "mailsonde-collector" => {
            command.args(["collector", "--data"]).arg(port.site.collector_folder());
        }
        "mailsonde-agent" => {
            command.arg("agent");
        }
        other => panic!("{place}: {other} is not called here"),
    }
    command.args(&words[1..]);
    command
}

/// The columns of a line.
fn columns(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// The heads of the first table in a text.
fn heads(text: &str) -> Option<Vec<&str>> {
    text.lines().map(columns).find(|cells| cells.len() > 1)
}

#[test]
fn what_the_book_asks_is_answered() {
    let port = broken();
    let blocks = blocks();
    let mut count = 0;
    for (at, block) in blocks.iter().enumerate() {
        if (block.language.as_str(), block.role.as_str()) != ("sh", "run") {
            continue;
        }
        let mut seen = Vec::new();
        for words in commands(&block.text) {
            let place = format!("{}: {}", block.place(), words.join(" "));
            let output = called(&port, &place, &words).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{place}: {:?}: {told}", output.status.code());
            let mut pty = Pty::start(called(&port, &place, &words), SIZE);
            pty.end();
            pty.drain();
            seen.push(pty.seen());
            count += 1;
        }
        let beside =
            blocks.get(at + 1).filter(|next| next.page == block.page && next.language == "text");
        if let Some(beside) = beside {
            shows_the_heads(beside, &seen);
        }
    }
    assert!(count > 30, "only {count} commands");
}

fn shows_the_heads(beside: &Block, seen: &[String]) {
    let place = beside.place();
    let shown = heads(&beside.text).unwrap_or_else(|| panic!("{place}: no heads"));
    let is_there = seen.iter().any(|text| text.lines().any(|line| columns(line) == shown));
    assert!(is_there, "{place}: nothing has the heads {shown:?}: {seen:#?}");
}
