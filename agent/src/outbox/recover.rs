//! Opening the outbox: reads the ledger back, finds the runs that a crash interrupted, and decides
//! whether the epoch can go on.

use std::path::Path;
use std::sync::Arc;

use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::{Disk, Journal, JournalError, Next, Options, Recovery};
use mailsonde_proto::{Clock, Epoch, VoidReason};
use prost::Message;
use tracing::{info, warn};

use super::books::{Books, Entry, in_full, segment_bytes, void_of, was_seen};
use super::folder::Folder;
use super::record::{ClosedRecord, Mark, Record};
use super::state::State;
use super::{Limits, OutboxError, Told};
use crate::mail::token::TokenKey;

impl Books {
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        limits: Limits,
        clock: Clock,
    ) -> Result<(Self, TokenKey), OutboxError> {
        let folder = Folder::open(path)?;
        let key = folder.token_key()?;
        folder.keep_reserve();
        let (ledger, mut state) = open_ledger(disk.clone(), &folder, limits)?;
        let known_end = state.closed_through.max(state.settled);
        let options = Options {
            segment_bytes: segment_bytes(limits.spool_bytes),
            first_sequence: known_end.saturating_add(1),
        };
        let (spool, recovery) = Journal::open(disk, &folder.journal("spool"), options)?;
        tell_damage(&recovery);
        let lost_spool = known_end > 0 && spool.index().segments().is_empty();
        let lost_ledger = state.epochs.is_empty() && spool.next_sequence() > 1;
        if lost_ledger {
            warn!("outbox: the ledger is gone; what is spooled is sent again");
            state.epochs = State::from_note(&recovery.note).epochs;
            state.assume_settled(spool.index().oldest().saturating_sub(1));
        }
        let written = folder.epoch();
        let epoch_goes_on = written.is_some_and(|epoch| epoch == state.epoch());
        let mut books = Self::new(folder, (ledger, spool), state, limits, clock);
        books.close_from_spool()?;
        if !epoch_goes_on || lost_spool || lost_ledger {
            let before = Some(books.state.epoch()).filter(|epoch| *epoch != Epoch(0));
            // Without an epoch on disk no run has a name: better not to start than to send such mail.
            books.begin_epoch()?;
            info!(epoch = %books.state.epoch(), ?before, "outbox: a new epoch begins");
        }
        books.interrupted();
        books.begin_segment();
        books.keep_limits();
        Ok((books, key))
    }

    /// A spool without any segment is one that was lost: all of them may be acknowledged and go, so there
    /// must be an empty one.
    fn begin_segment(&mut self) {
        if self.spool.wants_roll()
            && let Err(error) = self.spool.roll(&self.state.epochs_note(), self.clock.wall())
        {
            warn!(error = %in_full(&error), "outbox: the disk takes no observations now");
        }
    }

    /// The last closings may be in the spool only.
    fn close_from_spool(&mut self) -> Result<(), JournalError> {
        let oldest = self.spool.index().oldest();
        let mut reader = self.spool.follow(oldest.max(self.state.closed_through.saturating_add(1)));
        loop {
            let (through, record) = match reader.read()? {
                Next::Record { sequence, record } => (sequence, record),
                Next::Gap { .. } => continue,
                Next::CaughtUp => return Ok(()),
            };
            let Ok(observation) = observation_from_bytes(&record) else { continue };
            let (intent, was_seen) = (observation.intent, was_seen(&observation));
            let closed = Mark::Closed(ClosedRecord { intent, through, was_seen });
            self.state.apply(0, closed.clone());
            self.marks.push(closed);
            if let Some(told) = Told::in_observation(&observation) {
                self.state.tell(told);
                self.marks.push(Mark::Told(told.into()));
            }
        }
    }

    /// A run that has an intent and no observation was interrupted.
    fn interrupted(&mut self) {
        let entries: Vec<_> = self
            .state
            .open
            .values()
            .map(|record| {
                let detail = "the agent ended while the run was under way".to_owned();
                let intent = record.intent();
                Entry::new(&void_of(record.number, &intent, VoidReason::Interrupted, detail))
            })
            .collect();
        if !entries.is_empty() {
            info!(runs = entries.len(), "outbox: runs were interrupted");
        }
        self.spool(entries);
    }
}

fn open_ledger(
    disk: Arc<dyn Disk>,
    folder: &Folder,
    limits: Limits,
) -> Result<(Journal, State), OutboxError> {
    let options = Options { segment_bytes: segment_bytes(limits.ledger_bytes), first_sequence: 1 };
    let (ledger, recovery) = Journal::open(disk, &folder.journal("ledger"), options)?;
    tell_damage(&recovery);
    let mut state = State::from_note(&recovery.note);
    let mut reader = ledger.follow(recovery.note_before);
    loop {
        match reader.read()? {
            Next::Record { sequence, record } => {
                if let Ok(Record { mark: Some(mark) }) = Record::decode(record) {
                    state.apply(sequence, mark);
                }
            }
            Next::Gap { first, last } => {
                warn!(first, last, "outbox: part of the ledger cannot be read");
            }
            Next::CaughtUp => return Ok((ledger, state)),
        }
    }
}

fn tell_damage(recovery: &Recovery) {
    for damage in &recovery.damage {
        if damage.loses_records() {
            warn!(%damage, "outbox: damage was found");
        } else {
            info!(%damage, "outbox: a torn end was mended");
        }
    }
}
