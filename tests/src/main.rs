//! One binary that is each process of the tests and the demo: what it is stands first on its command
//! line. `demo agent …` is `mailsonde-agent …` (with the kinds of the tests), `demo collector …` is
//! `mailsonde-collector …`, `demo round-trips …` an agent for tests, `demo year …` makes a collector's folder with a
//! year of checks; anything else is the demo itself.

mod round_trips;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use mailsonde_agent::probe::Kinds;
use mailsonde_tests::demo;
use mailsonde_tests::synthetic::Synthetic;
use mailsonde_tests::year;
use rustix::process::{Signal, set_parent_process_death_signal};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|role| role == demo::WITH_PARENT).is_some() {
        // The demo may be killed: its parts must not outlive it. Where the kernel refuses, it ends them
        // itself in every other case.
        set_parent_process_death_signal(Some(Signal::TERM)).ok();
    }
    let named = |name: &str| std::iter::once(OsString::from(name));
    let role = arguments.peek().and_then(|role| role.to_str().map(str::to_owned));
    match role.as_deref() {
        Some("agent") => {
            let kinds = Kinds::standard().with(Arc::new(Synthetic));
            mailsonde_agent::cli::main(kinds, named("mailsonde-agent").chain(arguments.skip(1)))
        }
        Some("collector") => {
            let arguments = named("mailsonde-collector").chain(arguments.skip(1));
            mailsonde_collector::cli::main(arguments)
        }
        Some("round-trips") => {
            round_trips::main(named("demo round-trips").chain(arguments.skip(1)))
        }
        Some("year") => {
            year::main(&year::Options::parse_from(named("demo year").chain(arguments.skip(1))))
        }
        _ => demo::main(&demo::Options::parse()),
    }
}
