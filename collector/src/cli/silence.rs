//! `silence`: incidents that are known, and that nobody is to be told of for a while.

use std::time::Duration;

use super::figures::{since, time, zone_line};
use super::maintenance::{ScopeArguments, WantedArguments, question, zone};
use super::terminal::{Terminal, Tone, cell, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::planning::SilenceWish;
use crate::query::planned::{SilenceAnswer, SilencesAnswer};

#[derive(Debug, clap::Subcommand)]
pub(super) enum SilenceCommand {
    /// Silences that hold, and those that were over in the last week
    List(WantedArguments),
    /// Tell nobody of incidents in this scope for a while; they are there, and are shown
    Add {
        #[command(flatten)]
        scope: ScopeArguments,
        /// For so long, such as 4h
        #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "until")]
        length: Option<Duration>,
        /// Until then, such as "2026-12-02 08:00"
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
        /// Why, for whoever wonders
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The zone of the time (IANA)
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
    },
    /// End a silence before its time
    End {
        /// Its number, such as S1
        silence: String,
    },
}

pub(super) async fn run(setting: &Setting, command: &SilenceCommand) -> anyhow::Result<Ending> {
    let (collector, terminal) = (&setting.collector, &setting.terminal);
    let (answer, text) = match command {
        SilenceCommand::List(wanted) => {
            let asked = question(path::SILENCES, wanted);
            let answer = client::ask::<SilencesAnswer>(collector, &asked).await?;
            let text = list(&answer.value, terminal);
            (answer, text)
        }
        SilenceCommand::Add { scope, length, until, reason, time_zone } => {
            let wish = SilenceWish {
                scope: scope.scope(),
                until: until.clone(),
                length_s: length.map(|length| length.as_secs()),
                reason: reason.clone(),
                zone: zone(time_zone.as_ref(), terminal),
            };
            let answer = client::send::<SilencesAnswer>(collector, path::SILENCES, &wish).await?;
            let text = made(&answer.value, terminal);
            (answer, text)
        }
        SilenceCommand::End { silence } => {
            let asked = path::with(path::SILENCE_END, silence);
            let answer = client::send::<SilencesAnswer>(collector, &asked, &()).await?;
            let ended =
                answer.value.silences.iter().map(|one| format!("S{} is over now\n", one.number));
            let text = ended.collect();
            (answer, text)
        }
    };
    say(&if setting.json { format!("{}\n", answer.raw) } else { text })?;
    Ok(Ending::Done)
}

fn made(answer: &SilencesAnswer, terminal: &Terminal) -> String {
    let terminal = &terminal.of_zone(answer.time_zone.as_deref());
    let line = |silence: &SilenceAnswer| {
        format!(
            "S{}: nobody is told of incidents in {} until {}; they are there, and are shown\n",
            silence.number,
            printable(&silence.scope.words()),
            time(silence.until, answer.now, &terminal.zone)
        )
    };
    answer.silences.iter().map(line).collect()
}

fn list(answer: &SilencesAnswer, terminal: &Terminal) -> String {
    if answer.silences.is_empty() {
        return "nothing is silenced\n".to_owned();
    }
    let terminal = &terminal.of_zone(answer.time_zone.as_deref());
    let mut table = terminal.table(["silence", "holds", "about", "since", "until", "by", "why"]);
    for silence in &answer.silences {
        let holds = match (silence.holds, &silence.ended_by) {
            (true, _) => cell(Tone::Doubtful, "yes"),
            (false, None) => words("over"),
            (false, Some(by)) => words(format!("ended by {by}")),
        };
        table.add_row([
            words(format!("S{}", silence.number)),
            holds,
            words(silence.scope.words()),
            words(since(silence.from, answer.now, &terminal.zone)),
            words(time(silence.until, answer.now, &terminal.zone)),
            words(&silence.by),
            words(&silence.reason),
        ]);
    }
    lines(&table) + &zone_line(answer.time_zone.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::judge::planned::Scope;

    #[test]
    fn silences_are_lines() {
        let now: jiff::Timestamp = "2026-12-06T14:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let silence = SilenceAnswer {
            number: 1,
            holds: true,
            scope: Scope { services: vec!["mail".into()], ..Scope::default() },
            from: at("2026-12-06T13:00:00Z"),
            until: at("2026-12-06T17:00:00Z"),
            reason: "the line is being \u{1b}[1mdug up".into(),
            by: "user ann".into(),
            ended_by: None,
        };
        let ended = SilenceAnswer {
            number: 2,
            holds: false,
            until: now,
            ended_by: Some("user bob".into()),
            ..silence.clone()
        };
        let mut answer = SilencesAnswer { now, time_zone: None, silences: vec![silence, ended] };
        insta::assert_snapshot!(list(&answer, &plain(120)), @r"
        silence  holds              about  since           until  by        why
        S1       yes                mail   13:00 (60 min)  17:00  user ann  the line is being ·[1mdug up
        S2       ended by user bob  mail   13:00 (60 min)  14:00  user ann  the line is being ·[1mdug up
        ");
        insta::assert_snapshot!(made(&answer, &plain(120)), @r"
        S1: nobody is told of incidents in mail until 17:00; they are there, and are shown
        S2: nobody is told of incidents in mail until 14:00; they are there, and are shown
        ");
        answer.silences.clear();
        assert_eq!(list(&answer, &plain(120)), "nothing is silenced\n");
    }
}
