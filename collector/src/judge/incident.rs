//! Incidents: opened by evidence, one for one cause.

use serde::{Deserialize, Serialize};

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
    /// It is mended, as far as an operator knows.
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
