//! The seam to the file system, so that tests can take the power away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What the journal asks of a file system. Two implementations: the machine's, and one in the tests that
/// forgets what was not flushed.
pub trait Disk: Send + Sync {
    /// Makes a folder and those above it; no error when it is there.
    ///
    /// # Errors
    /// What the system said.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// The files of a folder, in no order.
    ///
    /// # Errors
    /// What the system said.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes an empty file to append to; one of that name is emptied.
    ///
    /// # Errors
    /// What the system said.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Cuts a file to its first `bytes` bytes and puts that on disk.
    ///
    /// # Errors
    /// What the system said.
    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()>;
    /// A file's length in bytes.
    ///
    /// # Errors
    /// What the system said.
    fn length(&self, path: &Path) -> io::Result<u64>;
    /// Bytes `from..from + limit` of a file, fewer at its end.
    ///
    /// # Errors
    /// What the system said.
    fn read(&self, path: &Path, from: u64, limit: usize) -> io::Result<Vec<u8>>;
    /// Replaces `to` by `from` in one step.
    ///
    /// # Errors
    /// What the system said.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// What the system said.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Puts a folder's entries on disk.
    ///
    /// # Errors
    /// What the system said.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is written at its end only.
pub trait DiskFile: Send {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// What the system said; some of the bytes may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Puts everything appended so far on disk.
    ///
    /// # Errors
    /// What the system said; what is on disk is then unknown.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to its first `bytes` bytes.
    ///
    /// # Errors
    /// What the system said.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn read(&self, path: &Path, from: u64, limit: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let there = file.metadata()?.len().saturating_sub(from);
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).min(there);
        let mut bytes = Vec::with_capacity(usize::try_from(limit).unwrap_or(0));
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)?;
        self.0.seek(SeekFrom::Start(bytes)).map(|_| ())
    }
}
