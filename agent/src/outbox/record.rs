//! What the ledger's records say, as they stand on disk.
//!
//! Fields are never renumbered; an unknown record is skipped, so that an older agent can read on.

use mailsonde_proto::convert::{SequenceRange, Tombstone, TombstoneReason};
use mailsonde_proto::{Cause, Epoch, RunId, SettingsDigest, WallTime};
use prost::Message;

use super::state::Span;
use super::{Intent, Told};

/// One record of the ledger.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Record {
    #[prost(oneof = "Mark", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) mark: Option<Mark>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Mark {
    #[prost(message, tag = "1")]
    Intent(IntentRecord),
    #[prost(message, tag = "2")]
    Closed(ClosedRecord),
    #[prost(message, tag = "3")]
    Settled(SettledRecord),
    #[prost(message, tag = "4")]
    Tombstone(TombstoneRecord),
    #[prost(message, tag = "5")]
    Told(ToldRecord),
    #[prost(message, tag = "6")]
    Epoch(EpochRecord),
}

/// A run is about to begin; the record's sequence is its number.
#[derive(Clone, PartialEq, Message)]
pub(super) struct IntentRecord {
    #[prost(fixed64, tag = "1")]
    epoch: u64,
    #[prost(string, tag = "2")]
    check: String,
    #[prost(string, tag = "3")]
    kind: String,
    #[prost(sfixed64, tag = "4")]
    scheduled_for_ns: i64,
    #[prost(sfixed64, tag = "5")]
    written_at_ns: i64,
    #[prost(uint32, tag = "6")]
    cause: u32,
    #[prost(bytes = "vec", tag = "7")]
    settings_digest: Vec<u8>,
    /// Only in a snapshot, where the record's own sequence says nothing.
    #[prost(uint64, tag = "8")]
    pub(super) number: u64,
}

impl IntentRecord {
    pub(super) fn new(epoch: Epoch, number: u64, intent: &Intent) -> Self {
        Self {
            epoch: epoch.0,
            check: intent.check.clone(),
            kind: intent.kind.clone(),
            scheduled_for_ns: intent.scheduled_for.as_ns(),
            written_at_ns: intent.written_at.as_ns(),
            cause: match intent.cause {
                Cause::Unknown => 0,
                Cause::Scheduled => 1,
                Cause::Confirmation => 2,
                Cause::OnDemand => 3,
            },
            settings_digest: intent.settings_digest.0.to_vec(),
            number,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }

    pub(super) fn intent(&self) -> Intent {
        Intent {
            check: self.check.clone(),
            kind: self.kind.clone(),
            scheduled_for: WallTime::from_ns(self.scheduled_for_ns),
            written_at: WallTime::from_ns(self.written_at_ns),
            cause: match self.cause {
                1 => Cause::Scheduled,
                2 => Cause::Confirmation,
                3 => Cause::OnDemand,
                _ => Cause::Unknown,
            },
            settings_digest: SettingsDigest(
                self.settings_digest.as_slice().try_into().unwrap_or_default(),
            ),
        }
    }
}

/// The spool's record `through` holds the observation of the run `intent` (0: of none).
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ClosedRecord {
    #[prost(uint64, tag = "1")]
    pub(super) intent: u64,
    #[prost(uint64, tag = "2")]
    pub(super) through: u64,
    /// Whether the run saw its message arrive, or passed.
    #[prost(bool, tag = "3")]
    pub(super) was_seen: bool,
}

/// How far the collector has answered, in absolute numbers, so that reading it twice counts once.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SettledRecord {
    #[prost(uint64, tag = "1")]
    pub(super) through: u64,
    #[prost(uint64, tag = "2")]
    pub(super) acknowledged: u64,
    #[prost(uint64, tag = "3")]
    pub(super) rejected: u64,
    #[prost(message, repeated, tag = "4")]
    pub(super) rejected_ahead: Vec<RangeRecord>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct RangeRecord {
    #[prost(uint64, tag = "1")]
    first: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
}

impl From<SequenceRange> for RangeRecord {
    fn from(range: SequenceRange) -> Self {
        Self { first: range.first, last: range.last }
    }
}

impl From<RangeRecord> for SequenceRange {
    fn from(range: RangeRecord) -> Self {
        Self { first: range.first, last: range.last }
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct TombstoneRecord {
    #[prost(uint64, tag = "1")]
    first: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
    #[prost(uint32, tag = "3")]
    reason: u32,
    #[prost(uint64, tag = "4")]
    pass: u64,
    #[prost(uint64, tag = "5")]
    fail: u64,
    #[prost(uint64, tag = "6")]
    void: u64,
}

impl From<Tombstone> for TombstoneRecord {
    fn from(tombstone: Tombstone) -> Self {
        Self {
            first: tombstone.range.first,
            last: tombstone.range.last,
            reason: match tombstone.reason {
                TombstoneReason::Unknown => 0,
                TombstoneReason::SpoolFull => 1,
                TombstoneReason::TooOld => 2,
                TombstoneReason::Damaged => 3,
            },
            pass: tombstone.pass,
            fail: tombstone.fail,
            void: tombstone.void,
        }
    }
}

impl From<TombstoneRecord> for Tombstone {
    fn from(record: TombstoneRecord) -> Self {
        Self {
            range: SequenceRange { first: record.first, last: record.last },
            reason: match record.reason {
                1 => TombstoneReason::SpoolFull,
                2 => TombstoneReason::TooOld,
                3 => TombstoneReason::Damaged,
                _ => TombstoneReason::Unknown,
            },
            pass: record.pass,
            fail: record.fail,
            void: record.void,
        }
    }
}

/// An amendment was spooled: it is not told again.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ToldRecord {
    #[prost(fixed64, tag = "1")]
    epoch: u64,
    #[prost(uint64, tag = "2")]
    intent: u64,
    #[prost(fixed64, tag = "3")]
    what: u64,
}

impl From<Told> for ToldRecord {
    fn from(told: Told) -> Self {
        Self { epoch: told.run.epoch.0, intent: told.run.intent, what: told.what }
    }
}

impl From<ToldRecord> for Told {
    fn from(record: ToldRecord) -> Self {
        let run = RunId { epoch: Epoch(record.epoch), intent: record.intent };
        Self { run, what: record.what }
    }
}

/// The spool's records behind `base` are of this epoch, until another begins.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct EpochRecord {
    #[prost(fixed64, tag = "1")]
    epoch: u64,
    #[prost(uint64, tag = "2")]
    base: u64,
}

impl From<Span> for EpochRecord {
    fn from(span: Span) -> Self {
        Self { epoch: span.epoch.0, base: span.base }
    }
}

impl From<EpochRecord> for Span {
    fn from(record: EpochRecord) -> Self {
        Self { epoch: Epoch(record.epoch), base: record.base }
    }
}

/// Everything the ledger says up to the segment in whose header this stands.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Snapshot {
    #[prost(message, repeated, tag = "1")]
    pub(super) epochs: Vec<EpochRecord>,
    #[prost(message, repeated, tag = "2")]
    pub(super) open: Vec<IntentRecord>,
    #[prost(uint64, tag = "3")]
    pub(super) closed_through: u64,
    #[prost(message, optional, tag = "4")]
    pub(super) settled: Option<SettledRecord>,
    #[prost(message, repeated, tag = "5")]
    pub(super) tombstones: Vec<TombstoneRecord>,
    #[prost(uint64, tag = "6")]
    pub(super) tombstoned: u64,
    #[prost(message, repeated, tag = "7")]
    pub(super) told: Vec<ToldRecord>,
}
