//! Reading a journal in order, while it is written to.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::JournalError;
use super::compact::Blocks;
use super::disk::Disk;
use super::index::{Closed, Index, SegmentForm};
use super::scan::{Scanned, Scanner};
use super::segment::read_header;

/// A reader with its own place in the journal. Any number of them may follow one journal; none ever sees
/// a record that is not committed.
pub struct Follower {
    disk: Arc<dyn Disk>,
    index: Arc<Index>,
    want: u64,
    source: Option<Source>,
    /// Read already, but a gap before it had to be told first.
    held: Option<(u64, Bytes)>,
}

enum Source {
    Frames { scanner: Scanner, first: u64 },
    Columns { blocks: Blocks, first: u64 },
}

/// What comes next in a journal.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A record.
    Record {
        /// Its place in the journal.
        sequence: u64,
        /// What it holds.
        record: Bytes,
    },
    /// These records were damaged or have been removed.
    Gap {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// Everything that is committed has been read.
    CaughtUp,
}

impl Follower {
    /// A reader from the record `from` on, over what a journal's index says is committed.
    pub fn over(disk: Arc<dyn Disk>, index: Arc<Index>, from: u64) -> Self {
        Self { disk, index, want: from, source: None, held: None }
    }

    /// The sequence that it will read next.
    pub fn position(&self) -> u64 {
        self.want
    }

    /// The next record, gap, or that there is none yet.
    ///
    /// # Errors
    /// When a segment cannot be read although it is there; asking again tries again.
    pub fn read(&mut self) -> Result<Next, JournalError> {
        if let Some((sequence, record)) = self.held.take() {
            self.want = sequence.saturating_add(1);
            return Ok(Next::Record { sequence, record });
        }
        loop {
            let committed = self.index.next();
            if self.want >= committed {
                return Ok(Next::CaughtUp);
            }
            let Some(segment) = self.index.segment_of(self.want) else {
                return Ok(self.gap_before(committed));
            };
            if self.want < segment.facts.first {
                return Ok(self.gap_before(segment.facts.first));
            }
            match self.read_in(&segment) {
                Ok(Some(next)) => return Ok(next),
                // Nothing more in it: what the index promises behind this place is gone.
                Ok(None) => {
                    self.source = None;
                    return Ok(self.gap_before(segment.last.saturating_add(1)));
                }
                // Rewritten or removed meanwhile: ask the index again, unless it still says so.
                Err(JournalError::Disk { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    self.source = None;
                    let again = self.index.segment_of(self.want);
                    if again.is_some_and(|again| again.facts.path == segment.facts.path) {
                        return Ok(self.gap_before(segment.last.saturating_add(1)));
                    }
                }
                Err(error) => {
                    self.source = None;
                    return Err(error);
                }
            }
        }
    }

    fn gap_before(&mut self, resumed: u64) -> Next {
        let first = std::mem::replace(&mut self.want, resumed);
        Next::Gap { first, last: resumed.saturating_sub(1) }
    }

    fn read_in(&mut self, segment: &Closed) -> Result<Option<Next>, JournalError> {
        let disk = self.disk.clone();
        loop {
            let here = match self.source.take() {
                Some(Source::Frames { scanner, first }) if first == segment.facts.first => {
                    self.source.insert(Source::Frames { scanner, first })
                }
                Some(Source::Columns { blocks, first }) if first == segment.facts.first => {
                    self.source.insert(Source::Columns { blocks, first })
                }
                _ => match open(disk.as_ref(), segment)? {
                    Some(source) => self.source.insert(source),
                    None => return Ok(None),
                },
            };
            let (sequence, record) = match here {
                Source::Frames { scanner, .. } => {
                    match scanner.next(disk.as_ref(), segment.facts.bytes)? {
                        Scanned::Frame { frame, record } => (frame.sequence, record),
                        Scanned::Hole { .. } => continue,
                        Scanned::End => return Ok(None),
                    }
                }
                Source::Columns { blocks, .. } => match blocks.next(disk.as_ref(), self.want)? {
                    Some(found) => found,
                    None => return Ok(None),
                },
            };
            if sequence > segment.last {
                return Ok(None); // taken back by its writer, and overruled by the next segment
            }
            if sequence < self.want {
                continue;
            }
            if sequence > self.want {
                self.held = Some((sequence, record));
                return Ok(Some(self.gap_before(sequence)));
            }
            self.want = sequence.saturating_add(1);
            return Ok(Some(Next::Record { sequence, record }));
        }
    }
}

fn open(disk: &dyn Disk, segment: &Closed) -> Result<Option<Source>, JournalError> {
    let path = &segment.facts.path;
    let first = segment.facts.first;
    let Some((_, header_bytes)) = read_header(disk, path)? else {
        return Ok(None);
    };
    Ok(Some(match segment.facts.form {
        SegmentForm::Frames => {
            Source::Frames { scanner: Scanner::new(path, header_bytes, first), first }
        }
        SegmentForm::Columns => Source::Columns { blocks: Blocks::new(path, header_bytes), first },
    }))
}
