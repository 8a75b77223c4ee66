//! Sealing: what the rows of a period hold goes into one file, together with what the file held before.

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_proto::WallTime;

use super::files::prepare;
use super::row::figures_prefix;
use super::sealed::{EntryKey, Reader, Writer};
use super::shelf::Volume;
use super::views::{Merge, Opened, Views, aside_path};
use super::{Error, Row, Writes};
use crate::period::Period;
use crate::series::{PhaseId, SeriesId};

/// How much of a period is put in order in memory at a time.
const GROUP_BYTES: usize = 32 << 20;

impl Views {
    /// The open periods, and when each was last sealed.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn open_periods(&self) -> Result<Vec<(Period, Option<WallTime>)>, Error> {
        let opened = self.read();
        let sealed_at = |period| {
            let mut volumes = opened.shelf.iter();
            volumes.find(|(there, _)| *there == period).map(|(_, volume)| volume.sealed_at)
        };
        let periods = opened.open_periods()?.into_keys();
        Ok(periods.map(|period| (period, sealed_at(period))).collect())
    }

    /// Moves what the rows hold of a period into its file, and returns the file's new mark.
    ///
    /// It may be done at any time and changes no figure. `names` tells what series and phases are called.
    ///
    /// # Errors
    /// When the disk is full or cannot be written, or the file that is there is damaged.
    pub fn seal(
        &self,
        period: Period,
        now: WallTime,
        names: &[u8],
        merge: Merge,
    ) -> Result<u64, Error> {
        let _writing = self.begin_writing();
        let mark = {
            let opened = self.read();
            if opened.unfinished {
                return Err(Error::Unknown);
            }
            self.expect_room_for(opened.bytes_of(period)?)?;
            opened.shelf.mark(period).max(opened.head.next)
        };
        let prepared = {
            let opened = self.read();
            let path = opened.shelf.path(period);
            prepare(&path, |file| {
                let mut writer = Writer::new(file, &path, period, mark)?;
                self.noting(opened.write_merged(period, merge, &mut writer))?;
                writer.finish(names, now)
            })?
        };
        let before = {
            let mut opened = self.write();
            // Once the new file may be in its place, rows that add to the old one must not be written.
            opened.unfinished = true;
            prepared.put(&self.steps)?;
            opened.unfinished = false;
            let before = opened.shelf.mark(period);
            opened.shelf.insert(period, Volume { mark, sealed_at: now });
            before
        };
        self.steps.done()?;
        let note = Writes::from([(Row::Sealed(period), Some(mark.to_be_bytes().to_vec()))]);
        self.commit_begun(&note, self.head())?;
        if before != mark {
            self.remove_rows(&figures_prefix(period, Some(before), None))?;
        }
        Ok(mark)
    }

    /// Moves the damaged file of a period aside, with what the rows added to it; it has to be made anew from the journal.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside(&self, period: Period) -> Result<(), Error> {
        let writing = self.begin_writing();
        self.write().shelf.set_aside(period, &aside_path(&self.folder))?;
        drop(writing);
        self.remove_leftovers()
    }

    /// What the series and phases of every sealed file are called, as it was given to [`Views::seal`].
    ///
    /// # Errors
    /// When a file cannot be read, or `each` fails.
    pub fn names(&self, mut each: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let opened = self.read();
        for (period, _) in opened.shelf.iter() {
            if let Some(reader) = opened.shelf.reader(period)? {
                each(&reader.names()?)?;
            }
        }
        Ok(())
    }
}

impl Opened {
    /// How many bytes the period takes, at most.
    fn bytes_of(&self, period: Period) -> Result<u64, Error> {
        let path = self.shelf.path(period);
        let mut bytes = path.metadata().map_or(0, |found| found.len());
        self.each_open(period, |_, stretch| {
            bytes = bytes.saturating_add(u64::try_from(stretch.len()).unwrap_or(0));
            Ok(())
        })?;
        Ok(bytes)
    }

    /// All of a period, in order: the file's entries and the rows'. Rows are ordered by series, the file by
    /// phase: so as many phases as fit into memory at a time.
    fn write_merged(
        &self,
        period: Period,
        merge: Merge,
        writer: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let mut sizes: BTreeMap<PhaseId, usize> = BTreeMap::new();
        self.each_open(period, |(phase, _), bytes| {
            *sizes.entry(phase).or_default() += bytes.len();
            Ok(())
        })?;
        let mut old = Old::new(self.shelf.reader(period)?);
        for group in groups(&sizes) {
            let mut entries: BTreeMap<EntryKey, Vec<Vec<u8>>> = BTreeMap::new();
            self.each_open(period, |key, bytes| {
                if group.contains(&key.0) {
                    entries.entry(key).or_default().push(bytes.to_vec());
                }
                Ok(())
            })?;
            for (key, mut stretches) in entries {
                while let Some((there, bytes)) = old.take_to(key)? {
                    if there == key {
                        stretches.push(bytes);
                    } else {
                        writer.push(there, &bytes)?;
                    }
                }
                let stretches: Vec<&[u8]> = stretches.iter().map(Vec::as_slice).collect();
                let why = "its figures cannot be read";
                let merged = merge(&stretches).ok_or(Error::Damaged { period, why })?;
                writer.push(key, &merged)?;
            }
        }
        while let Some((there, bytes)) = old.take_to((PhaseId(u32::MAX), SeriesId(u64::MAX)))? {
            writer.push(there, &bytes)?;
        }
        Ok(())
    }
}

/// Phases in order, together as long as they fit.
fn groups(sizes: &BTreeMap<PhaseId, usize>) -> Vec<BTreeSet<PhaseId>> {
    let mut groups: Vec<BTreeSet<PhaseId>> = Vec::new();
    let mut filled = GROUP_BYTES;
    for (phase, size) in sizes {
        filled = filled.saturating_add(*size);
        match groups.last_mut() {
            Some(group) if filled <= GROUP_BYTES => {
                group.insert(*phase);
            }
            _ => {
                groups.push(BTreeSet::from([*phase]));
                filled = *size;
            }
        }
    }
    groups
}

/// The entries of the file as it was, one block in memory.
struct Old {
    reader: Option<Reader>,
    block: usize,
    entries: std::collections::VecDeque<(EntryKey, Vec<u8>)>,
}

impl Old {
    fn new(reader: Option<Reader>) -> Self {
        Self { reader, block: 0, entries: std::collections::VecDeque::new() }
    }

    /// The next entry, if it stands at `last` or before.
    fn take_to(&mut self, last: EntryKey) -> Result<Option<(EntryKey, Vec<u8>)>, Error> {
        let Some(reader) = &self.reader else { return Ok(None) };
        while self.entries.is_empty() && self.block < reader.block_count() {
            let entries = &mut self.entries;
            reader.block(self.block, |key, bytes| {
                entries.push_back((key, bytes.to_vec()));
                Ok(())
            })?;
            self.block += 1;
        }
        let is_next = self.entries.front().is_some_and(|(key, _)| *key <= last);
        Ok(if is_next { self.entries.pop_front() } else { None })
    }
}
