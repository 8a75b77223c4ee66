//! Percentiles that merge: how many values fell into each of about 2,000 fixed bins.
//!
//! The bins' bounds grow by 2 %, so that the middle of a bin is within 1 % of every value in it. This is
//! the idea of `DDSketch` (Masson, Rim, Lee 2019) and not the library, for three reasons. A minute's cell
//! holds one value, and the library's dense bins take 1 KiB for it; millions of such cells are open. Its
//! sum is a floating-point number, which depends on the order of addition; a replay must give the same
//! bytes. Its bins come from a logarithm, which another machine may round otherwise; these come from
//! integer arithmetic. The library is the oracle of the tests.
//!
//! The sketch is exact below 50 µs. Zero and negative values have bins too: a phase may be negative.

use std::sync::LazyLock;

/// A percentile is off by this share of itself at most, in thousandths.
pub const RELATIVE_ERROR_PER_MILLE: u32 = 10;

/// The 50th percentile, in thousandths.
pub const P50: u32 = 500;
/// The 95th percentile, in thousandths.
pub const P95: u32 = 950;

/// The smallest value of each bin, from bin 1 on.
static BOUNDS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut bounds = vec![1_u64];
    let mut bound = 1_u64;
    while bound <= i64::MAX.unsigned_abs() {
        bound = bound.saturating_add((bound / 50).max(1));
        bounds.push(bound);
    }
    bounds
});

/// A distribution of microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sketch {
    /// Bin and count, by bin, no count zero. Bins of negative values are negative.
    bins: Vec<(i16, u64)>,
}

impl Sketch {
    /// Takes in one value.
    pub fn add(&mut self, value_us: i64) {
        self.add_bin(bin_of(value_us), 1);
    }

