//! Incidents, as operators ask for them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::followups::ActionItemAnswer;
use crate::judge::diagnosis::{Diagnosis, diagnose};
use crate::judge::incident::kpi::{Kpi, kpi};
use crate::judge::incident::{Incident, Kind, Severity, State};
use crate::rollups::Reader;

/// Incidents in one answer when nobody says how many.
pub const DEFAULT_LIMIT: usize = 50;
/// Incidents in one answer at most.
pub const MAX_LIMIT: usize = 1_000;

/// Which incidents are wanted; all that is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentsWanted {
    /// Only those that are not over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// That touch the service of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Opened at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// So many at most; [`DEFAULT_LIMIT`] when it is not said, [`MAX_LIMIT`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Incidents, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentsAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// Those that are not over first, then by number, newest first.
    pub incidents: Vec<IncidentLine>,
    /// How many more are wanted and did not fit.
    pub more: usize,
    /// How well they were dealt with: of all that are wanted.
    pub kpi: Kpi,
}

/// One incident, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentLine {
    /// Its number.
    pub number: u64,
    /// What it is about.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// How bad it is or was.
    pub severity: Severity,
    /// The first slot that failed.
    pub began_at: Timestamp,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was mended.
    pub resolved_at: Option<Timestamp>,
    /// What fails.
    pub headline: String,
    /// From where.
    pub scope: String,
    /// Services that it touches.
    pub services: Vec<String>,
    /// From how many sites.
    pub sites: usize,
    /// People behind those services, where known.
    pub users: u64,
    /// The incident that it turned out to be part of.
    pub merged_into: Option<u64>,
    /// The silence that holds for all of it now, so that nobody is told.
    pub silenced_by: Option<u64>,
}

/// One incident with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// The silence that holds for all of it now, so that nobody is told.
    pub silenced_by: Option<u64>,
    /// All of it.
    pub incident: Incident,
    /// What it probably is, and what to do.
    pub diagnosis: Diagnosis,
    /// What is to be done after it.
    #[serde(default)]
    pub actions: Vec<ActionItemAnswer>,
}

/// `after`: those that come after the incident of this number.
pub(super) fn list(
    reader: &Reader,
    wanted: &IncidentsWanted,
    after: Option<u64>,
    now: Timestamp,
) -> Result<IncidentsAnswer, QueryError> {
    let mut all = reader.incidents()?;
    if let Some(name) = &wanted.service
        && reader.chronicle().current().service(name).is_none()
        && !all.iter().any(|incident| incident.services.contains_key(name))
    {
        return Err(QueryError::Unknown { what: "service", name: name.clone() });
    }
    all.retain(|incident| {
        (!wanted.live || incident.is_live())
            && wanted.service.as_ref().is_none_or(|name| incident.services.contains_key(name))
            && wanted.since.is_none_or(|since| incident.opened_at >= since)
    });
    let kpi = kpi(&all, now);
    all.sort_by_key(|incident| (!incident.is_live(), std::cmp::Reverse(incident.number)));
    if let Some(after) = after {
        let place = all.iter().position(|incident| incident.number == after);
        all.drain(..=place.ok_or(QueryError::Gone)?);
    }
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let more = all.len().saturating_sub(limit);
    let chronicle = reader.chronicle();
    let labels = chronicle.labels(now);
    let line = |incident: &Incident| line(incident, chronicle.silenced(incident, now, &labels));
    let incidents = all.iter().take(limit).map(line).collect();
    Ok(IncidentsAnswer { now, incidents, more, kpi })
}

pub(super) fn show(
    reader: &Reader,
    number: u64,
    now: Timestamp,
) -> Result<IncidentAnswer, QueryError> {
    let incident = reader.incident(number)?.ok_or(QueryError::NoIncident(number))?;
    let diagnosis = diagnose(&incident);
    let chronicle = reader.chronicle();
    let silenced_by = chronicle.silenced(&incident, now, &chronicle.labels(now));
    drop(chronicle);
    Ok(IncidentAnswer { now, silenced_by, incident, diagnosis, actions: Vec::new() })
}

fn line(incident: &Incident, silenced_by: Option<u64>) -> IncidentLine {
    IncidentLine {
        number: incident.number,
        kind: incident.kind,
        state: incident.state,
        severity: incident.severity,
        began_at: incident.began_at,
        opened_at: incident.opened_at,
        resolved_at: incident.resolved_at,
        headline: incident.headline(),
        scope: incident.wherefrom(),
        services: incident.services.keys().cloned().collect(),
        sites: incident.sites().len(),
        users: incident.users(),
        merged_into: incident.merged_into,
        silenced_by,
    }
}
