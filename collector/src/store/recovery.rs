//! What was found damaged or missing when the views were opened, and what was done: for people.

use std::fmt;

use crate::period::Period;

/// What the journals hold, to compare the views with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The oldest observation record that is still there.
    pub first: u64,
    /// One past the newest observation record.
    pub next: u64,
    /// One past the newest control record.
    pub control_next: u64,
}

/// Something was not as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What was done about it.
    pub what: What,
    /// What was wrong.
    pub why: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The rows were taken from a snapshot; the journals are read again from its cursor.
    RowsFromSnapshot {
        /// The first observation record that is read again.
        next: u64,
    },
    /// The rows are made anew; the journals are read again from their start.
    RowsAnew,
    /// A sealed file was moved aside; its period is made anew from what the journal still has.
    SealedSetAside(Period),
    /// A file with a name or content of no use was moved aside.
    FileSetAside(String),
    /// The journal no longer has what comes next; the views go on behind that gap.
    Skipped {
        /// The first observation record that is missing.
        first: u64,
        /// The first one that is there.
        next: u64,
    },
}

/// `the sealed hours 2026-11-23 were moved aside and are made anew: block 3 has a wrong checksum`.
impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::RowsFromSnapshot { next } => {
                write!(f, "the views were taken from the snapshot at record {next}")?;
            }
            What::RowsAnew => f.write_str("the views are made anew from the journals")?,
            What::SealedSetAside(period) => {
                let (folder, label) = (period.resolution.folder(), period.label());
                write!(f, "the sealed {folder} {label} were moved aside and are made anew")?;
            }
            What::FileSetAside(name) => write!(f, "{name} was moved aside")?,
            What::Skipped { first, next } => {
                write!(f, "records {first} to {} are not in the views", next.saturating_sub(1))?;
            }
        }
        write!(f, ": {}", self.why)
    }
}
