//! What agents say of the checks that they are given, put together.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mailsonde_proto::convert::{Assigned, CheckRefusal, FromCollector, Revision};
use mailsonde_proto::{AgentId, Clock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout_at};

use crate::central::CheckSet;
use crate::registry::Registry;

/// Agents are waited for so long.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks at what they said.
const GLANCE: Duration = Duration::from_millis(50);

/// What agents that are here say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// How many were asked.
    pub asked: usize,
    /// How many said something in time.
    pub answered: usize,
    /// What some of them refuse; by check.
    pub refused: Vec<RefusedCheck>,
}

/// A check that some agents refuse for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedCheck {
    /// Its name.
    pub check: String,
    /// Where it stands: file and line.
    pub place: String,
    /// Why, as the agents say.
    pub reason: String,
    /// Who, by name.
    pub agents: Vec<String>,
}

/// Has every agent that is here say what it would do with these checks.
pub(super) async fn of_trial(registry: &Registry, then: &CheckSet, clock: Clock) -> Answered {
    let mut asked: HashMap<Revision, Vec<AgentId>> = HashMap::new();
    let mut waiting = Vec::new();
    let mut names = HashMap::new();
    let receivers = registry.receivers();
    for (enrolled, entry) in registry.agents() {
        if entry.presence.connected_since.is_none() {
            continue;
        }
        let mut assignment = then.assignment(&enrolled, &receivers);
        assignment.is_trial = true;
        let revision = assignment.revision;
        if !asked.contains_key(&revision) {
            waiting.push(registry.trial(revision));
        }
        if registry.tell(enrolled.agent, FromCollector::Assignment(assignment)) {
            asked.entry(revision).or_default().push(enrolled.agent);
            names.insert(enrolled.agent, enrolled.name);
        }
    }
    let deadline = clock.monotonic() + PATIENCE;
    let mut said: HashMap<AgentId, Assigned> = HashMap::new();
    for mut answers in waiting {
        let wanted = asked.get(&answers.key()).map_or(&[][..], Vec::as_slice);
        while !wanted.iter().all(|agent| said.contains_key(agent)) {
            let Ok(Some((agent, assigned))) = timeout_at(deadline, answers.next()).await else {
                break;
            };
            said.insert(agent, assigned);
        }
    }
    let said = said.iter().filter_map(|(agent, said)| Some((names.get(agent)?, said)));
    put_together(names.len(), said, then)
}

/// Waits until every agent that is here has said what became of its checks, or for long enough.
pub(super) async fn of_assigned(registry: &Registry, clock: Clock) -> Answered {
    let deadline = clock.monotonic() + PATIENCE;
    loop {
        let here: Vec<_> = registry
            .agents()
            .into_iter()
            .filter(|(_, entry)| entry.presence.connected_since.is_some())
            .map(|(enrolled, entry)| (enrolled.name, entry.said().cloned()))
            .collect();
        let are_all = here.iter().all(|(_, said)| said.is_some());
        if are_all || clock.monotonic() >= deadline {
            let said = here.iter().filter_map(|(name, said)| Some((name, said.as_ref()?)));
            return put_together(here.len(), said, &registry.checks().borrow().clone());
        }
        sleep(GLANCE).await;
    }
}

fn put_together<'s>(
    asked: usize,
    said: impl Iterator<Item = (&'s String, &'s Assigned)>,
    set: &CheckSet,
) -> Answered {
    let mut by_reason: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut answered = 0;
    for (name, assigned) in said {
        answered += 1;
        for CheckRefusal { check, reason } in &assigned.refused {
            by_reason.entry((check, reason)).or_default().push(name.clone());
        }
    }
    let refused = by_reason.into_iter().map(|((check, reason), mut agents)| {
        agents.sort();
        let known = set.check(check);
        let place = known.map(|check| format!("{}:{}", check.file, check.line));
        RefusedCheck {
            check: check.to_owned(),
            place: place.unwrap_or_default(),
            reason: reason.to_owned(),
            agents,
        }
    });
    Answered { asked, answered, refused: refused.collect() }
}
