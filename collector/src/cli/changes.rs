//! `changes`: what changed in DNS, newest first: when, where it was seen, what, from, to.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mailsonde_proto::Clock;

use super::figures::time_to_the_second;
use super::observations::{escaped, since};
use super::terminal::{Terminal, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::changes::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::query::{ChangeAnswer, ChangesAnswer, ChangesWanted};

/// The most vantage points that are named in one line.
const MOST_NAMES: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct ChangesArguments {
    /// Of this check only
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
    /// Seen by this agent only
    #[arg(long, alias = "vantage-point", value_name = "NAME")]
    agent: Option<String>,
    /// Of this record only, such as mx, ns, spf, or a for a.HOST
    #[arg(long, value_name = "NAME")]
    record: Option<String>,
    /// Received since then only: a duration such as 7d, or a time such as 2026-11-23T14:00Z
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

pub(super) async fn run(setting: &Setting, arguments: &ChangesArguments) -> anyhow::Result<Ending> {
    let answer = client::ask::<ChangesAnswer>(&setting.collector, &question(arguments)).await?;
    let now = Clock::system().wall().timestamp();
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, now, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

/// The path with its parameters.
fn question(arguments: &ChangesArguments) -> String {
    let wanted = ChangesWanted {
        check: arguments.check.clone(),
        agent: arguments.agent.clone(),
        record: arguments.record.clone(),
        since: arguments.since,
        limit: Some(arguments.limit),
    };
    let parameters = serde_json::to_value(&wanted).unwrap_or_default();
    let mut path = path::CHANGES.to_owned();
    let mut mark = '?';
    for (key, value) in parameters.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        path.push_str(&format!("{mark}{key}={}", escaped(&value)));
        mark = '&';
    }
    path
}

fn shown(answer: &ChangesAnswer, now: Timestamp, terminal: &Terminal) -> String {
    let zone = &terminal.zone;
    let mut table = terminal.table(["first seen", "check", "record", "from", "to", "seen by"]);
    for change in &answer.changes {
        let (from, to) = difference(change);
        table.add_row([
            words(time_to_the_second(change.first_seen, now, zone)),
            words(&change.check),
            words(&change.record),
            words(from),
            words(to),
            words(witnesses(change)),
        ]);
    }
    let mut text =
        if answer.changes.is_empty() { "nothing has changed\n".to_owned() } else { lines(&table) };
    if let Some(until) = answer.looked_back_to {
        let until = time_to_the_second(until, now, zone);
        text.push_str(&format!(
            "\nlooked back to {until} only: ask again with --since or --agent\n"
        ));
    }
    if answer.is_partial {
        text.push_str("\nthere are more records than fit: ask again with --check or --agent\n");
    }
    text
}

/// The lines that went and those that came; of a record set most stay as they are.
fn difference(change: &ChangeAnswer) -> (String, String) {
    let (was, is): (BTreeSet<&str>, BTreeSet<&str>) =
        (change.from.lines().collect(), change.to.lines().collect());
    let list = |these: &BTreeSet<&str>, those: &BTreeSet<&str>| {
        let only: Vec<&str> = these.difference(those).copied().collect();
        if only.is_empty() { "-".to_owned() } else { only.join(", ") }
    };
    (list(&was, &is), list(&is, &was))
}

fn witnesses(change: &ChangeAnswer) -> String {
    let names: Vec<&str> =
        change.seen_by.iter().take(MOST_NAMES).map(|witness| witness.agent.as_str()).collect();
    match change.seen_by.len().saturating_sub(MOST_NAMES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::terminal::plain;
    use crate::query::changes::Witness;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_change_is_a_line() {
        let first_seen = at("2026-11-23T14:14:00Z");
        let witness =
            |agent: &str| Witness { agent: agent.to_owned(), at: at("2026-11-23T14:14:00Z") };
        let change = ChangeAnswer {
            check: "posture".to_owned(),
            record: "mx".to_owned(),
            from: "10 mx1.good.test.\n20 mx2.good.test.".to_owned(),
            from_digest: "aa".to_owned(),
            to: "10 mx1.good.test.\n20 mx9.other.test.".to_owned(),
            to_digest: "bb".to_owned(),
            first_seen,
            last_seen_before: at("2026-11-23T14:09:00Z"),
            seen_by: vec![witness("hq"), witness("north")],
        };
        let gone = ChangeAnswer {
            record: "spf".to_owned(),
            from: "v=spf1 \u{1b}[2J-all".to_owned(),
            to: "(none)".to_owned(),
            seen_by: ["a", "b", "c", "d", "e", "f"].map(witness).into(),
            ..change.clone()
        };
        let answer = ChangesAnswer {
            changes: vec![change, gone],
            looked_back_to: Some(at("2026-11-20T08:00:00Z")),
            is_partial: true,
        };
        let now = at("2026-11-23T14:14:20Z");
        insta::assert_snapshot!(shown(&answer, now, &plain(130)), @r"
        first seen  check    record  from               to                  seen by
        14:14:00    posture  mx      20 mx2.good.test.  20 mx9.other.test.  hq, north
        14:14:00    posture  spf     v=spf1 ·[2J-all    (none)              a, b, c, d, e and 1 more

        looked back to Nov 20 08:00:00 only: ask again with --since or --agent

        there are more records than fit: ask again with --check or --agent
        ");
        let nothing = ChangesAnswer { changes: vec![], looked_back_to: None, is_partial: false };
        assert_eq!(shown(&nothing, now, &plain(120)), "nothing has changed\n");
    }

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: ChangesArguments,
    }

    #[test]
    fn what_is_asked_stands_in_the_path() {
        let line = ["x", "--check", "a b", "--vantage-point", "hq", "--record", "mx"];
        let line = Line::try_parse_from(line).unwrap();
        insta::assert_snapshot!(question(&line.arguments), @"/api/v1/changes?agent=hq&check=a%20b&limit=50&record=mx");
        assert!(Line::try_parse_from(["x", "--limit", "0"]).is_err());
    }
}
