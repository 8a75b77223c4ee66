//! A captured collector wants ten thousand things of its agent: over the stream, as its own checks and runs.
//!
//! It says what no collector of ours would: secrets and files of the agent's host, checks that are no TOML, names that
//! are another's, runs by the thousand. What is not refused at once runs, and must be void by policy, without a packet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use mailsonde_proto::convert::{
    AssignedCheck, Assignment, FromAgent, RunRequest, observation_from_bytes,
};
use mailsonde_proto::{Cause, Observation, Verdict, VoidReason};
use mailsonde_tests::captured::Captured;
use mailsonde_tests::lab::{Host, Lab};

use super::PolicyFile;
use super::hostile::{COUNTERS, Dice, POLICY, check, forbidden, lab_that_leads_astray, nft};
use crate::agent::DEMO;
use crate::process::{Process, now};

const CHECKS: usize = 1_000;
const ROUNDS: usize = 10;
/// One round: each check that is accepted has run once.
const ROUND: Duration = Duration::from_secs(300);
/// Stand in the agent's own files.
const CANARIES: [&str; 3] = ["canary-password", "canary-oauth2", "canary-file"];

/// An agent in branch 1 whose collector is captured.
struct Prey {
    lab: Lab,
    captured: Captured,
    agent: Process,
    folder: tempfile::TempDir,
    policy: PolicyFile,
    /// Whatever came over the stream, to look for what must not.
    said: String,
    told: BTreeMap<String, usize>,
}

impl Prey {
    fn start() -> Self {
        let lab = lab_that_leads_astray();
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let network = lab.network(Host::Branch(1)).expect("its network");
        let captured = Captured::start(
            &network,
            (Ipv4Addr::LOCALHOST, 0).into(),
            (&folder.path().join("collector"), &data),
        )
        .expect("it starts");
        let port = captured.address().port();
        let own = format!(
            "  chain output {{\n    type filter hook output priority 0; policy accept;\n    \
             oifname lo tcp dport {port} accept\n    oifname lo tcp sport {port} accept\n"
        );
        let counters = COUNTERS.replace(
            "  chain output {\n    type filter hook output priority 0; policy accept;\n",
            &own,
        );
        assert_ne!(counters, COUNTERS);
        nft(&lab, &["-f", "-"], &counters);
        let config = configure(folder.path(), &data, port);
        let policy = PolicyFile::of(POLICY);
        let mut command = lab.command(Host::Branch(1), DEMO);
        command.args(["agent", "run", "--config"]).arg(config);
        command.arg("--policy").arg(policy.path());
        let agent = Process::spawn("agent", command, folder.path());
        let (said, told) = (String::new(), BTreeMap::new());
        Self { lab, captured, agent, folder, policy, said, told }
    }

    /// Has these checks run once each, or refused; returns how many were refused at once.
    fn round(&mut self, checks: Vec<AssignedCheck>) -> usize {
        let mut left: BTreeSet<String> = checks.iter().map(|check| check.name.clone()).collect();
        let assignment = Assignment::new(checks);
        let revision = assignment.revision;
        self.captured.assign(assignment);
        let deadline = now() + ROUND;
        let mut refused = None;
        while refused.is_none() || !left.is_empty() {
            assert!(now() < deadline, "{} were neither refused nor run: {left:?}", left.len());
            self.agent.expect_alive();
            let Some(said) = self.captured.hear(Duration::from_millis(200)) else { continue };
            self.said.push_str(&format!("{said:?}"));
            match said {
                FromAgent::Assigned(assigned) if assigned.revision == revision => {
                    left.retain(|name| assigned.refused.iter().all(|it| it.check != *name));
                    refused = Some(assigned.refused.len());
                }
                FromAgent::Batch(batch) => {
                    for bytes in &batch.observations {
                        let observation = observation_from_bytes(bytes).expect("an observation");
                        self.assert_void(&observation);
                        left.remove(&observation.check);
                    }
                }
                _ => {}
            }
        }
        refused.expect("it was answered")
    }

    fn assert_void(&mut self, observation: &Observation) {
        let Verdict::Void { reason, detail } = &observation.verdict else {
            panic!("not void: {observation:#?}");
        };
        let is_harmless = matches!(reason, VoidReason::Policy | VoidReason::Overrun);
        assert!(is_harmless, "{observation:#?}");
        let rule = detail.split(": ").next().unwrap_or_default();
        *self.told.entry(rule.to_owned()).or_default() += 1;
    }
}

