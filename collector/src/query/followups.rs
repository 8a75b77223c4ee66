//! Action items, as operators ask for them.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::followup::{FollowUp, FollowUps, Progress};

/// Action items in one answer at most; of more the newest.
const MOST: usize = 2_000;

/// Which action items are wanted; all that is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionsWanted {
    /// Only those that are to be done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Only those of this incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
}

/// Action items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionsAnswer {
    /// The day on which it was given, in the organisation's time zone.
    pub today: Date,
    /// That of the organisation, where it has one.
    pub time_zone: Option<String>,
    /// By number.
    pub actions: Vec<ActionItemAnswer>,
}

/// One action item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionItemAnswer {
    /// The first is 1; people call it A1.
    pub number: u64,
    /// The incident that it was learnt from.
    pub incident: u64,
    /// What is to be done.
    pub title: String,
    /// Who does it.
    pub owner: String,
    /// By the end of this day.
    pub due: Date,
    /// `open`, `done` or `dropped`.
    pub progress: Progress,
    /// It should be done by now; absent where it depends on no day, as in a review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_overdue: Option<bool>,
    /// When it was added.
    pub added_at: Timestamp,
    /// By whom.
    pub by: String,
    /// What was done to it since.
    pub steps: Vec<StepAnswer>,
}

/// Something that was done to an action item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepAnswer {
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub progress: Progress,
    /// What was said.
    pub note: String,
    /// By whom.
    pub by: String,
}

/// Those that are wanted, as they are on a day.
pub fn actions(all: &FollowUps, wanted: &ActionsWanted, today: Date) -> Vec<ActionItemAnswer> {
    let is_wanted = |item: &&FollowUp| {
        (!wanted.open || item.progress == Progress::Open)
            && wanted.incident.is_none_or(|incident| item.plan.incident == incident)
    };
    let mut found: Vec<_> = all
        .iter()
        .filter(is_wanted)
        .rev()
        .take(MOST)
        .map(|item| ActionItemAnswer::of(item, Some(today)))
        .collect();
    found.reverse();
    found
}

impl ActionItemAnswer {
    /// Of an action item; with a day, whether it is overdue on it.
    pub fn of(item: &FollowUp, today: Option<Date>) -> Self {
        let FollowUp { number, added_at, plan, progress, steps } = item;
        let steps = steps.iter().map(|step| StepAnswer {
            at: step.at.timestamp(),
            progress: step.progress,
            note: step.note.clone(),
            by: step.by.clone(),
        });
        Self {
            number: *number,
            incident: plan.incident,
            title: plan.title.clone(),
            owner: plan.owner.clone(),
            due: plan.due,
            progress: *progress,
            is_overdue: today.map(|today| item.is_overdue(today)),
            added_at: added_at.timestamp(),
            by: plan.by.clone(),
            steps: steps.collect(),
        }
    }
}
