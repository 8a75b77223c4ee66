//! Processes of the tests' one binary, each ended by its id when its handle is dropped, also on a panic; and how to
//! wait for what they do.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use rustix::process::{Pid, Signal, kill_process};

/// The one binary that is every process of the tests.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_demo");
/// A process ends within this when it is asked to, and starts within this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a condition.
const GLANCE: Duration = Duration::from_millis(20);

/// A process, killed when it is dropped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Where its part of the log begins.
    begins_at: usize,
}

impl Process {
    /// Starts it with these arguments; its log is written to the folder.
    pub(crate) fn start(name: &'static str, arguments: &[&OsStr], folder: &Path) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        Self::spawn(name, command, folder)
    }

    /// Starts what this command says; its log is written to the folder.
    pub(crate) fn spawn(name: &'static str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let begins_at = fs::read(&log).unwrap_or_default().len();
        let file: File = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { name, child, log, begins_at }
    }

    /// An agent with this configuration and this data folder, beside which its log is written.
    pub(crate) fn agent(name: &'static str, config: &Path, data: &Path) -> Self {
        let arguments = [
            "agent".as_ref(),
            "run".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--data".as_ref(),
            data.as_os_str(),
        ];
        Self::start(name, &arguments, data.parent().unwrap())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
    }

    /// What it has logged since it was started.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(log.get(self.begins_at..).unwrap_or_default()).into_owned()
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails when it has ended by itself.
    pub(crate) fn expect_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the {} ended by itself: {ended:?}", self.name);
    }

    /// SIGKILL, and waits; fails when it had ended before.
    pub(crate) fn kill(mut self) {
        self.expect_alive();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits until it has ended well.
    pub(crate) fn stop(mut self) {
        let is_ready = |process: &mut Self| {
            process.expect_alive();
            let log = process.log();
            log.contains("agent: at work") || log.contains("accepting agents")
        };
        // Before that it may not listen to signals yet.
        wait_until("a process is ready", PATIENCE, || is_ready(&mut self));
        self.signal(Signal::TERM);
        let mut ended = None;
        wait_until("a process ends", PATIENCE, || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        assert!(ended.unwrap().success(), "the {} ended with {ended:?}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended and been waited for already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Writes what nobody else may read.
pub(crate) fn write_secret(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Every file below a folder that holds these bytes.
pub(crate) fn files_with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if fs::read(&path).is_ok_and(|text| text.windows(bytes.len()).any(|it| it == bytes))
        {
            found.push(path);
        }
    }
    found
}

/// Looks at a condition until it holds.
pub(crate) fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = now() + within;
    while !holds() {
        assert!(now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(GLANCE);
    }
}

/// The monotonic clock.
pub(crate) fn now() -> Instant {
    Clock::system().monotonic()
}
