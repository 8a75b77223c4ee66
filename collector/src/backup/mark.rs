//! The mark: up to where the journals of a collector go at one moment.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use mailsonde_proto::journal::{Index, Journal, Options, RealDisk, SegmentFacts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BackupError;
use crate::control::ControlJournal;
use crate::folder::Folder;

/// Up to where all journals go, at one cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// When that was.
    pub taken_at: Timestamp,
    /// What agents sent.
    pub observations: JournalMark,
    /// Everything else; no record of it comes before an observation that is not in the mark.
    pub control: JournalMark,
    /// What was refused.
    pub quarantine: JournalMark,
}

/// Up to where one journal goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalMark {
    /// Its files, oldest first.
    pub segments: Vec<SegmentMark>,
    /// The first record that is not in it.
    pub next: u64,
}

/// A file of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentMark {
    /// Its name in the journal's folder.
    pub file: String,
    /// So many bytes of it belong to the mark.
    pub bytes: u64,
}

impl Mark {
    /// That of a running collector.
    pub(crate) fn of_running(control: &ControlJournal, quarantine: &Index, now: Timestamp) -> Self {
        let (ledger, actions) = control.extents_at_cut();
        Self {
            taken_at: now,
            observations: JournalMark::of(ledger),
            control: JournalMark::of(actions),
            quarantine: JournalMark::of(quarantine.extent()),
        }
    }

    /// That of a collector that does not run; whoever asks holds the folder's lock. What a crash left in the journals
    /// is mended, as the collector's next start would do.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub fn of_stopped(folder: &Folder, now: Timestamp) -> Result<Self, BackupError> {
        let journal = |path: &Path| -> Result<JournalMark, BackupError> {
            // opening would make it
            if !fs::exists(path).map_err(BackupError::io("look for", path))? {
                return Ok(JournalMark::default());
            }
            let options = Options { segment_bytes: u64::MAX, first_sequence: 1 };
            let (journal, _) = Journal::open(Arc::new(RealDisk), path, options)?;
            Ok(JournalMark::of(journal.index().extent()))
        };
        Ok(Self {
            taken_at: now,
            observations: journal(&folder.observations())?,
            control: journal(&folder.control())?,
            quarantine: journal(&folder.quarantine())?,
        })
    }
}

impl JournalMark {
    fn of((segments, next): (Vec<SegmentFacts>, u64)) -> Self {
        let mark = |segment: SegmentFacts| {
            let file = segment.path.file_name()?.to_str()?.to_owned();
            Some(SegmentMark { file, bytes: segment.bytes })
        };
        Self { segments: segments.into_iter().filter_map(mark).collect(), next }
    }
}
