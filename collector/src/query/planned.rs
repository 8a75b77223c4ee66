//! What is planned and left out, as answers: windows, silences, exclusions, and whom a window touches.

pub mod calendar;

mod exclusions;
mod readiness;
mod silences;

use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::definition::{Definitions, Service};
use crate::judge::planned::{
    Acceptance, Change, Changed, NotAccepted, Occurrence, Planned, Scope, Window, WindowState,
};

pub use exclusions::{ExclusionAnswer, ExclusionsAnswer, exclusions};
pub use readiness::{AffectedAnswer, AffectedObjective, ReadinessAnswer, readiness};
pub use silences::{SilenceAnswer, SilencesAnswer, silences};

/// Windows and silences that are over for longer are shown only when all are asked for.
const RECENT: Duration = Duration::from_secs(7 * 86_400);
/// Of each sort in one answer at most, the newest.
const MOST: usize = 1_000;

/// Which are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedWanted {
    /// Also those that are over for long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Of this service only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Maintenance windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowsAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// By number.
    pub windows: Vec<WindowAnswer>,
}

/// One maintenance window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowAnswer {
    /// The first is 1; people call it W1.
    pub number: u64,
    /// `planned`, `running`, `over` or `cancelled`.
    pub state: WindowState,
    /// What is done.
    pub title: String,
    /// What users are told; may be empty.
    pub announcement: String,
    /// What it is about.
    pub scope: Scope,
    /// The time that runs, or comes next, or was last; `None` where there is none (it was cancelled before).
    pub time: Option<TimeAnswer>,
    /// When it comes again: a recurrence rule (RFC 5545 section 3.3.10).
    pub every: Option<String>,
    /// In which zone that is reckoned.
    pub time_zone: String,
    /// How often it still comes, the time that runs included.
    pub times_left: usize,
    /// When its last time is over.
    pub last_until: Option<Timestamp>,
    /// Checks that must pass after it.
    pub acceptance: Vec<String>,
    /// What came of them after its newest time that is over; `None` while they have not run.
    pub accepted: Option<AcceptanceAnswer>,
    /// Who planned it.
    pub planned_by: String,
    /// When.
    pub planned_at: Timestamp,
    /// What was done to it, oldest first.
    pub history: Vec<DoneAnswer>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeAnswer {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// What came of an acceptance run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptanceAnswer {
    /// When it was done.
    pub at: Timestamp,
    /// When the time began that it follows.
    pub from: Timestamp,
    /// Checks that passed wherever they were to.
    pub passed: Vec<String>,
    /// What did not pass; empty when it is accepted.
    pub failed: Vec<NotAccepted>,
}

/// Something that was done to a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoneAnswer {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// `planned`, `extended`, `ended`, `cancelled` or `acceptance_asked`.
    pub what: String,
    /// When the time was to be over that it is about.
    pub was_until: Option<Timestamp>,
    /// When it is to be over since.
    pub until: Option<Timestamp>,
}

/// The windows that are wanted.
pub fn windows(
    planned: &Planned,
    definitions: &Definitions,
    wanted: &PlannedWanted,
    now: WallTime,
) -> WindowsAnswer {
    let windows = chosen(planned, definitions, wanted, now);
    let windows = windows.into_iter().map(|window| window_answer(window, now)).collect();
    WindowsAnswer { now: now.timestamp(), windows }
}

fn chosen<'p>(
    planned: &'p Planned,
    definitions: &Definitions,
    wanted: &PlannedWanted,
    now: WallTime,
) -> Vec<&'p Window> {
    let is_recent = |window: &Window| {
        let last = window.times().last().map_or(window.planned_at, |time| time.until);
        let last = window.cancelled_at.map_or(last, |cancelled| cancelled.max(last));
        wanted.all || now.since(last) < RECENT
    };
    let service = wanted.service.as_deref();
    let is_of = |window: &Window| {
        service.is_none_or(|name| may_touch(&window.plan.scope, definitions.service(name), name))
    };
    let all = planned.windows().iter().filter(|window| is_recent(window) && is_of(window));
    let mut newest: Vec<_> = all.rev().take(MOST).collect();
    newest.reverse();
    newest
}

/// Whether a scope can be about a service: it names it or none, and may share a check with it.
fn may_touch(scope: &Scope, service: Option<&Service>, name: &str) -> bool {
    let shares = |service: &Service| {
        let pairs = |ours: &String| {
            let meets = |theirs: &String| {
                crate::selector::is_match(ours, theirs) || crate::selector::is_match(theirs, ours)
            };
            service.checks.iter().any(meets)
        };
        scope.checks.is_empty() || scope.checks.iter().any(pairs)
    };
    (scope.services.is_empty() || scope.services.iter().any(|one| one == name))
        && service.is_none_or(shares)
}

fn time(time: Occurrence) -> TimeAnswer {
    TimeAnswer { from: time.from.timestamp(), until: time.until.timestamp() }
}

/// One window, as it is at `now`.
pub fn window_answer(window: &Window, now: WallTime) -> WindowAnswer {
    let shown = window.next(now).or(window.times().last().copied());
    let accepted = window.last_acceptance(now).map(|(at, acceptance)| {
        let Acceptance { from, passed, failed, .. } = acceptance.clone();
        AcceptanceAnswer { at: at.timestamp(), from, passed, failed }
    });
    let plan = &window.plan;
    WindowAnswer {
        number: window.number,
        state: window.state(now),
        title: plan.title.clone(),
        announcement: plan.announcement.clone(),
        scope: plan.scope.clone(),
        time: shown.map(time),
        every: plan.every.clone(),
        time_zone: plan.time_zone.clone(),
        times_left: window.times().iter().filter(|time| time.until > now).count(),
        last_until: window.times().last().map(|time| time.until.timestamp()),
        acceptance: plan.acceptance.clone(),
        accepted,
        planned_by: plan.by.clone(),
        planned_at: window.planned_at.timestamp(),
        history: window.history.iter().map(done).collect(),
    }
}

fn done(Change { at, by, what }: &Change) -> DoneAnswer {
    let (word, was, until) = match what {
        Changed::Planned => ("planned", None, None),
        Changed::Extended { was, until, .. } => ("extended", Some(*was), Some(*until)),
        Changed::Ended { was } => ("ended", Some(*was), Some(*at)),
        Changed::Cancelled => ("cancelled", None, None),
        Changed::AcceptanceAsked => ("acceptance_asked", None, None),
    };
    DoneAnswer {
        at: at.timestamp(),
        by: by.clone(),
        what: word.to_owned(),
        was_until: was.map(WallTime::timestamp),
        until: until.map(WallTime::timestamp),
    }
}

/// The windows that are wanted as a calendar (RFC 5545).
pub fn calendar(
    planned: &Planned,
    definitions: &Definitions,
    wanted: &PlannedWanted,
    now: WallTime,
) -> String {
    calendar::of(&chosen(planned, definitions, wanted, now))
}
