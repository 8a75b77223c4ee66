//! `serve`: runs the collector until it is told to stop.

use std::io::IsTerminal;

use anyhow::Context;
use mailsonde_proto::service::{Prefixed, is_journald};
use tracing_subscriber::EnvFilter;

use super::{Ending, Setting, terminal};
use crate::app;

#[derive(Debug, clap::Args)]
pub(super) struct ServeArguments {
    /// What to log on standard error, such as info or mailsonde_collector=debug
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) fn run(setting: &Setting, arguments: &ServeArguments) -> anyhow::Result<Ending> {
    let filter = EnvFilter::try_new(&arguments.log).context("--log is not a filter")?;
    // Another one may be there already where this runs inside another program.
    if !log(filter, setting.json) {
        tracing::debug!("a log is being written already");
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(app::serve(setting.data.clone()))?;
    Ok(Ending::Done)
}

/// For people at a terminal, for programs, or as systemd's journal reads it.
///
/// False where a log is being written already.
fn log(filter: EnvFilter, is_json: bool) -> bool {
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    if is_json {
        return log.json().with_ansi(false).with_writer(std::io::stderr).try_init().is_ok();
    }
    if is_journald() {
        // the journal has the time of each line, and more exactly
        return log.with_ansi(false).without_time().with_writer(Prefixed).try_init().is_ok();
    }
    let colours = terminal::wants_colours(std::io::stderr().is_terminal());
    log.with_ansi(colours).with_writer(std::io::stderr).try_init().is_ok()
}
