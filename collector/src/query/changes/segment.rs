//! The records in one segment of the ledger: what each was at its beginning and its end, and the changes
//! between.

use std::collections::HashMap;
use std::sync::Arc;

use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::{Next, SegmentFacts};
use mailsonde_proto::{AgentId, Fact, Observation, WallTime};

use super::super::QueryError;
use super::ChangesWanted;
use crate::store::ledger::{Entry, Ledger};

/// The most records that are compared at once: agents x checks x records of each.
const MAX_RECORDS: usize = 200_000;
/// Bytes kept of all different texts together.
const MAX_TEXT_BYTES: usize = 32 * 1024 * 1024;
/// Bytes kept of one text.
const LONGEST_TEXT: usize = 2 * 1024;
const PREFIX: &str = "record.";
const SUFFIX: &str = ".digest";

/// One record of one check at one vantage point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) agent: AgentId,
    pub(super) check: String,
    pub(super) record: String,
}

/// What a run saw of a record.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) digest: String,
    pub(super) text: Arc<str>,
    /// When the run began, by the agent's clock.
    at: WallTime,
    received_at: WallTime,
}

/// One agent's view of a change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Key,
    pub(super) from: Seen,
    pub(super) to: Seen,
    pub(super) first_seen: WallTime,
    pub(super) last_seen_before: WallTime,
    pub(super) received_at: WallTime,
}

impl Change {
    /// The change between what was and what is, where there is one.
    pub(super) fn between(key: &Key, was: &Seen, is: &Seen) -> Option<Self> {
        (was.digest != is.digest).then(|| Self {
            key: key.clone(),
            first_seen: is.at,
            last_seen_before: was.at,
            received_at: is.received_at,
            from: was.clone(),
            to: is.clone(),
        })
    }
}

/// What one segment says.
#[derive(Default)]
pub(super) struct Found {
    pub(super) first: HashMap<Key, Seen>,
    pub(super) last: HashMap<Key, Seen>,
    pub(super) changes: Vec<Change>,
}

/// Reads segments.
pub(super) struct Search<'a> {
    ledger: &'a Ledger,
    wanted: &'a ChangesWanted,
    agent: Option<AgentId>,
    /// The texts by their digests: agents that agree share them.
    texts: HashMap<String, Arc<str>>,
    text_bytes: usize,
    is_partial: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        ledger: &'a Ledger,
        wanted: &'a ChangesWanted,
        agent: Option<AgentId>,
    ) -> Self {
        let texts = HashMap::new();
        Self { ledger, wanted, agent, texts, text_bytes: 0, is_partial: false }
    }

    /// Whether a record was left out for want of room.
    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// One segment, up to the sequence `end`.
    pub(super) fn segment(
        &mut self,
        segment: &SegmentFacts,
        end: u64,
    ) -> Result<Found, QueryError> {
        let mut found = Found::default();
        let mut records = self.ledger.follow(segment.first);
        while records.position() < end {
            let record = match records.read()? {
                Next::Record { record, .. } => record,
                Next::Gap { .. } => continue,
                Next::CaughtUp => break,
            };
            let Ok(Entry::Batch { received_at, source, observations, .. }) = Entry::decode(record)
            else {
                continue;
            };
            if self.agent.is_some_and(|agent| agent != source.agent) {
                continue;
            }
            // Empty: refused as malformed, and not an observation.
            for bytes in observations.iter().filter(|bytes| !bytes.is_empty()) {
                let Ok(observation) = observation_from_bytes(bytes) else { continue };
                let check = &self.wanted.check;
                if check.as_ref().is_none_or(|check| *check == observation.check) {
                    self.observation(source.agent, received_at, &observation, &mut found);
                }
            }
        }
        Ok(found)
    }

    fn observation(
        &mut self,
        agent: AgentId,
        received_at: WallTime,
        observation: &Observation,
        found: &mut Found,
    ) {
        for Fact { name, value: digest } in &observation.facts {
            let record = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
            let Some(record) = record.filter(|record| self.is_wanted(record)) else { continue };
            let key = Key { agent, check: observation.check.clone(), record: record.to_owned() };
            if !found.last.contains_key(&key) && found.last.len() >= MAX_RECORDS {
                self.is_partial = true;
                continue;
            }
            let text = self.text(record, digest, observation);
            let seen =
                Seen { digest: digest.clone(), text, at: observation.started_at, received_at };
            match found.last.insert(key.clone(), seen.clone()) {
                Some(was) => found.changes.extend(Change::between(&key, &was, &seen)),
                None => {
                    found.first.insert(key, seen);
                }
            }
        }
    }

    /// `mx` is itself and `mx.…`.
    fn is_wanted(&self, record: &str) -> bool {
        let Some(wanted) = &self.wanted.record else { return true };
        let rest = record.strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    fn text(&mut self, record: &str, digest: &str, observation: &Observation) -> Arc<str> {
        if let Some(text) = self.texts.get(digest) {
            return Arc::clone(text);
        }
        let of_record =
            |fact: &&Fact| fact.name.strip_prefix(PREFIX).is_some_and(|name| name == record);
        let text = observation.facts.iter().find(of_record).map_or("", |fact| &fact.value);
        let text: Arc<str> = cut(text).into();
        if self.text_bytes.saturating_add(text.len()) > MAX_TEXT_BYTES {
            self.is_partial = true;
            return "(not kept)".into();
        }
        self.text_bytes += text.len();
        self.texts.insert(digest.to_owned(), Arc::clone(&text));
        text
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let end = (0..=LONGEST_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
