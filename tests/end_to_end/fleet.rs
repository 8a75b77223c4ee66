//! Agents come in by a token, stay in by themselves, and are put out: real processes, with certificates that live
//! for seconds where time has to pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailsonde_tests::enrolment::make_token;

use crate::site::{AGENT, PROGRAM, Process, Site, files_with, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

impl Site {
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

#[test]
fn whoever_has_the_key_of_a_lost_disk_is_out_when_the_agent_comes_in_again() {
    let site = Site::running("");
    let anew = site.folder().join("anew");
    let (is_in, said) = enroll(&site.token(&["--agent", AGENT]), &anew);
    assert!(is_in, "{said}");
    wait_until("the old key's stream ends", Duration::from_secs(5), || {
        site.log("collector").contains("this agent was enrolled again, with another key")
    });
    wait_until("it is not here", PATIENCE, || !site.is_here(AGENT));
    let seen = site.newest_sequence();
    std::thread::sleep(Duration::from_secs(2));
    assert!(!site.is_here(AGENT) && site.newest_sequence() == seen);
}

/// The demo's program with another wall clock, ahead by so much, or from another moment on; the monotonic clock is left alone.
pub(crate) fn later(by: &str) -> Command {
    // not by the program `faketime`, which would stand between us and the process
    let mut libraries = fs::read_dir("/usr/lib")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    let library = libraries.find(|path| path.exists()).expect("the package faketime");
    let mut command = Command::new(PROGRAM);
    command.env("LD_PRELOAD", library).env("FAKETIME", by);
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

impl Site {
    /// The agent, by a clock that is ahead.
    fn agent_later(&self, by: &str) -> Process {
        let mut command = later(by);
        command.args(["agent", "run", "--config"]).arg(self.agent_config());
        command.arg("--data").arg(self.outbox_folder());
        Process::spawn("agent", command, self.folder())
    }

    /// Stops the collector, and starts it by a clock that is ahead.
    fn collector_later(&mut self, by: &str) {
        self.stop_collector();
        let mut command = later(by);
        command.args(["collector", "--data"]).arg(self.collector_folder()).arg("serve");
        self.collector = Some(Process::spawn("collector", command, self.folder()));
        self.wait_for_operators();
    }
}

#[test]
fn after_a_month_an_agent_rejoins_and_a_token_is_over() {
    let mut site = Site::running("");
    let before = site.listed(AGENT).unwrap().agent_id;
    let token = site.token(&[]);
    site.stop_agent();
    site.collector_later("+31d");
    let agent = site.agent_later("+31d");
    wait_until("the agent is here again", PATIENCE, || site.is_here(AGENT));
    assert_eq!(site.listed(AGENT).unwrap().agent_id, before);
    assert!(site.log("agent").contains("rejoined=true"), "{}", site.log("agent"));
    let data = site.folder().join("too-late");
    let output =
        later("+31d").args(["agent", "enroll", &token, "--data"]).arg(&data).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("this token expired at"), "{said}");
    agent.stop();
}

#[test]
fn a_clock_that_is_off_is_known_within_bounds_and_flagged() {
    let mut site = Site::running("");
    let right = site.listed(AGENT).unwrap();
    site.stop_agent();
    let agent = site.agent_later("+600s");
    let off =
        || site.listed(AGENT).and_then(|agent| agent.clock_offset_us.zip(agent.clock_error_us));
    wait_until("its clock is known", PATIENCE, || {
        off().is_some_and(|(off_us, error_us)| {
            off_us.abs_diff(600_000_000) <= error_us + 1_000 && error_us < 1_000_000
        })
    });
    let mut command = Command::new(PROGRAM);
    command.args(["collector", "--data"]).arg(site.collector_folder()).arg("agents");
    let said = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    assert!(said.contains("off: set it by NTP"), "{said}");
    assert_ne!(right.clock_offset_us.map(i64::abs).unwrap_or_default() / 1_000_000, 600);
    agent.stop();
}

#[test]
fn one_authority_takes_over_from_another_without_a_gap() {
    let mut site = Site::running("agent_certificate = \"10s\"");
    let ca = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["collector", "--data"]).arg(site.collector_folder()).arg("ca");
        let output = command.args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (_, before) = ca(&["show"]);
    let (exit, said) = ca(&["rotate"]);
    assert!(
        exit == Some(0) && said.contains("without a certificate of the next one yet: 1 (branch)"),
        "{said}"
    );
    // who does not know the next one would be lost
    let (exit, said) = ca(&["retire"]);
    assert!(
        exit == Some(2) && said.contains("have no certificate of the next authority yet (branch)"),
        "{said}"
    );
    let (exit, said) = ca(&["rotate"]);
    assert!(exit == Some(2) && said.contains("is taking over from another already"), "{said}");
    // one that comes in meanwhile knows both
    let meanwhile = site.folder().join("meanwhile");
    let (is_in, said) = enroll(&site.token(&["--name", "late"]), &meanwhile);
    assert!(is_in, "{said}");
    let known = fs::read_to_string(meanwhile.join("identity/ca.pem")).unwrap();
    assert_eq!(known.matches("BEGIN CERTIFICATE").count(), 2);
    site.ask_collector(&["agents", "revoke", "late"]);

    wait_until("the agent has a certificate of the next one", PATIENCE, || {
        ca(&["show"]).1.contains("every agent has a certificate of the next one")
    });
    let (exit, after) = ca(&["retire"]);
    assert_eq!(exit, Some(0), "{after}");
    let fingerprint =
        |text: &str| text.split_whitespace().find(|word| word.len() == 64).unwrap().to_owned();
    assert_ne!(fingerprint(&before), fingerprint(&after));
    let seen = site.newest_sequence();
    wait_until("observations go on", PATIENCE, || site.newest_sequence() > seen + 4);
    // the next certificate comes from it, over a connection to its server certificate; the first is known no more
    let known = || fs::read_to_string(site.identity_folder().join("ca.pem")).unwrap();
    wait_until("the agent believes the other one alone", PATIENCE, || {
        known().matches("BEGIN CERTIFICATE").count() == 1
    });
    assert!(!site.log("agent").contains("rejoined=true"), "it never lost touch");
    let acts = site.acts();
    for act in ["made the next certificate authority: ", "retired the certificate authority "] {
        assert!(acts.iter().any(|it| it.starts_with(act)), "{act}: {acts:?}");
    }
    // and all of it after a restart
    site.stop_agent();
    site.stop_collector();
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    wait_until("the agent is here again", PATIENCE, || site.is_here(AGENT));
}

#[test]
fn a_certificate_of_a_retired_authority_is_worth_nothing() {
    let site = Site::running("");
    let (copied, stolen) = (site.folder().join("copied"), site.identity_folder());
    fs::create_dir_all(copied.join("identity")).unwrap();
    for name in ["agent.key", "agent.pem", "ca.pem"] {
        fs::copy(stolen.join(name), copied.join("identity").join(name)).unwrap();
    }
    site.ask_collector(&["ca", "rotate"]);
    site.ask_collector(&["ca", "retire", "--force"]);
    // its certificate is valid for a day, and its stream stood
    wait_until("it is told so", Duration::from_secs(10), || {
        site.log("collector").contains("the authority of this agent's certificate was retired")
    });
    wait_until("it does not come back", PATIENCE, || !site.is_here(AGENT));
    let seen = site.newest_sequence();
    std::thread::sleep(Duration::from_secs(3));
    assert!(!site.is_here(AGENT) && site.newest_sequence() == seen);
    let (is_in, said) = enroll(&site.token(&["--agent", AGENT]), &site.outbox_folder());
    assert!(is_in, "{said}");
    wait_until("enrolled again it is here", PATIENCE, || site.is_here(AGENT));
}
