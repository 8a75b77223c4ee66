//! `[[check]]`: what is done, how often, for how long at most; and the settings of its kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::time::as_us;
use mailsonde_proto::{Check, SettingsDigest};

use super::AgentConfig;
use super::mistake::{Mistakes, Report};
use super::section::Section;
use super::spelling::{did_you_mean, listed};
use super::units::duration_text;
use super::value::{Table, Value};
use crate::probe::{Kind, Kinds, Probe, Surroundings, governed, strict};

/// How often a check runs when its table does not say.
pub const DEFAULT_CADENCE: Duration = Duration::from_secs(60);
/// The shortest and the longest cadence.
pub const CADENCE_BOUNDS: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(86_400));
/// How long a run may take when its table does not say: this, or the cadence when that is shorter.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The shortest and the longest timeout.
pub const TIMEOUT_BOUNDS: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(3600));

/// Whose a check is, and so what binds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The agent's own configuration: bound by `policy.toml` where there is one.
    #[default]
    Local,
    /// The collector: bound by `policy.toml`, or by what the agent's own configuration names.
    Collector,
}

/// One check as resolved, and its table as written, for the kind to read.
#[derive(Clone, Debug)]
pub struct CheckConfig {
    /// As both ends know it.
    pub check: Check,
    /// Whose it is.
    pub origin: Origin,
    pub(super) table: Table,
    pub(super) folder: PathBuf,
}

impl CheckConfig {
    /// Whether its runs send a message through this mailbox.
    pub(super) fn sends_through(&self, mailbox: &str) -> bool {
        let named = |key: &str| match self.table.entries.get(key).map(|entry| &entry.value) {
            Some(Value::Text(name) | Value::Word(name)) => Some(name.as_str()),
            _ => None,
        };
        let sender = named("from_mailbox").or_else(|| named("mailbox"));
        self.check.kind == "round-trip" && sender == Some(mailbox)
    }

    /// The same where the command line says how long a run may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.check.timeout = timeout;
        self.table.set_timeout(timeout);
        self
    }

    /// Makes the check ready to run, under the policy of the surroundings' `net`.
    ///
    /// # Errors
    /// The mistakes in its settings; none when the configuration was loaded with the same kinds and
    /// mailboxes.
    pub fn probe(
        &self,
        kinds: &Kinds,
        surroundings: &Surroundings,
    ) -> Result<Arc<dyn Probe>, Mistakes> {
        let report = Report::default();
        let mut section =
            Section::new(&self.table, &report, &self.folder, &label(&self.check.name));
        if self.origin == Origin::Collector {
            section = section.of_collector();
        }
        let head = head(&mut section, None);
        let probe = kinds
            .get(&head.kind)
            .and_then(|kind| kind.configure(&mut section, surroundings))
            .map(|probe| strict(&mut section, probe))
            .map(|probe| governed(probe, &head.kind, &surroundings.net));
        match (report.into_result(), probe) {
            (Ok(_), Some(probe)) => Ok(probe),
            (Err((mistakes, _)), _) => Err(mistakes),
            (Ok(_), None) => Err(Mistakes(vec![unready(&self.table, &head.kind)])),
        }
    }
}

/// What a kind can be told, for the mistakes about keys that are not known.
pub fn offer(section: &mut Section<'_>, kind: &dyn Kind) {
    // In a file these are tables.
    let of_shell = ["password_file", "password_env"];
    let is_shell = section.is_command_line();
    let names = kind.settings().iter().map(|setting| setting.name);
    section.offer(names.filter(|name| is_shell || !of_shell.contains(name)));
}

/// What the settings of a check are tried with.
pub(super) struct Trial<'t> {
    /// The agent's own configuration.
    pub(super) config: &'t AgentConfig,
    /// All kinds.
    pub(super) kinds: &'t Kinds,
    /// Nothing is opened in them.
    pub(super) surroundings: &'t Surroundings,
}

