//! Real outages: a collector and three agents in three branches of a lab, whose servers stop, hang and go wrong. Each
//! is one incident, in time, of the right phase and scope, and is over when runs pass again.
//!
//! Every scenario has checks of its own, so that none is taken for another's that came back.

mod branches;
mod drill;
mod mail;
mod operators;
mod servers;
pub(crate) mod users;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::judge::incident::{Incident, Scope, State};
use mailsonde_collector::query::{
    AgentsAnswer, IncidentAnswer, IncidentLine, IncidentsAnswer, ObservationsAnswer,
};
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, WallTime};
use mailsonde_tests::enrolment::enrol;
use mailsonde_tests::lab::{Host, Lab, LabOptions, User};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::central_checks::Told;
use crate::process::{PROGRAM, Process, now, wait_until};

/// Nothing takes so long, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(150);
/// From run to run.
const CADENCE: Duration = Duration::from_secs(3);
/// A run takes so long at most.
const TIMEOUT: Duration = Duration::from_secs(4);
/// What comes on top, from the fault to the incident.
const MORE: Duration = Duration::from_secs(5);
/// After its start the collector takes nobody for silent for 45 s.
const GRACE: Duration = Duration::from_secs(46);
/// The agents, by their sites; the first is in branch 1.
const SITES: [&str; 3] = ["durban", "cape", "joburg"];
const EVERYWHERE: Scope = Scope::Everywhere { sites: SITES.len() };

/// A collector between the branches, and an agent in each.
pub(crate) struct Company {
    // in the order in which they go
    agents: Vec<Process>,
    collector: Option<Process>,
    /// When the collector was started last.
    started_at: Instant,
    pub(crate) lab: Lab,
    pub(crate) folder: TempDir,
}

impl Company {
    pub(crate) fn running() -> Self {
        Self::prepared(|_| {})
    }

