//! Time that agreements leave out by an operator's note, as answers.

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MOST, PlannedWanted};
use crate::judge::definition::Exclusion;
use crate::judge::planned::{NotedExclusion, Planned};

/// Exclusions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExclusionsAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// The organisation's time zone, where it has one.
    pub time_zone: Option<String>,
    /// By number.
    pub exclusions: Vec<ExclusionAnswer>,
}

/// Time that is left out of a service's agreements by an operator's note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExclusionAnswer {
    /// The first is 1; people call it X1.
    pub number: u64,
    /// The service's name.
    pub service: String,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Of which sort.
    pub kind: Exclusion,
    /// Why.
    pub note: String,
    /// Who noted it.
    pub by: String,
    /// When.
    pub noted_at: Timestamp,
    /// When it was withdrawn: then it leaves out nothing.
    pub withdrawn_at: Option<Timestamp>,
    /// By whom.
    pub withdrawn_by: Option<String>,
    /// Why.
    pub withdrawn_note: Option<String>,
}

/// The exclusions that are wanted; without `all` those that stand.
pub fn exclusions(planned: &Planned, wanted: &PlannedWanted, now: WallTime) -> ExclusionsAnswer {
    let is_wanted = |noted: &&NotedExclusion| {
        (wanted.all || noted.withdrawn.is_none())
            && wanted.service.as_ref().is_none_or(|name| *name == noted.plan.service)
    };
    let mut exclusions: Vec<_> = planned
        .exclusions()
        .iter()
        .filter(is_wanted)
        .rev()
        .take(MOST)
        .map(|NotedExclusion { number, noted_at, plan, withdrawn }| {
            let (at, by, note) = match withdrawn.clone() {
                Some((at, by, note)) => (Some(at.timestamp()), Some(by), Some(note)),
                None => (None, None, None),
            };
            ExclusionAnswer {
                number: *number,
                service: plan.service.clone(),
                from: plan.from,
                until: plan.until,
                kind: plan.kind,
                note: plan.note.clone(),
                by: plan.by.clone(),
                noted_at: noted_at.timestamp(),
                withdrawn_at: at,
                withdrawn_by: by,
                withdrawn_note: note,
            }
        })
        .collect();
    exclusions.reverse();
    ExclusionsAnswer { now: now.timestamp(), time_zone: None, exclusions }
}
