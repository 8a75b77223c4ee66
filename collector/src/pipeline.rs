//! Reads both journals at its own pace and folds what they hold into the views.
//!
//! Invariants: the views and the cursors they stand for are one commit, so a crash repeats work and never
//! loses or doubles any; whatever goes wrong, it opens the views again and reads on from where they stand.
//! Agents are accepted and acknowledged whether the pipeline keeps up or not.

mod meaning;
mod order;
mod outlets;
mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::JournalError;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, WallTime};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, ControlJournal, ControlRecord, chronicle_before, tell};
use crate::judge::fold::Folded;
use crate::judge::registry::{Event, Gap};
use crate::live;
use crate::rollups::{Cursors, Rollups};
use crate::store::ledger::{Entry, Ledger, Source};
use crate::store::{self, Extent};
use meaning::{event_of, happened, word};
use order::{Order, Step};
use pace::Pace;

pub use outlets::Outlets;

/// Sealing, retention and snapshots are looked after this often.
const MAINTAIN: Duration = Duration::from_secs(30);
/// Services' minutes are made this often, of so many hours at most.
const SLOTS: Duration = Duration::from_secs(10);
const SLOT_HOURS: usize = 12;
/// How long it waits for something new before it looks at the clock again.
const WAIT: Duration = Duration::from_millis(200);
/// After an error, the next try comes after this.
const RETRY: Duration = Duration::from_secs(1);
/// A run that was wanted longer ago is no news, and not asked for: so a replay asks for nothing.
const NEWS: Duration = Duration::from_secs(10);
/// Records that are read before the clock is looked at.
const STRIDE: usize = 64;

/// How far the pipeline is, for operators and for the compactor.
#[derive(Debug, Default)]
pub struct Progress {
    /// The next record of the ledger that it will read.
    pub next: AtomicU64,
    /// Observations folded since this process started.
    pub folded: AtomicU64,
    /// Whether nothing waited when it looked last.
    pub caught_up: AtomicBool,
    /// How often it looked; one that does not rise stands still.
    pub steps: AtomicU64,
    /// Whether it stumbled and has not written the views since.
    pub stumbled: AtomicBool,
}

