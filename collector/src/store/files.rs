//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Error;
use super::steps::Steps;

/// Turns an error of the operating system into ours, with what was to be done to what.
pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { what, path: path.to_owned(), source }
}

/// Makes a folder, and those above it, if they are missing, and makes that last.
pub(super) fn make_folder(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(failed("create", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes what was created, renamed or removed in a folder last.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = File::open(path).map_err(failed("open", path))?;
    folder.sync_all().map_err(failed("sync", path))
}

/// A file that was written and synced beside its place.
pub(super) struct Prepared {
    beside: PathBuf,
    path: PathBuf,
}

/// Writes a file beside its place and syncs it.
///
/// # Errors
/// Nothing has changed then.
pub(super) fn prepare(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), Error>,
) -> Result<Prepared, Error> {
    let beside = beside(path);
    let mut file = File::create(&beside).map_err(failed("create", &beside))?;
    let written = write(&mut file).and_then(|()| file.sync_all().map_err(failed("sync", &beside)));
    drop(file);
    if let Err(error) = written {
        // A part of a file is of no use, and may be what fills the disk.
        fs::remove_file(&beside).ok();
        return Err(error);
    }
    Ok(Prepared { beside, path: path.to_owned() })
}

impl Prepared {
    /// Puts the file in its place, and makes that last.
    ///
    /// # Errors
    /// It is not known then whether it is in its place.
    pub(super) fn put(self, steps: &Steps) -> Result<(), Error> {
        steps.done()?;
        fs::rename(&self.beside, &self.path).map_err(failed("rename", &self.beside))?;
        steps.done()?;
        self.path.parent().map_or(Ok(()), sync_folder)
    }
}

/// Writes all bytes.
pub(super) fn write(file: &mut File, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    file.write_all(bytes).map_err(failed("write", path))
}

/// The files of a folder, without those that were being written in a crash: those are removed.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
        let path = entry.map_err(failed("list", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "part") {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Moves a file or folder to the folder for damaged things, replacing one of the same name.
pub(super) fn set_aside(path: &Path, aside: &Path) -> Result<(), Error> {
    make_folder(aside)?;
    let Some(name) = path.file_name() else { return Ok(()) };
    let place = aside.join(name);
    let old = if place.is_dir() { fs::remove_dir_all(&place) } else { fs::remove_file(&place) };
    match old {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("remove", &place)(error));
        }
        _ => {}
    }
    fs::rename(path, &place).map_err(failed("move aside", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// How many bytes may still be written where `path` is.
pub(super) fn free_bytes(path: &Path) -> Result<u64, Error> {
    let found = rustix::fs::statvfs(path).map_err(|error| failed("measure", path)(error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
