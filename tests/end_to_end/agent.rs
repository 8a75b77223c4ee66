//! The agent as the scenarios use it: a real process in a branch of the lab, and what it told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use mailsonde_tests::hostile::{Hostile, Script};
use mailsonde_tests::lab::{self, Host, Lab, SPARE, User};
use serde::Deserialize;
use tempfile::TempDir;

pub(crate) use crate::told::{Amendment, Told};

/// Re-executes itself as the agent, and as its test role.
pub(crate) const DEMO: &str = env!("CARGO_BIN_EXE_demo");
/// No process of a scenario lives longer.
const LIFETIME_S: &str = "170";
/// The variable that the configurations take passwords from.
const PASSWORD: &str = "PROBE_PASSWORD";

pub(crate) fn lab() -> &'static Lab {
    lab::shared().expect("the shared lab")
}

/// Scenarios that measure run alone; the others beside each other.
static COMPANY: RwLock<()> = RwLock::new(());

pub(crate) fn in_company() -> RwLockReadGuard<'static, ()> {
    COMPANY.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    COMPANY.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Ended {
    pub(crate) elapsed_us: u64,
    pub(crate) commands: u64,
    pub(crate) peak_rss_kib: u64,
}

/// The settings of one mailbox and its check, as `--set` takes them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    password: String,
    keys: BTreeMap<&'static str, String>,
}

/// Submission on 587 and IMAP on 993 with TLS, for a user of the shared lab.
pub(crate) fn settings(user: &User) -> Settings {
    let ca = lab().ca_file().display().to_string();
    let settings = Settings { password: user.password.clone(), keys: BTreeMap::new() };
    settings
        .with("address", &user.address)
        .with("password_env", PASSWORD)
        .with("smtp.host", "mail.good.test")
        .with("smtp.ca_file", &ca)
        .with("imap.host", "imap.good.test")
        .with("imap.ca_file", &ca)
        .with("timeout", "20s")
}

/// The same for a user that nobody else has.
pub(crate) fn somebody() -> (User, Settings) {
    let user = lab().claim_user().expect("a user");
    let settings = settings(&user);
    (user, settings)
}

/// The user's name without its domain.
pub(crate) fn name_of(user: &User) -> &str {
    user.address.trim_end_matches("@good.test")
}

impl Settings {
    pub(crate) fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.keys.insert(key, value.to_string());
        self
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        self.keys.remove(key);
        self
    }

    /// `mailsonde-agent probe round-trip --json` in branch 1.
    pub(crate) fn probe(&self) -> Told {
        Told::of(self.printed_in(&[], &["--json"]))
    }

    /// The same behind another command; its exit status, what it told, and its errors.
    pub(crate) fn probe_in(&self, before: &[&str]) -> (i32, Option<Told>, String) {
        let (exit, output, errors) = self.printed_in(before, &["--json"]);
        (exit, serde_json::from_str(&output).ok(), errors)
    }

    /// With other arguments: its exit status, what it printed, and its errors.
    pub(crate) fn printed(&self, arguments: &[&str]) -> (i32, String, String) {
        self.printed_in(&[], arguments)
    }

    /// Both.
    pub(crate) fn printed_in(&self, before: &[&str], arguments: &[&str]) -> (i32, String, String) {
        let mut command = bounded(before);
        command.args(["agent", "probe", "round-trip"]).args(arguments);
        command.env(PASSWORD, &self.password);
        for (key, value) in &self.keys {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        output_of(&mut command)
    }

    /// As tables of a configuration, with the check's name.
    fn tables(&self, name: &str) -> String {
        let quoted =
            |value: &str| value.parse::<u16>().map_or(format!("{value:?}"), |n| n.to_string());
        // What `--set` calls password_env is a table of its own in a file.
        let line = |(key, value): (&&str, &String)| match key.strip_suffix("_env") {
            Some(key) => format!("{key}.env = {}\n", quoted(value)),
            None => format!("{key} = {}\n", quoted(value)),
        };
        let part = |wanted: &[&str]| -> String {
            self.keys.iter().filter(|(key, _)| wanted.contains(key)).map(line).collect()
        };
        let server = |prefix: &str| -> String {
            self.keys.iter().filter(|(key, _)| key.starts_with(prefix)).map(line).collect()
        };
        let own: &[&str] = &["to", "mx", "size", "settle", "expect", "timeout"];
        format!(
            "[[mailbox]]\nname = \"{name}\"\n{}{}{}{}{}\n\
             [[check]]\nname = \"{name}\"\nkind = \"round-trip\"\nmailbox = \"{name}\"\n{}\n",
            part(&["address", "password_env"]),
            server("oauth2."),
            server("smtp."),
            server("imap."),
            server("pop3."),
            part(own),
        )
    }
}

