//! `plugin`: one line with a status, as Nagios, Icinga, Checkmk and Zabbix read it of a plugin
//! (Monitoring Plugins Development Guidelines, sections 'Plugin Output' and 'Performance data').
//!
//! Invariants: unknown is never OK; whatever goes wrong on the way to the answer is UNKNOWN, because whoever calls
//! plugins would take exit code 2 for mail that is down; the line has no `|` but that before the figures, and no line
//! end but its last.

use std::ffi::OsString;

use super::terminal::{printable, say};
use super::{Ending, Setting, client, status};
use crate::api::path;
use crate::judge::definition::Voiced;
use crate::query::agents::AgentsAnswer;
use crate::query::{CheckStatus, ServiceAnswer, ServicesAnswer, State, StatusAnswer};
use crate::watched::HealthAnswer;

/// The command's own word.
const NAME: &str = "plugin";
/// The most characters before the figures: some receivers cut at 1 KiB.
const MOST_CHARACTERS: usize = 400;

#[derive(Debug, clap::Subcommand)]
pub(super) enum PluginCommand {
    /// Whether mail works from every vantage point
    Mail,
    /// Whether a service is up, by its quorum
    Service {
        /// As `services` lists it
        name: String,
    },
    /// Whether a check passes at every vantage point that has it, or at one
    Check {
        /// Its name
        name: String,
        /// At this one only
        #[arg(long, value_name = "NAME")]
        vantage_point: Option<String>,
    },
    /// Whether an agent is connected
    Agent {
        /// As `agents` lists it
        name: String,
    },
    /// Whether the collector itself is healthy; a warning where only what is beside it is not
    Collector,
}

/// A plugin's exit code, from good to bad: what nobody knows hides no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 0.
    Ok,
    /// 1.
    Warning,
    /// 3.
    Unknown,
    /// 2.
    Critical,
}

impl Status {
    /// As a process ends with it.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What is told: the status, why, and figures as `label=value[unit];warn;crit;min;max`.
#[derive(Debug)]
struct Said {
    status: Status,
    words: String,
    figures: Vec<String>,
}

/// Whether a plugin's line is wanted, also when the rest of the command line makes no sense.
pub(super) fn is_wanted(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).any(|argument| argument == NAME)
}

/// The line of what could not even be asked.
pub(super) fn unknown(words: &str) -> Ending {
    told(&Said { status: Status::Unknown, words: words.to_owned(), figures: Vec::new() })
}

pub(super) async fn run(setting: &Setting, command: &PluginCommand) -> anyhow::Result<Ending> {
    let said = match command {
        PluginCommand::Mail => mail(&ask(setting, path::STATUS).await?, &setting.terminal.zone),
        PluginCommand::Service { name } => service(&ask(setting, path::SERVICES).await?, name),
        PluginCommand::Check { name, vantage_point } => {
            check(&ask(setting, path::STATUS).await?, name, vantage_point.as_deref())
        }
        PluginCommand::Agent { name } => agent(&ask(setting, path::AGENTS).await?, name),
        PluginCommand::Collector => collector(&ask(setting, path::HEALTH).await?),
    };
    Ok(told(&said))
}

async fn ask<T: serde::de::DeserializeOwned>(setting: &Setting, path: &str) -> anyhow::Result<T> {
    Ok(client::ask::<T>(&setting.collector, path).await?.value)
}

fn told(said: &Said) -> Ending {
    // where nobody reads the line, its exit code is all there is
    let is_read = say(&line(said)).is_ok();
    Ending::Plugin(if is_read { said.status } else { Status::Unknown })
}

fn line(Said { status, words, figures }: &Said) -> String {
    let mut told = format!("MAILSONDE {} - {}", status.word(), printable(words)).replace('|', "/");
    if let Some((cut, _)) = told.char_indices().nth(MOST_CHARACTERS) {
        told.truncate(cut);
        told.push('…');
    }
    match figures.is_empty() {
        true => format!("{told}\n"),
        false => format!("{told} | {}\n", figures.join(" ")),
    }
}

const fn of_state(state: State) -> Status {
    match state {
        State::Up => Status::Ok,
        State::Failing => Status::Critical,
        State::Late | State::Unknown => Status::Unknown,
    }
}

fn mail(answer: &StatusAnswer, zone: &jiff::tz::TimeZone) -> Said {
    let all = answer.vantage_points.len();
    Said {
        status: of_state(answer.state),
        words: status::sentence(answer, zone),
        figures: vec![format!("working={};;;0;{all}", answer.working)],
    }
}

