//! `satisfaction`, `tickets`, `survey`: what users say, and what they asked the service desk.
//!
//! Files are CSV (RFC 4180) with a line of names first. Every mistake of a file is told at once, by line, and nothing of
//! a file with mistakes is taken in.

mod csv;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, bail};
use jiff::Timestamp;
use mailsonde_proto::Clock;
use serde::Serialize;

use super::terminal::{Terminal, figure, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::{AnswersWish, LinksAnswer, LinksWish, TicketsWish, path};
use crate::figures::duration;
use crate::judge::feedback::{FeedbackAction, MOST_AT_ONCE, Satisfaction};
use crate::query::ServicesAnswer;
use crate::query::report::{FeedbackAnswer, FeedbackMonth};

/// Bytes of a file at most.
const MOST_BYTES: u64 = 64 << 20;
/// Mistakes that are told at most.
const MOST_MISTAKES: usize = 50;

#[derive(Debug, clap::Subcommand)]
pub(super) enum SatisfactionCommand {
    /// How satisfied users were in each of the last twelve months
    Show,
    /// Take in survey answers
    #[command(
        long_about = "Take in survey answers from a CSV file whose first line names its columns:\n\
        id       no other answer has it; what comes later under an id stands\n\
        at       when it was given, such as 2026-10-05T14:03:00+02:00\n\
        score    1 (very dissatisfied) to 5 (very satisfied)\n\
        service  the service that it is about; may be missing or empty"
    )]
    Import(ImportArguments),
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum TicketsCommand {
    /// How many tickets there were in each of the last twelve months, and how fast they were resolved
    Show,
    /// Take in tickets about e-mail
    #[command(
        long_about = "Take in tickets about e-mail from a CSV file whose first line names its columns:\n\
        id           no other ticket has it; what comes later under an id stands\n\
        opened_at    when it was opened, such as 2026-10-05T14:03:00+02:00\n\
        resolved_at  when it was resolved; empty while it is not\n\
        service      the service that it is about; may be missing or empty"
    )]
    Import(ImportArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportArguments {
    /// The CSV file
    file: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum SurveyCommand {
    /// Links to the question "How satisfied are you with e-mail?"; each takes one answer, without an account
    Link(LinkArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct LinkArguments {
    /// So many, one a line
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    count: u16,
    /// One link that everybody may use, for a page or a mail to all: whoever opens it gets a question of their own
    #[arg(long, conflicts_with = "count")]
    open: bool,
}

pub(super) async fn satisfaction(
    setting: &Setting,
    command: &SatisfactionCommand,
) -> anyhow::Result<Ending> {
    match command {
        SatisfactionCommand::Show => show(setting, satisfied).await,
        SatisfactionCommand::Import(ImportArguments { file }) => {
            let answers = csv::answers(&read(file)?, Clock::system().wall().timestamp());
            let answers = answers.map_err(|wrong| mistakes(file, &wrong))?;
            let named = answers.iter().filter_map(|answer| answer.service.as_deref());
            are_known(setting, file, named.collect()).await?;
            let count = answers.len();
            for answers in answers.chunks(MOST_AT_ONCE) {
                let wish = AnswersWish { answers: answers.to_vec() };
                send(setting, path::SATISFACTION, &wish).await?;
            }
            let were = if count == 1 { "answer was" } else { "answers were" };
            say(&format!("{count} {were} taken in\n"))?;
            Ok(Ending::Done)
        }
    }
}

pub(super) async fn tickets(setting: &Setting, command: &TicketsCommand) -> anyhow::Result<Ending> {
    match command {
        TicketsCommand::Show => show(setting, resolved).await,
        TicketsCommand::Import(ImportArguments { file }) => {
            let tickets = csv::tickets(&read(file)?, Clock::system().wall().timestamp());
            let tickets = tickets.map_err(|wrong| mistakes(file, &wrong))?;
            let named = tickets.iter().filter_map(|ticket| ticket.service.as_deref());
            are_known(setting, file, named.collect()).await?;
            let count = tickets.len();
            for tickets in tickets.chunks(MOST_AT_ONCE) {
                let wish = TicketsWish { tickets: tickets.to_vec() };
                send(setting, path::TICKETS, &wish).await?;
            }
            let were = if count == 1 { "ticket was" } else { "tickets were" };
            say(&format!("{count} {were} taken in\n"))?;
            Ok(Ending::Done)
        }
    }
}

pub(super) async fn survey(setting: &Setting, command: &SurveyCommand) -> anyhow::Result<Ending> {
    let SurveyCommand::Link(LinkArguments { count, open }) = command;
    let wish = LinksWish { count: *count, open: *open };
    let answer = client::send::<LinksAnswer>(&setting.collector, path::SURVEY_LINKS, &wish).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => answer.value.links.iter().map(|link| format!("{link}\n")).collect(),
    };
    say(&text)?;
    Ok(Ending::Done)
}

/// Asked before anything is sent: it goes in parts, and a part that is refused would leave those before it taken in.
async fn are_known(
    setting: &Setting,
    file: &std::path::Path,
    named: BTreeSet<&str>,
) -> anyhow::Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    let answer = client::ask::<ServicesAnswer>(&setting.collector, path::SERVICES).await?.value;
    let is_known = |name: &str| answer.services.iter().any(|service| service.name == name);
    let unknown: Vec<&str> = named.into_iter().filter(|name| !is_known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let names = unknown.iter().take(MOST_MISTAKES).map(|name| format!("\"{}\"", printable(name)));
    bail!(
        "nothing was taken in: {} is about what is no service: {}: `mailsonde-collector services` lists them",
        file.display(),
        names.collect::<Vec<_>>().join(", ")
    )
}

async fn send(setting: &Setting, path: &str, wish: &impl Serialize) -> anyhow::Result<()> {
    client::send::<FeedbackAnswer>(&setting.collector, path, wish).await?;
    Ok(())
}

fn read(file: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", file.display());
    let size = std::fs::metadata(file).with_context(cannot)?.len();
    if size > MOST_BYTES {
        bail!("{} has more than {} MiB: take in parts of it", file.display(), MOST_BYTES >> 20);
    }
    std::fs::read(file).with_context(cannot)
}

fn mistakes(file: &std::path::Path, wrong: &[(u64, String)]) -> anyhow::Error {
    let line = |(line, words): &(u64, String)| format!("{}:{line}: {words}", file.display());
    let mut told: Vec<String> = wrong.iter().take(MOST_MISTAKES).map(line).collect();
    let more = wrong.len().saturating_sub(MOST_MISTAKES);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    anyhow::anyhow!("nothing was taken in:\n{}", told.join("\n"))
}

async fn show(
    setting: &Setting,
    shown: impl Fn(&[FeedbackMonth], &Terminal) -> String,
) -> anyhow::Result<Ending> {
    let answer = client::ask::<FeedbackAnswer>(&setting.collector, path::FEEDBACK).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => shown(&answer.value.feedback.months, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn satisfied(months: &[FeedbackMonth], terminal: &Terminal) -> String {
    let mut table =
        terminal.table(["month", "answers", "satisfied", "85 %", "95 %", "1", "2", "3", "4", "5"]);
    for month in months.iter().filter(|month| month.satisfaction.answers > 0) {
        let of = month.satisfaction;
        let reached = |percent: u64| match of.satisfied * 100 >= percent * of.answers {
            true => "reached",
            false => "missed",
        };
        let mut row = vec![
            words(month.month.to_string()),
            figure(of.answers.to_string()),
            figure(share(of.satisfied, of.answers)),
            words(reached(85)),
            words(reached(95)),
        ];
        let Satisfaction { scores, .. } = of;
        row.extend(scores.iter().map(|score| figure(score.to_string())));
        table.add_row(row);
    }
    match table.is_empty() {
        true => "nobody answered in the last twelve months: `mailsonde-collector satisfaction import --help`\n".to_owned(),
        false => lines(&table),
    }
}

fn resolved(months: &[FeedbackMonth], terminal: &Terminal) -> String {
    let mut table = terminal.table(["month", "opened", "resolved", "in 24 h", "in 48 h", "median"]);
    for month in months.iter().filter(|month| month.tickets.opened > 0) {
        let of = month.tickets;
        let within = |count: u64, undecided: u64| match undecided {
            0 => share(count, of.opened),
            some => format!("{} to {}", share(count, of.opened), share(count + some, of.opened)),
        };
        let median = of.median_s.map(|s| duration(s.saturating_mul(1_000_000)));
        table.add_row([
            words(month.month.to_string()),
            figure(of.opened.to_string()),
            figure(of.resolved.to_string()),
            figure(within(of.within_24h, of.undecided_24h)),
            figure(within(of.within_48h, of.undecided_48h)),
            figure(median.unwrap_or_else(|| super::figures::UNKNOWN.to_owned())),
        ]);
    }
    match table.is_empty() {
        true => "there are no tickets of the last twelve months: `mailsonde-collector tickets import --help`\n".to_owned(),
        false => lines(&table),
    }
}

/// `part / all` as per cent, rounded towards 0.
fn share(part: u64, all: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(all.max(1));
    if part >= all {
        "100 %".to_owned()
    } else {
        format!("{}.{:02} %", hundredths / 100, hundredths % 100)
    }
}

/// What is wrong with one row beyond its form; services are the collector's to know.
fn wrong_in(action: &FeedbackAction, now: Timestamp) -> Vec<String> {
    let wrong = action.check(now, |_| true);
    wrong.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}
