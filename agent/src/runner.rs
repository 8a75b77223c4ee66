//! Carries out runs: intent first, then the probe under its deadline, then the observation.
//!
//! Every slot that is handed in ends in exactly one observation, whatever the probe does: one that
//! panics is `void(internal)`, one that is still under way when the agent ends is `void(interrupted)`.
//! Absent on purpose: when a run is due (`schedule`), and what is done with its observation (`outbox`).

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use mailsonde_proto::{
    AgentId, Cause, Check, Clock, Fact, Observation, RunId, Verdict, VoidReason, WallTime,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use crate::outbox::{Intent, NotBegun, Outbox};
use crate::probe::{Amendment, Outcome, Probe, Run};

/// A probe keeps to its deadline itself and can then say what was under way; so much later it is ended.
const GRACE: Duration = Duration::from_secs(1);
/// How long a run may wait for another to end, when as many as may are under way.
const MOST_QUEUED: Duration = Duration::from_secs(5);
/// Why a run is not begun.
const CROWDED: &str = "as many runs as may be under way at once were: see limits.concurrent_runs";
/// Characters of a panic's words that are kept.
const MOST_WORDS: usize = 300;

/// A check that is ready to run.
#[derive(Clone)]
pub struct Ready {
    /// As it is configured.
    pub check: Check,
    /// Carries it out.
    pub probe: Arc<dyn Probe>,
}

/// What all runs of an agent share. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    outbox: Outbox,
    clock: Clock,
    agent: AgentId,
    clock_error: watch::Receiver<Option<u64>>,
    amendments: mpsc::Sender<Amendment>,
    places: Arc<Semaphore>,
    ended: CancellationToken,
}

/// Where a runner's runs get what they need, besides the outbox.
pub struct Means {
    /// Who runs.
    pub agent: AgentId,
    /// The bound on the error of the wall clock in microseconds, where known.
    pub clock_error: watch::Receiver<Option<u64>>,
    /// Where amendments go.
    pub amendments: mpsc::Sender<Amendment>,
    /// Runs under way at once.
    pub concurrent_runs: usize,
    /// When it is cancelled, runs under way are void.
    pub ended: CancellationToken,
}

impl Runner {
    /// A runner that writes to `outbox`.
    pub fn new(outbox: Outbox, clock: Clock, means: Means) -> Self {
        Self {
            outbox,
            clock,
            agent: means.agent,
            clock_error: means.clock_error,
            amendments: means.amendments,
            places: Arc::new(Semaphore::new(means.concurrent_runs.max(1))),
            ended: means.ended,
        }
    }

    /// Where amendments go.
    pub fn amendments(&self) -> &mpsc::Sender<Amendment> {
        &self.amendments
    }

    /// Carries out one run for a slot, from the intent to the observation on disk.
    pub async fn run(&self, ready: Ready, slot: WallTime) {
        let Ok(Ok(_place)) = timeout(MOST_QUEUED, self.places.acquire()).await else {
            let void = Verdict::void(VoidReason::Overrun, CROWDED);
            return self.without_run(&ready.check, slot, void).await;
        };
        match self.begin(&ready, slot, Cause::Scheduled).await {
            Ok(id) => self.carry_out(&ready, id, (slot, Cause::Scheduled)).await,
            Err(NotBegun::Closed) => {}
            Err(error @ NotBegun::Disk(_)) => {
                warn!(check = ready.check.name, %error, "runner: no run");
            }
        }
    }

    /// Carries out one run that somebody asked for, now; `begun` is told its number once its intent is on disk, or
    /// why there is no run. No slot is waiting for it, so what is not begun leaves nothing behind.
    pub async fn run_now(
        &self,
        ready: Ready,
        cause: Cause,
        begun: impl FnOnce(Result<RunId, String>),
    ) {
        let Ok(Ok(_place)) = timeout(MOST_QUEUED, self.places.acquire()).await else {
            return begun(Err(CROWDED.to_owned()));
        };
        let now = self.clock.wall();
        match self.begin(&ready, now, cause).await {
            Ok(id) => {
                begun(Ok(id));
                self.carry_out(&ready, id, (now, cause)).await;
            }
            Err(error) => begun(Err(error.to_string())),
        }
    }

    async fn begin(&self, ready: &Ready, slot: WallTime, cause: Cause) -> Result<RunId, NotBegun> {
        let intent = Intent {
            check: ready.check.name.clone(),
            kind: ready.check.kind.clone(),
            scheduled_for: slot,
            written_at: self.clock.wall(),
            cause,
            settings_digest: ready.check.settings_digest,
        };
        self.outbox.begin(intent).await
    }

