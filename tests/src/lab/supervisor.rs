//! The process that holds a lab together, and takes it away whatever happens to the tests.
//!
//! Its standard input is a pipe from us. When we drop the lab, panic, exit or are killed, the kernel
//! closes the pipe; the pid namespace of the servers ends with it, so that the kernel kills each of
//! them, and the supervisor removes what is left. The parent-death signal would not do: it comes when
//! the *thread* ends that started the child, and tests start labs from threads that come and go.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::{LabError, process, within};

const CLEARED_AWAY_WITHIN: Duration = Duration::from_secs(10);
/// Of the supervisor's own output; it says one word when all is well.
const OUTPUT_MAX_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Supervisor {
    child: Child,
    pipe: Option<ChildStdin>,
    folder: PathBuf,
    /// The first process of the servers' pid namespace.
    init: u32,
}

impl Supervisor {
    /// Makes the network namespaces; `net/HOST.batch` in the folder says what `ip` does in each.
    pub(super) fn start(folder: &Path, hosts: &[String]) -> Result<Self, LabError> {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "slave", "--", "/bin/bash"])
            .arg(folder.join("supervisor.sh"))
            .arg(folder)
            .args(hosts)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let errors = folder.join("log/supervisor.log");
        let errors = std::fs::File::create(errors).map_err(LabError::io("make a log"))?;
        command.stderr(errors);
        let mut child = command.spawn().map_err(LabError::io("start unshare"))?;
        let pipe = child.stdin.take();
        let mut supervisor = Self { child, pipe, folder: folder.to_path_buf(), init: 0 };
        supervisor.wait_until_ready()?;
        Ok(supervisor)
    }

    fn wait_until_ready(&mut self) -> Result<(), LabError> {
        let mut line = String::new();
        if let Some(output) = self.child.stdout.take() {
            let mut output = BufReader::new(output.take(OUTPUT_MAX_BYTES));
            output.read_line(&mut line).map_err(LabError::io("read from the supervisor"))?;
        }
        let log = std::fs::read_to_string(self.folder.join("log/supervisor.log"));
        let failed = |output: String| LabError::Program { what: "the supervisor", output };
        if line != "ready\n" {
            return Err(failed(log.unwrap_or(line)));
        }
        // supervisor, unshare, and the namespace's first process
        self.init = *process::family(self.child.id())
            .get(2)
            .ok_or_else(|| failed("it has no children".to_owned()))?;
        Ok(())
    }

    /// The file of a host's network namespace, seen through the supervisor's mount namespace.
    pub(super) fn network(&self, host: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.child.id()));
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        root.join(inside).join("ns").join(host)
    }

    /// A command among the servers of a host: in its network, and in the namespaces that end with us.
    pub(super) fn server_command(&self, host: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.network(host).display()))
            .arg(format!("--pid=/proc/{}/ns/pid", self.init))
            .arg(format!("--mount=/proc/{}/ns/mnt", self.init))
            .arg("--")
            .process_group(0)
            .stdin(Stdio::null());
        command
    }

    /// Ends everything, and waits until it is gone.
    pub(super) fn end(&mut self) -> io::Result<()> {
        drop(self.pipe.take());
        let mut status = self.child.try_wait()?;
        within(CLEARED_AWAY_WITHIN, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        if status.is_none() {
            process::signal(&process::family(self.child.id()), Signal::KILL);
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.end());
    }
}
