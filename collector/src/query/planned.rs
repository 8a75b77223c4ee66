//! What is planned and left out, as answers: windows, silences, exclusions, and whom a window touches.

pub mod calendar;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use serde::{Deserialize, Serialize};

use crate::judge::definition::{Definitions, Objective, Service};
use crate::judge::planned::{
    Acceptance, Change, Changed, NotAccepted, NotedExclusion, Occurrence, Place, Planned, Scope,
    Silence, Window, WindowState,
};
use crate::registry::Registry;

/// Windows and silences that are over for longer are shown only when all are asked for.
const RECENT: Duration = Duration::from_secs(7 * 86_400);
/// Of each sort in one answer at most, the newest.
const MOST: usize = 1_000;

/// Which are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// By number.
    pub windows: Vec<WindowAnswer>,
}

/// One maintenance window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeAnswer {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// What came of an acceptance run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A window with whom it touches: what an operator looks at before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// The window.
    pub window: WindowAnswer,
    /// The services that it touches, by name.
    pub affected: Vec<AffectedAnswer>,
    /// What an operator should look at before it begins; empty when there is nothing.
    pub warnings: Vec<String>,
}

/// A service that a window touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AffectedAnswer {
    /// Its name.
    pub service: String,
    /// What people call it.
    pub title: String,
    /// At so many of its vantage points.
    pub vantage_points: usize,
    /// So many vantage points it has.
    pub of: usize,
    /// All of it is under the window: the time is left out of its agreements.
    pub is_left_out: bool,
    /// What it is to reach.
    pub objectives: Vec<AffectedObjective>,
}

/// An objective of a service that a window touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AffectedObjective {
    /// Its name.
    pub name: String,
    /// The share that must be good, such as `99.9%`.
    pub target: crate::judge::definition::Share,
    /// How much of its error budget is left, in parts per million of it, negative when it is overspent; `None` where
    /// that is not known.
    pub budget_left_ppm: Option<i64>,
}

/// Silences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilencesAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// By number.
    pub silences: Vec<SilenceAnswer>,
}

/// One silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Exclusions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusionsAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// By number.
    pub exclusions: Vec<ExclusionAnswer>,
}

/// Time that is left out of a service's agreements by an operator's note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    pub kind: crate::judge::definition::Exclusion,
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

/// A vantage point, as far as a window is concerned with it.
struct Point {
    name: String,
    labels: BTreeMap<String, String>,
    checks: Vec<String>,
    is_here: bool,
}

/// Whom a window touches, and what to look at before it begins.
pub fn readiness(
    window: &Window,
    planned: &Planned,
    (definitions, registry): (&Definitions, &Registry),
    now: WallTime,
) -> ReadinessAnswer {
    let points: Vec<Point> = registry
        .agents()
        .into_iter()
        .map(|(enrolled, entry)| Point {
            name: enrolled.name,
            labels: enrolled.labels,
            checks: entry.checks.into_iter().map(|check| check.name).collect(),
            is_here: entry.presence.connected_since.is_some(),
        })
        .collect();
    let affected: Vec<_> = definitions
        .services
        .iter()
        .filter_map(|service| affected(window, service, &points))
        .collect();
    let mut warnings = Vec::new();
    if affected.is_empty() {
        warnings
            .push("it touches no service as things are: is its scope what you mean?".to_owned());
    }
    acceptance_warnings(window, &points, &mut warnings);
    overlap_warnings(window, planned, now, &mut warnings);
    let window = window_answer(window, now);
    ReadinessAnswer { now: now.timestamp(), window, affected, warnings }
}

fn affected(window: &Window, service: &Service, points: &[Point]) -> Option<AffectedAnswer> {
    let (mut touched, mut of) = (0, 0);
    for point in points.iter().filter(|point| service.is_at(&point.name, &point.labels)) {
        let mut checks = point.checks.iter().filter(|check| service.has_check(check)).peekable();
        of += usize::from(checks.peek().is_some());
        let is_touched = checks.any(|check| {
            let (agent, labels) = (&point.name, &point.labels);
            window.touches(&Place { services: &[&service.name], agent, labels, check })
        });
        touched += usize::from(is_touched);
    }
    let is_named = window.plan.scope.services.contains(&service.name);
    let objective = |objective: &Objective| AffectedObjective {
        name: objective.name.clone(),
        target: objective.target,
        budget_left_ppm: None,
    };
    (touched > 0 || is_named).then(|| AffectedAnswer {
        service: service.name.clone(),
        title: service.shown().to_owned(),
        vantage_points: touched,
        of,
        is_left_out: window.holds_all_of(service),
        objectives: service.objectives.iter().map(objective).collect(),
    })
}

fn acceptance_warnings(window: &Window, points: &[Point], warnings: &mut Vec<String>) {
    if window.plan.acceptance.is_empty() {
        warnings
            .push("no check is named that must pass after it: plan with --accept CHECK".to_owned());
    }
    let no_labels = Scope { on: window.plan.scope.on.clone(), ..Scope::default() };
    let on = no_labels.on.as_deref().and_then(|on| on.parse::<crate::selector::Selector>().ok());
    let is_meant =
        |point: &&Point| on.as_ref().is_none_or(|on| on.selects(&point.name, &point.labels));
    for check in &window.plan.acceptance {
        let having: Vec<_> =
            points.iter().filter(is_meant).filter(|point| point.checks.contains(check)).collect();
        let away = having.iter().filter(|point| !point.is_here).count();
        if having.is_empty() {
            warnings.push(format!(
                "no agent that is meant runs {check}: the acceptance run cannot pass"
            ));
        } else if away > 0 {
            warnings.push(format!(
                "{away} of {} agents that run {check} are not connected: it passes only when all do",
                having.len()
            ));
        }
    }
}

fn overlap_warnings(window: &Window, planned: &Planned, now: WallTime, warnings: &mut Vec<String>) {
    let Some(next) = window.next(now) else { return };
    for (other, _) in planned.windows_in(next.from..next.until) {
        let services = &other.plan.scope.services;
        let ours = &window.plan.scope.services;
        let shares = services.is_empty()
            || ours.is_empty()
            || services.iter().any(|service| ours.contains(service));
        if other.number != window.number && shares {
            warnings.push(format!(
                "W{} ({}) is at the same time and may be about the same",
                other.number, other.plan.title
            ));
        }
    }
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
    SilencesAnswer { now: now.timestamp(), silences }
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
    ExclusionsAnswer { now: now.timestamp(), exclusions }
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
