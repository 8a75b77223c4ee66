//! One run at a shell: made ready from a configuration or from `--set`, and carried out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{AgentId, Cause, Clock, Epoch, RunId, Verdict, VoidReason};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::report::Seen;
use crate::config::check::{head, offer, unready};
use crate::config::mistake::{Mistake, Place, Report};
use crate::config::policy::{self, Own};
use crate::config::section::Section;
use crate::config::spelling::{listed, nearest};
use crate::config::value::{Entry, Table, Value};
use crate::config::{AgentConfig, mailbox, surroundings};
use crate::mail::mailbox::Mailbox;
use crate::mail::token::TokenKey;
use crate::net::Net;
use crate::probe::{Amendment, Kind, Kinds, Outcome, Probe, Run, governed, strict};

/// What the check and the mailbox of a command line are called.
const COMMAND_LINE: &str = "command-line";
/// How long after its deadline a probe may still hand in its outcome.
const GRACE: Duration = Duration::from_secs(2);
/// How much news of earlier runs is kept for the screen.
const MOST_AMENDMENTS: usize = 100;

/// What is to be run.
pub(crate) struct Subject {
    /// The check's name.
    pub check: String,
    /// Its kind.
    pub kind: String,
    /// How long the run may take.
    pub timeout: Duration,
    /// Made ready.
    pub probe: Arc<dyn Probe>,
    /// To be left in order afterwards.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// About the settings.
    pub warnings: Vec<Mistake>,
}

/// Why nothing can be run.
pub(crate) struct Refusal {
    /// At least one.
    pub mistakes: Vec<Mistake>,
    /// Beside them.
    pub warnings: Vec<Mistake>,
}

/// Whether a kind takes a mailbox, which on the command line is described by settings of its own.
pub(crate) fn wants_a_mailbox(kind: &dyn Kind) -> bool {
    kind.settings().iter().any(|setting| setting.name == "mailbox" && setting.default.is_none())
}

/// A check of a configuration; without a name the only one of this kind.
pub(crate) fn from_file(
    (file, policy): (&Path, Option<&Path>),
    (check, timeout): (Option<&str>, Option<Duration>),
    kind: &dyn Kind,
    kinds: &Kinds,
) -> Result<Subject, Refusal> {
    let loaded = AgentConfig::load_alone(file, kinds, policy)
        .map_err(|not| Refusal { mistakes: not.mistakes.0, warnings: not.warnings })?;
    let of_this_kind =
        || loaded.config.checks.iter().filter(|config| config.check.kind == kind.name());
    let mut candidates =
        of_this_kind().filter(|config| check.is_none_or(|name| config.check.name == name));
    let refused = |message: String| {
        let place = Place::File { file: file.display().to_string().into() };
        Refusal { mistakes: vec![Mistake { place, message }], warnings: Vec::new() }
    };
    let names = listed(of_this_kind().map(|config| config.check.name.as_str()));
    let config = match (candidates.next(), candidates.next()) {
        (Some(config), None) => config.clone(),
        (Some(_), Some(_)) => return Err(refused(format!("add --check with one of {names}"))),
        (None, _) if names.is_empty() => {
            return Err(refused(format!("there is no [[check]] of kind \"{}\"", kind.name())));
        }
        (None, _) => {
            let name = check.unwrap_or_default();
            return Err(refused(format!(
                "there is no {} check \"{name}\": there is {names}",
                kind.name()
            )));
        }
    };
    let config = match timeout {
        Some(timeout) => config.with_timeout(timeout),
        None => config,
    };
    let clock = Clock::system();
    let surroundings = loaded.config.surroundings(loaded.config.policy.nets(clock).local, clock);
    let probe = config
        .probe(kinds, &surroundings)
        .map_err(|mistakes| Refusal { mistakes: mistakes.0, warnings: Vec::new() })?;
    Ok(Subject {
        check: config.check.name.clone(),
        kind: config.check.kind.clone(),
        timeout: config.check.timeout,
        probe,
        mailboxes: surroundings.mailboxes.into_values().collect(),
        warnings: loaded.warnings,
    })
}

/// A check and its mailbox from `--set` alone. Whoever sits at a shell may do what he likes, unless he names a
/// policy.
pub(crate) fn from_settings(
    (pairs, timeout): (&[String], Option<Duration>),
    kind: &dyn Kind,
    under: Option<&Path>,
) -> Result<Subject, Refusal> {
    let (mut table, mistakes) = Table::of_settings(pairs.iter().map(String::as_str));
    let report = Report::default();
    for mistake in mistakes {
        report.mistake(mistake.place, mistake.message);
    }
    if let Some(timeout) = timeout {
        table.set_timeout(timeout);
    }
    let mut mailboxes = BTreeMap::new();
    if wants_a_mailbox(kind) {
        let of_mailbox = mailbox_part(&mut table, kind);
        let mut section = Section::new(&of_mailbox, &report, Path::new(""), "");
        let config = mailbox::read(&mut section, COMMAND_LINE);
        section.finish();
        // With mistakes in it, it stands in, so that the check is not told that it does not exist.
        let config = config.unwrap_or_else(|| mailbox::MailboxConfig::stand_in(COMMAND_LINE));
        mailboxes.insert(COMMAND_LINE.to_owned(), config);
    }
    let (clock, net) = (Clock::system(), Net::new());
    if let Some(path) = under {
        let own = Own::of_mailboxes(mailboxes.values());
        net.set_policy(Some(policy::read_file(path, &own, &report).unwrap_or_default()));
    }
    let surroundings = surroundings(&mailboxes, net, clock);
    let mut section = Section::new(&table, &report, Path::new(""), "");
    let head = head(&mut section, Some(kind.name()));
    offer(&mut section, kind);
    let probe = kind.configure(&mut section, &surroundings);
    let probe = probe.map(|probe| strict(&mut section, probe));
    let probe = probe.map(|probe| governed(probe, kind.name(), &surroundings.net));
    section.finish();
    match (report.into_result(), probe) {
        (Ok(warnings), Some(probe)) => Ok(Subject {
            check: COMMAND_LINE.to_owned(),
            kind: kind.name().to_owned(),
            timeout: head.timeout,
            probe,
            mailboxes: surroundings.mailboxes.into_values().collect(),
            warnings,
        }),
        (Ok(warnings), None) => {
            Err(Refusal { mistakes: vec![unready(&table, kind.name())], warnings })
        }
        (Err((mistakes, warnings)), _) => Err(Refusal { mistakes: mistakes.0, warnings }),
    }
}

