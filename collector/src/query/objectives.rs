//! Every objective over its window: what is reached, what of its budget is left, who spent it, how fast.
//!
//! Objectives about incidents are the organisation's, and have no budget: there are too few of them.

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::measured::{Tells, Wanted, measure, zone};
use super::sla::{FigureAnswer, SpentByAnswer, figure, spent_by, window_in_words};
use crate::judge::definition::{Definitions, Objective, Service, Share, Sli, Window};
use crate::judge::incident::Incident;
use crate::judge::incident::counted::{counted, reached};
use crate::judge::objective::Reached;
use crate::judge::window::range;
use crate::rollups::Reader;
use crate::series::ServiceId;

/// Of whoever spent a budget, so many are named.
const MOST_NAMED: usize = 20;

/// Which objectives are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectivesWanted {
    /// Of this service only, and then with who spent the budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Every objective of services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectivesAnswer {
    /// Up to when the journals are in the figures.
    pub now: Timestamp,
    /// The time zone in which windows begin and end.
    pub time_zone: String,
    /// By service, in the order of their definition.
    pub objectives: Vec<ObjectiveAnswer>,
    /// Those of the organisation, about incidents; none where one service is asked for.
    pub of_incidents: Vec<IncidentObjectiveAnswer>,
}

/// One objective about incidents over its window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentObjectiveAnswer {
    /// Its name.
    pub objective: String,
    /// `resolution`, or `security`: then the target is the most that may be about it.
    pub indicator: String,
    /// Of a resolution: within so many seconds of being opened.
    pub within_s: Option<u64>,
    /// What must be good; of `security` what may be bad.
    pub target: Share,
    /// As in [`FigureAnswer::window`].
    pub window: String,
    /// The window's first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Incidents that were resolved in time, or are not about security.
    pub good: u64,
    /// Incidents that were not, or are.
    pub bad: u64,
    /// Incidents that still may be resolved in time.
    pub unknown: u64,
    /// `met`, `missed` or `not_proven`, as if the window ended now; met where there was no incident.
    pub result: Reached,
}

/// One objective over its window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveAnswer {
    /// Of which service.
    pub service: String,
    /// Its name.
    pub objective: String,
    /// What is reached, of what.
    #[serde(flatten)]
    pub figure: FigureAnswer,
    /// `met`, `missed` or `not_proven`, as if the window ended now.
    pub result: Reached,
    /// So many may be bad in the whole window.
    pub budget: u64,
    /// So many more may be; negative when more were.
    pub budget_left: i64,
    /// How fast it is spent: 1 is just as fast as it may. Empty while nothing was counted.
    pub burn_rates: Vec<BurnRateAnswer>,
    /// Whose runs failed, most first; only where one service is asked for.
    pub spent_by: Vec<SpentByAnswer>,
}

/// How fast a budget is spent, by one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BurnRateAnswer {
    /// `fast`, `steady`, `slow` or `creeping`.
    pub rule: String,
    /// The rule's factor.
    pub factor: f64,
    /// Over its long window.
    pub long: Option<f64>,
    /// Over its short window.
    pub short: Option<f64>,
    /// What failed in the long window: minutes or runs, by what was known at the end of each minute. Fewer than three
    /// are no evidence.
    pub failures: u64,
}

