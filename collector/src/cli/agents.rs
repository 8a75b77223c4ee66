//! `agents`: is each here, what waits with it, until when its certificate is valid.

use jiff::Timestamp;

use super::figures::{UNKNOWN, bytes, duration, roughly};
use super::terminal::{Terminal, Tone, cell, figure, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::{AgentAnswer, AgentsAnswer};

/// A certificate with less than this left is shown as a warning.
const CERTIFICATE_SOON_S: i64 = 30 * 86_400;
/// A clock that is off by more is shown as a warning.
const CLOCK_OFF_US: u64 = 2_000_000;

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = client::ask::<AgentsAnswer>(&setting.folder, path::AGENTS).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &AgentsAnswer, terminal: &Terminal) -> String {
    if answer.agents.is_empty() {
        return "no agent has been added yet: `mailsonde-collector agent add NAME --out DIR`\n"
            .into();
    }
    let heads =
        ["agent", "labels", "here", "spooled", "clock", "checks", "software", "certificate"];
    let mut table = terminal.table(heads);
    for agent in &answer.agents {
        let labels: Vec<_> =
            agent.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let left_s = agent.certificate_not_after.as_second() - answer.now.as_second();
        let certificate = certificate(agent, answer.now, terminal);
        let soon = if left_s < CERTIFICATE_SOON_S { Tone::Doubtful } else { Tone::Plain };
        table.add_row([
            words(&agent.name),
            words(labels.join(" ")),
            here(agent, answer.now),
            figure(spooled(agent)),
            clock(agent),
            words(agent.checks.join(" ")),
            words(&agent.software),
            cell(soon, certificate),
        ]);
    }
    let mut text = lines(&table);
    for agent in &answer.agents {
        if agent.malformed + agent.conflicting > 0 {
            text.push_str(&format!(
                "\n{}: {} observations refused as malformed and {} as conflicting; they are kept in \
                 quarantine\n",
                agent.name, agent.malformed, agent.conflicting
            ));
        }
    }
    text
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
    let Some(off_us) = agent.clock_offset_us else { return words(UNKNOWN) };
    let tone = if off_us.unsigned_abs() > CLOCK_OFF_US { Tone::Doubtful } else { Tone::Plain };
    let sign = if off_us > 0 { "+" } else { "" };
    cell(tone, format!("{sign}{}", duration(off_us)))
}

fn certificate(agent: &AgentAnswer, now: Timestamp, terminal: &Terminal) -> String {
    let until = agent.certificate_not_after;
    if until <= now {
        return format!("expired {} ago: agent add --renew", roughly(until, now));
    }
    until.to_zoned(terminal.zone.clone()).strftime("until %Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;

    fn agent(name: &str) -> AgentAnswer {
        AgentAnswer {
            name: name.into(),
            agent_id: "00".repeat(16),
            labels: [("site".into(), "Durban".into())].into(),
            connected_since: None,
            address: None,
            last_heard_at: None,
            software: String::new(),
            checks: Vec::new(),
            spooled: 0,
            spooled_bytes: 0,
            clock_offset_us: None,
            malformed: 0,
            conflicting: 0,
            certificate_not_after: "2027-11-23T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn each_state_has_its_words() {
        let here = AgentAnswer {
            connected_since: Some("2026-11-23T11:00:00Z".parse().unwrap()),
            software: "mailsonde-agent 0.1.0".into(),
            checks: vec!["mail".into()],
            clock_offset_us: Some(-1_200),
            ..agent("hq")
        };
        let gone = AgentAnswer {
            connected_since: None,
            last_heard_at: Some("2026-11-23T14:10:00Z".parse().unwrap()),
            spooled: 60_000,
            spooled_bytes: 31 << 20,
            conflicting: 3,
            certificate_not_after: "2026-11-20T00:00:00Z".parse().unwrap(),
            ..here.clone()
        };
        let gone = AgentAnswer { name: "branch-north".into(), ..gone };
        let answer = AgentsAnswer {
            now: "2026-11-23T14:14:20Z".parse().unwrap(),
            agents: vec![gone, here, agent("new")],
        };
        insta::assert_snapshot!(shown(&answer, &plain(140)), @r"
        agent         labels       here                spooled         clock    checks  software               certificate
        branch-north  site=Durban  no, last 4 min ago  60000 (31 MiB)  −1.2 ms  mail    mailsonde-agent 0.1.0  expired 3 d ago: agent add --renew
        hq            site=Durban  yes, for 3 h                     0  −1.2 ms  mail    mailsonde-agent 0.1.0  until 2027-11-23
        new           site=Durban  not yet                          0  –                                       until 2027-11-23

        branch-north: 0 observations refused as malformed and 3 as conflicting; they are kept in quarantine
        ");
        insta::assert_snapshot!(shown(&AgentsAnswer { agents: vec![], ..answer }, &plain(140)), @r"no agent has been added yet: `mailsonde-collector agent add NAME --out DIR`");
    }
}
