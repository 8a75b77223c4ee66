//! What just changed, for whoever looks on: pages that update themselves, programs that follow.
//!
//! The pipeline says after each commit what was in it ([`Live::committed`]); `tell` makes one [`Event`] of it, whose
//! bytes all viewers share. What was told last is kept, so that a viewer who was away resumes; there is no queue for a
//! viewer, and so nothing that a slow one could fill. Invariant: an event never tells of what the views do not say
//! yet. Absent on purpose: figures, which viewers ask for themselves.

mod ring;
mod tell;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use mailsonde_proto::vantage::random_bytes;
use mailsonde_proto::{AgentId, Epoch, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::judge::definition::Voiced;
use crate::judge::incident::State;
use ring::Ring;

pub use ring::Missed;
pub use tell::tell;

/// Viewers at once.
pub const MOST_VIEWERS: usize = 256;
/// Observations that one event names; of further ones it tells how many.
const MOST_NAMED: usize = 1_000;
/// So many commits after the last viewer left, nothing is kept for them any more.
const FORGET: u32 = 1_000;

/// What changed. Whatever it tells of can be asked for by then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// When it was told.
    pub at: Timestamp,
    /// Observations that came in.
    pub observations: Vec<Seen>,
    /// How many observations and incidents changed beside those that are named here.
    pub more: u64,
    /// Incidents that changed, or are new.
    pub incidents: Vec<ChangedIncident>,
    /// Services whose state is another, or not told yet.
    pub services: Vec<ChangedService>,
}

/// An observation that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// The vantage point's name; its identity when it is not enrolled any more.
    pub agent: String,
    /// The check's name.
    pub check: String,
    /// The epoch of the agent's outbox: 16 hexadecimal digits.
    pub epoch: String,
    /// Its sequence in that epoch.
    pub sequence: u64,
    /// The slot that the run was for.
    pub scheduled_for: Timestamp,
    /// `pass`, `fail` or `void`.
    pub verdict: String,
}

/// An incident that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedIncident {
    /// Its number.
    pub number: u64,
    /// How far it is.
    pub state: State,
}

/// A service whose state is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedService {
    /// Its name.
    pub name: String,
    /// How it is by its quorum.
    pub state: Voiced,
    /// Incidents that touch it and are not over.
    pub incidents: Vec<u64>,
}

/// A change as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number: events of one process are numbered without a gap while somebody looks on.
    pub number: u64,
    /// What changed.
    pub change: Change,
    /// The same as JSON in one line.
    pub json: Bytes,
}

/// An observation, as the pipeline folds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    pub(crate) agent: AgentId,
    pub(crate) epoch: Epoch,
    pub(crate) sequence: u64,
    pub(crate) check: String,
    pub(crate) scheduled_for: WallTime,
    pub(crate) verdict: &'static str,
}

/// Observations of which somebody is to be told: the first are kept, further ones are counted.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    observations: Vec<Folded>,
    more: u64,
}

impl Batch {
    /// One more.
    pub(crate) fn push(&mut self, folded: impl FnOnce() -> Folded) {
        if self.observations.len() < MOST_NAMED {
            self.observations.push(folded());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn extend(&mut self, later: Self) {
        self.more = self.more.saturating_add(later.more);
        later.observations.into_iter().for_each(|folded| self.push(|| folded));
    }
}

/// What was in commits that nobody was told of yet.
#[derive(Debug, Default)]
struct Pending {
    batch: Batch,
    incidents: BTreeSet<u64>,
}

/// What just changed; cheap to clone.
#[derive(Clone, Debug)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Tells the events of one process from those of another.
    process: u32,
    pending: Mutex<Pending>,
    committed: watch::Sender<u64>,
    ring: Mutex<Ring>,
    told: watch::Sender<u64>,
    viewers: AtomicUsize,
    /// Commits since somebody looked on.
    unseen: AtomicU32,
}

impl Default for Live {
    fn default() -> Self {
        Self(Arc::new(Inner {
            process: u32::from_le_bytes(random_bytes()),
            pending: Mutex::default(),
            committed: watch::Sender::default(),
            ring: Mutex::default(),
            told: watch::Sender::default(),
            viewers: AtomicUsize::new(0),
            unseen: AtomicU32::new(FORGET),
        }))
    }
}

impl Live {
    /// Whether anybody looks on, or did a while ago.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.unseen.load(Ordering::Relaxed) < FORGET
    }

    /// A commit is whole: these observations and incidents were in it.
    pub(crate) fn committed(&self, batch: Batch, incidents: BTreeSet<u64>) {
        if self.0.viewers.load(Ordering::Relaxed) == 0 {
            self.0
                .unseen
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |unseen| {
                    (unseen < FORGET).then_some(unseen + 1)
                })
                .ok();
        }
        if !self.is_watched() {
            self.ring().forget();
            *self.pending() = Pending::default();
            return;
        }
        let mut pending = self.pending();
        pending.batch.extend(batch);
        pending.incidents.extend(incidents);
        drop(pending);
        self.0.committed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Looks on from now; `None` where too many do already.
    pub fn subscribe(&self) -> Option<Subscription> {
        let viewers = &self.0.viewers;
        let more = |count| (count < MOST_VIEWERS).then_some(count + 1);
        viewers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.0.unseen.store(0, Ordering::Relaxed);
        let next = self.ring().next();
        Some(Subscription { told: self.0.told.subscribe(), next, live: self.clone() })
    }

    /// How many look on.
    pub(crate) fn viewers(&self) -> usize {
        self.0.viewers.load(Ordering::Relaxed)
    }

    /// As an event is named across processes: `PROCESS-NUMBER`.
    pub fn id(&self, number: u64) -> String {
        format!("{:08x}-{number}", self.0.process)
    }

    /// The number in the name of an event of this process.
    fn number(&self, id: &str) -> Option<u64> {
        let (process, number) = id.split_once('-')?;
        (u32::from_str_radix(process, 16).ok()? == self.0.process).then_some(())?;
        number.parse().ok()
    }

    fn push(&self, change: Change) {
        // a struct of text and numbers: it can be written
        let json = serde_json::to_vec(&change).unwrap_or_default().into();
        let number = self.ring().push(change, json);
        self.0.told.send_replace(number);
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who looks on, until it is dropped.
#[derive(Debug)]
pub struct Subscription {
    live: Live,
    told: watch::Receiver<u64>,
    next: u64,
}

impl Subscription {
    /// Goes on after the event of this name, as far as it is kept.
    ///
    /// # Errors
    /// When what came after it is not kept any more: whoever looks on has to ask anew for everything.
    pub fn resume(&mut self, id: &str) -> Result<(), Missed> {
        let next = self.live.number(id).ok_or(Missed)?.saturating_add(1);
        self.live.ring().after(next)?;
        self.next = next;
        Ok(())
    }

    /// What was told since it was last asked, at least one; it waits for that.
    ///
    /// # Errors
    /// When it was so slow that not all of it is kept any more.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, Missed> {
        loop {
            self.told.mark_unchanged();
            let events = self.live.ring().after(self.next)?;
            if let Some(last) = events.last() {
                self.next = last.number.saturating_add(1);
                return Ok(events);
            }
            self.told.changed().await.map_err(|_ended| Missed)?;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.live.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
