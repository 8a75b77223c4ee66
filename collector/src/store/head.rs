//! What the rows as a whole stand for: up to where both journals are in them, and a sum to know them by.

use mailsonde_proto::WallTime;
use prost::Message;

/// Stands with every commit, written last.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Head {
    /// The number of the commit.
    #[prost(uint64, tag = "1")]
    pub commit: u64,
    /// The first record of the journal of observations that is not in the views.
    #[prost(uint64, tag = "2")]
    pub next: u64,
    /// The first record of the control journal that is not in the views.
    #[prost(uint64, tag = "3")]
    pub control_next: u64,
    /// States and registry hold all observations before this, also where `next` went back to rebuild a
    /// period.
    #[prost(uint64, tag = "4")]
    pub floor: u64,
    #[prost(sfixed64, tag = "5")]
    now_ns: i64,
    /// Over every key and value but this one's.
    #[prost(fixed64, tag = "6")]
    pub(super) sum: u64,
    /// How many keys there are, but this one's.
    #[prost(uint64, tag = "7")]
    pub(super) keys: u64,
}

impl Head {
    /// The latest tick in the views.
    pub fn now(&self) -> WallTime {
        WallTime::from_ns(self.now_ns)
    }

    /// Sets the latest tick; time does not go back.
    pub fn set_now(&mut self, now: WallTime) {
        self.now_ns = self.now_ns.max(now.as_ns());
    }

    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.sum = self.sum.wrapping_add(digest(key, value));
        self.keys = self.keys.wrapping_add(1);
    }

    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.sum = self.sum.wrapping_sub(digest(key, value));
        self.keys = self.keys.wrapping_sub(1);
    }
}

/// A number that a key and a value share with no other pair but by chance (1 in 2^64): against damage,
/// not against malice.
fn digest(key: &[u8], value: &[u8]) -> u64 {
    let length = u64::try_from(key.len()).unwrap_or(u64::MAX);
    mixed(mixed(0x9e37_79b9_7f4a_7c15 ^ length, key), value)
}

fn mixed(start: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(start, |state, chunk| {
        let word = chunk.iter().fold(1_u64, |word, byte| (word << 8) | u64::from(*byte));
        let product =
            u128::from(state ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93_a076_1d64_78bd_642f);
        let (high, low) = (product >> 64, product & u128::from(u64::MAX));
        u64::try_from(high ^ low).unwrap_or(0).rotate_left(29).wrapping_add(0x8ebc_6af0_9c88_c6e3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_tells_every_single_bit_and_forgets_what_is_removed() {
        let (key, value) = (b"a key".as_slice(), vec![0_u8; 40]);
        let sum = |key: &[u8], value: &[u8]| {
            let mut head = Head::default();
            head.add(key, value);
            head.sum
        };
        let mut sums = std::collections::HashSet::from([sum(key, &value)]);
        for bit in 0..value.len() * 8 {
            let mut other = value.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(sums.insert(sum(key, &other)), "bit {bit}");
        }
        for (key, value) in [
            (b"a ke".as_slice(), b"y".as_slice()),
            (b"a", b" key"),
            (b"", b"a key"),
            (b"a key", b""),
        ] {
            assert!(sums.insert(sum(key, value)));
        }
        let mut head = Head::default();
        head.add(b"x", b"1");
        head.add(b"y", b"2");
        head.remove(b"x", b"1");
        head.remove(b"y", b"2");
        assert_eq!(head, Head::default());
    }
}
