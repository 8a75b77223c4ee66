//! A collector and an agent as processes of their own, in one temporary folder.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailsonde_agent::outbox::{Accounts, Limits, Outbox};
use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::query::{AgentAnswer, AgentsAnswer, AuditAnswer, ObservationsAnswer};
use mailsonde_proto::Clock;
use mailsonde_tests::enrolment::enrol;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

pub(crate) use crate::process::{PATIENCE, PROGRAM, Process, files_with, now, wait_until};

/// The agent's name at the collector.
pub(crate) const AGENT: &str = "branch";

/// One collector and one agent; what is not started is `None`.
pub(crate) struct Site {
    pub(crate) collector: Option<Process>,
    pub(crate) agent: Option<Process>,
    pub(crate) address: SocketAddr,
    /// Of the agent, without its checks.
    base: String,
    folder: TempDir,
}

impl Site {
    /// A collector and an agent that knows it; neither runs yet.
    pub(crate) fn new() -> Self {
        Self::prepare(|_| {})
    }

    /// The same, in a folder in which something was prepared before: `collector` or `outbox`.
    pub(crate) fn prepare(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("mailsonde-lost-").tempdir().unwrap();
        prepare(folder.path());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut site = Self { collector: None, agent: None, address, base: String::new(), folder };
        let listen = address.to_string();
        site.ask_collector(&["init", "--listen", &listen, "--name", "localhost"]);
        site.start_collector();
        site.wait_for_operators();
        let folders = (&*site.collector_folder(), &*site.outbox_folder());
        enrol(|| Command::new(PROGRAM), folders, &["--name", AGENT]).unwrap();
        site.stop_collector();
        // beside the outbox, whose disk some tests fill
        fs::create_dir(site.folder.path().join(AGENT)).unwrap();
        fs::copy(site.outbox_folder().join("agent.toml"), site.agent_config()).unwrap();
        fs::remove_file(site.outbox_folder().join("agent.toml")).unwrap();
        site.base = fs::read_to_string(site.agent_config()).unwrap();
        site
    }

    /// Lets another agent in, with a folder of its own. The collector must run.
    pub(crate) fn enrol(&self, name: &str) -> Result<PathBuf, String> {
        let data = self.folder.path().join(format!("of-{name}"));
        let folders = (&*self.collector_folder(), &*data);
        enrol(|| Command::new(PROGRAM), folders, &["--name", name]).map(|()| data)
    }

    /// Runs a command of the collector to its end.
    pub(crate) fn ask_collector(&self, arguments: &[&str]) {
        let output = Command::new(PROGRAM)
            .args([
                OsStr::new("collector"),
                OsStr::new("--data"),
                self.collector_folder().as_os_str(),
            ])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// Gives the agent so many synthetic checks, from its next start on.
    pub(crate) fn set_checks(&self, count: usize, every: &str) {
        let mut text = self.base.clone();
        for number in 0..count {
            text.push_str(&format!(
                "\n[[check]]\nname = \"made-up-{number}\"\nkind = \"synthetic\"\nevery = \"{every}\"\n"
            ));
        }
        fs::write(self.agent_config(), text).unwrap();
    }

    /// Gives the agent this one check, from its next start on.
    pub(crate) fn add_check(&self, settings: &str) {
        fs::write(self.agent_config(), format!("{}\n[[check]]\n{settings}\n", self.base)).unwrap();
    }

    /// Makes the agent claim another name than its own.
    pub(crate) fn rename_agent(&mut self, claimed: &str) {
        let renamed =
            self.base.replace(&format!("name = \"{AGENT}\""), &format!("name = \"{claimed}\""));
        assert_ne!(renamed, self.base, "agent.toml has another form");
        self.base = renamed;
    }

    pub(crate) fn start_collector(&mut self) {
        let data = self.collector_folder();
        let arguments =
            ["collector".as_ref(), "--data".as_ref(), data.as_os_str(), "serve".as_ref()];
        self.collector = Some(Process::start("collector", &arguments, self.folder.path()));
    }

    pub(crate) fn start_agent(&mut self) {
        self.agent = Some(Process::agent("agent", &self.agent_config(), &self.outbox_folder()));
    }

    /// Starts the same agent a second time, with another data folder.
    pub(crate) fn start_another(&self, data: &Path) -> Process {
        Process::agent("another", &self.agent_config(), data)
    }

    /// Asks the agent to end, and waits until it has.
    pub(crate) fn stop_agent(&mut self) {
        self.agent.take().unwrap().stop();
    }

    /// Asks the collector to end, and waits until it has.
    pub(crate) fn stop_collector(&mut self) {
        self.collector.take().unwrap().stop();
    }

    /// Waits until the collector accepts connections; says how long that took.
    pub(crate) fn wait_for_collector(&mut self) -> Duration {
        let begun = now();
        wait_until("the collector accepts", PATIENCE, || {
            self.collector.as_mut().unwrap().expect_alive();
            TcpStream::connect(self.address).is_ok()
        });
        now() - begun
    }

    /// Waits until the collector answers operators, and so agents too.
    pub(crate) fn wait_for_operators(&mut self) {
        let socket = self.collector_folder().join("operators.sock");
        wait_until("the collector answers", PATIENCE, || {
            self.collector.as_mut().unwrap().expect_alive();
            UnixStream::connect(&socket).is_ok()
        });
    }

    /// Asks the collector.
    pub(crate) fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = Folder::at(self.collector_folder());
        runtime.block_on(client::ask::<T>(&folder, path)).unwrap().value
    }

