//! The log on standard error: for people at a terminal, for a file, or as systemd's journal reads it.

use std::io::IsTerminal;

use mailsonde_proto::service::{Prefixed, is_journald};
use tracing_subscriber::EnvFilter;

use super::terminal;

/// Begins to log what `filter` lets through.
pub(super) fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        format!("--log {filter}: {error}: write it like info or mailsonde_agent=debug")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    // Only fails when there is one already: in tests.
    let started = if is_journald() {
        // the journal has the time of each line, and more exactly
        log.with_ansi(false).without_time().with_writer(Prefixed).try_init()
    } else {
        let colours = std::io::stderr().is_terminal() && !terminal::no_color();
        log.with_ansi(colours).with_writer(std::io::stderr).try_init()
    };
    started.ok();
    Ok(())
}
