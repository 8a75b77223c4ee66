//! The same through real Postfix and Dovecot: a collector and two agents in a branch of the lab.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailsonde_collector::cli::client;
use mailsonde_collector::fleet::RunLine;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::query::AgentsAnswer;
use mailsonde_proto::WallTime;
use mailsonde_tests::enrolment::enrol;
use mailsonde_tests::lab::{Host, User};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::*;
use crate::agent::{in_company, lab, name_of};

const AGENTS: [&str; 2] = ["durban", "cape"];

/// The program in the branch.
fn in_branch() -> Command {
    lab().command(Host::Branch(1), PROGRAM)
}

struct Branch {
    // the agents first
    _agents: Vec<Process>,
    _collector: Process,
    folder: TempDir,
}

impl Branch {
    fn running() -> Self {
        let folder = tempfile::Builder::new().prefix("mailsonde-pairs-").tempdir().unwrap();
        let collector_folder = folder.path().join("collector");
        let mut init = in_branch();
        init.args(["collector", "--data"]).arg(&collector_folder);
        init.args(["init", "--listen", "127.0.0.1:7443", "--name", "localhost"]);
        Told::of(init.output().unwrap()).expect(0, "");
        let mut serve = in_branch();
        serve.args(["collector", "--data"]).arg(&collector_folder).arg("serve");
        let collector = Process::spawn("collector", serve, folder.path());
        let socket = collector_folder.join("operators.sock");
        wait_until("the collector answers", PATIENCE, || UnixStream::connect(&socket).is_ok());
        let mut branch = Self { _agents: Vec::new(), _collector: collector, folder };
        for name in AGENTS {
            let data = branch.data(name);
            enrol(in_branch, (&collector_folder, &data), &["--name", name]).unwrap();
            let (user, config) = (lab().claim_user().unwrap(), data.join("agent.toml"));
            let mut text = fs::read_to_string(&config).unwrap();
            for (mailbox, address) in addresses(&user) {
                text += &real_mailbox(mailbox, &address, &user);
            }
            fs::write(&config, text).unwrap();
            branch.write_policy(name, "");
            let mut run = in_branch();
            run.args(["agent", "run", "--config"]).arg(config).arg("--data").arg(data);
            branch._agents.push(Process::spawn(name, run, branch.folder.path()));
        }
        wait_until("both are here", PATIENCE, || {
            let agents = branch.ask::<AgentsAnswer>(path::AGENTS).agents;
            agents.iter().filter(|agent| agent.connected_since.is_some()).count() == 2
        });
        branch
    }

    /// Checks that run when they are asked for, between agents that believe each other.
    fn with_checks(self) -> Self {
        for (agent, other) in [("durban", "cape"), ("cape", "durban")] {
            let data = self.data(other);
            let mut command = Command::new(PROGRAM);
            command.args(["agent", "policy", "key", "--config"]).arg(data.join("agent.toml"));
            let told = Told::of(command.arg("--data").arg(data).output().unwrap());
            self.write_policy(agent, &told.said);
        }
        self._agents.iter().for_each(|agent| agent.signal(Signal::HUP));
        let daily = |name: &str, from: &str, to: &str, to_mailbox: &str| {
            let text = pair(name, from, to, "main").replace("\"2s\"", "\"24h\"");
            let text = text.replace("\"4s\"", "\"6s\"");
            text.replace("to_mailbox = \"main\"", &format!("to_mailbox = \"{to_mailbox}\""))
        };
        let text = daily("mail", "*", "*", "main")
            + &daily("lost", "name=durban", "name=cape", "hole")
            + &daily("held", "name=durban", "name=cape", "held");
        fs::create_dir_all(self.collector_folder().join("checks.d")).unwrap();
        fs::write(self.collector_folder().join("checks.d/pairs.toml"), text).unwrap();
        self.collector(&["config", "apply", "--yes"]).expect(0, "3 changes in force");
        wait_until("both know their checks", PATIENCE, || {
            let agents = self.ask::<AgentsAnswer>(path::AGENTS).agents;
            agents.iter().map(|agent| agent.checks.len()).sum::<usize>() == 4
        });
        self
    }

    /// One run, now.
    fn run(&self, check: &str) -> ObservationAnswer {
        let told = self.collector(&["run", check, "--json"]);
        let lines = told.said.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut observed = lines.filter_map(|line| match line {
            RunLine::Observed(seen) => Some(*seen),
            _ => None,
        });
        observed.next().unwrap_or_else(|| panic!("{check}: {}", told.said))
    }

    fn collector(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(PROGRAM);
        command.args(["collector", "--data"]).arg(self.collector_folder()).args(arguments);
        Told::of(command.env("NO_COLOR", "1").output().unwrap())
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = Folder::at(self.collector_folder());
        runtime.block_on(client::ask::<T>(&folder, path)).unwrap().value
    }

