//! `probe --all`: every check of a configuration once, as for an acceptance run after an update.
//!
//! Some run at the same time, as in the agent itself; they are told in the order of the file, one line a
//! check, each as soon as it and those before it are over.

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use mailsonde_proto::{Clock, Verdict};

use super::one_shot::{self, Identity, Refusal, Subject};
use super::report::{Seen, json, nagios, prometheus};
use super::terminal::{self, Terminal, Tone};
use super::{Ending, Format, ProbeArguments, check_config, figures, plugin, refuse};
use crate::config::AgentConfig;
use crate::config::mistake::{Mistake, Place};
use crate::mail::mailbox::Mailbox;
use crate::probe::Kinds;

/// Everything that is to be run.
struct All {
    subjects: Vec<Subject>,
    mailboxes: Vec<Arc<Mailbox>>,
    at_once: usize,
}

/// Carries out the command.
pub(crate) fn all(
    file: &Path,
    arguments: &ProbeArguments,
    kinds: &Kinds,
    terminal: &Terminal,
) -> Ending {
    if arguments.format() == Format::Nagios {
        let words = "a plugin tells of one check: leave out --all, and name one with --check";
        return plugin(nagios::unknown(words));
    }
    let all = match from_file(file, arguments, kinds) {
        Ok(all) => all,
        Err(refusal) => {
            return refuse(&check_config::told(&refusal.mistakes, &refusal.warnings));
        }
    };
    let told = super::runtime().and_then(|runtime| {
        runtime.block_on(run(all, |seen| line(seen, arguments.format(), terminal)))
    });
    match told {
        Ok(seen) => ended(&seen, arguments.format(), terminal),
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            Ending::Void
        }
    }
}

fn from_file(file: &Path, arguments: &ProbeArguments, kinds: &Kinds) -> Result<All, Refusal> {
    let loaded = AgentConfig::load_alone(file, kinds, arguments.policy.as_deref())
        .map_err(|not| Refusal { mistakes: not.mistakes.0, warnings: not.warnings })?;
    if !loaded.warnings.is_empty() {
        terminal::complain(&check_config::told(&[], &loaded.warnings));
    }
    let clock = Clock::system();
    let surroundings = loaded.config.surroundings(loaded.config.policy.nets(clock).local, clock);
    let mut subjects = Vec::new();
    for config in &loaded.config.checks {
        let config = match arguments.timeout {
            Some(timeout) => config.clone().with_timeout(timeout),
            None => config.clone(),
        };
        let probe = config
            .probe(kinds, &surroundings)
            .map_err(|mistakes| Refusal { mistakes: mistakes.0, warnings: Vec::new() })?;
        subjects.push(Subject {
            check: config.check.name.clone(),
            kind: config.check.kind.clone(),
            timeout: config.check.timeout,
            probe,
            // They are shared, and left in order when all is over.
            mailboxes: Vec::new(),
            warnings: Vec::new(),
        });
    }
    if subjects.is_empty() {
        let place = Place::File { file: file.display().to_string().into() };
        let mistake = Mistake { place, message: "there is no [[check]] to run".to_owned() };
        return Err(Refusal { mistakes: vec![mistake], warnings: Vec::new() });
    }
    let mailboxes = surroundings.mailboxes.into_values().collect();
    Ok(All { subjects, mailboxes, at_once: loaded.config.limits.concurrent_runs.max(1) })
}

async fn run(
    all: All,
    mut tell: impl FnMut(&Seen) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Seen>> {
    let identity = Identity::new();
    let runs = (1..).zip(all.subjects).map(|(intent, subject)| {
        let identity = identity.numbered(intent);
        one_shot::run_as(subject, identity)
    });
    let mut runs = stream::iter(runs).buffered(all.at_once);
    let mut seen = Vec::new();
    let mut told = Ok(());
    while let Some(one) = runs.next().await {
        told = told.and_then(|()| tell(&one));
        seen.push(one);
    }
    let left = all.mailboxes.iter().map(|mailbox| mailbox.shutdown());
    futures_util::future::join_all(left).await;
    told.map(|()| seen)
}

fn line(seen: &Seen, format: Format, terminal: &Terminal) -> anyhow::Result<()> {
    match format {
        Format::Json => terminal::say(&format!("{}\n", json(seen)?)),
        Format::Human => terminal::say(&words(seen, terminal)),
        // One family of metrics after the other, each with all checks.
        Format::Nagios | Format::Prometheus => Ok(()),
    }
}

/// `pass  mail  round-trip  512 ms`, and why it is no pass.
fn words(seen: &Seen, terminal: &Terminal) -> String {
    let outcome = &seen.outcome;
    let (tone, why) = match &outcome.verdict {
        Verdict::Pass => (Tone::Good, String::new()),
        Verdict::Fail(fault) => (Tone::Bad, format!("  {fault}")),
        Verdict::Void { reason, detail } => {
            (Tone::Doubtful, format!("  {}: {detail}", reason.as_str()))
        }
    };
    let took = figures::duration(i64::try_from(outcome.total_us).unwrap_or(i64::MAX));
    let verdict = terminal.paint(tone, outcome.verdict.as_str());
    // A server's words may have line ends; this is one line.
    let why: Vec<_> = why.split(['\r', '\n']).collect();
    format!("{verdict}  {}  {}  {took}{}\n", seen.check, seen.kind, why.join(" "))
}

fn ended(seen: &[Seen], format: Format, terminal: &Terminal) -> Ending {
    let of = |word: &str| seen.iter().filter(|s| s.outcome.verdict.as_str() == word).count();
    let (passed, failed) = (of("pass"), of("fail"));
    let void = seen.len() - passed - failed;
    let last = match format {
        Format::Prometheus => prometheus(seen),
        Format::Human => {
            let words = format!("{passed} passed, {failed} failed, {void} void");
            format!("{}\n", terminal.paint(Tone::Strong, &words))
        }
        Format::Json | Format::Nagios => String::new(),
    };
    if let Err(error) = terminal::say(&last) {
        terminal::complain(&format!("{error:#}"));
        return Ending::Void;
    }
    match (failed, void) {
        (0, 0) => Ending::Pass,
        (0, _) => Ending::Void,
        _ => Ending::Fail,
    }
}
