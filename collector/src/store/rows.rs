//! Rows in sled: the one place that knows sled, and what sled 0.34 needs to be trusted.
//!
//! Its `flush` does not fsync: after it the file is synced here. Large values become files of their own that
//! are never synced: values are cut into chunks. Opening may panic or come up empty on a flipped bit: it
//! is opened on a thread of its own, and the head's sum is compared with what is there.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message;

use super::files::{failed, sync_folder};
use super::redo::Change;
use super::row::{HEAD, Row};
use super::steps::Steps;
use super::{Error, Head, Writes};

/// The most that one value may take; sled makes files of those from about 7,000 on.
const CHUNK: usize = 6_000;
/// The most keys of one batch.
const BATCH: usize = 500;
/// sled's own cache. The rows of a thousand series take about as much.
const CACHE_BYTES: u64 = 48 << 20;

/// How often it is tried to open rows that something else holds, and how long to wait in between.
const LOCK_TRIES: u32 = 150;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// Why rows cannot be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// They are damaged, in words: they have to be made anew.
    Damage(String),
    /// The machine says no: making them anew would not help.
    Error(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The rows, opened.
#[derive(Debug)]
pub(super) struct Rows {
    /// `None` after they were closed.
    db: Option<sled::Db>,
    file: PathBuf,
}

impl Rows {
    /// Opens or creates them. Another process, or what is left of an opening before, may hold them for a
    /// while.
    pub(super) fn open(folder: &Path) -> Result<Self, Trouble> {
        remove_unfinished_snapshots(folder)?;
        let mut tries = 0;
        let db = loop {
            match open_guarded(folder) {
                Err(Trouble::Error(Error::Busy)) if tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_WAIT);
                }
                opened => break opened?,
            }
        };
        sync_folder(folder)?;
        Ok(Self { db: Some(db), file: folder.join("db") })
    }

    /// Gives them up, so that they can be opened again.
    pub(super) fn close(&mut self) {
        self.db = None;
    }

    /// The head, where there is one.
    pub(super) fn head(&self) -> Result<Option<Head>, Error> {
        let bytes = self.db()?.get(HEAD)?;
        Ok(bytes.and_then(|bytes| Head::decode(bytes.as_ref()).ok()))
    }

    /// Whether the sum over everything is the head's: nothing lost, nothing altered.
    pub(super) fn agree_with(&self, head: &Head) -> Result<bool, Error> {
        let mut found = Head::default();
        self.each(|key, value| {
            found.add(key, value);
            Ok(())
        })?;
        Ok((found.sum, found.keys) == (head.sum, head.keys))
    }

    /// Every key and value but the head's, in the order of the keys.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for pair in self.db()?.iter() {
            let (key, value) = pair?;
            if key.as_ref() != HEAD {
                each(&key, &value)?;
            }
        }
        Ok(())
    }

    /// A row's value.
    pub(super) fn get(&self, row: &Row) -> Result<Option<Vec<u8>>, Error> {
        let mut key = chunk_key(row, 0);
        let Some(first) = self.db()?.get(&key)? else { return Ok(None) };
        let Some((chunks, bytes)) = first.split_first() else { return Ok(None) };
        let mut value = bytes.to_vec();
        for chunk in 1..*chunks {
            set_chunk(&mut key, chunk);
            value.extend(self.db()?.get(&key)?.unwrap_or_default().iter());
        }
        Ok(Some(value))
    }

    /// Every row whose key starts with `prefix`, in the order of the keys.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(Row, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut value = Vec::new();
        let mut left = 0_u8;
        for pair in self.db()?.scan_prefix(prefix) {
            let (key, bytes) = pair?;
            let Some((_, row_key)) = key.split_last() else { continue };
            if left == 0 {
                let Some((chunks, first)) = bytes.split_first() else { continue };
                (left, value) = (*chunks, first.to_vec());
            } else {
                value.extend_from_slice(&bytes);
            }
            left = left.saturating_sub(1);
            if left == 0
                && let Some(row) = Row::from_key(row_key)
            {
                each(row, &value)?;
            }
        }
        Ok(())
    }

    /// The first row at or after a key that starts with `prefix`.
    pub(super) fn first_from(&self, from: &[u8], prefix: &[u8]) -> Result<Option<Row>, Error> {
        let found = self.db()?.range::<&[u8], _>(from..).next().transpose()?;
        let row = found.and_then(|(key, _)| {
            let (_, row_key) = key.split_last().filter(|_| key.starts_with(prefix))?;
            Row::from_key(row_key)
        });
        Ok(row)
    }

    /// What writing these rows comes down to, key by key, and the head with the sum that then holds.
    pub(super) fn changes(
        &self,
        writes: &Writes,
        mut head: Head,
    ) -> Result<(Vec<Change>, Head), Error> {
        let mut changes = Vec::with_capacity(writes.len() + 1);
        for (row, value) in writes {
            let old = self.chunks(row)?;
            let new = value.as_deref().map(chunked).transpose()?.unwrap_or_default();
            for (chunk, value) in (0_u8..).zip(&old) {
                let key = chunk_key(row, chunk);
                head.remove(&key, value);
                if new.len() <= usize::from(chunk) {
                    changes.push((key, None));
                }
            }
            for (chunk, value) in (0_u8..).zip(new) {
                let key = chunk_key(row, chunk);
                head.add(&key, &value);
                changes.push((key, Some(value)));
            }
        }
        changes.push((HEAD.to_vec(), Some(head.encode_to_vec())));
        Ok((changes, head))
    }

    /// Writes in batches, in order, and makes it last.
    pub(super) fn apply(&self, changes: &[Change], steps: &Steps) -> Result<(), Error> {
        let db = self.db()?;
        let write = || {
            for part in changes.chunks(BATCH) {
                let mut batch = sled::Batch::default();
                for (key, value) in part {
                    match value {
                        Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                        None => batch.remove(key.as_slice()),
                    }
                }
                db.apply_batch(batch)?;
                steps.done()?;
            }
            db.flush()?;
            steps.done()
        };
        catch_unwind(AssertUnwindSafe(write)).unwrap_or(Err(Error::Unknown))?;
        let file = File::open(&self.file).map_err(failed("open", &self.file))?;
        file.sync_data().map_err(failed("sync", &self.file))?;
        steps.done()
    }

    /// How many bytes they take on the disk.
    pub(super) fn size_on_disk(&self) -> Result<u64, Error> {
        Ok(self.db()?.size_on_disk()?)
    }

    fn db(&self) -> Result<&sled::Db, Error> {
        self.db.as_ref().ok_or(Error::Unknown)
    }

    fn chunks(&self, row: &Row) -> Result<Vec<Vec<u8>>, Error> {
        let Some(first) = self.db()?.get(chunk_key(row, 0))? else { return Ok(Vec::new()) };
        let count = first.first().copied().unwrap_or(1);
        let mut chunks = vec![first.to_vec()];
        for chunk in 1..count {
            chunks.extend(self.db()?.get(chunk_key(row, chunk))?.map(|bytes| bytes.to_vec()));
        }
        Ok(chunks)
    }
}

