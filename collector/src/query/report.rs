//! The report of a month: every figure that it tells, read once. What it says in words is `report`'s.
//!
//! Invariant: agreements are those of `sla show`, to the last digit; incidents' minutes are those that are kept with them.
//! It is a value that can be kept: whoever narrows it to some services later does so by [`ReportAnswer::only`], without
//! reading anything again. Everything is bounded.

mod answer;
mod posture;
mod services;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use answer::{
    AgreementReport, DayFigures, FeedbackAnswer, FeedbackMonth, FeedbackReport, FindingLine,
    IncidentReport, PostureReport, ReportAnswer, ServiceCost, ServiceReport, SiteReport, Summary,
    TrendPoint,
};

use super::measured::zone;
use super::sla::{Month, SlaAnswer, SlaWanted, show, show_with_excluded};
use super::{CapacityWanted, Query, QueryError, capacity};
use crate::judge::definition::Window;
use crate::judge::incident::Incident;
use crate::judge::window::calendar;

/// Months that a trend goes back.
const TREND: usize = 12;
/// Incidents that are told one by one at most.
const MOST_INCIDENTS: usize = 500;

/// Which report is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportWanted {
    /// Of these services only, with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl ReportWanted {
    /// The names; none: all services.
    pub fn services(&self) -> Vec<String> {
        let names = self.service.iter().flat_map(|names| names.split(','));
        names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

impl Query {
    /// Everything that is to be told of a month, of all services.
    ///
    /// # Errors
    /// When the month has not begun or nothing is known of it, or views or journal cannot be read.
    pub fn report(&self, month: Month) -> Result<ReportAnswer, QueryError> {
        let reader = self.views.reader();
        let now = reader.head().now();
        let chronicle = reader.chronicle();
        let definitions = chronicle.current().clone();
        let begun = chronicle.agents().filter_map(|(_, it)| Some(it.names().next()?.0)).min();
        let zone = zone(&definitions);
        let range = calendar(Window::Month, &zone, month.first_day());
        drop(chronicle);
        if range.start > now {
            return Err(QueryError::NoReport { month, why: "it has not begun yet" });
        }
        if begun.is_none_or(|begun| begun >= range.end) {
            return Err(QueryError::NoReport { month, why: "nothing was measured by then" });
        }
        let wanted = |month| SlaWanted { month: Some(month), service: None };
        let (sla, excluded) = show_with_excluded(reader, &wanted(month))?;
        let months = months_up_to(month);
        let earlier = months.iter().filter(|it| **it < month);
        let earlier = earlier.map(|it| Ok((*it, show(reader, &wanted(*it))?)));
        let trend: Vec<(Month, SlaAnswer)> = earlier.collect::<Result<_, QueryError>>()?;
        let incidents = reader.incidents()?;
        Ok(ReportAnswer {
            month,
            time_zone: definitions.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            from: range.start.timestamp(),
            until: range.end.timestamp(),
            made_at: now.timestamp(),
            is_over: now >= range.end,
            is_kept: false,
            only: Vec::new(),
            services: services::services(reader, (month, &zone), (&sla, &excluded), &trend)?,
            incidents: incidents_of(incidents, &range),
            posture: posture::posture(&self.ledger, &range, self.clock)?,
            capacity: {
                let wanted = CapacityWanted::default();
                capacity::answer(&self.registry, reader, &wanted, now)?.subjects
            },
            feedback: self.feedback(&months, (&zone, now)),
        })
    }

    /// What users said in twelve months up to the one under way.
    pub fn feedback_now(&self) -> FeedbackAnswer {
        let now = self.clock.wall();
        let definitions = self.views.reader().chronicle().current().clone();
        let zone = zone(&definitions);
        let months = months_up_to(Month::of(zone.to_datetime(now.timestamp()).date()));
        FeedbackAnswer {
            time_zone: definitions.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            now: now.timestamp(),
            feedback: self.feedback(&months, (&zone, now)).unwrap_or_default(),
        }
    }

    /// What users said in these months, and what they asked the service desk; `None` where nothing was ever taken in.
    fn feedback(
        &self,
        months: &[Month],
        (zone, now): (&jiff::tz::TimeZone, WallTime),
    ) -> Option<FeedbackReport> {
        self.registry.control().look(|roll| {
            let feedback = roll.feedback();
            let of_month = |month: &Month, services: &[String]| {
                let range = calendar(Window::Month, zone, month.first_day());
                let range = range.start.timestamp()..range.end.timestamp();
                FeedbackMonth {
                    month: *month,
                    satisfaction: feedback.satisfaction(&range, services),
                    tickets: feedback.tickets(&range, services, now.timestamp()),
                }
            };
            let all = |services: &[String]| -> Vec<FeedbackMonth> {
                months.iter().map(|month| of_month(month, services)).collect()
            };
            let named = roll.definitions().map(|it| it.services.as_slice()).unwrap_or_default();
            let of_services: BTreeMap<String, Vec<FeedbackMonth>> = named
                .iter()
                .map(|service| (service.name.clone(), all(std::slice::from_ref(&service.name))))
                .filter(|(_, months)| months.iter().any(|it| !it.is_empty()))
                .collect();
            (!feedback.is_empty()).then(|| FeedbackReport { months: all(&[]), of_services })
        })
    }
}

/// Twelve months, the last of them this.
fn months_up_to(month: Month) -> Vec<Month> {
    let mut months: Vec<Month> =
        std::iter::successors(Some(month), |month| Some(month.before())).take(TREND).collect();
    months.reverse();
    months
}

/// Incidents that lay in the month, in the order in which they were opened.
fn incidents_of(incidents: Vec<Incident>, range: &Range<WallTime>) -> Vec<IncidentReport> {
    let (from, until) = (range.start.timestamp(), range.end.timestamp());
    let lay_in = |it: &Incident| {
        let ended = it.ended_at.or(it.resolved_at).or(it.verified_at);
        it.merged_into.is_none() && it.opened_at < until && ended.is_none_or(|at| at >= from)
    };
    let lay = incidents.into_iter().filter(lay_in).take(MOST_INCIDENTS);
    lay.map(|incident| incident_of(&incident, from)).collect()
}

fn incident_of(incident: &Incident, from: Timestamp) -> IncidentReport {
    let figures = incident.figures.as_deref();
    let cost = |name: &String| {
        let measured = figures.and_then(|it| it.services.iter().find(|it| it.service == *name));
        ServiceCost {
            service: name.clone(),
            down_minutes: measured.map(|it| it.down_minutes),
            unknown_minutes: measured.map(|it| it.unknown_minutes),
        }
    };
    IncidentReport {
        number: incident.number,
        kind: incident.kind,
        severity: incident.severity,
        state: incident.state,
        headline: incident.headline(),
        scope: incident.wherefrom(),
        began_at: incident.began_at,
        opened_at: incident.opened_at,
        acknowledged_at: incident.acknowledged_at,
        resolved_at: incident.resolved_at,
        ended_at: incident.ended_at,
        is_security: incident.is_security,
        is_carried_over: incident.opened_at < from,
        users: incident.users(),
        cost: incident.services.keys().map(cost).collect(),
    }
}
