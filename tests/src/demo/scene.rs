//! Who plays in the demo: three sandbox mail servers, a collector, three agents.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use mailsonde_collector::api::path;
use mailsonde_collector::cli::client::{self, Answer};
use mailsonde_collector::folder::Folder;
use mailsonde_collector::query::observations::MAX_LIMIT;
use mailsonde_collector::query::{ObservationAnswer, ObservationsAnswer};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::children::{Log, Role, run};
use super::tally::{Seen, Tallies};
use crate::enrolment::enrol;
use crate::sandbox::{Delay, Flaky, Listen, Sandbox, SandboxOptions, User};

/// The vantage points.
pub(crate) const AGENTS: &[&str] = &["hq", "branch-north", "branch-coast"];
/// Everything starts within this.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The running demo. Everything ends with it.
pub(crate) struct Scene {
    folder: TempDir,
    /// Where browsers are answered.
    page: String,
    sandboxes: Vec<Sandbox>,
    roles: Vec<Role>,
    /// By agent: the sequence of the last observation that was counted.
    seen_through: BTreeMap<String, u64>,
}

impl Scene {
    pub(crate) async fn start(verbose: bool, stop: CancellationToken) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("mailsonde-demo-").tempdir()?;
        let log = if verbose { Log::Shown } else { Log::Kept(folder.path()) };
        let data = folder.path().join("collector");
        let [address, page] = free_ports()?.map(|port| format!("127.0.0.1:{port}"));
        let init = ["init", "--listen", &address, "--name", "localhost"];
        collector(&data, &init.map(OsStr::new)).await?;
        answer_browsers(&Folder::at(&data), &page)?;
        let serve = [OsStr::new("--data"), data.as_os_str(), OsStr::new("serve")];
        let mut roles = vec![Role::start("collector", &["collector"], &serve, log)?];
        let mut sandboxes = Vec::new();
        for name in AGENTS {
            let ca = folder.path().join(format!("{name}-ca.pem"));
            // only then: its servers take free ports too, and the collector must have its own
            wait_for(&Folder::at(&data).operators_socket()?, &mut roles).await?;
            let sandbox = Sandbox::start(behaviour(name, &ca), stop.clone()).await?;
            let out = folder.path().join(name);
            let program = std::env::current_exe()?;
            let (collector, agent, label) = (data.clone(), out.clone(), format!("site={name}"));
            let enrolled = tokio::task::spawn_blocking(move || {
                let options = ["--name", name, "--label", &label];
                enrol(|| std::process::Command::new(&program), (&collector, &agent), &options)
            });
            enrolled.await?.map_err(|words| anyhow!("{name} was not enrolled: {words}"))?;
            configure(&out.join("agent.toml"), name, &ca, sandbox.addresses())?;
            let arguments = [OsStr::new("run"), OsStr::new("--data"), out.as_os_str()];
            roles.push(Role::start(name, &["agent"], &arguments, log)?);
            sandboxes.push(sandbox);
        }
        let scene = Self { folder, page, sandboxes, roles, seen_through: BTreeMap::new() };
        scene.add_user().await?;
        Ok(scene)
    }

    /// What is to be seen, and what else one can try.
    pub(crate) fn introduction(&self) -> String {
        let data = self.data();
        format!(
            "Every second each agent submits a test mail, waits for it in the mailbox, and times it.\n\
             branch-coast's mail server is slow, and flaky on purpose. Ctrl-C ends it all.\n\
             In a browser (which warns: the certificate is the demo's own), as user {USER} with password {USER_PASSWORD}:\n    \
             https://{}/\n\
             In another terminal, while this runs:\n    \
             cargo demo collector --data {} status --watch\n\n",
            self.page,
            data.display()
        )
    }

    /// Who may look by a browser.
    async fn add_user(&self) -> anyhow::Result<()> {
        let password = self.folder.path().join("user-password");
        std::fs::write(&password, USER_PASSWORD)?;
        let arguments = ["user", "add", USER, "--role", "operator", "--password-file"];
        let arguments = arguments.map(OsStr::new);
        collector(&self.data(), &[&arguments[..], &[password.as_os_str()]].concat()).await
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("collector")
    }

    /// Counts what the collector has got since the last look.
    pub(crate) async fn look(&mut self, tallies: &mut Tallies) -> anyhow::Result<()> {
        for role in &mut self.roles {
            role.expect_alive()?;
        }
        let folder = Folder::at(self.data());
        let path = format!("{}?limit={MAX_LIMIT}", path::OBSERVATIONS);
        let answer: Answer<ObservationsAnswer> = client::ask(&folder, &path).await?;
        let mut observations = answer.value.observations;
        observations.reverse(); // the newest stand first
        for observation in observations {
            let through = self.seen_through.entry(observation.agent.clone()).or_default();
            if observation.sequence <= *through {
                continue;
            }
            *through = observation.sequence;
            tallies.add(seen(observation));
        }
        Ok(())
    }

    /// Ends everything, agents first.
    pub(crate) async fn end(mut self) {
        for role in self.roles.iter_mut().rev() {
            role.end().await;
        }
        for sandbox in self.sandboxes {
            sandbox.join().await;
        }
    }
}

