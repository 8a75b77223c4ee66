//! `agents`: is each here, what waits with it, until when its certificate is valid; and what is done to one.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;

use super::figures::{UNKNOWN, bytes, duration, roughly};
use super::terminal::{Terminal, Tone, cell, figure, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::enrolment::{AgentChange, Label};
use crate::query::{AgentAnswer, AgentChanged, AgentsAnswer, RefusalAnswer};

/// Revoked agents that are named one by one.
const NAMED: usize = 5;
/// A clock that is off by more is shown as a warning.
const CLOCK_OFF_US: u64 = 2_000_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum AgentsCommand {
    /// Every agent; the same without a command
    List,
    /// One agent, with all that is known of it
    Show {
        /// Its name
        name: String,
    },
    /// Put an agent out: its key is refused from now on, also on a stream that stands
    Revoke {
        /// Its name
        name: String,
    },
    /// Call an agent otherwise; its identity and its history stay
    Rename {
        /// Its name
        name: String,
        /// What it is called from now on
        to: String,
    },
    /// Set labels, or take them away with KEY=
    Label {
        /// Its name
        name: String,
        /// Such as site=durban
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = label)]
        labels: Vec<Label>,
    },
}

fn label(text: &str) -> Result<Label, String> {
    let (key, value) =
        text.split_once('=').ok_or("write it as KEY=VALUE, or KEY= to take it away")?;
    let value = (!value.is_empty()).then(|| value.to_owned());
    Ok(Label { key: key.to_owned(), value })
}

pub(super) async fn run(
    setting: &Setting,
    command: Option<&AgentsCommand>,
) -> anyhow::Result<Ending> {
    match command {
        None | Some(AgentsCommand::List) => list(setting).await,
        Some(AgentsCommand::Show { name }) => show(setting, name).await,
        Some(AgentsCommand::Revoke { name }) => change(setting, name, AgentChange::Revoke).await,
        Some(AgentsCommand::Rename { name, to }) => {
            change(setting, name, AgentChange::Rename(to.clone())).await
        }
        Some(AgentsCommand::Label { name, labels }) => {
            change(setting, name, AgentChange::Label(labels.clone())).await
        }
    }
}