    async fn carry_out(&self, ready: &Ready, id: RunId, of: (WallTime, Cause)) {
        let span = info_span!("run", check = %ready.check.name, seq = id.intent);
        self.observe(ready, id, of).instrument(span).await;
    }

    async fn observe(&self, ready: &Ready, id: RunId, (slot, cause): (WallTime, Cause)) {
        let started_at = self.clock.wall();
        let run = Run {
            id,
            agent: self.agent,
            check: ready.check.name.clone(),
            cause,
            scheduled_for: slot,
            deadline: self.clock.monotonic() + ready.check.timeout,
            token_key: Arc::clone(self.outbox.token_key()),
            amendments: self.amendments.clone(),
        };
        let outcome = self.probe(ready, run).await;
        match &outcome.verdict {
            Verdict::Pass => info!(us = outcome.total_us, "pass"),
            Verdict::Fail(fault) => info!(us = outcome.total_us, %fault, "fail"),
            Verdict::Void { reason, detail } => {
                info!(reason = reason.as_str(), detail, "void");
            }
        }
        let observation = Observation {
            intent: id.intent,
            check: ready.check.name.clone(),
            kind: ready.check.kind.clone(),
            scheduled_for: slot,
            started_at,
            clock_error_us: *self.clock_error.borrow(),
            cause,
            settings_digest: ready.check.settings_digest,
            amends: None,
            transcript: match outcome.verdict {
                Verdict::Fail(_) => outcome.transcript,
                _ => String::new(),
            },
            verdict: outcome.verdict,
            total_us: outcome.total_us,
            phases: outcome.phases,
            facts: outcome.facts,
            findings: outcome.findings,
        };
        self.outbox.finish(observation).await;
    }

    /// The probe's outcome, or why there is none.
    async fn probe(&self, ready: &Ready, run: Run) -> Outcome {
        let deadline = run.deadline;
        let probing = AssertUnwindSafe(async { ready.probe.run(run).await }).catch_unwind();
        tokio::select! {
            outcome = timeout_at(deadline + GRACE, probing) => match outcome {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(panic)) => {
                    let said = panic_words(panic.as_ref());
                    error!(said, "runner: the probe panicked, which is a defect: report it");
                    void(VoidReason::Internal, format!("the probe panicked: {said}"))
                }
                Err(_) => {
                    error!("runner: the probe did not keep to its deadline, which is a defect: report it");
                    void(VoidReason::Internal, "the probe did not keep to its deadline".into())
                }
            },
            () = self.ended.cancelled() => {
                void(VoidReason::Interrupted, "the agent ended while the run was under way".into())
            }
        }
    }

    /// A scheduled slot without a run, such as one that was missed.
    pub async fn without_run(&self, check: &Check, slot: WallTime, verdict: Verdict) {
        self.outbox.finish(self.slot_of(check, slot, verdict)).await;
    }

    /// Several slots that were missed and are told in one observation: the first's, with facts that say
    /// how many there were and which was the last.
    pub async fn many_missed(&self, check: &Check, first: WallTime, last: WallTime, slots: u64) {
        let detail = "nobody was there to run these: the machine slept, or its clock jumped";
        let verdict = Verdict::void(VoidReason::Missed, detail);
        let mut observation = self.slot_of(check, first, verdict);
        let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
        observation.facts = vec![
            fact("schedule.missed_slots", slots.to_string()),
            fact("schedule.last_missed", last.to_string()),
        ];
        self.outbox.finish(observation).await;
    }

    fn slot_of(&self, check: &Check, slot: WallTime, verdict: Verdict) -> Observation {
        Observation {
            intent: 0,
            check: check.name.clone(),
            kind: check.kind.clone(),
            scheduled_for: slot,
            started_at: self.clock.wall(),
            clock_error_us: *self.clock_error.borrow(),
            cause: Cause::Scheduled,
            settings_digest: check.settings_digest,
            amends: None,
            verdict,
            total_us: 0,
            phases: Vec::new(),
            facts: Vec::new(),
            findings: Vec::new(),
            transcript: String::new(),
        }
    }
}

/// Writes amendments to the outbox until nobody can send any more.
pub async fn keep_amendments(outbox: Outbox, mut amendments: mpsc::Receiver<Amendment>) {
    while let Some(amendment) = amendments.recv().await {
        let (intent, fault) = (amendment.run.intent, amendment.fault.to_string());
        if outbox.amend(amendment).await {
            info!(intent, fault, "runner: more was learnt about an earlier run");
        }
    }
}

fn void(reason: VoidReason, detail: String) -> Outcome {
    Outcome {
        verdict: Verdict::void(reason, detail),
        total_us: 0,
        phases: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    said.unwrap_or("without a word").chars().take(MOST_WORDS).collect()
}

#[cfg(test)]
mod tests;