fn service(answer: &ServicesAnswer, name: &str) -> Said {
    let found = answer.services.iter().find(|service| service.name == name);
    let Some(ServiceAnswer { title, state, sites, incidents, .. }) = found else {
        let names = answer.services.iter().map(|service| service.name.as_str());
        return nobody(&format!("no service is called {name}"), names);
    };
    let status = match state {
        Voiced::Up => Status::Ok,
        Voiced::Down => Status::Critical,
        Voiced::Unknown => Status::Unknown,
    };
    let up = sites.iter().filter(|site| site.state == Voiced::Up).count();
    let mut words = format!("{title} is {}; {up} of {} sites are up", state.as_str(), sites.len());
    let not_up = sites.iter().flat_map(|site| &site.not_up);
    for (number, what) in not_up.enumerate() {
        words.push_str(if number == 0 { ": " } else { "; " });
        words.push_str(what);
    }
    let figures = vec![
        format!("sites_up={up};;;0;{}", sites.len()),
        format!("incidents={};;;0;", incidents.len()),
    ];
    Said { status, words, figures }
}

fn check(answer: &StatusAnswer, name: &str, vantage_point: Option<&str>) -> Said {
    let all: Vec<(&str, &CheckStatus)> = (answer.vantage_points.iter())
        .filter(|vantage| vantage_point.is_none_or(|wanted| vantage.name == wanted))
        .flat_map(|vantage| vantage.checks.iter().map(|check| (vantage.name.as_str(), check)))
        .filter(|(_, check)| check.check == name)
        .collect();
    let Some((_, worst)) = all.iter().max_by_key(|(_, check)| of_state(check.state)) else {
        let place = vantage_point.map(|name| format!(" at {name}")).unwrap_or_default();
        let checks = answer.vantage_points.iter().flat_map(|vantage| &vantage.checks);
        let names = checks.map(|check| check.check.as_str());
        return nobody(&format!("no check is called {name}{place}"), names);
    };
    let status = of_state(worst.state);
    let passing = all.iter().filter(|(_, check)| check.state == State::Up).count();
    let mut words = format!("{name} passes at {passing} of {} vantage points", all.len());
    for (place, check) in all.iter().filter(|(_, check)| check.state != State::Up) {
        let fault = check.last_fault.as_ref().filter(|_| check.state == State::Failing);
        let why = fault.map(|fault| format!(" ({})", status::in_words(fault)));
        words.push_str(&format!("; {place}: {}{}", check.state.as_str(), why.unwrap_or_default()));
    }
    let slowest = all.iter().filter_map(|(_, check)| check.round_trip.p95_us).max();
    let mut figures = vec![format!("passing={passing};;;0;{}", all.len())];
    figures.extend(slowest.map(|us| format!("p95={}.{:06}s;;;0;", us / 1_000_000, us % 1_000_000)));
    Said { status, words, figures }
}

fn agent(answer: &AgentsAnswer, name: &str) -> Said {
    let Some(agent) = answer.agents.iter().find(|agent| agent.name == name) else {
        let names = answer.agents.iter().map(|agent| agent.name.as_str());
        return nobody(&format!("no agent is called {name}"), names);
    };
    let (status, words) = match (agent.connected_since, agent.last_heard_at) {
        (Some(since), _) => (Status::Ok, format!("{name} is connected since {since:.0}")),
        (None, Some(at)) => (Status::Critical, format!("nothing is heard of {name} since {at:.0}")),
        (None, None) => {
            let words = "was not here since the collector's start";
            (Status::Critical, format!("{name} {words}"))
        }
    };
    let figures = vec![format!("spooled={};;;0;", agent.spooled)];
    Said { status, words, figures }
}

fn collector(answer: &HealthAnswer) -> Said {
    let failing = answer.parts.iter().filter(|part| !part.healthy);
    let reasons: Vec<_> = failing.map(|part| format!("{}: {}", part.part, part.words)).collect();
    let (status, words) = match (answer.healthy, answer.is_all_well()) {
        (true, true) => (Status::Ok, "the collector is healthy".to_owned()),
        (true, false) => {
            let words =
                "the collector is healthy, and something beside it is not: `health` says what";
            (Status::Warning, words.to_owned())
        }
        (false, _) => {
            (Status::Critical, format!("the collector is not healthy: {}", reasons.join("; ")))
        }
    };
    Said { status, words, figures: Vec::new() }
}

/// Nobody has that name: which there are.
fn nobody<'n>(words: &str, names: impl Iterator<Item = &'n str>) -> Said {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let words = format!("{words}: there is {there}");
    Said { status: Status::Unknown, words, figures: Vec::new() }
}

#[cfg(test)]
mod tests;
