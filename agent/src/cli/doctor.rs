//! `doctor`: looks at everything that this agent needs, and says what to do where it is not well.
//!
//! Invariants: it works on a broken installation, as whoever runs it; each look has its time and is then 'not known';
//! nothing is changed, nobody signs in anywhere, and an agent that runs is not disturbed. Each file of the folder has
//! its judgements as functions of what was read. Absent on purpose: whether checks pass (`probe --all`).

mod configuration;
mod disk;
mod dns;
mod follow;
mod identity;
mod mailboxes;
mod permissions;
mod process;
mod secrets;
mod subject;
mod uplink;

use std::path::PathBuf;
use std::sync::Arc;

use mailsonde_proto::Clock;
use mailsonde_proto::doctor::clock::{Kept, kept};
use mailsonde_proto::doctor::disk::{Writer, be_child};
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::{Look, Page, Report, State, blocking, deadline, told};

use super::Ending;
use super::terminal::{self, Terminal, Tone, on_one_line};
use crate::probe::Kinds;
use crate::uplink::channel::SOFTWARE;
use process::Runs;
use subject::Subject;

/// In which order they are told.
const GROUPS: [&str; 9] = [
    "configuration",
    "permissions",
    "process",
    "identity",
    "clock",
    "dns",
    "ports",
    "collector",
    "disk",
];

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct DoctorArguments {
    /// The configuration; agent.toml in the --data folder where one is there, else
    /// /etc/mailsonde-agent/agent.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of outbox and identity, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The policy, instead of the configuration's
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

impl DoctorArguments {
    /// The same command again, with more rights.
    fn as_root(&self) -> String {
        let mut command = "sudo mailsonde-agent doctor".to_owned();
        let given =
            [("--config", &self.config), ("--data", &self.data), ("--policy", &self.policy)];
        for (name, path) in given {
            if let Some(path) = path {
                command.push_str(&format!(" {name} {}", quoted(path)));
            }
        }
        command
    }

    /// Beginnings of commands that are for here, and what was given that belongs behind each.
    fn given(&self) -> Vec<(&'static str, String)> {
        let data = self.data.iter();
        let data = data.map(|it| ("mailsonde-agent enroll", format!("--data {}", quoted(it))));
        let config = self.config.iter().flat_map(|file| {
            let shown = quoted(file);
            let named = format!("--config {shown}");
            [("mailsonde-agent policy show", named), ("mailsonde-agent check-config", shown)]
        });
        data.chain(config).collect()
    }
}

/// Carries out the command.
pub(super) fn doctor(arguments: DoctorArguments, kinds: &Kinds, terminal: &Terminal) -> Ending {
    be_child();
    let is_json = arguments.json;
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            return Ending::Usage;
        }
    };
    let report = runtime.block_on(Box::pin(examined(arguments, kinds.clone(), Writer::Child)));
    // what hangs on a disk would hang us too
    runtime.shutdown_background();
    let text = match is_json {
        true => serde_json::to_string(&report).map(|text| format!("{text}\n")),
        false => Ok(shown(&report, terminal)),
    };
    let said = text.map_err(anyhow::Error::new).and_then(|text| terminal::say(&text));
    match said {
        Ok(()) if report.has_problem() => Ending::Fail,
        Ok(()) => Ending::Pass,
        // nothing is known to be a problem where nothing was said
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            Ending::Usage
        }
    }
}

fn shown(report: &Report, terminal: &Terminal) -> String {
    let tone = |state| match state {
        State::Ok => Tone::Good,
        State::Unknown => Tone::Faint,
        State::Warning => Tone::Doubtful,
        State::Problem => Tone::Bad,
    };
    let page = Page {
        width: terminal.breaks(),
        paint: &|state, text| terminal.paint(tone(state), text),
        printable: &on_one_line,
    };
    told(report, &page)
}

/// Looks at everything, side by side where one does not need the other.
async fn examined(arguments: DoctorArguments, kinds: Kinds, writer: Writer) -> Report {
    let clock = Clock::system();
    let begun = (clock.wall(), clock.monotonic());
    let ends = deadline();
    let (unread, given) = (Subject::unread(&arguments, clock), arguments.given());
    let read = blocking(move || Subject::read(arguments, &kinds, clock)).await;
    let (mut subject, mut looks) = read.unwrap_or_else(|| (unread, Subject::late()));
    subject.writer = writer;
    let data = format!("data in {}", subject.data.display());
    let subject = Arc::new(subject);
    let (held, identity) = tokio::join!(process::held(&subject), identity::read(&subject));
    looks.extend(process::looks(&subject, &held));
    looks.extend(identity.looks(&subject, held.runs() != Runs::No));
    looks.extend(checks(&subject, &identity).await);
    let (permissions, servers, mailboxes, collector, disk, keeper) = tokio::join!(
        permissions::looks(&subject),
        dns::servers(&subject),
        mailboxes::looks(&subject, ends),
        Box::pin(uplink::looks(&subject, &identity, held.runs(), ends)),
        disk::looks(&subject),
        Kept::ask(),
    );
    for found in [permissions, servers, mailboxes, collector, disk] {
        looks.extend(found);
    }
    looks.push(kept(&keeper).look("clock.synchronised", "time service"));
    let steady = process::steady(begun, (clock.wall(), clock.monotonic()));
    looks.push(steady.look("clock.steady", "steadiness"));
    if identity.is_missing() {
        let read = Arc::clone(&subject);
        let seen = blocking(move || follow::Seen::of(&read, false)).await;
        seen.iter().for_each(|seen| follow::suppress(&mut looks, seen));
    }
    looks.sort_by_key(place);
    let report = Report::new(SOFTWARE, data, looks);
    given.into_iter().fold(report, |report, (beginning, given)| report.with(beginning, &given))
}

/// What this agent has to do, where its configuration can be read.
async fn checks(subject: &Arc<Subject>, identity: &identity::Found) -> Option<Look> {
    let own = subject.checks?;
    let (read, agent) = (Arc::clone(subject), identity.agent());
    let assigned = blocking(move || {
        let kept = agent.map(|agent| crate::assignment::load(&read.data, agent));
        // one that cannot be read is told of by the agent's own log
        kept.and_then(Result::ok).flatten().map_or(0, |assignment| assignment.checks.len())
    });
    Some(configuration::checks(subject, own, assigned.await?))
}

fn place(look: &Look) -> usize {
    GROUPS.iter().position(|group| *group == look.group()).unwrap_or(GROUPS.len())
}

#[cfg(test)]
mod tests;
