//! `doctor` on both ends: a healthy installation has no problem; one thing is broken at a time, is named by its id,
//! and the sentence beside it says what to do.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailsonde_tests::sandbox::{Sandbox, SandboxOptions, User};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::nothing_lost::full_disk::SmallDisk;
use crate::process::write_secret;
use crate::site::{AGENT, PROGRAM, Site, now, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);
/// It never takes longer, whatever is broken.
const AT_MOST: Duration = Duration::from_secs(25);
const ADDRESS: &str = "probe@mail.test";

/// What a `doctor` ended with, and what it said.
struct Seen {
    code: Option<i32>,
    report: Value,
}

impl Seen {
    fn looks(&self) -> &[Value] {
        self.report["looks"].as_array().unwrap()
    }

    /// Those of an id.
    fn of(&self, id: &str) -> Vec<&Value> {
        self.looks().iter().filter(|look| look["id"] == id).collect()
    }

    fn state(&self, id: &str) -> String {
        let states: Vec<_> = self.of(id).iter().map(|it| it["state"].as_str().unwrap()).collect();
        states.join(" ")
    }

    /// Ids of problems, and the sentence that says what to do about each.
    fn problems(&self) -> Vec<(String, String)> {
        let text = |look: &Value, key: &str| look[key].as_str().unwrap_or_default().to_owned();
        let problems = self.looks().iter().filter(|look| look["state"] == "problem");
        problems.map(|look| (text(look, "id"), text(look, "todo"))).collect()
    }

    fn expect_healthy(&self) {
        assert_eq!(self.problems(), [], "{:#}", self.report);
        assert_eq!(self.code, Some(0));
    }

    /// These ids, and no other, are problems; the first sentence says what to do in these words.
    fn expect_problems(&self, ids: &[&str], todo: &str) {
        let problems = self.problems();
        let found: Vec<_> = problems.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(found, ids, "{:#}", self.report);
        assert!(problems[0].1.contains(todo), "{problems:?}");
        assert_eq!(self.code, Some(1));
    }
}

