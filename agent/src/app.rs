//! The agent at work: schedule, runner, outbox and uplink, from start to a clean end.
//!
//! SIGHUP reads the configuration again; one with a mistake is reported and the old one stays. SIGTERM
//! and SIGINT end the agent: no new run, a few seconds for those under way, then everything is on disk
//! and what can be sent in a moment is sent.

mod checks;
mod crossing;
mod orders;
mod state;
pub(crate) mod vital;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::Context;
use futures_util::FutureExt;
use mailsonde_proto::service::Manager;
use mailsonde_proto::{AgentId, Clock, Verdict, VoidReason};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::{AgentConfig, Overrides};
use crate::net::Net;
use crate::outbox::{Keeper, Limits, Outbox, Progress};
use crate::probe::{Amendment, Kinds};
use crate::runner::{Means, Ready, Runner, keep_amendments};
use crate::schedule::{Due, Slot};
use crate::uplink::credentials::Credentials;
use crate::uplink::{Announced, Orders, Uplink};
use checks::Checks;
use crossing::Guests;
use orders::FromCollector;
use vital::Vital;

/// Runs under way are given so long when the agent ends.
const LAST_RUNS: Duration = Duration::from_secs(5);
/// Mailboxes are given so long to clean up.
const LAST_MAIL: Duration = Duration::from_secs(5);
/// The uplink is given so long to say goodbye, and the outbox to write.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// The schedule is looked at this often in any case: the wall clock may have been set.
const GLANCE: Duration = Duration::from_secs(1);
/// Amendments that wait for the outbox.
const AMENDMENTS: usize = 64;
/// Slots without a run that are written at once.
const VOIDS_AT_ONCE: usize = 64;

/// Runs until told to end.
///
/// # Errors
/// What keeps the agent from starting, and what to do about it; or a defect that ended it.
pub async fn run(config: AgentConfig, kinds: Kinds) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut manager = Manager::of_environment();
    let mut agent = Agent::start(config, kinds).await?;
    manager.ready(agent.clock.monotonic(), &agent.state());
    let ended = loop {
        // here and nowhere else: a schedule that stands still is what the watchdog is for
        agent.tell(&mut manager);
        agent.vital.renew(&mut agent.runs);
        let wait = agent.until_next_slot();
        tokio::select! {
            () = sleep(wait) => agent.begin_due(),
            Some(over) = agent.runs.join_next() => agent.over(over.ok()),
            Some(part) = agent.parts.join_next() => {
                break Err(anyhow::anyhow!("the {} ended by itself, which is a defect: report it",
                    part.unwrap_or("outbox, uplink or amendments")));
            }
            Ok(()) = agent.orders.assignment.changed(), if agent.may_assign() => agent.assign().await,
            Some(trial) = agent.orders.trials.recv() => agent.answer_trial(&trial),
            Some(asked) = agent.orders.runs.recv() => agent.run_now(asked),
            Some(said) = agent.orders.crossings.recv() => agent.crossing(said),
            Some(sighting) = agent.guests.sightings.recv() => agent.report(sighting),
            _ = hangup.recv() => agent.reload().await,
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
        }
    };
    manager.stopping();
    agent.end().await;
    ended
}

/// Everything that runs.
struct Agent {
    clock: Clock,
    id: AgentId,
    /// The agent's own.
    config: AgentConfig,
    kinds: Kinds,
    checks: Checks,
    assigned: FromCollector,
    orders: Orders,
    guests: Guests,
    runner: Runner,
    announced: watch::Sender<Announced>,
    /// How far the outbox is.
    kept: watch::Receiver<Progress>,
    /// A run's task ends with its check's name; a slot's without a run with none.
    runs: JoinSet<Option<String>>,
    /// Outbox, uplink, amendments.
    parts: JoinSet<&'static str>,
    vital: Vital,
    interrupt_runs: CancellationToken,
    end_uplink: CancellationToken,
    end_keeper: CancellationToken,
}

