//! What a run found.

use crate::check::SettingsDigest;
use crate::fault::Fault;
use crate::phase::Phase;
use crate::time::WallTime;
use crate::vantage::Epoch;

/// Names one run of one agent; with the agent's identity it names it among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// Of the outbox that holds the run's intent.
    pub epoch: Epoch,
    /// The intent's number in that outbox.
    pub intent: u64,
}

/// What one run found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The run's intent number; the epoch is that of the stream it travels on.
    pub intent: u64,
    /// The check's name.
    pub check: String,
    /// The check's kind.
    pub kind: String,
    /// The slot that the run was for; for on-demand runs the time of the demand.
    pub scheduled_for: WallTime,
    /// When the run began, by the agent's wall clock.
    pub started_at: WallTime,
    /// Bound on the error of the agent's wall clock in microseconds, where known.
    pub clock_error_us: Option<u64>,
    /// Why there was a run.
    pub cause: Cause,
    /// Of the settings it ran with.
    pub settings_digest: SettingsDigest,
    /// The earlier run about which this tells more (late, twice, altered, bounced afterwards).
    pub amends: Option<RunId>,
    /// What the run says.
    pub verdict: Verdict,
    /// How long the run took, in microseconds; for a round trip from the start of the submission to
    /// the message first seen.
    pub total_us: u64,
    /// Its timed parts, in order of their start.
    pub phases: Vec<Phase>,
    /// Names and values that the probe learnt.
    pub facts: Vec<Fact>,
    /// Posture rules that do not hold.
    pub findings: Vec<Finding>,
    /// What was said on the wire, secrets left out; empty unless the run failed.
    pub transcript: String,
}

impl Observation {
    /// Whether it counts in service level indicators: scheduled, and of its own run.
    pub fn counts(&self) -> bool {
        self.cause == Cause::Scheduled && self.amends.is_none()
    }
}

/// Why there was a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its slot was due.
    Scheduled,
    /// The collector wanted a failure confirmed.
    Confirmation,
    /// Somebody asked.
    OnDemand,
    /// A cause that a newer peer knows and we do not.
    Unknown,
}

impl Cause {
    /// Its word, as in JSON and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Confirmation => "confirmation",
            Self::OnDemand => "on_demand",
            Self::Unknown => "unknown",
        }
    }
}

/// What a run says about its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Pass,
    /// It does not, and this is why.
    Fail(Fault),
    /// It could not be judged. Never counted up, never counted down.
    Void {
        /// Why not.
        reason: VoidReason,
        /// For people: one sentence, lower case, without a full stop.
        detail: String,
    },
}

impl Verdict {
    /// A void verdict.
    pub fn void(reason: VoidReason, detail: impl Into<String>) -> Self {
        Self::Void { reason, detail: detail.into() }
    }

    /// Its word: `pass`, `fail` or `void`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::Void { .. } => "void",
        }
    }
}

/// Why a run could not be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VoidReason {
    /// The agent ended in mid-run.
    Interrupted,
    /// The slot passed without a run.
    Missed,
    /// Somebody paused it.
    Paused,
    /// The run before was still under way.
    Overrun,
    /// The agent's own network.
    LocalNetwork,
    /// The agent's own clock.
    LocalClock,
    /// The intent could not be written.
    LocalDisk,
    /// The agent's policy forbids it.
    Policy,
    /// A defect of the probe itself.
    Internal,
    /// Another agent, which was to see the mail arrive, did not watch.
    Peer,
    /// A reason that a newer peer knows and we do not.
    Unknown,
}

impl VoidReason {
    /// Its word, as in JSON and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Missed => "missed",
            Self::Paused => "paused",
            Self::Overrun => "overrun",
            Self::LocalNetwork => "local_network",
            Self::LocalClock => "local_clock",
            Self::LocalDisk => "local_disk",
            Self::Policy => "policy",
            Self::Internal => "internal",
            Self::Peer => "peer",
            Self::Unknown => "unknown",
        }
    }
}

/// A name and a value that a probe learnt, such as `smtp.greeting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Dotted words, lower case.
    pub name: String,
    /// Text as it is shown.
    pub value: String,
}

impl Fact {
    /// A fact of this name.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// One posture rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, such as `tls.certificate_expires_soon`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub evidence: String,
    /// The document that the rule comes from.
    pub source: String,
    /// What to do.
    pub advice: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A severity that a newer peer knows and we do not.
    Unknown,
    /// Worth knowing.
    Notice,
    /// Will hurt.
    Warning,
    /// Hurts now.
    Critical,
}

impl Severity {
    /// Its word, as in JSON and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
