//! Silences, as answers.

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MOST, PlannedWanted, RECENT};
use crate::judge::planned::{Planned, Scope, Silence};

/// Silences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilencesAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// The organisation's time zone, where it has one.
    pub time_zone: Option<String>,
    /// By number.
    pub silences: Vec<SilenceAnswer>,
}

/// One silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilenceAnswer {
    /// The first is 1; people call it S1.
    pub number: u64,
    /// It holds now.
    pub holds: bool,
    /// What it is about.
    pub scope: Scope,
    /// When it began.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who put it in force.
    pub by: String,
    /// Who ended it before its time.
    pub ended_by: Option<String>,
}

/// The silences that are wanted.
pub fn silences(planned: &Planned, wanted: &PlannedWanted, now: WallTime) -> SilencesAnswer {
    let is_wanted = |silence: &&Silence| {
        let services = &silence.plan.scope.services;
        let is_of = |name: &String| services.is_empty() || services.contains(name);
        (wanted.all || now.since(silence.until) < RECENT) && wanted.service.iter().all(is_of)
    };
    let mut silences: Vec<_> = planned
        .silences()
        .iter()
        .filter(is_wanted)
        .rev()
        .take(MOST)
        .map(|silence| SilenceAnswer {
            number: silence.number,
            holds: silence.holds(now),
            scope: silence.plan.scope.clone(),
            from: silence.from.timestamp(),
            until: silence.until.timestamp(),
            reason: silence.plan.reason.clone(),
            by: silence.plan.by.clone(),
            ended_by: silence.ended_by.clone(),
        })
        .collect();
    silences.reverse();
    SilencesAnswer { now: now.timestamp(), time_zone: None, silences }
}
