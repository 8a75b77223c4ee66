//! Reads both journals at its own pace and folds what they hold into the views.
//!
//! Invariants: the views and the cursors they stand for are one commit, so a crash repeats work and never
//! loses or doubles any; whatever goes wrong, it opens the views again and reads on from where they stand.
//! Agents are accepted and acknowledged whether the pipeline keeps up or not.

mod order;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::JournalError;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{AgentId, Clock, WallTime};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, ControlJournal, ControlRecord, chronicle_before, tell};
use crate::judge::fold::Folded;
use crate::judge::registry::{AgentSeen, Event, Gap};
use crate::rollups::{Cursors, Rollups};
use crate::store::ledger::{Entry, GapReason, Ledger};
use crate::store::{self, Extent};
use order::{Order, Step};

/// Views are committed this often while observations come.
const COMMIT: Duration = Duration::from_secs(1);
/// Sealing, retention and snapshots are looked after this often.
const MAINTAIN: Duration = Duration::from_secs(30);
/// Services' minutes are made this often, of so many hours at most.
const SLOTS: Duration = Duration::from_secs(10);
const SLOT_HOURS: usize = 12;
/// How long it waits for something new before it looks at the clock again.
const WAIT: Duration = Duration::from_millis(200);
/// After an error, the next try comes after this.
const RETRY: Duration = Duration::from_secs(1);
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
}

/// Why the pipeline had to start over from its last commit.
#[derive(Debug, thiserror::Error)]
enum Stumble {
    #[error("a journal cannot be read: {0}")]
    Journal(#[from] JournalError),
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
    committed_at: Instant,
    maintained_at: Instant,
    slotted_at: Instant,
    is_dirty: bool,
}

impl Pipeline {
    /// A pipeline that reads on where the views stand. The chronicle is made here, from the first control record up
    /// to there: whoever asks finds it whole.
    ///
    /// # Errors
    /// When the control journal cannot be read.
    pub fn new(
        mut rollups: Rollups,
        ledger: Ledger,
        control: Arc<ControlJournal>,
        clock: Clock,
        progress: Arc<Progress>,
    ) -> Result<Self, JournalError> {
        let Cursors { next, control_next } = rollups.cursors();
        rollups.set_chronicle(chronicle_before(&control, control_next)?);
        let order = Order::new(ledger.follow(next), control.follow(control_next.max(1)));
        progress.next.store(next, Ordering::Relaxed);
        let now = clock.monotonic();
        Ok(Self {
            rollups,
            ledger,
            control,
            clock,
            progress,
            order,
            committed_at: now,
            maintained_at: now,
            slotted_at: now,
            is_dirty: false,
        })
    }

    /// Folds until the shutdown, then commits what it has and writes a snapshot.
    pub fn run(mut self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(stumble) = self.step() {
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
        let now = self.clock.monotonic();
        if self.is_dirty && now >= self.committed_at + COMMIT {
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
            self.maintain()?;
        }
        if caught_up {
            self.ledger.index().wait_for(next, WAIT);
        }
        Ok(())
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
                if let Some(event) = event_of(*record) {
                    self.rollups.event(None, event);
                }
            }
            Step::Ledger { sequence, record } => self.fold(sequence, record),
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
            Ok(Entry::Batch { received_at, source, observations, .. }) => {
                for bytes in observations.iter().filter(|bytes| !bytes.is_empty()) {
                    self.fold_one(sequence, received_at, source.agent, bytes);
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

    fn fold_one(&mut self, sequence: u64, received_at: WallTime, agent: AgentId, bytes: &[u8]) {
        match observation_from_bytes(bytes) {
            Ok(observation) => {
                let observation = &observation;
                self.rollups.observe(Folded { sequence, received_at, agent, observation });
            }
            // Ingest judged it before; only a version that judges more strictly can come here.
            Err(malformed) => tracing::warn!(sequence, %malformed, "an observation is passed over"),
        }
    }

    fn commit(&mut self) -> Result<(), Stumble> {
        self.committed_at = self.clock.monotonic();
        self.rollups.commit()?;
        self.is_dirty = false;
        Ok(())
    }

    fn maintain(&mut self) -> Result<(), Stumble> {
        self.maintained_at = self.clock.monotonic();
        let done = self.rollups.maintain(extent(&self.ledger, &self.control), self.clock.wall())?;
        self.is_dirty = false;
        for recovery in &done.recovered {
            tracing::error!(%recovery, "damage in the views was found and is being mended");
        }
        if !done.recovered.is_empty() {
            self.reposition()?;
        }
        Ok(())
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
        let Cursors { next, control_next } = self.rollups.cursors();
        self.rollups.set_chronicle(chronicle_before(&self.control, control_next)?);
        let controls = self.control.follow(control_next.max(1));
        self.order = Order::new(self.ledger.follow(next), controls);
        self.progress.next.store(next, Ordering::Relaxed);
        self.is_dirty = false;
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

fn event_of(record: ControlRecord) -> Option<Event> {
    let at = record.received_at;
    match record.control {
        Control::Enrolled(enrolled) => Some(Event::AgentSeen(AgentSeen {
            agent: enrolled.agent,
            at,
            named: Some((enrolled.name, enrolled.labels)),
            ..AgentSeen::default()
        })),
        Control::Defined { agent, checks, .. } => Some(Event::Defined { agent, at, checks }),
        Control::Tick => Some(Event::Tick { now: at }),
        // it runs nothing any more, so nothing is missed either
        Control::Revoked { agent } => Some(Event::Defined { agent, at, checks: Vec::new() }),
        _ => None,
    }
}

fn word(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Agent(reason) => reason.as_str(),
        GapReason::CollectorBehind => "collector_behind",
    }
}

#[cfg(test)]
mod tests;
