//! Sends what is to be told: each message until its channel took it, or it is a day old.
//!
//! Invariants: what became of a message is in the control journal before anything else is done about it, so a crash
//! sends it once more, with the same id, and never loses it. A channel has one message under way: so a slow one delays
//! no other, and messages of one conversation come in order, where the first that is not through holds up the rest of
//! its conversation and nothing else. Absent on purpose: what is told to whom, which `judge` says, and payloads.

mod queue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use mailsonde_proto::Clock;
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, ControlJournal};
use crate::judge::message::Message;
use crate::judge::telling::{Fate, Notice, Notified, TestMessage, Waiting, test_message};
use crate::notifier::{Channels, FOLDER, Handle, Named, Outcome, Post};
use queue::{Queue, Ready};

pub use queue::Held;

/// Given up after this.
const GIVEN_UP: Duration = Duration::from_secs(24 * 3_600);
/// An attempt is over by then, whatever the channel does: longer than any channel may take.
const ATTEMPT: Duration = Duration::from_secs(150);
/// An operator who tries a channel is told by then.
const TEST: Duration = Duration::from_secs(12);
/// Between two attempts at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// What could not be written is written again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// A channel whose oldest message waits for longer is not well.
const UNWELL: Duration = Duration::from_secs(600);

/// Makes the message that is sent of what is to be told.
pub type Compose = Arc<dyn Fn(&Notice) -> Message + Send + Sync>;

/// Sends messages; clones are the same.
#[derive(Clone)]
pub struct Delivery {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    channels: Mutex<Arc<Channels>>,
    compose: Compose,
    wake: Notify,
    /// What each channel said that refused a message, until it takes one.
    refused: Mutex<BTreeMap<String, String>>,
    control: Arc<ControlJournal>,
    clock: Clock,
}