impl Trial<'_> {
    /// Reads one check; what is wrong with it is reported. `None` where anything is.
    pub(super) fn check(
        &self,
        mut section: Section<'_>,
        (table, name): (&Table, Option<String>),
        origin: Origin,
    ) -> Option<CheckConfig> {
        section.require("kind");
        let head = head(&mut section, None);
        warn_of_overruns(&mut section, &head);
        let kind = (!head.kind.is_empty()).then_some(head.kind.as_str());
        // Without the kind nobody can say which keys are right.
        let kind = kind.and_then(|kind| kind_named(&mut section, self.kinds, kind))?;
        offer(&mut section, kind);
        let probe = kind.configure(&mut section, self.surroundings);
        let ready = probe.map(|probe| strict(&mut section, probe)).is_some();
        if !ready && section.is_clean() {
            section.mistake("", unready(table, &head.kind).message);
        }
        let mailbox = |name: &str| self.config.mailboxes.get(name).map(|m| m.canonical.as_str());
        let settings_digest = SettingsDigest::of(&canonical(&section, &head.kind, mailbox));
        section.finish();
        let name = name.filter(|_| ready)?;
        let check = Check {
            slot_offset: slot_offset(&self.config.vantage_point.name, &name, head.cadence),
            name,
            kind: head.kind,
            cadence: head.cadence,
            timeout: head.timeout,
            settings_digest,
        };
        let folder = folder_of(&self.config.file);
        Some(CheckConfig { check, origin, table: table.clone(), folder })
    }
}

/// The keys that every check has.
pub struct Head {
    /// Empty when it is missing.
    pub kind: String,
    /// From one slot to the next.
    pub cadence: Duration,
    /// A run at most.
    pub timeout: Duration,
}

/// Reads the keys that every check has, but for its name; `kind` is known already on the command line.
pub fn head(section: &mut Section<'_>, kind: Option<&str>) -> Head {
    let kind = match kind {
        Some(kind) => kind.to_owned(),
        None => {
            section.text("name");
            section.text("kind").unwrap_or_default()
        }
    };
    let (least, most) = CADENCE_BOUNDS;
    // Whoever carries out one run at a shell has no next one.
    let cadence = match section.is_command_line() {
        true => DEFAULT_CADENCE,
        false => section.duration_within("every", DEFAULT_CADENCE, least..=most),
    };
    let (least, most) = TIMEOUT_BOUNDS;
    let default = cadence.clamp(Duration::from_secs(1), DEFAULT_TIMEOUT);
    let timeout = section.duration_within("timeout", default, least..=most);
    Head { kind, cadence, timeout }
}

/// The kind of this name; what is wrong with it is reported.
pub fn kind_named<'k>(
    section: &mut Section<'_>,
    kinds: &'k Kinds,
    name: &str,
) -> Option<&'k dyn Kind> {
    let found = kinds.get(name);
    if found.is_none() {
        let names = || kinds.iter().map(|kind| kind.name());
        let hint = match did_you_mean(name, names()) {
            hint if hint.is_empty() => format!(": there is {}", listed(names())),
            hint => hint,
        };
        section.mistake("kind", format!("kind \"{name}\" is not known{hint}"));
    }
    found.map(AsRef::as_ref)
}

/// Where in its cadence a check's slots lie: the same after every start, and spread over vantage
/// points, so that a thousand branches do not all write at the full minute.
pub fn slot_offset(vantage_point: &str, check: &str, cadence: Duration) -> Duration {
    let digest = SettingsDigest::of(&format!("{vantage_point}\n{check}")).0;
    let spread = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    Duration::from_micros(spread % as_us(cadence).max(1))
}

/// Warns of a cadence that a run may outlast.
pub fn warn_of_overruns(section: &mut Section<'_>, head: &Head) {
    if head.timeout > head.cadence {
        let (timeout, cadence) = (duration_text(head.timeout), duration_text(head.cadence));
        let message = format!(
            "a run may take {timeout} and the next is due after {cadence}: a slot that comes due \
             meanwhile is void"
        );
        section.warning("timeout", &message);
    }
}

/// What mistakes of a check begin with.
pub fn label(name: &str) -> String {
    format!("check \"{name}\"")
}

/// A kind that refuses settings must say why; this one did not.
pub fn unready(table: &Table, kind: &str) -> super::mistake::Mistake {
    super::mistake::Mistake {
        place: table.head.clone(),
        message: format!("the kind \"{kind}\" refused these settings and did not say why"),
    }
}

/// The canonical text of a check: its own settings, and those of the mailboxes it names (by `mailbox`,
/// `from_mailbox` and the like).
pub fn canonical<'m>(
    section: &Section<'_>,
    kind: &str,
    mailbox: impl Fn(&str) -> Option<&'m str>,
) -> String {
    section.record("kind", kind);
    let mut text = section.canonical();
    for name in section.resolved_values("mailbox") {
        if let Some(settings) = mailbox(&name) {
            for line in settings.lines() {
                text.push_str(&format!("mailbox.{name}.{line}\n"));
            }
        }
    }
    text
}

/// The folder that relative paths of a file are relative to.
pub fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_owned()
}
