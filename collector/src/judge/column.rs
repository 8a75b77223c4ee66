//! One phase of one series over the buckets of a period, as bytes: a column for every figure.
//!
//! A column of 60 lone minutes takes about 200 bytes here and about 60 in a compressed block. Counts that
//! are zero throughout are not written. The encoding is protobuf, so figures can be added; it is
//! canonical (equal columns have equal bytes), so that a replay can be compared byte by byte.

use std::collections::BTreeSet;

use prost::Message;

use crate::judge::rollup::{Cell, Counts, FaultCode, VoidCode};
use crate::judge::sketch::Sketch;
use crate::series::PhaseId;

/// More buckets than any period has.
const BUCKETS: u8 = 64;

/// The cells of a period that hold something, by bucket.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Column {
    cells: Vec<(u8, Cell)>,
}

/// These bytes are no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored column cannot be read; its period has to be rebuilt")]
pub struct NotAColumn;

impl Column {
    /// The cells, by bucket.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Cell)> {
        self.cells.iter().map(|(bucket, cell)| (*bucket, cell))
    }

    /// The cell of a bucket, where there is one.
    pub fn get(&self, bucket: u8) -> Option<&Cell> {
        let at = self.cells.binary_search_by_key(&bucket, |(bucket, _)| *bucket).ok()?;
        self.cells.get(at).map(|(_, cell)| cell)
    }

    /// Takes in a cell; buckets from 64 on do not exist and are not kept.
    pub fn merge_cell(&mut self, bucket: u8, cell: &Cell) {
        self.change(bucket, |there| there.merge(cell));
    }

    /// Takes in the latencies of a phase.
    pub fn merge_latency(&mut self, bucket: u8, latency: &Sketch) {
        self.change(bucket, |there| there.latency.merge(latency));
    }

    /// Takes in another column of the same period.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, cell) in &other.cells {
            self.merge_cell(*bucket, cell);
        }
    }

    /// All buckets together.
    pub fn sum(&self) -> Cell {
        self.cells.iter().fold(Cell::default(), |mut sum, (_, cell)| {
            sum.merge(cell);
            sum
        })
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut record = Record::default();
        let counts = |figure: fn(&Counts) -> u64| {
            let figures: Vec<u64> =
                self.cells.iter().map(|(_, cell)| figure(&cell.counts)).collect();
            if figures.iter().all(|figure| *figure == 0) { Vec::new() } else { figures }
        };
        record.pass = counts(|counts| counts.pass);
        record.fail = counts(|counts| counts.fail);
        record.void = counts(|counts| counts.void);
        record.extra = counts(|counts| counts.extra);
        record.amended = counts(|counts| counts.amended);
        record.misdated = counts(|counts| counts.misdated);
        let mut before = 0;
        for (bucket, cell) in &self.cells {
            record.buckets |= 1 << u64::from(*bucket);
            let first = i32::from(cell.latency.first_bin());
            if !cell.latency.is_empty() {
                record.first_bins.push(first - before);
                before = first;
            }
            record.bin_counts.push(u32::try_from(cell.latency.bin_count()).unwrap_or(u32::MAX));
            cell.latency.write(&mut record.bins);
            let bucket = u32::from(*bucket);
            record.void_by.extend(cell.counts.void_by.iter().map(|(VoidCode(reason), count)| {
                VoidRecord { bucket, reason: reason.into(), count }
            }));
            record.limits.extend(limits(bucket, cell));
            record.fail_by.extend(cell.counts.fail_by.iter().map(|(code, count)| FailRecord {
                bucket,
                phase: code.phase.0,
                class: code.class.into(),
                count,
            }));
        }
        record.encode_to_vec()
    }

    /// From bytes.
    ///
    /// # Errors
    /// When they are no column.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAColumn> {
        let record = Record::decode(bytes).ok().ok_or(NotAColumn)?;
        record.column().ok_or(NotAColumn)
    }

    /// From bytes, without how long runs took: for those who only count, and less than half the work.
    ///
    /// # Errors
    /// When they are no column.
    pub fn decode_counts(bytes: &[u8]) -> Result<Self, NotAColumn> {
        let mut record = Record::decode(bytes).ok().ok_or(NotAColumn)?;
        record.bin_counts.fill(0);
        record.column().ok_or(NotAColumn)
    }

    fn change(&mut self, bucket: u8, change: impl FnOnce(&mut Cell)) {
        if bucket >= BUCKETS {
            return;
        }
        let at = match self.cells.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => at,
            Err(at) => {
                self.cells.insert(at, (bucket, Cell::default()));
                at
            }
        };
        if let Some((_, cell)) = self.cells.get_mut(at) {
            change(cell);
        }
    }
}