pub(super) fn answer(
    reader: &Reader,
    wanted: &ObjectivesWanted,
) -> Result<ObjectivesAnswer, QueryError> {
    let now = reader.head().now();
    let phases = reader.phases()?;
    let chronicle = reader.chronicle();
    let definitions = chronicle.current().clone();
    if let Some(name) = &wanted.service
        && definitions.service(name).is_none()
    {
        return Err(QueryError::Unknown { what: "service", name: name.clone() });
    }
    let zone = zone(&definitions);
    let is_wanted =
        |service: &&Service| wanted.service.as_ref().is_none_or(|name| *name == service.name);
    let asked: Vec<(&Service, &Objective, Wanted)> = definitions
        .services
        .iter()
        .filter(is_wanted)
        .flat_map(|service| service.objectives.iter().map(move |objective| (service, objective)))
        .filter(|(_, objective)| !matches!(objective.sli, Sli::Resolution { .. } | Sli::Security))
        .map(|(service, objective)| {
            let figure = Wanted {
                service: service.name.clone(),
                sli: objective.sli,
                range: range(objective.window, &zone, now),
                in_hours: objective.in_hours,
                left_out: Vec::new(),
                is_rolling: matches!(objective.window, Window::Rolling { .. }),
                tells: Tells { whose: wanted.service.is_some(), stretches: false },
            };
            (service, objective, figure)
        })
        .collect();
    let figures: Vec<Wanted> = asked.iter().map(|(_, _, figure)| figure.clone()).collect();
    let measured = measure(reader, &chronicle, now, &figures)?;
    drop(chronicle);
    let mut objectives = Vec::new();
    for ((service, objective, asked), measured) in asked.iter().zip(&measured) {
        let target = objective.target;
        let budget = measured.tallied.budget(target, measured.to_come);
        let burns = reader.burns(ServiceId::of(&service.name))?;
        let rates = burns.0.get(&objective.name).map(|burn| burn.rates(target, now));
        let spent_by = spent_by(measured, &phases).into_iter().take(MOST_NAMED);
        objectives.push(ObjectiveAnswer {
            service: service.name.clone(),
            objective: objective.name.clone(),
            figure: figure(asked, (target, objective.window), measured, now),
            result: measured.tallied.reached(target),
            budget: budget.allowed,
            budget_left: budget.left,
            burn_rates: rates.iter().flatten().map(BurnRateAnswer::from).collect(),
            spent_by: spent_by.filter(|_| wanted.service.is_some()).collect(),
        });
    }
    let time_zone = definitions.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    let of_incidents = match wanted.service {
        Some(_) => Vec::new(),
        None => of_incidents(&reader.incidents()?, &definitions, now),
    };
    Ok(ObjectivesAnswer { now: now.timestamp(), time_zone, objectives, of_incidents })
}

fn of_incidents(
    incidents: &[Incident],
    definitions: &Definitions,
    now: WallTime,
) -> Vec<IncidentObjectiveAnswer> {
    let zone = zone(definitions);
    let answer = |objective: &Objective| {
        let range = range(objective.window, &zone, now);
        let tallied = counted(incidents, objective.sli, &range, now.timestamp());
        let (indicator, within_s) = match objective.sli {
            Sli::Resolution { within_s } => ("resolution", Some(within_s)),
            _ => ("security", None),
        };
        IncidentObjectiveAnswer {
            objective: objective.name.clone(),
            indicator: indicator.to_owned(),
            within_s,
            target: objective.target,
            window: window_in_words(objective.window),
            from: range.start.timestamp(),
            until: range.end.timestamp(),
            good: tallied.good,
            bad: tallied.bad,
            unknown: tallied.unknown,
            result: reached(objective, &tallied),
        }
    };
    definitions.objectives.iter().map(answer).collect()
}

impl From<&crate::judge::burn::Rate> for BurnRateAnswer {
    fn from(rate: &crate::judge::burn::Rate) -> Self {
        let number = |milli: u64| f64::from(u32::try_from(milli).unwrap_or(u32::MAX)) / 1_000.0;
        Self {
            rule: rate.rule.as_str().to_owned(),
            factor: number(rate.rule.factor_milli()),
            long: rate.long_milli.map(number),
            short: rate.short_milli.map(number),
            failures: rate.failures,
        }
    }
}

impl super::Query {
    /// Every objective over its window.
    ///
    /// # Errors
    /// When a service is named that there is not, or the views cannot be read.
    pub fn objectives(&self, wanted: &ObjectivesWanted) -> Result<ObjectivesAnswer, QueryError> {
        answer(self.views.reader(), wanted)
    }
}
