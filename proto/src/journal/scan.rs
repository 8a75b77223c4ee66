//! Reads the frames of one segment in order, over what is damaged.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::disk::Disk;
use super::frame::{Found, Frame, HEADER_BYTES};
use super::{JournalError, MAX_RECORD_BYTES};

/// Bytes that are read at once.
const WINDOW_BYTES: usize = 1024 * 1024;
/// Bytes in which the next frame is looked for behind damage: surely one record and its header.
const SEARCH_BYTES: usize = 2 * MAX_RECORD_BYTES;

/// A place in a segment.
pub(super) struct Scanner {
    path: PathBuf,
    offset: u64,
    next: u64,
    window: Bytes,
}

/// What came next.
pub(super) enum Scanned {
    Frame {
        frame: Frame,
        record: Bytes,
    },
    /// Damage; reading goes on behind it. Nothing is missing when `last` is before `first`.
    Hole {
        first: u64,
        last: u64,
    },
    /// No further frame before the limit.
    End,
}

impl Scanner {
    /// Starts behind the header of a segment whose first record has the sequence `first`.
    pub(super) fn new(path: &Path, header_bytes: usize, first: u64) -> Self {
        let offset = u64::try_from(header_bytes).unwrap_or(u64::MAX);
        Self { path: path.to_owned(), offset, next: first, window: Bytes::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How far it has read, in bytes of the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The sequence that it expects.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The next frame before `limit` bytes of the file.
    pub(super) fn next(&mut self, disk: &dyn Disk, limit: u64) -> Result<Scanned, JournalError> {
        let mut wanted = HEADER_BYTES;
        loop {
            if self.window.len() < wanted {
                self.fill(disk, limit, wanted)?;
            }
            match Frame::read(&self.window) {
                Found::Whole { frame, .. } if frame.sequence > self.next => {
                    let first = std::mem::replace(&mut self.next, frame.sequence);
                    return Ok(Scanned::Hole { first, last: frame.sequence - 1 });
                }
                Found::Whole { frame, bytes, .. } if frame.sequence == self.next => {
                    let record = self.window.slice(HEADER_BYTES..bytes);
                    self.skip(bytes);
                    self.next = frame.sequence.saturating_add(1);
                    return Ok(Scanned::Frame { frame, record });
                }
                Found::Short(bytes) if bytes > wanted => wanted = bytes,
                Found::Short(_) if self.window.is_empty() => return Ok(Scanned::End),
                // Also a frame that claims to be longer than the file: its length may be what is wrong.
                _ => return self.over_damage(disk, limit),
            }
        }
    }

    /// Looks for the next frame behind a place that holds none.
    fn over_damage(&mut self, disk: &dyn Disk, limit: u64) -> Result<Scanned, JournalError> {
        let damaged_at = self.offset;
        let mut from = damaged_at.saturating_add(1);
        while from < limit {
            let bytes = self.read(disk, from, limit, SEARCH_BYTES)?;
            // Each frame takes at least its header, so only so many sequences can follow.
            let left = (limit - damaged_at) / u64::try_from(HEADER_BYTES).unwrap_or(1);
            let possible = self.next..self.next.saturating_add(left).saturating_add(1);
            if let Some(at) = Frame::find(&bytes, possible) {
                self.offset = from.saturating_add(u64::try_from(at).unwrap_or(0));
                self.window = Bytes::from(bytes).slice(at..);
                let first = self.next;
                if let Found::Whole { frame, .. } = Frame::read(&self.window) {
                    self.next = frame.sequence;
                }
                return Ok(Scanned::Hole { first, last: self.next.saturating_sub(1) });
            }
            from = from.saturating_add(u64::try_from(MAX_RECORD_BYTES).unwrap_or(1));
        }
        // `offset` stays: this is where the readable part ends.
        Ok(Scanned::End)
    }

    /// Reads on until `wanted` bytes are in the window, or the limit is reached.
    fn fill(&mut self, disk: &dyn Disk, limit: u64, wanted: usize) -> Result<(), JournalError> {
        self.window = self.read(disk, self.offset, limit, wanted.max(WINDOW_BYTES))?.into();
        Ok(())
    }

    fn read(
        &self,
        disk: &dyn Disk,
        from: u64,
        limit: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, JournalError> {
        let left = usize::try_from(limit.saturating_sub(from)).unwrap_or(usize::MAX);
        disk.read(&self.path, from, bytes.min(left)).map_err(JournalError::disk("read", &self.path))
    }

    fn skip(&mut self, bytes: usize) {
        self.offset = self.offset.saturating_add(u64::try_from(bytes).unwrap_or(0));
        self.window = self.window.slice(bytes..);
    }
}
