//! What operators have agents do: checks that are put in force, and runs that are asked for.
//!
//! Invariants: what is put in force is what was shown, and is on disk before any agent is told; nobody waits for an
//! agent longer than a bound. Absent on purpose: streams, which `ingest` has, and any judgement of what is found.

mod answers;
pub mod confirm;
mod run;

use std::path::PathBuf;
use std::sync::Arc;

use mailsonde_proto::Clock;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::central::{Change, CheckSet, Difference, PairTrouble, plan, read_folder};
use crate::config::Mistake;
use crate::control::{AppliedCheck, Author, Control, ControlError};
use crate::registry::Registry;
use crate::store::ledger::Ledger;

pub use answers::{Answered, RefusedCheck};
pub use run::{RunLine, RunWish};

/// Wishes for runs that are worked on at once.
const WISHES: usize = 16;

/// Who has agents do things.
#[derive(Clone)]
pub struct Fleet {
    /// Knows who is here, and reaches them.
    pub registry: Arc<Registry>,
    /// Where observations come in.
    pub ledger: Ledger,
    /// The folder of the files: `checks.d`.
    pub folder: PathBuf,
    /// What time it is.
    pub clock: Clock,
    /// What is under way.
    pub work: Arc<Work>,
}

/// Runs that were asked for and are under way.
pub struct Work {
    places: Arc<Semaphore>,
    tasks: Mutex<JoinSet<()>>,
}

impl Default for Work {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(WISHES)), tasks: Mutex::default() }
    }
}

impl Work {
    /// Ends what is under way.
    pub async fn end(&self) {
        self.tasks.lock().await.shutdown().await;
    }
}

/// What the files would change, and what agents say of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The folder of the files.
    pub folder: String,
    /// What is wrong in the files: then there is nothing else.
    pub mistakes: Vec<String>,
    /// What would change.
    pub difference: Option<Difference>,
    /// What agents say that are here.
    pub agents: Answered,
    /// It is in force now.
    pub is_applied: bool,
    /// Checks between two agents that will not be measured, and why.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The files are wrong.
    #[error("{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// What was shown is not what there is any more.
    #[error(
        "the files or what is in force changed since that was shown: look at the difference again"
    )]
    OtherPlan,
    /// Nobody can be meant.
    #[error("--on {0}")]
    Selector(#[from] crate::selector::NotASelector),
    /// No agent that is meant runs it.
    #[error(
        "no agent that is meant runs a check called {0}: `mailsonde-collector checks` lists them"
    )]
    NoSuchCheck(String),
    /// Too much at once.
    #[error("as many runs as may be are asked for already: try again in a moment")]
    Busy,
    /// It could not be written down.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The collector ends.
    #[error("the collector is stopping")]
    Stopping,
}

impl Fleet {
    /// Reaches these agents, sees what comes in here, and reads its files from `folder`.
    pub fn new(registry: &Arc<Registry>, ledger: &Ledger, folder: PathBuf, clock: Clock) -> Self {
        let (registry, ledger, work) = (registry.clone(), ledger.clone(), Arc::default());
        Self { registry, ledger, folder, clock, work }
    }

    /// What the files would change; asks agents that are here what they would say. It changes nothing.
    ///
    /// # Errors
    /// When the collector ends.
    pub async fn plan(&self) -> Result<Plan, FleetError> {
        let read = match self.read().await? {
            Ok(read) => read,
            Err(mistakes) => return Ok(self.shown(mistakes)),
        };
        let then = self.set(read)?;
        let pairs = self.pairs(&then);
        if !pairs.mistakes.is_empty() {
            return Ok(self.shown(pairs.mistakes));
        }
        let difference = self.difference(&then);
        let agents = if difference.changes.is_empty() {
            Answered::default()
        } else {
            answers::of_trial(&self.registry, &then, self.clock).await
        };
        let (difference, warnings) = (Some(difference), pairs.warnings);
        Ok(Plan { difference, agents, warnings, ..self.shown(Vec::new()) })
    }