    /// The same, in a lab to which something was done before anybody uses it.
    fn prepared(prepare: impl FnOnce(&Lab)) -> Self {
        let branches = u8::try_from(SITES.len()).unwrap();
        let options = LabOptions { branches, probe_users: 6, ..LabOptions::default() };
        let lab = Lab::start(options).expect("the lab");
        prepare(&lab);
        let folder = tempfile::Builder::new().prefix("mailsonde-outages-").tempdir().unwrap();
        let started_at = now();
        let mut company = Self { agents: Vec::new(), collector: None, started_at, lab, folder };
        let mut init = company.lab.command(Host::Router, PROGRAM);
        init.args(["collector", "--data"]).arg(company.collector_folder());
        init.args(["init", "--listen", "198.18.0.1:7443", "--name", "198.18.0.1"]);
        Told::of(init.output().unwrap()).expect(0, "");
        let config = company.collector_folder().join("collector.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}operators_listen = \"127.0.0.1:7444\"\n")).unwrap();
        let services = company.collector_folder().join("services.d");
        fs::create_dir_all(&services).unwrap();
        fs::write(services.join("all.toml"), SERVICES).unwrap();
        company.start_collector();
        for (site, branch) in SITES.into_iter().zip(1..) {
            let agent = company.enrol(site, branch);
            company.agents.push(agent);
        }
        wait_until("all are here", PATIENCE, || {
            let agents = company.ask::<AgentsAnswer>(path::AGENTS).agents;
            agents.iter().filter(|agent| agent.connected_since.is_some()).count() == SITES.len()
        });
        company
    }

    /// SIGKILL.
    pub(crate) fn kill_collector(&mut self) {
        self.collector.take().unwrap().kill();
    }

    pub(crate) fn start_collector(&mut self) {
        let mut serve = self.lab.command(Host::Router, PROGRAM);
        serve.args(["collector", "--data"]).arg(self.collector_folder()).arg("serve");
        self.collector = Some(Process::spawn("collector", serve, self.folder.path()));
        self.started_at = now();
        let socket = self.collector_folder().join("operators.sock");
        wait_until("the collector answers", PATIENCE, || UnixStream::connect(&socket).is_ok());
    }

    /// Nobody is silent for the collector for a while after its start: waits until that is over.
    fn wait_until_silence_counts(&self) {
        let counts = self.started_at + GRACE;
        wait_until("silence counts", PATIENCE, || now() >= counts);
    }

    fn enrol(&self, site: &'static str, branch: u8) -> Process {
        let data = self.folder.path().join(format!("of-{site}"));
        let program = || self.lab.command(Host::Branch(branch), PROGRAM);
        enrol(program, (&self.collector_folder(), &data), &["--name", site]).unwrap();
        self.collector(&["agents", "label", site, &format!("site={site}")]).expect(0, "");
        let (user, config) = (self.lab.claim_user().unwrap(), data.join("agent.toml"));
        let text = fs::read_to_string(&config).unwrap() + &self.mailbox(&user);
        fs::write(&config, text).unwrap();
        fs::write(data.join("policy.toml"), POLICY).unwrap();
        fs::copy(self.lab.ca_file(), data.join(CA_FILE)).unwrap();
        let mut run = program();
        run.args(["agent", "run", "--config"]).arg(config).arg("--data").arg(data);
        Process::spawn(site, run, self.folder.path())
    }

    fn mailbox(&self, user: &User) -> String {
        let User { address, password } = user;
        let ca = self.lab.ca_file();
        format!(
            "\n[[mailbox]]\nname = \"main\"\naddress = \"{address}\"\npassword = \"{password}\"\n\
             [mailbox.smtp]\nhost = \"mail.good.test\"\nca_file = {ca:?}\n\
             [mailbox.imap]\nhost = \"imap.good.test\"\nca_file = {ca:?}\n"
        )
    }

    fn collector_folder(&self) -> PathBuf {
        self.folder.path().join("collector")
    }

    pub(crate) fn collector(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(PROGRAM);
        command.args(["collector", "--data"]).arg(self.collector_folder()).args(arguments);
        Told::of(command.env("NO_COLOR", "1").output().unwrap())
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = Folder::at(self.collector_folder());
        runtime.block_on(client::ask::<T>(&folder, path)).unwrap().value
    }

    /// What is known, the newest first within those that are over and those that are not.
    fn incidents(&self) -> Vec<IncidentLine> {
        self.ask::<IncidentsAnswer>(path::INCIDENTS).incidents
    }

    fn incident(&self, number: u64) -> Incident {
        let path = path::with(path::INCIDENT, &number.to_string());
        self.ask::<IncidentAnswer>(&path).incident
    }

    /// Puts checks of these kinds in force, in the place of those before, and waits until each passes everywhere.
    pub(crate) fn scenario(&self, name: &'static str, kinds: &[&str]) -> Scenario<'_> {
        self.paced(name, kinds, (CADENCE, TIMEOUT))
    }

    fn paced(
        &self,
        name: &'static str,
        kinds: &[&str],
        (cadence, timeout): (Duration, Duration),
    ) -> Scenario<'_> {
        let checks: Vec<String> = kinds.iter().map(|kind| format!("{kind}-{name}")).collect();
        let text: String = kinds
            .iter()
            .zip(&checks)
            .map(|(kind, check)| {
                let rest = match *kind {
                    "mail" => "kind = \"round-trip\"\nmailbox = \"main\"\n".to_owned(),
                    "imap" => "kind = \"imap\"\nmailbox = \"main\"\n".to_owned(),
                    "tls" => format!(
                        "kind = \"tls\"\nhost = \"mail.good.test\"\nport = 587\nca_file = {CA_FILE:?}\n"
                    ),
                    _ => "kind = \"dns\"\ndomain = \"good.test\"\nresolver = \"198.18.0.54\"\n\
                          dnssec = \"off\"\nrules = [\"mx\"]\nquestion_timeout = \"2s\"\n"
                        .to_owned(),
                };
                format!(
                    "[[check]]\nname = \"{check}\"\non = \"*\"\nevery = \"{}s\"\ntimeout = \"{}s\"\n{rest}",
                    cadence.as_secs(),
                    timeout.as_secs(),
                )
            })
            .collect();
        let folder = self.collector_folder().join("checks.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("all.toml"), text).unwrap();
        self.collector(&["config", "apply", "--yes"]).expect(0, "in force");
        let before = self.incidents().len();
        let bound = cadence + timeout + MORE;
        let scenario = Scenario { company: self, name, checks, before, bound };
        wait_until("each check passes everywhere", PATIENCE, || scenario.passes_everywhere());
        assert_eq!(self.incidents().len(), before, "{:#?}", self.incidents());
        scenario
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["collector"].into_iter().chain(SITES) {
                let log = self.folder.path().join(format!("{name}.log"));
                let log = fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                println!("--- {name}\n{}", lines[lines.len().saturating_sub(12)..].join("\n"));
            }
            let told = self.collector(&["incidents", "list"]);
            println!("--- incidents\n{}", told.said);
            for number in 1..=3 {
                println!("{}", self.collector(&["incidents", "show", &number.to_string()]).said);
            }
        }
    }
}

/// The lab's authority, beside each agent's configuration.
const CA_FILE: &str = "lab.crt";
/// Everything of mail is one service, and needs DNS.
const SERVICES: &str = "[[service]]\nname = \"mail\"\ntitle = \"Mail\"\n\
     checks = [\"mail-*\", \"imap-*\", \"tls-*\"]\ndepends_on = [\"names\"]\nusers = 300\n\
     [[service]]\nname = \"names\"\ntitle = \"DNS\"\nchecks = [\"dns-*\"]\n";