/// A configuration with some checks, in a folder of its own.
pub(crate) struct Config {
    folder: TempDir,
    password: String,
}

impl Config {
    /// Each check with its name; all mailboxes have the password of the first.
    pub(crate) fn of(checks: &[(String, Settings)]) -> Self {
        let tables: String = checks.iter().map(|(name, set)| set.tables(name)).collect();
        let text = format!(
            "[collector]\naddress = \"collector.lab.test\"\nca = \"none\"\ncertificate = \"none\"\n\
             key = \"none\"\n[vantage_point]\nname = \"b1\"\n{tables}"
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("none"), "").expect("a file");
        std::fs::write(folder.path().join("agent.toml"), text).expect("a file");
        let password = checks.first().map(|(_, set)| set.password.clone()).unwrap_or_default();
        Self { folder, password }
    }

    /// One check.
    pub(crate) fn one(name: &str, settings: Settings) -> Self {
        Self::of(&[(name.to_owned(), settings)])
    }

    /// `demo round-trips` to its end.
    pub(crate) fn round_trips(&self, arguments: &[&str]) -> RoundTrips {
        let mut command = bounded(&[]);
        command.arg("round-trips").arg(self.file()).args(arguments);
        let (exit, output, errors) = output_of(command.env(PASSWORD, &self.password));
        assert_eq!(exit, 0, "{errors}\n{output}");
        let mut round_trips = RoundTrips::default();
        for line in output.lines() {
            round_trips.read(line);
        }
        round_trips
    }

    /// `mailsonde-agent` with this configuration, between some arguments and others.
    pub(crate) fn agent(&self, before: &[&str], after: &[&str]) -> (i32, String, String) {
        let mut command = bounded(&[]);
        command.arg("agent").args(before).arg(self.file()).args(after);
        output_of(command.env(PASSWORD, &self.password))
    }

    /// Every check once, under a policy.
    pub(crate) fn all(&self, policy: &std::path::Path) -> Vec<Told> {
        let policy = policy.display().to_string();
        let before = ["probe", "--all", "--json", "--config"];
        let (_, output, errors) = self.agent(&before, &["--policy", &policy]);
        let read =
            |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}{errors}"));
        output.lines().map(read).collect()
    }

    /// `demo round-trips`, to be ended by the caller; its process is the program itself.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = lab().command(Host::Branch(1), DEMO);
        command.arg("round-trips").arg(self.file()).args(arguments);
        command.env(PASSWORD, &self.password).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Running { child, lines }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("agent.toml")
    }
}

/// A process that is killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// The next run that it tells of.
    pub(crate) fn told(&mut self) -> Told {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it tells");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// All the rest.
    pub(crate) fn rest(mut self) -> RoundTrips {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).expect("it tells");
        self.child.wait().expect("it ends");
        let mut round_trips = RoundTrips::default();
        text.lines().for_each(|line| round_trips.read(line));
        round_trips
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// All that `demo round-trips` told.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrips {
    pub(crate) told: Vec<Told>,
    pub(crate) amendments: Vec<Amendment>,
    pub(crate) findings: Vec<String>,
    ended: Option<Ended>,
}

impl RoundTrips {
    pub(crate) fn ended(&self) -> Ended {
        self.ended.expect("it ended by itself")
    }

    fn read(&mut self, line: &str) {
        if let Ok(told) = serde_json::from_str(line) {
            self.told.push(told);
        } else if let Ok(amendment) = serde_json::from_str(line) {
            self.amendments.push(amendment);
        } else if let Ok(ended) = serde_json::from_str(line) {
            self.ended = Some(ended);
        } else {
            self.findings.push(line.to_owned());
        }
    }
}

/// A hostile server beside the mail host, at `spare.lab.test`, and its port.
pub(crate) fn hostile(script: Script) -> (Hostile, u16) {
    let network = lab().network(Host::Mail).expect("the mail host");
    let hostile = script.start(&network, (SPARE, 0).into()).expect("it listens");
    let port = hostile.address().port();
    (hostile, port)
}

/// Our binary in branch 1, which does not outlive its time.
pub(crate) fn bounded(before: &[&str]) -> Command {
    let mut command = lab().command(Host::Branch(1), "timeout");
    command.args(["--signal=KILL", LIFETIME_S]).args(before).arg(DEMO).stdin(Stdio::null());
    command
}

/// Exit status, standard output, standard error.
pub(crate) fn output_of(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("it starts");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
