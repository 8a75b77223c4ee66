//! `incidents`: what is or was wrong, and what is done about it.

mod draft;
mod show;

pub(super) use show::shown;

use jiff::Timestamp;

use super::figures::{roughly, time};
use super::observations::{escaped, since};
use super::terminal::{Terminal, Tone, cell, figure, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::{Act, IncidentWish, path};
use crate::judge::incident::kpi::{Kpi, Times};
use crate::judge::incident::{Severity, State};
use crate::query::incidents::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::query::{IncidentAnswer, IncidentsAnswer, IncidentsWanted};

#[derive(Debug, clap::Subcommand)]
pub(super) enum IncidentsCommand {
    /// Incidents, those that are not over first
    List(ListArguments),
    /// One incident: what is known, what it probably is, what to do, everything that was seen and done
    Show {
        /// Its number
        #[arg(value_parser = number)]
        number: u64,
    },
    /// Say that you look after it
    Ack {
        /// Its number
        #[arg(value_parser = number)]
        number: u64,
        /// What you say to it
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Put a note into its timeline
    Note {
        /// Its number
        #[arg(value_parser = number)]
        number: u64,
        /// The note
        note: String,
    },
    /// Say that it is mended; runs have yet to show it
    Resolve {
        /// Its number
        #[arg(value_parser = number)]
        number: u64,
        /// How it was mended
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Say when it is to work again
    Estimate(draft::EstimateArguments),
    /// What people are to be told of it: shown, never sent
    Draft(draft::DraftArguments),
    /// Look back at it, once it is over
    Review {
        /// Its number
        #[arg(value_parser = number)]
        number: u64,
        /// What was learnt
        note: String,
        /// Whether it was about security
        #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
        security: Option<bool>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArguments {
    /// Only those that are not over
    #[arg(long)]
    live: bool,
    /// Only those that touch this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Opened since then only: a duration such as 7d, or a time such as 2026-11-23T14:00Z
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// How many at most, up to 1000
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_LIMIT, value_parser = limit)]
    limit: usize,
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("write a number from 1 to {MAX_LIMIT}"))
}

/// `7`, or `#7` as lists have it.
pub(super) fn number(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix('#').unwrap_or(text).parse();
    number.map_err(|_no_number| "an incident has a number: `incidents list` has them".to_owned())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

pub(super) async fn run(setting: &Setting, command: &IncidentsCommand) -> anyhow::Result<Ending> {
    let (number, act, note, security) = match command {
        IncidentsCommand::List(arguments) => return list(setting, arguments).await,
        IncidentsCommand::Show { number } => return show(setting, *number).await,
        IncidentsCommand::Draft(arguments) => return draft::run(setting, arguments).await,
        IncidentsCommand::Estimate(arguments) => {
            let wish = arguments.wish(&setting.terminal);
            return act_on(setting, arguments.number, &wish).await;
        }
        IncidentsCommand::Ack { number, note } => (number, Act::Acknowledge, note, None),
        IncidentsCommand::Note { number, note } => (number, Act::Note, note, None),
        IncidentsCommand::Resolve { number, note } => (number, Act::Resolve, note, None),
        IncidentsCommand::Review { number, note, security } => {
            (number, Act::Review, note, *security)
        }
    };
    let wish = IncidentWish { act, note: note.clone(), security, recovery: None };
    act_on(setting, *number, &wish).await
}

/// Does something to an incident, and says what became of it.
async fn act_on(setting: &Setting, number: u64, wish: &IncidentWish) -> anyhow::Result<Ending> {
    let path = path::with(path::INCIDENT, &number.to_string());
    let answer = client::send::<IncidentAnswer>(&setting.collector, &path, wish).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => {
            let incident = &answer.value.incident;
            format!("incident {number} is {}\n", incident.state.as_str())
        }
    };
    say(&text)?;
    Ok(Ending::Done)
}

async fn show(setting: &Setting, number: u64) -> anyhow::Result<Ending> {
    let path = path::with(path::INCIDENT, &number.to_string());
    let answer = client::ask::<IncidentAnswer>(&setting.collector, &path).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => shown(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

async fn list(setting: &Setting, arguments: &ListArguments) -> anyhow::Result<Ending> {
    let wanted = IncidentsWanted {
        live: arguments.live,
        service: arguments.service.clone(),
        since: arguments.since,
        limit: Some(arguments.limit),
    };
    let question = question(&wanted);
    let answer = client::ask::<IncidentsAnswer>(&setting.collector, &question).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => listed(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

/// The path with its parameters.
fn question(wanted: &IncidentsWanted) -> String {
    let parameters = serde_json::to_value(wanted).unwrap_or_default();
    let parameters = parameters.as_object().into_iter().flatten().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{key}={}", escaped(&value))
    });
    format!("{}?{}", path::INCIDENTS, parameters.collect::<Vec<_>>().join("&"))
}

fn listed(answer: &IncidentsAnswer, terminal: &Terminal) -> String {
    if answer.incidents.is_empty() {
        return "no incidents\n".to_owned();
    }
    let heads = ["", "severity", "state", "began", "lasted", "what", "from where"];
    let mut table = terminal.table(heads);
    for line in &answer.incidents {
        let until = line.resolved_at.unwrap_or(answer.now);
        let state = match line.merged_into {
            Some(into) => format!("part of #{into}"),
            None => match line.silenced_by {
                Some(silence) => format!("{}, silenced by S{silence}", line.state.as_str()),
                None => line.state.as_str().to_owned(),
            },
        };
        table.add_row([
            figure(format!("#{}", line.number)),
            cell(tone(line.severity, line.state), line.severity.as_str()),
            words(state),
            words(time(line.began_at, answer.now, &terminal.zone)),
            figure(roughly(line.began_at, until)),
            words(printable(&line.headline)),
            words(&line.scope),
        ]);
    }
    let mut text = lines(&table);
    if answer.more > 0 {
        text.push_str(&format!("and {} more: ask with --limit or --since\n", answer.more));
    }
    if answer.kpi.opened > 0 {
        text.push_str(&format!("\n{}\n", kpi(&answer.kpi)));
    }
    text
}

/// What the colour of an incident says.
pub(super) fn tone(severity: Severity, state: State) -> Tone {
    match (state.is_live(), severity) {
        (false, _) => Tone::Plain,
        (true, Severity::Critical | Severity::Major) => Tone::Bad,
        (true, Severity::Minor | Severity::Notice) => Tone::Doubtful,
    }
}

/// How well they were dealt with, in one line.
fn kpi(kpi: &Kpi) -> String {
    let Kpi { opened, unresolved, .. } = kpi;
    let decided = |undecided: usize| opened.saturating_sub(undecided);
    let mut parts = vec![format!("{opened} opened, {unresolved} not mended")];
    for (name, times) in [
        ("detect", kpi.to_detect),
        ("acknowledge", kpi.to_acknowledge),
        ("resolve", kpi.to_resolve),
    ] {
        parts.extend(median(times).map(|median| format!("{median} to {name}")));
    }
    for (resolved, undecided, hours) in
        [(kpi.resolved_in_24h, kpi.undecided_24h, 24), (kpi.resolved_in_48h, kpi.undecided_48h, 48)]
    {
        let decided = decided(undecided);
        if decided > 0 {
            parts.push(format!("{resolved} of {decided} within {hours} h"));
        }
    }
    parts.join("; ")
}

fn median(times: Times) -> Option<String> {
    let zero = Timestamp::UNIX_EPOCH;
    let median = Timestamp::from_second(times.median_s?).ok()?;
    Some(roughly(zero, median))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::judge::incident::Kind;
    use crate::query::IncidentLine;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_incident_is_a_line() {
        let line = IncidentLine {
            number: 7,
            kind: Kind::Outage,
            state: State::Open,
            severity: Severity::Major,
            began_at: at("2026-11-23T14:02:00Z"),
            opened_at: at("2026-11-23T14:02:03Z"),
            resolved_at: None,
            headline: "mail: connect: refused: connection refused".into(),
            scope: "fails from 2 of 3 sites".into(),
            services: vec!["mail".into()],
            sites: 2,
            users: 0,
            merged_into: None,
            silenced_by: Some(2),
        };
        let over = IncidentLine {
            number: 6,
            state: State::Verified,
            resolved_at: Some(at("2026-11-23T14:00:00Z")),
            began_at: at("2026-11-23T13:00:00Z"),
            silenced_by: None,
            ..line.clone()
        };
        let kpi = Kpi {
            opened: 2,
            unresolved: 1,
            to_detect: Times { count: 2, median_s: Some(3), longest_s: Some(4) },
            to_resolve: Times { count: 1, median_s: Some(3_600), longest_s: Some(3_600) },
            resolved_in_24h: 1,
            undecided_24h: 1,
            ..Kpi::default()
        };
        let answer = IncidentsAnswer {
            now: at("2026-11-23T14:14:00Z"),
            incidents: vec![line, over],
            more: 3,
            kpi,
        };
        insta::assert_snapshot!(listed(&answer, &plain(120)), @r"
            severity  state                 began  lasted  what                                        from where
        #7  major     open, silenced by S2  14:02  12 min  mail: connect: refused: connection refused  fails from 2 of 3 sites
        #6  major     verified              13:00  60 min  mail: connect: refused: connection refused  fails from 2 of 3 sites
        and 3 more: ask with --limit or --since

        2 opened, 1 not mended; 3 s to detect; 60 min to resolve; 1 of 1 within 24 h; 0 of 2 within 48 h
        ");
        let wanted = IncidentsWanted { live: true, limit: Some(5), ..Default::default() };
        assert_eq!(question(&wanted), "/api/v1/incidents?limit=5&live=true");
    }
}
