//! `reviews`: incidents that are over, looked back at.

use std::path::PathBuf;

use anyhow::bail;

use super::figures::time;
use super::incidents::number;
use super::parameters::with_parameters;
use super::terminal::{Terminal, Tone, cell, figure, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::{ReviewFormat, ReviewWanted, path};
use crate::folder::{PUBLIC, write_file};
use crate::query::{ReviewAnswer, ReviewLine, ReviewsAnswer};

#[derive(Debug, clap::Subcommand)]
pub(super) enum ReviewsCommand {
    /// Incidents that are over, newest first: who looked back at them, what is still to be done
    List,
    /// The review of one incident, as a document
    Show(ShowArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArguments {
    /// The incident's number
    #[arg(value_parser = number)]
    number: u64,
    /// How it is written; html is a page with charts
    #[arg(long, value_name = "markdown|html", default_value = "markdown", value_parser = format)]
    format: ReviewFormat,
    /// Into this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn format(text: &str) -> Result<ReviewFormat, String> {
    match text {
        "markdown" => Ok(ReviewFormat::Markdown),
        "html" => Ok(ReviewFormat::Html),
        _ => Err("write markdown or html".to_owned()),
    }
}

pub(super) async fn run(setting: &Setting, command: &ReviewsCommand) -> anyhow::Result<Ending> {
    match command {
        ReviewsCommand::List => list(setting).await,
        ReviewsCommand::Show(arguments) => show(setting, arguments).await,
    }
}

async fn list(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = client::ask::<ReviewsAnswer>(&setting.collector, path::REVIEWS).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => listed(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

async fn show(setting: &Setting, arguments: &ShowArguments) -> anyhow::Result<Ending> {
    let asked = path::with(path::REVIEW, &arguments.number.to_string());
    let text = if setting.json {
        format!("{}\n", client::ask::<ReviewAnswer>(&setting.collector, &asked).await?.raw)
    } else {
        let wanted = ReviewWanted { format: Some(arguments.format) };
        client::ask_for_text(&setting.collector, &with_parameters(&asked, &wanted)).await?
    };
    match &arguments.output {
        None => say(&text)?,
        Some(file) if file.is_dir() => bail!("{} is a folder: name a file", file.display()),
        Some(file) => write_file(file, text.as_bytes(), PUBLIC)?,
    }
    Ok(Ending::Done)
}

fn listed(answer: &ReviewsAnswer, terminal: &Terminal) -> String {
    if answer.reviews.is_empty() {
        return "no incident is over\n".to_owned();
    }
    let terminal = &terminal.of_zone(answer.time_zone.as_deref());
    let heads = ["", "severity", "began", "works since", "what", "reviewed by", "to do"];
    let mut table = terminal.table(heads);
    for line in &answer.reviews {
        let at = |at| time(at, answer.now, &terminal.zone);
        table.add_row([
            figure(format!("#{}", line.incident)),
            words(line.severity.as_str()),
            words(at(line.began_at)),
            words(line.ended_at.map(at).unwrap_or_default()),
            words(&line.headline),
            reviewed(line),
            to_do(line),
        ]);
    }
    let mut text = lines(&table);
    if answer.more > 0 {
        text.push_str(&format!("and {} older ones\n", answer.more));
    }
    text
}

fn reviewed(line: &ReviewLine) -> comfy_table::Cell {
    match &line.reviewed_by {
        Some(by) => words(by),
        None => cell(Tone::Doubtful, "nobody yet"),
    }
}

fn to_do(line: &ReviewLine) -> comfy_table::Cell {
    match (line.open_actions, line.overdue_actions) {
        (0, _) => words(""),
        (open, 0) => words(format!("{open} open")),
        (open, overdue) => cell(Tone::Bad, format!("{open} open, {overdue} overdue")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::judge::incident::{Severity, State};

    #[test]
    fn reviews_are_lines() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let line = ReviewLine {
            incident: 7,
            severity: Severity::Major,
            state: State::Verified,
            began_at: at("2026-11-23T12:02:00Z"),
            ended_at: Some(at("2026-11-23T12:36:00Z")),
            headline: "Mail: connect: refused".into(),
            reviewed_by: None,
            open_actions: 2,
            overdue_actions: 1,
        };
        let older = ReviewLine {
            incident: 6,
            state: State::Reviewed,
            reviewed_by: Some("user ann".into()),
            open_actions: 0,
            overdue_actions: 0,
            ..line.clone()
        };
        let mut answer = ReviewsAnswer {
            time_zone: Some("Africa/Johannesburg".into()),
            now: at("2026-11-23T14:14:00Z"),
            reviews: vec![line, older],
            more: 3,
        };
        insta::assert_snapshot!(listed(&answer, &plain(120)), @r"
            severity  began  works since  what                    reviewed by  to do
        #7  major     14:02  14:36        Mail: connect: refused  nobody yet   2 open, 1 overdue
        #6  major     14:02  14:36        Mail: connect: refused  user ann
        and 3 older ones
        ");
        answer.reviews.clear();
        assert_eq!(listed(&answer, &plain(120)), "no incident is over\n");
    }
}
