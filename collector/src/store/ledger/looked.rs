//! A ledger that nobody writes to, only looked at: what a backup holds, or a folder that was just restored.
//!
//! It is opened by the code that opens the collector's own, so that both see the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mailsonde_proto::journal::{Damage, Disk, Follower, Journal, JournalError, Options};

use super::marks::Marks;
use super::{OBSERVATIONS, Source};

/// A ledger that is only read.
pub struct Looked {
    journal: Journal,
    marks: Marks,
    damage: Vec<Damage>,
}

impl Looked {
    /// Opens the ledger in `folder` of this disk; what a crash left is mended there.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, JournalError> {
        let options = Options { segment_bytes: u64::MAX, first_sequence: 1 };
        let (journal, recovery) = Journal::open(disk, &folder.join(OBSERVATIONS), options)?;
        let marks = Marks::recover(&journal, &recovery.note)?;
        Ok(Self { journal, marks, damage: recovery.damage })
    }

    /// A reader from the first record that is there.
    pub fn follow(&self) -> Follower {
        self.journal.follow(self.journal.index().oldest())
    }

    /// The record that would come next.
    pub fn next(&self) -> u64 {
        self.journal.index().next()
    }

    /// Per agent and epoch: how far its sequences are stored without a gap.
    pub fn through(&self) -> BTreeMap<Source, u64> {
        self.marks.all().collect()
    }

    /// What was damaged or cut off.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }
}
