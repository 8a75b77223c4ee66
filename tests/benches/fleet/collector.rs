//! The collector under the benchmark: a process of its own, whose agents were enrolled before.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mailsonde_agent::config::{CollectorConfig, Endpoint};
use mailsonde_agent::identity::IdentityFiles;
use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::config::Config;
use mailsonde_collector::control::{Control, ControlJournal, Enrolled};
use mailsonde_collector::folder::Folder;
use mailsonde_collector::identity::{AGENT_VALIDITY, Authority, HostName, PrivateKey, PublicKey};
use mailsonde_collector::query::AgentsAnswer;
use mailsonde_proto::{AgentId, Clock};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) struct Collector {
    folder: PathBuf,
    process: Option<Child>,
    /// How each agent reaches it, and the agent's data folder.
    pub(crate) agents: Vec<(CollectorConfig, PathBuf)>,
}

/// What this process does when it is the collector.
pub(crate) fn serve(folder: &Path) {
    rustls::crypto::ring::default_provider().install_default().expect("the provider is set once");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(mailsonde_collector::app::serve(Folder::at(folder))).unwrap();
}

impl Collector {
    /// Enrols so many agents at one that does not run yet.
    pub(crate) fn prepare(folder: &Path, agents: usize) -> Self {
        let own = folder.join("collector");
        let made = Folder::at(&own);
        made.create().unwrap();
        let name: HostName = "localhost".parse().unwrap();
        let authority = Authority::create(&made, &name, Clock::system().wall()).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        Config::new(address, name).write(&made).unwrap();
        let (control, _) = ControlJournal::open(&made.control()).unwrap();
        let enrolled = (0..agents).map(|at| enrol(&control, &authority, folder, (at, address)));
        let agents = enrolled.collect();
        Self { folder: own, process: None, agents }
    }

    pub(crate) fn start(&mut self) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--collector").arg(&self.folder).stdin(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        let socket = self.folder.join("operators.sock");
        for _ in 0..400 {
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the collector does not answer");
    }

    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(client::ask(&Folder::at(&self.folder), path)).unwrap().value
    }

    pub(crate) fn send<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(client::send(&Folder::at(&self.folder), path, body)).unwrap().value
    }

    /// How many streams stand.
    pub(crate) fn connected(&self) -> usize {
        let agents = self.ask::<AgentsAnswer>(path::AGENTS).agents;
        agents.iter().filter(|agent| agent.connected_since.is_some()).count()
    }

    /// How many agents have said what becomes of their checks.
    pub(crate) fn answered(&self) -> usize {
        let agents = self.ask::<AgentsAnswer>(path::AGENTS).agents;
        agents.iter().filter(|agent| agent.assigned > 0 && agent.has_answered).count()
    }

    /// Writes so many checks for every agent into `checks.d`.
    pub(crate) fn write_checks(&self, many: usize) {
        let folder = self.folder.join("checks.d");
        std::fs::create_dir_all(&folder).unwrap();
        let check = |at: usize| {
            format!(
                "[[check]]\nname = \"mail-{at}\"\non = \"*\"\nkind = \"round-trip\"\nmailbox = \"main\"\n\
                 every = \"60s\"\ntimeout = \"45s\"\n"
            )
        };
        let text: String = (0..many).map(check).collect();
        std::fs::write(folder.join("mail.toml"), text).unwrap();
    }

    /// A line of its status that tells a memory, in MiB.
    pub(crate) fn memory_mib(&self, line: &str) -> f64 {
        let status = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|told| told.starts_with(line)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1_024.0
    }

    /// Processor time that it has used, in seconds (proc(5): utime and stime, in ticks of 10 ms).
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let behind_name = stat.rsplit(") ").next().unwrap();
        let ticks =
            behind_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
        ticks.sum::<f64>() / 100.0
    }

    fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

fn enrol(
    control: &ControlJournal,
    authority: &Authority,
    folder: &Path,
    (at, address): (usize, SocketAddr),
) -> (CollectorConfig, PathBuf) {
    let now = Clock::system().wall();
    let (agent, key) = (AgentId::random(), PrivateKey::generate().unwrap());
    let public = PublicKey::of_request(&key.request().unwrap()).unwrap();
    let issued = authority.issue_agent(agent, &public, (now, AGENT_VALIDITY)).unwrap();
    let enrolled = Enrolled {
        agent,
        name: format!("branch-{at}"),
        labels: [("site".to_owned(), format!("site-{}", at % 50))].into(),
        key_digest: public.digest(),
        token: None,
    };
    control.append(now, Control::Enrolled(enrolled)).unwrap();
    let data = folder.join(format!("agent-{at}"));
    let files = IdentityFiles::of_data(&data);
    std::fs::create_dir_all(files.key.parent().unwrap()).unwrap();
    std::fs::write(&files.ca, authority.pem()).unwrap();
    std::fs::write(&files.certificate, &issued.pem).unwrap();
    std::fs::write(&files.key, key.to_pem()).unwrap();
    let config = CollectorConfig {
        address: Endpoint { host: address.ip().to_string(), port: address.port() },
        server_name: "localhost".into(),
        ca: files.ca,
        certificate: files.certificate,
        key: files.key,
    };
    (config, data)
}
