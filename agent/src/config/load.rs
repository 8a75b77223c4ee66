//! Reads a whole `agent.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailsonde_proto::{Clock, VantagePoint};

use super::check::{self, CheckConfig, Origin, Trial};
use super::mistake::{Mistake, Mistakes, Place, Report};
use super::policy::Policies;
use super::section::Section;
use super::units;
use super::value::Table;
use super::{AgentConfig, CollectorConfig, Limits, mailbox};
use crate::identity::IdentityFiles;
use crate::net::Net;
use crate::probe::{Kinds, Surroundings};

/// The port that a collector listens on when the address does not say.
pub(crate) const DEFAULT_COLLECTOR_PORT: u16 = 7443;
/// Where the outbox is when the file does not say.
pub const DEFAULT_DATA: &str = "/var/lib/mailsonde-agent";
/// The outbox at most, in bytes.
const DEFAULT_OUTBOX_BYTES: u64 = 256 << 20;
/// The oldest observation in the outbox.
const DEFAULT_OUTBOX_AGE: Duration = Duration::from_secs(7 * DAY_S);
/// Runs under way at once.
const DEFAULT_CONCURRENT_RUNS: usize = 16;

const DAY_S: u64 = 86_400;
/// Checks of one agent at most.
pub(super) const MOST_CHECKS: usize = 1_000;

/// A configuration without a mistake, and what is worth a warning.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// To be used.
    pub config: AgentConfig,
    /// In the order of the file.
    pub warnings: Vec<Mistake>,
}

/// What the command line says instead of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// The folder of outbox and identity.
    pub data: Option<&'a Path>,
    /// The policy's file.
    pub policy: Option<&'a Path>,
    /// What the vantage point calls itself.
    pub name: Option<&'a str>,
    /// Single runs at a shell: no collector is needed, no identity, and no name.
    pub alone: bool,
}

/// A configuration that cannot be used: every mistake, and the warnings beside them.
#[derive(Debug, thiserror::Error)]
#[error("{mistakes}")]
pub struct NotLoaded {
    /// In the order of the file, at least one.
    pub mistakes: Mistakes,
    /// In the order of the file.
    pub warnings: Vec<Mistake>,
}

impl AgentConfig {
    /// Reads a file. Checks are tried with their kinds, so that mistakes in their settings are told too.
    ///
    /// # Errors
    /// When the file cannot be read or anything in it is wrong: all of it, with line and column.
    pub fn load(file: &Path, kinds: &Kinds) -> Result<Loaded, NotLoaded> {
        Self::load_with(file, kinds, Overrides::default())
    }

    /// The same with the policy of another file than the configuration says.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_under(
        file: &Path,
        kinds: &Kinds,
        policy: Option<&Path>,
    ) -> Result<Loaded, NotLoaded> {
        Self::load_with(file, kinds, Overrides { policy, ..Overrides::default() })
    }

    /// The same for single runs at a shell, which need no collector, no identity and no name.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_alone(
        file: &Path,
        kinds: &Kinds,
        policy: Option<&Path>,
    ) -> Result<Loaded, NotLoaded> {
        Self::load_with(file, kinds, Overrides { policy, alone: true, ..Overrides::default() })
    }

    /// The same with what the command line says instead of the file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(
        file: &Path,
        kinds: &Kinds,
        instead: Overrides<'_>,
    ) -> Result<Loaded, NotLoaded> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse_with(file, &text, kinds, instead),
            Err(error) => {
                let place = Place::File { file: file.display().to_string().into() };
                let message = match error.kind() {
                    std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => format!("cannot be read: {error}"),
                };
                let mistakes = Mistakes(vec![Mistake { place, message }]);
                Err(NotLoaded { mistakes, warnings: Vec::new() })
            }
        }
    }

    /// Reads the text of a file; `file` gives its name, and its folder for relative paths.
    ///
    /// # Errors
    /// When anything in it is wrong: all of it, with line and column.
    pub fn parse(file: &Path, text: &str, kinds: &Kinds) -> Result<Loaded, NotLoaded> {
        Self::parse_with(file, text, kinds, Overrides::default())
    }

    fn parse_with(
        file: &Path,
        text: &str,
        kinds: &Kinds,
        instead: Overrides<'_>,
    ) -> Result<Loaded, NotLoaded> {
        let (table, unreadable) = Table::parse(&file.display().to_string(), text);
        let report = Report::default();
        let folder = check::folder_of(file);
        let root = Section::new(&table, &report, &folder, "");
        let config = read(root, &report, (file, instead), kinds);
        let spoilt: BTreeSet<_> = unreadable.iter().filter_map(|m| m.place.line()).collect();
        match (report.into_result(), unreadable.is_empty(), config) {
            (Ok(warnings), true, Some(config)) => Ok(Loaded { config, warnings }),
            (outcome, _, _) => {
                let (read, warnings) = match outcome {
                    Ok(warnings) => (Vec::new(), warnings),
                    Err((mistakes, warnings)) => (mistakes.0, warnings),
                };
                // A line that is no TOML is told as such, not also for what it seems to lack; and
                // what the file as a whole seems to lack may stand where it cannot be read.
                let read = read.into_iter().filter(|mistake| match mistake.place.line() {
                    Some(line) => !spoilt.contains(&line),
                    None => spoilt.is_empty(),
                });
                let mut mistakes: Vec<_> = unreadable.into_iter().chain(read).collect();
                mistakes.sort();
                Err(NotLoaded { mistakes: Mistakes(mistakes), warnings })
            }
        }
    }
}

