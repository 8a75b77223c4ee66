//! One stream, from Hello to its end.
//!
//! Sequences on the wire are those of the epoch; inside, they are the spool's records: the epoch's
//! `base` lies between them.

mod hear;
mod send;

use std::time::Duration;

use mailsonde_proto::convert::{FromAgent, Heartbeat, Hello, PROTOCOL};
use mailsonde_proto::time::Instant;
use mailsonde_proto::wire::{AgentMessage, CollectorMessage};
use mailsonde_proto::{Epoch, WallTime};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tracing::debug;

use super::channel::SOFTWARE;
use super::credentials::Identity;
use super::{Pace, Uplink, UplinkError};
use crate::config::CollectorConfig;
use crate::outbox::{Progress, Reader};

/// Messages that wait for the network.
const QUEUE: usize = 4;
/// How a stream ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The agent ends.
    Stopped,
    /// What was spooled under the stream's epoch is answered, and another has begun.
    NextEpoch,
    /// The configuration names another collector.
    Elsewhere,
    /// The certificate is to be renewed: with the new one it goes on.
    Renewal,
}

pub(super) struct Session<'u> {
    uplink: &'u mut Uplink,
    collector: CollectorConfig,
    identity: Identity,
    progress: watch::Receiver<Progress>,
    epoch: Epoch,
    base: u64,
    reader: Option<Reader>,
    /// The record to be sent next.
    position: u64,
    /// This record and all before it are answered.
    answered: u64,
    /// `None` until the collector has said Welcome.
    window: Option<u64>,
    /// No batch is sent before.
    paused_until: Option<Instant>,
    begun_at: Instant,
    heard_at: Instant,
    /// When something was answered last, or there was nothing to answer.
    moved_at: Instant,
    beat: Option<(WallTime, Instant)>,
    told_of_excess: bool,
}

impl<'u> Session<'u> {
    /// What the agent says, on its way to the network.
    pub(super) fn queue() -> (mpsc::Sender<AgentMessage>, ReceiverStream<AgentMessage>) {
        let (said, outgoing) = mpsc::channel(QUEUE);
        (said, ReceiverStream::new(outgoing))
    }

    pub(super) fn new(
        uplink: &'u mut Uplink,
        collector: CollectorConfig,
        identity: Identity,
    ) -> Self {
        let progress = uplink.outbox.progress();
        let now = uplink.clock.monotonic();
        let (epoch, base, settled) = {
            let progress = progress.borrow();
            (progress.epoch, progress.base, progress.settled.max(progress.base))
        };
        Self {
            uplink,
            collector,
            identity,
            progress,
            epoch,
            base,
            reader: None,
            position: settled.saturating_add(1),
            answered: settled,
            window: None,
            paused_until: None,
            begun_at: now,
            heard_at: now,
            moved_at: now,
            beat: None,
            told_of_excess: false,
        }
    }

    pub(super) fn pace(&self) -> Pace {
        self.uplink.pace
    }

    /// Says Hello, as the first word or again.
    pub(super) async fn greet(
        &mut self,
        said: &mpsc::Sender<AgentMessage>,
    ) -> Result<(), UplinkError> {
        let progress = self.progress.borrow().clone();
        let oldest = progress.settled.max(self.base).saturating_add(1).min(progress.end);
        let hello = {
            let announced = self.uplink.announced.borrow_and_update();
            Hello {
                protocol: PROTOCOL,
                software: SOFTWARE.to_owned(),
                epoch: self.epoch,
                next_sequence: progress.end.saturating_sub(self.base),
                oldest_sequence: oldest.saturating_sub(self.base),
                vantage_point: announced.vantage_point.clone(),
                checks: announced.checks.clone(),
                instance: self.uplink.instance,
                signing_key: announced.signing_key,
                mailboxes: announced.mailboxes.clone(),
            }
        };
        self.say(said, FromAgent::Hello(hello)).await
    }

    async fn say(
        &self,
        said: &mpsc::Sender<AgentMessage>,
        message: FromAgent,
    ) -> Result<(), UplinkError> {
        // The stream's end stands in what is heard; a queue without a reader only says that there is one.
        let ended = |_| UplinkError::Ended("it takes nothing any more".into());
        said.send(message.into()).await.map_err(ended)
    }

