//! Whom a window touches, and what to look at before it begins.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{WindowAnswer, window_answer};
use crate::judge::definition::{Definitions, Objective, Service, Share};
use crate::judge::planned::{Place, Planned, Window};
use crate::query::objectives::ObjectiveAnswer;
use crate::registry::Registry;
use crate::selector::Selector;

/// A window with whom it touches: what an operator looks at before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AffectedObjective {
    /// Its name.
    pub name: String,
    /// The share that must be good, such as `99.9%`.
    pub target: Share,
    /// How much of its error budget is left, in parts per million of it, negative when it is overspent; `None` where
    /// that is not known: nothing was counted yet, or it is an objective about incidents.
    pub budget_left_ppm: Option<i64>,
}

/// What is left of the budgets that are known, in parts per million: by service and objective.
type Left<'a> = BTreeMap<(&'a str, &'a str), i64>;

/// A vantage point, as far as a window is concerned with it.
struct Point {
    name: String,
    labels: BTreeMap<String, String>,
    checks: Vec<String>,
    is_here: bool,
}

/// Whom a window touches, and what to look at before it begins; `budgets` are the objectives' figures as far as known.
pub fn readiness(
    window: &Window,
    planned: &Planned,
    (definitions, registry): (&Definitions, &Registry),
    budgets: &[ObjectiveAnswer],
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
    let left: Left<'_> = budgets
        .iter()
        .filter_map(|of| {
            let left = left_ppm(of.budget, of.budget_left)?;
            Some(((of.service.as_str(), of.objective.as_str()), left))
        })
        .collect();
    let affected: Vec<_> = definitions
        .services
        .iter()
        .filter_map(|service| affected(window, service, &points, &left))
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

/// What is left of a budget, in parts per million of it; of none there is nothing to tell, unless it is overspent.
fn left_ppm(budget: u64, left: i64) -> Option<i64> {
    if budget == 0 && left == 0 {
        return None;
    }
    let ppm = i128::from(left) * 1_000_000 / i128::from(budget.max(1));
    Some(i64::try_from(ppm).unwrap_or(if left < 0 { i64::MIN } else { i64::MAX }))
}

fn affected(
    window: &Window,
    service: &Service,
    points: &[Point],
    left: &Left<'_>,
) -> Option<AffectedAnswer> {
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
        budget_left_ppm: left.get(&(service.name.as_str(), objective.name.as_str())).copied(),
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
    let on = window.plan.scope.on.as_deref().and_then(|on| on.parse::<Selector>().ok());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_budget() {
        for (budget, left, expected) in [
            (0, 0, None),
            (0, -1, Some(-1_000_000)),
            (200, 200, Some(1_000_000)),
            (200, 1, Some(5_000)),
            (200, 0, Some(0)),
            (200, -50, Some(-250_000)),
            (3, 1, Some(333_333)),
            (u64::MAX, i64::MAX, Some(499_999)),
            (1, i64::MIN, Some(i64::MIN)),
        ] {
            assert_eq!(left_ppm(budget, left), expected, "{left} of {budget}");
        }
    }
}
