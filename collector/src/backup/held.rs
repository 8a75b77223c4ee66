//! Files that are held open, and the journals that can be read in them as if they were a disk: what is replaced or
//! removed meanwhile is still there.
//!
//! Invariant: nothing is ever written. What opening a journal mends is mended in this picture of it alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailsonde_proto::journal::{Disk, DiskFile};

/// A file as it was opened, up to its first `bytes` bytes.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) file: Arc<File>,
    pub(super) bytes: u64,
}

/// Held files by path.
#[derive(Debug, Default)]
pub(super) struct HeldDisk(Mutex<BTreeMap<PathBuf, Held>>);

impl HeldDisk {
    pub(super) fn new(files: BTreeMap<PathBuf, Held>) -> Self {
        Self(Mutex::new(files))
    }

    /// A panic leaves plain data.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files as they are now, below a folder.
    pub(super) fn below(&self, folder: &Path) -> Vec<(PathBuf, Held)> {
        let files = self.lock();
        let below = files.iter().filter(|(path, _)| path.parent() == Some(folder));
        below.map(|(path, held)| (path.clone(), held.clone())).collect()
    }

    fn held(&self, path: &Path) -> io::Result<Held> {
        self.lock().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for HeldDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.below(folder).into_iter().map(|(path, _)| path).collect())
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()> {
        match self.lock().get_mut(path) {
            Some(held) => held.bytes = held.bytes.min(bytes),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(self.held(path)?.bytes)
    }

    fn read(&self, path: &Path, from: u64, limit: usize) -> io::Result<Vec<u8>> {
        let held = self.held(path)?;
        let there = usize::try_from(held.bytes.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; limit.min(there)];
        held.file.read_exact_at(&mut bytes, from)?;
        Ok(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.lock();
        let held = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), held);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.lock().remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a held file from its start to where it ends for us.
pub(super) struct HeldReader {
    held: Held,
    at: u64,
}

impl HeldReader {
    pub(super) fn new(held: Held) -> Self {
        Self { held, at: 0 }
    }
}

impl io::Read for HeldReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.held.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let into = into.get_mut(..most).unwrap_or_default();
        let read = self.held.file.read_at(into, self.at)?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(0));
        Ok(read)
    }
}
