//! `policy.toml`: what the agent may do, whoever asks it to; and what holds where there is none.
//!
//! The file stands beside `agent.toml`, or where its key `policy` or the command line says. It belongs to root, or
//! to whoever runs the agent, and nobody else may write to it: a policy that the next best user can widen binds
//! nobody. It binds all checks, the agent's own too. Without the file the agent's own checks may do what they
//! did before there was a policy, because whoever wrote `agent.toml` is whoever would write the policy; checks
//! of the collector may touch what `agent.toml` names, and nothing else. Absent on purpose: anything that a
//! collector sends.

mod own;
mod owner;
mod sender;

use std::path::{Path, PathBuf};

use jiff::civil::Time;
use mailsonde_proto::Clock;

use super::AgentConfig;
use super::check::folder_of;
use super::mistake::{Mistake, Place, Report};
use super::section::Section;
use super::spelling::{did_you_mean, listed};
use super::value::Table;
use crate::net::Net;
use crate::policy::{DAYS, DEFAULT_PORTS, Host, HostRule, Network, Policy, Quiet, Rates, name_of};

pub use own::{Own, refused};

/// What the file is called beside `agent.toml`.
pub const FILE: &str = "policy.toml";
/// The most entries of one list.
const MOST: usize = 4_096;
/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;

/// What binds the checks of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// The file, where there is one.
    pub file: Option<PathBuf>,
    /// The file that the command line named.
    pub forced: Option<PathBuf>,
    /// Of the agent's own checks; `None` binds nothing.
    pub local: Option<Policy>,
    /// Of the collector's.
    pub pushed: Policy,
}

/// What opens sockets for each sort of checks. What is used up of the rates they share.
#[derive(Clone, Debug)]
pub struct Nets {
    /// For the agent's own checks and mailboxes.
    pub local: Net,
    /// For the collector's checks.
    pub pushed: Net,
}

impl Policies {
    /// Those of a configuration; `written` is its key `policy`. What is wrong is reported.
    pub(super) fn resolve(
        config: &AgentConfig,
        (forced, written): (Option<&Path>, Option<PathBuf>),
        report: &Report,
    ) -> Self {
        let own = Own::of(config);
        let forced = forced.map(Path::to_owned);
        let beside = folder_of(&config.file).join(FILE);
        // A link that leads nowhere is a policy that cannot be read, not none.
        let beside = beside.symlink_metadata().is_ok().then_some(beside);
        let file = forced.clone().or(written).or(beside);
        match &file {
            Some(path) => {
                let policy = read_file(path, &own, report).unwrap_or_default();
                Self { file, forced, local: Some(policy.clone()), pushed: policy }
            }
            None => Self { file, forced, local: None, pushed: derived(own) },
        }
    }

    /// What opens sockets under these policies.
    pub fn nets(&self, clock: Clock) -> Nets {
        let pushed = Net::under(self.pushed.clone(), clock);
        let local = pushed.beside();
        local.set_policy(self.local.clone());
        Nets { local, pushed }
    }

    /// Puts these policies in the place of those that `nets` are under.
    pub fn bind(&self, nets: &Nets) {
        nets.pushed.set_policy(Some(self.pushed.clone()));
        nets.local.set_policy(self.local.clone());
    }
}

/// What checks of the collector may do where there is no file: touch what the agent's own configuration names.
fn derived(own: Own) -> Policy {
    let mark = |rule: HostRule| HostRule { is_own: true, ..rule };
    let mut hosts: Vec<HostRule> = Vec::new();
    for rule in own.hosts.into_iter().chain(own.checked_hosts).map(mark) {
        if !hosts.contains(&rule) {
            hosts.push(rule);
        }
    }
    let mut domains = own.domains;
    domains.extend(own.checked_domains);
    domains.sort();
    domains.dedup();
    let mut recipients = own.recipients;
    recipients.extend(own.checked_recipients);
    let ports = DEFAULT_PORTS.iter().copied().collect();
    Policy { hosts, domains, recipients, ports, ..Policy::default() }
}

/// Reads a file; `own` is what is in the policy unless it says otherwise. What is wrong is reported, all of it.
pub fn read_file(path: &Path, own: &Own, report: &Report) -> Option<Policy> {
    let file = path.display().to_string();
    let wrong = |message: String| {
        let place = Place::File { file: file.as_str().into() };
        report.mistake(place, message);
    };
    if let Err(message) = owner::is_ours(path, LARGEST) {
        wrong(message);
        return None;
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            wrong(format!("cannot be read: {error}"));
            return None;
        }
    };
    let (table, unreadable) = Table::parse(&file, &text);
    for Mistake { place, message } in unreadable {
        report.mistake(place, message);
    }
    let folder = folder_of(path);
    read(Section::new(&table, report, &folder, "policy"), own)
}

