//! The collector under the benchmark: a process of its own, made as an operator makes one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::config::Config;
use mailsonde_collector::control::{Control, ControlJournal, Enrolled};
use mailsonde_collector::folder::Folder;
use mailsonde_collector::identity::{AGENT_VALIDITY, Authority, HostName, PrivateKey, PublicKey};
use mailsonde_collector::query::StatusAnswer;
use mailsonde_proto::{AgentId, Clock};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::agents::Sent;

/// The pipeline gets this long to fold what agents left it.
const CATCH_UP: Duration = Duration::from_secs(120);

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    pub(crate) identities: Vec<Identity>,
    folder: PathBuf,
    process: Child,
}

pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

/// How fast the pipeline folded.
pub(crate) struct Folded {
    beside: u64,
    pub(crate) alone_per_s: f64,
}

impl Folded {
    pub(crate) fn beside_per_s(&self, sent: &Sent) -> f64 {
        self.beside as f64 / sent.seconds
    }
}

/// What this process does when it is the collector.
pub(crate) fn serve(folder: &Path) {
    rustls::crypto::ring::default_provider().install_default().expect("the provider is set once");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(mailsonde_collector::app::serve(Folder::at(folder))).unwrap();
}

impl Collector {
    pub(crate) fn start(folder: &Path, agents: usize) -> Self {
        let folder = folder.join("collector");
        let made = Folder::at(&folder);
        made.create().unwrap();
        let name: HostName = "localhost".parse().unwrap();
        let clock = Clock::system();
        let authority = Authority::create(&made, &name, clock.wall()).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        Config::new(address, name).write(&made).unwrap();
        let identities = (0..agents).map(|at| enrol(&made, &authority, at)).collect();
        let process = Command::new(std::env::current_exe().unwrap())
            .arg("--collector")
            .arg(&folder)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let collector = Self { address, identities, folder, process };
        collector.wait();
        collector
    }

    fn wait(&self) {
        for _ in 0..200 {
            if std::net::TcpStream::connect(self.address).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the collector does not listen on {}", self.address);
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from("localhost").unwrap()
    }

    /// How much the pipeline has folded already; then waits until it has folded everything.
    pub(crate) fn folded(&self, all: u64, batch: usize) -> Folded {
        let behind = || self.records_behind() * batch as u64;
        let at_end = behind();
        let clock = Clock::system();
        let start = clock.monotonic();
        while behind() > 0 {
            assert!(start.elapsed() < CATCH_UP, "the pipeline does not catch up");
            std::thread::sleep(Duration::from_millis(20));
        }
        let alone_per_s = at_end as f64 / start.elapsed().as_secs_f64();
        Folded { beside: all.saturating_sub(at_end), alone_per_s }
    }

    fn records_behind(&self) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = Folder::at(&self.folder);
        let answer = runtime.block_on(client::ask::<StatusAnswer>(&folder, path::STATUS));
        answer.unwrap().value.collector.records_behind
    }

    pub(crate) fn peak_rss_mib(&self) -> f64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1_024.0
    }

    pub(crate) fn ledger_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.folder.join("observations")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }

    pub(crate) fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn enrol(folder: &Folder, authority: &Authority, at: usize) -> Identity {
    let now = Clock::system().wall();
    let (agent, key, name) =
        (AgentId::random(), PrivateKey::generate().unwrap(), format!("branch-{at}"));
    let public = PublicKey::of_request(&key.request().unwrap()).unwrap();
    let issued = authority.issue_agent(agent, &public, (now, AGENT_VALIDITY)).unwrap();
    let (control, _) = ControlJournal::open(&folder.control()).unwrap();
    let enrolled = Enrolled {
        agent,
        name: name.clone(),
        labels: Default::default(),
        key_digest: public.digest(),
        token: None,
    };
    control.append(now, Control::Enrolled(enrolled)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let certificate = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.to_pem().as_bytes()).unwrap();
    let tls = rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let mut tls = tls;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Identity { name, tls: Arc::new(tls) }
}
