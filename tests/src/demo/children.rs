//! This same program, started again as the collector or as an agent.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::WITH_PARENT;

/// A process gets this long to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(8);

/// So many lines of a log are told when something went wrong.
const LAST_LINES: usize = 12;

/// A part of the demo that runs as a process of its own; killed when it is dropped.
pub(crate) struct Role {
    name: String,
    process: Child,
    log: Option<PathBuf>,
}

impl Role {
    /// Starts this program as `role` with these arguments.
    pub(crate) fn start(
        name: &str,
        role: &[&str],
        arguments: &[&std::ffi::OsStr],
        log: Log<'_>,
    ) -> anyhow::Result<Self> {
        let log = match log {
            Log::Shown => None,
            Log::Kept(folder) => Some(folder.join(format!("{name}.log"))),
        };
        let output = match &log {
            None => Stdio::inherit(),
            Some(path) => {
                let file = std::fs::File::create(path);
                file.with_context(|| format!("cannot make {}", path.display()))?.into()
            }
        };
        let process = program()?
            .arg(WITH_PARENT)
            .args(role)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), process, log })
    }

    /// Fails when the process has ended by itself.
    pub(crate) fn expect_alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("{} ended by itself: {status}{}", self.name, self.last_words());
        }
        Ok(())
    }

    /// The end of its log, which goes with the demo's folder; nothing where it was shown anyway.
    pub(crate) fn last_words(&self) -> String {
        let read = |path: &PathBuf| std::fs::read_to_string(path).ok();
        let Some(text) = self.log.as_ref().and_then(read).filter(|text| !text.is_empty()) else {
            return String::new();
        };
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(LAST_LINES);
        let last = lines.get(first..).unwrap_or_default().join("\n  ");
        format!("\nthe last that {} logged:\n  {last}", self.name)
    }

    /// Asks it to end, and waits.
    pub(crate) async fn end(&mut self) {
        let id = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(id) = id {
            // It may have ended already.
            kill_process(id, Signal::TERM).ok();
        }
        if tokio::time::timeout(FAREWELL, self.process.wait()).await.is_err() {
            self.process.kill().await.ok();
        }
    }
}

/// Where a process's log goes.
#[derive(Clone, Copy)]
pub(crate) enum Log<'a> {
    /// To the demo's own standard error.
    Shown,
    /// To a file in this folder.
    Kept(&'a Path),
}

/// Runs this program as `role` to its end.
pub(crate) async fn run(role: &[&str], arguments: &[&std::ffi::OsStr]) -> anyhow::Result<()> {
    let output = program()?
        .args(role)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {}", role.join(" ")))?;
    if !output.status.success() {
        bail!("{}: {}", role.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn program() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe().context("cannot find this program's own file")?))
}
