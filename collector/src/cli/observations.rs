//! `observations`: the newest first, one line each.

use jiff::Timestamp;
use mailsonde_proto::Clock;

use super::figures::{duration, time_to_the_second};
use super::terminal::{Terminal, Tone, cell, figure, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::observations::{DEFAULT_LIMIT, MAX_LIMIT, VerdictWord};
use crate::query::{ObservationAnswer, ObservationsAnswer, Wanted};

#[derive(Debug, clap::Args)]
pub(super) struct ObservationsArguments {
    /// Of this check only
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
    /// Of this agent only
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Received since then only: a duration such as 2h, or a time such as 2026-11-23T14:00Z
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// How many at most, up to 1000
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_LIMIT, value_parser = limit)]
    limit: usize,
    /// With this verdict only
    #[arg(long)]
    verdict: Option<VerdictWord>,
}

pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Clock::system().wall().minus(ago).timestamp());
    }
    let wanted = "write a duration such as 2h, or a time such as 2026-11-23T14:00Z";
    text.parse().ok().ok_or_else(|| wanted.to_owned())
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("write a number from 1 to {MAX_LIMIT}"))
}

pub(super) async fn run(
    setting: &Setting,
    arguments: &ObservationsArguments,
) -> anyhow::Result<Ending> {
    let answer =
        client::ask::<ObservationsAnswer>(&setting.collector, &question(arguments)).await?;
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
fn question(arguments: &ObservationsArguments) -> String {
    let wanted = Wanted {
        check: arguments.check.clone(),
        agent: arguments.agent.clone(),
        since: arguments.since,
        verdict: arguments.verdict,
        limit: Some(arguments.limit),
    };
    let parameters = serde_json::to_value(&wanted).unwrap_or_default();
    let mut path = path::OBSERVATIONS.to_owned();
    let mut mark = '?';
    for (key, value) in parameters.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        path.push_str(&format!("{mark}{key}={}", escaped(&value)));
        mark = '&';
    }
    path
}

/// Percent-encoded but for unreserved characters (RFC 3986 section 2.3).
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn shown(answer: &ObservationsAnswer, now: Timestamp, terminal: &Terminal) -> String {
    let zone = &terminal.zone;
    let mut table =
        terminal.table(["slot", "vantage point", "check", "verdict", "took", "what it found"]);
    for observation in &answer.observations {
        let tone = match observation.verdict.as_str() {
            "pass" => Tone::Good,
            "fail" => Tone::Bad,
            _ => Tone::Doubtful,
        };
        let took_us = i64::try_from(observation.total_us).unwrap_or(i64::MAX);
        table.add_row([
            words(time_to_the_second(observation.scheduled_for, now, zone)),
            words(&observation.agent),
            words(&observation.check),
            cell(tone, &observation.verdict),
            figure(duration(took_us)),
            words(found(observation)),
        ]);
    }
    let mut text = if answer.observations.is_empty() {
        "there is no such observation\n".to_owned()
    } else {
        lines(&table)
    };
    if let Some(until) = answer.looked_back_to {
        let until = time_to_the_second(until, now, zone);
        text.push_str(&format!(
            "\nlooked back to {until} only: ask again with --since or --agent\n"
        ));
    }
    text
}

/// In words: why it failed, or what took longest.
pub(super) fn found(observation: &ObservationAnswer) -> String {
    let mut parts = Vec::new();
    if let Some((_, intent)) = &observation.amends {
        parts.push(format!("tells more about run {intent}"));
    }
    if observation.cause != "scheduled" {
        parts.push(observation.cause.replace('_', " "));
    }
    match (&observation.fault, &observation.void) {
        (Some(fault), _) => parts.push(super::status::in_words(fault)),
        (None, Some(void)) => parts.push(super::status::void_in_words(void)),
        (None, None) => {
            // What is less than its own uncertainty says nothing.
            let known = observation.phases.iter().filter(|phase| phase.is_known());
            let slowest = known.max_by_key(|phase| phase.duration_us);
            parts.extend(
                slowest.map(|phase| format!("{} took {}", phase.name, duration(phase.duration_us))),
            );
        }
    }
    if !observation.findings.is_empty() {
        let rules: Vec<_> =
            observation.findings.iter().map(|finding| finding.rule.as_str()).collect();
        parts.push(format!("found {}", rules.join(", ")));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests;