/// Takes the keys of the mailbox out of the settings, mistyped ones too, and puts the mailbox's name in.
fn mailbox_part(table: &mut Table, kind: &dyn Kind) -> Table {
    let of_check =
        kind.settings().iter().map(|setting| setting.name).chain(["timeout", "fail_from"]);
    let known: Vec<&str> = mailbox::KEYS.iter().copied().chain(of_check).collect();
    let is_of_mailbox = |key: &str| {
        nearest(key, known.iter().copied()).is_some_and(|near| mailbox::KEYS.contains(&near))
    };
    let mut part = Table { head: Place::CommandLine, entries: BTreeMap::new() };
    let keys: Vec<String> =
        table.entries.keys().filter(|key| is_of_mailbox(key)).cloned().collect();
    for key in keys {
        if let Some(entry) = table.entries.remove(&key) {
            part.entries.insert(key, entry);
        }
    }
    let place = Place::CommandLine;
    let name = Value::Word(COMMAND_LINE.to_owned());
    let entry = Entry { key: place.clone(), place, value: name };
    table.entries.entry("mailbox".to_owned()).or_insert(entry);
    part
}

/// By what the messages of a run are known. Runs that share a mailbox share the key, and have numbers of
/// their own.
#[derive(Clone)]
pub(crate) struct Identity {
    run: RunId,
    key: Arc<TokenKey>,
}

impl Identity {
    /// A new one.
    pub(crate) fn new() -> Self {
        let run = RunId { epoch: Epoch::random(), intent: 1 };
        Self { run, key: Arc::new(TokenKey::generate()) }
    }

    /// The same with another number.
    pub(crate) fn numbered(&self, intent: u64) -> Self {
        let run = RunId { intent, ..self.run };
        Self { run, key: Arc::clone(&self.key) }
    }
}

/// Carries it out, and leaves its mailboxes in order.
pub(crate) async fn run(subject: Subject) -> Seen {
    run_as(subject, Identity::new()).await
}

/// The same under an identity.
pub(crate) async fn run_as(subject: Subject, identity: Identity) -> Seen {
    let clock = Clock::system();
    let (amendments, news) = mpsc::channel(16);
    let started_at = clock.wall();
    let run = Run {
        id: identity.run,
        agent: AgentId::default(),
        check: subject.check.clone(),
        cause: Cause::OnDemand,
        scheduled_for: started_at,
        deadline: clock.monotonic() + subject.timeout,
        token_key: identity.key,
        amendments,
    };
    let started = clock.monotonic();
    let (outcome, amendments) = supervised(subject.probe, run, news).await;
    let took = clock.monotonic().duration_since(started);
    for mailbox in &subject.mailboxes {
        mailbox.shutdown().await;
    }
    let outcome = outcome.unwrap_or_else(|detail| Outcome {
        verdict: Verdict::void(VoidReason::Internal, detail),
        total_us: mailsonde_proto::time::as_us(took),
        phases: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    });
    Seen { check: subject.check, kind: subject.kind, started_at, outcome, amendments }
}

/// Runs a probe in a task of its own, so that its panic is not ours, and no longer than it may.
async fn supervised(
    probe: Arc<dyn Probe>,
    run: Run,
    mut news: mpsc::Receiver<Amendment>,
) -> (Result<Outcome, String>, Vec<Amendment>) {
    let limit = run.deadline + GRACE;
    let mut amendments = Vec::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { probe.run(run).await });
    loop {
        tokio::select! {
            Some(amendment) = news.recv() => {
                if amendments.len() < MOST_AMENDMENTS {
                    amendments.push(amendment);
                }
            }
            ended = tasks.join_next() => {
                let outcome = match ended {
                    Some(Ok(outcome)) => Ok(outcome),
                    _ => Err("the probe broke down: this is a defect of Mailsonde, please report it".to_owned()),
                };
                return (outcome, amendments);
            }
            () = tokio::time::sleep_until(limit) => {
                let detail = "the probe did not keep its deadline: this is a defect of Mailsonde, please report it";
                return (Err(detail.to_owned()), amendments);
            }
        }
    }
}

#[cfg(test)]
mod tests;
