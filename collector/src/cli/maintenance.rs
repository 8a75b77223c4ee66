//! `maintenance`: windows that are planned, and everything that is done to them.

mod shown;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::observations::escaped;
use super::terminal::{Terminal, say};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::judge::planned::Scope;
use crate::planning::{ExtendWish, WindowWish, Zone};
use crate::query::planned::{PlannedWanted, ReadinessAnswer, WindowsAnswer};

#[derive(Debug, clap::Subcommand)]
pub(super) enum MaintenanceCommand {
    /// Windows that are planned or run, and those that were over in the last week
    List(WantedArguments),
    /// One window: its times, what was done to it, what came of its acceptance run
    Show {
        /// Its number, such as W1
        window: String,
    },
    /// Plan a window; it shows whom it touches before it begins
    #[command(after_help = PLAN_HELP)]
    Plan(Box<PlanArguments>),
    /// Give the time that runs, or comes next, another end
    Extend(ExtendArguments),
    /// End the time that runs
    End {
        /// Its number, such as W1
        window: String,
    },
    /// Call a window off: it comes no more
    Cancel {
        /// Its number, such as W1
        window: String,
    },
    /// Whom a window touches, what their objectives have left, what to look at before it begins
    Check {
        /// Its number, such as W1
        window: String,
    },
    /// Make the acceptance run of the time that was over last again
    Accept {
        /// Its number, such as W1
        window: String,
    },
    /// Windows as an iCalendar file (RFC 5545)
    Export {
        #[command(flatten)]
        wanted: WantedArguments,
        /// Into this file instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

const PLAN_HELP: &str = "Times are in the zone of --time-zone, else the organisation's, else this machine's.\n\n\
  mailsonde-collector maintenance plan \"new disks\" --service mail --from \"2026-12-01 22:00\" --for 2h --accept mail\n\
  mailsonde-collector maintenance plan patches --on site=durban --from \"2026-12-06 22:00\" --for 1h --every \"FREQ=WEEKLY;BYDAY=SU\"";

#[derive(Debug, clap::Args)]
pub(super) struct WantedArguments {
    /// Also those that are over for long
    #[arg(long)]
    all: bool,
    /// Of this service only
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// What something is about.
#[derive(Debug, clap::Args)]
pub(super) struct ScopeArguments {
    /// Of this service; may be given again
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,
    /// At these vantage points, such as site=durban; "*" is everywhere
    #[arg(long, value_name = "SELECTOR")]
    on: Option<String>,
    /// By checks of this name, in which * stands for any characters; may be given again
    #[arg(long = "check", value_name = "NAME")]
    checks: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct PlanArguments {
    /// What is done, in a line
    title: String,
    #[command(flatten)]
    scope: ScopeArguments,
    /// When it begins, such as "2026-12-01 22:00" or 2026-12-01T22:00:00+02:00; now without it
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// How long it is, such as 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "until")]
    length: Option<Duration>,
    /// When it is over, instead of --for
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// When it comes again, as a rule of RFC 5545, such as "FREQ=WEEKLY;BYDAY=SU"
    #[arg(long, value_name = "RRULE")]
    every: Option<String>,
    /// What users are told
    #[arg(long = "announce", value_name = "TEXT")]
    announcement: Option<String>,
    /// A check that must pass after it; may be given again
    #[arg(long = "accept", value_name = "CHECK")]
    acceptance: Vec<String>,
    /// The zone of the times (IANA), such as Africa/Johannesburg
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExtendArguments {
    /// Its number, such as W1
    window: String,
    /// So much longer, such as 30min
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "until")]
    by: Option<Duration>,
    /// Until then, such as "2026-12-02 01:00"
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// The zone of the time (IANA)
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

impl ScopeArguments {
    pub(super) fn scope(&self) -> Scope {
        let Self { services, on, checks } = self;
        Scope { services: services.clone(), on: on.clone(), checks: checks.clone() }
    }
}

/// In which zone times are meant: as said, else that of this machine where the organisation has none.
pub(super) fn zone(said: Option<&String>, terminal: &Terminal) -> Zone {
    Zone { said: said.cloned(), own: terminal.zone.iana_name().map(str::to_owned) }
}

/// A path with what is wanted.
pub(super) fn question(path: &str, wanted: &WantedArguments) -> String {
    let WantedArguments { all, service } = wanted;
    let wanted = PlannedWanted { all: *all, service: service.clone() };
    let parameters = serde_json::to_value(&wanted).unwrap_or_default();
    let mut path = path.to_owned();
    let mut mark = '?';
    for (key, value) in parameters.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        path.push_str(&format!("{mark}{key}={}", escaped(&value)));
        mark = '&';
    }
    path
}

pub(super) async fn run(setting: &Setting, command: &MaintenanceCommand) -> anyhow::Result<Ending> {
    match command {
        MaintenanceCommand::List(wanted) => list(setting, wanted).await,
        MaintenanceCommand::Show { window } => {
            let asked = path::with(path::WINDOW, window);
            let answer = client::ask::<ReadinessAnswer>(&setting.collector, &asked).await?;
            told(setting, &answer, |answer| shown::detailed(answer, &setting.terminal))
        }
        MaintenanceCommand::Check { window } => check(setting, window).await,
        MaintenanceCommand::Plan(arguments) => {
            let wish = wish(arguments, &setting.terminal);
            let sent = client::send(&setting.collector, path::MAINTENANCE, &wish).await?;
            told(setting, &sent, |answer| shown::planned(answer, &setting.terminal))
        }
        MaintenanceCommand::Extend(arguments) => extend(setting, arguments).await,
        MaintenanceCommand::End { window } => act(setting, path::WINDOW_END, window).await,
        MaintenanceCommand::Cancel { window } => act(setting, path::WINDOW_CANCEL, window).await,
        MaintenanceCommand::Accept { window } => act(setting, path::WINDOW_ACCEPT, window).await,
        MaintenanceCommand::Export { wanted, output } => {
            export(setting, wanted, output.as_ref()).await
        }
    }
}

fn told(
    setting: &Setting,
    answer: &client::Answer<ReadinessAnswer>,
    words: impl FnOnce(&ReadinessAnswer) -> String,
) -> anyhow::Result<Ending> {
    let text = if setting.json { format!("{}\n", answer.raw) } else { words(&answer.value) };
    say(&text)?;
    Ok(Ending::Done)
}

async fn list(setting: &Setting, wanted: &WantedArguments) -> anyhow::Result<Ending> {
    let asked = question(path::MAINTENANCE, wanted);
    let answer = client::ask::<WindowsAnswer>(&setting.collector, &asked).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown::list(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

/// Whom it touches; 1 where there is something to look at.
async fn check(setting: &Setting, window: &str) -> anyhow::Result<Ending> {
    let asked = path::with(path::WINDOW, window);
    let answer = client::ask::<ReadinessAnswer>(&setting.collector, &asked).await?;
    let is_ready = answer.value.warnings.is_empty();
    told(setting, &answer, |answer| shown::readiness(answer, &setting.terminal))?;
    Ok(if is_ready { Ending::Done } else { Ending::Failing })
}

fn wish(arguments: &PlanArguments, terminal: &Terminal) -> WindowWish {
    WindowWish {
        title: arguments.title.clone(),
        announcement: arguments.announcement.clone().unwrap_or_default(),
        scope: arguments.scope.scope(),
        from: arguments.from.clone(),
        until: arguments.until.clone(),
        length_s: arguments.length.map(|length| length.as_secs()),
        every: arguments.every.clone(),
        acceptance: arguments.acceptance.clone(),
        zone: zone(arguments.time_zone.as_ref(), terminal),
    }
}

async fn extend(setting: &Setting, arguments: &ExtendArguments) -> anyhow::Result<Ending> {
    let wish = ExtendWish {
        until: arguments.until.clone(),
        by_s: arguments.by.map(|by| by.as_secs()),
        zone: zone(arguments.time_zone.as_ref(), &setting.terminal),
    };
    let asked = path::with(path::WINDOW_EXTEND, &arguments.window);
    let answer = client::send(&setting.collector, &asked, &wish).await?;
    told(setting, &answer, |answer| shown::acted(answer, &setting.terminal))
}

async fn act(setting: &Setting, path: &str, window: &str) -> anyhow::Result<Ending> {
    let answer = client::send(&setting.collector, &path::with(path, window), &()).await?;
    told(setting, &answer, |answer| shown::acted(answer, &setting.terminal))
}

async fn export(
    setting: &Setting,
    wanted: &WantedArguments,
    output: Option<&PathBuf>,
) -> anyhow::Result<Ending> {
    let asked = question(path::CALENDAR, wanted);
    let calendar = client::ask_for_text(&setting.collector, &asked).await?;
    let text = match output {
        Some(file) => {
            std::fs::write(file, &calendar)
                .with_context(|| format!("cannot write {}", file.display()))?;
            format!("written to {}\n", file.display())
        }
        None => calendar.clone(),
    };
    // Whoever asks for JSON gets one value, as everywhere.
    let text = if setting.json {
        format!("{}\n", serde_json::json!({ "calendar": calendar }))
    } else {
        text
    };
    say(&text)?;
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests;
