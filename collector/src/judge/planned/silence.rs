//! Silences: while one holds, incidents in its scope are there and are shown, and nobody is told of them.

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::{Reach, Scope};

/// A silence as it is put in force; it begins at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilencePlan {
    /// What it is about.
    pub scope: Scope,
    /// When it is over.
    pub until: Timestamp,
    /// Why, for whoever wonders.
    pub reason: String,
    /// Who put it in force.
    pub by: String,
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The first is 1.
    pub number: u64,
    /// When it began.
    pub from: WallTime,
    /// When it is over, as far as known.
    pub until: WallTime,
    /// As it was put in force.
    pub plan: SilencePlan,
    /// Who ended it before its time.
    pub ended_by: Option<String>,
    pub(super) reach: Reach,
}

impl Silence {
    pub(super) fn new(number: u64, at: WallTime, plan: &SilencePlan) -> Self {
        Self {
            number,
            from: at,
            until: WallTime::from(plan.until).max(at),
            plan: plan.clone(),
            ended_by: None,
            reach: Reach::new(&plan.scope),
        }
    }

    /// Whether it holds at a moment.
    pub fn holds(&self, at: WallTime) -> bool {
        self.from <= at && at < self.until
    }

    pub(super) fn end(&mut self, at: WallTime, by: &str) {
        if self.holds(at) {
            self.until = at;
            self.ended_by = Some(by.to_owned());
        }
    }
}
