//! Agents come in by a token, stay in by themselves, and are put out: real processes, with certificates that live
//! for seconds where time has to pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::query::{AgentAnswer, AgentsAnswer, AuditAnswer};
use mailsonde_tests::enrolment::make_token;
use serde::de::DeserializeOwned;

use crate::site::{AGENT, PROGRAM, Site, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

impl Site {
    fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = Folder::at(self.collector_folder());
        runtime.block_on(client::ask::<T>(&folder, path)).unwrap().value
    }

    fn listed(&self, name: &str) -> Option<AgentAnswer> {
        let answer: AgentsAnswer = self.ask(path::AGENTS);
        answer.agents.into_iter().find(|agent| agent.name == name)
    }

    fn is_here(&self, name: &str) -> bool {
        self.listed(name).is_some_and(|agent| agent.connected_since.is_some())
    }

    fn acts(&self) -> Vec<String> {
        let audit: AuditAnswer = self.ask(path::AUDIT);
        assert!(audit.breaks.is_empty(), "{:?}", audit.breaks);
        audit.newest.into_iter().map(|act| act.what).collect()
    }

    fn token(&self, options: &[&str]) -> String {
        make_token(|| Command::new(PROGRAM), &self.collector_folder(), options).unwrap()
    }

    /// Both run, and the agent's stream stands.
    fn running(collector_toml: &str) -> Self {
        let mut site = Self::new();
        let config = site.collector_folder().join("collector.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}{collector_toml}\n")).unwrap();
        site.set_checks(1, "500ms");
        site.start_collector();
        site.wait_for_operators();
        // once more, by a certificate of this collector.toml
        let (is_in, said) = enroll(&site.token(&["--agent", AGENT]), &site.outbox_folder());
        assert!(is_in, "{said}");
        site.start_agent();
        wait_until("the agent is here", PATIENCE, || site.is_here(AGENT));
        site
    }
}

