//! The segment log that both ends keep: append-only, flushed before anything is acknowledged.
//!
//! A journal is a folder of segments. A segment starts with a header (version, first sequence, when it
//! was begun, and a note of the owner's that outlives retention) and goes on with frames. A frame holds
//! one record: length, CRC-32C, sequence, and how much of the segment was known to be on disk when it
//! was written. Sequences rise by one.
//!
//! Invariants:
//! - What [`Journal::commit`] returned for is on disk, the folder's entry included.
//! - Start-up never fails on a damaged file: a torn tail is cut, damage in the middle becomes a gap that
//!   every reader is told of, and the two are told apart by what later frames knew to be on disk.
//! - A failed write leaves nothing behind: the segment is cut back, and the next commit tries anew. After
//!   a failed flush the segment is left for good, because the system may have forgotten the lost pages.
//!
//! Absent on purpose: any knowledge of what a record says. The owner decides when to roll and what goes.

mod columns;
mod compact;
mod disk;
mod follow;
mod frame;
mod index;
mod scan;
mod segment;

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use compact::compact_oldest;
pub use disk::{Disk, DiskFile, RealDisk};
pub use follow::{Follower, Next};
pub use index::{Damage, Index, SegmentFacts, SegmentForm};

use crate::time::WallTime;
use frame::Frame;
use segment::Header;

/// Bytes of one record at most.
pub const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that are kept in memory before they are written (not yet flushed) to the segment.
const WRITE_AT_BYTES: usize = 1024 * 1024;

/// Why a journal could not do what it was asked. Nothing that was committed is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or a file in it could not be used.
    #[error("cannot {action} {}: free space or mend permissions, then it goes on by itself", path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A record is larger than [`MAX_RECORD_BYTES`].
    #[error("a record of {0} bytes is too large for the journal")]
    TooLarge(usize),
}

impl JournalError {
    fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { action, path, source }
    }
}

/// How a journal is cut into files.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A segment that has reached this many bytes is full.
    pub segment_bytes: u64,
    /// The first sequence of a journal that is made anew.
    pub first_sequence: u64,
}

/// The writing side of a journal; there is one.
pub struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    options: Options,
    active: Option<Active>,
    index: Arc<Index>,
    pending: Vec<u8>,
    next: u64,
}

/// The segment that is written to.
struct Active {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    written: u64,
    durable: u64,
}

/// What opening a journal found.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The note in the header of the segment that was written to last.
    pub note: Vec<u8>,
    /// The first sequence whose frame stands behind that note: what to read to bring it up to date.
    pub note_before: u64,
    /// What was damaged or cut off, in words for the operator.
    pub damage: Vec<Damage>,
}

