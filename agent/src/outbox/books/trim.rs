//! What leaves the spool: what the collector has, and what must be given up.

use mailsonde_proto::Observation;
use mailsonde_proto::Verdict;
use mailsonde_proto::convert::{SequenceRange, Tombstone, TombstoneReason, observation_from_bytes};
use mailsonde_proto::journal::{JournalError, Next};
use tracing::warn;

use super::{Books, in_full};
use crate::outbox::record::Mark;

impl Books {
    /// Removes what the collector has, once the ledger says so on disk.
    pub(in crate::outbox) fn trim_spool(&mut self) {
        let settled = self.state.settled;
        if self.spool.index().oldest_closed().is_none_or(|oldest| oldest.last > settled) {
            return;
        }
        if let Err(error) = self.write_ledger(&[]) {
            // The way out of a disk that our own spool has filled.
            if !self.folder.free_reserve() || self.write_ledger(&[]).is_err() {
                warn!(error = %in_full(&error), "outbox: acknowledged observations cannot be removed");
                return;
            }
        }
        if let Err(error) = self.keep_a_segment() {
            warn!(error = %in_full(&error), "outbox: acknowledged observations cannot be removed");
            return;
        }
        if let Err(error) = self.spool.remove_before(settled.saturating_add(1)) {
            warn!(error = %in_full(&error), "outbox: acknowledged observations cannot be removed");
        }
    }

    /// Begins a segment where none is written to: a spool without any would look lost to the next start,
    /// which would begin another epoch, and what the collector has lost of this one were never told.
    fn keep_a_segment(&mut self) -> Result<(), JournalError> {
        if !self.spool.wants_roll() {
            return Ok(());
        }
        let (epochs, now) = (self.state.epochs_note(), self.clock.wall());
        match self.spool.roll(&epochs, now) {
            Err(_) if self.folder.free_reserve() => self.spool.roll(&epochs, now),
            rolled => rolled,
        }
    }

    /// Gives up the oldest observations when the spool is too large or they are too old.
    pub(in crate::outbox) fn keep_limits(&mut self) {
        self.trim_spool();
        let room = self.limits.spool_bytes.saturating_sub(segment_bytes(self.limits.spool_bytes));
        loop {
            let now = self.clock.wall();
            let segments = self.spool.index().segments();
            let too_large = self.spool.index().bytes() > room;
            let too_old = segments
                .get(1)
                .is_some_and(|behind| now.since(behind.created_at) > self.limits.spool_age);
            let reason = match (too_old, too_large) {
                (true, _) => TombstoneReason::TooOld,
                (_, true) => TombstoneReason::SpoolFull,
                _ => return,
            };
            let Some(oldest) = self.spool.index().oldest_closed() else { return };
            let range = SequenceRange { first: oldest.facts.first, last: oldest.last };
            if range.first <= range.last && !self.give_up(range, reason) {
                return;
            }
            if let Err(error) = self.spool.remove_oldest() {
                warn!(error = %in_full(&error), "outbox: the oldest observations cannot be removed");
                return;
            }
        }
    }

    /// Writes tombstones for what of a range is spooled still; says whether they are on disk.
    pub(in crate::outbox) fn give_up(
        &mut self,
        range: SequenceRange,
        reason: TombstoneReason,
    ) -> bool {
        let parts = self.state.spooled_parts(range);
        let tombstones: Vec<_> =
            parts.into_iter().map(|part| self.tombstone(part, reason)).collect();
        let before = self.marks.len();
        self.marks.extend(tombstones.iter().map(|tombstone| Mark::Tombstone((*tombstone).into())));
        let written = self.write_ledger(&[]);
        let written = match written {
            Err(_) if self.folder.free_reserve() => self.write_ledger(&[]),
            other => other,
        };
        if let Err(error) = written {
            self.marks.truncate(before);
            warn!(error = %in_full(&error), "outbox: observations cannot be given up");
            return false;
        }
        for tombstone in tombstones {
            let (first, last) = (tombstone.range.first, tombstone.range.last);
            warn!(first, last, reason = reason.as_str(), "outbox: observations were given up");
            self.state.bury(tombstone);
        }
        true
    }

    fn tombstone(&self, range: SequenceRange, reason: TombstoneReason) -> Tombstone {
        let mut tombstone = Tombstone { range, reason, pass: 0, fail: 0, void: 0 };
        let mut reader = self.spool.follow(range.first);
        while reader.position() <= range.last {
            match reader.read() {
                Ok(Next::Record { record, .. }) => match observation_from_bytes(&record) {
                    Ok(Observation { verdict: Verdict::Pass, .. }) => tombstone.pass += 1,
                    Ok(Observation { verdict: Verdict::Fail(_), .. }) => tombstone.fail += 1,
                    _ => tombstone.void += 1,
                },
                Ok(Next::Gap { .. }) => {}
                Ok(Next::CaughtUp) | Err(_) => break,
            }
        }
        tombstone
    }
}

/// How large a spool's segments are, so that giving up one is giving up little.
pub(in crate::outbox) fn segment_bytes(spool_bytes: u64) -> u64 {
    (spool_bytes / 8).clamp(4_096, 4 << 20)
}