    /// An agent, as the collector lists it.
    pub(crate) fn listed(&self, name: &str) -> Option<AgentAnswer> {
        let answer: AgentsAnswer = self.ask(path::AGENTS);
        answer.agents.into_iter().find(|agent| agent.name == name)
    }

    /// Whether an agent's stream stands.
    pub(crate) fn is_here(&self, name: &str) -> bool {
        self.listed(name).is_some_and(|agent| agent.connected_since.is_some())
    }

    /// What stands in the audit log, whose chain must be whole.
    pub(crate) fn acts(&self) -> Vec<String> {
        let audit: AuditAnswer = self.ask(path::AUDIT);
        assert!(audit.breaks.is_empty(), "{:?}", audit.breaks);
        audit.newest.into_iter().map(|act| act.what).collect()
    }

    /// The sequence of the observation that the collector stored last; 0 where there is none, or nobody
    /// answers.
    pub(crate) fn newest_sequence(&self) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let question = format!("{}?limit=1", path::OBSERVATIONS);
        let answer = runtime.block_on(client::ask::<ObservationsAnswer>(
            &Folder::at(self.collector_folder()),
            &question,
        ));
        answer.map_or(0, |answer| {
            answer.value.observations.first().map_or(0, |newest| newest.sequence)
        })
    }

    pub(crate) fn agent_config(&self) -> PathBuf {
        self.folder.path().join(AGENT).join("agent.toml")
    }

    /// Everything stands in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the agent's key and certificate stand.
    pub(crate) fn identity_folder(&self) -> PathBuf {
        self.outbox_folder().join("identity")
    }

    pub(crate) fn collector_folder(&self) -> PathBuf {
        self.folder.path().join("collector")
    }

    pub(crate) fn outbox_folder(&self) -> PathBuf {
        self.folder.path().join("outbox")
    }

    /// What a process has written to its log since the site was made.
    pub(crate) fn log(&self, name: &str) -> String {
        let log = fs::read(self.folder.path().join(format!("{name}.log"))).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The outbox's own accounts. The agent must not run.
    pub(crate) fn accounts(&self) -> Accounts {
        assert!(self.agent.is_none(), "the agent has the outbox");
        let opened = Outbox::open(&self.outbox_folder(), Limits::default(), Clock::system());
        opened.unwrap().0.accounts()
    }

    /// Lets the agent send what it has, without anything new, until its outbox is empty; it is stopped
    /// then. Returns its accounts.
    pub(crate) fn drain(&mut self, within: Duration) -> Accounts {
        let deadline = now() + within;
        if self.agent.is_some() {
            self.stop_agent();
        }
        self.set_checks(1, "24h");
        loop {
            let accounts = self.accounts();
            let parts =
                accounts.acknowledged + accounts.spooled + accounts.tombstoned + accounts.rejected;
            assert_eq!(accounts.produced, parts, "the outbox's accounts: {accounts:?}");
            if accounts.spooled == 0 {
                return accounts;
            }
            assert!(now() < deadline, "not drained within {within:?}: {accounts:?}");
            self.start_agent();
            std::thread::sleep(Duration::from_millis(700));
            self.stop_agent();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["agent", "collector"] {
                let log = self.log(name);
                let lines: Vec<_> = log.lines().collect();
                let tail = &lines[lines.len().saturating_sub(40)..];
                println!("--- the end of the {name}'s log\n{}", tail.join("\n"));
            }
        }
    }
}
