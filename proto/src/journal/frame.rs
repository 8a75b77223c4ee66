//! Frames: one record each, in a segment.
//!
//! ```text
//! length u32 | crc32c u32 | sequence u64 | durable u32 | record (length bytes)
//! ```
//! Little-endian. The checksum covers everything behind itself and the length. `durable` is how many
//! bytes of this segment were known to be on disk when the frame was written: a later frame thereby
//! proves that earlier damage is damage, and not a tail that a crash tore off.

use super::MAX_RECORD_BYTES;

/// Bytes in front of a record.
pub(super) const HEADER_BYTES: usize = 20;

/// A frame without its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) sequence: u64,
    pub(super) durable: u64,
}

/// What stands at a place in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A frame that holds together; `bytes` is its length with its header.
    Whole { frame: Frame, record: &'a [u8], bytes: usize },
    /// The beginning of what may be a frame, if more bytes follow: at least this many from its start.
    Short(usize),
    /// Not a frame.
    Damaged,
}

impl Frame {
    /// Writes the frame around the parts of a record.
    pub(super) fn write(self, parts: &[&[u8]], to: &mut Vec<u8>) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let sequence = self.sequence.to_le_bytes();
        let durable = u32::try_from(self.durable).unwrap_or(u32::MAX).to_le_bytes();
        let mut crc = crc32c::crc32c(&length);
        for covered in [&sequence[..], &durable[..]].into_iter().chain(parts.iter().copied()) {
            crc = crc32c::crc32c_append(crc, covered);
        }
        to.extend_from_slice(&length);
        to.extend_from_slice(&crc.to_le_bytes());
        to.extend_from_slice(&sequence);
        to.extend_from_slice(&durable);
        for part in parts {
            to.extend_from_slice(part);
        }
    }

    /// Reads what stands at the beginning of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Found<'_> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Found::Short(HEADER_BYTES);
        };
        let (length, crc, frame) = header_of(header);
        if length > MAX_RECORD_BYTES {
            return Found::Damaged;
        }
        let Some(record) = rest.get(..length) else {
            return Found::Short(HEADER_BYTES + length);
        };
        let [l0, l1, l2, l3, _, _, _, _, covered @ ..] = header;
        let computed = crc32c::crc32c(&[*l0, *l1, *l2, *l3]);
        let computed = crc32c::crc32c_append(computed, covered);
        if crc32c::crc32c_append(computed, record) != crc {
            return Found::Damaged;
        }
        Found::Whole { frame, record, bytes: HEADER_BYTES + length }
    }

    /// Looks for the next whole frame in `bytes` whose sequence is in `expected`; gives its place.
    ///
    /// Cheap although it tries every place: a place is looked at closely only when a sequence of the few
    /// that are possible stands there.
    pub(super) fn find(bytes: &[u8], expected: std::ops::Range<u64>) -> Option<usize> {
        (0..bytes.len().saturating_sub(HEADER_BYTES)).find(|&at| {
            let Some(tail) = bytes.get(at..) else {
                return false;
            };
            let Some(header) = tail.first_chunk::<HEADER_BYTES>() else {
                return false;
            };
            expected.contains(&header_of(header).2.sequence)
                && matches!(Self::read(tail), Found::Whole { .. })
        })
    }
}

fn header_of(header: &[u8; HEADER_BYTES]) -> (usize, u32, Frame) {
    let [l0, l1, l2, l3, c0, c1, c2, c3, s0, s1, s2, s3, s4, s5, s6, s7, d0, d1, d2, d3] = *header;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let crc = u32::from_le_bytes([c0, c1, c2, c3]);
    let sequence = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    let durable = u64::from(u32::from_le_bytes([d0, d1, d2, d3]));
    (length, crc, Frame { sequence, durable })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(sequence: u64, record: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame { sequence, durable: 77 }.write(&[record], &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sequence in 1_u64.., record in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = written(sequence, &record);
            let frame = Frame { sequence, durable: 77 };
            prop_assert_eq!(Frame::read(&bytes), Found::Whole { frame, record: &record, bytes: bytes.len() });
        }

        #[test]
        fn a_flipped_bit_is_never_read_as_whole(at in 0_usize..60, bit in 0_u8..8) {
            let mut bytes = written(5, &[9; 40]);
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(Frame::read(&bytes), Found::Whole { .. }), "byte {}", at);
        }
    }

    #[test]
    fn the_next_frame_is_found_behind_rubbish() {
        let mut bytes = vec![0xAA; 1_000];
        bytes.extend(written(8, b"record"));
        assert_eq!(Frame::find(&bytes, 5..9), Some(1_000));
        assert_eq!(Frame::find(&bytes, 9..99), None);
    }
}
