//! The messages of the stream, in both directions.

mod assignment;
mod crossing;
mod read;
mod write;

use std::time::Duration;

use bytes::Bytes;

use super::Malformed;
use crate::check::Check;
use crate::sender_key::SenderKey;
use crate::time::WallTime;
use crate::vantage::{AgentId, Epoch, VantagePoint};

pub use assignment::{
    Assigned, AssignedCheck, Assignment, CheckRefusal, Revision, RunAnswer, RunRequest,
};
pub(super) use read::wall;
pub(super) use write::unsigned_ns;

pub use crossing::{
    Crossing, CrossingWord, Expect, MAX_HEADER_BYTES, ReceivingMailbox, Seen, SeenAt, Unready,
    UnreadyReason,
};

/// What an agent says.
#[derive(Debug, PartialEq)]
pub enum FromAgent {
    /// Who it is and what it runs; first, and again when its checks change.
    Hello(Hello),
    /// Observations, in order.
    Batch(Batch),
    /// Sequences that will never come.
    Tombstone(Tombstone),
    /// It lives; the first of four timestamps.
    Heartbeat(Heartbeat),
    /// What became of the checks that it was assigned.
    Assigned(Assigned),
    /// What became of a run that it was asked for.
    RunAnswer(RunAnswer),
    /// Something for another agent, about a mail between the two.
    Crossing(Crossing),
    /// A message of a newer version.
    Unknown,
}

/// What a collector says.
#[derive(Debug, PartialEq)]
pub enum FromCollector {
    /// Answers a Hello.
    Welcome(Welcome),
    /// Everything up to here is on disk.
    Ack(Ack),
    /// Answers a Heartbeat.
    HeartbeatAnswer(HeartbeatAnswer),
    /// Not stored as observations.
    Reject(Reject),
    /// Send no batch for a while.
    Throttle(Throttle),
    /// All checks of the collector for this agent.
    Assignment(Assignment),
    /// One run at once.
    RunRequest(RunRequest),
    /// Something from another agent, about a mail between the two.
    Crossing(Crossing),
    /// A message of a newer version.
    Unknown,
}

/// An agent presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of `uplink.proto` that it speaks.
    pub protocol: u32,
    /// Its name and version.
    pub software: String,
    /// Of its outbox.
    pub epoch: Epoch,
    /// What its next observation will get.
    pub next_sequence: u64,
    /// The oldest that is still spooled; `next_sequence` when none is.
    pub oldest_sequence: u64,
    /// As configured there; the registry owns name and labels.
    pub vantage_point: VantagePoint,
    /// Everything it is scheduled to run.
    pub checks: Vec<Check>,
    /// Random, new at every start of the agent; 0 when it does not say.
    pub instance: u64,
    /// What others verify its signed mail by; `None` when it does not say.
    pub signing_key: Option<SenderKey>,
    /// Where mail of other agents may arrive.
    pub mailboxes: Vec<ReceivingMailbox>,
}

/// Observations in order, without a gap, each as the bytes it was encoded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Of the first; the next has the one after.
    pub first_sequence: u64,
    /// Each within its limit of bytes, not looked into yet.
    pub observations: Vec<Bytes>,
}

impl Batch {
    /// The sequence of the last observation.
    pub fn last_sequence(&self) -> u64 {
        let count = u64::try_from(self.observations.len()).unwrap_or(u64::MAX);
        self.first_sequence.saturating_add(count).saturating_sub(1)
    }
}

/// Sequences that will never come, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Which.
    pub range: SequenceRange,
    /// Why.
    pub reason: TombstoneReason,
    /// How many passing ones were given up.
    pub pass: u64,
    /// How many failing ones were given up.
    pub fail: u64,
    /// How many void ones were given up.
    pub void: u64,
}

/// Why observations were given up at the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TombstoneReason {
    /// The outbox had reached its size.
    SpoolFull,
    /// They had reached the outbox's age.
    TooOld,
    /// The outbox was damaged there.
    Damaged,
    /// A reason that a newer peer knows and we do not.
    Unknown,
}

impl TombstoneReason {
    /// Its word, as in JSON and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpoolFull => "spool_full",
            Self::TooOld => "too_old",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
        }
    }
}

/// An agent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// By the agent's wall clock.
    pub sent_at: WallTime,
    /// Observations that wait for an acknowledgement.
    pub spooled: u64,
    /// Bytes of the outbox on disk.
    pub spooled_bytes: u64,
    /// The agent's clock minus the collector's, in microseconds, where it is known; and the bound on its error.
    pub clock_offset_us: Option<(i64, u64)>,
    /// Since the agent's start.
    pub running: Duration,
}

/// A collector answers a Hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Version of `uplink.proto` that it speaks.
    pub protocol: u32,
    /// Its name and version.
    pub software: String,
    /// Who the agent is, by its certificate.
    pub agent: AgentId,
    /// What the registry calls it.
    pub registered_name: String,
    /// The highest sequence of this epoch on its disk; 0 when there is none.
    pub stored_through: u64,
    /// How many observations may be under way without an acknowledgement.
    pub window: u64,
}

/// This sequence and all before it are on disk, or declared gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The last of them.
    pub through: u64,
}

/// Answers a Heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// The agent's own time, repeated.
    pub agent_sent_at: WallTime,
    /// When the heartbeat came, by the collector's wall clock.
    pub received_at: WallTime,
    /// When this answer left.
    pub sent_at: WallTime,
}

/// These were not stored as observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Which.
    pub ranges: Vec<SequenceRange>,
    /// Why.
    pub reason: RejectReason,
    /// For people.
    pub detail: String,
}

/// Why observations were not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// Not an observation, or beyond its limits.
    Malformed,
    /// The same key was stored before with other bytes.
    Conflict,
    /// A reason that a newer peer knows and we do not.
    Unknown,
}

impl RejectReason {
    /// Its word, as in JSON and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Conflict => "conflict",
            Self::Unknown => "unknown",
        }
    }
}

/// A range of sequences, both ends included, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceRange {
    /// The first of them, at least 1.
    pub first: u64,
    /// The last of them, at least `first`.
    pub last: u64,
}

impl SequenceRange {
    /// How many there are.
    pub const fn count(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// The range, when both ends are in order.
    pub(crate) fn checked(first: u64, last: u64) -> Result<Self, Malformed> {
        if first == 0 || last < first || last == u64::MAX {
            let form = "a first of at least 1 and a last that is not before it";
            return Err(Malformed::Form { what: "a range of sequences", form });
        }
        Ok(Self { first, last })
    }
}

/// Send no batch for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// For so long; at most ten minutes are believed.
    pub pause: Duration,
    /// For people.
    pub reason: String,
}
