//! What operators want to be done after an incident, and what became of it.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Planning, PlanningError};
use crate::control::Control;
use crate::judge::action::Action;
use crate::judge::followup::{FollowUpAction, FollowUpPlan};

/// Something that is to be done after an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionItemWish {
    /// The incident that it was learnt from.
    pub incident: u64,
    /// What, in a line.
    pub title: String,
    /// Who does it.
    pub owner: String,
    /// By the end of this day, in the organisation's time zone.
    pub due: Date,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressWish {
    /// What.
    #[serde(rename = "do")]
    pub act: ActionItemAct,
    /// What is said to it; needed to drop it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What can be done to an action item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionItemAct {
    /// It is done.
    Done,
    /// It is to be done after all.
    Reopen,
    /// It is not to be done any more.
    Drop,
}

impl Planning<'_> {
    /// Adds an action item to an incident that there is; returns its number.
    ///
    /// # Errors
    /// When it cannot be one: in words for whoever wishes it.
    pub fn follow_up(self, wish: ActionItemWish) -> Result<u64, PlanningError> {
        let ActionItemWish { incident, title, owner, due } = wish;
        let (title, owner) = (title.trim().to_owned(), owner.trim().to_owned());
        let by = self.author.who.clone();
        self.write_follow_up(FollowUpAction::Added(FollowUpPlan {
            incident,
            title,
            owner,
            due,
            by,
        }))
    }

    /// Says what became of an action item; returns its number.
    ///
    /// # Errors
    /// When it cannot become so: in words for whoever wishes it.
    pub fn progress(self, item: u64, wish: ProgressWish) -> Result<u64, PlanningError> {
        let (note, by) = (wish.note.trim().to_owned(), self.author.who.clone());
        self.write_follow_up(match wish.act {
            ActionItemAct::Done => FollowUpAction::Done { item, note, by },
            ActionItemAct::Reopen => FollowUpAction::Reopened { item, note, by },
            ActionItemAct::Drop => FollowUpAction::Dropped { item, note, by },
        })
    }

    fn write_follow_up(self, action: FollowUpAction) -> Result<u64, PlanningError> {
        let Self { registry, author, now, .. } = self;
        let decided = registry.control().decide(now, author, |roll| {
            let number = roll.follow_ups().check(&action)?;
            Ok((Control::Acted(Action::FollowUp(action)), number))
        });
        Ok(decided?)
    }
}
