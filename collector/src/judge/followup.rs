//! What is to be done after an incident: action items, each with somebody who does it and a day by which it is done.
//!
//! A fold over operators' actions, in the order of the control journal; numbers are given in that order. Nothing is ever
//! removed: what is not to be done any more is dropped, with its reason. Absent on purpose: what 'today' is, which whoever
//! asks knows.

use std::collections::BTreeMap;

use jiff::civil::Date;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Action items at most.
const MOST: usize = 20_000;
/// Of one incident at most.
const MOST_OF_ONE: usize = 100;
/// Characters of a title at most.
const MAX_TITLE: usize = 200;
/// Characters of a name at most.
const MAX_OWNER: usize = 128;
/// Characters of a note at most.
const MAX_NOTE: usize = 2_000;
/// What was done to one item at most; what comes after is not told.
const MOST_STEPS: usize = 100;

/// What somebody does about action items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpAction {
    /// Something is to be done.
    Added(FollowUpPlan),
    /// It is done.
    Done {
        /// Its number.
        item: u64,
        /// What was done; may be empty.
        note: String,
        /// Who says so.
        by: String,
    },
    /// It is to be done after all.
    Reopened {
        /// Its number.
        item: u64,
        /// Why; may be empty.
        note: String,
        /// Who says so.
        by: String,
    },
    /// It is not to be done any more.
    Dropped {
        /// Its number.
        item: u64,
        /// Why.
        note: String,
        /// Who says so.
        by: String,
    },
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FollowUpPlan {
    /// The incident that it was learnt from.
    pub incident: u64,
    /// What, in a line.
    pub title: String,
    /// Who does it.
    pub owner: String,
    /// By the end of this day, in the organisation's time zone.
    pub due: Date,
    /// Who said so.
    pub by: String,
}

/// How far an action item is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It is to be done.
    Open,
    /// It is done.
    Done,
    /// It is not to be done any more.
    Dropped,
}

impl Progress {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }
}

/// An action item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The first is 1; people call it A1.
    pub number: u64,
    /// When it was added.
    pub added_at: WallTime,
    /// As it was added.
    pub plan: FollowUpPlan,
    /// How far it is.
    pub progress: Progress,
    /// What was done to it since, in order.
    pub steps: Vec<Step>,
}

/// Something that was done to an action item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: WallTime,
    /// What became of it.
    pub progress: Progress,
    /// What was said.
    pub note: String,
    /// By whom.
    pub by: String,
}

/// Why an action item cannot become so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowUpError {
    /// There is none of this number.
    #[error("there is no action item A{0}: `mailsonde-collector actions list` lists them")]
    NoSuchItem(u64),
    /// It is so already.
    #[error("A{number} is {progress} already")]
    Already {
        /// Which.
        number: u64,
        /// How far it is.
        progress: &'static str,
    },
    /// It is not open, so it can only be opened again.
    #[error("A{number} is {progress}: `mailsonde-collector actions reopen A{number}` first")]
    NotOpen {
        /// Which.
        number: u64,
        /// How far it is.
        progress: &'static str,
    },
    /// Something is not said.
    #[error("{0} must say something")]
    Empty(&'static str),
    /// It is too long.
    #[error("{what} holds at most {most} characters: say it shorter")]
    Long {
        /// What.
        what: &'static str,
        /// So many.
        most: usize,
    },
    /// It holds what cannot be shown.
    #[error("{0} must have no control characters")]
    Control(&'static str),
    /// There are too many.
    #[error(
        "there are {MOST_OF_ONE} action items of incident {0} already: put some of them together"
    )]
    ManyOfOne(u64),
    /// There are too many.
    #[error("there are {MOST} action items already: put new ones into your own tracker")]
    Many,
}

impl FollowUpAction {
    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        let (what, item, note) = match self {
            Self::Added(FollowUpPlan { incident, title, owner, due, .. }) => {
                return format!(
                    "added an action item to incident {incident}: {title}; {owner}, due {due}"
                );
            }
            Self::Done { item, note, .. } => ("did", item, note),
            Self::Reopened { item, note, .. } => ("reopened", item, note),
            Self::Dropped { item, note, .. } => ("dropped", item, note),
        };
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        format!("{what} action item A{item}{note}")
    }
}

impl FollowUp {
    /// Whether it should be done by now.
    pub fn is_overdue(&self, today: Date) -> bool {
        self.progress == Progress::Open && self.plan.due < today
    }
}

/// Every action item, as known at one point of the control journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowUps {
    items: BTreeMap<u64, FollowUp>,
}

impl FollowUps {
    /// Takes in what was done at `at`. What names an item that there is not changes nothing: [`FollowUps::check`] said so
    /// before it was written.
    pub fn apply(&mut self, at: WallTime, action: &FollowUpAction) {
        let (item, progress, note, by) = match action {
            FollowUpAction::Added(plan) => {
                let number = self.next();
                let (plan, steps) = (plan.clone(), Vec::new());
                let item = FollowUp { number, added_at: at, plan, progress: Progress::Open, steps };
                self.items.insert(number, item);
                return;
            }
            FollowUpAction::Done { item, note, by } => (item, Progress::Done, note, by),
            FollowUpAction::Reopened { item, note, by } => (item, Progress::Open, note, by),
            FollowUpAction::Dropped { item, note, by } => (item, Progress::Dropped, note, by),
        };
        let Some(item) = self.items.get_mut(item) else { return };
        item.progress = progress;
        if item.steps.len() < MOST_STEPS {
            item.steps.push(Step { at, progress, note: note.clone(), by: by.clone() });
        }
    }