    fn write_policy(&self, agent: &str, senders: &str) {
        let text = format!(
            "recipients = [\"@good.test\"]\n[targets]\nnetworks = [\"198.18.0.0/15\"]\n{senders}"
        );
        fs::write(self.data(agent).join("policy.toml"), text).unwrap();
    }

    fn collector_folder(&self) -> PathBuf {
        self.folder.path().join("collector")
    }

    fn data(&self, agent: &str) -> PathBuf {
        self.folder.path().join(format!("of-{agent}"))
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["collector", "durban", "cape"] {
                let log = self.folder.path().join(format!("{name}.log"));
                let log = fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                println!("--- {name}\n{}", lines[lines.len().saturating_sub(25)..].join("\n"));
            }
        }
    }
}

/// Three addresses of one user: where mail arrives, where it is lost, where it waits until it is released.
fn addresses(user: &User) -> [(&'static str, String); 3] {
    let name = name_of(user);
    [
        ("main", user.address.clone()),
        ("hole", format!("discard-{name}@good.test")),
        ("held", format!("hold-{name}@good.test")),
    ]
}

fn real_mailbox(name: &str, address: &str, user: &User) -> String {
    let User { address: login, password, .. } = user;
    let ca: &Path = &lab().ca_file();
    format!(
        "\n[[mailbox]]\nname = \"{name}\"\naddress = \"{address}\"\nlogin = \"{login}\"\n\
         password = \"{password}\"\nreceive = true\n\
         [mailbox.smtp]\nhost = \"mail.good.test\"\nca_file = {ca:?}\n\
         [mailbox.imap]\nhost = \"imap.good.test\"\nca_file = {ca:?}\n"
    )
}

fn fact<'s>(seen: &'s ObservationAnswer, name: &str) -> &'s str {
    let fact = seen.facts.iter().find(|fact| fact.name == name);
    fact.map_or_else(|| panic!("no {name}: {seen:#?}"), |fact| &fact.value)
}

/// By Dovecot's line, in which a Message-ID as long as that of a signed mail is cut.
fn stored_at(message_id: &str) -> WallTime {
    let wanted = format!("msgid=<{}", &message_id[..150]);
    let mut at = None;
    wait_until("Dovecot says so", PATIENCE, || {
        let log = lab().mail_log();
        let mut lines = log.with(&wanted).filter(|line| line.text.contains("stored mail into"));
        at = lines.next().map(|line| line.at);
        at.is_some()
    });
    at.unwrap()
}

/// When it was seen, as told, against the line of Dovecot's log; both by this host's clock.
fn assert_true_to_the_log(seen: &ObservationAnswer) {
    let Some(arrival) = seen.phases.iter().find(|phase| phase.name == "arrival") else {
        assert!(fact(seen, "arrival.time").starts_with("left out"), "{seen:#?}");
        return;
    };
    let error_us = i64::try_from(arrival.uncertainty_us).unwrap();
    assert!(error_us > 0 && error_us < arrival.duration_us.abs(), "{arrival:?}");
    let seen_at: jiff::Timestamp = fact(seen, "arrival.seen_at").parse().unwrap();
    let stored_at = stored_at(fact(seen, "message_id"));
    let after_us = WallTime::from(seen_at).signed_us_since(stored_at);
    println!("seen {after_us} us after Dovecot's line, ± {error_us} us");
    // the log has milliseconds
    assert!((-error_us - 2_000..1_000_000).contains(&after_us), "{after_us} us: {seen:#?}");
}

#[test]
fn real_servers_carry_mail_both_ways_lose_it_and_hold_it_back() {
    let _company = in_company();
    let branch = Branch::running().with_checks();
    for check in ["mail-cape", "mail-durban", "mail-cape", "mail-durban"] {
        let seen = branch.run(check);
        assert_eq!(seen.verdict, "pass", "{seen:#?}");
        assert_true_to_the_log(&seen);
        assert!(fact(&seen, "hop.1").contains("good.test"), "{seen:#?}");
    }
    let lost = branch.run("lost-cape").fault.unwrap();
    assert_eq!((&*lost.phase, &*lost.class), ("arrival", "timeout"), "{lost:?}");

    let held = branch.run("held-cape");
    let fault = held.fault.as_ref().unwrap();
    assert_eq!((&*fault.phase, &*fault.class), ("arrival", "timeout"), "{held:#?}");
    lab().release_held(fact(&held, "message_id")).unwrap();
    let mut late = None;
    wait_until("it is told late", PATIENCE, || {
        let question = format!("{}?check=held-cape&limit=10", path::OBSERVATIONS);
        let seen = branch.ask::<ObservationsAnswer>(&question).observations;
        late = seen.into_iter().find(|seen| seen.amends.is_some());
        late.is_some()
    });
    let late = late.unwrap();
    assert_eq!(late.amends.unwrap().1, held.intent);
    assert!(late.fault.unwrap().explanation.contains("arrived late"));
}
