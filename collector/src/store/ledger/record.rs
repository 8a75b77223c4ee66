//! The ledger's records, as they stand in its journal.

use bytes::Bytes;
use mailsonde_proto::convert::{SequenceRange, TombstoneReason};
use mailsonde_proto::{AgentId, Epoch, WallTime};
use prost::Message;

use super::Source;

/// One record of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Observations of one agent, in order.
    Batch {
        /// When it came, by the collector's clock.
        received_at: WallTime,
        /// Whose.
        source: Source,
        /// The sequence of the first.
        first: u64,
        /// As the agent sent them; an empty one was refused as malformed.
        observations: Vec<Bytes>,
    },
    /// Sequences of one agent that will never come.
    Gap {
        /// When that became known, by the collector's clock.
        received_at: WallTime,
        /// Whose.
        source: Source,
        /// Which.
        range: SequenceRange,
        /// Why.
        reason: GapReason,
        /// How many there were of each verdict, where known: pass, fail, void.
        counts: [u64; 3],
    },
}

/// Why sequences will never come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The agent gave them up.
    Agent(TombstoneReason),
    /// This collector had acknowledged them once and does not have them any more.
    CollectorBehind,
}

/// A record is not one of the ledger's.
#[derive(Debug, thiserror::Error)]
#[error("a record of the ledger cannot be read: {0}")]
pub struct Unreadable(String);

/// On disk. Fields are never renumbered; what a newer version adds is skipped.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(fixed64, tag = "1")]
    received_at_ns: u64,
    #[prost(bytes = "bytes", tag = "2")]
    agent: Bytes,
    #[prost(fixed64, tag = "3")]
    epoch: u64,
    #[prost(uint64, tag = "4")]
    first: u64,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    observations: Vec<Bytes>,
    #[prost(message, optional, tag = "6")]
    gap: Option<StoredGap>,
    /// Only in quarantine: why it is there.
    #[prost(string, tag = "7")]
    quarantined: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredGap {
    #[prost(uint64, tag = "1")]
    last: u64,
    #[prost(uint32, tag = "2")]
    reason: u32,
    #[prost(uint64, repeated, tag = "3")]
    counts: Vec<u64>,
}

impl Entry {
    /// Reads a record that a follower of the ledger gave.
    ///
    /// # Errors
    /// When it is not one: a newer version's, which must be passed over.
    pub fn decode(record: Bytes) -> Result<Self, Unreadable> {
        let stored = Stored::decode(record).map_err(|error| Unreadable(error.to_string()))?;
        let agent = <[u8; 16]>::try_from(stored.agent.as_ref())
            .map_err(|error| Unreadable(error.to_string()))?;
        let source = Source { agent: AgentId(agent), epoch: Epoch(stored.epoch) };
        let received_at = WallTime::from_ns(i64::try_from(stored.received_at_ns).unwrap_or(0));
        let first = stored.first;
        let Some(gap) = stored.gap else {
            let observations = stored.observations;
            return Ok(Self::Batch { received_at, source, first, observations });
        };
        let mut counts = [0; 3];
        for (count, stored) in counts.iter_mut().zip(gap.counts) {
            *count = stored;
        }
        let range = SequenceRange { first, last: gap.last };
        let reason = GapReason::from_number(gap.reason);
        Ok(Self::Gap { received_at, source, range, reason, counts })
    }

    /// As it is written.
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Batch { received_at, source, first, observations } => {
                Stored { first, observations, ..stored(received_at, source) }
            }
            Self::Gap { received_at, source, range, reason, counts } => {
                let counts = counts.to_vec();
                let gap = StoredGap { last: range.last, reason: reason.number(), counts };
                Stored { first: range.first, gap: Some(gap), ..stored(received_at, source) }
            }
        }
        .encode_to_vec()
    }
}

/// A record of the quarantine.
pub(super) fn quarantined(
    received_at: WallTime,
    source: Source,
    first: u64,
    (observation, why): (Bytes, &str),
) -> Vec<u8> {
    let quarantined = why.to_owned();
    Stored { first, observations: vec![observation], quarantined, ..stored(received_at, source) }
        .encode_to_vec()
}

fn stored(received_at: WallTime, source: Source) -> Stored {
    Stored {
        received_at_ns: u64::try_from(received_at.as_ns()).unwrap_or(0),
        agent: Bytes::copy_from_slice(&source.agent.0),
        epoch: source.epoch.0,
        ..Stored::default()
    }
}

impl GapReason {
    const fn number(self) -> u32 {
        match self {
            Self::Agent(TombstoneReason::Unknown) => 0,
            Self::Agent(TombstoneReason::SpoolFull) => 1,
            Self::Agent(TombstoneReason::TooOld) => 2,
            Self::Agent(TombstoneReason::Damaged) => 3,
            Self::CollectorBehind => 4,
        }
    }

    const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Agent(TombstoneReason::SpoolFull),
            2 => Self::Agent(TombstoneReason::TooOld),
            3 => Self::Agent(TombstoneReason::Damaged),
            4 => Self::CollectorBehind,
            _ => Self::Agent(TombstoneReason::Unknown),
        }
    }
}