    /// Whether this can be done now; the number of the item that it is done to.
    ///
    /// # Errors
    /// When it cannot: in words for whoever wishes it.
    pub fn check(&self, action: &FollowUpAction) -> Result<u64, FollowUpError> {
        let (item, then, note) = match action {
            FollowUpAction::Added(plan) => return self.check_plan(plan),
            FollowUpAction::Done { item, note, .. } => (*item, Progress::Done, note),
            FollowUpAction::Reopened { item, note, .. } => (*item, Progress::Open, note),
            FollowUpAction::Dropped { item, note, .. } => {
                said("--note", note, MAX_NOTE)?;
                (*item, Progress::Dropped, note)
            }
        };
        said_or_not("--note", note, MAX_NOTE)?;
        let now = self.items.get(&item).ok_or(FollowUpError::NoSuchItem(item))?.progress;
        let (number, progress) = (item, now.as_str());
        match (now, then) {
            _ if now == then => Err(FollowUpError::Already { number, progress }),
            (Progress::Open, _) | (_, Progress::Open) => Ok(number),
            _ => Err(FollowUpError::NotOpen { number, progress }),
        }
    }

    fn check_plan(&self, plan: &FollowUpPlan) -> Result<u64, FollowUpError> {
        said("--title", &plan.title, MAX_TITLE)?;
        said("--owner", &plan.owner, MAX_OWNER)?;
        if self.of(plan.incident).count() >= MOST_OF_ONE {
            return Err(FollowUpError::ManyOfOne(plan.incident));
        }
        if self.items.len() >= MOST { Err(FollowUpError::Many) } else { Ok(self.next()) }
    }

    fn next(&self) -> u64 {
        self.items.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))
    }

    /// Each by its number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &FollowUp> {
        self.items.values()
    }

    /// Those of one incident.
    pub fn of(&self, incident: u64) -> impl Iterator<Item = &FollowUp> {
        self.iter().filter(move |item| item.plan.incident == incident)
    }
}

fn said(what: &'static str, text: &str, most: usize) -> Result<(), FollowUpError> {
    match text.trim().is_empty() {
        true => Err(FollowUpError::Empty(what)),
        false => said_or_not(what, text, most),
    }
}

fn said_or_not(what: &'static str, text: &str, most: usize) -> Result<(), FollowUpError> {
    if text.chars().count() > most {
        Err(FollowUpError::Long { what, most })
    } else if text.chars().any(|c| c.is_control() && c != '\n') {
        Err(FollowUpError::Control(what))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(incident: u64, title: &str) -> FollowUpAction {
        FollowUpAction::Added(FollowUpPlan {
            incident,
            title: title.into(),
            owner: "Ann".into(),
            due: "2026-12-15".parse().unwrap(),
            by: "uid 0 (root)".into(),
        })
    }

    fn act(what: &str, item: u64, note: &str) -> FollowUpAction {
        let (note, by) = (note.to_owned(), "ann".to_owned());
        match what {
            "done" => FollowUpAction::Done { item, note, by },
            "reopen" => FollowUpAction::Reopened { item, note, by },
            _ => FollowUpAction::Dropped { item, note, by },
        }
    }

    /// Does it where it can be done.
    fn done(items: &mut FollowUps, action: &FollowUpAction) -> Result<u64, String> {
        let number = items.check(action).map_err(|error| error.to_string())?;
        items.apply(WallTime::from_s(1), action);
        Ok(number)
    }

    #[test]
    fn an_item_goes_its_way() {
        let mut items = FollowUps::default();
        assert_eq!(done(&mut items, &plan(7, "alert on the queue")), Ok(1));
        assert_eq!(done(&mut items, &plan(8, "x")), Ok(2));
        for (what, note, expected) in [
            ("reopen", "", Err("A1 is open already")),
            ("drop", "", Err("--note must say something")),
            ("done", "it is on", Ok(1)),
            ("done", "", Err("A1 is done already")),
            ("drop", "why", Err("A1 is done: `mailsonde-collector actions reopen A1` first")),
            ("reopen", "it is off again", Ok(1)),
            ("drop", "moved to another team", Ok(1)),
        ] {
            let found = done(&mut items, &act(what, 1, note));
            assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|e| *e));
        }
        let item = items.of(7).next().unwrap();
        assert_eq!((item.progress, item.steps.len()), (Progress::Dropped, 3));
        let missing = done(&mut items, &act("done", 3, "")).unwrap_err();
        assert!(missing.starts_with("there is no action item A3"), "{missing}");
    }

    #[test]
    fn what_is_open_past_its_day_is_overdue() {
        let mut items = FollowUps::default();
        done(&mut items, &plan(7, "x")).unwrap();
        let is_overdue = |items: &FollowUps, day: &str| {
            items.iter().next().unwrap().is_overdue(day.parse().unwrap())
        };
        assert!(!is_overdue(&items, "2026-12-15"));
        assert!(is_overdue(&items, "2026-12-16"));
        done(&mut items, &act("done", 1, "")).unwrap();
        assert!(!is_overdue(&items, "2026-12-16"));
    }

    #[test]
    fn what_cannot_be_added() {
        let items = FollowUps::default();
        for (title, words) in [
            (" ".to_owned(), "--title must say something"),
            ("x".repeat(201), "--title holds at most 200 characters: say it shorter"),
            ("\u{1b}[2J".to_owned(), "--title must have no control characters"),
        ] {
            assert_eq!(items.check(&plan(1, &title)).unwrap_err().to_string(), words);
        }
        assert_eq!(
            plan(7, "alert").clone().words(),
            "added an action item to incident 7: alert; Ann, due 2026-12-15"
        );
        assert_eq!(act("done", 2, "it is on").words(), "did action item A2: it is on");
    }
}