    /// Sends and hears until the stream ends.
    pub(super) async fn run(
        mut self,
        said: mpsc::Sender<AgentMessage>,
        mut heard: Streaming<CollectorMessage>,
        stop: &CancellationToken,
    ) -> Result<End, UplinkError> {
        let mut beats = interval(self.pace().heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop_by = None;
        loop {
            let progress = self.progress.borrow_and_update().clone();
            if progress.epoch != self.epoch {
                return Ok(End::NextEpoch);
            }
            self.answered = self.answered.max(progress.settled);
            let now = self.uplink.clock.monotonic();
            if stop_by
                .is_some_and(|by| now >= by || self.answered.saturating_add(1) >= progress.end)
            {
                return self.say_goodbye(said, heard).await;
            }
            let alarm = self.alarm(now, stop_by)?;
            let wants = self.wants_to_send(&progress, now);
            let renewal = self.uplink.renew_at(&self.identity).since(self.uplink.clock.wall());
            tokio::select! {
                () = stop.cancelled(), if stop_by.is_none() => {
                    // from now on, not from when the waiting began
                    stop_by = Some(self.uplink.clock.monotonic() + self.pace().goodbye);
                }
                message = heard.message() => {
                    let message = message.map_err(|status| UplinkError::of_status(&status))?;
                    let ended = || UplinkError::Ended("it closed the stream".into());
                    self.hear(message.ok_or_else(ended)?).await?;
                }
                _ = beats.tick() => self.heartbeat(&said, &progress),
                changed = self.progress.changed() => {
                    changed.ok().ok_or(UplinkError::OutboxClosed)?;
                }
                Ok(()) = self.uplink.announced.changed() => {
                    if self.uplink.announced.borrow().collector != self.collector {
                        return Ok(End::Elsewhere);
                    }
                    self.greet(&said).await?;
                }
                answer = self.uplink.desk.answer() => self.say(&said, answer).await?,
                permit = said.reserve(), if wants => {
                    let ended = |_| UplinkError::Ended("it takes nothing any more".into());
                    let permit = permit.map_err(ended)?;
                    if let Some(piece) = self.next_piece(&progress).await? {
                        permit.send(piece.into());
                    }
                }
                () = sleep_until(alarm) => {}
                () = sleep(renewal), if stop_by.is_none() => return Ok(End::Renewal),
            }
        }
    }

    /// Closes our side, and hears what acknowledgements still come.
    async fn say_goodbye(
        mut self,
        said: mpsc::Sender<AgentMessage>,
        mut heard: Streaming<CollectorMessage>,
    ) -> Result<End, UplinkError> {
        drop(said);
        let last_words = async {
            while let Ok(Some(message)) = heard.message().await {
                if self.hear(message).await.is_err() {
                    return;
                }
            }
        };
        let is_complete = timeout(Duration::from_secs(1), last_words).await.is_ok();
        debug!(is_complete, "uplink: said goodbye");
        Ok(End::Stopped)
    }

    /// When to look again although nothing happens; an error when the collector has been silent.
    fn alarm(&mut self, now: Instant, stop_by: Option<Instant>) -> Result<Instant, UplinkError> {
        let Pace { welcome, silence, .. } = self.pace();
        let paused = self.paused_until.filter(|until| *until > now);
        let is_waiting = self.position > self.answered.saturating_add(1) && paused.is_none();
        if !is_waiting {
            self.moved_at = now;
        }
        let limits = [
            (self.window.is_none(), self.begun_at, welcome, "welcome"),
            (true, self.heard_at, silence, "sign of life"),
            (is_waiting, self.moved_at, silence, "acknowledgement"),
        ];
        let mut alarm = now + silence;
        for (applies, since, within, what) in limits {
            if applies && now.saturating_duration_since(since) >= within {
                return Err(UplinkError::Silent { what, within });
            }
            if applies {
                alarm = alarm.min(since + within);
            }
        }
        for other in [paused, stop_by].into_iter().flatten() {
            alarm = alarm.min(other);
        }
        Ok(alarm)
    }

    fn heartbeat(&mut self, said: &mpsc::Sender<AgentMessage>, progress: &Progress) {
        let (sent_at, at) = (self.uplink.clock.wall(), self.uplink.clock.monotonic());
        let beat = Heartbeat {
            sent_at,
            spooled: progress.accounts.spooled,
            spooled_bytes: progress.spooled_bytes,
            // there the collector's clock is told as ahead, here ours
            clock_offset_us: self
                .uplink
                .offsets
                .offset_us(at)
                .map(|(ahead, error)| (ahead.saturating_neg(), error)),
            running: at.saturating_duration_since(self.uplink.begun_at),
        };
        // With a full queue the network is busy with us already.
        if said.try_send(FromAgent::Heartbeat(beat).into()).is_ok() {
            self.beat = Some((sent_at, at));
        }
    }
}
