//! Both journals in one order, the same in a replay as it was live.
//!
//! Each control record says which record of the ledger comes after it. Nothing is read beyond a *cut*, taken where
//! no control record can be written: whatever is written later belongs behind it. Where the ledger lost what was
//! promised to come before a record, the record comes when the ledger is at its end.

use std::sync::Arc;

use bytes::Bytes;
use mailsonde_proto::journal::{Follower, Index, JournalError, Next};

use crate::control::{ControlFollower, ControlJournal, ControlNext, ControlRecord, Cut};
use crate::rollups::Cursors;
use crate::store::ledger::Ledger;

/// Reads both.
pub(super) struct Order {
    /// What is committed of the ledger.
    index: Arc<Index>,
    ledger: Follower,
    controls: ControlFollower,
    /// A control record that was read, and is not due yet.
    waiting: Option<(u64, ControlRecord)>,
    cut: Cut,
}

/// What comes next.
pub(super) enum Step {
    /// A control record.
    Control(Box<ControlRecord>),
    /// A record of the ledger.
    Ledger { sequence: u64, record: Bytes },
    /// Records that are missing, of which journal, from and to.
    Gap { journal: &'static str, first: u64, last: u64 },
    /// Nothing, for now.
    CaughtUp,
}

impl Order {
    /// From these records on.
    pub(super) fn new(ledger: &Ledger, control: &ControlJournal, from: Cursors) -> Self {
        Self {
            index: Arc::clone(ledger.index()),
            ledger: ledger.follow(from.next),
            controls: control.follow(from.control_next.max(1)),
            waiting: None,
            cut: Cut { ledger_next: 0, control_next: 0 },
        }
    }

    /// The first records that were not handed out.
    pub(super) fn cursors(&self) -> Cursors {
        let read = self.controls.position();
        let control_next = self.waiting.as_ref().map_or(read, |(sequence, _)| *sequence);
        Cursors { next: self.ledger.position(), control_next }
    }

    /// What comes next.
    pub(super) fn read(&mut self, control: &ControlJournal) -> Result<Step, JournalError> {
        loop {
            if self.waiting.is_none() && self.controls.position() < self.cut.control_next {
                match self.controls.read()? {
                    ControlNext::Record { sequence, record } => {
                        self.waiting = Some((sequence, record));
                    }
                    ControlNext::Gap { first, last } => {
                        return Ok(Step::Gap { journal: "control journal", first, last });
                    }
                    ControlNext::CaughtUp => {}
                }
            }
            let position = self.ledger.position();
            let is_at_cut = position >= self.cut.ledger_next;
            let due = self.waiting.take_if(|(_, record)| is_at_cut || record.before <= position);
            if let Some((_, record)) = due {
                return Ok(Step::Control(Box::new(record)));
            }
            if !is_at_cut {
                match self.ledger.read()? {
                    Next::Record { sequence, record } => {
                        return Ok(Step::Ledger { sequence, record });
                    }
                    Next::Gap { first, last } => {
                        return Ok(Step::Gap { journal: "ledger", first, last });
                    }
                    // It shrank, which no journal does: read what else there is.
                    Next::CaughtUp => self.cut.ledger_next = position,
                }
                continue;
            }
            let Cut { ledger_next, control_next } = control.cut();
            let cut = Cut { ledger_next: ledger_next.min(self.index.next()), control_next };
            let has_more =
                cut.ledger_next > position || cut.control_next > self.controls.position();
            if !has_more {
                return Ok(Step::CaughtUp);
            }
            self.cut = cut;
        }
    }
}
