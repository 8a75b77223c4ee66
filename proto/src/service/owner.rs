//! What root does for a service that runs as a user of its own: makes its files as that user, and starts it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A user who is not the one that runs this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// Whose folder this is, where root runs this and the folder is another's: what root makes there nobody else could
    /// read, and what stands there may have been put there to lead root elsewhere.
    pub fn other_than_root(folder: &Path) -> Option<Self> {
        let facts = std::fs::metadata(folder).ok()?;
        let is_root = rustix::process::geteuid().is_root();
        (is_root && facts.uid() != 0).then(|| Self { uid: facts.uid(), gid: facts.gid() })
    }

    /// This program again, as that user, with nothing of root's but the terminal.
    ///
    /// # Errors
    /// When the program's own file cannot be told.
    pub fn program(self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.uid(self.uid).gid(self.gid).current_dir("/");
        Ok(command)
    }
}

/// What came of starting a unit.
#[derive(Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs and has said that it is ready.
    Running,
    /// There is no systemd, no such unit, or whoever runs this may not start any.
    NotOurs,
    /// systemd could not; in its words.
    Failed(String),
}

/// Where units stand that came with a package or were put there by hand.
const UNITS: [&str; 3] = ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"];

/// Starts a unit, or starts it again where it runs: what it reads at its start has changed.
pub fn start(unit: &str) -> Started {
    let is_there = UNITS.iter().any(|folder| Path::new(folder).join(unit).exists());
    let is_root = rustix::process::geteuid().is_root();
    if !is_there || !is_root || !sd_notify::booted().unwrap_or(false) {
        return Started::NotOurs;
    }
    let asked = Command::new("systemctl").args(["restart", unit]).stdin(Stdio::null()).output();
    match asked {
        Ok(answer) if answer.status.success() => Started::Running,
        Ok(answer) => Started::Failed(String::from_utf8_lossy(&answer.stderr).trim().to_owned()),
        Err(error) => Started::Failed(format!("systemctl cannot be run: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_folder_makes_its_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Owner::other_than_root(folder.path()), None);
        assert_eq!(Owner::other_than_root(&folder.path().join("none")), None);
        // Only root can give a folder away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(1234), Some(1235)).unwrap();
            let owner = Owner::other_than_root(folder.path());
            assert_eq!(owner, Some(Owner { uid: 1234, gid: 1235 }));
        }
    }

    #[test]
    fn a_unit_that_is_not_there_is_not_started() {
        assert_eq!(start("mailsonde-none.service"), Started::NotOurs);
    }
}
