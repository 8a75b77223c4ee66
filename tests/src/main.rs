//! One binary that is each process of the tests and the demo: what it is stands first on its command
//! line. `demo agent …` is `mailsonde-agent …`.

mod round_trips;

use std::ffi::OsString;
use std::process::ExitCode;

use mailsonde_agent::probe::Kinds;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let role = arguments.next().unwrap_or_default();
    let named = |name: &str| std::iter::once(OsString::from(name));
    match role.to_str() {
        Some("agent") => {
            mailsonde_agent::cli::main(Kinds::standard(), named("mailsonde-agent").chain(arguments))
        }
        Some("round-trips") => round_trips::main(named("demo round-trips").chain(arguments)),
        _ => ExitCode::from(2),
    }
}