    /// Takes in what another sketch holds.
    pub fn merge(&mut self, other: &Self) {
        if let [(bin, count)] = other.bins.as_slice() {
            return self.add_bin(*bin, *count);
        }
        if self.bins.is_empty() {
            self.bins.clone_from(&other.bins);
            return;
        }
        let mut merged = Vec::with_capacity(self.bins.len().max(other.bins.len()) + 4);
        let (mut left, mut right) = (self.bins.iter().peekable(), other.bins.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (a, b) = (**a, **b);
            if a.0 == b.0 {
                merged.push((a.0, a.1.saturating_add(b.1)));
            } else {
                merged.push(if a.0 < b.0 { a } else { b });
            }
            if a.0 <= b.0 {
                left.next();
            }
            if b.0 <= a.0 {
                right.next();
            }
        }
        merged.extend(left.chain(right));
        self.bins = merged;
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        self.bins.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// The value at a percentile given in thousandths, within 1 %; `None` when it holds none.
    ///
    /// The rank is `per_mille * (count - 1) / 1000`, rounded down.
    pub fn at(&self, per_mille: u32) -> Option<i64> {
        let last = u128::from(self.count().checked_sub(1)?);
        let rank = last * u128::from(per_mille.min(1_000)) / 1_000;
        let mut seen = 0_u128;
        for (bin, count) in &self.bins {
            seen += u128::from(*count);
            if seen > rank {
                return Some(middle_of(*bin));
            }
        }
        None
    }

    /// How many values are at most `limit_us`, for limits that are known to within 1 % only.
    pub fn count_to(&self, limit_us: i64) -> u64 {
        let last = bin_of(limit_us);
        let within = self.bins.iter().take_while(|(bin, _)| *bin <= last);
        within.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// How many bins are in use.
    pub fn bin_count(&self) -> usize {
        self.bins.len()
    }

    /// The lowest bin in use; 0 when there is none.
    pub fn first_bin(&self) -> i16 {
        self.bins.first().map_or(0, |(bin, _)| *bin)
    }

    /// Writes all but the number of bins and the lowest of them: mostly one byte a bin.
    ///
    /// The upper half of the byte is the distance from the bin before, less one, the lower half the
    /// count, less one; 15 means that a varint follows with what is beyond.
    pub fn write(&self, to: &mut Vec<u8>) {
        let mut before = None;
        for (bin, count) in &self.bins {
            let gap = before.map_or(0, |before: i16| i32::from(*bin) - i32::from(before) - 1);
            let gap = u64::try_from(gap).unwrap_or(0);
            let more = count.saturating_sub(1);
            to.push((half(gap) << 4) | half(more));
            for beyond in [gap, more] {
                if let Some(beyond) = beyond.checked_sub(15) {
                    prost::encoding::encode_varint(beyond, to);
                }
            }
            before = Some(*bin);
        }
    }

    /// Reads what [`Sketch::write`] wrote and moves `from` behind it; `None` when it is no sketch.
    pub fn read(first_bin: i16, bin_count: usize, from: &mut &[u8]) -> Option<Self> {
        if bin_count > from.len() {
            return None; // every bin takes a byte at least: no memory for a length that lies
        }
        let limit = BOUNDS.len();
        let mut bins = Vec::with_capacity(bin_count);
        let mut bin = i64::from(first_bin);
        for index in 0..bin_count {
            let (byte, rest) = from.split_first()?;
            *from = rest;
            let gap = read_half(byte >> 4, from)?;
            let count = read_half(byte & 15, from)?.checked_add(1)?;
            if index > 0 {
                bin = bin.checked_add(i64::try_from(gap).ok()?)?.checked_add(1)?;
            }
            if usize::try_from(bin.unsigned_abs()).ok()? > limit {
                return None;
            }
            bins.push((i16::try_from(bin).ok()?, count));
        }
        Some(Self { bins })
    }

    fn add_bin(&mut self, bin: i16, count: u64) {
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => {
                if let Some((_, there)) = self.bins.get_mut(at) {
                    *there = there.saturating_add(count);
                }
            }
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }
}

fn half(value: u64) -> u8 {
    u8::try_from(value.min(15)).unwrap_or(15)
}

fn read_half(half: u8, from: &mut &[u8]) -> Option<u64> {
    if half < 15 {
        return Some(u64::from(half));
    }
    prost::encoding::decode_varint(from).ok()?.checked_add(15)
}

fn bin_of(value_us: i64) -> i16 {
    let size = value_us.unsigned_abs();
    let bin = BOUNDS.partition_point(|bound| *bound <= size);
    let bin = i16::try_from(bin).unwrap_or(i16::MAX);
    if value_us < 0 { -bin } else { bin }
}

/// The value that stands for a bin: off by half the bin's width at most.
fn middle_of(bin: i16) -> i64 {
    let index = usize::from(bin.unsigned_abs());
    let Some(below) = index.checked_sub(1) else { return 0 };
    let start = BOUNDS.get(below).copied().unwrap_or(u64::MAX);
    let end = BOUNDS.get(index).copied().unwrap_or(start);
    let middle = i64::try_from(start + end.saturating_sub(start) / 2).unwrap_or(i64::MAX);
    if bin < 0 { -middle } else { middle }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch_of(values: &[i64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        sketch
    }

    fn written(sketch: &Sketch) -> Vec<u8> {
        let mut bytes = Vec::new();
        sketch.write(&mut bytes);
        bytes
    }

    /// Durations as they come, signed, and the ends of the range.
    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![0..2_000_i64, 0..60_000_000_i64, -5_000_000..5_000_000_i64, any::<i64>()]
    }

    #[test]
    fn an_empty_sketch_has_no_percentiles() {
        assert_eq!(Sketch::default().at(P50), None);
        assert_eq!(Sketch::default().count(), 0);
    }

    #[test]
    fn a_lone_value_takes_one_byte_beside_its_bin() {
        assert_eq!(written(&sketch_of(&[123_456])), [0]);
    }

    proptest! {
        #[test]
        fn a_percentile_is_within_one_percent(mut values in prop::collection::vec(value(), 1..300), per_mille in 0..=1_000_u32) {
            let found = sketch_of(&values).at(per_mille).unwrap();
            values.sort_unstable();
            let exact = values[(values.len() - 1) * usize::try_from(per_mille).unwrap() / 1_000];
            let off = i128::from(found) - i128::from(exact);
            prop_assert!(off.abs() * 100 <= i128::from(exact).abs(), "{found} for {exact}");
        }

        #[test]
        fn the_library_says_the_same(values in prop::collection::vec(1..600_000_000_i32, 1..300)) {
            let mut library = sketches_ddsketch::DDSketch::new(sketches_ddsketch::Config::new(0.01, 4_096, 0.5));
            values.iter().for_each(|value| library.add(f64::from(*value)));
            let sketch = sketch_of(&values.iter().map(|value| i64::from(*value)).collect::<Vec<_>>());
            for per_mille in [0, 10, 250, 500, 750, 950, 990, 1_000] {
                let ours = f64::from(i32::try_from(sketch.at(per_mille).unwrap()).unwrap());
                let theirs = library.quantile(f64::from(per_mille) / 1_000.0).unwrap().unwrap();
                prop_assert!((ours - theirs).abs() <= 0.0202 * theirs + 1.0, "{ours} {theirs} at {per_mille}");
            }
        }

        #[test]
        fn merging_is_counting_together_in_any_order(values in prop::collection::vec((value(), 0..4_usize), 0..200)) {
            let all: Vec<i64> = values.iter().map(|(value, _)| *value).collect();
            let part = |wanted| sketch_of(&values.iter().filter(|(_, p)| *p == wanted).map(|(v, _)| *v).collect::<Vec<_>>());
            let (mut up, mut down) = (Sketch::default(), Sketch::default());
            (0..4).for_each(|p| up.merge(&part(p)));
            (0..4).rev().for_each(|p| down.merge(&part(p)));
            prop_assert_eq!(&up, &sketch_of(&all));
            prop_assert_eq!(written(&up), written(&down));
            prop_assert_eq!(up.count(), u64::try_from(all.len()).unwrap());
        }

        #[test]
        fn bytes_and_back(values in prop::collection::vec(value(), 0..200), times in 1..100_000_u64) {
            let mut sketch = sketch_of(&values);
            sketch.bins.iter_mut().for_each(|(_, count)| *count *= times);
            let bytes = written(&sketch);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(Sketch::read(sketch.first_bin(), sketch.bin_count(), &mut rest), Some(sketch));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(first in any::<i16>(), count in 0..400_usize, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(sketch) = Sketch::read(first, count, &mut bytes.as_slice()) {
                sketch.at(P95);
                prop_assert!(sketch.bins.is_sorted_by(|a, b| a.0 < b.0));
            }
        }
    }
}
