//! `config`: the files of checks and services: what is wrong in them, what they would change, and putting them in force.

mod files;
mod services;

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::progress::waiting;
use super::terminal::{Terminal, Tone, complain, printable, say};
use super::{Ending, Setting, client};
use crate::api::{ApplyWish, path};
use crate::central::{Change, Difference};
use crate::figures::plural;
use crate::fleet::{Plan, RefusedCheck};

/// Agents that are named one by one.
const NAMED: usize = 5;

#[derive(Debug, clap::Subcommand)]
pub(super) enum ConfigCommand {
    /// Say everything that is wrong in the files of checks and services, and what they would change
    Check {
        /// Another folder than the collector's, with checks.d and services.d in it, or one of these: then no agent is
        /// asked
        folder: Option<PathBuf>,
    },
    /// Put the files of checks and services in force: shows what that changes, and asks
    Apply {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(setting: &Setting, command: &ConfigCommand) -> anyhow::Result<Ending> {
    match command {
        ConfigCommand::Check { folder: Some(folder) } => files::check(folder, &setting.terminal),
        ConfigCommand::Check { folder: None } => check(setting).await,
        ConfigCommand::Apply { yes } => apply(setting, *yes).await,
    }
}

/// Agents have to answer first.
fn asked<'q, T: 'q>(question: impl Future<Output = T> + 'q) -> impl Future<Output = T> + 'q {
    waiting("agents are asked", question)
}

async fn check(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = match asked(client::ask::<Plan>(&setting.collector, path::PLAN)).await {
        Ok(answer) => answer,
        Err(error) if error.is::<client::NotRunning>() => {
            let ending = files::check(setting.data.path(), &setting.terminal)?;
            complain("the collector is not running: agents were not asked");
            return Ok(ending);
        }
        Err(error) => return Err(error),
    };
    if setting.json {
        say(&format!("{}\n", answer.raw))?;
    }
    let Some(difference) = differs(&answer.value)? else { return Ok(Ending::NotDone) };
    if !setting.json {
        say(&shown(&answer.value, difference, &setting.terminal))?;
    }
    Ok(if answer.value.agents.refused.is_empty() { Ending::Done } else { Ending::Failing })
}

async fn apply(setting: &Setting, yes: bool) -> anyhow::Result<Ending> {
    let plan = asked(client::ask::<Plan>(&setting.collector, path::PLAN)).await?.value;
    let Some(difference) = differs(&plan)? else { return Ok(Ending::NotDone) };
    if !setting.json || difference.is_empty() {
        let text = shown(&plan, difference, &setting.terminal);
        if setting.json { complain(text.trim_end()) } else { say(&text)? }
    }
    let wish = ApplyWish { id: difference.id.clone() };
    if difference.is_empty() {
        // channels may be others: what is behind their names is in no difference
        let answer = asked(client::send::<Plan>(&setting.collector, path::APPLY, &wish)).await?;
        say(&if setting.json { format!("{}\n", answer.raw) } else { read_again(&answer.value) })?;
        return Ok(Ending::Done);
    }
    if !yes && !is_wanted()? {
        complain("nothing was changed");
        return Ok(Ending::NotDone);
    }
    let answer = asked(client::send::<Plan>(&setting.collector, path::APPLY, &wish)).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        in_force(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(if answer.value.agents.refused.is_empty() { Ending::Done } else { Ending::Failing })
}

fn read_again(plan: &Plan) -> String {
    if plan.channels.is_empty() {
        return String::new();
    }
    format!("channels.d was read again: {}\n", plan.channels.join(", "))
}

/// What would change; `None` where the files have mistakes, which are told.
fn differs(plan: &Plan) -> anyhow::Result<Option<&Difference>> {
    if !plan.mistakes.is_empty() {
        told(&plan.mistakes);
        return Ok(None);
    }
    plan.difference.as_ref().map(Some).context("the collector did not say what would change")
}

fn told(mistakes: &[String]) {
    complain(&mistakes.join("\n"));
    complain(&format!("{}: nothing was changed", plural(mistakes.len(), "mistake")));
}

fn is_wanted() -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("nobody is here to be asked: say --yes to put this in force");
    }
    say("Put this in force? [y/N] ")?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What would change, check by check and service by service.
fn shown(plan: &Plan, difference: &Difference, terminal: &Terminal) -> String {
    let Difference { changes, unchanged, services, .. } = difference;
    if difference.is_empty() {
        let checks = plural(*unchanged, "check");
        let checks = format!("nothing to change: {checks} in force as in {}\n", plan.folder);
        return checks + &services::unchanged(plan, services) + &warnings(plan, terminal);
    }
    let mut text = String::new();
    if !changes.is_empty() {
        for change in changes {
            text.push_str(&one(change, terminal));
        }
        let count = |what: &str| changes.iter().filter(|change| change.what == what).count();
        text.push_str(&format!(
            "\n{} added, {} changed, {} removed, {unchanged} as before\n",
            count("added"),
            count("changed"),
            count("removed")
        ));
    }
    if !changes.is_empty() && !services.is_empty() {
        text.push('\n');
    }
    text.push_str(&services::shown(services, terminal));
    if changes.is_empty() {
        return text + &warnings(plan, terminal);
    }
    text.push_str(&said(plan, "would refuse", terminal));
    text
}

fn one(change: &Change, terminal: &Terminal) -> String {
    let Change { check, what, settings, starts_on, stops_on, agents } = change;
    let mut parts = Vec::new();
    if what != "removed" {
        parts.push(format!("on {}", plural(*agents, "agent")));
    }
    if what == "changed" && !starts_on.is_empty() {
        parts.push(format!("starts on {}", names(starts_on)));
    }
    if !stops_on.is_empty() {
        parts.push(format!("stops on {}", names(stops_on)));
    }
    let text = format!("{}  {}\n", mark(what, check, terminal), parts.join("; "));
    if what == "removed" {
        return text;
    }
    text + &keys(settings)
}

/// What changes of each key.
fn keys(settings: &[(String, String, String)]) -> String {
    let mut text = String::new();
    for (key, old, new) in settings {
        let (key, old, new) = (printable(key), printable(old), printable(new));
        let line = match (old.as_str(), new.as_str()) {
            ("", new) => format!("{key} = {new}"),
            (old, "") => format!("{key} = {old}, no more"),
            (old, new) => format!("{key} = {old} -> {new}"),
        };
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// What a change begins with.
fn mark(what: &str, name: &str, terminal: &Terminal) -> String {
    let (mark, tone) = match what {
        "added" => ("+", Tone::Good),
        "removed" => ("-", Tone::Bad),
        _ => ("~", Tone::Doubtful),
    };
    terminal.paint(tone, &format!("{mark} {}", printable(name)))
}

fn names(agents: &[String]) -> String {
    let named: Vec<_> = agents.iter().take(NAMED).map(String::as_str).collect();
    match agents.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What is right and will not be measured.
fn warnings(plan: &Plan, terminal: &Terminal) -> String {
    let painted = |warning: &String| terminal.paint(Tone::Doubtful, &printable(warning));
    plan.warnings.iter().map(|warning| format!("{}\n", painted(warning))).collect()
}

/// What agents say.
fn said(plan: &Plan, refuse: &str, terminal: &Terminal) -> String {
    let Plan { agents, .. } = plan;
    let mut text = warnings(plan, terminal);
    for RefusedCheck { check, place, reason, agents } in &agents.refused {
        let head = terminal.paint(Tone::Bad, &format!("{refuse} {}", printable(check)));
        let (place, reason) = (printable(place), printable(reason));
        text.push_str(&format!("{head} ({place}): {}: {reason}\n", names(agents)));
    }
    match (agents.asked, agents.answered) {
        (0, _) => text.push_str("no agent is here to say whether it accepts them\n"),
        (asked, answered) if asked == answered => {
            text.push_str(&format!("{} answered\n", plural(answered, "agent")));
        }
        (asked, answered) => {
            text.push_str(&format!("{answered} of {} answered in time\n", plural(asked, "agent")));
        }
    }
    text
}

fn in_force(plan: &Plan, terminal: &Terminal) -> String {
    let difference = plan.difference.as_ref();
    let checks = difference.map_or(0, |difference| difference.changes.len());
    let many = checks + difference.map_or(0, |difference| services::count(&difference.services));
    let done = terminal.paint(Tone::Good, &format!("{} in force", plural(many, "change")));
    let said = if checks == 0 { warnings(plan, terminal) } else { said(plan, "refuse", terminal) };
    format!("{done}\n{said}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::fleet::Answered;

    fn change(check: &str, what: &str) -> Change {
        Change {
            check: check.into(),
            what: what.into(),
            settings: vec![
                ("every".into(), "\"60s\"".into(), "\"30s\"".into()),
                ("host".into(), String::new(), "\"a.test\"".into()),
                ("port".into(), "25".into(), String::new()),
            ],
            starts_on: vec!["cape".into()],
            stops_on: vec![],
            agents: 3,
        }
    }

    fn none_defined() -> crate::central::ServicesDifference {
        crate::central::ServicesDifference { is_implicit: true, ..Default::default() }
    }

    #[test]
    fn a_plan_is_read_like_a_difference() {
        let removed = Change {
            stops_on: (1..9).map(|n| format!("branch-{n}")).collect(),
            agents: 0,
            ..change("old", "removed")
        };
        let changes = vec![change("mail", "changed"), change("new\u{1b}", "added"), removed];
        let difference =
            Difference { id: "0".into(), changes, unchanged: 2, services: none_defined() };
        let refused = RefusedCheck {
            check: "new".into(),
            place: "mail.toml:9".into(),
            reason: "policy: targets.hosts: a.test".into(),
            agents: vec!["cape".into(), "hq".into()],
        };
        let plan = Plan {
            folder: "/var/lib/mailsonde-collector/checks.d".into(),
            services_folder: "/var/lib/mailsonde-collector/services.d".into(),
            mistakes: vec![],
            channels: vec![],
            difference: None,
            agents: Answered { asked: 3, answered: 2, refused: vec![refused] },
            is_applied: false,
            warnings: vec!["mail.toml:4: check \"mail\": nothing can arrive at cape".into()],
        };
        insta::assert_snapshot!(shown(&plan, &difference, &plain(100)), @r#"
        ~ mail  on 3 agents; starts on cape
            every = "60s" -> "30s"
            host = "a.test"
            port = 25, no more
        + new·  on 3 agents
            every = "60s" -> "30s"
            host = "a.test"
            port = 25, no more
        - old  stops on branch-1, branch-2, branch-3, branch-4, branch-5 and 3 more

        1 added, 1 changed, 1 removed, 2 as before
        mail.toml:4: check "mail": nothing can arrive at cape
        would refuse new (mail.toml:9): cape, hq: policy: targets.hosts: a.test
        2 of 3 agents answered in time
        "#);
        let none = Difference { changes: vec![], ..difference };
        let plan = Plan { warnings: vec![], ..plan };
        insta::assert_snapshot!(shown(&plan, &none, &plain(100)), @"nothing to change: 2 checks in force as in /var/lib/mailsonde-collector/checks.d");
    }
}
