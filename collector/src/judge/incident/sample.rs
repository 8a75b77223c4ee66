//! Incidents for tests.

use jiff::Timestamp;

use super::{FaultBrief, Incident, Kind, Scope, Severity, State};

/// So many hours after 1970-01-01 UTC.
pub(crate) fn hour(hours: i64) -> Timestamp {
    Timestamp::from_second(hours * 3_600).unwrap()
}

/// An outage that was opened and mended in these hours.
pub(crate) fn incident(number: u64, opened: i64, resolved: Option<i64>) -> Incident {
    Incident {
        number,
        kind: Kind::Outage,
        state: if resolved.is_some() { State::Verified } else { State::Open },
        severity: Severity::Major,
        scope: Scope::Everywhere { sites: 3 },
        began_at: hour(opened),
        opened_at: hour(opened),
        confirmed_by: None,
        acknowledged_at: None,
        resolved_at: resolved.map(hour),
        verified_at: resolved.map(hour),
        reviewed_at: None,
        ended_at: resolved.map(hour),
        fault: FaultBrief::default(),
        root: None,
        checks: ["mail".to_owned()].into(),
        services: [].into(),
        places: Vec::new(),
        more_places: 0,
        works_from: [].into(),
        changes: Vec::new(),
        similar: Vec::new(),
        reopened: 0,
        is_security: false,
        merged_into: None,
        timeline: Vec::new(),
        more_entries: 0,
        estimate: None,
        figures: None,
    }
}
