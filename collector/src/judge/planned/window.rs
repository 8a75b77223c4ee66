//! Maintenance windows: when one covers, and everything that was done to it.
//!
//! Invariant: whatever is done to a window changes what it covers from that moment on, never before. So what was
//! judged by it stays as it was judged.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recurrence::{self, NotARule};
use super::scope::{Place, Reach, Scope};
use crate::judge::definition::Service;

/// The acceptance run of a time that ended longer ago is not made up for.
pub const ACCEPT_WITHIN: Duration = Duration::from_secs(3_600);

/// A window as it is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowPlan {
    /// What is done, in a line.
    pub title: String,
    /// What users are told; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub announcement: String,
    /// What it is about.
    pub scope: Scope,
    /// When it begins first.
    pub from: Timestamp,
    /// How long it is, each time, in seconds that pass.
    pub length_s: u64,
    /// When it comes again: a recurrence rule (RFC 5545 section 3.3.10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// In which zone that is reckoned (IANA).
    pub time_zone: String,
    /// Names of checks that must pass after each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acceptance: Vec<String>,
    /// Who planned it.
    pub by: String,
}

/// One time of a window: from the first on, until before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// When it begins.
    pub from: WallTime,
    /// When it is over, as far as known.
    pub until: WallTime,
}

impl Occurrence {
    /// Whether a moment lies in it.
    pub fn holds(&self, at: WallTime) -> bool {
        self.from <= at && at < self.until
    }

    /// Whether any of it lies within `range`.
    pub fn meets(&self, range: &Range<WallTime>) -> bool {
        self.from < range.end && range.start < self.until
    }
}

/// How a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WindowState {
    /// Its next time comes.
    Planned,
    /// It covers.
    Running,
    /// It does not come any more.
    Over,
    /// It was called off before it was over.
    Cancelled,
}

impl WindowState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Over => "over",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Something that was done to a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: WallTime,
    /// Who did it.
    pub by: String,
    /// What.
    pub what: Changed,
}

/// What was done to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was planned.
    Planned,
    /// A time of it was made longer, or shorter before it was over.
    Extended {
        /// When that time began.
        from: WallTime,
        /// When it was to be over.
        was: WallTime,
        /// When it is to be over.
        until: WallTime,
    },
    /// A time of it was ended.
    Ended {
        /// When it was to be over.
        was: WallTime,
    },
    /// It comes no more.
    Cancelled,
    /// Its acceptance run was asked for again.
    AcceptanceAsked,
}

/// What came of the checks that must pass after a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// The window's number.
    pub window: u64,
    /// When the time began that it follows.
    pub from: Timestamp,
    /// Checks that passed wherever they were to.
    pub passed: Vec<String>,
    /// What did not pass.
    pub failed: Vec<NotAccepted>,
}

/// A check that did not pass after a window. What could not be judged did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotAccepted {
    /// The check's name.
    pub check: String,
    /// The vantage point's name; empty where there was none.
    pub agent: String,
    /// Why.
    pub why: String,
}

/// An acceptance run that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The window's number.
    pub window: u64,
    /// What it was called.
    pub title: String,
    /// The time that is over.
    pub occurrence: Occurrence,
    /// The checks that must pass.
    pub checks: Vec<String>,
    /// At which vantage points: a selector.
    pub on: String,
}

/// A maintenance window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first is 1.
    pub number: u64,
    /// When it was planned.
    pub planned_at: WallTime,
    /// As it was planned.
    pub plan: WindowPlan,
    /// Everything that was done to it, oldest first.
    pub history: Vec<Change>,
    /// What came of its acceptance runs, oldest first.
    pub acceptances: Vec<(WallTime, Acceptance)>,
    /// When it was called off.
    pub cancelled_at: Option<WallTime>,
    pub(super) reach: Reach,
    /// In order, none reaching into the next.
    times: Vec<Occurrence>,
}

impl WindowPlan {
    /// Its times, in order.
    ///
    /// # Errors
    /// When its rule is none or its zone is not known.
    pub fn times(&self) -> Result<Vec<Occurrence>, NotARule> {
        let zone = recurrence::zone(&self.time_zone)?;
        let length = Duration::from_secs(self.length_s);
        let begun = recurrence::times(self.from, self.every.as_deref(), &zone)?;
        let begun = begun.into_iter().map(WallTime::from);
        Ok(begun.map(|from| Occurrence { from, until: from.plus(length) }).collect())
    }
}

impl Window {
    /// Planned at `at`. What lies before that is not covered, and what cannot be reckoned (any more) comes never.
    pub(super) fn new(number: u64, at: WallTime, plan: &WindowPlan) -> Self {
        let times = plan.times().unwrap_or_default();
        let times = times.into_iter().filter(|time| time.until > at);
        let times = times.map(|time| Occurrence { from: time.from.max(at), ..time });
        Self {
            number,
            planned_at: at,
            plan: plan.clone(),
            history: vec![Change { at, by: plan.by.clone(), what: Changed::Planned }],
            acceptances: Vec::new(),
            cancelled_at: None,
            reach: Reach::new(&plan.scope),
            times: times.collect(),
        }
    }

    /// Whether its scope takes in what was seen there, whenever.
    pub fn touches(&self, place: &Place<'_>) -> bool {
        self.reach.touches(place)
    }

