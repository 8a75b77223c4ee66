//! What operators have in force: checks that agents run, services by which they are judged; and runs that are asked for.
//!
//! Invariants: what is put in force is what was shown, and is on disk before any agent is told; nobody waits for an
//! agent longer than a bound. Absent on purpose: streams, which `ingest` has, and any judgement of what is found.

mod answers;
mod channels;
pub mod confirm;
mod run;

use std::sync::Arc;

use mailsonde_proto::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::central::{
    Change, CheckSet, Defined, Difference, PairTrouble, Runner, ServiceChange, plan, read_folder,
    read_services, read_templates,
};
use crate::config::{Config, Mistake};
use crate::control::{AppliedCheck, Author, Control, ControlError, Roll};
use crate::delivery::{self, Delivery};
use crate::folder::Folder;
use crate::judge::definition::Definitions;
use crate::notifier::Channels;
use crate::registry::Registry;
use crate::store::ledger::Ledger;

pub use answers::{Answered, RefusedCheck};
pub use channels::{read_channels, report_trouble, right_channels};
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
    /// The collector's folder, in which those of the files are: `checks.d`, `services.d`, `channels.d`.
    pub folder: Folder,
    /// What time it is.
    pub clock: Clock,
    /// What is under way.
    pub work: Arc<Work>,
    /// Sends messages; it gets the channels of the files.
    delivery: Option<Delivery>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The folder of the files of checks.
    pub folder: String,
    /// The folder of the files of services.
    #[serde(default)]
    pub services_folder: String,
    /// What is wrong in the files: then there is nothing else.
    pub mistakes: Vec<String>,
    /// What would change.
    pub difference: Option<Difference>,
    /// What agents say that are here.
    pub agents: Answered,
    /// It is in force now.
    pub is_applied: bool,
    /// Names of the channels of the files; once it is applied, messages go by them.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Checks between two agents that will not be measured, services that nobody can judge, and why.
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
    /// Reaches these agents, sees what comes in here, and reads its files from those of `folder`.
    pub fn new(registry: &Arc<Registry>, ledger: &Ledger, folder: Folder, clock: Clock) -> Self {
        let (registry, ledger, work) = (registry.clone(), ledger.clone(), Arc::default());
        Self { registry, ledger, folder, clock, work, delivery: None }
    }

    /// The same; what sends messages gets the channels of the files when they are put in force.
    pub fn with_delivery(self, delivery: &Delivery) -> Self {
        Self { delivery: Some(delivery.clone()), ..self }
    }

    /// What the files would change; asks agents that are here what they would say. It changes nothing.
    ///
    /// # Errors
    /// When the collector ends.
    pub async fn plan(&self) -> Result<Plan, FleetError> {
        let looked = match self.look().await {
            Ok(looked) => looked,
            Err(FleetError::Mistakes(mistakes)) => return Ok(self.shown(mistakes)),
            Err(error) => return Err(error),
        };
        let Looked { then, channels, difference, mut warnings, .. } = looked;
        warnings.extend(crate::central::template_mistakes(&self.folder.templates()));
        let agents = if difference.changes.is_empty() {
            Answered::default()
        } else {
            answers::of_trial(&self.registry, &then, self.clock).await
        };
        let difference = Some(difference);
        let channels = delivery::names(&channels).into_iter().collect();
        Ok(Plan { difference, agents, channels, warnings, ..self.shown(Vec::new()) })
    }

    /// Puts the files in force, if what that changes is what `id` names; without one, whatever it is. Waits shortly
    /// for what agents say.
    ///
    /// # Errors
    /// When the files are wrong, they or what is in force changed, or it cannot be written down.
    pub async fn apply(&self, id: Option<String>, author: Author) -> Result<Plan, FleetError> {
        let looked = self.look().await?;
        if id.is_some_and(|id| id != looked.difference.id) {
            return Err(FleetError::OtherPlan);
        }
        let Looked { read, channels, now, then, difference, warnings } = looked;
        let names = delivery::names(&channels).into_iter().collect();
        let shown = Plan { warnings, channels: names, ..self.shown(Vec::new()) };
        if difference.is_empty() {
            self.use_channels(channels);
            return Ok(Plan { difference: Some(difference), ..shown });
        }
        let (registry, at) = (self.registry.clone(), self.clock.wall());
        let has_checks = !difference.changes.is_empty();
        let has_services = !difference.services.is_empty();
        let written = tokio::task::spawn_blocking(move || {
            registry.control().decide_all(at, author, |roll| {
                // Two operators may have been shown the same.
                if Files::in_force(roll) != now {
                    return Err(ControlError::AppliedMeanwhile);
                }
                let checks = has_checks.then_some(Control::Applied { checks: read.checks });
                let services = has_services.then_some(Control::Services(read.services));
                Ok((checks.into_iter().chain(services).collect(), ()))
            })
        });
        match written.await.ok().ok_or(FleetError::Stopping)? {
            Err(ControlError::AppliedMeanwhile) => return Err(FleetError::OtherPlan),
            written => written?,
        }
        self.use_channels(channels);
        tracing::info!(
            checks = difference.changes.len(),
            services = difference.services.changes.len(),
            "changes applied"
        );
        let agents = if has_checks {
            self.registry.apply(then);
            answers::of_assigned(&self.registry, self.clock).await
        } else {
            Answered::default()
        };
        Ok(Plan { difference: Some(difference), agents, is_applied: true, ..shown })
    }

    /// Puts the files in force because the process was told to by a signal; says in the log what that changes,
    /// before it does.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn apply_at_signal(&self) -> Result<(), FleetError> {
        let Looked { difference, .. } = self.look().await?;
        for Change { check, what, agents, .. } in &difference.changes {
            tracing::info!(check, what, agents, "checks.d");
        }
        for ServiceChange { service, what, .. } in &difference.services.changes {
            tracing::info!(service, what, "services.d");
        }
        for (key, from, to) in &difference.services.settings {
            tracing::info!(key, from, to, "services.d");
        }
        if difference.is_empty() {
            tracing::info!("checks.d and services.d change nothing");
        }
        let author = Author { who: "whoever sent SIGHUP".into(), from: "this host".into() };
        let plan = self.apply(Some(difference.id), author).await?;
        for warning in plan.warnings {
            tracing::warn!(%warning, "what is in force will not work as it reads");
        }
        for RefusedCheck { check, place, reason, agents } in plan.agents.refused {
            tracing::warn!(check, place, reason, agents = agents.len(), "agents refuse a check");
        }
        Ok(())
    }

    /// Reads the files, and compares them with what is in force.
    async fn look(&self) -> Result<Looked, FleetError> {
        let fleet = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            fleet.read().map_err(FleetError::Mistakes).and_then(|read| fleet.compared(read))
        });
        looked.await.ok().ok_or(FleetError::Stopping)?
    }

    /// The files, or their mistakes.
    fn read(&self) -> Result<(Files, Channels), Vec<String>> {
        let checks = read_folder(&self.folder.checks());
        let known = checks.as_deref().unwrap_or_default();
        let channels = read_channels(&self.folder, known);
        let names = channels.as_ref().ok().map(delivery::names);
        let services = read_services(&self.folder.services(), names.as_ref());
        let mistakes = match (checks, services, channels) {
            (Ok(checks), Ok(services), Ok(channels)) => {
                let mut services = channels::routed(services, &channels);
                services.templates = read_templates(&self.folder.templates()).into_own();
                return Ok((Files { checks, services }, channels));
            }
            (checks, services, channels) => [checks.err(), services.err(), channels.err()],
        };
        let mistakes = mistakes.into_iter().flatten().flatten();
        Err(mistakes.map(|mistake: Mistake| mistake.to_string()).collect())
    }

    fn use_channels(&self, channels: Channels) {
        if let Some(delivery) = &self.delivery {
            delivery.use_channels(channels);
        }
    }

    fn compared(&self, (read, channels): (Files, Channels)) -> Result<Looked, FleetError> {
        let now = self.registry.control().look(Files::in_force);
        let then = set(read.checks.clone())?;
        let agents = self.registry.control().agents();
        let PairTrouble { mistakes, mut warnings } =
            then.pair_trouble(&agents, &self.registry.receivers());
        if !mistakes.is_empty() {
            return Err(FleetError::Mistakes(mistakes));
        }
        let checks = set(now.checks.clone())?;
        let difference = plan(
            Defined { checks: &checks, services: &now.services },
            Defined { checks: &then, services: &read.services },
            &agents,
        );
        if !read.services.services.is_empty() {
            let runners = self.runners(&checks, &then);
            warnings.extend(crate::central::warnings(&read.services, &runners));
        }
        // one that is damaged has its own words at the next start
        if let Ok(config) = Config::load(&self.folder) {
            warnings.extend(report_trouble(&config.reports, &channels));
        }
        Ok(Looked { read, channels, now, then, difference, warnings })
    }

    /// Every agent, with what it will run: its own checks, and those of the files.
    fn runners(&self, now: &CheckSet, then: &CheckSet) -> Vec<Runner> {
        let receivers = self.registry.receivers();
        let runner =
            |(enrolled, entry): (crate::control::Enrolled, crate::registry::AgentEntry)| {
                let given = now.names(&enrolled, &receivers);
                let own = entry.checks.into_iter().map(|check| (check.name, check.kind));
                let own = own.filter(|(name, _)| !given.contains_key(name));
                let checks = own.chain(then.names(&enrolled, &receivers)).collect();
                Runner { name: enrolled.name, labels: enrolled.labels, checks }
            };
        self.registry.agents().into_iter().map(runner).collect()
    }

    fn shown(&self, mistakes: Vec<String>) -> Plan {
        Plan {
            folder: self.folder.checks().display().to_string(),
            services_folder: self.folder.services().display().to_string(),
            mistakes,
            difference: None,
            agents: Answered::default(),
            is_applied: false,
            channels: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// What stands in the files, or is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Files {
    checks: Vec<AppliedCheck>,
    services: Definitions,
}

impl Files {
    fn in_force(roll: &Roll) -> Self {
        let services = roll.definitions().cloned().unwrap_or_default();
        Self { checks: roll.applied().to_vec(), services }
    }
}

/// The files, compared with what is in force.
struct Looked {
    read: Files,
    channels: Channels,
    now: Files,
    then: CheckSet,
    difference: Difference,
    warnings: Vec<String>,
}

fn set(checks: Vec<AppliedCheck>) -> Result<CheckSet, FleetError> {
    // Their selectors were read before; should one not be one, it is told as the operator's mistake.
    CheckSet::new(checks).map_err(|error| FleetError::Mistakes(vec![error.to_string()]))
}