impl Journal {
    /// Opens the journal in `folder`, makes it when there is none, and mends what a crash left.
    ///
    /// # Errors
    /// When the folder cannot be made, listed or read at all; never because of what a file holds.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        options: Options,
    ) -> Result<(Self, Recovery), JournalError> {
        disk.create_folder(folder).map_err(JournalError::disk("make the folder", folder))?;
        let mut damage = Vec::new();
        let found = segment::survey(disk.as_ref(), folder, &mut damage)?;
        let index = Index::new(found.segments, found.next.max(options.first_sequence));
        let next = index.next();
        let journal = Self {
            disk,
            folder: folder.to_owned(),
            options,
            active: None,
            index: Arc::new(index),
            pending: Vec::new(),
            next,
        };
        let note_before = found.last_first.unwrap_or(next);
        Ok((journal, Recovery { note: found.last_note, note_before, damage }))
    }

    /// The sequence that the next record gets.
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Whether the next record should go to a new segment: ask, and [`roll`](Self::roll), before each
    /// append. A journal that was just opened always wants a new segment.
    pub fn wants_roll(&self) -> bool {
        let unwritten = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        match &self.active {
            None => true,
            Some(active) => active.written.saturating_add(unwritten) >= self.options.segment_bytes,
        }
    }

    /// Commits what is pending and begins a new segment whose header carries `note`.
    ///
    /// # Errors
    /// When the segment cannot be made; the journal stays as it was and can be asked again.
    pub fn roll(&mut self, note: &[u8], now: WallTime) -> Result<(), JournalError> {
        self.commit()?;
        let path = self.folder.join(segment::file_name(self.next));
        let header = Header { first: self.next, created_at: now, note: note.to_vec() }.encode();
        let file = self.make_segment(&path, &header)?;
        let bytes = u64::try_from(header.len()).unwrap_or(u64::MAX);
        self.index.begin(SegmentFacts {
            first: self.next,
            created_at: now,
            bytes,
            form: SegmentForm::Frames,
            path: path.clone(),
        });
        self.active = Some(Active { file, path, written: bytes, durable: bytes });
        Ok(())
    }

    fn make_segment(&self, path: &Path, header: &[u8]) -> Result<Box<dyn DiskFile>, JournalError> {
        // Under another name first: a segment of this name without records may be there, and its note
        // must not be lost while this one is made.
        let making = path.with_extension("making");
        let mut file = self.disk.create(&making).map_err(JournalError::disk("create", &making))?;
        file.append(header).map_err(JournalError::disk("write", &making))?;
        file.sync().map_err(JournalError::disk("flush", &making))?;
        self.disk.rename(&making, path).map_err(JournalError::disk("name", path))?;
        // Without this a crash can take the whole file away, whatever was flushed into it.
        self.disk
            .sync_folder(&self.folder)
            .map_err(JournalError::disk("flush the folder", &self.folder))?;
        Ok(file)
    }

    /// Adds one record, given in parts, and returns its sequence. It is on disk once [`commit`](Self::commit)
    /// has returned; when that fails, every record since the last commit is taken back.
    ///
    /// # Errors
    /// When the record is too large, or an earlier part of this commit cannot be written; then too,
    /// every record since the last commit is taken back.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<u64, JournalError> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if bytes > MAX_RECORD_BYTES {
            return Err(JournalError::TooLarge(bytes));
        }
        let durable = self.active.as_ref().map_or(0, |active| active.durable);
        let sequence = self.next;
        Frame { sequence, durable }.write(parts, &mut self.pending);
        self.next = self.next.saturating_add(1);
        if self.pending.len() >= WRITE_AT_BYTES {
            self.write_pending()?;
        }
        Ok(sequence)
    }

    /// Puts every record since the last commit on disk; returns the next sequence.
    ///
    /// # Errors
    /// When the disk will not take them: then none of them is in the journal, and their sequences are
    /// given out again.
    pub fn commit(&mut self) -> Result<u64, JournalError> {
        if self.next == self.index.next() {
            return Ok(self.next);
        }
        self.write_pending()?;
        let Some(active) = self.active.as_mut() else {
            return Ok(self.next);
        };
        if let Err(error) = active.file.sync() {
            let failed = JournalError::disk("flush", &active.path)(error);
            self.take_back();
            // The system may have dropped the pages and call the next flush a success: never again.
            self.active = None;
            return Err(failed);
        }
        active.durable = active.written;
        self.index.committed(active.durable, self.next);
        Ok(self.next)
    }

    fn write_pending(&mut self) -> Result<(), JournalError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let Some(active) = self.active.as_mut() else {
            let path = self.folder.clone();
            self.take_back();
            let missing = io::Error::other("no segment was begun: roll before append");
            return Err(JournalError::Disk { action: "append to", path, source: missing });
        };
        if let Err(error) = active.file.append(&self.pending) {
            let failed = JournalError::disk("append to", &active.path)(error);
            self.take_back();
            return Err(failed);
        }
        let bytes = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        active.written = active.written.saturating_add(bytes);
        self.pending.clear();
        if self.pending.capacity() > 4 * WRITE_AT_BYTES {
            self.pending.shrink_to(WRITE_AT_BYTES);
        }
        Ok(())
    }

    /// Forgets every record since the last commit.
    fn take_back(&mut self) {
        self.pending.clear();
        self.next = self.index.next();
        if let Some(active) = self.active.as_mut() {
            if active.file.cut(active.durable).is_ok() {
                active.written = active.durable;
            } else {
                // Cannot even be cut: what stands behind the durable part is overruled by the next
                // segment's first sequence.
                self.active = None;
            }
        }
    }

    /// Where readers find the segments, and what is committed.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// A reader that starts with the record `from`.
    pub fn follow(&self, from: u64) -> Follower {
        Follower::over(self.disk.clone(), self.index.clone(), from)
    }

    /// Removes the oldest segments as long as all their records come before `sequence`; returns how many
    /// segments went. The segment that is written to stays.
    ///
    /// # Errors
    /// When a file cannot be removed; those before it are gone.
    pub fn remove_before(&mut self, sequence: u64) -> Result<usize, JournalError> {
        let mut removed = 0;
        while let Some(oldest) = self.index.oldest_closed() {
            if oldest.last >= sequence {
                break;
            }
            self.remove_oldest()?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes the oldest segment, unless it is the one that is written to; returns the sequences that
    /// it held, both ends included.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn remove_oldest(&mut self) -> Result<Option<(u64, u64)>, JournalError> {
        let Some(oldest) = self.index.oldest_closed() else {
            return Ok(None);
        };
        let path = &oldest.facts.path;
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(JournalError::disk("remove", path)(error));
            }
            _ => {}
        }
        // Not flushed: a segment that comes back after a crash is removed again.
        self.index.forget_oldest();
        Ok(Some((oldest.facts.first, oldest.last)))
    }
}