    /// Whether nothing of a service lies outside its scope: then it is left out of the service's agreements.
    pub fn holds_all_of(&self, service: &Service) -> bool {
        self.reach.holds_all_of(service)
    }

    /// Its times, in order; those that were ended or made longer as they became.
    pub fn times(&self) -> &[Occurrence] {
        &self.times
    }

    /// The time of it in which a moment lies.
    pub fn at(&self, at: WallTime) -> Option<Occurrence> {
        let after = self.times.partition_point(|time| time.from <= at);
        let last = self.times.get(after.checked_sub(1)?)?;
        last.holds(at).then_some(*last)
    }

    /// Its times of which any lies within `range`.
    pub fn times_in(&self, range: Range<WallTime>) -> impl Iterator<Item = Occurrence> + '_ {
        let first = self.times.partition_point(|time| time.until <= range.start);
        let times = self.times.get(first..).unwrap_or_default();
        times.iter().copied().take_while(move |time| time.from < range.end)
    }

    /// The time that runs at `at`, or else the next.
    pub fn next(&self, at: WallTime) -> Option<Occurrence> {
        self.times.iter().copied().find(|time| time.until > at)
    }

    /// The beginning of the first time after the one that runs at `at` or comes next.
    pub fn after_next(&self, at: WallTime) -> Option<WallTime> {
        self.times.iter().filter(|time| time.until > at).nth(1).map(|time| time.from)
    }

    /// How it is at `at`.
    pub fn state(&self, at: WallTime) -> WindowState {
        if self.at(at).is_some() {
            WindowState::Running
        } else if self.cancelled_at.is_some_and(|cancelled| cancelled <= at) {
            WindowState::Cancelled
        } else if self.next(at).is_some() {
            WindowState::Planned
        } else {
            WindowState::Over
        }
    }

    /// The time that runs, or comes next, is over at `until`; no earlier than now.
    pub(super) fn extend(&mut self, at: WallTime, until: WallTime, by: &str) {
        let after = self.after_next(at);
        let Some(time) = self.times.iter_mut().find(|time| time.until > at) else { return };
        let was = time.until;
        let until = until.max(at).max(time.from);
        time.until = after.map_or(until, |after| until.min(after));
        let what = Changed::Extended { from: time.from, was, until: time.until };
        self.history.push(Change { at, by: by.to_owned(), what });
    }

    /// The time that runs is over.
    pub(super) fn end(&mut self, at: WallTime, by: &str) {
        let Some(time) = self.times.iter_mut().find(|time| time.holds(at)) else { return };
        let was = std::mem::replace(&mut time.until, at);
        self.history.push(Change { at, by: by.to_owned(), what: Changed::Ended { was } });
    }

    /// It comes no more; a time that runs is over.
    pub(super) fn cancel(&mut self, at: WallTime, by: &str) {
        self.times.retain(|time| time.from < at);
        if let Some(last) = self.times.last_mut() {
            last.until = last.until.min(at);
        }
        self.cancelled_at.get_or_insert(at);
        self.history.push(Change { at, by: by.to_owned(), what: Changed::Cancelled });
    }

    /// Its last time's checks are to run again.
    pub(super) fn ask(&mut self, at: WallTime, by: &str) {
        self.history.push(Change { at, by: by.to_owned(), what: Changed::AcceptanceAsked });
    }

    /// Its checks have run after a time of it.
    pub(super) fn accept(&mut self, at: WallTime, acceptance: &Acceptance) {
        self.acceptances.push((at, acceptance.clone()));
    }

    /// The newest time that is over at `at`.
    pub fn last_over(&self, at: WallTime) -> Option<Occurrence> {
        self.times.iter().rev().copied().find(|time| time.until <= at && time.from < time.until)
    }

    /// What came of the newest time that is over: `None` while its checks have not run.
    pub fn last_acceptance(&self, at: WallTime) -> Option<&(WallTime, Acceptance)> {
        let over = self.last_over(at)?;
        let asked = self.asked_at().filter(|asked| *asked >= over.until);
        self.acceptances.iter().rev().find(|(done, acceptance)| {
            WallTime::from(acceptance.from) == over.from && asked.is_none_or(|asked| *done >= asked)
        })
    }

    /// The acceptance run that is due at `at`: of its newest time that is over, not long ago or asked for again.
    pub(super) fn due(&self, at: WallTime) -> Option<Due> {
        let occurrence = self.last_over(at)?;
        let asked = self.asked_at().filter(|asked| *asked >= occurrence.until);
        let since = asked.unwrap_or(occurrence.until);
        let is_due = !self.plan.acceptance.is_empty()
            && at.since(since) < ACCEPT_WITHIN
            && self.last_acceptance(at).is_none();
        is_due.then(|| Due {
            window: self.number,
            title: self.plan.title.clone(),
            occurrence,
            checks: self.plan.acceptance.clone(),
            on: self.plan.scope.on.clone().unwrap_or_else(|| "*".to_owned()),
        })
    }

    fn asked_at(&self) -> Option<WallTime> {
        let asked = |change: &&Change| change.what == Changed::AcceptanceAsked;
        self.history.iter().rev().find(asked).map(|change| change.at)
    }
}
