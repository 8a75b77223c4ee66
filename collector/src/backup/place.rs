//! Where a backup is restored to: a folder of its own first, and then in its place as a whole.
//!
//! Where there is nothing yet, the folder is made beside and gets its name in one step. Where there is an empty
//! folder (a package's, or a volume that is mounted there) it is made inside, and what is in it moves up, `collector.toml`
//! last: a folder without it is no collector's, and nothing starts there.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::folder::{Folder, FolderError, FolderLock};

/// What is made inside is called so until it is in place.
pub(super) const STAGING: &str = ".restoring";
/// What may be in a folder that counts as empty: what file systems put there.
const NOTHING: [&str; 2] = ["lost+found", STAGING];

/// A place that was empty, and what is put there.
pub(super) struct Place {
    wanted: PathBuf,
    staging: Folder,
    is_inside: bool,
    /// Whose the empty folder is.
    owner: Option<(u32, u32)>,
    lock: FolderLock,
}

impl Place {
    /// Looks whether there is room at `wanted`, and makes the folder to restore into.
    pub(super) fn prepare(wanted: &Folder) -> Result<Self, BackupError> {
        let wanted = wanted.path().to_owned();
        let (staging, is_inside) = match fs::read_dir(&wanted) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (beside(&wanted)?, false),
            Err(error) => return Err(BackupError::io("list", &wanted)(error)),
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(BackupError::io("list", &wanted))?.file_name();
                    if !NOTHING.iter().any(|nothing| name == *nothing) {
                        return Err(BackupError::NotEmpty(wanted));
                    }
                }
                (wanted.join(STAGING), true)
            }
        };
        let owner = match is_inside {
            true => Some(owner_of(&wanted)?),
            false => None,
        };
        let lock = begin(&staging)?;
        Ok(Self { wanted, staging: Folder::at(staging), is_inside, owner, lock })
    }

    /// Where to restore to.
    pub(super) fn staging(&self) -> &Folder {
        &self.staging
    }

    /// Whose the place is, if it was there.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        self.owner
    }

    /// Puts what was restored in its place.
    pub(super) fn put(self) -> Result<(), BackupError> {
        let staging = self.staging.path();
        sync_all(staging)?;
        if !self.is_inside {
            rename(staging, &self.wanted)?;
            return sync(self.wanted.parent().filter(|above| !above.as_os_str().is_empty()));
        }
        let config = self.staging.config();
        for path in children(staging)? {
            if path != config {
                rename(&path, &self.wanted.join(path.file_name().unwrap_or_default()))?;
            }
        }
        sync(Some(&self.wanted))?;
        if config.exists() {
            rename(&config, &Folder::at(&self.wanted).config())?;
        }
        fs::remove_dir(staging).map_err(BackupError::io("remove", staging))?;
        sync(Some(&self.wanted))
    }

    /// Removes what was restored so far.
    pub(super) fn give_up(self) {
        // what matters is the error that is being told
        fs::remove_dir_all(self.staging.path()).ok();
        drop(self.lock);
    }
}

/// A hidden folder of a name of its own, in the same file system.
fn beside(wanted: &Path) -> Result<PathBuf, BackupError> {
    let name = wanted.file_name().ok_or_else(|| BackupError::Unfit {
        path: wanted.to_owned(),
        why: "it has no name: write the path of a folder",
    })?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(STAGING);
    Ok(wanted.with_file_name(hidden))
}

/// Makes the folder; one that an interrupted restore left is removed first.
fn begin(staging: &Path) -> Result<FolderLock, BackupError> {
    let folder = Folder::at(staging);
    if staging.is_dir() {
        match folder.lock() {
            Ok(lock) => drop(lock),
            Err(FolderError::InUse(path)) => return Err(BackupError::AtWork(path)),
            Err(error) => return Err(error.into()),
        }
        fs::remove_dir_all(staging).map_err(BackupError::io("remove", staging))?;
    }
    if let Some(above) = staging.parent().filter(|above| !above.as_os_str().is_empty()) {
        crate::folder::make_folder(above)?;
    }
    let made = DirBuilder::new().mode(0o700).create(staging);
    made.map_err(BackupError::io("make the folder", staging))?;
    Ok(folder.lock()?)
}

fn owner_of(path: &Path) -> Result<(u32, u32), BackupError> {
    let metadata = fs::metadata(path).map_err(BackupError::io("look at", path))?;
    Ok((metadata.uid(), metadata.gid()))
}

/// Gives a folder and everything in it to a user.
pub(super) fn give(path: &Path, owner: (u32, u32)) -> Result<(), BackupError> {
    if path.is_dir() {
        children(path)?.iter().try_for_each(|child| give(child, owner))?;
    }
    chown(path, Some(owner.0), Some(owner.1)).map_err(BackupError::io("give away", path))
}

fn children(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = fs::read_dir(folder).map_err(BackupError::io("list", folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<io::Result<_>>().map_err(BackupError::io("list", folder))
}

fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::rename(from, to).map_err(BackupError::io("put in place", to))
}

/// Puts the entries of a folder and of those in it on disk.
fn sync_all(folder: &Path) -> Result<(), BackupError> {
    for child in children(folder)?.iter().filter(|child| child.is_dir()) {
        sync_all(child)?;
    }
    sync(Some(folder))
}

fn sync(folder: Option<&Path>) -> Result<(), BackupError> {
    let Some(folder) = folder else { return Ok(()) };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(BackupError::io("flush", folder))
}