/// The columns on disk. Those of counts have a figure for every bucket, or none at all.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(fixed64, tag = "1")]
    buckets: u64, // one bit each
    #[prost(uint64, repeated, tag = "2")]
    pass: Vec<u64>,
    #[prost(uint64, repeated, tag = "3")]
    fail: Vec<u64>,
    #[prost(uint64, repeated, tag = "4")]
    void: Vec<u64>,
    #[prost(uint64, repeated, tag = "5")]
    extra: Vec<u64>,
    #[prost(uint64, repeated, tag = "6")]
    amended: Vec<u64>,
    #[prost(uint64, repeated, tag = "7")]
    misdated: Vec<u64>,
    #[prost(message, repeated, tag = "8")]
    void_by: Vec<VoidRecord>,
    #[prost(message, repeated, tag = "9")]
    fail_by: Vec<FailRecord>,
    #[prost(uint32, repeated, tag = "10")]
    bin_counts: Vec<u32>,
    #[prost(sint32, repeated, tag = "11")]
    first_bins: Vec<i32>, // of sketches that hold something, each as the difference from the one before
    #[prost(bytes = "vec", tag = "12")]
    bins: Vec<u8>, // Sketch::write, one after another
    #[prost(message, repeated, tag = "13")]
    limits: Vec<LimitRecord>, // by bucket and limit
}

#[derive(Clone, PartialEq, Message)]
struct LimitRecord {
    #[prost(uint32, tag = "1")]
    bucket: u32,
    #[prost(uint64, tag = "2")]
    limit_us: u64,
    #[prost(uint64, tag = "3")]
    within: u64,
    #[prost(uint64, tag = "4")]
    beyond: u64,
}

/// What a cell's round trips were counted against, by limit.
fn limits(bucket: u32, cell: &Cell) -> impl Iterator<Item = LimitRecord> + '_ {
    let limits = cell.within.iter().chain(cell.beyond.iter()).map(|(limit_us, _)| limit_us);
    limits.collect::<BTreeSet<u64>>().into_iter().map(move |limit_us| LimitRecord {
        bucket,
        limit_us,
        within: cell.within.of(limit_us),
        beyond: cell.beyond.of(limit_us),
    })
}

#[derive(Clone, PartialEq, Message)]
struct VoidRecord {
    #[prost(uint32, tag = "1")]
    bucket: u32,
    #[prost(uint32, tag = "2")]
    reason: u32,
    #[prost(uint64, tag = "3")]
    count: u64,
}

#[derive(Clone, PartialEq, Message)]
struct FailRecord {
    #[prost(uint32, tag = "1")]
    bucket: u32,
    #[prost(fixed32, tag = "2")]
    phase: u32,
    #[prost(uint32, tag = "3")]
    class: u32,
    #[prost(uint64, tag = "4")]
    count: u64,
}

impl Record {
    fn column(&self) -> Option<Column> {
        let mut bins = self.bins.as_slice();
        let mut first_bins = self.first_bins.iter();
        let mut first = 0_i16;
        let buckets = (0..BUCKETS).filter(|bucket| self.buckets >> u64::from(*bucket) & 1 == 1);
        let mut column = Column::default();
        for (index, bucket) in buckets.enumerate() {
            let mut cell = Cell { counts: self.counts(index), ..Cell::default() };
            let bin_count = usize::try_from(self.bin_counts.get(index).copied()?).ok()?;
            if bin_count > 0 {
                first = i16::try_from(i32::from(first).checked_add(*first_bins.next()?)?).ok()?;
                cell.latency = Sketch::read(first, bin_count, &mut bins)?;
            }
            column.cells.push((bucket, cell));
        }
        for VoidRecord { bucket, reason, count } in &self.void_by {
            let code = VoidCode(u8::try_from(*reason).ok()?);
            column.counts_of(*bucket)?.void_by.add(code, *count);
        }
        for FailRecord { bucket, phase, class, count } in &self.fail_by {
            let code = FaultCode { phase: PhaseId(*phase), class: u8::try_from(*class).ok()? };
            column.counts_of(*bucket)?.fail_by.add(code, *count);
        }
        for LimitRecord { bucket, limit_us, within, beyond } in &self.limits {
            let cell = column.cell_of(*bucket)?;
            for (tally, count) in [(&mut cell.within, *within), (&mut cell.beyond, *beyond)] {
                if count > 0 {
                    tally.add(*limit_us, count);
                }
            }
        }
        Some(column)
    }

