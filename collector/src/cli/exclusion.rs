//! `exclusion`: time that agreements leave out because it was the customer's own fault, noted afterwards.

use super::figures::{time, time_to_the_second, zone_line};
use super::maintenance::{WantedArguments, question, zone};
use super::terminal::{Terminal, Tone, cell, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::planning::{ExclusionWish, WithdrawWish};
use crate::query::planned::{ExclusionAnswer, ExclusionsAnswer};

#[derive(Debug, clap::Subcommand)]
pub(super) enum ExclusionCommand {
    /// Exclusions that stand; with --all those that were withdrawn too
    List(WantedArguments),
    /// Leave time out of a service's agreements that was the customer's own fault
    Add {
        /// The service's name
        service: String,
        /// The first moment, such as "2026-11-28 08:00"
        #[arg(long, value_name = "WHEN")]
        from: String,
        /// The first moment after it
        #[arg(long, value_name = "WHEN")]
        until: String,
        /// Why, for whoever reads the agreement's figures
        #[arg(long, value_name = "TEXT")]
        note: String,
        /// The zone of the times (IANA)
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
    },
    /// Have an exclusion leave out nothing any more
    Withdraw {
        /// Its number, such as X1
        exclusion: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

pub(super) async fn run(setting: &Setting, command: &ExclusionCommand) -> anyhow::Result<Ending> {
    let (collector, terminal) = (&setting.collector, &setting.terminal);
    let answer = match command {
        ExclusionCommand::List(wanted) => {
            client::ask::<ExclusionsAnswer>(collector, &question(path::EXCLUSIONS, wanted)).await?
        }
        ExclusionCommand::Add { service, from, until, note, time_zone } => {
            let wish = ExclusionWish {
                service: service.clone(),
                from: from.clone(),
                until: until.clone(),
                note: note.clone(),
                zone: zone(time_zone.as_ref(), terminal),
            };
            client::send::<ExclusionsAnswer>(collector, path::EXCLUSIONS, &wish).await?
        }
        ExclusionCommand::Withdraw { exclusion, note } => {
            let asked = path::with(path::EXCLUSION_WITHDRAW, exclusion);
            let wish = WithdrawWish { note: note.clone() };
            client::send::<ExclusionsAnswer>(collector, &asked, &wish).await?
        }
    };
    let text =
        if setting.json { format!("{}\n", answer.raw) } else { list(&answer.value, terminal) };
    say(&text)?;
    Ok(Ending::Done)
}

fn list(answer: &ExclusionsAnswer, terminal: &Terminal) -> String {
    if answer.exclusions.is_empty() {
        return "nothing is excluded but maintenance\n".to_owned();
    }
    let terminal = &terminal.of_zone(answer.time_zone.as_deref());
    let heads = ["exclusion", "counts", "service", "from", "until", "noted by", "why"];
    let mut table = terminal.table(heads);
    for exclusion in &answer.exclusions {
        let at = |at: jiff::Timestamp| {
            let is_whole = at.as_second() % 60 == 0;
            let shown = if is_whole { time } else { time_to_the_second };
            words(shown(at, answer.now, &terminal.zone))
        };
        table.add_row([
            words(format!("X{}", exclusion.number)),
            counts(exclusion),
            words(&exclusion.service),
            at(exclusion.from),
            at(exclusion.until),
            words(&exclusion.by),
            words(&exclusion.note),
        ]);
    }
    lines(&table) + &zone_line(answer.time_zone.as_deref())
}

fn counts(exclusion: &ExclusionAnswer) -> comfy_table::Cell {
    match (&exclusion.withdrawn_by, &exclusion.withdrawn_note) {
        (Some(by), note) => {
            let note = note.clone().unwrap_or_default();
            cell(Tone::Doubtful, format!("withdrawn by {by}: {note}"))
        }
        (None, _) => words("yes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::judge::definition::Exclusion;

    #[test]
    fn exclusions_are_lines() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let exclusion = ExclusionAnswer {
            number: 1,
            service: "mail".into(),
            from: at("2026-12-06T08:00:00Z"),
            until: at("2026-12-06T09:30:00Z"),
            kind: Exclusion::CustomerFault,
            note: "their power was off".into(),
            by: "user ann".into(),
            noted_at: at("2026-12-06T10:00:00Z"),
            withdrawn_at: None,
            withdrawn_by: None,
            withdrawn_note: None,
        };
        let withdrawn = ExclusionAnswer {
            number: 2,
            withdrawn_at: Some(at("2026-12-06T11:00:00Z")),
            withdrawn_by: Some("user bob".into()),
            withdrawn_note: Some("it was ours".into()),
            ..exclusion.clone()
        };
        let now = at("2026-12-06T14:00:00Z");
        let mut answer = ExclusionsAnswer {
            now,
            time_zone: Some("Africa/Johannesburg".into()),
            exclusions: vec![exclusion, withdrawn],
        };
        insta::assert_snapshot!(list(&answer, &plain(120)), @r"
        exclusion  counts                              service  from   until  noted by  why
        X1         yes                                 mail     10:00  11:30  user ann  their power was off
        X2         withdrawn by user bob: it was ours  mail     10:00  11:30  user ann  their power was off
        times of Africa/Johannesburg
        ");
        answer.exclusions.clear();
        assert_eq!(list(&answer, &plain(120)), "nothing is excluded but maintenance\n");
    }
}