/// Runs `enroll` at a branch; what it said, and whether it came in.
fn enroll(token: &str, data: &Path) -> (bool, String) {
    let mut command = Command::new(PROGRAM);
    // by a relative path, as people write it
    command.current_dir(data.parent().unwrap()).args(["agent", "enroll", token, "--data"]);
    let output = command.arg(data.file_name().unwrap()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
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

#[test]
fn a_token_lets_one_machine_in_and_its_secret_stands_nowhere() {
    let site = Site::running("");
    let token = site.token(&["--label", "site=durban"]);
    let (first, second) = (site.folder().join("first"), site.folder().join("second"));
    let (is_in, said) = enroll(&token, &first);
    assert!(is_in && said.starts_with("enrolled as "), "{said}");
    let name = said.split(['\n', ';']).next().unwrap().replace("enrolled as ", "");
    let written = fs::read_to_string(first.join("agent.toml")).unwrap();
    assert!(written.contains(&format!("\ndata = \"{}\"\n", first.display())), "{written}");
    let labels = site.listed(&name).expect("it is listed").labels;
    assert_eq!(labels, [("site".to_owned(), "durban".to_owned())].into());

    // its answer was lost: the same machine asks again, and is the same agent
    fs::remove_file(first.join("identity/agent.pem")).unwrap();
    let (is_in, again) = enroll(&token, &first);
    assert!(is_in && again.starts_with(&format!("enrolled as {name};")), "{again}");

    // another machine has got hold of the token
    let (is_in, said) = enroll(&token, &second);
    assert!(!is_in && said.contains("was used already, by another key"), "{said}");
    let (is_in, said) = enroll(&token[..token.len() - 3], &second);
    assert!(!is_in && said.contains("cut or mistyped"), "{said}");

    let secret = mailsonde_proto::EnrolmentToken::from_line(&token).unwrap().secret.to_bytes();
    for bytes in [token.as_bytes(), &secret] {
        assert_eq!(files_with(site.folder(), bytes), Vec::<PathBuf>::new());
    }
    let key = fs::read_to_string(first.join("identity/agent.key")).unwrap();
    let key = key.lines().nth(1).unwrap();
    assert_eq!(files_with(site.folder(), key.as_bytes()), [first.join("identity/agent.key")]);
}

#[test]
fn a_certificate_is_renewed_and_the_stream_goes_on() {
    let site = Site::running("agent_certificate = \"12s\"");
    let pem = site.identity_folder().join("agent.pem");
    let before = fs::read(&pem).unwrap();
    let renewals = || site.log("agent").matches("uplink: a new certificate").count();
    wait_until("two renewals", PATIENCE, || renewals() >= 2);
    assert_ne!(fs::read(&pem).unwrap(), before);
    let seen = site.newest_sequence();
    wait_until("observations go on", PATIENCE, || site.newest_sequence() > seen + 2);
    assert!(!site.log("agent").contains("rejoined=true"));
    let until = site.listed(AGENT).unwrap().certificate_not_after.unwrap();
    assert!(until < jiff::Timestamp::now() + jiff::SignedDuration::from_secs(13));
}

#[test]
fn an_agent_that_was_off_too_long_rejoins_as_itself() {
    let mut site = Site::running("agent_certificate = \"5s\"");
    let before = site.listed(AGENT).unwrap().agent_id;
    site.stop_agent();
    std::thread::sleep(Duration::from_secs(7));
    site.start_agent();
    wait_until("the agent is here again", PATIENCE, || site.is_here(AGENT));
    assert!(site.log("agent").contains("rejoined=true"), "{}", site.log("agent"));
    assert_eq!(site.listed(AGENT).unwrap().agent_id, before);
    let acts = site.acts();
    assert!(acts.contains(&format!("{AGENT} rejoined by its registered key")), "{acts:?}");
}

#[test]
fn a_revoked_agent_is_out_at_once_and_stays_out() {
    let mut site = Site::running("");
    site.ask_collector(&["agents", "revoke", AGENT]);
    wait_until("it is told so", Duration::from_secs(5), || {
        site.log("agent").contains("the collector refuses this agent")
    });
    assert_eq!(site.listed(AGENT), None);
    let seen = site.newest_sequence();
    // its certificate is still valid, and its key proves itself
    site.stop_agent();
    site.start_agent();
    std::thread::sleep(Duration::from_secs(3));
    site.agent.as_mut().unwrap().expect_alive();
    assert_eq!(site.newest_sequence(), seen);
    let log = site.agent.as_ref().unwrap().log();
    assert!(log.contains("was revoked at"), "{log}");
    let (is_in, said) = enroll(&site.token(&[]), &site.outbox_folder());
    assert!(!is_in && said.contains("this key was revoked"), "{said}");
    let acts = site.acts();
    assert!(acts.contains(&format!("revoked {AGENT}")), "{acts:?}");
}

#[test]
fn two_machines_with_one_key_are_noticed() {
    let site = Site::running("");
    let copied = site.folder().join("copied");
    fs::create_dir_all(copied.join("identity")).unwrap();
    for name in ["agent.key", "agent.pem", "ca.pem"] {
        fs::copy(site.identity_folder().join(name), copied.join("identity").join(name)).unwrap();
    }
    let mut clone = site.start_another(&copied);
    wait_until("the collector notices", PATIENCE, || {
        clone.expect_alive();
        site.listed(AGENT).is_some_and(|agent| agent.clones.is_some())
    });
    clone.stop();
    let acts = site.acts();
    let words = format!("noticed two machines with the key of {AGENT}: 127.0.0.1:");
    assert!(acts.iter().any(|act| act.starts_with(&words)), "{acts:?}");
}

#[test]
fn names_and_labels_change_at_the_collector_and_the_log_proves_it() {
    let mut site = Site::running("");
    site.ask_collector(&["agents", "label", AGENT, "site=durban", "floor=2"]);
    site.ask_collector(&["agents", "label", AGENT, "floor="]);
    site.ask_collector(&["agents", "rename", AGENT, "coast"]);
    let agent = site.listed("coast").expect("it is called so now");
    assert_eq!(agent.labels, [("site".to_owned(), "durban".to_owned())].into());
    site.ask_collector(&["audit", "verify"]);
    site.stop_collector();
    site.start_collector();
    site.wait_for_operators();
    wait_until("the agent is here again", PATIENCE, || site.is_here("coast"));
    let acts = site.acts();
    let last: Vec<_> = acts.iter().rev().take(3).rev().map(String::as_str).collect();
    assert_eq!(
        last,
        [
            "labelled branch: floor=2 site=durban",
            "labelled branch: site=durban",
            "renamed branch to coast"
        ]
    );
}
