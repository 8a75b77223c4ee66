//! What agents are to do: the checks that are in force, and words for single streams.

use std::sync::{Arc, RwLock};

use mailsonde_proto::AgentId;
use mailsonde_proto::convert::{
    Assigned, Assignment, FromCollector, Revision, RunAnswer, RunRequest,
};
use tokio::sync::{mpsc, watch};

use super::Registry;
use super::awaited::{Answers, Awaited};
use crate::central::{CheckSet, Receiver};

/// Words that may wait for one stream.
const WORDS: usize = 16;

/// What the registry keeps of it.
pub(super) struct Orders {
    checks: watch::Sender<Arc<CheckSet>>,
    runs: Awaited<u64, RunAnswer>,
    trials: Awaited<Revision, Assigned>,
    /// Agents at which mail of others may arrive.
    pub(super) receivers: RwLock<Arc<[Receiver]>>,
}

impl Orders {
    pub(super) fn new(checks: CheckSet) -> Self {
        let checks = watch::Sender::new(Arc::new(checks));
        let (runs, trials) = (Awaited::default(), Awaited::default());
        Self { checks, runs, trials, receivers: RwLock::default() }
    }
}

/// A stream's end: what it is to say.
pub(crate) type Words = mpsc::Receiver<FromCollector>;

pub(super) fn words() -> (mpsc::Sender<FromCollector>, Words) {
    mpsc::channel(WORDS)
}

impl Registry {
    /// The checks that are in force; told again whenever they, or names or labels of agents, changed.
    pub(crate) fn checks(&self) -> watch::Receiver<Arc<CheckSet>> {
        self.orders.checks.subscribe()
    }

    /// These checks are in force from now on: every stream tells its agent.
    pub(crate) fn apply(&self, checks: CheckSet) {
        self.forget_told();
        self.orders.checks.send_replace(Arc::new(checks));
    }

    /// Names or labels changed: other agents may be selected now.
    pub(crate) fn reselect(&self) {
        self.look_for_receivers();
        self.forget_told();
        self.orders.checks.send_modify(|_| {});
    }

    /// What agents answered is of before, until each is told anew or was told the same.
    fn forget_told(&self) {
        self.lock().values_mut().for_each(|row| row.entry.told = None);
    }

    /// What this agent is to run; nothing for one that is not ours any more.
    pub(crate) fn assignment(&self, agent: AgentId) -> Assignment {
        let checks = self.orders.checks.borrow().clone();
        let receivers = self.receivers();
        let agent = self.control.agent(agent);
        agent.map(|agent| checks.assignment(&agent, &receivers)).unwrap_or_default()
    }

    /// What an agent was told to run.
    pub(crate) fn told(&self, agent: AgentId, revision: Revision) {
        if let Some(row) = self.lock().get_mut(&agent) {
            row.entry.told = Some(revision);
        }
    }

    /// What became of checks that an agent was told to run, or to try.
    pub(crate) fn assigned(&self, agent: AgentId, assigned: Assigned) {
        if let Some(row) = self.lock().get_mut(&agent)
            && row.entry.told == Some(assigned.revision)
        {
            row.entry.assigned = Some(assigned.clone());
        }
        self.orders.trials.answered(assigned.revision, agent, assigned);
    }

    /// What became of a run that was asked for.
    pub(crate) fn ran(&self, agent: AgentId, answer: RunAnswer) {
        self.orders.runs.answered(answer.request, agent, answer);
    }

    /// Answers to a trial with this revision.
    pub(crate) fn trial(&self, revision: Revision) -> Answers<Revision, Assigned> {
        self.orders.trials.wait_for(revision)
    }

    /// Answers to runs that are asked for by this number.
    pub(crate) fn run(&self, request: &RunRequest) -> Answers<u64, RunAnswer> {
        self.orders.runs.wait_for(request.request)
    }

    /// Has an agent told something; false when it is not here, or has too much to hear already.
    pub(crate) fn tell(&self, agent: AgentId, what: FromCollector) -> bool {
        let words = self.lock().get(&agent).and_then(|row| row.words.clone());
        words.is_some_and(|words| words.try_send(what).is_ok())
    }
}
