//! Why a run failed, or could not be judged, as answers tell it.

use jiff::Timestamp;
use mailsonde_proto::{Fault, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultAnswer {
    /// The slot of the run.
    pub at: Timestamp,
    /// The phase in which it happened.
    pub phase: String,
    /// `temporary`, `permanent`, `timeout`, `refused`, `protocol`, `mismatch` or `unknown`.
    pub class: String,
    /// The server's basic reply code (RFC 5321 section 4.2).
    pub basic_code: Option<u16>,
    /// The server's enhanced status code (RFC 3463).
    pub enhanced_code: Option<String>,
    /// The server's own words; empty when it said nothing.
    pub reply: String,
    /// Ours.
    pub explanation: String,
}

impl FaultAnswer {
    /// Of a run's slot and its fault.
    pub fn new(at: WallTime, fault: Fault) -> Self {
        Self {
            at: at.timestamp(),
            phase: fault.phase,
            class: fault.class.as_str().to_owned(),
            basic_code: fault.basic_code,
            enhanced_code: fault.enhanced_code.map(|code| code.to_string()),
            reply: fault.reply,
            explanation: fault.explanation,
        }
    }
}

/// Why a run could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VoidAnswer {
    /// The slot of the run.
    pub at: Timestamp,
    /// Such as `interrupted`, `local_network`.
    pub reason: String,
    /// For people.
    pub detail: String,
}