fn run(arguments: &[&OsStr], as_nobody: bool) -> (Option<i32>, String) {
    let begun = now();
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("MAILSONDE_URL");
    if as_nobody {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    let took = now() - begun;
    assert!(took < AT_MOST, "{arguments:?} took {took:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn seen((code, text): (Option<i32>, String)) -> Seen {
    let report: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    for look in report["looks"].as_array().unwrap() {
        assert!(look["state"] == "ok" || look["todo"].is_string(), "what to do? {look}");
    }
    Seen { code, report }
}

fn of_agent(config: &Path, data: &Path, extra: &[&str], as_nobody: bool) -> (Option<i32>, String) {
    let mut arguments: Vec<&OsStr> = ["agent", "doctor", "--config"].map(OsStr::new).to_vec();
    arguments.extend([config.as_os_str(), "--data".as_ref(), data.as_os_str()]);
    arguments.extend(extra.iter().map(OsStr::new));
    run(&arguments, as_nobody)
}

fn agent(site: &Site) -> Seen {
    seen(of_agent(&site.agent_config(), &site.outbox_folder(), &["--json"], false))
}

fn collector(site: &Site) -> Seen {
    let data = site.collector_folder();
    let arguments = ["collector".as_ref(), "--data".as_ref(), data.as_os_str()];
    let arguments = arguments.into_iter().chain(["--json", "doctor"].map(OsStr::new));
    seen(run(&arguments.collect::<Vec<_>>(), false))
}

/// A mail server, and an agent that has a mailbox there; its password stands in a file.
struct Mail {
    sandbox: Sandbox,
    runtime: Runtime,
    password: PathBuf,
}

impl Mail {
    fn of(site: &Site) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let ca = site.folder().join("mail-ca.pem");
        let user = User { address: ADDRESS.into(), password: "correct-horse-7".into() };
        let options = SandboxOptions {
            users: vec![user],
            ca_pem_file: Some(ca.clone()),
            ..SandboxOptions::named("mail.test")
        };
        let sandbox = runtime.block_on(Sandbox::start(options, CancellationToken::new())).unwrap();
        let password = site.agent_config().with_file_name("password");
        write_secret(&password, "correct-horse-7\n");
        let servers = sandbox.addresses();
        let mailbox = format!(
            "\n[[mailbox]]\nname = \"main\"\naddress = \"{ADDRESS}\"\npassword = {{ file = {password:?} }}\n\
             [mailbox.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"starttls\"\nca_file = {ca:?}\n\
             [mailbox.imap]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"implicit\"\nca_file = {ca:?}\n",
            servers.smtp.port(),
            servers.imaps.port(),
        );
        site.set_checks(1, "24h");
        let config = site.agent_config();
        fs::write(&config, fs::read_to_string(&config).unwrap() + &mailbox).unwrap();
        Self { sandbox, runtime, password }
    }

    /// Ends the mail server.
    fn end(self) {
        let Self { sandbox, runtime, .. } = self;
        let servers = sandbox.addresses();
        drop(sandbox);
        runtime.shutdown_background();
        wait_until("the mail server ends", PATIENCE, || {
            [servers.smtp, servers.imaps].iter().all(|at| TcpStream::connect(at).is_err())
        });
    }
}

fn started() -> (Site, Mail) {
    let mut site = Site::new();
    site.start_collector();
    site.wait_for_operators();
    let mail = Mail::of(&site);
    site.start_agent();
    wait_until("the agent is here", PATIENCE, || site.is_here(AGENT));
    (site, mail)
}

#[test]
fn a_healthy_installation_has_no_problem() {
    let (site, mail) = started();
    let of_agent_seen = agent(&site);
    of_agent_seen.expect_healthy();
    for id in [
        "configuration.file",
        "permissions.data",
        "permissions.files",
        "permissions.secret",
        "process.running",
        "process.program",
        "identity.certificate",
        "identity.authority",
        "clock.collector",
        "ports.collector",
        "ports.tls",
        "collector.answer",
        "collector.stream",
        "collector.version",
        "disk.writable",
        "disk.outbox",
    ] {
        assert_eq!(of_agent_seen.state(id), "ok", "{id}: {:#}", of_agent_seen.report);
    }
    assert_eq!(of_agent_seen.state("ports.mailbox"), "ok ok");
    let of_collector = collector(&site);
    of_collector.expect_healthy();
    for id in [
        "configuration.file",
        "configuration.folders",
        "permissions.data",
        "permissions.files",
        "process.running",
        "process.version",
        "process.files",
        "certificates.authority",
        "certificates.server",
        "ports.agents",
        "agents.silent",
        "agents.clocks",
        "health.writable",
    ] {
        assert_eq!(of_collector.state(id), "ok", "{id}: {:#}", of_collector.report);
    }
    assert_eq!(of_collector.state("health.part"), ["ok"; 6].join(" "));
    // for people: a mark and a word in each line, and no colours in a pipe
    let (code, text) = of_agent(&site.agent_config(), &site.outbox_folder(), &[], false);
    assert_eq!(code, Some(0));
    assert!(text.contains("\npermissions\n") && text.contains("  ✓ ok "), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    // nobody was disturbed, and nobody signed in
    assert!(site.is_here(AGENT));
    assert!(!site.log("collector").contains("two machines"), "{}", site.log("collector"));
    println!("{text}");
    mail.end();
}

#[test]
fn what_breaks_at_the_agent_is_named_with_what_to_do() {
    let (mut site, mail) = started();
    let config = fs::read_to_string(site.agent_config()).unwrap();
    let write = |text: &str| fs::write(site.agent_config(), text).unwrap();

    fs::set_permissions(&mail.password, fs::Permissions::from_mode(0o644)).unwrap();
    let command = format!("chmod 600 {}", mail.password.display());
    agent(&site).expect_problems(&["permissions.secret"], &format!("`{command}`"));
    let mended = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(mended.success());
    agent(&site).expect_healthy();

    let line = config.lines().find(|line| line.starts_with("address = ")).unwrap();
    write(&config.replace(line, &format!("{line}\nserver_name = \"other.test\"")));
    agent(&site).expect_problems(&["ports.tls"], "server_name under [collector]");

    // what the service has from its unit is not here
    write(&config.replace(&format!("file = {:?}", mail.password), "env = \"MAILSONDE_NONE\""));
    let seen = agent(&site);
    assert_eq!(seen.state("configuration.file"), "unknown", "{:#}", seen.report);
    seen.expect_healthy();

    write(&config.replace("tls = \"starttls\"", "tls = \"plenty\""));
    agent(&site).expect_problems(&["configuration.file"], "check-config");
    write(&config);

    mail.end();
    let seen = agent(&site);
    seen.expect_problems(&["ports.mailbox", "ports.mailbox"], "listens on this port");

    site.agent.take().unwrap().kill();
    assert_eq!(agent(&site).state("process.running"), "unknown", "it may be in another container");
    fs::write(site.outbox_folder().join("alive"), "2026-01-01T00:00:00Z\n").unwrap();
    let problems = agent(&site).problems();
    assert_eq!(problems[0].0, "process.running");
    assert!(problems[0].1.contains("mailsonde-agent run --data"), "{problems:?}");

    fs::remove_dir_all(site.identity_folder()).unwrap();
    let seen = agent(&site);
    assert_eq!(seen.state("identity.certificate"), "problem");
    let todo = seen.of("identity.certificate")[0]["todo"].to_string();
    let command = format!("enroll --data {} TOKEN", site.outbox_folder().display());
    assert!(todo.contains(&command), "{todo}");
    // what needs an identity is not known, and the collector itself is still reached
    assert_eq!(seen.state("ports.collector"), "ok");
    assert_eq!(seen.state("ports.tls"), "unknown");
}

#[test]
fn a_collector_that_is_away_is_named_on_both_ends() {
    let (mut site, _mail) = started();
    site.stop_collector();
    agent(&site).expect_problems(&["ports.collector"], "mailsonde-collector doctor");
    let seen = collector(&site);
    seen.expect_problems(&["process.running"], "mailsonde-collector --data");
    assert_eq!(seen.state("ports.agents"), "ok", "its port is free");

    let taken = TcpListener::bind(site.address).unwrap();
    collector(&site).expect_problems(&["process.running", "ports.agents"], "systemctl");
    drop(taken);

    let key = site.collector_folder().join("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let command = format!("`chmod 600 {}`", key.display());
    collector(&site).expect_problems(&["permissions.key", "process.running"], &command);

    fs::write(site.collector_folder().join("collector.toml"), "listen = 7\n").unwrap();
    let seen = collector(&site);
    assert_eq!(seen.state("configuration.file"), "problem");
    assert_eq!(seen.code, Some(1));
}

#[test]
fn a_certificate_that_ended_is_named() {
    let mut site = Site::new();
    let config = site.collector_folder().join("collector.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}agent_certificate = \"5s\"\n")).unwrap();
    site.start_collector();
    site.wait_for_operators();
    let data = site.enrol("late").unwrap();
    let look = || seen(of_agent(&data.join("agent.toml"), &data, &["--json"], false));
    let mut last = look();
    wait_until("the certificate ends", PATIENCE, || {
        last = look();
        last.state("identity.certificate") == "problem"
    });
    let todo = last.of("identity.certificate")[0]["todo"].to_string();
    assert!(todo.contains("start the agent"), "{todo}");
    // it is not held against the collector
    assert_eq!(
        (last.state("ports.tls"), last.state("collector.answer")),
        ("ok".into(), "unknown".into())
    );

    // one that was put out is told so
    site.ask_collector(&["agents", "revoke", AGENT]);
    let seen = agent(&site);
    assert_eq!(seen.state("collector.answer"), "problem");
    assert!(seen.of("collector.answer")[0]["says"].to_string().contains("revoked"));
}

#[test]
fn a_full_disk_is_named_on_both_ends() {
    let mut disks = Vec::new();
    let mut site = Site::prepare(|folder| {
        disks.push(SmallDisk::mount(&folder.join("outbox"), 64));
        disks.push(SmallDisk::mount(&folder.join("collector"), 64));
    });
    site.set_checks(1, "24h");
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    wait_until("the agent is here", PATIENCE, || site.is_here(AGENT));
    // less is left than the outbox may take
    let seen = agent(&site);
    seen.expect_healthy();
    assert_eq!(seen.state("disk.space"), "warning");
    let fillers: Vec<_> = disks.iter().map(SmallDisk::fill).collect();
    agent(&site).expect_problems(&["disk.space", "disk.writable"], "make room");
    let problems = collector(&site).problems();
    let has = |id: &str| problems.iter().any(|(found, _)| found == id);
    assert!(has("health.space") && has("health.writable"), "{problems:?}");
    for filler in fillers {
        fs::remove_file(filler).unwrap();
    }
    agent(&site).expect_healthy();
}

#[test]
fn whoever_may_not_look_is_told_how() {
    if !rustix::process::geteuid().is_root() {
        println!("not root: left out");
        return;
    }
    let (site, _mail) = started();
    let seen = seen(of_agent(&site.agent_config(), &site.outbox_folder(), &["--json"], true));
    assert_eq!(seen.state("process.user"), "unknown");
    let todo = seen.of("process.user")[0]["todo"].to_string();
    assert!(todo.contains("sudo mailsonde-agent doctor --config"), "{todo}");
    assert_eq!(seen.problems(), [], "{:#}", seen.report);
}
