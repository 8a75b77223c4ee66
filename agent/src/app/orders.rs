//! What the collector wants done: its checks for this agent, and single runs.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::AgentId;
use mailsonde_proto::convert::{Assigned, Assignment, RunAnswer, RunRequest};
use mailsonde_proto::time::Instant;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use super::{Agent, announced_by};
use crate::assignment::{self, NotKept};
use crate::config::{AgentConfig, AssignedChecks};
use crate::probe::Kinds;

/// Runs that were asked for and are under way, at most: a collector that asks for more is refused, so that it cannot
/// keep the agent from its schedule.
const ASKED_FOR: usize = 8;

/// From one assignment to the next: one that comes sooner waits, and of several the last counts, so that a collector
/// that sends without end keeps neither disk nor schedule busy.
const PAUSE: Duration = Duration::from_millis(500);

/// The collector's checks, as they are assigned and as they were read.
pub(super) struct FromCollector {
    assignment: Assignment,
    read: AssignedChecks,
    /// Places for runs that are asked for.
    places: Arc<Semaphore>,
    /// When they were assigned; `None` for those from before the start.
    at: Option<Instant>,
}

impl FromCollector {
    /// Those that were kept from before the start.
    pub(super) fn kept(config: &AgentConfig, kinds: &Kinds, agent: AgentId) -> Self {
        let kept = assignment::load(&config.data, agent);
        let kept =
            kept.inspect_err(|error: &NotKept| warn!(%error, "agent: the collector's checks"));
        let assignment = kept.ok().flatten().unwrap_or_default();
        Self {
            read: AssignedChecks::read(&assignment, config, kinds),
            assignment,
            places: Arc::new(Semaphore::new(ASKED_FOR)),
            at: None,
        }
    }

    /// This configuration's checks and the collector's.
    pub(super) fn beside(&self, config: &AgentConfig) -> AgentConfig {
        config.with(&self.read)
    }

    /// Reads them anew, under another configuration.
    pub(super) fn reread(&self, config: &AgentConfig, kinds: &Kinds) -> Self {
        Self {
            assignment: self.assignment.clone(),
            read: AssignedChecks::read(&self.assignment, config, kinds),
            places: Arc::clone(&self.places),
            at: self.at,
        }
    }

    fn answer(&self) -> Assigned {
        Assigned { revision: self.assignment.revision, refused: self.read.refused.clone() }
    }
}

impl Agent {
    /// Says what became of the assignment, once more.
    pub(super) fn answer_assignment(&self) {
        self.orders.assigned(self.assigned.answer());
    }

    /// Whether the pause after the last assignment is over.
    pub(super) fn may_assign(&self) -> bool {
        let now = self.clock.monotonic();
        self.assigned.at.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE)
    }

    /// Goes over to the checks that the collector wants run, as far as they can be.
    pub(super) async fn assign(&mut self) {
        let Some(assignment) = self.orders.assignment.borrow_and_update().clone() else { return };
        // The checks count, not what the collector calls them.
        if assignment.checks == self.assigned.assignment.checks {
            self.assigned.assignment = assignment;
            return self.answer_assignment();
        }
        let assigned = FromCollector {
            read: AssignedChecks::read(&assignment, &self.config, &self.kinds),
            assignment,
            places: Arc::clone(&self.assigned.places),
            at: Some(self.clock.monotonic()),
        };
        let effective = assigned.beside(&self.config);
        if let Err(error) = self.checks.replace(&effective, &self.kinds, self.clock) {
            return error!(%error, "agent: the collector's checks cannot be used; the old ones stay");
        }
        let (kept, data, agent) = (assigned.assignment.clone(), self.config.data.clone(), self.id);
        let stored = spawn_blocking(move || assignment::store(&data, agent, &kept)).await;
        if let Ok(Err(error)) = stored {
            warn!(%error, "agent: the collector's checks run, but not after a restart without it");
        }
        self.assigned = assigned;
        self.announced.send_replace(announced_by(&effective, &self.guests));
        let (checks, refused) = (self.assigned.read.checks.len(), &self.assigned.read.refused);
        info!(checks, refused = refused.len(), "agent: checks from the collector");
        for refusal in refused {
            warn!(check = refusal.check, reason = refusal.reason, "agent: a check is refused");
        }
        self.answer_assignment();
    }

    /// Says what would become of an assignment.
    pub(super) fn answer_trial(&self, trial: &Assignment) {
        let read = AssignedChecks::read(trial, &self.config, &self.kinds);
        self.orders.assigned(Assigned { revision: trial.revision, refused: read.refused });
    }

    /// Begins a run that the collector asks for.
    pub(super) fn run_now(&mut self, asked: RunRequest) {
        let RunRequest { request, check, cause } = asked;
        let refuse = |why: String| RunAnswer { request, outcome: Err(why) };
        let Some(ready) = self.checks.by_name.get(&check).cloned() else {
            return self.orders.ran(refuse(format!("this agent has no check called {check}")));
        };
        let Ok(place) = Arc::clone(&self.assigned.places).try_acquire_owned() else {
            let words = format!("{ASKED_FOR} runs that were asked for are under way already");
            return self.orders.ran(refuse(words));
        };
        info!(check, cause = cause.as_str(), "agent: a run was asked for");
        let (runner, answers) = (self.runner.clone(), self.orders.answers());
        self.runs.spawn(async move {
            let begun = |outcome| answers.ran(RunAnswer { request, outcome });
            runner.run_now(ready, cause, begun).await;
            drop(place);
            None
        });
    }
}