impl Agent {
    async fn start(config: AgentConfig, kinds: Kinds) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let collector = config.collector.clone();
        let loaded = spawn_blocking(move || Credentials::load(&collector)).await?;
        let identity = loaded.context("the agent has no identity")?.identity;
        let limits = Limits {
            spool_bytes: config.limits.outbox_bytes,
            spool_age: config.limits.outbox_age,
            ..Limits::default()
        };
        let folder = config.data.clone();
        let opened = spawn_blocking(move || Outbox::open(&folder, limits, clock)).await?;
        let (outbox, keeper) = opened?;
        let assigned = FromCollector::kept(&config, &kinds, identity.agent);
        let effective = assigned.beside(&config);
        let guests = Guests::new(&effective, &outbox);
        let checks = Checks::ready(&effective, &kinds, (clock, &guests.peers))?;
        let announced = announced_by(&effective, &guests);
        let parts = Parts::start(outbox, keeper, announced, clock);
        guests.peers.speak_through(parts.orders.stream(), parts.clock_error.clone());
        let runner = parts.runner(identity.agent, config.limits.concurrent_runs, clock);
        let (checks_count, name) = (effective.checks.len(), &config.vantage_point.name);
        info!(agent = %identity.agent, name, checks = checks_count, "agent: at work");
        Ok(Self {
            vital: Vital::new(&config.data, clock),
            clock,
            id: identity.agent,
            config,
            kinds,
            checks,
            assigned,
            orders: parts.orders,
            guests,
            runner,
            announced: parts.announced,
            kept: parts.outbox.progress(),
            runs: JoinSet::new(),
            parts: parts.tasks,
            interrupt_runs: parts.interrupt_runs,
            end_uplink: parts.end_uplink,
            end_keeper: parts.end_keeper,
        })
    }

    fn until_next_slot(&self) -> Duration {
        let now = self.clock.wall();
        let wait = self.checks.schedule.next_at(now).map_or(GLANCE, |at| at.since(now));
        wait.min(GLANCE)
    }

    fn begin_due(&mut self) {
        let mut voids = Vec::new();
        for due in self.checks.schedule.due(self.clock.wall()) {
            let Some(ready) = self.checks.by_name.get(&due.check) else { continue };
            match due.what {
                Slot::Run(slot) => {
                    let (runner, ready) = (self.runner.clone(), ready.clone());
                    self.runs.spawn(async move {
                        let name = ready.check.name.clone();
                        let run = AssertUnwindSafe(runner.run(ready, slot));
                        // The probe's panics are caught within; whatever else happens, the check is free.
                        if Box::pin(run.catch_unwind()).await.is_err() {
                            error!(
                                check = name,
                                "agent: a run's task panicked, which is a defect: report it"
                            );
                        }
                        Some(name)
                    });
                }
                _ => voids.push((ready.clone(), due)),
            }
        }
        if !voids.is_empty() {
            let runner = self.runner.clone();
            self.runs.spawn(async move {
                for some in voids.chunks(VOIDS_AT_ONCE) {
                    let written = some.iter().map(|(ready, due)| write_void(&runner, ready, due));
                    futures_util::future::join_all(written).await;
                }
                None
            });
        }
    }

    /// A run's task is over, and its check is free again.
    fn over(&mut self, check: Option<Option<String>>) {
        match check {
            Some(Some(check)) => self.checks.schedule.finished(&check),
            Some(None) => {}
            None => error!("agent: slots could not be told, which is a defect: report it"),
        }
        self.checks.let_go();
    }

    async fn reload(&mut self) {
        let (file, kinds) = (self.config.file.clone(), self.kinds.clone());
        let (data, policy) = (self.config.data.clone(), self.config.policy.forced.clone());
        let name = self.config.forced_name.clone();
        let load = move || {
            let (data, policy, name) = (Some(&*data), policy.as_deref(), name.as_deref());
            let instead = Overrides { data, policy, name, ..Overrides::default() };
            AgentConfig::load_with(&file, &kinds, instead)
        };
        let Ok(loaded) = spawn_blocking(load).await else {
            return error!("agent: reading the configuration panicked; the old one stays");
        };
        let config = match loaded {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    warn!(%warning, "configuration");
                }
                loaded.config
            }
            Err(not_loaded) => {
                for mistake in &not_loaded.mistakes.0 {
                    error!(%mistake, "configuration");
                }
                return error!("agent: the configuration has mistakes; the old one stays");
            }
        };
        if config.limits != self.config.limits {
            warn!("agent: limits are read at the start only: restart the agent for the new ones");
        }
        let assigned = self.assigned.reread(&config, &self.kinds);
        let effective = assigned.beside(&config);
        if let Err(error) = self.checks.replace(&effective, &self.kinds, self.clock) {
            return error!(%error, "agent: the configuration cannot be used; the old one stays");
        }
        let checks = effective.checks.len();
        self.guests.believe(&effective);
        self.announced.send_replace(announced_by(&effective, &self.guests));
        (self.config, self.assigned) = (config, assigned);
        self.answer_assignment();
        info!(checks, "agent: the configuration was read again");
    }

    async fn end(mut self) {
        info!(runs = self.runs.len(), "agent: ending");
        self.guests.end();
        let runs = &mut self.runs;
        let all_over = async { while runs.join_next().await.is_some() {} };
        if timeout(LAST_RUNS, all_over).await.is_err() {
            self.interrupt_runs.cancel();
            while self.runs.join_next().await.is_some() {}
        }
        let _late: Result<(), _> = timeout(LAST_MAIL, self.checks.shut_down()).await;
        self.end_uplink.cancel();
        // The runner holds the last senders of amendments: without it that part ends.
        drop((self.runner, self.checks, self.guests));
        self.vital.end();
        let parts = &mut self.parts;
        let ended = timeout(LAST_WORDS, async {
            while let Some(part) = parts.join_next().await {
                if matches!(part, Ok("uplink")) {
                    self.end_keeper.cancel();
                }
            }
        });
        if ended.await.is_err() {
            warn!("agent: not everything ended in time; the outbox is mended at the next start");
        }
        info!("agent: ended");
    }
}

