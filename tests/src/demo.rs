//! The demo: a collector, three agents as processes of their own, and sandbox mail servers, for people
//! who want to see round trips before they install anything.
//!
//! Everything lives in a temporary folder and on loopback, and is gone when the demo ends.

mod children;
mod scene;
mod tally;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use mailsonde_proto::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use scene::Scene;
use tally::Tallies;

/// Said before a role: the process ends with the one that started it.
pub const WITH_PARENT: &str = "with-parent";

/// Round trips that `--once` waits for, of each agent.
const ENOUGH: u64 = 20;
/// `--once` gives up after this.
const ONCE_LIMIT: Duration = Duration::from_secs(55);
/// The table is drawn anew this often.
const REFRESH: Duration = Duration::from_millis(500);

/// Shows real round trips: a collector, three agents and sandbox mail servers on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
pub struct Options {
    /// Ends by itself after 20 round trips of each agent, with a summary
    #[arg(long)]
    once: bool,
    /// With --once: only a JSON summary on standard output
    #[arg(long, requires = "once")]
    json: bool,
    /// Shows what the collector and the agents log
    #[arg(long)]
    verbose: bool,
}

/// Runs the demo to its end.
pub fn main(options: &Options) -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let shown = runtime.context("cannot start").and_then(|runtime| runtime.block_on(show(options)));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; then there is nobody to tell.
            writeln!(std::io::stderr(), "demo: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn show(options: &Options) -> anyhow::Result<()> {
    let clock = Clock::system();
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut screen = Screen::new(options);
    screen.say("Starting three mail servers, a collector and three agents …\n")?;
    let mut scene = tokio::select! {
        scene = Scene::start(options.verbose, stop.clone()) => scene?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    screen.say(&scene.introduction())?;
    let start = clock.monotonic();
    let mut tallies = Tallies::new(scene::AGENTS);
    let watched = loop {
        tokio::select! {
            () = tokio::time::sleep(REFRESH) => {}
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
        }
        if let Err(error) = scene.look(&mut tallies).await {
            break Err(error);
        }
        screen.draw(&tallies)?;
        if options.once && tallies.each_has(ENOUGH) {
            break Ok(());
        }
        if options.once && start.elapsed() > ONCE_LIMIT {
            break tell_of_too_few(&tallies);
        }
    };
    stop.cancel();
    scene.end().await;
    watched?;
    screen.close(&tallies)
}

fn tell_of_too_few(tallies: &Tallies) -> anyhow::Result<()> {
    bail!(
        "not every agent had {ENOUGH} round trips within {} s; run `cargo demo --verbose` to see why\n{}",
        ONCE_LIMIT.as_secs(),
        tallies.table()
    )
}

/// What is shown, and where.
struct Screen {
    live: bool,
    json: bool,
    drawn_lines: usize,
}

impl Screen {
    fn new(options: &Options) -> Self {
        let live = std::io::stdout().is_terminal() && !options.json && !options.verbose;
        Self { live, json: options.json, drawn_lines: 0 }
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        write(text)
    }

    /// The live table, over the one before.
    fn draw(&mut self, tallies: &Tallies) -> anyhow::Result<()> {
        if !self.live {
            return Ok(());
        }
        let table = tallies.table();
        let up = match self.drawn_lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        self.drawn_lines = table.lines().count();
        write(&format!("{up}{table}"))
    }

    fn close(&mut self, tallies: &Tallies) -> anyhow::Result<()> {
        if self.json {
            return write(&format!("{}\n", tallies.json()));
        }
        if !self.live {
            write(&tallies.table())?;
        }
        write(&tallies.sentence())
    }
}

/// Writes to standard output; a reader that has gone is no error.
fn write(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
