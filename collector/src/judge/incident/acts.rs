//! What operators do to an incident.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Incident, State};

/// What an operator does to an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentAction {
    /// Somebody looks after it.
    Acknowledge {
        /// Its number.
        incident: u64,
        /// What they say; may be empty.
        note: String,
    },
    /// Something worth knowing.
    Note {
        /// Its number.
        incident: u64,
        /// What.
        note: String,
    },
    /// It is mended, as far as an operator knows; runs have yet to show it.
    Resolve {
        /// Its number.
        incident: u64,
        /// How; may be empty.
        note: String,
    },
    /// It was looked back at.
    Review {
        /// Its number.
        incident: u64,
        /// What was learnt.
        note: String,
        /// Whether it was about security, where the operator says so.
        security: Option<bool>,
    },
}

/// Why something cannot be done to an incident.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotAct {
    /// It is over.
    #[error(
        "incident {number} is {state} already: `mailsonde-collector incidents note` still takes a note"
    )]
    Over {
        /// Which.
        number: u64,
        /// How far it is.
        state: &'static str,
    },
    /// It is not over.
    #[error(
        "incident {number} is {state}: it is reviewed when runs have shown that it is over; until then \
         `mailsonde-collector incidents note` takes a note"
    )]
    NotOver {
        /// Which.
        number: u64,
        /// How far it is.
        state: &'static str,
    },
    /// It is another's.
    #[error("incident {number} turned out to be part of incident {into}: say it of that one")]
    Merged {
        /// Which.
        number: u64,
        /// Of which.
        into: u64,
    },
}

impl IncidentAction {
    /// The incident's number.
    pub const fn incident(&self) -> u64 {
        match self {
            Self::Acknowledge { incident, .. }
            | Self::Note { incident, .. }
            | Self::Resolve { incident, .. }
            | Self::Review { incident, .. } => *incident,
        }
    }

    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        let (what, note) = match self {
            Self::Acknowledge { note, .. } => ("acknowledged", note),
            Self::Note { note, .. } => ("noted on", note),
            Self::Resolve { note, .. } => ("resolved", note),
            Self::Review { note, .. } => ("reviewed", note),
        };
        let incident = self.incident();
        if note.is_empty() {
            format!("{what} incident {incident}")
        } else {
            format!("{what} incident {incident}: {note}")
        }
    }
}

impl Incident {
    /// Whether an action can be done now.
    ///
    /// # Errors
    /// When it cannot: the incident is over, not over yet, or another's.
    pub fn allows(&self, action: &IncidentAction) -> Result<(), CannotAct> {
        let (number, state) = (self.number, self.state.as_str());
        if let Some(into) = self.merged_into {
            return Err(CannotAct::Merged { number, into });
        }
        match (action, self.state) {
            (IncidentAction::Note { .. }, _)
            | (IncidentAction::Acknowledge { .. }, State::Open | State::Acknowledged)
            | (IncidentAction::Resolve { .. }, State::Open | State::Acknowledged)
            | (IncidentAction::Review { .. }, State::Verified | State::Reviewed) => Ok(()),
            (IncidentAction::Review { .. }, _) => Err(CannotAct::NotOver { number, state }),
            _ => Err(CannotAct::Over { number, state }),
        }
    }

    /// Does it; what is not allowed (any more) is noted, and changes nothing else.
    pub fn act(&mut self, action: &IncidentAction, at: Timestamp, by: &str) {
        if self.allows(action).is_err() {
            return self.tell_of(at, "too late", action.words(), Some(by));
        }
        let (word, note) = match action {
            IncidentAction::Acknowledge { note, .. } => {
                self.state = State::Acknowledged;
                self.acknowledged_at.get_or_insert(at);
                ("acknowledged", note)
            }
            IncidentAction::Note { note, .. } => ("noted", note),
            IncidentAction::Resolve { note, .. } => {
                self.state = State::Resolved;
                self.resolved_at = Some(at);
                ("resolved", note)
            }
            IncidentAction::Review { note, security, .. } => {
                self.state = State::Reviewed;
                self.reviewed_at = Some(at);
                self.is_security = security.unwrap_or(self.is_security);
                ("reviewed", note)
            }
        };
        self.tell_of(at, word, note.clone(), Some(by));
    }
}