fn read(
    mut root: Section<'_>,
    report: &Report,
    (file, instead): (&Path, Overrides<'_>),
    kinds: &Kinds,
) -> Option<AgentConfig> {
    let forced = instead.policy;
    let own = PathBuf::from(root.text_or("data", DEFAULT_DATA));
    let own = check::folder_of(file).join(own);
    let data = instead.data.map_or(own, Path::to_owned);
    let (collector, vantage_point) = if instead.alone {
        // Whatever stands there is not looked at.
        drop(root.table("collector"));
        (None, root.table("vantage_point").and_then(vantage_point))
    } else {
        let collector = root.required_table("collector");
        let collector = collector.and_then(|section| self::collector(section, &data));
        (collector, root.required_table("vantage_point").and_then(vantage_point))
    };
    let renamed = |told: VantagePoint| match instead.name {
        Some(name) => VantagePoint { name: name.to_owned(), ..told },
        None => told,
    };
    let vantage_point = vantage_point.map(renamed);
    let limits = limits(root.table("limits"));
    let mailboxes = mailboxes(&mut root);
    let mut config = AgentConfig {
        file: file.to_owned(),
        data,
        collector: collector.unwrap_or_else(CollectorConfig::nowhere),
        vantage_point: vantage_point.unwrap_or_default(),
        forced_name: instead.name.map(str::to_owned),
        mailboxes,
        checks: Vec::new(),
        limits,
        policy: Policies::default(),
    };
    // Only to try the settings with: nothing is opened before a probe runs.
    let surroundings = config.surroundings(Net::new(), Clock::system());
    config.checks = checks(&mut root, &config, kinds, &surroundings);
    warn_of_rates(&mut root, &config);
    let written = root.path("policy");
    config.policy = Policies::resolve(&config, (forced, written), report);
    let clean = root.is_clean();
    root.finish();
    clean.then_some(config)
}

impl CollectorConfig {
    /// Stands in while the rest of a file with mistakes is read.
    pub(super) fn nowhere() -> Self {
        Self {
            address: super::Endpoint { host: String::new(), port: DEFAULT_COLLECTOR_PORT },
            server_name: String::new(),
            ca: PathBuf::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
        }
    }
}

fn collector(mut section: Section<'_>, data: &Path) -> Option<CollectorConfig> {
    let address = section.required_endpoint("address", Some(DEFAULT_COLLECTOR_PORT));
    let server_name = section.text("server_name");
    let own = IdentityFiles::of_data(data);
    let is_enrolled = own.certificate.exists();
    let mut file = |key, own: PathBuf| {
        let named = section.path(key);
        let is_own = named.is_none();
        let path = named.unwrap_or(own);
        match std::fs::metadata(&path) {
            Ok(_) => {}
            Err(_) if is_own && !is_enrolled => {
                // One mistake, not three: there is no identity.
                if key == "certificate" {
                    let words =
                        "there is none yet: enrol this agent by `mailsonde-agent enroll TOKEN`";
                    section.mistake(key, format!("{key}: {}: {words}", path.display()));
                }
            }
            Err(error) => {
                section.mistake(key, format!("{key}: cannot read {}: {error}", path.display()));
            }
        }
        Some(path)
    };
    let (ca, certificate, key) =
        (file("ca", own.ca), file("certificate", own.certificate), file("key", own.key));
    if let Some(key) = &key {
        super::password::warn_of_permissions(&mut section, "key", key);
    }
    section.finish();
    let address = address?;
    let server_name = server_name.unwrap_or_else(|| address.host.clone());
    Some(CollectorConfig { address, server_name, ca: ca?, certificate: certificate?, key: key? })
}

fn vantage_point(mut section: Section<'_>) -> Option<VantagePoint> {
    let name = section.required_name("name");
    let labels = section.text_map("labels");
    section.finish();
    name.map(|name| VantagePoint { name, labels })
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            outbox_bytes: DEFAULT_OUTBOX_BYTES,
            outbox_age: DEFAULT_OUTBOX_AGE,
            concurrent_runs: DEFAULT_CONCURRENT_RUNS,
        }
    }
}

