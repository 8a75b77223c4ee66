//! The views, opened: commits, and what can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::changed::Changed;
use super::closed::Closed;
use super::files::free_bytes;
use super::redo;
use super::row::Table;
use super::rows::Rows;
use super::shelf::Shelf;
use super::steps::Steps;
use super::{Error, Head, Row, snapshot};
use crate::period::Period;
use crate::series::PhaseId;

/// What to write: each row's new value, or `None` to remove it.
pub type Writes = BTreeMap<Row, Option<Vec<u8>>>;

/// Makes one of several stretches of bytes that belong to the same period, phase and series; `None`
/// when one of them cannot be read.
pub type Merge = fn(&[&[u8]]) -> Option<Vec<u8>>;

/// Room that must stay free on the disk: sled moves what it has before it gives up the old place.
const SPARE_BYTES: u64 = 4 << 20;

/// The views of one collector. One writer, any number of readers.
#[derive(Debug)]
pub struct Views {
    pub(super) folder: PathBuf,
    pub(super) steps: Steps,
    /// Held by whoever writes, so that there is one at a time.
    pub(super) writing: Mutex<()>,
    pub(super) opened: RwLock<Opened>,
    /// Sealed periods whose file was found damaged when it was read.
    pub(super) damaged: Mutex<BTreeSet<Period>>,
}

/// What readers and the writer share.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) rows: Rows,
    pub(super) head: Head,
    pub(super) shelf: Shelf,
    /// Days that nothing can change any more.
    pub(super) closed: Closed,
    /// What the last commits changed.
    pub(super) changed: Changed,
    /// A commit was not finished: only opening the views again tells what the rows are.
    pub(super) unfinished: bool,
}

impl Views {
    /// Up to where both journals are in the views.
    pub fn head(&self) -> Head {
        self.read().head
    }

    /// Writes rows and a head, all of it or nothing, and makes it last.
    ///
    /// # Errors
    /// With [`Error::Full`] nothing was changed. With any other, opening the views again tells whether
    /// the commit is in them: its head says so.
    pub fn commit(&self, writes: &Writes, head: Head) -> Result<(), Error> {
        let _writing = self.begin_writing();
        self.commit_begun(writes, head)
    }

    pub(super) fn commit_begun(&self, writes: &Writes, head: Head) -> Result<(), Error> {
        let (changes, head) = {
            let opened = self.read();
            if opened.unfinished {
                return Err(Error::Unknown);
            }
            let (sum, keys) = (opened.head.sum, opened.head.keys);
            let mut head = head;
            (head.sum, head.keys) = (sum, keys);
            head.commit = opened.head.commit + 1;
            opened.rows.changes(writes, head)?
        };
        self.expect_room_for(redo::size(&changes).saturating_mul(3))?;
        let prepared = redo::prepared(&redo_path(&self.folder), &changes)?;
        self.write().unfinished = true;
        prepared.put(&self.steps)?;
        let mut opened = self.write();
        opened.rows.apply(&changes, &self.steps)?;
        opened.changed.note(head.commit, writes.keys().copied().collect());
        (opened.head, opened.unfinished) = (head, false);
        Ok(())
    }

    /// A row's value.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn get(&self, row: &Row) -> Result<Option<Vec<u8>>, Error> {
        self.read().rows.get(row)
    }

    /// Every row of a table, in the order of their keys.
    ///
    /// # Errors
    /// When the rows cannot be read, or `each` fails.
    pub fn table(
        &self,
        table: Table,
        each: impl FnMut(Row, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.read().rows.scan(&[table.prefix()], each)
    }

    /// Writes a snapshot of the rows.
    ///
    /// # Errors
    /// When the disk is full or cannot be written.
    pub fn snapshot(&self) -> Result<(), Error> {
        let _writing = self.begin_writing();
        let opened = self.read();
        if opened.unfinished {
            return Err(Error::Unknown);
        }
        self.expect_room_for(opened.rows.size_on_disk()?)?;
        snapshot::save(&snapshots_path(&self.folder), &opened.rows, &opened.head, &self.steps)
    }

    pub(super) fn expect_room_for(&self, bytes: u64) -> Result<(), Error> {
        let needed_bytes = bytes.saturating_add(SPARE_BYTES);
        let free_bytes = free_bytes(&self.folder)?;
        if free_bytes < needed_bytes {
            Err(Error::Full { needed_bytes, free_bytes })
        } else {
            Ok(())
        }
    }

    /// Lets a number of steps between writes to the disk go by, and then no more.
    #[cfg(test)]
    pub(crate) fn stop_after(&self, steps: u32) {
        self.steps.stop_after(steps);
    }

    pub(super) fn begin_writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Opened> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Opened> {
        self.opened.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of a row of figures: bytes by phase.
pub fn figures_row<'a>(phases: impl Iterator<Item = (PhaseId, &'a [u8])>) -> Vec<u8> {
    let mut value = Vec::new();
    for (phase, bytes) in phases {
        value.extend(phase.0.to_be_bytes());
        prost::encoding::encode_varint(u64::try_from(bytes.len()).unwrap_or(0), &mut value);
        value.extend(bytes);
    }
    value
}

/// Reads such a value.
pub fn each_phase<'a>(mut value: &'a [u8], mut each: impl FnMut(PhaseId, &'a [u8])) {
    while let Some(phase) = super::row::taken(&mut value) {
        let length = prost::encoding::decode_varint(&mut value).unwrap_or(u64::MAX);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((bytes, rest)) = value.split_at_checked(length) else { return };
        each(PhaseId(u32::from_be_bytes(phase)), bytes);
        value = rest;
    }
}

pub(super) fn redo_path(folder: &Path) -> PathBuf {
    folder.join("redo")
}

pub(super) fn rows_path(folder: &Path) -> PathBuf {
    folder.join("sled")
}

pub(super) fn snapshots_path(folder: &Path) -> PathBuf {
    folder.join("snapshots")
}

pub(super) fn sealed_path(folder: &Path) -> PathBuf {
    folder.join("sealed")
}

pub(super) fn aside_path(folder: &Path) -> PathBuf {
    folder.join("aside")
}
