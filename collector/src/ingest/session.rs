//! One agent's stream: hello, then batches in, acknowledgements out; and what the agent is to do.

mod fleet;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mailsonde_proto::AgentId;
use mailsonde_proto::convert::{
    Ack, Batch, FromAgent, FromCollector, Heartbeat, HeartbeatAnswer, Hello, PROTOCOL, Reject,
    RejectReason, Revision, SequenceRange, Throttle, Tombstone, Welcome, observation_from_bytes,
};
use mailsonde_proto::wire::{AgentMessage, CollectorMessage};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::error::Elapsed;
use tonic::{Status, Streaming};
use tracing::Instrument;

use super::{Ingest, SOFTWARE};
use crate::central::CheckSet;
use crate::control::Enrolled;
use crate::identity::Shown;
use crate::registry::{Ended, Words};
use crate::store::ledger::{LedgerError, Source, Stored, WINDOW, Wanted};

/// The first message must come within this.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// An agent that says nothing for so long, three heartbeats, is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// Batches of one stream that may be under way to the disk.
const IN_FLIGHT: usize = 16;
/// When the disk is full, the next try comes after this.
const RETRY: Duration = Duration::from_secs(1);

type Answers = mpsc::Sender<Result<CollectorMessage, Status>>;

pub(super) struct Session {
    ingest: Ingest,
    agent: AgentId,
    shown: Shown,
    registered: Enrolled,
    answers: Answers,
    /// In order of their sequences.
    under_way: VecDeque<UnderWay>,
    /// The collector's checks, to hear of changes.
    checks: watch::Receiver<Arc<CheckSet>>,
    /// What the agent was told to run last.
    told: Option<Revision>,
}