fn seen(observation: ObservationAnswer) -> Seen {
    let fault = observation.fault.map(|fault| format!("{}: {}", fault.phase, fault.explanation));
    let void = observation.void.map(|void| format!("void: {}", void.reason));
    Seen {
        agent: observation.agent,
        is_amendment: observation.amends.is_some(),
        verdict: observation.verdict,
        total_us: observation.total_us,
        trouble: fault.or(void),
    }
}

async fn collector(data: &Path, arguments: &[&OsStr]) -> anyhow::Result<()> {
    run(&["collector"], &[&[OsStr::new("--data"), data.as_os_str()], arguments].concat()).await
}

/// Two ports that were free a moment ago.
fn free_ports() -> anyhow::Result<[u16; 2]> {
    let taken = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (taken()?, taken()?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

async fn wait_for(socket: &Path, roles: &mut [Role]) -> anyhow::Result<()> {
    let answers = async {
        while tokio::net::UnixStream::connect(socket).await.is_err() {
            for role in roles.iter_mut() {
                role.expect_alive()?;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    if let Ok(ended) = tokio::time::timeout(START_LIMIT, answers).await {
        return ended;
    }
    let words: Vec<String> = roles.iter().map(Role::last_words).collect();
    bail!("the collector does not answer after {} s{}", START_LIMIT.as_secs(), words.concat())
}

/// How the mail server of a site behaves.
fn behaviour(site: &str, ca: &Path) -> SandboxOptions {
    let (delivery_delay, command_delay) = match site {
        "hq" => (Delay::from_millis(5, 4), Delay::from_millis(0, 1)),
        "branch-north" => (Delay::from_millis(40, 20), Delay::from_millis(3, 3)),
        _ => (Delay::from_millis(90, 80), Delay::from_millis(10, 10)),
    };
    let flaky = Flaky {
        seed: 7,
        refuse_recipient: 0.06,
        late: 0.03,
        late_by: Duration::from_secs(6),
        junk: 0.03,
        lost: 0.02,
        refuse_sign_in: 0.02,
    };
    let user = User { address: address_of(site), password: PASSWORD.into() };
    let calm = SandboxOptions {
        users: vec![user],
        ca_pem_file: Some(ca.to_owned()),
        delivery_delay,
        command_delay,
        ..SandboxOptions::named(format!("mail.{site}.test"))
    };
    if site == "branch-coast" { SandboxOptions { flaky, ..calm } } else { calm }
}

/// Who looks at the demo by a browser; it is gone when the demo ends.
const USER: &str = "demo";
const USER_PASSWORD: &str = "look-at-the-demo";

/// Says in the collector's configuration where browsers are answered.
fn answer_browsers(folder: &Folder, page: &str) -> anyhow::Result<()> {
    let config = folder.config();
    let text = std::fs::read_to_string(&config)?;
    let text = format!("{text}\noperators_listen = \"{page}\"\n");
    std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))
}

const PASSWORD: &str = "correct-horse-7";

fn address_of(site: &str) -> String {
    format!("probe@{site}.test")
}

/// Adds the mailbox and the check to what `enroll` wrote, as an administrator would.
fn configure(config: &Path, site: &str, ca: &Path, servers: Listen) -> anyhow::Result<()> {
    let mut text = std::fs::read_to_string(config)?;
    let password = config.with_file_name("password");
    write_secret(&password)?;
    let (address, ca) = (address_of(site), ca.display());
    write!(
        text,
        r#"
[[mailbox]]
name = "sandbox"
address = "{address}"
password = {{ file = "password" }}

[mailbox.smtp]
host = "127.0.0.1"
port = {smtp}
tls = "starttls"
ca_file = "{ca}"

[mailbox.imap]
host = "127.0.0.1"
port = {imap}
tls = "implicit"
ca_file = "{ca}"

[[check]]
name = "mail"
kind = "round-trip"
mailbox = "sandbox"
every = "1s"
timeout = "4s"
"#,
        smtp = servers.smtp.port(),
        imap = servers.imaps.port(),
    )?;
    std::fs::write(config, text).with_context(|| format!("cannot write {}", config.display()))
}

fn write_secret(path: &Path) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(PASSWORD.as_bytes())?)
}
