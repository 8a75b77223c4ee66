//! A year that never was: the data folder of a collector that watched so many checks every minute for so long, as its
//! own code would have left it, made in minutes. For benchmarks of what operators ask, and for looking at it.
//!
//! All of it follows from a seed and from the time of its end. What ended how is drawn as stretches of minutes
//! ([`plan`]); of that come the journals ([`journals`]: every tick and definition of the year, raw observations of its
//! last day) and the views ([`figures`]). Absent on purpose: what the engine keeps (incidents, burn rates), and agents
//! that can connect.

mod figures;
mod journals;
mod plan;
mod runs;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use mailsonde_collector::config::Config;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::identity::{Authority, HostName};
use mailsonde_proto::{Clock, WallTime};

use plan::Plan;
pub use plan::Size;

/// Makes the data folder of a collector that has watched for a year.
#[derive(Debug, Parser)]
#[command(name = "demo year")]
pub struct Options {
    /// The folder to make; it must not be there yet
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// The same seed, size and end make the same figures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Checks at vantage points, ten for each agent
    #[arg(long, default_value_t = 1_000)]
    checks: u32,
    /// Days up to now
    #[arg(long, default_value_t = 365)]
    days: u32,
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Agents.
    pub agents: usize,
    /// Checks at vantage points.
    pub series: usize,
    /// Services, each with two agreements.
    pub services: usize,
    /// Observations in the ledger.
    pub observations: u64,
    /// Periods that were sealed: hours of minutes, days of hours, months of days.
    pub sealed: usize,
}

/// `demo year`.
pub fn main(options: &Options) -> ExitCode {
    let size = Size { seed: options.seed, checks: options.checks, days: options.days };
    let begun = Clock::system().monotonic();
    let told = match make(&options.data, size, Clock::system().wall()) {
        Ok(Made { agents, series, services, observations, sealed }) => {
            let took_s = begun.elapsed().as_secs();
            writeln!(
                std::io::stdout(),
                "{} days of {series} checks at {agents} agents, {services} services, {sealed} sealed periods, \
                 {observations} observations of the last day, in {took_s} s: serve it with `cargo demo collector \
                 --data {} serve`",
                options.days,
                options.data.display()
            )
        }
        Err(error) => {
            writeln!(std::io::stderr(), "demo year: {error:#}").ok();
            return ExitCode::FAILURE;
        }
    };
    told.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Makes the folder of a collector whose year ends in the minute of `until`.
///
/// # Errors
/// When the folder is there already, or cannot be written.
pub fn make(data: &Path, size: Size, until: WallTime) -> anyhow::Result<Made> {
    if data.exists() {
        bail!("{} is there already: name a folder that is not", data.display());
    }
    let folder = Folder::at(data);
    collector(&folder, until)?;
    let plan = Plan::new(size, until);
    let observations = journals::write(&plan, &folder).context("cannot write the journals")?;
    let sealed = figures::write(&plan, &folder).context("cannot write the views")?;
    let (agents, series, services) = (plan.agents.len(), plan.series.len(), plan.services.len());
    Ok(Made { agents, series, services, observations, sealed })
}

/// What `mailsonde-collector init` makes, for loopback.
fn collector(folder: &Folder, now: WallTime) -> anyhow::Result<()> {
    folder.create()?;
    let name: HostName = "localhost".parse().context("a name of our own")?;
    Authority::create(folder, &name, now)?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    let address: SocketAddr = free.local_addr()?;
    Config::new(address, name).write(folder)?;
    Ok(())
}

#[cfg(test)]
mod tests;
