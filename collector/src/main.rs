//! The collector's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailsonde_collector::cli::main(std::env::args_os())
}