impl Delivery {
    /// Of nothing yet, by these channels.
    pub fn new(
        control: Arc<ControlJournal>,
        channels: Channels,
        compose: Compose,
        clock: Clock,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                channels: Mutex::new(Arc::new(channels)),
                compose,
                wake: Notify::new(),
                refused: Mutex::default(),
                control,
                clock,
            }),
        }
    }

    /// These messages are to be sent, and no others.
    pub fn offer(&self, waiting: Vec<Waiting>) {
        self.queue().offer(waiting);
        self.shared.wake.notify_one();
    }

    /// Other channels from now on; what waits is tried by them at once.
    pub fn use_channels(&self, channels: Channels) {
        *self.lock_channels() = Arc::new(channels);
        self.refused().remove(FOLDER);
        self.queue().retry();
        self.shared.wake.notify_one();
    }

    /// The channels.
    pub fn channels(&self) -> Arc<Channels> {
        self.lock_channels().clone()
    }

    /// What waits, and why.
    pub fn held(&self) -> Vec<Held> {
        self.queue().held()
    }

    /// Whether messages come through.
    ///
    /// # Errors
    /// Which channel does not work, and what it said.
    pub fn health(&self) -> Result<(), String> {
        let now = self.shared.clock.wall().timestamp();
        let is_old = |held: &&Held| {
            u64::try_from(now.duration_since(held.since).as_secs())
                .is_ok_and(|age| age > UNWELL.as_secs())
        };
        if let Some((channel, why)) = self.refused().iter().next() {
            return Err(format!("{channel} takes no messages: {why}"));
        }
        let held = self.held();
        held.iter().find(is_old).map_or(Ok(()), |held| {
            let why = if held.why.is_empty() { "nothing came back yet" } else { &held.why };
            Err(format!("a message waits for {} since {}: {why}", held.channel, held.since))
        })
    }

    /// Sends one message beside the queue, so that an operator sees what comes back.
    ///
    /// # Errors
    /// When there is no such channel: which there are.
    pub async fn test(&self, name: &str, by: &str) -> Result<Outcome, String> {
        let channels = self.channels();
        let Some(named) = channels.get(name) else {
            let known: Vec<&str> = channels.iter().map(|named| named.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("there is no channel called {name}: channels.d has {known}"));
        };
        let at = self.shared.clock.wall().timestamp();
        let message = test_message(TestMessage { channel: name, by, at });
        let post = Post { message: &message, earlier: None };
        let outcome = sent_within(TEST, named, post).await;
        if matches!(outcome, Outcome::Sent { .. }) {
            self.refused().remove(name);
        }
        Ok(outcome)
    }

    /// Some of the files' channels are wrong: that is no good health until they are read again.
    pub fn lacks_channels(&self, mistakes: usize) {
        let why = format!("{mistakes} mistakes: see `mailsonde-collector config check`");
        self.refused().insert(FOLDER.to_owned(), why);
    }

    /// What each channel said that refused its last message.
    pub fn refused(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends until the shutdown. What is under way then is sent again at the next start.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut attempts = JoinSet::new();
        loop {
            let now = self.shared.clock.wall();
            let (ready, next) = {
                let mut queue = self.queue();
                (queue.take_ready(now), queue.next(now))
            };
            for ready in ready {
                attempts.spawn(self.clone().attempt(ready));
            }
            let sleep = tokio::time::sleep(next.unwrap_or(GIVEN_UP));
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.shared.wake.notified() => {}
                () = sleep => {}
                Some(_) = attempts.join_next(), if !attempts.is_empty() => {}
            }
        }
        attempts.shutdown().await;
    }

    /// Tries once, and writes down what came of it; a channel that is kept waiting by that keeps no other waiting.
    async fn attempt(self, ready: Ready) {
        let outcome = self.outcome(&ready).await;
        self.conclude(&ready, outcome).await;
    }

    async fn outcome(&self, ready: &Ready) -> Outcome {
        let channels = self.channels();
        let notice = &ready.waiting.notice;
        let channel = &notice.channel;
        if ready.attempts == 0 && self.age(notice) >= GIVEN_UP {
            let why = "it was a day old before it could be tried".to_owned();
            return Outcome::Refused { why };
        }
        match channels.get(channel).filter(|named| named.is_enabled) {
            None => {
                let why =
                    format!("there is no channel {channel} in channels.d, or it is not enabled");
                if self.age(notice) >= UNWELL {
                    return Outcome::Refused { why };
                }
                Outcome::Later { after: Some(AGAIN * 30), why, may_have_arrived: false }
            }
            Some(named) => {
                let message = (self.shared.compose)(notice);
                let earlier = ready.waiting.handle.clone().map(Handle);
                sent(named, Post { message: &message, earlier: earlier.as_ref() }).await
            }
        }
    }

    /// How long it was to be sent.
    fn age(&self, notice: &Notice) -> Duration {
        let since = notice.message.at.max(notice.not_before);
        let age = self.shared.clock.wall().timestamp().duration_since(since);
        Duration::try_from(age).unwrap_or_default()
    }

    async fn conclude(&self, ready: &Ready, outcome: Outcome) {
        let notice = &ready.waiting.notice;
        let now = self.shared.clock.wall();
        let attempts = ready.attempts.saturating_add(1);
        let (channel, id) = (notice.channel.as_str(), notice.message.id.as_str());
        let fate = match outcome {
            Outcome::Sent { handle, confirmed, said } => {
                tracing::info!(channel, id, said, "a message was sent");
                Fate::Sent { handle: handle.map(|it| it.0), is_confirmed: confirmed, said }
            }
            Outcome::Refused { why } => Fate::Failed { why },
            Outcome::Later { after, why, .. } => {
                if self.age(notice) >= GIVEN_UP {
                    Fate::Failed { why: format!("not within a day; at last: {why}") }
                } else {
                    if attempts == 1 {
                        tracing::warn!(channel, id, why, "a message was not taken; trying again");
                    }
                    let wait = after.unwrap_or_default().max(backoff(attempts));
                    let rests = after.map(|after| now.plus(after));
                    self.queue().put_off(ready, why, (now.plus(wait), rests));
                    return self.shared.wake.notify_one();
                }
            }
        };
        let instead = match &fate {
            Fate::Failed { why } => {
                tracing::error!(channel, id, why, "a message is given up: look at the channel");
                self.refused().insert(channel.to_owned(), why.clone());
                self.instead_of(notice.channel.as_str(), &notice.message)
            }
            Fate::Sent { .. } | Fate::Superseded => {
                self.refused().remove(channel);
                None
            }
        };
        let notified = Notified { id: id.to_owned(), fate, attempts, instead };
        self.write(ready, notified).await;
        self.shared.wake.notify_one();
    }

    /// The channel that is to tell that another failed.
    fn instead_of(&self, channel: &str, message: &Message) -> Option<String> {
        use crate::judge::message::Occasion::{Test, Trouble};
        if matches!(message.occasion, Trouble | Test) {
            return None;
        }
        let channels = self.channels();
        let said = channels.get(channel).and_then(|named| named.instead.clone());
        let said = said.filter(|name| channels.get(name).is_some_and(|named| named.is_enabled));
        let mut others = channels.iter().filter(|it| it.name != channel && it.is_enabled);
        said.or_else(|| others.next().map(|named| named.name.clone()))
    }

    async fn write(&self, ready: &Ready, notified: Notified) {
        let handle = match &notified.fate {
            Fate::Sent { handle, .. } => handle.clone(),
            Fate::Failed { .. } | Fate::Superseded => None,
        };
        let mut written = false;
        while !written {
            let (control, now) = (self.shared.control.clone(), self.shared.clock.wall());
            let record = Control::Notified(notified.clone());
            let appended = spawn_blocking(move || control.append(now, record)).await;
            match appended {
                Ok(Ok(_)) => written = true,
                Ok(Err(error)) => {
                    tracing::error!(%error, "what became of a message cannot be written");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(_ended) => return,
            }
        }
        self.queue().settle(ready, handle);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_channels(&self) -> MutexGuard<'_, Arc<Channels>> {
        self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names of channels, for whoever reads routes.
pub fn names(channels: &Channels) -> BTreeSet<String> {
    channels.iter().map(|named| named.name.clone()).collect()
}

/// Sends once, whatever the channel does.
async fn sent(named: &Named, post: Post<'_>) -> Outcome {
    sent_within(ATTEMPT, named, post).await
}

async fn sent_within(limit: Duration, named: &Named, post: Post<'_>) -> Outcome {
    let later = |why| Outcome::Later { after: None, why, may_have_arrived: true };
    let sent = AssertUnwindSafe(named.channel.send(post)).catch_unwind();
    match tokio::time::timeout(limit, sent).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => later("the channel panicked, which is a defect: see the log".to_owned()),
        Err(_elapsed) => later(format!("it was not done within {} s", limit.as_secs())),
    }
}

fn backoff(attempts: u32) -> Duration {
    let (first, most) = BACKOFF;
    first
        .saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX))
        .min(most)
}
