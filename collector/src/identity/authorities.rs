//! The authority of this installation, and the next one while it takes over.
//!
//! First the next one is made: from then on it signs agents' certificates, each agent is told of both with its next
//! certificate, and both are believed. When every agent knows it, the first one is retired: the server's certificate is
//! signed by the other, and nothing of the first is believed any more. Invariant: whatever a crash leaves, there is one
//! authority with its key. Absent on purpose: when each step is taken, which is an operator's to say.

use std::fs;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use mailsonde_proto::WallTime;

use super::{Authority, HostName, IdentityError};
use crate::folder::{Folder, FolderError};

/// The one or two authorities.
#[derive(Debug)]
pub struct Authorities {
    folder: Folder,
    name: HostName,
    state: RwLock<State>,
}

#[derive(Clone, Debug)]
struct State {
    current: Arc<Authority>,
    next: Option<Arc<Authority>>,
}

impl Authorities {
    /// Opens the folder's, and finishes what a crash interrupted.
    ///
    /// # Errors
    /// When a file is missing or damaged, or a key is not its certificate's.
    pub fn open(folder: &Folder, name: &HostName) -> Result<Self, IdentityError> {
        let next = match Authority::open_next(folder) {
            Ok(next) => next,
            // Its key has moved already, its certificate not yet.
            Err(_) if Authority::open(folder).is_err() => {
                move_file(folder, NextFile::Certificate)?;
                None
            }
            Err(error) => return Err(error),
        };
        let current = Arc::new(Authority::open(folder)?);
        let next = next.map(Arc::new);
        let state = RwLock::new(State { current, next });
        Ok(Self { folder: folder.clone(), name: name.clone(), state })
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Signs the server's certificate: every agent knows it. Tokens name it.
    pub fn current(&self) -> Arc<Authority> {
        self.state().current
    }

    /// The one that takes over, while there are two.
    pub fn next(&self) -> Option<Arc<Authority>> {
        self.state().next
    }

    /// Signs agents' certificates.
    pub fn of_agents(&self) -> Arc<Authority> {
        let State { current, next } = self.state();
        next.unwrap_or(current)
    }

    /// Those that are believed.
    pub fn trusted(&self) -> Vec<Arc<Authority>> {
        let State { current, next } = self.state();
        std::iter::once(current).chain(next).collect()
    }

    /// Makes the next authority. It waits for the disk.
    ///
    /// # Errors
    /// When there is one already, or a file cannot be written.
    pub fn rotate(&self, now: WallTime) -> Result<Arc<Authority>, IdentityError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.next.is_some() {
            return Err(IdentityError::TwoAuthorities);
        }
        let next = Arc::new(Authority::create_next(&self.folder, &self.name, now)?);
        state.next = Some(next.clone());
        Ok(next)
    }

    /// Takes back the next authority, which has signed nothing yet.
    pub fn forget_next(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.next = None;
        for path in [self.folder.next_authority_certificate(), self.folder.next_authority_key()] {
            if let Err(error) = fs::remove_file(&path) {
                tracing::error!(path = %path.display(), %error, "cannot be removed: remove it");
            }
        }
    }

    /// Has the next authority take over for good. It waits for the disk.
    ///
    /// # Errors
    /// When there is none, or a file cannot be moved.
    pub fn retire(&self) -> Result<Arc<Authority>, IdentityError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let next = state.next.clone().ok_or(IdentityError::OneAuthority)?;
        // First the key: `open` goes on from there.
        move_file(&self.folder, NextFile::Key)?;
        move_file(&self.folder, NextFile::Certificate)?;
        *state = State { current: next.clone(), next: None };
        Ok(next)
    }
}

#[derive(Clone, Copy)]
enum NextFile {
    Key,
    Certificate,
}

/// Puts a file of the next authority in the place of the current one's.
fn move_file(folder: &Folder, file: NextFile) -> Result<(), IdentityError> {
    let (from, to) = match file {
        NextFile::Key => (folder.next_authority_key(), folder.authority_key()),
        NextFile::Certificate => {
            (folder.next_authority_certificate(), folder.authority_certificate())
        }
    };
    let moved = fs::rename(&from, &to).and_then(|()| sync_folder(folder));
    Ok(moved.map_err(FolderError::io("move", &from))?)
}

fn sync_folder(folder: &Folder) -> io::Result<()> {
    fs::File::open(folder.path())?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_s(1_800_000_000);

    fn made() -> (tempfile::TempDir, Folder, HostName) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let name: HostName = "localhost".parse().unwrap();
        Authority::create(&folder, &name, NOW).unwrap();
        (temporary, folder, name)
    }

    #[test]
    fn one_takes_over_from_another() {
        let (_temporary, folder, name) = made();
        let authorities = Authorities::open(&folder, &name).unwrap();
        let first = authorities.current().fingerprint();
        assert!(matches!(authorities.retire(), Err(IdentityError::OneAuthority)));
        let second = authorities.rotate(NOW).unwrap().fingerprint();
        assert!(matches!(authorities.rotate(NOW), Err(IdentityError::TwoAuthorities)));
        for authorities in [&authorities, &Authorities::open(&folder, &name).unwrap()] {
            assert_eq!(authorities.current().fingerprint(), first);
            assert_eq!(authorities.of_agents().fingerprint(), second);
            assert_eq!(authorities.trusted().len(), 2);
        }
        authorities.retire().unwrap();
        for authorities in [&authorities, &Authorities::open(&folder, &name).unwrap()] {
            assert_eq!(authorities.current().fingerprint(), second);
            assert_eq!(authorities.trusted().len(), 1);
        }
    }

    #[test]
    fn one_that_is_taken_back_leaves_nothing() {
        let (_temporary, folder, name) = made();
        let authorities = Authorities::open(&folder, &name).unwrap();
        authorities.rotate(NOW).unwrap();
        authorities.forget_next();
        for authorities in [&authorities, &Authorities::open(&folder, &name).unwrap()] {
            assert!(authorities.next().is_none());
        }
        assert!(!folder.next_authority_key().exists());
        authorities.rotate(NOW).unwrap();
    }

    #[test]
    fn a_crash_between_two_files_is_finished() {
        let (_temporary, folder, name) = made();
        let second = Authorities::open(&folder, &name).unwrap().rotate(NOW).unwrap().fingerprint();
        move_file(&folder, NextFile::Key).unwrap();
        let authorities = Authorities::open(&folder, &name).unwrap();
        assert_eq!(authorities.current().fingerprint(), second);
        assert!(authorities.next().is_none());
        // an authority that was being made when the machine went down signed nothing
        fs::write(folder.next_authority_key(), "cut").unwrap();
        assert!(Authorities::open(&folder, &name).unwrap().next().is_none());
        Authorities::open(&folder, &name).unwrap().rotate(NOW).unwrap();
    }
}