async fn write_void(runner: &Runner, ready: &Ready, due: &Due) {
    let check = &ready.check;
    match due.what {
        Slot::Overrun(slot) => {
            let detail = "the run before was still under way";
            let verdict = Verdict::void(VoidReason::Overrun, detail);
            runner.without_run(check, slot, verdict).await;
        }
        Slot::Missed(slot) => {
            let detail = "nobody was there to run it: the machine slept, or its clock jumped";
            let verdict = Verdict::void(VoidReason::Missed, detail);
            runner.without_run(check, slot, verdict).await;
        }
        Slot::ManyMissed { first, last, slots } => {
            runner.many_missed(check, first, last, slots).await;
        }
        Slot::Run(_) => {}
    }
}

/// What works beside the schedule.
struct Parts {
    outbox: Outbox,
    announced: watch::Sender<Announced>,
    clock_error: watch::Receiver<Option<u64>>,
    amendments: mpsc::Sender<Amendment>,
    orders: Orders,
    tasks: JoinSet<&'static str>,
    interrupt_runs: CancellationToken,
    end_uplink: CancellationToken,
    end_keeper: CancellationToken,
}

impl Parts {
    fn start(outbox: Outbox, keeper: Keeper, announced: Announced, clock: Clock) -> Self {
        let (announced, heard) = watch::channel(announced);
        let (uplink, clock_error, orders) = Uplink::new(outbox.clone(), Net::new(), clock, heard);
        let (amendments, waiting) = mpsc::channel(AMENDMENTS);
        let (end_uplink, end_keeper) = (CancellationToken::new(), CancellationToken::new());
        let (uplink_ends, keeper_ends) = (end_uplink.clone(), end_keeper.clone());
        let amended = outbox.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = keeper.run(keeper_ends.cancelled_owned()).await {
                error!(%error, "outbox: writing panicked");
            }
            "outbox"
        });
        tasks.spawn(async move {
            Box::pin(uplink.run(uplink_ends)).await;
            "uplink"
        });
        tasks.spawn(async move {
            keep_amendments(amended, waiting).await;
            "amendments"
        });
        let interrupt_runs = CancellationToken::new();
        Self {
            outbox,
            announced,
            clock_error,
            amendments,
            orders,
            tasks,
            interrupt_runs,
            end_uplink,
            end_keeper,
        }
    }

    fn runner(&self, agent: AgentId, concurrent_runs: usize, clock: Clock) -> Runner {
        let means = Means {
            agent,
            clock_error: self.clock_error.clone(),
            amendments: self.amendments.clone(),
            concurrent_runs,
            ended: self.interrupt_runs.clone(),
        };
        Runner::new(self.outbox.clone(), clock, means)
    }
}

fn announced_by(config: &AgentConfig, guests: &Guests) -> Announced {
    Announced {
        collector: config.collector.clone(),
        vantage_point: config.vantage_point.clone(),
        checks: config.checks.iter().map(|check| check.check.clone()).collect(),
        signing_key: Some(guests.signing_key()),
        mailboxes: crossing::receiving(config),
    }
}

#[cfg(test)]
mod tests;
