//! What is looked at: the configuration as far as it can be read, and where everything stands.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use mailsonde_proto::Clock;
use mailsonde_proto::doctor::disk::Writer;
use mailsonde_proto::doctor::files::{self, Who};
use mailsonde_proto::doctor::process::Holder;
use mailsonde_proto::doctor::service::{Service, Usual};
use mailsonde_proto::doctor::{Judged, Look, late};

use super::super::{CONFIG_NAME, DEFAULT_CONFIG, config_file};
use super::DoctorArguments;
use super::configuration::{self, Read};
use super::secrets::{self, Secrets};
use crate::config::check::folder_of;
use crate::config::mistake::Mistake;
use crate::config::{
    AgentConfig, CollectorConfig, DEFAULT_COLLECTOR_PORT, DEFAULT_DATA, Endpoint, Limits,
    MailboxConfig, Overrides, Policies,
};
use crate::identity::IdentityFiles;
use crate::probe::Kinds;

/// The user that the package makes.
const USER: &str = "mailsonde-agent";
/// A larger configuration is not read.
const MOST_BYTES: u64 = 4 << 20;

/// What is looked at.
#[derive(Debug)]
pub(super) struct Subject {
    /// The configuration.
    pub(super) file: PathBuf,
    /// The data folder.
    pub(super) data: PathBuf,
    /// Where the collector is, where the configuration says.
    pub(super) collector: Option<CollectorConfig>,
    /// Those that are configured without a mistake.
    pub(super) mailboxes: BTreeMap<String, MailboxConfig>,
    /// What binds checks, where that can be read.
    pub(super) policies: Option<Policies>,
    /// Whether anything in the configuration is looked up in DNS.
    pub(super) needs_dns: bool,
    pub(super) limits: Limits,
    /// How many checks it has of its own, where the configuration can be read.
    pub(super) checks: Option<usize>,
    pub(super) secrets: Secrets,
    /// As whom the service runs; `None` where the disk did not tell in time.
    pub(super) service: Option<Service>,
    /// Whether the configuration was named, and may be misspelt.
    pub(super) is_named: bool,
    /// Who runs this.
    pub(super) us: Who,
    /// Whether that may look at everything.
    pub(super) may_look: bool,
    /// The same command with more rights.
    pub(super) as_root: String,
    /// Who tries to write.
    pub(super) writer: Writer,
    pub(super) clock: Clock,
}

impl Subject {
    /// Reads what can be read; what there is to say of the configuration comes beside it.
    pub(super) fn read(
        arguments: DoctorArguments,
        kinds: &Kinds,
        clock: Clock,
    ) -> (Self, Vec<Look>) {
        let mut subject = Self::unread(&arguments, clock);
        let beside = arguments.data.as_deref();
        let file = arguments.config.clone().unwrap_or_else(|| config_file(beside));
        subject.file.clone_from(&file);
        let text = files::read(&file, MOST_BYTES);
        let rough = text.as_ref().ok().and_then(|text| text.parse::<toml::Table>().ok());
        let rough = rough.unwrap_or_default();
        let named = arguments.data.as_deref();
        let data = named.map_or_else(|| data_in(&rough, &file), Path::to_owned);
        let policy = arguments.policy.as_deref();
        let instead = Overrides { data: Some(&data), policy, ..Overrides::default() };
        let folder = folder_of(&file);
        let collector = collector_in(&rough, &data, &folder);
        let odd = secrets::odd(&rough, &folder);
        let loaded = loaded(&file, kinds, instead, text, odd);
        let is_usual = data == Path::new(DEFAULT_DATA) || (named.is_none() && file == usual_file());
        let usual = Usual { unit: super::process::UNIT, user: USER, is_usual };
        let holder = Holder::of(&data.join(super::process::LOCK));
        subject.service = Some(Service::find(usual, [&data, &file], holder.as_ref()));
        subject.secrets = Secrets::of(&rough, &folder);
        subject.may_look = subject.us.may_look_into(&data);
        let mut looks =
            configuration::looks(&loaded.read, &file, !subject.may_look, &subject.as_root);
        subject.data = data;
        subject.collector = loaded.collector.or(collector);
        let usable = loaded.usable;
        if let Some(config) = usable {
            looks.push(configuration::policy(&config));
            subject.take(config);
        }
        subject.needs_dns |= subject
            .collector
            .as_ref()
            .is_some_and(|collector| crate::net::is_asked(&collector.address.host));
        (subject, looks)
    }

    /// As far as the command line says, for when the disk does not answer: nothing is looked at here.
    pub(super) fn unread(arguments: &DoctorArguments, clock: Clock) -> Self {
        let named = arguments.data.as_deref();
        let us = Who::runs_this();
        let beside = named.map_or_else(|| DEFAULT_CONFIG.into(), |data| data.join(CONFIG_NAME));
        Self {
            file: arguments.config.clone().unwrap_or(beside),
            data: named.unwrap_or(Path::new(DEFAULT_DATA)).to_owned(),
            collector: None,
            mailboxes: BTreeMap::new(),
            policies: None,
            needs_dns: false,
            limits: Limits::default(),
            checks: None,
            secrets: Secrets::default(),
            service: None,
            is_named: arguments.config.is_some(),
            us,
            may_look: us.is_root(),
            as_root: arguments.as_root(),
            writer: Writer::Thread,
            clock,
        }
    }

