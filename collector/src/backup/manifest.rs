//! What stands in a backup beside the files: who made it of what, and by what it is known to be whole.

use std::fs;
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BackupError, Recount};
use crate::folder::Folder;

/// The first entry.
pub(super) const HEAD: &str = "mailsonde-backup.json";
/// The last entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// Below this all files of the folder stand.
pub(super) const DATA: &str = "data/";

/// What comes first: enough to refuse what cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the archive's form.
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// What agents call the collector; empty where its configuration could not be read.
    pub collector: String,
    /// When: the moment of the mark.
    pub taken_at: Timestamp,
    /// How many files come.
    pub files: u64,
    /// How many bytes they have together, at most.
    pub bytes: u64,
}

/// What comes last: by what all before it is known to be whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The same as the first entry's.
    pub head: Head,
    /// Whose the folder was.
    pub owner: Owner,
    /// The journal of observations up to the mark.
    pub observations: JournalEntry,
    /// The control journal up to the mark.
    pub control: JournalEntry,
    /// What was refused.
    pub quarantine: JournalEntry,
    /// What the journals hold, counted from the files of this backup as they were written.
    pub recount: Recount,
    /// What was noticed on the way, in words.
    pub remarks: Vec<String>,
    /// Every file, in the order in which they come.
    pub files: Vec<FileEntry>,
}

/// Which records of a journal are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The first that is there.
    pub first: u64,
    /// The first that is not.
    pub next: u64,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it stands in the folder.
    pub path: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Who may do what with it, in octal: `0600`.
    pub mode: String,
    /// Of its content, in hex.
    pub sha256: String,
}

/// Whose something is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// Its name on that machine, where `/etc/passwd` knew it.
    pub name: Option<String>,
}

impl Owner {
    /// The folder's.
    pub(super) fn of(folder: &Folder) -> Result<Self, BackupError> {
        let metadata =
            fs::metadata(folder.path()).map_err(BackupError::io("look at", folder.path()))?;
        let uid = metadata.uid();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = users.lines().find_map(|line| {
            let user = User::read(line)?;
            (user.uid == uid).then(|| user.name.to_owned())
        });
        Ok(Self { uid, name })
    }

    /// The numbers of the user and the group that this name has on this machine.
    pub(super) fn here(&self, users: &str) -> Option<(u32, u32)> {
        let name = self.name.as_deref()?;
        let user = users.lines().filter_map(User::read).find(|user| user.name == name)?;
        Some((user.uid, user.gid))
    }
}

/// A line of `/etc/passwd` (passwd(5)).
struct User<'p> {
    name: &'p str,
    uid: u32,
    gid: u32,
}

impl<'p> User<'p> {
    fn read(line: &'p str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let _password = fields.next()?;
        let [uid, gid] = [fields.next()?, fields.next()?].map(|number| number.parse().ok());
        Some(Self { name, uid: uid?, gid: gid? })
    }
}