fn configure(folder: &Path, data: &Path, port: u16) -> std::path::PathBuf {
    fs::write(data.join("canary-file"), "canary-file").expect("a file");
    let text = format!(
        "data = \"{data}\"\n[collector]\naddress = \"127.0.0.1:{port}\"\nserver_name = \"localhost\"\n\
         [vantage_point]\nname = \"b1\"\n[limits]\nconcurrent_runs = 64\n\
         [[mailbox]]\nname = \"alice\"\naddress = \"alice@good.test\"\npassword = \"canary-password\"\n\
         [mailbox.smtp]\nhost = \"mail.good.test\"\n[mailbox.imap]\nhost = \"mail.good.test\"\n\
         [[mailbox]]\nname = \"elsewhere\"\naddress = \"alice@good.test\"\npassword = \"canary-oauth2\"\n\
         [mailbox.smtp]\nhost = \"mx.privmx.test\"\n[mailbox.imap]\nhost = \"mx.privmx.test\"\n",
        data = data.display()
    );
    let file = folder.join("agent.toml");
    fs::write(&file, text).expect("a file");
    mailsonde_proto::file::replace(&file, &fs::read(&file).expect("it"), 0o600).expect("its mode");
    file
}

/// What no collector of ours would say.
fn unheard_of(number: usize, dice: &mut Dice, data: &Path) -> AssignedCheck {
    let name = format!("u{number}");
    let file = data.join("canary-file");
    let file = file.display();
    let head =
        format!("name = {name:?}\nkind = \"imap\"\nhost = \"mail.good.test\"\nlogin = \"a\"\n");
    let settings = match dice.next() % 10 {
        0 => format!("{head}password = {{ file = \"{file}\" }}\n"),
        1 => format!("{head}password = {{ env = \"HOME\" }}\n"),
        2 => format!("{head}password = \"mine\"\n"),
        3 => format!("{head}mailbox = \"alice\"\nca_file = \"{file}\"\n"),
        4 => format!("{head}ca_file = \"/dev/zero\"\n"),
        5 => format!(
            "name = {name:?}\nkind = \"dns\"\ndomain = \"localmx.test\"\ntrust_anchor = \"/etc/shadow\"\n"
        ),
        6 => "[".repeat(8_000),
        7 => format!(
            "name = {name:?}\nkind = \"http\"\nurl = \"http://web.lab.test/\"\nbody = \"{}\"",
            "(".repeat(8_000)
        ),
        8 => format!(
            "name = \"another\"\nkind = \"tcp\"\nhost = \"mail.good.test\"\nport = {}\n",
            dice.next()
        ),
        _ => format!("name = {name:?}\nkind = \"{:x}\"\nevery = \"1ns\"\n\u{0}", dice.next()),
    };
    AssignedCheck { name, settings }
}

/// A check as the captured collector would write it into `agent.toml`, if it could.
fn wanted(number: usize, dice: &mut Dice) -> AssignedCheck {
    let settings = check(number, dice).replace("[[check]]\n", "").replace("\"1h\"", "\"4s\"");
    AssignedCheck { name: format!("c{number}"), settings }
}

#[test]
fn ten_thousand_wishes_of_a_captured_collector_send_no_packet_outside_the_policy() {
    let mut prey = Prey::start();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let data = prey.folder.path().join("data");
    let mut refused = 0;
    for round in 0..ROUNDS {
        let checks = (0..CHECKS).map(|at| match at % 10 {
            0 => unheard_of(round * CHECKS + at, &mut dice, &data),
            _ => wanted(round * CHECKS + at, &mut dice),
        });
        let checks: Vec<_> = checks.collect();
        let names: Vec<_> = checks.iter().map(|check| check.name.clone()).collect();
        refused += prey.round(checks);
        // and runs, more than anybody could want
        for name in names.iter().take(200) {
            let (request, check) = (dice.next(), name.clone());
            prey.captured.ask_for_run(RunRequest { request, check, cause: Cause::OnDemand });
        }
    }
    println!("refused at once: {refused}; void by {:?}", prey.told);
    assert!(refused >= ROUNDS * CHECKS / 10, "what is unheard of is refused");
    let run: usize = prey.told.values().sum();
    assert!(refused < ROUNDS * CHECKS && run >= ROUNDS * CHECKS - refused, "{refused} {run}");
    assert_eq!(forbidden(&prey.lab), 0);
    let log = prey.lab.mail_log();
    assert!(log.with("from=<alice@good.test>").next().is_none(), "a message left");
    let agent = prey.agent.log();
    for canary in CANARIES {
        assert!(!prey.said.contains(canary), "{canary} came over the stream");
        assert!(!agent.contains(canary), "{canary} stands in the log");
    }
    assert!(prey.policy.path().exists());
    // it still is what it was, and ends as it should
    prey.agent.stop();
}
