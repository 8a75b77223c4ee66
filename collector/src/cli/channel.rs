//! `channel`: where messages go, and whether they come through; `on-call`: who is told by whom.

use super::figures::time;
use super::terminal::{Terminal, Tone, cell, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::{ChannelTested, ChannelsAnswer, path};
use crate::query::routes::{OnCallAnswer, TurnAnswer};

#[derive(Debug, clap::Subcommand)]
pub(super) enum ChannelCommand {
    /// Every channel of channels.d, and what waits for it
    List,
    /// Send one message by a channel, and say what came back
    Test {
        /// Its name
        name: String,
    },
}

pub(super) async fn run(setting: &Setting, command: &ChannelCommand) -> anyhow::Result<Ending> {
    let (text, ending) = match command {
        ChannelCommand::List => {
            let answer = client::ask::<ChannelsAnswer>(&setting.collector, path::CHANNELS).await?;
            let text = match setting.json {
                true => format!("{}\n", answer.raw),
                false => listed(&answer.value, &setting.terminal),
            };
            (text, Ending::Done)
        }
        ChannelCommand::Test { name } => {
            let asked = path::with(path::CHANNEL_TEST, name);
            let answer = client::send::<ChannelTested>(&setting.collector, &asked, &()).await?;
            let is_sent = answer.value.outcome == "sent";
            let text = match setting.json {
                true => format!("{}\n", answer.raw),
                false => tested(&answer.value),
            };
            (text, if is_sent { Ending::Done } else { Ending::Failing })
        }
    };
    say(&text)?;
    Ok(ending)
}

/// Who is on call.
pub(super) async fn on_call(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = client::ask::<OnCallAnswer>(&setting.collector, path::ON_CALL).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => turns(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn tested(tested: &ChannelTested) -> String {
    let ChannelTested { channel, outcome, is_confirmed, said } = tested;
    let came = match (outcome.as_str(), is_confirmed) {
        ("sent", true) => "the message is there",
        ("sent", false) => "the message was accepted; look whether it is there",
        ("later", _) => "not sent, and worth another attempt",
        _ => "not sent",
    };
    let said = printable(said);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    format!("{}: {came}{said}\n", printable(channel))
}

fn listed(answer: &ChannelsAnswer, terminal: &Terminal) -> String {
    if answer.channels.is_empty() {
        return "there is no channel: write one to channels.d in the collector's folder, then \
                `mailsonde-collector config apply`\n"
            .to_owned();
    }
    let mut table = terminal.table(["channel", "kind", "to", "state", "waiting", "instead"]);
    for channel in &answer.channels {
        let state = match (channel.is_enabled, channel.trouble.as_str()) {
            (false, _) => cell(Tone::Doubtful, "not enabled"),
            (true, "") => cell(Tone::Good, "no trouble"),
            (true, trouble) => cell(Tone::Bad, printable(trouble)),
        };
        table.add_row([
            words(&channel.name),
            words(&channel.kind),
            words(printable(&channel.destination)),
            state,
            words(channel.waiting.to_string()),
            words(channel.instead.as_deref().unwrap_or_default()),
        ]);
    }
    lines(&table)
}

fn turns(answer: &OnCallAnswer, terminal: &Terminal) -> String {
    if answer.rotations.is_empty() {
        return "nobody is on call: there is no [[rotation]] in services.d\n".to_owned();
    }
    let terminal = &terminal.of_zone(Some(&answer.time_zone));
    let mut table = terminal.table(["rotation", "on call", "channel", "until", "then"]);
    for rotation in &answer.rotations {
        let name = |turn: &Option<TurnAnswer>| {
            turn.as_ref().map_or_else(|| "nobody".to_owned(), |turn| printable(&turn.name))
        };
        let channel = rotation.now.as_ref().map(|turn| turn.channel.clone());
        let until = rotation.now.as_ref().map(|turn| time(turn.until, answer.now, &terminal.zone));
        table.add_row([
            words(&rotation.name),
            words(name(&rotation.now)),
            words(channel.unwrap_or_default()),
            words(until.unwrap_or_default()),
            words(name(&rotation.next)),
        ]);
    }
    lines(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ChannelAnswer;
    use crate::cli::terminal::plain;
    use crate::query::routes::RotationAnswer;

    #[test]
    fn channels_are_lines() {
        let channel = |name: &str, is_enabled, trouble: &str| ChannelAnswer {
            name: name.into(),
            kind: "slack".into(),
            destination: "hooks.slack.com".into(),
            instead: (name == "ops").then(|| "mail".to_owned()),
            is_enabled,
            waiting: usize::from(!trouble.is_empty()),
            trouble: trouble.into(),
        };
        let channels = vec![
            channel("ops", true, ""),
            channel("night", true, "500 Internal Server Error"),
            channel("old", false, ""),
        ];
        insta::assert_snapshot!(listed(&ChannelsAnswer { channels }, &plain(120)), @r#"
        channel  kind   to               state                      waiting  instead
        ops      slack  hooks.slack.com  no trouble                 0        mail
        night    slack  hooks.slack.com  500 Internal Server Error  1
        old      slack  hooks.slack.com  not enabled                0
        "#);
        let none = listed(&ChannelsAnswer { channels: Vec::new() }, &plain(120));
        assert!(none.contains("channels.d"), "{none}");
    }

    #[test]
    fn what_came_back_is_said() {
        let told = |outcome: &str, is_confirmed, said: &str| {
            let (channel, outcome) = ("ops".to_owned(), outcome.to_owned());
            tested(&ChannelTested { channel, outcome, is_confirmed, said: said.to_owned() })
        };
        assert_eq!(told("sent", true, "ok"), "ops: the message is there: ok\n");
        assert_eq!(
            told("sent", false, "202 Accepted"),
            "ops: the message was accepted; look whether it is there: 202 Accepted\n"
        );
        assert_eq!(told("refused", false, "404: no_service"), "ops: not sent: 404: no_service\n");
    }

    #[test]
    fn turns_are_lines() {
        let turn = |name: &str, until: &str| {
            let (name, until) = (name.to_owned(), until.parse().unwrap());
            Some(TurnAnswer { channel: format!("phone-{name}"), name, until })
        };
        let answer = OnCallAnswer {
            now: "2026-11-29T10:05:00Z".parse().unwrap(),
            time_zone: "Africa/Johannesburg".into(),
            rotations: vec![RotationAnswer {
                name: "mail".into(),
                now: turn("ann", "2026-11-30T07:00:00Z"),
                next: turn("ben", "2026-12-07T07:00:00Z"),
            }],
        };
        insta::assert_snapshot!(turns(&answer, &plain(120)), @r#"
        rotation  on call  channel    until         then
        mail      ann      phone-ann  Nov 30 09:00  ben
        "#);
    }
}
