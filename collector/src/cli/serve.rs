//! `serve`: runs the collector until it is told to stop.

use std::io::IsTerminal;

use anyhow::Context;
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
    let colours = terminal::wants_colours(std::io::stderr().is_terminal());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    // Another one may be there already where this runs inside another program.
    let told = if setting.json { log.json().try_init() } else { log.try_init() };
    if told.is_err() {
        tracing::debug!("a log is being written already");
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(app::serve(setting.data.clone()))?;
    Ok(Ending::Done)
}
