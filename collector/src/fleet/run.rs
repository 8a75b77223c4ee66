//! One run at once, on every agent that is meant: asked for, and told as it comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mailsonde_proto::convert::{FromCollector, RunAnswer, RunRequest, observation_from_bytes};
use mailsonde_proto::journal::Next;
use mailsonde_proto::time::Instant;
use mailsonde_proto::vantage::random_bytes;
use mailsonde_proto::{AgentId, Cause, Observation, RunId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::timeout_at;

use super::{Fleet, FleetError};
use crate::query::observations::{ObservationAnswer, Place, shown};
use crate::registry::Answers;
use crate::selector::Selector;
use crate::store::ledger::{Entry, Ledger};

/// An agent says that a run has begun within this: it may wait for a place among others.
const BEGIN: Duration = Duration::from_secs(15);
/// From a run's end to its observation here.
const TRANSIT: Duration = Duration::from_secs(15);
/// How long the ledger is waited for at a time.
const GLANCE: Duration = Duration::from_millis(200);
/// Runs that are remembered before it was told that they began.
const MOST_EARLY: usize = 10_000;
/// Lines that wait for whoever reads them.
const LINES: usize = 64;

/// Somebody wants a check run now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunWish {
    /// The check's name.
    pub check: String,
    /// A selector: on which agents; without it on every one that has the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
}

/// What is told of it, in the order in which it comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunLine {
    /// So many agents were asked.
    Asked {
        /// How many.
        agents: usize,
    },
    /// An agent does not run it.
    Refused {
        /// Its name.
        agent: String,
        /// Why not.
        reason: String,
    },
    /// What a run found.
    Observed(Box<ObservationAnswer>),
    /// Nothing came in time.
    Overdue {
        /// The agent's name.
        agent: String,
        /// What was waited for.
        what: String,
    },
}

impl Fleet {
    /// Has a check run now; what comes of it is read from the receiver, whose end is the end.
    ///
    /// # Errors
    /// When nobody is meant, or no agent that is meant has the check.
    pub async fn run(
        &self,
        wish: &RunWish,
        cause: Cause,
    ) -> Result<mpsc::Receiver<RunLine>, FleetError> {
        let on = wish.on.as_deref().unwrap_or("*").parse::<Selector>()?;
        let place = self.work.places.clone().try_acquire_owned().ok().ok_or(FleetError::Busy)?;
        let mut meant = Vec::new();
        let mut longest = Duration::ZERO;
        for (enrolled, entry) in self.registry.agents() {
            let check = entry.checks.iter().find(|check| check.name == wish.check);
            let Some(check) = check.filter(|_| on.selects(&enrolled.name, &enrolled.labels)) else {
                continue;
            };
            longest = longest.max(check.timeout);
            meant.push((enrolled.agent, enrolled.name));
        }
        if meant.is_empty() {
            return Err(FleetError::NoSuchCheck(wish.check.clone()));
        }
        let request = RunRequest {
            request: u64::from_le_bytes(random_bytes()),
            check: wish.check.clone(),
            cause,
        };
        let (lines, told) = mpsc::channel(LINES);
        let asking = Asking {
            fleet: self.clone(),
            answers: self.registry.run(&request),
            from: self.ledger.index().next(),
            waiting: HashMap::new(),
            begun: HashMap::new(),
            early: HashMap::new(),
            lines,
        };
        let by = self.clock.monotonic() + longest + BEGIN + TRANSIT;
        // It ends by itself: with its last answer, its deadline, or its reader.
        let work = async move {
            asking.ask(request, meant, by).await;
            drop(place);
        };
        let mut tasks = self.work.tasks.lock().await;
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
        Ok(told)
    }
}

struct Asking {
    fleet: Fleet,
    answers: Answers<u64, RunAnswer>,
    /// The first record that can hold what is waited for.
    from: u64,
    /// Asked, and silent so far; by name.
    waiting: HashMap<AgentId, String>,
    /// Begun, and not observed so far.
    begun: HashMap<(AgentId, RunId), String>,
    /// Observed before it was told that they had begun.
    early: HashMap<(AgentId, RunId), Found>,
    lines: mpsc::Sender<RunLine>,
}

/// What came in, found by the thread that follows the ledger.
type Found = Box<(Place, Observation)>;