fn read(mut root: Section<'_>, own: &Own) -> Option<Policy> {
    let mut policy = Policy { ports: DEFAULT_PORTS.iter().copied().collect(), ..Policy::default() };
    policy.recipients = entries(&mut root, "recipients");
    if !root.has("recipients") {
        policy.recipients.clone_from(&own.recipients);
    }
    let kinds = root.texts("kinds").into_iter().collect();
    policy.kinds = root.has("kinds").then_some(kinds);
    let mut targets = root.table_or_empty("targets");
    policy.hosts = entries(&mut targets, "hosts");
    policy.networks = networks(&mut targets);
    policy.domains = domains(&mut targets);
    let ports = ports(&mut targets);
    if targets.has("ports") {
        policy.ports = ports;
    }
    if targets.flag("own", true) {
        policy.hosts.extend(own.hosts.iter().cloned());
        policy.domains.extend(own.domains.iter().cloned());
    }
    targets.finish();
    policy.rates = rates(root.table_or_empty("rates"));
    for table in root.tables("quiet") {
        let section = root.of(table);
        policy.quiet.extend(quiet(section));
    }
    for table in root.tables("sender") {
        policy.senders.extend(sender::read(root.of(table)));
    }
    let clean = root.is_clean();
    root.finish();
    clean.then_some(policy)
}

/// A list whose entries say themselves what is wrong with them.
fn entries<T: std::str::FromStr<Err = String>>(section: &mut Section<'_>, key: &str) -> Vec<T> {
    let texts = section.texts(key);
    if texts.len() > MOST {
        section.mistake(key, format!("{key} may have {MOST} entries at most"));
    }
    let mut read = Vec::new();
    for text in &texts {
        match text.parse() {
            Ok(entry) => read.push(entry),
            Err(message) => section.mistake(key, format!("{key} {message}")),
        }
    }
    read
}

fn networks(section: &mut Section<'_>) -> Vec<Network> {
    let mut networks = Vec::new();
    for text in section.texts("networks") {
        match text.parse() {
            Ok(network) => networks.push(network),
            Err(_) => section.mistake(
                "networks",
                format!(
                    "networks must have networks such as \"10.20.0.0/16\" or \"fd00:20::/32\", not \"{text}\""
                ),
            ),
        }
    }
    networks
}

fn domains(section: &mut Section<'_>) -> Vec<hickory_resolver::proto::rr::Name> {
    let mut domains = Vec::new();
    for text in section.texts("domains") {
        let rule = text.parse::<HostRule>().ok();
        let domain = rule.filter(|rule| matches!(rule.host, Host::Name(_)) && rule.port.is_none());
        match domain.and_then(|_| name_of(&text)) {
            Some(domain) => domains.push(domain),
            None => section.mistake(
                "domains",
                format!("domains must have mail domains such as \"example.org\", not \"{text}\""),
            ),
        }
    }
    domains
}

fn ports(section: &mut Section<'_>) -> std::collections::BTreeSet<u16> {
    let mut ports = std::collections::BTreeSet::new();
    for port in section.whole_numbers("ports") {
        match u16::try_from(port).ok().filter(|port| *port > 0) {
            Some(port) => {
                ports.insert(port);
            }
            None => section.mistake("ports", format!("ports are from 1 to 65535, not {port}")),
        }
    }
    ports
}

fn rates(mut section: Section<'_>) -> Rates {
    let usual = Rates::default();
    let rates = Rates {
        mails_a_minute: section.number("mails_a_minute", usual.mails_a_minute, 0..=1_000_000),
        message_size: section.size("message_size", usual.message_size),
        bytes_a_minute: section.size("bytes_a_minute", usual.bytes_a_minute),
        connections: section.number("connections", usual.connections, 0..=1_000_000),
        dns_questions_a_second: section.number(
            "dns_questions_a_second",
            usual.dns_questions_a_second,
            1..=1_000_000,
        ),
    };
    section.finish();
    rates
}

fn quiet(mut section: Section<'_>) -> Option<Quiet> {
    let mut days = Vec::new();
    for text in section.texts("days") {
        let day = DAYS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
        match day {
            Some((_, day)) => days.push(*day),
            None => {
                let words = || DAYS.iter().map(|(word, _)| *word);
                let meant = did_you_mean(&text, words());
                let set = listed(words());
                section.mistake("days", format!("days must be of {set}, not \"{text}\"{meant}"));
            }
        }
    }
    let mut time = |key: &str| {
        let text = section.required_text(key)?;
        let time = Time::strptime("%H:%M", &text).ok();
        if time.is_none() {
            let message = format!("{key} must be a time of day such as \"22:00\", not \"{text}\"");
            section.mistake(key, message);
        }
        time
    };
    let (from, to) = (time("from"), time("to"));
    section.finish();
    Some(Quiet { days, from: from?, to: to? })
}

#[cfg(test)]
mod tests;
