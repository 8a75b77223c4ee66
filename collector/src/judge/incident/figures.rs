//! What an incident came to in figures: minutes, runs, budgets, and its course. Measured once, some time after it is over,
//! and kept with it: minutes are thrown away after some days, and a review reads the same for ever.
//!
//! Everything is bounded: [`MOST_STEPS`] of a course, [`MOST_SITES`] one by one. Absent on purpose: how it is measured.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::definition::Share;

/// Steps of a course at most.
pub const MOST_STEPS: usize = 120;
/// Sites that are told one by one.
pub const MOST_SITES: usize = 6;

/// An incident in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// By service, in the order of their names.
    pub services: Vec<ServiceFigures>,
    /// Scheduled runs of its checks while it lasted.
    pub runs: Ran,
    /// Of those, the round trips.
    pub round_trips: Ran,
    /// By site, where most failed first; beyond [`MOST_SITES`] they are one, without a name.
    pub sites: Vec<SiteFigures>,
    /// Minutes were not kept any more: runs are those of whole hours, what came before and after included.
    pub is_by_hour: bool,
    /// How it went.
    pub course: Course,
}

/// How runs ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ran {
    /// Passed.
    pub pass: u64,
    /// Failed.
    pub fail: u64,
    /// Could not be judged.
    pub void: u64,
}

/// What it did to one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceFigures {
    /// Its name.
    pub service: String,
    /// What people call it.
    pub title: String,
    /// Minutes in which it was down.
    pub down_minutes: u64,
    /// Minutes of which nobody knows.
    pub unknown_minutes: u64,
    /// Minutes in which its quorum worked.
    pub up_minutes: u64,
    /// What was spent of each budget.
    pub budgets: Vec<Spent>,
}

/// What was spent of one objective's budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// The objective's name.
    pub objective: String,
    /// What must be good.
    pub target: Share,
    /// Such as `rolling 30 d`: the one in which it lies.
    pub window: String,
    /// `minutes` or `runs`.
    pub unit: String,
    /// So many were bad while it lasted.
    pub spent: u64,
    /// So many may be bad in the whole window.
    pub allowed: u64,
}

/// What was seen from one site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteFigures {
    /// Its name; empty for all the others together.
    pub site: String,
    /// Scheduled runs while it lasted.
    pub runs: Ran,
}

/// How it went, from some time before until some time after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Course {
    /// The begin of the first step; `None` where nothing is known.
    pub from: Option<Timestamp>,
    /// How long each step is, in seconds.
    pub step_s: u64,
    /// In the order of [`Figures::sites`].
    pub sites: Vec<SiteCourse>,
}

/// One site's course; as many steps in each list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteCourse {
    /// Its name; empty for all the others together.
    pub site: String,
    /// Runs that failed; `None` where none was seen.
    pub failed: Vec<Option<u64>>,
    /// Half of the runs that passed took no longer, in microseconds; `None` where none passed.
    pub median_us: Vec<Option<i64>>,
}

impl Course {
    /// How many steps it has.
    pub fn len(&self) -> usize {
        self.sites.iter().map(|site| site.failed.len()).max().unwrap_or(0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
