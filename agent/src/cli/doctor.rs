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
}

/// Carries out the command.
pub(super) fn doctor(arguments: DoctorArguments, kinds: &Kinds, terminal: &Terminal) -> Ending {
    let is_json = arguments.json;
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            return Ending::Fail;
        }
    };
    let report = runtime.block_on(Box::pin(examined(arguments, kinds.clone())));
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
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            Ending::Fail
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
async fn examined(arguments: DoctorArguments, kinds: Kinds) -> Report {
    let clock = Clock::system();
    let begun = (clock.wall(), clock.monotonic());
    let ends = deadline();
    let unread = Subject::unread(&arguments, clock);
    let read = blocking(move || Subject::read(arguments, &kinds, clock)).await;
    let (subject, mut looks) = read.unwrap_or_else(|| (unread, Subject::late()));
    let data = format!("data in {}", subject.data.display());
    let subject = Arc::new(subject);
    let held = process::held(&subject).await;
    looks.extend(process::looks(&subject, &held));
    let identity = identity::read(&subject).await;
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
    let (read, is_let_in) = (Arc::clone(&subject), !identity.is_missing());
    let seen = blocking(move || follow::Seen::of(&read, is_let_in)).await;
    if let Some(seen) = seen {
        follow::suppress(&mut looks, &seen);
    }
    looks.sort_by_key(place);
    Report::new(SOFTWARE, data, looks)
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
