//! The views on disk: a cache of what the journals say, kept so that a crash, a damaged file or a late
//! observation never changes a figure.
//!
//! What stands where, below one folder:
//! - `sled/`: rows that change: registry, states, and the figures of open periods;
//! - `redo`: the last commit, whole and checksummed;
//! - `sealed/{minutes,hours,days}/`: closed periods, one checksummed file each;
//! - `snapshots/`: the rows at a cursor, the last two;
//! - `aside/`: what was damaged, for people to look at.
//!
//! **A commit** is written to `redo` and fsynced, then applied to sled in batches, its head last, then
//! sled's file is synced; only then may the next commit replace `redo`. So at any moment sled holds the
//! commit before, plus any part of this one; opening writes all of `redo` again, which are whole values,
//! and so ends in this commit. The head has a sum over all rows: a row that was lost or altered, or a
//! sled that came up older or empty, is seen at once, and the rows come from a snapshot or the journals.
//!
//! **A sealed period** holds everything of that period from observations before its *mark*, a cursor of
//! the journal. An observation before the mark is not counted into it again, and rows of figures carry
//! the mark they add to in their key: rows with another mark are in the file already, and are removed.
//! So a crash between the file and the removal, and a rebuild from any cursor, give the same figures.
//!
//! Nothing outside this module names sled. What the bytes mean is not known here.

pub mod ledger;
pub mod views;

pub mod head;
pub mod row;

pub mod recovery;

mod changed;
mod closed;
mod counted;
mod files;
mod opening;
mod reading;
mod redo;
mod retention;
mod rows;
mod seal;
mod sealed;
mod shelf;
mod snapshot;
mod steps;

pub use changed::AsOf;
pub use head::Head;
pub use opening::Found;
pub use recovery::{Extent, Recovery};
pub use row::{Row, Table};
pub use views::{Merge, Views, Writes};

use std::path::PathBuf;

use crate::period::Period;

/// The views could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system said no.
    #[error("cannot {what} {path}; look at the disk and at who owns the folder")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Its words.
        #[source]
        source: std::io::Error,
    },
    /// There is no room to write the next commit safely. Nothing was written.
    #[error("the views need {needed_bytes} bytes and {free_bytes} are free; free some disk space")]
    Full {
        /// What the commit needs, with room for sled to move.
        needed_bytes: u64,
        /// What there is.
        free_bytes: u64,
    },
    /// The store of rows said no.
    #[error("the rows cannot be read or written; the views have to be opened again")]
    Rows(#[source] sled::Error),
    /// The store of rows panicked or failed in a commit before this.
    #[error("the rows are in an unknown state; the views have to be opened again")]
    Unknown,
    /// Something else has the rows open.
    #[error("the views are open in another process; stop it, or give this one another data folder")]
    Busy,
    /// A sealed file does not say what was written to it.
    #[error("the sealed {} {} are damaged: {why}; they have to be rebuilt", period.resolution.folder(), period.label())]
    Damaged {
        /// Which one.
        period: Period,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Figures that were counted elsewhere do not replace those that there are.
    #[error("the {} {} are sealed already; put what was counted elsewhere into views without them", period.resolution.folder(), period.label())]
    Sealed {
        /// Which one.
        period: Period,
    },
    /// A value is larger than any row can be.
    #[error("a row of {bytes} bytes is too large to be kept")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Tests let a step fail.
    #[cfg(test)]
    #[error("stopped here by a test")]
    Stopped,
}

impl From<sled::Error> for Error {
    fn from(error: sled::Error) -> Self {
        Self::Rows(error)
    }
}
