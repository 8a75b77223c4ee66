//! `doctor`: looks at everything that this collector needs, and says what to do where it is not well.
//!
//! Invariants: it works on a broken installation, whether the collector runs or not, as whoever runs it; each look has
//! its time and is then 'not known'; nothing is changed. Each file of the folder has its judgements as functions of what
//! was read. Absent on purpose: whether mail works (`status`), and mending anything.

mod agents;
mod certificates;
mod configuration;
mod disk;
mod hosts;
mod named;
mod permissions;
mod ports;
mod running;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use mailsonde_proto::Clock;
use mailsonde_proto::doctor::clock::{Kept, kept};
use mailsonde_proto::doctor::disk::{Writer, be_child};
use mailsonde_proto::doctor::files::Who;
use mailsonde_proto::doctor::process::Holder;
use mailsonde_proto::doctor::service::{Service, Usual};
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::{Judged, Look, Page, Report, State, blocking, deadline, late, told};

use super::terminal::{Terminal, Tone, printable, say};
use super::{Ending, Setting};
use crate::config::Config;
use crate::folder::{self, Folder};
use crate::query::SOFTWARE;
use running::Running;

/// The user that the package makes.
const USER: &str = "mailsonde";

/// In which order they are told.
const GROUPS: [&str; 9] = [
    "configuration",
    "permissions",
    "process",
    "health",
    "certificates",
    "clock",
    "dns",
    "ports",
    "agents",
];

/// What is looked at.
#[derive(Debug)]
struct Subject {
    folder: Folder,
    /// Without a mistake.
    config: Option<Config>,
    /// As whom the service runs; `None` where the disk did not tell in time.
    service: Option<Service>,
    /// Who runs this.
    us: Who,
    /// Whether that may look at everything.
    may_look: bool,
    /// Who tries to write.
    writer: Writer,
    clock: Clock,
}

/// Carries out the command.
pub(super) fn run(setting: &Setting) -> anyhow::Result<Ending> {
    be_child();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads: look at the limits of this user")?;
    let report = runtime.block_on(Box::pin(examined(setting.data.clone(), Writer::Child)));
    // what hangs on a disk would hang us too
    runtime.shutdown_background();
    let text = match setting.json {
        true => format!("{}\n", serde_json::to_string(&report)?),
        false => shown(&report, &setting.terminal),
    };
    say(&text)?;
    Ok(if report.has_problem() { Ending::Failing } else { Ending::Done })
}

fn shown(report: &Report, terminal: &Terminal) -> String {
    let tone = |state| match state {
        State::Ok => Tone::Good,
        State::Unknown => Tone::Plain,
        State::Warning => Tone::Doubtful,
        State::Problem => Tone::Bad,
    };
    let page = Page {
        width: terminal.is_terminal.then_some(usize::from(terminal.width)),
        paint: &|state, text| terminal.paint(tone(state), text),
        printable: &printable,
    };
    told(report, &page)
}

/// Looks at everything, side by side where one does not need the other.
async fn examined(folder: Folder, writer: Writer) -> Report {
    let (clock, ends) = (Clock::system(), deadline());
    let data = format!("data in {}", folder.path().display());
    let (us, read) = (Who::runs_this(), folder.clone());
    let read = blocking(move || configuration::read(&read, us)).await;
    let (config, mut looks) = read.unwrap_or_else(|| {
        let judged = late("reading the configuration");
        (None, vec![judged.look("configuration.file", "collector.toml")])
    });
    let of = folder.clone();
    let holder = blocking(move || running::holder(&of)).await;
    let seen = match holder.clone() {
        Some(held) => {
            let of = folder.clone();
            blocking(move || (serving(&of, held.as_ref()), us.may_look_into(of.path()))).await
        }
        // a disk that did not answer is not waited for again
        None => None,
    };
    let (service, may_look) = seen.unzip();
    let may_look = may_look.unwrap_or(us.is_root());
    let subject = Arc::new(Subject { folder, config, service, us, may_look, writer, clock });
    let running = Box::pin(Running::find(&subject, holder)).await;
    looks.extend(running.looks(&subject));
    let (permissions, certificates, disk, hosts, ports, keeper) = tokio::join!(
        on_disk(&subject, permissions::looks, "looking at permissions", "permissions.data"),
        on_disk(&subject, certificates::looks, "reading certificates", "certificates.server"),
        disk::looks(&subject),
        Box::pin(hosts::looks(&subject, ends)),
        Box::pin(ports::looks(&subject, running.runs(), ends)),
        Kept::ask(),
    );
    for found in [permissions, certificates, disk, hosts, ports, agents::looks(&running, &subject)]
    {
        looks.extend(found);
    }
    looks.push(kept(&keeper).look("clock.synchronised", "time service"));
    ports::follow(&mut looks);
    looks.sort_by_key(place);
    let report = Report::new(SOFTWARE, data, looks);
    let path = subject.folder.path();
    match path == Path::new(folder::DEFAULT) {
        true => report,
        false => report.with("mailsonde-collector", &format!("--data {}", quoted(path))),
    }
}

/// As whom the service of a folder runs.
fn serving(folder: &Folder, holder: Option<&Holder>) -> Service {
    let is_usual = folder.path() == Path::new(folder::DEFAULT);
    let usual = Usual { unit: running::UNIT, user: USER, is_usual };
    Service::find(usual, [folder.path(), &folder.config()], holder)
}

/// What reads the disk, in its time.
async fn on_disk(
    subject: &Arc<Subject>,
    work: fn(&Subject) -> Vec<Look>,
    what: &str,
    id: &'static str,
) -> Vec<Look> {
    let subject = Arc::clone(subject);
    let found = blocking(move || work(&subject)).await;
    found.unwrap_or_else(|| vec![late(what).look(id, what)])
}

/// What needs the configuration, where that has mistakes or was not read in time.
fn without_configuration() -> Judged {
    Judged::unknown(
        "not looked at: collector.toml cannot be used",
        "see the line of collector.toml",
    )
}

fn place(look: &Look) -> usize {
    GROUPS.iter().position(|group| *group == look.group()).unwrap_or(GROUPS.len())
}

#[cfg(test)]
impl Subject {
    /// For tests: a folder whose service runs as this user, looked at by whoever runs the test.
    fn stand_in(folder: Folder, service: Who) -> Self {
        Self {
            folder,
            config: None,
            service: Some(Service::alone(service)),
            us: Who::runs_this(),
            may_look: true,
            writer: Writer::Thread,
            clock: Clock::system(),
        }
    }
}

#[cfg(test)]
mod tests;
