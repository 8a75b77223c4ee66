//! This same program, started again as the collector or as an agent.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::WITH_PARENT;

/// A process gets this long to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(8);

/// A part of the demo that runs as a process of its own; killed when it is dropped.
pub(crate) struct Role {
    name: String,
    process: Child,
}

impl Role {
    /// Starts this program as `role` with these arguments.
    pub(crate) fn start(
        name: &str,
        role: &[&str],
        arguments: &[&std::ffi::OsStr],
        log: Log<'_>,
    ) -> anyhow::Result<Self> {
        let output = match log {
            Log::Shown => Stdio::inherit(),
            Log::Kept(folder) => {
                let path = folder.join(format!("{name}.log"));
                let file = std::fs::File::create(&path);
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
        Ok(Self { name: name.to_owned(), process })
    }

    /// Fails when the process has ended by itself.
    pub(crate) fn expect_alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("{} ended by itself: {status}; `cargo demo --verbose` shows its log", self.name);
        }
        Ok(())
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
