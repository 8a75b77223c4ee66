//! `actions`: what is to be done after incidents, by whom, by when; tracked until it is done.

use jiff::civil::Date;

use super::incidents::number;
use super::parameters::with_parameters;
use super::terminal::{Terminal, Tone, cell, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::judge::followup::Progress;
use crate::planning::{ActionItemAct, ActionItemWish, ProgressWish};
use crate::query::{ActionItemAnswer, ActionsAnswer, ActionsWanted};

#[derive(Debug, clap::Subcommand)]
pub(super) enum ActionsCommand {
    /// Action items; those that should be done by now are marked
    List {
        /// Only those that are to be done
        #[arg(long)]
        open: bool,
        /// Only those of this incident
        #[arg(long, value_name = "NUMBER", value_parser = number)]
        incident: Option<u64>,
    },
    /// Have something done after an incident
    Add {
        /// The incident's number
        #[arg(value_parser = number)]
        incident: u64,
        /// What, in a line
        #[arg(long, value_name = "TEXT")]
        title: String,
        /// Who does it
        #[arg(long, value_name = "NAME")]
        owner: String,
        /// By the end of this day, such as 2026-12-15
        #[arg(long, value_name = "DATE")]
        due: Date,
    },
    /// Say that it is done
    Done {
        /// Its number, such as A1
        item: String,
        /// What was done
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Say that it is to be done after all
    Reopen {
        /// Its number, such as A1
        item: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Say that it is not to be done any more
    Drop {
        /// Its number, such as A1
        item: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

pub(super) async fn run(setting: &Setting, command: &ActionsCommand) -> anyhow::Result<Ending> {
    let (collector, terminal) = (&setting.collector, &setting.terminal);
    let (item, act, note) = match command {
        ActionsCommand::List { open, incident } => {
            let wanted = ActionsWanted { open: *open, incident: *incident };
            let question = with_parameters(path::ACTIONS, &wanted);
            return told(setting, &client::ask(collector, &question).await?, terminal);
        }
        ActionsCommand::Add { incident, title, owner, due } => {
            let (title, owner) = (title.clone(), owner.clone());
            let wish = ActionItemWish { incident: *incident, title, owner, due: *due };
            return told(setting, &client::send(collector, path::ACTIONS, &wish).await?, terminal);
        }
        ActionsCommand::Done { item, note } => (item, ActionItemAct::Done, note),
        ActionsCommand::Reopen { item, note } => (item, ActionItemAct::Reopen, note),
        ActionsCommand::Drop { item, note } => (item, ActionItemAct::Drop, note),
    };
    let wish = ProgressWish { act, note: note.clone() };
    let asked = path::with(path::ACTION, item);
    told(setting, &client::send(collector, &asked, &wish).await?, terminal)
}

fn told(
    setting: &Setting,
    answer: &client::Answer<ActionsAnswer>,
    terminal: &Terminal,
) -> anyhow::Result<Ending> {
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => list(&answer.value, terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn list(answer: &ActionsAnswer, terminal: &Terminal) -> String {
    match answer.actions.is_empty() {
        true => "nothing is to be done\n".to_owned(),
        false => items(&answer.actions, terminal),
    }
}

/// Action items as lines.
pub(super) fn items(items: &[ActionItemAnswer], terminal: &Terminal) -> String {
    let mut table =
        terminal.table(["item", "incident", "state", "due", "who", "what", "said last"]);
    for item in items {
        let said = item.steps.iter().rev().find(|step| !step.note.is_empty());
        table.add_row([
            words(format!("A{}", item.number)),
            words(format!("#{}", item.incident)),
            state(item),
            words(item.due.to_string()),
            words(&item.owner),
            words(&item.title),
            words(said.map(|step| format!("{}: {}", step.by, step.note)).unwrap_or_default()),
        ]);
    }
    lines(&table)
}

fn state(item: &ActionItemAnswer) -> comfy_table::Cell {
    match (item.progress, item.is_overdue) {
        (Progress::Open, Some(true)) => cell(Tone::Bad, "overdue"),
        (Progress::Open, _) => cell(Tone::Doubtful, "open"),
        (progress, _) => words(progress.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::query::followups::StepAnswer;

    #[test]
    fn action_items_are_lines() {
        let at: jiff::Timestamp = "2026-11-24T08:05:00Z".parse().unwrap();
        let open = ActionItemAnswer {
            number: 1,
            incident: 7,
            title: "alert at 80 % of the disk\u{1b}[2J".into(),
            owner: "Ann".into(),
            due: "2026-12-15".parse().unwrap(),
            progress: Progress::Open,
            is_overdue: Some(false),
            added_at: at,
            by: "user bob".into(),
            steps: vec![],
        };
        let overdue = ActionItemAnswer {
            number: 2,
            due: "2026-12-01".parse().unwrap(),
            is_overdue: Some(true),
            ..open.clone()
        };
        let step = StepAnswer {
            at,
            progress: Progress::Done,
            note: "it is on".into(),
            by: "user ann".into(),
        };
        let done = ActionItemAnswer {
            number: 3,
            progress: Progress::Done,
            is_overdue: Some(false),
            steps: vec![step],
            ..open.clone()
        };
        let today = "2026-12-02".parse().unwrap();
        let mut answer =
            ActionsAnswer { today, time_zone: None, actions: vec![open, overdue, done] };
        insta::assert_snapshot!(list(&answer, &plain(120)), @r"
        item  incident  state    due         who  what                           said last
        A1    #7        open     2026-12-15  Ann  alert at 80 % of the disk·[2J
        A2    #7        overdue  2026-12-01  Ann  alert at 80 % of the disk·[2J
        A3    #7        done     2026-12-15  Ann  alert at 80 % of the disk·[2J  user ann: it is on
        ");
        answer.actions.clear();
        assert_eq!(list(&answer, &plain(120)), "nothing is to be done\n");
    }
}
