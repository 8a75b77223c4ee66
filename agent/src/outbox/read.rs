//! Reading the spool, in order and in pieces that fit into one message.

use bytes::Bytes;
use mailsonde_proto::convert::SequenceRange;
use mailsonde_proto::journal::{Follower, JournalError, Next};

/// A reader with its own place in the spool.
pub struct Reader {
    follower: Follower,
    /// Read already, but it belongs to the next piece.
    held: Option<Held>,
}

enum Held {
    Record(u64, Bytes),
    Gap(SequenceRange),
}

/// What comes next in the spool.
#[derive(Debug, PartialEq, Eq)]
pub enum Spooled {
    /// Observations in order: the first's record, and each as it was written.
    Observations(u64, Vec<Bytes>),
    /// These cannot be read: given up already, or damaged.
    Gap(SequenceRange),
    /// Nothing yet.
    Nothing,
}

impl Reader {
    pub(super) fn new(follower: Follower) -> Self {
        Self { follower, held: None }
    }

    /// The record that it will read next.
    pub fn position(&self) -> u64 {
        match &self.held {
            Some(Held::Record(sequence, _)) => *sequence,
            Some(Held::Gap(range)) => range.first,
            None => self.follower.position(),
        }
    }

    /// The next observations before the record `end`, at most `count` and about `bytes`. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// When a segment that is there cannot be read; asking again tries again.
    pub fn read(&mut self, end: u64, count: usize, bytes: usize) -> Result<Spooled, JournalError> {
        let first = self.position();
        let mut read: Vec<Bytes> = Vec::new();
        let mut taken = 0_usize;
        while read.len() < count && self.position() < end {
            let next = match self.held.take() {
                Some(Held::Record(sequence, record)) => Next::Record { sequence, record },
                Some(Held::Gap(SequenceRange { first, last })) => Next::Gap { first, last },
                None => self.follower.read()?,
            };
            let (sequence, record) = match next {
                Next::Record { sequence, record } => (sequence, record),
                Next::Gap { first, last } if read.is_empty() => {
                    return Ok(Spooled::Gap(SequenceRange { first, last }));
                }
                Next::Gap { first, last } => {
                    self.held = Some(Held::Gap(SequenceRange { first, last }));
                    break;
                }
                Next::CaughtUp => break,
            };
            if !read.is_empty() && taken.saturating_add(record.len()) > bytes {
                self.held = Some(Held::Record(sequence, record));
                break;
            }
            taken = taken.saturating_add(record.len());
            read.push(record);
        }
        Ok(if read.is_empty() { Spooled::Nothing } else { Spooled::Observations(first, read) })
    }
}
