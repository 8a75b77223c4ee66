//! What changed in DNS, and in whatever else probes keep as records: who saw it, what, from, to, when.
//!
//! A probe keeps each record set as two facts: `record.NAME` with its text and `record.NAME.digest` with the
//! digest of all of it. A change is two digests of one agent's consecutive observations of one check
//! that have the record; what could not be looked up has no fact, and is no change. Read backwards from
//! the ledger, segment by segment, within a bound of time and memory; the answer says how far back it
//! looked when it did not look at all. Absent on purpose: any knowledge of what a record is.

mod segment;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::{AgentId, Clock, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use crate::registry::Registry;
use crate::store::ledger::Ledger;
use segment::{Change, Found, Key, Search, Seen};

/// Changes in one answer when nobody says how many.
pub const DEFAULT_LIMIT: usize = 50;
/// Changes in one answer at most.
pub const MAX_LIMIT: usize = 1_000;
/// No further segment is begun after so long.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// Agents that see the same change within this saw one change.
const TOGETHER: Duration = Duration::from_secs(24 * 3600);

/// Which changes are wanted; all that is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesWanted {
    /// Of this check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Seen by the agent of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Of this record, such as `mx`, or of those that begin with it and a dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Received at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// So many at most; [`DEFAULT_LIMIT`] when it is not said, [`MAX_LIMIT`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Changes, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangesAnswer {
    /// By the time when they were first seen.
    pub changes: Vec<ChangeAnswer>,
    /// Looking took too long: there may be more that were received before this time.
    pub looked_back_to: Option<Timestamp>,
    /// There are more records than can be compared at once: ask for one check or agent.
    pub is_partial: bool,
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeAnswer {
    /// The check whose runs saw it.
    pub check: String,
    /// The record's name, such as `mx`.
    pub record: String,
    /// What it was; long texts are cut.
    pub from: String,
    /// The digest of all that it was.
    pub from_digest: String,
    /// What it is; long texts are cut.
    pub to: String,
    /// The digest of all that it is.
    pub to_digest: String,
    /// When a run first saw it so, by the agent's clock.
    pub first_seen: Timestamp,
    /// When the run before that saw it as it was: the change was between the two.
    pub last_seen_before: Timestamp,
    /// Every vantage point that saw this change, in the order in which they did.
    pub seen_by: Vec<Witness>,
}

/// A vantage point that saw a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Witness {
    /// Its name; its identity when it is not enrolled any more.
    pub agent: String,
    /// When it first saw it so, by its own clock.
    pub at: Timestamp,
}

pub(super) fn answer(
    ledger: &Ledger,
    registry: &Registry,
    wanted: &ChangesWanted,
    clock: Clock,
) -> Result<ChangesAnswer, QueryError> {
    let names: HashMap<AgentId, String> =
        registry.agents().into_iter().map(|(agent, _)| (agent.agent, agent.name)).collect();
    let agent = match &wanted.agent {
        None => None,
        Some(name) => {
            let found = names.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            let unknown = || QueryError::Unknown { what: "agent", name: name.clone() };
            Some(*found.ok_or_else(unknown)?.0)
        }
    };
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let since = wanted.since.map(WallTime::from);
    let mut search = Search::new(ledger, wanted, agent);
    let begun = clock.monotonic();
    let mut found: Vec<Change> = Vec::new();
    // What each record was at the beginning of what has been read.
    let mut newer: HashMap<Key, Seen> = HashMap::new();
    let mut looked_back_to = None;
    let mut end = ledger.index().next();
    for segment in ledger.index().segments().into_iter().rev() {
        if clock.monotonic().duration_since(begun) > TIME_LIMIT {
            let segments = ledger.index().segments();
            let last = segments.into_iter().find(|segment| segment.first == end);
            looked_back_to = last.map(|segment| segment.created_at.timestamp());
            break;
        }
        let Found { first, last, mut changes } = search.segment(&segment, end)?;
        for (key, was) in last {
            if let Some(is) = newer.get(&key) {
                changes.extend(Change::between(&key, &was, is));
            }
        }
        newer.extend(first);
        changes.retain(|change| since.is_none_or(|since| change.received_at >= since));
        found.extend(changes);
        end = segment.first;
        let all_newer = since.is_some_and(|since| segment.created_at < since);
        // One more segment than is needed: agents that agree may stand in the one before.
        if all_newer || found.len() > limit.saturating_mul(names.len().max(1)) {
            break;
        }
    }
    let changes = together(found, &names, limit);
    Ok(ChangesAnswer { changes, looked_back_to, is_partial: search.is_partial() })
}

/// Changes that several agents saw are one, with all of them as witnesses.
fn together(
    mut found: Vec<Change>,
    names: &HashMap<AgentId, String>,
    limit: usize,
) -> Vec<ChangeAnswer> {
    found.sort_by(|one, other| {
        (one.first_seen, &one.key.record).cmp(&(other.first_seen, &other.key.record))
    });
    let mut changes: Vec<ChangeAnswer> = Vec::new();
    // The newest change of each kind, by its place.
    let mut newest: HashMap<(String, String, String, String), usize> = HashMap::new();
    for change in found {
        let agent = &change.key.agent;
        let name = names.get(agent).cloned().unwrap_or_else(|| agent.to_string());
        let witness = Witness { agent: name, at: change.first_seen.timestamp() };
        let what = (
            change.key.check.clone(),
            change.key.record.clone(),
            change.from.digest.clone(),
            change.to.digest.clone(),
        );
        let known = newest.get(&what).and_then(|place| changes.get_mut(*place));
        if let Some(known) = known
            && change.first_seen.since(known.first_seen.into()) <= TOGETHER
            && known.seen_by.iter().all(|other| other.agent != witness.agent)
        {
            known.seen_by.push(witness);
            continue;
        }
        newest.insert(what, changes.len());
        changes.push(ChangeAnswer {
            check: change.key.check,
            record: change.key.record,
            from: change.from.text.to_string(),
            from_digest: change.from.digest,
            to: change.to.text.to_string(),
            to_digest: change.to.digest,
            first_seen: change.first_seen.timestamp(),
            last_seen_before: change.last_seen_before.timestamp(),
            seen_by: vec![witness],
        });
    }
    changes.reverse();
    changes.truncate(limit);
    changes
}

#[cfg(test)]
mod tests;
