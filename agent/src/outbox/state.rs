//! What the ledger adds up to: open runs, epochs, and what became of every observation. Pure.
//!
//! Sequences here are those of the spool's records. Invariants: every record up to `settled` is
//! acknowledged, rejected or tombstoned; every one behind it is spooled unless it lies in exactly one
//! of `rejected_ahead` and `tombstones`. Applying a mark twice is as applying it once.

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_proto::convert::{SequenceRange, Tombstone};
use mailsonde_proto::{Epoch, RunId};
use prost::Message;

use super::record::{ClosedRecord, IntentRecord};
use super::record::{Mark, SettledRecord, Snapshot};
use super::{Accounts, Told};

/// How many amendments are remembered as told; of more, those of the oldest runs are forgotten.
const MOST_TOLD: usize = 4_096;
/// From so many tombstones on, neighbours of one reason are joined.
const MANY_TOMBSTONES: usize = 256;

/// The part of the spool that is of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Of the observations.
    pub(super) epoch: Epoch,
    /// The spool's record before the epoch's first: record = base + sequence.
    pub(super) base: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Those with unsettled records, and the current one, which is last.
    pub(super) epochs: Vec<Span>,
    pub(super) open: BTreeMap<u64, IntentRecord>,
    /// Up to here the ledger knows which runs the spool's records are of.
    pub(super) closed_through: u64,
    pub(super) settled: u64,
    acknowledged: u64,
    rejected: u64,
    tombstoned: u64,
    rejected_ahead: Vec<SequenceRange>,
    /// Those that the collector has not answered, in order.
    pub(super) tombstones: Vec<Tombstone>,
    told: BTreeSet<Told>,
}

impl State {
    /// Reads a snapshot; one that cannot be read is as none.
    pub(super) fn from_note(note: &[u8]) -> Self {
        let Ok(snapshot) = Snapshot::decode(note) else {
            return Self::default();
        };
        let settled = snapshot.settled.unwrap_or_default();
        Self {
            epochs: snapshot.epochs.into_iter().map(Span::from).collect(),
            open: snapshot.open.into_iter().map(|intent| (intent.number, intent)).collect(),
            closed_through: snapshot.closed_through,
            settled: settled.through,
            acknowledged: settled.acknowledged,
            rejected: settled.rejected,
            tombstoned: snapshot.tombstoned,
            rejected_ahead: settled.rejected_ahead.into_iter().map(SequenceRange::from).collect(),
            tombstones: snapshot.tombstones.into_iter().map(Tombstone::from).collect(),
            told: snapshot.told.into_iter().map(Told::from).collect(),
        }
    }

    /// The snapshot for a segment's header.
    pub(super) fn to_note(&self) -> Vec<u8> {
        Snapshot {
            epochs: self.epochs.iter().copied().map(Into::into).collect(),
            open: self.open.values().cloned().collect(),
            closed_through: self.closed_through,
            settled: Some(self.settled_record()),
            tombstones: self.tombstones.iter().copied().map(Into::into).collect(),
            tombstoned: self.tombstoned,
            told: self.told.iter().copied().map(Into::into).collect(),
        }
        .encode_to_vec()
    }

    /// The epochs alone, for the spool's headers: what is left of them when the ledger is lost.
    pub(super) fn epochs_note(&self) -> Vec<u8> {
        Self { epochs: self.epochs.clone(), ..Self::default() }.to_note()
    }

    pub(super) fn settled_record(&self) -> SettledRecord {
        SettledRecord {
            through: self.settled,
            acknowledged: self.acknowledged,
            rejected: self.rejected,
            rejected_ahead: self.rejected_ahead.iter().copied().map(Into::into).collect(),
        }
    }

    /// Takes in one record of the ledger, whose sequence is `number`.
    pub(super) fn apply(&mut self, number: u64, mark: Mark) {
        match mark {
            Mark::Intent(mut intent) => {
                intent.number = number;
                self.open.insert(number, intent);
            }
            Mark::Closed(ClosedRecord { intent, through, .. }) => {
                self.open.remove(&intent);
                self.closed_through = self.closed_through.max(through);
            }
            Mark::Settled(settled) if settled.through >= self.settled => {
                self.settled = settled.through;
                self.acknowledged = settled.acknowledged;
                self.rejected = settled.rejected;
                self.rejected_ahead =
                    settled.rejected_ahead.into_iter().map(SequenceRange::from).collect();
                self.forget_settled();
            }
            Mark::Settled(_) => {}
            Mark::Tombstone(tombstone) => self.bury(tombstone.into()),
            Mark::Told(told) => self.tell(told.into()),
            Mark::Epoch(span) => self.begin_epoch(span.into()),
        }
    }

    pub(super) fn begin_epoch(&mut self, span: Span) {
        if self.epochs.last().is_none_or(|last| last.epoch != span.epoch) {
            self.epochs.push(span);
        }
        self.forget_settled();
    }

    /// The current epoch.
    pub(super) fn epoch(&self) -> Epoch {
        self.epochs.last().map_or(Epoch(0), |span| span.epoch)
    }

    pub(super) fn was_told(&self, told: Told) -> bool {
        self.told.contains(&told)
    }

