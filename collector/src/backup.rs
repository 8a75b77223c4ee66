//! Backup and restore: everything that a collector cannot make again, in one file, as of one moment.
//!
//! The file is a tar archive (POSIX ustar) in one zstd frame with a checksum:
//!
//! | entry | what |
//! |---|---|
//! | `mailsonde-backup.json` | [`Head`]: the form's version, whose it is, when, how many files and bytes |
//! | `data/…` | the journals up to the mark; configuration, keys and certificates, secrets, templates, kept reports; sealed periods and snapshots of the views |
//! | `manifest.json` | [`Manifest`]: the mark, each file's SHA-256, and what the journals hold, counted |
//!
//! **It holds secrets**: the authority's private key, secrets of channels, links' key. Whoever has it can let agents
//! in. It is written for its owner alone (0600), and is neither encrypted nor signed: keep it as you keep keys, or
//! pipe it (`--to -`) through what encrypts.
//!
//! **One moment.** The running collector names its *mark*: the segments of its journals and how many bytes of each are
//! committed, all at one cut between control and observations. Segments only grow, and are replaced or removed as
//! whole files; so every file is opened first and copied then: what compaction replaces or retention removes
//! meanwhile is still there for whoever has it open. Views are opened before the mark is asked for, and so never
//! hold more than the journals. Nothing is written to the collector's folder, and nothing is held up.
//!
//! **Restoring** writes into a folder of its own beside or in the place, looks whether every byte is the one that was
//! written, **counts the observations of the restored ledger again** by agent, epoch and verdict, compares that with the
//! manifest, and only then puts the folder in its place; `collector.toml` comes last, without which nothing starts.
//! What came after the mark is not in it: agents that have trimmed it are told so by a declared gap, and what
//! operators did since (enrolments, revocations!) has to be done again.
//!
//! Absent on purpose: rows of the views (`sled`), which are made again; where files of the configuration lie outside
//! of the folder; schedules and rotation of backups, which timers do.

mod archive;
mod gather;
mod held;
mod make;
mod manifest;
mod mark;
mod place;
mod recount;
mod restore;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use mailsonde_proto::journal::JournalError;

use crate::folder::FolderError;

pub use archive::verify;
pub use gather::Gathered;
pub use make::make;
pub use manifest::{FileEntry, Head, JournalEntry, Manifest, Owner};
pub use mark::{JournalMark, Mark, SegmentMark};
pub use recount::{Recount, SourceCount};
pub use restore::{Restored, restore};

/// The version of the archive's form that is written; older ones are read.
pub const FORMAT: u32 = 1;

/// A backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
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
    /// The archive cannot be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The journals cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Whoever was asked for the mark did not tell it.
    #[error("the collector did not say up to where: {0}")]
    Mark(String),
    /// More files than may be open at once.
    #[error(
        "{needed} files have to be open at once and this user may open {limit}: raise the limit \
         (`ulimit -n {needed}`) and try again"
    )]
    OpenFiles {
        /// How many are needed.
        needed: u64,
        /// How many may be.
        limit: u64,
    },
    /// Files changed again and again.
    #[error("files in {} change faster than they can be opened: try again", .0.display())]
    Restless(PathBuf),
    /// A file cannot stand in an archive.
    #[error("{} cannot be in a backup: {why}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// What is read is no backup of ours.
    #[error("this is no backup of a collector: {0}")]
    Foreign(String),
    /// It is of a later version.
    #[error(
        "the backup was made by version {program} in form {format}, and this version reads up to form {FORMAT}: \
         restore it with that version or a later one"
    )]
    Newer {
        /// The version that made it.
        program: String,
        /// Its form.
        format: u32,
    },
    /// It is not whole.
    #[error("the backup is cut off or damaged: {0}; take another one")]
    Damaged(String),
    /// There is something where it is to be restored to.
    #[error(
        "{} is not empty: name a folder that is, or move what is in it away; a backup is never put over a \
         collector's data",
        .0.display()
    )]
    NotEmpty(PathBuf),
    /// Another one restores there.
    #[error("another restore is at work in {}: wait for its end", .0.display())]
    AtWork(PathBuf),
    /// There is not enough room.
    #[error("{needed} bytes have to be written below {} and {free} are free: free some space", path.display())]
    Full {
        /// Where.
        path: PathBuf,
        /// How many bytes.
        needed: u64,
        /// How many there are.
        free: u64,
    },
    /// What was restored is not what was backed up.
    #[error(
        "what was restored does not count up to what was backed up: {0}; nothing was put in place"
    )]
    Miscounted(String),
}

impl BackupError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