    fn counts(&self, index: usize) -> Counts {
        let figure = |figures: &[u64]| figures.get(index).copied().unwrap_or(0);
        Counts {
            pass: figure(&self.pass),
            fail: figure(&self.fail),
            void: figure(&self.void),
            extra: figure(&self.extra),
            amended: figure(&self.amended),
            misdated: figure(&self.misdated),
            ..Counts::default()
        }
    }
}

impl Column {
    fn counts_of(&mut self, bucket: u32) -> Option<&mut Counts> {
        self.cell_of(bucket).map(|cell| &mut cell.counts)
    }

    fn cell_of(&mut self, bucket: u32) -> Option<&mut Cell> {
        let at = self.cells.binary_search_by_key(&bucket, |(bucket, _)| u32::from(*bucket)).ok()?;
        self.cells.get_mut(at).map(|(_, cell)| cell)
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::{Fault, FaultClass, Verdict, VoidReason};
    use proptest::prelude::*;

    use super::*;

    fn verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            4 => Just(Verdict::Pass),
            1 => Just(Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "no"))),
            1 => Just(Verdict::Fail(Fault::new("tls", FaultClass::Timeout, "late"))),
            1 => Just(Verdict::void(VoidReason::LocalNetwork, "")),
        ]
    }

    fn cell() -> impl Strategy<Value = Cell> {
        (prop::collection::vec((verdict(), -1_000..50_000_000_i64), 0..40), 0..3_u64).prop_map(
            |(runs, extra)| {
                let mut cell = Cell::default();
                cell.counts.extra = extra;
                for (verdict, total_us) in runs {
                    cell.counts.add(&verdict);
                    if verdict == Verdict::Pass {
                        cell.latency.add(total_us);
                        for limit_us in [20_000, 1_000_000] {
                            let is_within = total_us <= 20_000;
                            let tally = if is_within { &mut cell.within } else { &mut cell.beyond };
                            tally.add(limit_us, 1);
                        }
                    }
                }
                cell
            },
        )
    }

    fn cells() -> impl Strategy<Value = Vec<(u8, Cell)>> {
        prop::collection::vec((0..60_u8, cell()), 0..30)
    }

    fn column(cells: &[(u8, Cell)]) -> Column {
        let mut column = Column::default();
        cells.iter().for_each(|(bucket, cell)| column.merge_cell(*bucket, cell));
        column
    }

    #[test]
    fn an_hour_of_lone_minutes_is_small() {
        let mut hour = Column::default();
        for bucket in 0..60 {
            let mut latency = Sketch::default();
            latency.add(20_000 + 100 * i64::from(bucket));
            hour.merge_latency(bucket, &latency);
        }
        assert!(hour.encode().len() < 200, "{}", hour.encode().len());
    }

    proptest! {
        #[test]
        fn bytes_and_back(cells in cells()) {
            let column = column(&cells);
            prop_assert_eq!(Column::decode(&column.encode()), Ok(column));
        }

        #[test]
        fn counts_are_the_same_without_how_long_it_took(cells in cells()) {
            let column = column(&cells);
            let counts = Column::decode_counts(&column.encode()).unwrap();
            let of = |column: &Column| -> Vec<(u8, Counts)> {
                column.iter().map(|(bucket, cell)| (bucket, cell.counts.clone())).collect()
            };
            prop_assert_eq!(of(&counts), of(&column));
            prop_assert!(counts.sum().latency.is_empty());
        }

        #[test]
        fn merging_in_any_order_gives_the_same_bytes(cells in cells(), at in 0..30_usize) {
            let whole = column(&cells);
            let (left, right) = cells.split_at(at.min(cells.len()));
            for (first, second) in [(left, right), (right, left)] {
                let mut merged = column(first);
                merged.merge(&column(second));
                prop_assert_eq!(merged.encode(), whole.encode());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(column) = Column::decode(&bytes) {
                column.sum();
            }
        }

        #[test]
        fn a_changed_byte_is_read_or_refused(cells in cells(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = column(&cells).encode();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                Column::decode(&bytes).ok();
            }
        }
    }
}