fn limits(section: Option<Section<'_>>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut section) = section else { return limits };
    limits.outbox_bytes = section.size_within("outbox", limits.outbox_bytes, 1 << 20..=1 << 40);
    let ages = Duration::from_secs(3600)..=Duration::from_secs(365 * DAY_S);
    limits.outbox_age = section.duration_within("outbox_age", limits.outbox_age, ages);
    limits.concurrent_runs = section.number("concurrent_runs", limits.concurrent_runs, 1..=1_000);
    section.finish();
    limits
}

fn mailboxes(root: &mut Section<'_>) -> BTreeMap<String, mailbox::MailboxConfig> {
    let mut mailboxes = BTreeMap::new();
    let mut names = BTreeSet::new();
    for table in root.tables("mailbox") {
        let mut section = root.of(table);
        let name = own_name(&mut section, "mailbox", &mut names);
        let config = mailbox::read(&mut section, name.as_deref().unwrap_or_default());
        section.finish();
        if let Some(name) = name {
            // With mistakes in it, it stands in, so that no check is told that it does not exist.
            let config = config.unwrap_or_else(|| mailbox::MailboxConfig::stand_in(&name));
            mailboxes.insert(name, config);
        }
    }
    mailboxes
}

fn checks(
    root: &mut Section<'_>,
    config: &AgentConfig,
    kinds: &Kinds,
    surroundings: &Surroundings,
) -> Vec<CheckConfig> {
    let mut names = BTreeSet::new();
    let tables = root.tables("check");
    if tables.len() > MOST_CHECKS {
        root.mistake("check", format!("there are more than {MOST_CHECKS} checks"));
    }
    if tables.is_empty() {
        root.warning(
            "check",
            "there is no [[check]]: this agent has only what its collector gives it",
        );
    }
    let trial = Trial { config, kinds, surroundings };
    let read = tables.into_iter().filter_map(|table| {
        let mut section = root.of(table);
        let name = own_name(&mut section, "check", &mut names);
        trial.check(section, (table, name), Origin::Local)
    });
    read.collect()
}

/// Warns where the checks send more through a mailbox than its provider is known to accept: what goes beyond
/// that is not sent, and those runs are void.
fn warn_of_rates(root: &mut Section<'_>, config: &AgentConfig) {
    for (name, mailbox) in &config.mailboxes {
        let Some((most, period)) = mailbox.settings.habits.most_messages else { continue };
        let senders = config.checks.iter().filter(|check| check.sends_through(name));
        let sent: f64 = senders.map(|c| period.as_secs_f64() / c.check.cadence.as_secs_f64()).sum();
        if sent > f64::from(most) {
            let period = units::duration_text(period);
            let message = format!(
                "mailbox \"{name}\": its checks send {sent:.0} messages in {period}, and its provider accepts \
                 {most}: the others will be void; let them run less often"
            );
            root.warning("mailbox", &message);
        }
    }
}

/// The name of a `[[mailbox]]` or `[[check]]`, which no other has; the label is set to it.
pub(super) fn own_name(
    section: &mut Section<'_>,
    what: &str,
    names: &mut BTreeSet<String>,
) -> Option<String> {
    section.set_label(what.to_owned());
    let name = section.required_name("name")?;
    section.set_label(format!("{what} \"{name}\""));
    if names.insert(name.clone()) {
        return Some(name);
    }
    section.mistake("name", format!("there is another {what} of this name: give each its own"));
    None
}

#[cfg(test)]
mod tests;