    /// What there is to say where reading takes too long; everything else is looked at all the same.
    pub(super) fn late() -> Vec<Look> {
        vec![late("reading the configuration").look("configuration.file", "agent.toml")]
    }

    /// Of what needs the configuration, where that cannot be used.
    pub(super) fn unusable(&self) -> Judged {
        match &self.service {
            None => late("reading the configuration"),
            Some(_) => Judged::unknown(
                "not looked at: the configuration cannot be used",
                "see the line of the configuration",
            ),
        }
    }

    fn take(&mut self, config: AgentConfig) {
        self.needs_dns = configuration::needs_dns(&config);
        self.limits = config.limits;
        self.checks = Some(config.checks.len());
        self.mailboxes = config.mailboxes;
        self.policies = Some(config.policy);
    }
}

/// What came of reading a configuration.
struct Loaded {
    read: Read,
    /// Its mailboxes, checks and policy, where those have no mistake.
    usable: Option<AgentConfig>,
    collector: Option<CollectorConfig>,
}

fn loaded(
    file: &Path,
    kinds: &Kinds,
    instead: Overrides<'_>,
    text: io::Result<String>,
    odd: Vec<PathBuf>,
) -> Loaded {
    if let Err(error) = text {
        return Loaded { read: Read::Not(error), usable: None, collector: None };
    }
    // whoever reads that waits for ever
    if !odd.is_empty() {
        return Loaded { read: Read::Odd(odd), usable: None, collector: None };
    }
    match AgentConfig::load_with(file, kinds, instead) {
        Ok(loaded) => {
            let (config, warnings) = (loaded.config, loaded.warnings);
            let read = Read::Fine {
                checks: config.checks.len(),
                mailboxes: config.mailboxes.len(),
                warnings,
            };
            let collector = Some(config.collector.clone());
            Loaded { read, usable: Some(config), collector }
        }
        Err(not) => {
            let mistakes: Vec<Mistake> = not.mistakes.0;
            // an agent that is not let in yet may have everything else
            let alone = Overrides { alone: true, ..instead };
            let usable = AgentConfig::load_with(file, kinds, alone).ok();
            let usable = usable.map(|loaded| loaded.config);
            Loaded { read: Read::Mistakes(mistakes), usable, collector: None }
        }
    }
}

/// Where the package has its configuration.
fn usual_file() -> PathBuf {
    config_file(None)
}

fn data_in(rough: &toml::Table, file: &Path) -> PathBuf {
    let told = rough.get("data").and_then(toml::Value::as_str).unwrap_or(DEFAULT_DATA);
    folder_of(file).join(told)
}

/// Where the collector is, in a configuration that has mistakes elsewhere.
fn collector_in(rough: &toml::Table, data: &Path, folder: &Path) -> Option<CollectorConfig> {
    let section = rough.get("collector")?.as_table()?;
    let text = |key: &str| section.get(key).and_then(toml::Value::as_str);
    let address = Endpoint::parse(text("address")?, Some(DEFAULT_COLLECTOR_PORT))?;
    let own = IdentityFiles::of_data(data);
    let path = |key: &str, own: PathBuf| text(key).map_or(own, |path| folder.join(path));
    Some(CollectorConfig {
        server_name: text("server_name").unwrap_or(&address.host).to_owned(),
        ca: path("ca", own.ca),
        certificate: path("certificate", own.certificate),
        key: path("key", own.key),
        address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_too_late_has_no_mistake() {
        let clock = Clock::system();
        let mut subject = Subject::unread(&DoctorArguments::default(), clock);
        assert!(subject.unusable().says.contains("took longer"));
        subject.service = Some(Service::alone(subject.us));
        assert!(subject.unusable().says.contains("cannot be used"));
    }

    #[test]
    fn a_broken_configuration_still_says_where_things_are() {
        let rough: toml::Table =
            "data = 'state'\nmistake = 1\n[collector]\naddress = 'c.test'\nca = 'ca.pem'"
                .parse()
                .unwrap();
        let data = data_in(&rough, Path::new("/etc/a/agent.toml"));
        assert_eq!(data, Path::new("/etc/a/state"));
        let collector = collector_in(&rough, &data, Path::new("/etc/a")).unwrap();
        assert_eq!(collector.address.to_string(), "c.test:7443");
        assert_eq!(collector.ca, Path::new("/etc/a/ca.pem"));
        assert_eq!(collector.key, Path::new("/etc/a/state/identity/agent.key"));
        assert_eq!(data_in(&toml::Table::new(), Path::new("/x/a.toml")), Path::new(DEFAULT_DATA));
        assert_eq!(collector_in(&toml::Table::new(), &data, Path::new("")), None);
    }
}