async fn list(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = client::ask::<AgentsAnswer>(&setting.collector, path::AGENTS).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

async fn show(setting: &Setting, name: &str) -> anyhow::Result<Ending> {
    let answer = client::ask::<AgentsAnswer>(&setting.collector, path::AGENTS).await?.value;
    let Some(agent) = answer.agents.iter().find(|agent| agent.name.eq_ignore_ascii_case(name))
    else {
        bail!("there is no agent called {name}: `mailsonde-collector agents` lists them");
    };
    let text = if setting.json {
        format!("{}\n", serde_json::to_string(agent)?)
    } else {
        detailed(agent, answer.now, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

async fn change(setting: &Setting, name: &str, change: AgentChange) -> anyhow::Result<Ending> {
    let answer = match &change {
        AgentChange::Revoke => {
            let wanted = path::with(path::AGENT_REVOKE, name);
            client::send::<AgentChanged>(&setting.collector, &wanted, &()).await?
        }
        change => {
            let wanted = path::with(path::AGENT, name);
            client::send::<AgentChanged>(&setting.collector, &wanted, change).await?
        }
    };
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        let AgentChanged { agent_id, name, labels, is_revoked } = &answer.value;
        match is_revoked {
            true => format!("revoked {name} ({agent_id}): its key is refused from now on\n"),
            false => format!("{name} ({agent_id}) {}\n", labelled(labels)).replace(" \n", "\n"),
        }
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn labelled(labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.join(" ")
}

/// One agent, a line for each thing that is known.
fn detailed(agent: &AgentAnswer, now: Timestamp, terminal: &Terminal) -> String {
    let time = |at: Timestamp| {
        at.to_zoned(terminal.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
    let clock = clock_words(agent);
    let running = agent
        .running_us
        .map(|us| humantime::format_duration(Duration::from_secs(us / 1_000_000)).to_string());
    let lines = [
        ("agent", agent.name.clone()),
        ("identity", agent.agent_id.clone()),
        ("labels", labelled(&agent.labels)),
        ("connected since", or_unknown(agent.connected_since.map(time))),
        ("last heard of", or_unknown(agent.last_heard_at.map(time))),
        ("from", or_unknown(agent.address.clone())),
        ("software", agent.software.clone()),
        ("certificate", certificate(agent, now, terminal)),
        ("clock minus ours", or_unknown(clock)),
        ("running for", or_unknown(running)),
        ("spooled", spooled(agent)),
        ("checks", agent.checks.join(" ")),
        ("from checks.d", assigned(agent)),
        ("signing key", or_unknown(agent.signing_key.clone())),
        ("receives", received(agent)),
        ("refused", format!("{} malformed, {} conflicting", agent.malformed, agent.conflicting)),
    ];
    let mut text: String = lines
        .iter()
        .map(|(name, value)| format!("{name:17} {value}").trim_end().to_owned() + "\n")
        .collect();
    text.push_str(&warnings(agent));
    text
}

/// Where mail of other agents may arrive.
fn received(agent: &AgentAnswer) -> String {
    let all =
        agent.receives.iter().map(|(name, address)| format!("{name} ({})", printable(address)));
    all.collect::<Vec<_>>().join(", ")
}

/// What became of the collector's checks that are for it.
fn assigned(agent: &AgentAnswer) -> String {
    match (agent.assigned, agent.has_answered) {
        (0, _) => "none".into(),
        (assigned, false) => format!("{assigned}, no answer yet"),
        (assigned, true) => format!("{assigned}, {} refused", agent.refused_checks.len()),
    }
}

/// What an operator should know of an agent beside its line.
fn warnings(agent: &AgentAnswer) -> String {
    let mut text = String::new();
    for RefusalAnswer { check, place, reason } in &agent.refused_checks {
        let (check, place, reason) = (printable(check), printable(place), printable(reason));
        text.push_str(&format!("\n{}: refuses {check} ({place}): {reason}\n", agent.name));
    }
    if let Some(off_us) = agent.clock_offset_us.filter(|off_us| is_off(*off_us)) {
        let (words, error_us) = (signed(off_us), agent.clock_error_us);
        text.push_str(&format!(
            "\n{}: its clock is {words}{} off: set it by NTP; its times and those of other hosts do not compare\n",
            agent.name,
            error_us.map(within).unwrap_or_default()
        ));
    }
    if let Some([one, other]) = &agent.clones {
        text.push_str(&format!(
            "\n{0}: two machines use its key, at {one} and {other}: revoke it, and enrol both anew\n",
            agent.name
        ));
    }
    if agent.malformed + agent.conflicting > 0 {
        text.push_str(&format!(
            "\n{}: {} observations refused as malformed and {} as conflicting; they are kept in \
             quarantine\n",
            agent.name, agent.malformed, agent.conflicting
        ));
    }
    text
}

fn shown(answer: &AgentsAnswer, terminal: &Terminal) -> String {
    if answer.agents.is_empty() {
        return "no agent has been enrolled yet: `mailsonde-collector token create`\n".into();
    }
    let heads =
        ["agent", "labels", "here", "spooled", "clock", "checks", "software", "certificate"];
    let mut table = terminal.table(heads);
    for agent in &answer.agents {
        let certificate = certificate(agent, answer.now, terminal);
        let is_over = agent.certificate_not_after.is_some_and(|until| until <= answer.now);
        let tone = if is_over { Tone::Doubtful } else { Tone::Plain };
        table.add_row([
            words(&agent.name),
            words(labelled(&agent.labels)),
            here(agent, answer.now),
            figure(spooled(agent)),
            clock(agent),
            words(agent.checks.join(" ")),
            words(&agent.software),
            cell(tone, certificate),
        ]);
    }
    let mut text = lines(&table);
    text.extend(answer.agents.iter().map(warnings));
    text.push_str(&revoked(answer, terminal));
    text
}

/// Who was put out, the newest last.
fn revoked(answer: &AgentsAnswer, terminal: &Terminal) -> String {
    let more = answer.revoked.len().saturating_sub(NAMED);
    let shown = answer.revoked.get(more..).unwrap_or_default();
    if shown.is_empty() {
        return String::new();
    }
    let told = shown.iter().map(|agent| {
        let at = agent.revoked_at.to_zoned(terminal.zone.clone()).strftime("%Y-%m-%d %H:%M");
        format!("{} at {at}", agent.name)
    });
    let more = if more > 0 { format!(" and {more} before") } else { String::new() };
    format!("\nrevoked: {}{more}\n", told.collect::<Vec<_>>().join(", "))
}

fn here(agent: &AgentAnswer, now: Timestamp) -> comfy_table::Cell {
    match (agent.connected_since, agent.last_heard_at) {
        (Some(since), _) => cell(Tone::Good, format!("yes, for {}", roughly(since, now))),
        (None, Some(heard)) => cell(Tone::Bad, format!("no, last {} ago", roughly(heard, now))),
        (None, None) if agent.software.is_empty() => cell(Tone::Doubtful, "not yet"),
        (None, None) => cell(Tone::Bad, "no"),
    }
}

fn spooled(agent: &AgentAnswer) -> String {
    match agent.spooled {
        0 => "0".into(),
        spooled => format!("{spooled} ({})", bytes(agent.spooled_bytes)),
    }
}

fn clock(agent: &AgentAnswer) -> comfy_table::Cell {
    let Some(off) = clock_words(agent) else { return words(UNKNOWN) };
    let tone = if agent.clock_offset_us.is_some_and(is_off) { Tone::Doubtful } else { Tone::Plain };
    cell(tone, off)
}

fn is_off(off_us: i64) -> bool {
    off_us.unsigned_abs() > CLOCK_OFF_US
}

/// How far its clock is from ours, and within which bound that is known.
fn clock_words(agent: &AgentAnswer) -> Option<String> {
    let error = agent.clock_error_us.map(within).unwrap_or_default();
    agent.clock_offset_us.map(|off_us| format!("{}{error}", signed(off_us)))
}

fn signed(off_us: i64) -> String {
    let sign = if off_us > 0 { "+" } else { "" };
    format!("{sign}{}", duration(off_us))
}

fn within(error_us: u64) -> String {
    format!(" ±{}", duration(i64::try_from(error_us).unwrap_or(i64::MAX)))
}

/// Agents renew their certificates by themselves: one that is over belongs to an agent that was away.
fn certificate(agent: &AgentAnswer, now: Timestamp, terminal: &Terminal) -> String {
    match agent.certificate_not_after {
        None => UNKNOWN.to_owned(),
        Some(until) if until <= now => format!("over for {}", roughly(until, now)),
        Some(until) => {
            until.to_zoned(terminal.zone.clone()).strftime("until %m-%d %H:%M").to_string()
        }
    }
}

#[cfg(test)]
mod tests;
