//! What operators do to what is judged: records of the control journal like any other, as JSON.

use serde::{Deserialize, Serialize};

use super::feedback::FeedbackAction;
use super::followup::FollowUpAction;
use super::incident::IncidentAction;
use super::planned::PlannedAction;
use super::reported::ReportAction;
use super::stated::Stated;

/// Something that an operator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// To an incident.
    Incident(IncidentAction),
    /// To what is planned or left out: maintenance windows, silences, excluded time.
    Planned(PlannedAction),
    /// To what is known of capacity beside what is measured.
    Stated(Stated),
    /// To what is to be done after an incident.
    FollowUp(FollowUpAction),
    /// To what users say, and what they asked the service desk.
    Feedback(FeedbackAction),
    /// What became of a monthly report.
    Report(ReportAction),
}

/// Bytes that are no action that we know.
#[derive(Debug, thiserror::Error)]
#[error("this is no operator's action that we know: {0}")]
pub struct NotAnAction(#[from] serde_json::Error);

impl Action {
    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        match self {
            Self::Incident(action) => action.words(),
            Self::Planned(action) => action.words(),
            Self::Stated(stated) => stated.words(),
            Self::FollowUp(action) => action.words(),
            Self::Feedback(action) => action.words(),
            Self::Report(action) => action.words(),
        }
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From its bytes.
    ///
    /// # Errors
    /// When they are none of ours.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAnAction> {
        Ok(serde_json::from_slice(bytes)?)
    }
}