/// Something that the ledger has been asked to store.
struct UnderWay {
    wanted: Wanted,
    rejected: Vec<SequenceRange>,
    answer: oneshot::Receiver<Result<Stored, LedgerError>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Session {
    pub(super) fn new(
        ingest: Ingest,
        shown: Shown,
        registered: Enrolled,
        answers: Answers,
    ) -> Self {
        let agent = shown.agent;
        let (under_way, checks) = (VecDeque::new(), ingest.registry.checks());
        Self { ingest, agent, shown, registered, answers, under_way, checks, told: None }
    }

    /// Serves the stream to its end.
    pub(super) async fn run(mut self, inbound: Streaming<AgentMessage>, from: Option<SocketAddr>) {
        let name = self.registered.name.clone();
        let span = tracing::info_span!("ingest", agent = %name);
        let now = self.ingest.clock.wall();
        let (presence, words) = self.ingest.registry.arrived(&self.shown, now, from);
        let certificate_left = self.shown.not_after.since(now);
        let answers = self.answers.clone();
        let shutdown = self.ingest.shutdown.clone();
        async {
            let ended = tokio::select! {
                ended = self.serve(inbound, words) => ended,
                why = presence.ended() => Err(status_of(why)),
                () = tokio::time::sleep(certificate_left) => {
                    Err(Status::unauthenticated("the agent's certificate is over: renew it"))
                }
                () = shutdown.cancelled() => Err(Status::unavailable("the collector is stopping")),
            };
            match ended {
                Ok(()) => tracing::info!("the agent has gone"),
                Err(status) => {
                    tracing::info!(reason = status.message(), "the stream ended");
                    // The agent may have gone already; then nobody needs the reason.
                    answers.try_send(Err(status)).ok();
                }
            }
        }
        .instrument(span)
        .await;
    }

    async fn serve(
        &mut self,
        mut inbound: Streaming<AgentMessage>,
        mut words: Words,
    ) -> Result<(), Status> {
        let first = tokio::time::timeout(HELLO_LIMIT, inbound.message()).await;
        let first = first.map_err(too_late("no hello came"))??;
        let Some(FromAgent::Hello(hello)) = first.map(judged).transpose()? else {
            return Err(Status::failed_precondition("the first message must be a hello"));
        };
        let source = self.greet(hello).await?;
        self.checks.mark_unchanged();
        self.assign().await?;
        loop {
            let room = self.under_way.len() < IN_FLIGHT;
            tokio::select! {
                biased;
                stored = first_answer(&mut self.under_way) => self.answered(source, stored).await?,
                Ok(()) = self.checks.changed() => self.assign().await?,
                Some(words) = words.recv() => self.say(words).await?,
                message = tokio::time::timeout(SILENCE_LIMIT, inbound.message()), if room => {
                    match message.map_err(too_late("nothing was heard for three heartbeats"))?? {
                        Some(message) => self.heard(source, judged(message)?).await?,
                        None => return self.drain(source).await,
                    }
                }
            }
        }
    }

    /// The agent has said its last; what is under way is still answered.
    async fn drain(&mut self, source: Source) -> Result<(), Status> {
        while !self.under_way.is_empty() {
            let stored = first_answer(&mut self.under_way).await;
            self.answered(source, stored).await?;
        }
        Ok(())
    }

    async fn heard(&mut self, source: Source, said: FromAgent) -> Result<(), Status> {
        match said {
            FromAgent::Batch(batch) => self.batch(source, batch).await,
            FromAgent::Tombstone(tombstone) => self.tombstone(source, tombstone).await,
            FromAgent::Heartbeat(heartbeat) => self.heartbeat(heartbeat).await,
            FromAgent::Hello(hello) if hello.epoch == source.epoch => {
                self.drain(source).await?;
                self.greet(hello).await.map(|_| ())
            }
            FromAgent::Hello(_) => {
                Err(Status::failed_precondition("a new epoch needs a new stream"))
            }
            FromAgent::Assigned(assigned) => {
                self.ingest.registry.assigned(self.agent, assigned);
                Ok(())
            }
            FromAgent::RunAnswer(answer) => {
                self.ingest.registry.ran(self.agent, answer);
                Ok(())
            }
            FromAgent::Crossing(crossing) => {
                self.ingest.registry.carry(self.agent, crossing);
                Ok(())
            }
            FromAgent::Unknown => Ok(()),
        }
    }

    async fn greet(&mut self, hello: Hello) -> Result<Source, Status> {
        let claimed = &hello.vantage_point.name;
        if self.ingest.registry.is_name_of_another(self.agent, claimed) {
            return Err(Status::permission_denied(format!(
                "this agent is enrolled as \"{}\", but its agent.toml says \"{claimed}\", which is another \
                 agent's name: change it there",
                self.registered.name
            )));
        }
        let source = Source { agent: self.agent, epoch: hello.epoch };
        let now = self.ingest.clock.wall();
        self.ingest
            .registry
            .define(self.agent, &hello, now)
            .await
            .map_err(|error| Status::unavailable(format!("try again: {error}")))?;
        let stored = self.ingest.ledger.greet(source, hello.oldest_sequence).await;
        let stored = stored.map_err(|error| Status::unavailable(format!("try again: {error}")))?;
        tracing::info!(
            epoch = %hello.epoch, through = stored.through, software = %hello.software, "hello"
        );
        self.say(FromCollector::Welcome(Welcome {
            protocol: PROTOCOL,
            software: SOFTWARE.to_owned(),
            agent: self.agent,
            registered_name: self.registered.name.clone(),
            stored_through: stored.through,
            window: WINDOW,
        }))
        .await?;
        Ok(source)
    }

    async fn heartbeat(&mut self, heartbeat: Heartbeat) -> Result<(), Status> {
        let received_at = self.ingest.clock.wall();
        self.ingest.registry.heard(self.agent, received_at, &heartbeat);
        self.say(FromCollector::HeartbeatAnswer(HeartbeatAnswer {
            agent_sent_at: heartbeat.sent_at,
            received_at,
            sent_at: self.ingest.clock.wall(),
        }))
        .await
    }

    async fn batch(&mut self, source: Source, batch: Batch) -> Result<(), Status> {
        let bytes: usize = batch.observations.iter().map(Bytes::len).sum();
        let kib = u32::try_from(bytes / 1_024 + 1).unwrap_or(u32::MAX);
        let permit = self.permit(source, kib).await?;
        let Batch { first_sequence, mut observations } = batch;
        let mut rejected = Vec::new();
        for (sequence, observation) in (first_sequence..).zip(&mut observations) {
            if let Err(malformed) = observation_from_bytes(observation) {
                tracing::warn!(sequence, %malformed, "an observation is malformed");
                let bytes = std::mem::take(observation);
                let kept = self.ingest.ledger.quarantine(source, sequence, bytes).await;
                kept.map_err(|error| Status::unavailable(format!("try again: {error}")))?;
                rejected.push(SequenceRange { first: sequence, last: sequence });
            }
        }
        self.ingest.registry.observed(self.agent, self.ingest.clock.wall());
        let wanted = Wanted::Batch { first: first_sequence, observations };
        self.offer(source, wanted, rejected, Some(permit)).await
    }

    /// Waits for room among what all streams have under way. What this stream has under way itself is
    /// answered meanwhile: otherwise streams could wait for each other's room for ever.
    async fn permit(&mut self, source: Source, kib: u32) -> Result<OwnedSemaphorePermit, Status> {
        let mut room = std::pin::pin!(self.ingest.in_flight.clone().acquire_many_owned(kib));
        loop {
            tokio::select! {
                permit = &mut room => {
                    let stopping = || Status::unavailable("the collector is stopping");
                    return permit.ok().ok_or_else(stopping);
                }
                stored = first_answer(&mut self.under_way) => self.answered(source, stored).await?,
            }
        }
    }

    async fn tombstone(&mut self, source: Source, tombstone: Tombstone) -> Result<(), Status> {
        tracing::warn!(
            first = tombstone.range.first,
            last = tombstone.range.last,
            reason = tombstone.reason.as_str(),
            "the agent gave up observations"
        );
        self.offer(source, Wanted::Tombstone(tombstone), Vec::new(), None).await
    }

    async fn offer(
        &mut self,
        source: Source,
        wanted: Wanted,
        rejected: Vec<SequenceRange>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Status> {
        let answer = self.ingest.ledger.offer(source, wanted.clone()).await;
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        self.under_way.push_back(UnderWay { wanted, rejected, answer, _permit: permit });
        Ok(())
    }

    /// The oldest of what is under way has been answered.
    async fn answered(
        &mut self,
        source: Source,
        stored: Result<Stored, LedgerError>,
    ) -> Result<(), Status> {
        let stored = match stored {
            Ok(stored) => stored,
            Err(LedgerError::Disk(error)) => {
                return self.offer_again(source, &error.to_string()).await;
            }
            Err(error @ LedgerError::OutOfOrder { .. }) => {
                return Err(Status::failed_precondition(error.to_string()));
            }
            Err(LedgerError::Closed) => {
                return Err(Status::unavailable("the collector is stopping"));
            }
        };
        let Some(done) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.reject(done.rejected, RejectReason::Malformed, "not an observation").await?;
        self.reject(stored.conflicts, RejectReason::Conflict, "stored before with other bytes")
            .await?;
        self.say(FromCollector::Ack(Ack { through: stored.through })).await
    }

    /// The disk would not take the oldest, so none behind it either: all of them again, after a while.
    async fn offer_again(&mut self, source: Source, reason: &str) -> Result<(), Status> {
        tracing::error!(reason, "the ledger cannot write; agents keep what they have and wait");
        self.say(FromCollector::Throttle(Throttle { pause: RETRY, reason: reason.to_owned() }))
            .await?;
        for waiting in self.under_way.iter_mut().skip(1) {
            // Whatever the answer is, it is offered again; what is stored already is only acknowledged.
            (&mut waiting.answer).await.ok();
        }
        tokio::time::sleep(RETRY).await;
        for waiting in &mut self.under_way {
            let answer = self.ingest.ledger.offer(source, waiting.wanted.clone()).await;
            waiting.answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        }
        Ok(())
    }

    async fn reject(
        &mut self,
        ranges: Vec<SequenceRange>,
        reason: RejectReason,
        detail: &str,
    ) -> Result<(), Status> {
        if ranges.is_empty() {
            return Ok(());
        }
        self.ingest.registry.rejected(self.agent, reason, &ranges);
        tracing::warn!(
            reason = reason.as_str(),
            count = ranges.len(),
            "observations were rejected"
        );
        self.say(FromCollector::Reject(Reject { ranges, reason, detail: detail.to_owned() })).await
    }

    async fn say(&self, said: FromCollector) -> Result<(), Status> {
        let gone = |_| Status::cancelled("the agent has gone");
        self.answers.send(Ok(said.into())).await.map_err(gone)
    }
}

fn status_of(why: Ended) -> Status {
    match why {
        Ended::Replaced => Status::aborted("a newer stream of this agent took over"),
        Ended::Revoked => Status::permission_denied("this agent was revoked"),
        Ended::OtherKey => {
            Status::permission_denied("this agent was enrolled again, with another key")
        }
        Ended::Retired => Status::unauthenticated(
            "the authority of this agent's certificate was retired: enrol it again",
        ),
    }
}

fn judged(message: AgentMessage) -> Result<FromAgent, Status> {
    FromAgent::try_from(message)
        .map_err(|malformed| Status::invalid_argument(malformed.to_string()))
}

fn too_late(what: &'static str) -> impl FnOnce(Elapsed) -> Status {
    move |_elapsed| Status::deadline_exceeded(what)
}

/// Waits for the oldest answer; for ever when nothing is under way.
async fn first_answer(under_way: &mut VecDeque<UnderWay>) -> Result<Stored, LedgerError> {
    match under_way.front_mut() {
        Some(oldest) => (&mut oldest.answer).await.unwrap_or(Err(LedgerError::Closed)),
        None => std::future::pending().await,
    }
}