/// Opens sled on a thread of its own: a panic ends that thread only, and joining tells of it.
fn open_guarded(folder: &Path) -> Result<sled::Db, Trouble> {
    let path = folder.to_owned();
    let open = move || {
        sled::Config::default()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace)
            .open()
    };
    let opening = std::thread::Builder::new().name("views-open".into()).spawn(open);
    let opened = opening.map_err(failed("open", folder))?.join();
    let opened = opened.or(Err(Trouble::Damage("opening them panicked".into())))?;
    opened.map_err(|error| trouble(error, folder))
}

fn trouble(error: sled::Error, folder: &Path) -> Trouble {
    use std::io::ErrorKind::{
        OutOfMemory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match error {
        // sled has no error of its own for this.
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            Error::Busy.into()
        }
        sled::Error::Io(error)
            if matches!(
                error.kind(),
                OutOfMemory | PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull
            ) =>
        {
            failed("open", folder)(error).into()
        }
        error => Trouble::Damage(format!("they cannot be opened: {error}")),
    }
}

/// A value in chunks; the first starts with how many there are.
fn chunked(value: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let too_large = Error::TooLarge { bytes: value.len() };
    let (first, rest) = value.split_at(value.len().min(CHUNK - 1));
    let count = u8::try_from(1 + rest.len().div_ceil(CHUNK)).ok().ok_or(too_large)?;
    let first = [&[count], first].concat();
    Ok(std::iter::once(first).chain(rest.chunks(CHUNK).map(<[u8]>::to_vec)).collect())
}

fn chunk_key(row: &Row, chunk: u8) -> Vec<u8> {
    let mut key = row.key();
    key.push(chunk);
    key
}

fn set_chunk(key: &mut [u8], chunk: u8) {
    if let Some(last) = key.last_mut() {
        *last = chunk;
    }
}

/// A process killed while sled was opening leaves these, and then the next opening fails.
fn remove_unfinished_snapshots(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}