const POLICY: &str = "recipients = [\"@good.test\"]\n[targets]\nnetworks = [\"198.18.0.0/15\"]\n\
     hosts = [\"198.18.0.54:53\", \"mail.good.test\"]\ndomains = [\"good.test\"]\n";

/// One outage, from what is well to what is well again.
pub(crate) struct Scenario<'c> {
    company: &'c Company,
    name: &'static str,
    checks: Vec<String>,
    /// How many incidents there were before.
    before: usize,
    /// From the fault to the incident.
    bound: Duration,
}

impl Scenario<'_> {
    fn passes_everywhere(&self) -> bool {
        self.checks.iter().all(|check| {
            let question = format!("{}?check={check}&limit=100", path::OBSERVATIONS);
            let seen = self.company.ask::<ObservationsAnswer>(&question).observations;
            SITES
                .iter()
                .all(|site| seen.iter().any(|seen| seen.agent == *site && seen.verdict == "pass"))
        })
    }

    /// Something goes wrong: an incident is opened in time, and becomes what it must be.
    fn breaks(
        &self,
        how: impl FnOnce(&Lab),
        what: &str,
        is_it: impl Fn(&Incident) -> bool,
    ) -> Incident {
        let (incident, found, bound) = self.observed(how, what, is_it);
        assert!(found <= bound, "{}: found after {found:?} of {bound:?}", self.name);
        incident
    }

    /// The same for a fault that not every run meets with.
    fn breaks_some_time(
        &self,
        how: impl FnOnce(&Lab),
        what: &str,
        is_it: impl Fn(&Incident) -> bool,
    ) -> Incident {
        self.observed(how, what, is_it).0
    }

    fn observed(
        &self,
        how: impl FnOnce(&Lab),
        what: &str,
        is_it: impl Fn(&Incident) -> bool,
    ) -> (Incident, Duration, Duration) {
        let (at, begun) = (Clock::system().wall(), now());
        how(&self.company.lab);
        let took = now() - begun;
        let mut newest = None;
        wait_until(what, PATIENCE, || {
            newest = self.newest();
            newest.as_ref().is_some_and(&is_it)
        });
        let incident = newest.unwrap();
        let found = self.tell(&incident, at, took);
        (incident, found, self.bound + took)
    }

    /// How long after the fault it was opened.
    fn tell(&self, incident: &Incident, at: WallTime, took: Duration) -> Duration {
        let found_us = WallTime::from(incident.opened_at).signed_us_since(at);
        let found = Duration::from_micros(u64::try_from(found_us).unwrap());
        let Incident { fault, scope, kind, confirmed_by, .. } = incident;
        println!(
            "{}: opened {found:.1?} after the fault ({took:.1?} of it in the lab), bound {:?}: \
             {kind:?} in {} ({}), {scope:?}, by {confirmed_by:?}",
            self.name, self.bound, fault.phase, fault.class
        );
        found
    }

    /// It is mended: the incident is over, and was one.
    fn is_mended(&self, how: impl FnOnce(&Lab), number: u64) -> Incident {
        let phase = self.company.incident(number).fault.phase;
        self.is_over(how, number, &format!("it fails in {phase}"))
    }

    /// The same; what is said of it.
    fn is_over(&self, how: impl FnOnce(&Lab), number: u64, words: &str) -> Incident {
        let begun = now();
        how(&self.company.lab);
        wait_until("it is verified", PATIENCE, || {
            self.company.incident(number).state >= State::Verified
        });
        let incident = self.company.incident(number);
        println!("{}: verified {:.1?} after its end", self.name, now() - begun);
        let known = self.company.incidents();
        assert_eq!(known.len(), self.before + 1, "{}: {known:#?}", self.name);
        assert_eq!(incident.reopened, 0, "{}: {:#?}", self.name, incident.timeline);
        let told = self.company.collector(&["incidents", "show", &number.to_string()]);
        told.expect(0, words);
        incident
    }

    /// The one incident of this scenario.
    fn newest(&self) -> Option<Incident> {
        let known = self.company.incidents();
        let newest = known.iter().map(|line| line.number).max()?;
        (known.len() > self.before).then(|| self.company.incident(newest))
    }
}

/// Whether it fails like this from everywhere. A run that was under way when a server ended may have met with something
/// else: then it is each place's newest failure that says so.
fn everywhere(phases: &'static [&'static str]) -> impl Fn(&Incident) -> bool {
    move |incident| {
        let is_so = |phase: &str| phases.contains(&phase);
        incident.scope == EVERYWHERE
            && (is_so(&incident.fault.phase)
                || incident.places.iter().all(|place| is_so(&place.fault.phase)))
    }
}