    /// Whether anything was told about a run.
    pub(super) fn was_amended(&self, run: RunId) -> bool {
        let least = Told { run, what: 0 };
        self.told.range(least..).next().is_some_and(|told| told.run == run)
    }

    pub(super) fn tell(&mut self, told: Told) {
        self.told.insert(told);
        while self.told.len() > MOST_TOLD {
            self.told.pop_first();
        }
    }

    /// The collector has this record and all before it.
    pub(super) fn acknowledge(&mut self, through: u64) {
        let Some(fresh) = between(self.settled.saturating_add(1), through) else {
            return;
        };
        let other = self.rejected_ahead.iter().chain(self.tombstones.iter().map(|t| &t.range));
        let other: u64 = other.filter_map(|range| overlap(*range, fresh)).map(count).sum();
        self.acknowledged += count(fresh).saturating_sub(other);
        self.settled = through;
        self.forget_settled();
        self.pass_rejected();
    }

    /// The collector will not store these.
    pub(super) fn reject(&mut self, range: SequenceRange) {
        for part in self.spooled_parts(range) {
            self.rejected += count(part);
            self.rejected_ahead.push(part);
        }
        self.rejected_ahead.sort_by_key(|range| range.first);
        self.pass_rejected();
    }

    /// These are gone.
    pub(super) fn bury(&mut self, tombstone: Tombstone) {
        // A snapshot may know of it already, all of it or, when neighbours were joined, within another.
        for part in self.spooled_parts(tombstone.range) {
            self.tombstoned += count(part);
            self.tombstones.push(Tombstone { range: part, ..tombstone });
        }
        self.tombstones.sort_by_key(|tombstone| tombstone.range.first);
        if self.tombstones.len() > MANY_TOMBSTONES {
            self.tombstones = joined(&self.tombstones);
        }
    }

    /// The parts of a range that are spooled still.
    pub(super) fn spooled_parts(&self, range: SequenceRange) -> Vec<SequenceRange> {
        let mut gone: Vec<SequenceRange> = self.rejected_ahead.clone();
        gone.extend(self.tombstones.iter().map(|tombstone| tombstone.range));
        gone.sort_by_key(|range| range.first);
        let mut from = range.first.max(self.settled.saturating_add(1));
        let mut parts = Vec::new();
        for gone in gone.into_iter().filter_map(|gone| overlap(gone, range)) {
            parts.extend(between(from, gone.first.saturating_sub(1)));
            from = from.max(gone.last.saturating_add(1));
        }
        parts.extend(between(from, range.last));
        parts
    }

    /// What became of everything, when the spool's next record is `next`.
    pub(super) fn accounts(&self, next: u64) -> Accounts {
        let produced = next.saturating_sub(1);
        let spooled = between(1, produced)
            .map_or(0, |all| self.spooled_parts(all).into_iter().map(count).sum());
        Accounts {
            produced,
            acknowledged: self.acknowledged,
            spooled,
            tombstoned: self.tombstoned,
            rejected: self.rejected,
        }
    }

    /// Everything up to `through` was lost sight of with the ledger: only acknowledged segments go
    /// without leaving a trace there.
    pub(super) fn assume_settled(&mut self, through: u64) {
        self.acknowledge(through);
        self.closed_through = self.closed_through.max(through);
    }

    /// Rejected records directly behind what is settled need no acknowledgement.
    fn pass_rejected(&mut self) {
        while let Some(next) = self.rejected_ahead.first()
            && next.first <= self.settled.saturating_add(1)
        {
            self.settled = self.settled.max(next.last);
            self.rejected_ahead.remove(0);
        }
        self.forget_settled();
    }

    fn forget_settled(&mut self) {
        let settled = self.settled;
        self.tombstones.retain(|tombstone| tombstone.range.last > settled);
        for tombstone in &mut self.tombstones {
            tombstone.range.first = tombstone.range.first.max(settled.saturating_add(1));
        }
        self.rejected_ahead.retain(|range| range.last > settled);
        for range in &mut self.rejected_ahead {
            range.first = range.first.max(settled.saturating_add(1));
        }
        while self.epochs.get(1).is_some_and(|behind| behind.base <= settled) {
            self.epochs.remove(0);
        }
    }
}

fn count(range: SequenceRange) -> u64 {
    range.count()
}

fn between(first: u64, last: u64) -> Option<SequenceRange> {
    (first <= last && first > 0).then_some(SequenceRange { first, last })
}

fn overlap(a: SequenceRange, b: SequenceRange) -> Option<SequenceRange> {
    between(a.first.max(b.first), a.last.min(b.last))
}

fn joined(tombstones: &[Tombstone]) -> Vec<Tombstone> {
    let mut joined: Vec<Tombstone> = Vec::new();
    for tombstone in tombstones {
        match joined.last_mut() {
            Some(last)
                if last.reason == tombstone.reason
                    && last.range.last.saturating_add(1) == tombstone.range.first =>
            {
                last.range.last = tombstone.range.last;
                last.pass += tombstone.pass;
                last.fail += tombstone.fail;
                last.void += tombstone.void;
            }
            _ => joined.push(*tombstone),
        }
    }
    joined
}