/// Why the pipeline cannot go on from where it is.
#[derive(Debug, thiserror::Error)]
pub enum Stumble {
    /// A journal is there and cannot be read.
    #[error("a journal cannot be read: {0}")]
    Journal(#[from] JournalError),
    /// The views.
    #[error("the views cannot be written: {0}")]
    Views(#[from] store::Error),
}

/// The pipeline; one thread of its own.
pub struct Pipeline {
    rollups: Rollups,
    ledger: Ledger,
    control: Arc<ControlJournal>,
    clock: Clock,
    progress: Arc<Progress>,
    order: Order,
    pace: Pace,
    /// What was folded since, as long as anybody looks on.
    seen: live::Batch,
    maintained_at: Instant,
    slotted_at: Instant,
    is_dirty: bool,
    outlets: Outlets,
    /// Whether there may be messages that nobody was asked to send.
    is_to_notify: bool,
}

impl Pipeline {
    /// A pipeline that reads on where the views stand. The chronicle is made here, from the first control record up
    /// to there: whoever asks finds it whole.
    ///
    /// # Errors
    /// When the control journal cannot be read.
    pub fn new(
        mut rollups: Rollups,
        (ledger, control): (Ledger, Arc<ControlJournal>),
        clock: Clock,
        progress: Arc<Progress>,
        outlets: Outlets,
    ) -> Result<Self, Stumble> {
        let cursors = rollups.cursors();
        rollups.set_chronicle(chronicle_before(&control, cursors.control_next)?);
        rollups.begin_judging()?;
        let order = Order::new(&ledger, &control, cursors);
        progress.next.store(cursors.next, Ordering::Relaxed);
        let now = clock.monotonic();
        Ok(Self {
            rollups,
            ledger,
            control,
            clock,
            progress,
            order,
            pace: Pace::new(now),
            seen: live::Batch::default(),
            maintained_at: now,
            slotted_at: now,
            is_dirty: false,
            outlets,
            is_to_notify: true,
        })
    }

    /// Folds until the shutdown, then commits what it has and writes a snapshot.
    pub fn run(mut self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(stumble) = self.step() {
                self.progress.stumbled.store(true, Ordering::Relaxed);
                tracing::error!(%stumble, "the views are behind; the pipeline tries again");
                self.start_over(shutdown);
            }
        }
        // What cannot be committed now is folded again at the next start.
        if let Err(stumble) = self.commit().and_then(|()| Ok(self.rollups.snapshot()?)) {
            tracing::warn!(%stumble, "the views were not written at the end");
        }
    }

    /// A stretch of records, and whatever is due.
    fn step(&mut self) -> Result<(), Stumble> {
        let mut caught_up = false;
        for _ in 0..STRIDE {
            if !self.read()? {
                caught_up = true;
                break;
            }
            if self.rollups.is_full() {
                self.commit()?;
            }
        }
        let Cursors { next, .. } = self.order.cursors();
        self.progress.next.store(next, Ordering::Relaxed);
        self.progress.caught_up.store(caught_up, Ordering::Relaxed);
        self.progress.steps.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.monotonic();
        // a message waits for the commit only
        self.is_to_notify |= self.rollups.take_notice_news();
        let is_news = self.is_to_notify && caught_up;
        if self.is_dirty && (is_news || now >= self.pace.due(caught_up)) {
            self.commit()?;
        }
        if now >= self.slotted_at + SLOTS {
            self.slotted_at = now;
            match self.rollups.make_slots(SLOT_HOURS) {
                Err(store::Error::Damaged { .. }) => {} // noted, and rebuilt by the next maintenance
                made => {
                    made?;
                }
            }
        }
        if now >= self.maintained_at + MAINTAIN {
            let is_elsewhere = self.maintain()?;
            if is_elsewhere {
                return Ok(()); // what was read of messages has to be read again
            }
        }
        if is_news && !self.is_dirty {
            self.is_to_notify = false;
            (self.outlets.notify)(self.rollups.pending_notices());
        }
        self.ask_for_runs();
        if caught_up && !self.tell_the_time() {
            let wait = if self.is_dirty {
                self.pace.due(true).saturating_duration_since(now)
            } else {
                WAIT
            };
            self.ledger.index().wait_for(next, wait.min(WAIT));
        }
        Ok(())
    }

    /// Has runs done that are wanted, while they are news.
    fn ask_for_runs(&mut self) {
        let now = self.clock.wall();
        for wish in self.rollups.take_wishes() {
            if now.since(wish.at) < NEWS {
                (self.outlets.confirm)(wish);
            }
        }
    }

    /// Where something is due, the time goes to the journal, as everything that is judged by.
    fn tell_the_time(&self) -> bool {
        let now = self.clock.wall();
        if self.rollups.due().is_none_or(|due| due > now) {
            return false;
        }
        let told = self.control.append(now, Control::Tick);
        told.inspect_err(|error| tracing::error!(%error, "what is due has to wait")).is_ok()
    }

    /// The next record of either journal; false where there is none.
    fn read(&mut self) -> Result<bool, Stumble> {
        match self.order.read(&self.control)? {
            Step::CaughtUp => return Ok(false),
            Step::Gap { journal, first, last } => {
                tracing::error!(journal, first, last, "records are missing");
            }
            Step::Control(record) => {
                self.tell(&record)?;
                let (at, happened) = (record.received_at, happened(&record));
                if let Some(event) = event_of(*record) {
                    self.rollups.event(None, event);
                }
                if let Some(happened) = happened {
                    self.rollups.judge(at, happened)?;
                }
            }
            Step::Ledger { sequence, record } => {
                self.fold(sequence, record);
                self.outlets.tally.counted_to(sequence.saturating_add(1));
                self.rollups.settle();
            }
        }
        self.advance();
        Ok(true)
    }

    /// Tells the chronicle, before the fold, what is in force from now on.
    fn tell(&mut self, record: &ControlRecord) -> Result<(), Stumble> {
        let Control::Services(_) = &record.control else {
            tell(&mut self.rollups.chronicle_mut(), record);
            return Ok(());
        };
        // what is due by the definitions before is made first, or a replay would make it by these
        self.rollups.before_definitions()?;
        let is_first = !self.rollups.chronicle_mut().is_defined();
        tell(&mut self.rollups.chronicle_mut(), record);
        self.rollups.redefined(record.received_at, is_first);
        Ok(())
    }

    fn advance(&mut self) {
        self.rollups.advance(self.order.cursors());
        self.is_dirty = true;
    }

    fn fold(&mut self, sequence: u64, record: Bytes) {
        match Entry::decode(record) {
            Ok(Entry::Batch { received_at, source, first, observations }) => {
                for (own, bytes) in (first..).zip(&observations) {
                    if !bytes.is_empty() {
                        self.fold_one((sequence, own), received_at, source, bytes);
                    }
                }
                let count = u64::try_from(observations.len()).unwrap_or(0);
                self.progress.folded.fetch_add(count, Ordering::Relaxed);
            }
            Ok(Entry::Gap { received_at, source, range, reason, .. }) => {
                let missing = range.first..=range.last;
                let gap = Gap::new(received_at, source.epoch, missing, word(reason));
                self.rollups.event(Some(sequence), Event::Gap { agent: source.agent, gap });
            }
            Err(unreadable) => tracing::error!(sequence, %unreadable, "a record is passed over"),
        }
    }

    /// One observation of a record; `own` is its sequence at its agent.
    fn fold_one(
        &mut self,
        (sequence, own): (u64, u64),
        received_at: WallTime,
        source: Source,
        bytes: &[u8],
    ) {
        match observation_from_bytes(bytes) {
            Ok(observation) => {
                let (agent, observation) = (source.agent, &observation);
                self.rollups.observe(Folded { sequence, received_at, agent, observation });
                self.outlets.tally.count(sequence, received_at, agent, observation);
                self.pace.folded();
                if self.outlets.live.is_watched() {
                    self.seen.push(|| outlets::seen(source, own, observation));
                }
            }
            // Ingest judged it before; only a version that judges more strictly can come here.
            Err(malformed) => tracing::warn!(sequence, %malformed, "an observation is passed over"),
        }
    }

    fn commit(&mut self) -> Result<(), Stumble> {
        self.archive()?;
        self.pace.committed(self.clock.monotonic());
        let seen = std::mem::take(&mut self.seen);
        self.rollups.commit()?;
        self.outlets.live.committed(seen, self.rollups.take_changed_incidents());
        self.is_dirty = false;
        self.progress.stumbled.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Incidents that are over go to the control journal, before the views say so: they outlive both the views and
    /// the observations that they were made of.
    fn archive(&mut self) -> Result<(), Stumble> {
        for incident in self.rollups.take_archive() {
            let (number, bytes) = (incident.number, incident.encode());
            if !self.control.look(|roll| roll.is_archived(number, &bytes)) {
                let now = self.clock.wall();
                self.control.append(now, Control::Archived { incident: number, bytes })?;
            }
        }
        Ok(())
    }

    /// Whatever is due; whether it reads on from elsewhere afterwards.
    fn maintain(&mut self) -> Result<bool, Stumble> {
        self.maintained_at = self.clock.monotonic();
        let done = self.rollups.maintain(extent(&self.ledger, &self.control), self.clock.wall())?;
        self.is_dirty = false;
        for recovery in &done.recovered {
            tracing::error!(%recovery, "damage in the views was found and is being mended");
        }
        let is_elsewhere = !done.recovered.is_empty();
        if is_elsewhere {
            self.reposition()?;
        }
        Ok(is_elsewhere)
    }

    /// Opens the views again and reads on from where they stand; tries until it can.
    fn start_over(&mut self, shutdown: &CancellationToken) {
        loop {
            std::thread::sleep(RETRY);
            if shutdown.is_cancelled() {
                return;
            }
            match self.recover() {
                Ok(()) => return,
                Err(stumble) => tracing::error!(%stumble, "trying again"),
            }
        }
    }

    fn recover(&mut self) -> Result<(), Stumble> {
        let extent = extent(&self.ledger, &self.control);
        for recovery in self.rollups.recover(extent, self.clock.wall())? {
            tracing::error!(%recovery, "the views were damaged and are being mended");
        }
        self.reposition()
    }

    fn reposition(&mut self) -> Result<(), Stumble> {
        let cursors = self.rollups.cursors();
        self.rollups.set_chronicle(chronicle_before(&self.control, cursors.control_next)?);
        self.rollups.begin_judging()?;
        self.seen = live::Batch::default();
        self.order = Order::new(&self.ledger, &self.control, cursors);
        self.progress.next.store(cursors.next, Ordering::Relaxed);
        (self.is_dirty, self.is_to_notify) = (false, true);
        Ok(())
    }
}

/// What the journals hold, to compare the views with.
pub fn extent(ledger: &Ledger, control: &ControlJournal) -> Extent {
    Extent {
        first: ledger.index().oldest(),
        next: ledger.index().next(),
        control_next: control.index().next(),
    }
}

#[cfg(test)]
mod tests;
