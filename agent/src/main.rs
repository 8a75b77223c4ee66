//! The agent's binary: the standard kinds of probes, and the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailsonde_agent::cli::main(mailsonde_agent::probe::Kinds::standard(), std::env::args_os())
}
