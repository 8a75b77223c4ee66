//! What is sent next: observations in order, and tombstones where some were given up.

use std::time::Duration;

use mailsonde_proto::convert::{Batch, FromAgent, SequenceRange, Tombstone};
use mailsonde_proto::time::Instant;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::{Session, UplinkError};
use crate::outbox::{Progress, Spooled};

/// Observations of one batch.
const MOST_OBSERVATIONS: usize = 500;
/// Bytes of one batch, unless one observation alone is larger.
const MOST_BYTES: usize = 1 << 20;
/// How long to leave a spool alone that could not be read or written.
const STALL: Duration = Duration::from_millis(500);

impl Session<'_> {
    pub(super) fn wants_to_send(&self, progress: &Progress, now: Instant) -> bool {
        let in_flight = self.position.saturating_sub(1).saturating_sub(self.answered);
        self.window.is_some_and(|window| in_flight < window)
            && self.position < progress.end
            && self.paused_until.is_none_or(|until| now >= until)
    }

    /// The next that is to be sent, when it can be read.
    pub(super) async fn next_piece(
        &mut self,
        progress: &Progress,
    ) -> Result<Option<FromAgent>, UplinkError> {
        let at = self.position;
        let covering =
            |tombstone: &&Tombstone| (tombstone.range.first..=tombstone.range.last).contains(&at);
        if let Some(tombstone) = progress.tombstones.iter().find(covering) {
            let last = tombstone.range.last.min(progress.end.saturating_sub(1));
            self.position = last.saturating_add(1);
            let first = at.saturating_sub(self.base);
            let range = SequenceRange { first, last: last.saturating_sub(self.base) };
            return Ok(Some(FromAgent::Tombstone(Tombstone { range, ..*tombstone })));
        }
        let firsts = progress.tombstones.iter().map(|tombstone| tombstone.range.first);
        let before = firsts.filter(|first| *first > at).min().unwrap_or(progress.end);
        let before = before.min(progress.end);
        match self.read(at, before).await? {
            Some(Spooled::Observations(first, observations)) if first == at => {
                let batch = Batch { first_sequence: first.saturating_sub(self.base), observations };
                self.position = batch.last_sequence().saturating_add(self.base).saturating_add(1);
                Ok(Some(FromAgent::Batch(batch)))
            }
            Some(Spooled::Observations(first, _)) => self.over_gap(at, first - 1).await,
            Some(Spooled::Gap(gap)) => {
                self.over_gap(at, gap.last.min(before.saturating_sub(1))).await
            }
            Some(Spooled::Nothing) | None => {
                self.stall();
                Ok(None)
            }
        }
    }

    async fn read(&mut self, at: u64, before: u64) -> Result<Option<Spooled>, UplinkError> {
        let mut reader = match self.reader.take() {
            Some(reader) if reader.position() == at => reader,
            _ => self.uplink.outbox.read_from(at).await.ok_or(UplinkError::OutboxClosed)?,
        };
        let in_flight = at.saturating_sub(1).saturating_sub(self.answered);
        let room = self.window.unwrap_or(0).saturating_sub(in_flight);
        let count = usize::try_from(room).unwrap_or(usize::MAX).min(MOST_OBSERVATIONS);
        let read = spawn_blocking(move || {
            let read = reader.read(before, count, MOST_BYTES);
            (reader, read)
        });
        let (reader, read) = read.await.ok().ok_or(UplinkError::OutboxClosed)?;
        match read {
            Ok(spooled) => {
                self.reader = Some(reader);
                Ok(Some(spooled))
            }
            Err(error) => {
                warn!(%error, "uplink: the spool cannot be read now");
                Ok(None)
            }
        }
    }

    /// These records cannot be read: the outbox says so, and then its tombstone is sent.
    async fn over_gap(&mut self, first: u64, last: u64) -> Result<Option<FromAgent>, UplinkError> {
        self.reader = None;
        let range = SequenceRange { first, last: last.max(first) };
        if !self.uplink.outbox.give_up_damaged(range).await {
            self.stall();
        }
        Ok(None)
    }

    fn stall(&mut self) {
        self.reader = None;
        self.paused_until = Some(self.uplink.clock.monotonic() + STALL);
    }
}