    /// Puts the files in force, if what that changes is what `id` names; without one, whatever it is. Waits shortly
    /// for what agents say.
    ///
    /// # Errors
    /// When the files are wrong, they or what is in force changed, or it cannot be written down.
    pub async fn apply(&self, id: Option<String>, author: Author) -> Result<Plan, FleetError> {
        let read = self.read().await?.map_err(FleetError::Mistakes)?;
        let then = self.set(read.clone())?;
        let pairs = self.pairs(&then);
        if !pairs.mistakes.is_empty() {
            return Err(FleetError::Mistakes(pairs.mistakes));
        }
        let difference = self.difference(&then);
        if id.is_some_and(|id| id != difference.id) {
            return Err(FleetError::OtherPlan);
        }
        let shown = Plan { warnings: pairs.warnings, ..self.shown(Vec::new()) };
        if difference.changes.is_empty() {
            return Ok(Plan { difference: Some(difference), ..shown });
        }
        let (registry, now, before) = (self.registry.clone(), self.clock.wall(), self.in_force());
        let written = tokio::task::spawn_blocking(move || {
            registry.control().decide(now, author, |roll| {
                // Two operators may have been shown the same.
                if roll.applied() != before {
                    return Err(ControlError::AppliedMeanwhile);
                }
                Ok((Control::Applied { checks: read }, ()))
            })
        });
        match written.await.ok().ok_or(FleetError::Stopping)? {
            Err(ControlError::AppliedMeanwhile) => return Err(FleetError::OtherPlan),
            written => written?,
        }
        tracing::info!(changes = difference.changes.len(), "checks applied");
        self.registry.apply(then);
        let agents = answers::of_assigned(&self.registry, self.clock).await;
        Ok(Plan { difference: Some(difference), agents, is_applied: true, ..shown })
    }

    /// Puts the files in force because the process was told to by a signal; says in the log what that changes,
    /// before it does.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn apply_at_signal(&self) -> Result<(), FleetError> {
        let checks = self.read().await?.map_err(FleetError::Mistakes)?;
        let difference = self.difference(&self.set(checks)?);
        for Change { check, what, agents, .. } in &difference.changes {
            tracing::info!(check, what, agents, "checks.d");
        }
        if difference.changes.is_empty() {
            tracing::info!("checks.d changes nothing");
        }
        let author = Author { who: "whoever sent SIGHUP".into(), from: "this host".into() };
        let plan = self.apply(Some(difference.id), author).await?;
        for RefusedCheck { check, place, reason, agents } in plan.agents.refused {
            tracing::warn!(check, place, reason, agents = agents.len(), "agents refuse a check");
        }
        Ok(())
    }

    /// The files, or their mistakes.
    async fn read(&self) -> Result<Result<Vec<AppliedCheck>, Vec<String>>, FleetError> {
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || read_folder(&folder));
        let read = read.await.ok().ok_or(FleetError::Stopping)?;
        Ok(read.map_err(|mistakes| mistakes.iter().map(Mistake::to_string).collect()))
    }

    fn set(&self, checks: Vec<AppliedCheck>) -> Result<CheckSet, FleetError> {
        // Their selectors were read before; should one not be one, it is told as the operator's mistake.
        CheckSet::new(checks).map_err(|error| FleetError::Mistakes(vec![error.to_string()]))
    }

    fn pairs(&self, then: &CheckSet) -> PairTrouble {
        then.pair_trouble(&self.registry.control().agents(), &self.registry.receivers())
    }

    fn in_force(&self) -> Vec<AppliedCheck> {
        self.registry.control().look(|roll| roll.applied().to_vec())
    }

    fn difference(&self, then: &CheckSet) -> Difference {
        let now = self.registry.checks().borrow().clone();
        plan(&now, then, &self.registry.control().agents())
    }

    fn shown(&self, mistakes: Vec<String>) -> Plan {
        Plan {
            folder: self.folder.display().to_string(),
            mistakes,
            difference: None,
            agents: Answered::default(),
            is_applied: false,
            warnings: Vec::new(),
        }
    }
}
