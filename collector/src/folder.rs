//! The collector's folder: where everything in it stands, and the lock that lets one writer in.
//!
//! Invariant: a file is replaced in one step and on disk when [`write_file`] returns, so that no reader
//! ever sees half of a key or of a configuration. Absent on purpose: what the files mean.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mailsonde_proto::file;
use mailsonde_proto::file::is_odd;

/// Where the collector's folder is when nobody says otherwise.
pub const DEFAULT: &str = "/var/lib/mailsonde";

pub use mailsonde_proto::file::{PRIVATE, PUBLIC};

/// The system's limit of a unix socket's path, in bytes.
const SOCKET_PATH_MAX: usize = 107;

/// The folder could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else holds the lock.
    #[error(
        "{} is in use by another mailsonde-collector: stop that one first, or give this one \
         a folder of its own with --data",
        .0.display()
    )]
    InUse(PathBuf),
    /// A unix socket cannot stand there.
    #[error(
        "the path {} is longer than the {SOCKET_PATH_MAX} bytes that a unix socket may have: \
         choose a shorter folder with --data",
        .0.display()
    )]
    SocketPath(PathBuf),
}

impl FolderError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The collector's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`; nothing is looked at yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("collector.toml")
    }

    /// The certificate of the collector's own authority, PEM: what agents trust.
    pub fn authority_certificate(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The authority's private key, PEM.
    pub fn authority_key(&self) -> PathBuf {
        self.0.join("ca.key")
    }

    /// The certificate of the authority that takes over, PEM, while there are two.
    pub fn next_authority_certificate(&self) -> PathBuf {
        self.0.join("ca-next.pem")
    }

    /// Its private key, PEM.
    pub fn next_authority_key(&self) -> PathBuf {
        self.0.join("ca-next.key")
    }

    /// The server's certificate and its private key, PEM, in one file so that they always match.
    pub fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    /// The journal of observations.
    pub fn observations(&self) -> PathBuf {
        self.0.join("observations")
    }

    /// The journal of everything else: enrolments, definitions, operators' actions, ticks.
    pub fn control(&self) -> PathBuf {
        self.0.join("control")
    }

    /// The journal of what was refused.
    pub fn quarantine(&self) -> PathBuf {
        self.0.join(crate::store::ledger::QUARANTINE)
    }

    /// The views, which can be thrown away.
    pub fn views(&self) -> PathBuf {
        self.0.join("views")
    }

    /// The files of checks that agents are to run.
    pub fn checks(&self) -> PathBuf {
        self.0.join(crate::central::FOLDER)
    }

    /// The files of services.
    pub fn services(&self) -> PathBuf {
        self.0.join(crate::central::SERVICES_FOLDER)
    }

    /// Monthly reports that are kept.
    pub fn reports(&self) -> PathBuf {
        self.0.join("reports")
    }

    /// The key that signs links in messages.
    pub fn links_key(&self) -> PathBuf {
        self.0.join("links.key")
    }

    /// The files of channels.
    pub fn channels(&self) -> PathBuf {
        self.0.join(crate::notifier::FOLDER)
    }

    /// The files of templates.
    pub fn templates(&self) -> PathBuf {
        self.0.join(crate::central::TEMPLATES_FOLDER)
    }

    /// The socket that operators' commands talk to.
    ///
    /// # Errors
    /// When its path is longer than a unix socket's may be.
    pub fn operators_socket(&self) -> Result<PathBuf, FolderError> {
        let path = self.0.join("operators.sock");
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(FolderError::SocketPath(path));
        }
        Ok(path)
    }

    /// Makes the folder, for its owner alone; no error when it is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create(&self) -> Result<(), FolderError> {
        make_folder(&self.0)
    }

    /// Shuts the folder for whoever is neither its owner nor of its group: what is in it is not for everybody to read,
    /// whatever the modes of files are. Says whether it was open.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn shut(&self) -> Result<bool, FolderError> {
        let metadata = fs::metadata(&self.0).map_err(FolderError::io("look at", &self.0))?;
        let mode = metadata.permissions().mode();
        if mode & 0o007 == 0 {
            return Ok(false);
        }
        fs::set_permissions(&self.0, fs::Permissions::from_mode(mode & 0o770))
            .map_err(FolderError::io("set the permissions of", &self.0))?;
        Ok(true)
    }

    /// Takes the folder for this process, until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// When another process has it, or the lock cannot be made.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let path = self.0.join("lock");
        // a pipe would be waited for, whoever asks us to end
        if is_odd(&path) {
            let error = io::Error::other("it is no file: take it away");
            return Err(FolderError::io("open", &path)(error));
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(&path)
            .map_err(FolderError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(FolderError::io("lock", &path)(error)),
        }
    }
}

/// As long as this lives, no other process writes to the folder.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Makes a folder and those above it; a new one is for its owner alone.
///
/// # Errors
/// When the system refuses.
pub fn make_folder(path: &Path) -> Result<(), FolderError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(FolderError::io("make the folder", path))
}

/// Writes a file in one step; see [`file::replace`].
///
/// # Errors
/// When the system refuses; a file that was there before is untouched then.
pub fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), FolderError> {
    file::replace(path, content, mode).map_err(FolderError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_place_of_the_lock_is_not_waited_for() {
        let temporary = tempfile::tempdir().unwrap();
        let lock = temporary.path().join("lock");
        assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
        let refused = Folder::at(temporary.path()).lock().unwrap_err();
        assert!(refused.to_string().contains("it is no file"), "{refused}");
    }

    #[test]
    fn one_writer_at_a_time() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let lock = folder.lock().unwrap();
        assert!(matches!(folder.lock(), Err(FolderError::InUse(_))));
        drop(lock);
        folder.lock().unwrap();
    }

    #[test]
    fn a_folder_is_shut_for_others() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(folder.shut().unwrap());
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        assert!(!folder.shut().unwrap());
    }

    #[test]
    fn a_socket_whose_path_is_too_long_is_refused_in_words() {
        let error = Folder::at("/x".repeat(60)).operators_socket().unwrap_err();
        assert!(error.to_string().contains("choose a shorter folder"), "{error}");
    }
}