impl Asking {
    /// Asks, and tells what comes until nothing more can, or `by`.
    async fn ask(mut self, request: RunRequest, meant: Vec<(AgentId, String)>, by: Instant) {
        let (found, mut seen) = mpsc::channel(LINES);
        let over = Over::default();
        let (ledger, from, stop) = (self.fleet.ledger.clone(), self.from, Arc::clone(&over.0));
        let check = request.check.clone();
        let following =
            tokio::task::spawn_blocking(move || follow(&ledger, from, &check, &found, &stop));
        if self.tell(request, meant).await.is_ok() {
            let told = timeout_at(by, self.hear(&mut seen)).await;
            if told.is_err() {
                self.overdue().await;
            }
        }
        drop((over, seen));
        if following.await.is_err() {
            tracing::error!("following the ledger panicked, which is a defect: report it");
        }
    }

    async fn tell(
        &mut self,
        request: RunRequest,
        meant: Vec<(AgentId, String)>,
    ) -> Result<(), Gone> {
        self.say(RunLine::Asked { agents: meant.len() }).await?;
        for (agent, name) in meant {
            if self.fleet.registry.tell(agent, FromCollector::RunRequest(request.clone())) {
                self.waiting.insert(agent, name);
            } else {
                let reason = "it is not connected".to_owned();
                self.say(RunLine::Refused { agent: name, reason }).await?;
            }
        }
        Ok(())
    }

    /// Until every run has ended, or nobody reads any more.
    async fn hear(&mut self, seen: &mut mpsc::Receiver<Found>) {
        while !(self.waiting.is_empty() && self.begun.is_empty()) {
            let line = tokio::select! {
                Some((agent, answer)) = self.answers.next() => self.answered(agent, answer),
                Some(found) = seen.recv() => self.found(found),
                () = self.lines.closed() => return,
                else => return,
            };
            if let Some(line) = line
                && self.say(line).await.is_err()
            {
                return;
            }
        }
    }

    fn answered(&mut self, agent: AgentId, answer: RunAnswer) -> Option<RunLine> {
        let name = self.waiting.remove(&agent)?;
        match answer.outcome {
            Err(reason) => Some(RunLine::Refused { agent: name, reason }),
            Ok(run) => match self.early.remove(&(agent, run)) {
                Some(found) => Some(observed(name, *found)),
                None => {
                    self.begun.insert((agent, run), name);
                    None
                }
            },
        }
    }

    fn found(&mut self, found: Found) -> Option<RunLine> {
        let (place, observation) = &*found;
        let run = RunId { epoch: place.source.epoch, intent: observation.intent };
        let key = (place.source.agent, run);
        match self.begun.remove(&key) {
            Some(name) => Some(observed(name, *found)),
            None => {
                if self.waiting.contains_key(&key.0) && self.early.len() < MOST_EARLY {
                    self.early.insert(key, found);
                }
                None
            }
        }
    }

    async fn overdue(&mut self) {
        let silent = self.waiting.drain().map(|(_, name)| (name, "it did not say that it began"));
        let begun =
            self.begun.drain().map(|(_, name)| (name, "it began, and nothing came of it yet"));
        for (agent, what) in silent.chain(begun).collect::<Vec<_>>() {
            if self.say(RunLine::Overdue { agent, what: what.to_owned() }).await.is_err() {
                return;
            }
        }
    }

    async fn say(&self, line: RunLine) -> Result<(), Gone> {
        self.lines.send(line).await.map_err(|_gone| Gone)
    }
}

/// Nobody reads the lines any more.
struct Gone;

/// Ends the thread that follows the ledger, however its task ends.
#[derive(Default)]
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn observed(name: String, (place, observation): (Place, Observation)) -> RunLine {
    RunLine::Observed(Box::new(shown(name, place, observation)))
}

/// Hands on every observation of this check that was not scheduled and is no amendment, as it comes in.
fn follow(
    ledger: &Ledger,
    from: u64,
    check: &str,
    found: &mpsc::Sender<Found>,
    is_over: &AtomicBool,
) {
    let mut records = ledger.follow(from);
    while !is_over.load(Ordering::Relaxed) {
        let record = match records.read() {
            Ok(Next::Record { record, .. }) => record,
            Ok(Next::Gap { .. }) => continue,
            Ok(Next::CaughtUp) => {
                ledger.index().wait_for(records.position(), GLANCE);
                continue;
            }
            Err(error) => return tracing::warn!(%error, "runs that were asked for are not seen"),
        };
        let Ok(Entry::Batch { received_at, source, first, observations }) = Entry::decode(record)
        else {
            continue;
        };
        for (sequence, bytes) in (first..).zip(observations) {
            let Ok(observation) = observation_from_bytes(&bytes) else { continue };
            let is_meant = observation.check == check
                && observation.cause != Cause::Scheduled
                && observation.amends.is_none();
            let place = Place { source, sequence, received_at };
            if is_meant && found.blocking_send(Box::new((place, observation))).is_err() {
                return;
            }
        }
    }
}
