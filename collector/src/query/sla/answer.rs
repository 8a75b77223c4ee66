//! What is answered of agreements and figures; units stand in the names.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::definition::{Exclusion, Share, Voiced};
use crate::judge::objective::Reached;
use crate::query::ObservationAnswer;

/// Every agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlaAnswer {
    /// Up to when the journals are in the figures.
    pub now: Timestamp,
    /// The time zone in which windows begin and end.
    pub time_zone: String,
    /// By service, in the order of their definition.
    pub agreements: Vec<AgreementAnswer>,
}

/// One agreement over one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgreementAnswer {
    /// Its name.
    pub agreement: String,
    /// To whom; empty when nobody is named.
    pub customer: String,
    /// Of which service.
    pub service: String,
    /// What is promised, of what.
    #[serde(flatten)]
    pub figure: FigureAnswer,
    /// `met`, `missed` or `not_proven`; of a window that is not over, as if it ended now.
    pub result: Reached,
    /// What is owed for certain: a share of the fee. Null when nothing is.
    pub credit: Option<Share>,
    /// What would be owed were all that is unknown bad.
    pub credit_at_worst: Option<Share>,
    /// How many minutes are left out; where minutes are counted, those that were measured.
    pub excluded: u64,
}

/// A figure as an interval, with whole numbers to make it again from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FigureAnswer {
    /// `uptime`, `delivery`, `success` or `latency`.
    pub indicator: String,
    /// Of a latency: no longer than this, in microseconds.
    pub within_us: Option<u64>,
    /// What must be good.
    pub target: Share,
    /// `rolling 30 d`, `month`, `quarter` or `year`.
    pub window: String,
    /// Only the service's hours count.
    pub in_hours: bool,
    /// The window's first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Whether it is over, and everything has come that can be waited for.
    pub is_over: bool,
    /// `minutes` or `runs`.
    pub unit: String,
    /// So many were good.
    pub good: u64,
    /// So many were bad.
    pub bad: u64,
    /// Of so many nobody knows.
    pub unknown: u64,
    /// The lower bound: good / all. Null when nothing was measured.
    pub lower: Option<f64>,
    /// The upper bound: (good + unknown) / all.
    pub upper: Option<f64>,
    /// The share of which something is known: (good + bad) / all.
    pub coverage: Option<f64>,
    /// Whether all were counted one by one. Latencies from before an objective named their limit come from a sketch
    /// whose values are within 1 %.
    pub is_exact: bool,
}

/// One agreement, step by step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainAnswer {
    /// The time zone in which its window begins and ends.
    pub time_zone: String,
    /// What it comes to.
    pub agreement: AgreementAnswer,
    /// How many may be bad.
    pub allowed: u64,
    /// Runs, of checks that the figure counts, or that were behind its minutes: passed, failed, void and missed.
    pub runs: RunsAnswer,
    /// Every stretch of minutes that was down or unknown, in order.
    pub stretches: Vec<StretchAnswer>,
    /// Everything that was left out, and why.
    pub excluded: Vec<ExcludedAnswer>,
    /// Who failed, most first.
    pub spent_by: Vec<SpentByAnswer>,
    /// The failed runs behind it, newest first, as long as the ledger has them.
    pub observations: Vec<ObservationAnswer>,
    /// There were more lines than fit.
    pub is_cut: bool,
}

/// What runs came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunsAnswer {
    /// Passed.
    pub pass: u64,
    /// Failed.
    pub fail: u64,
    /// Could not be judged.
    pub void: u64,
    /// Nothing came.
    pub missed: u64,
}

/// Minutes in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StretchAnswer {
    /// The first minute.
    pub from: Timestamp,
    /// The first minute after it.
    pub until: Timestamp,
    /// How many minutes.
    pub minutes: u64,
    /// `down` or `unknown`.
    pub state: Voiced,
}

/// Time that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExcludedAnswer {
    /// The first moment of it.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// `maintenance` or `customer_fault`.
    pub kind: Exclusion,
    /// Why.
    pub reason: String,
    /// Of the maintenance window or the exclusion.
    pub number: u64,
    /// How many minutes of it would have counted and were not left out by one before it.
    pub count: u64,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpentByAnswer {
    /// The voice, such as a site.
    pub voice: String,
    /// The check.
    pub check: String,
    /// The phase that failed.
    pub phase: String,
    /// The fault's class.
    pub class: String,
    /// How often.
    pub failures: u64,
}
