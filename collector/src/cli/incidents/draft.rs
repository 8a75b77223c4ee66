//! `incidents draft` and `estimate`: what people are to be told of an incident, and when it is to work again.

use std::time::Duration;

use jiff::Timestamp;

use super::number;
use crate::api::{Act, IncidentWish, path};
use crate::cli::maintenance::zone;
use crate::cli::observations::since;
use crate::cli::parameters::with_parameters;
use crate::cli::terminal::{Terminal, complain, printable, say};
use crate::cli::{Ending, Setting, client};
use crate::judge::draft::{Audience, Moment};
use crate::planning::RecoveryWish;
use crate::query::{DraftAnswer, DraftWanted};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DraftArguments {
    /// Its number
    #[arg(value_parser = number)]
    number: u64,
    /// For whom
    #[arg(long = "for", value_name = "technical|management|users|public")]
    audience: Audience,
    /// At which moment; without it the one that fits
    #[arg(long = "as", value_name = "first|update|all-clear")]
    moment: Option<Moment>,
    /// Tell what changed since then, when they were told last: a duration such as 30m, or a time; without it all of it
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// The next word comes within this; 0s promises none
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = humantime::parse_duration)]
    next: Duration,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("when").required(true).multiple(false))]
pub(in crate::cli) struct EstimateArguments {
    /// Its number
    #[arg(value_parser = number)]
    pub(super) number: u64,
    /// Within so long, such as 2h
    #[arg(long = "in", value_name = "DURATION", value_parser = humantime::parse_duration, group = "when")]
    within: Option<Duration>,
    /// By then: 14:00, or such as "2026-12-02 08:00"
    #[arg(long, value_name = "WHEN", group = "when")]
    at: Option<String>,
    /// Nobody knows
    #[arg(long, group = "when")]
    unknown: bool,
    /// Why
    #[arg(long, default_value = "")]
    note: String,
    /// The zone of the time (IANA)
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

impl EstimateArguments {
    /// What is wished.
    pub(super) fn wish(&self, terminal: &Terminal) -> IncidentWish {
        let recovery = match (self.within, &self.at) {
            (Some(within), _) => RecoveryWish::In(within.as_secs()),
            (None, Some(at)) => {
                RecoveryWish::At { at: at.clone(), zone: zone(self.time_zone.as_ref(), terminal) }
            }
            (None, None) => RecoveryWish::Unknown,
        };
        IncidentWish {
            act: Act::Estimate,
            note: self.note.clone(),
            security: None,
            recovery: Some(recovery),
        }
    }
}

pub(super) async fn run(setting: &Setting, arguments: &DraftArguments) -> anyhow::Result<Ending> {
    let wanted = DraftWanted {
        audience: arguments.audience,
        moment: arguments.moment,
        since: arguments.since,
        next_s: Some(arguments.next.as_secs()),
    };
    let path = path::with(path::DRAFT, &arguments.number.to_string());
    let question = with_parameters(&path, &wanted);
    let answer = client::ask::<DraftAnswer>(&setting.collector, &question).await?;
    if setting.json {
        say(&format!("{}\n", answer.raw))?;
        return Ok(Ending::Done);
    }
    // what is to be copied goes to standard output, what is to be known to whoever copies it does not
    for remark in &answer.value.draft.remarks {
        complain(&printable(remark));
    }
    say(&shown(&answer.value))?;
    Ok(Ending::Done)
}

fn shown(answer: &DraftAnswer) -> String {
    let lines = answer.draft.text.lines().map(|line| {
        // a line keeps its indent
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        format!("{indent}{}\n", printable(line))
    });
    format!("Subject: {}\n\n{}", printable(&answer.draft.subject), lines.collect::<String>())
}
