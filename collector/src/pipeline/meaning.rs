//! What a record of the control journal means: for figures, and for judging.

use crate::control::{Control, ControlRecord};
use crate::judge::registry::{AgentSeen, Event};
use crate::rollups::Happened;
use crate::store::ledger::GapReason;

/// What it means for figures.
pub(super) fn event_of(record: ControlRecord) -> Option<Event> {
    let at = record.received_at;
    match record.control {
        Control::Enrolled(enrolled) => Some(Event::AgentSeen(AgentSeen {
            agent: enrolled.agent,
            at,
            named: Some((enrolled.name, enrolled.labels)),
            ..AgentSeen::default()
        })),
        Control::Defined { agent, checks, .. } => Some(Event::Defined { agent, at, checks }),
        Control::Tick => Some(Event::Tick { now: at }),
        // it runs nothing any more, so nothing is missed either
        Control::Revoked { agent } => Some(Event::Defined { agent, at, checks: Vec::new() }),
        _ => None,
    }
}

/// What a control record means for judging.
pub(super) fn happened(record: &ControlRecord) -> Option<Happened> {
    Some(match &record.control {
        Control::Enrolled(enrolled) => Happened::Agent(enrolled.agent),
        Control::Defined { agent, .. } | Control::Revoked { agent } => Happened::Agent(*agent),
        Control::Services(_) => Happened::Services,
        Control::Acted(action) => {
            let by = record.author.as_ref().map(|author| author.who.clone());
            Happened::Acted(Box::new(action.clone()), by.unwrap_or_default())
        }
        Control::Archived { bytes, .. } => Happened::Archived(bytes.clone()),
        Control::Heard(_) => Happened::Heard,
        Control::Tick => Happened::Tick,
        Control::Started => Happened::Started,
        Control::Notified(notified) => Happened::Notified(Box::new(notified.clone())),
        Control::NotRun { agent, check } => Happened::NotRun(*agent, check.clone()),
        _ => return None,
    })
}

/// Why something is missing.
pub(super) fn word(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Agent(reason) => reason.as_str(),
        GapReason::CollectorBehind => "collector_behind",
    }
}
