//! What is planned or left out: maintenance windows, silences, and time that agreements exclude.
//!
//! A fold over operators' actions, in the order of the control journal; numbers are given in that order.

use mailsonde_proto::WallTime;
use serde::{Deserialize, Serialize};

/// What an operator plans or leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedAction {}

impl PlannedAction {
    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        match *self {}
    }
}

/// Everything that is planned or left out, as known at one point of the control journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {}

impl Planned {
    /// Takes in what was done at `at`.
    pub fn apply(&mut self, _at: WallTime, action: &PlannedAction) {
        match *action {}
    }
}
