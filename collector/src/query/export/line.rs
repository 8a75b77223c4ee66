//! What a line of an export says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::definition::{Definitions, Exclusion};

/// One observation; times in microseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObservationLine {
    /// The agent's identity.
    pub agent: String,
    /// What its vantage point was called when the slot was due.
    pub vantage_point: String,
    /// The check's name.
    pub check: String,
    /// The check's kind.
    pub kind: String,
    /// The slot.
    pub scheduled_us: i64,
    /// When the collector had it.
    pub received_us: i64,
    /// `scheduled`, `confirmation`, `on_demand` or `unknown`.
    pub cause: String,
    /// It tells more about an earlier run.
    pub amends: bool,
    /// `pass`, `fail` or `void`.
    pub verdict: String,
    /// Of a failure: the phase.
    pub phase: String,
    /// Of a failure: the fault's class.
    pub class: String,
    /// Of a void run: why.
    pub reason: String,
    /// How long the run took, in microseconds.
    pub total_us: u64,
}

/// A stretch of a service's minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlotsLine {
    /// The service.
    pub service: String,
    /// The first minute.
    pub from: Timestamp,
    /// The first minute after it.
    pub until: Timestamp,
    /// How many.
    pub minutes: u64,
    /// `up`, `unknown` or `down`.
    pub state: String,
}

/// Something that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum DefinitionLine {
    /// Services, objectives and agreements.
    Definitions {
        /// From when on, in nanoseconds since 1970-01-01 UTC; the first hold back to the beginning.
        from_ns: i64,
        /// All of them.
        definitions: Definitions,
    },
    /// What an agent was called.
    Agent {
        /// Its identity.
        agent: String,
        /// From when on, in nanoseconds since 1970-01-01 UTC; the first name holds back.
        from_ns: i64,
        /// Its name; none once it was revoked.
        name: Option<String>,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// Time that operators left out of a service's agreements.
    Excluded {
        /// The service's name.
        service: String,
        /// The first moment, in nanoseconds since 1970-01-01 UTC.
        from_ns: i64,
        /// The first moment after it.
        until_ns: i64,
        /// By which of an agreement's exclusions.
        kind: Exclusion,
        /// For people.
        reason: String,
        /// Of the maintenance window, or of the exclusion.
        number: u64,
        /// When it was planned or noted, in nanoseconds since 1970-01-01 UTC.
        noted_ns: i64,
    },
    /// When a check was to run at a vantage point.
    Schedule {
        /// The agent's identity.
        agent: String,
        /// The check's name.
        check: String,
        /// The check's kind.
        kind: String,
        /// From when on, in nanoseconds since 1970-01-01 UTC.
        from_ns: i64,
        /// Until when, where it is over.
        until_ns: Option<i64>,
        /// From one slot to the next, in microseconds.
        cadence_us: u64,
        /// Slots are at every time T, in microseconds, with `T mod cadence_us == slot_offset_us`.
        slot_offset_us: u64,
        /// How long a run may take, in microseconds.
        timeout_us: u64,
    },
}
