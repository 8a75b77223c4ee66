//! The outbox's folder: its lock, the epoch, the key, and a little space for bad times.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mailsonde_proto::file::is_odd;
use mailsonde_proto::{Epoch, SenderKey};
use zeroize::Zeroizing;

use super::OutboxError;
use crate::mail::token::{SigningKey, TokenKey};

/// Bytes kept aside, so that an acknowledgement can be written on a full disk and space be given back.
const RESERVE_BYTES: usize = 256 * 1024;
/// The seed of the key that signs what other agents are to verify.
const SIGNING_KEY: &str = "signing.key";

/// By what other agents verify mail that is signed here; `None` before the agent's first start.
///
/// # Errors
/// When the key is there and cannot be used.
pub fn signing_key(folder: &Path) -> Result<Option<SenderKey>, OutboxError> {
    let seed = kept(&folder.join(SIGNING_KEY))?;
    Ok(seed.map(|seed| SigningKey::from_seed(*seed).public()))
}

fn kept(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, OutboxError> {
    match fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => {
            let key = bytes.as_slice().try_into().ok().map(Zeroizing::new);
            Ok(Some(key.ok_or(OutboxError::Key { path: path.to_owned() })?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// The folder, locked for as long as this lives.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder when there is none, for nobody else to read, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, OutboxError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("make", path))?;
        let name = path.join("lock");
        // a pipe would be waited for, whoever asks us to end
        if is_odd(&name) {
            return Err(failed("open", &name)(io::Error::other("it is no file: take it away")));
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&name)
            .map_err(failed("open", &name))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OutboxError::InUse { folder: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed("lock", &name)(error)),
        }
    }

    pub(super) fn journal(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The epoch that was written down; `None` when there is none, or none that can be read.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        let text = fs::read_to_string(self.path.join("epoch")).ok()?;
        text.trim().parse().ok().filter(|epoch| *epoch != Epoch(0))
    }

    pub(super) fn write_epoch(&self, epoch: Epoch) -> Result<(), OutboxError> {
        self.replace("epoch", format!("{epoch}\n").as_bytes())
    }

    /// The keys of test messages' tokens; made where there are none.
    pub(super) fn token_key(&self) -> Result<TokenKey, OutboxError> {
        let sealing = self.key("token.key", TokenKey::generate().expose())?;
        let signing = self.key(SIGNING_KEY, SigningKey::generate().expose())?;
        Ok(TokenKey::new(*sealing, SigningKey::from_seed(*signing)))
    }

    /// A key of 32 bytes; where there is none yet, `fresh` becomes it.
    fn key(&self, name: &str, fresh: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, OutboxError> {
        if let Some(kept) = kept(&self.path.join(name))? {
            return Ok(kept);
        }
        self.replace(name, fresh)?;
        Ok(Zeroizing::new(*fresh))
    }

    /// Takes the reserve when it is not there; no harm when there is no room for it.
    pub(super) fn keep_reserve(&self) {
        let path = self.path.join("reserve");
        if fs::metadata(&path).is_ok_and(|there| there.len() > 0) {
            return;
        }
        let taken = File::create(&path).and_then(|mut file| {
            // Ones, not zeros: a file system may keep zeros as a hole.
            file.write_all(&vec![1; RESERVE_BYTES])?;
            file.sync_all()
        });
        if taken.is_err() {
            self.free_reserve();
        }
    }

    /// Gives the reserve back to the disk; says whether there was one.
    pub(super) fn free_reserve(&self) -> bool {
        fs::remove_file(self.path.join("reserve")).is_ok()
    }

    /// Writes a file in one step: the old one or the new one, never half.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), OutboxError> {
        let path = self.path.join(name);
        let making = self.path.join(format!("{name}.making"));
        let written = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&making)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
        written.map_err(failed("write", &making))?;
        fs::rename(&making, &path).map_err(failed("name", &path))?;
        let flushed = File::open(&self.path).and_then(|folder| folder.sync_all());
        flushed.map_err(failed("flush", &self.path))
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OutboxError {
    let path = path.to_owned();
    move |source| OutboxError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_place_of_the_lock_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Folder::open(folder.path()).is_ok());
        let lock = folder.path().join("lock");
        fs::remove_file(&lock).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
        let refused = Folder::open(folder.path()).err().unwrap();
        let why = std::error::Error::source(&refused).unwrap().to_string();
        assert!(why.contains("it is no file"), "{why}");
    }
}
