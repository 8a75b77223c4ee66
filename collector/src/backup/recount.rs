//! What journals hold, counted record by record: once when a backup is made, and again when it was restored.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use mailsonde_proto::journal::{Disk, Follower, Journal, JournalError, Next, Options};
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::store::ledger::{Entry, Looked, Source};

/// What the journals hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recount {
    /// Observations by agent and epoch, in that order.
    pub sources: Vec<SourceCount>,
    /// Records of the journal of observations that are damaged.
    pub damaged: u64,
    /// Records of the control journal.
    pub control: u64,
    /// Records of the control journal that are damaged.
    pub control_damaged: u64,
    /// Records of the quarantine.
    pub quarantine: u64,
}

/// What one agent sent in one epoch, as far as it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCount {
    /// The agent's identity.
    pub agent: String,
    /// Of its outbox.
    pub epoch: String,
    /// How far its sequences are stored without a gap.
    pub through: u64,
    /// Observations with the verdict pass.
    pub pass: u64,
    /// With a fault.
    pub fail: u64,
    /// That could not judge.
    pub void: u64,
    /// That were refused as malformed, or have a verdict that this version does not know.
    pub other: u64,
    /// Sequences that were declared missing.
    pub missing: u64,
}

impl Recount {
    /// Observations in all.
    pub fn observations(&self) -> u64 {
        self.sources.iter().map(SourceCount::observations).sum()
    }

    /// Where the other differs, in words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let mut words = String::new();
        let pairs = [
            ("damaged records", self.damaged, other.damaged),
            ("control records", self.control, other.control),
            ("damaged control records", self.control_damaged, other.control_damaged),
            ("records in quarantine", self.quarantine, other.quarantine),
        ];
        for (what, ours, theirs) in pairs {
            if ours != theirs {
                write!(words, "{ours} {what} became {theirs}, ").ok();
            }
        }
        let by_source = |recount: &Self| -> BTreeMap<(String, String), SourceCount> {
            let key = |count: &SourceCount| (count.agent.clone(), count.epoch.clone());
            recount.sources.iter().map(|count| (key(count), count.clone())).collect()
        };
        let (ours, theirs) = (by_source(self), by_source(other));
        let differs = |key: &&(String, String)| ours.get(*key) != theirs.get(*key);
        if let Some(key @ (agent, epoch)) = ours.keys().chain(theirs.keys()).find(differs) {
            let told =
                |of: Option<&SourceCount>| of.map_or("nothing".to_owned(), SourceCount::told);
            let (before, after) = (told(ours.get(key)), told(theirs.get(key)));
            write!(words, "of agent {agent}, epoch {epoch}: {before} became {after}").ok();
        }
        Some(words.trim_end_matches(", ").to_owned())
    }
}

impl SourceCount {
    /// Observations in all.
    pub fn observations(&self) -> u64 {
        [self.pass, self.fail, self.void, self.other].iter().sum()
    }

    fn told(&self) -> String {
        let Self { pass, fail, void, other, missing, through, .. } = self;
        format!(
            "{pass} pass, {fail} fail, {void} void, {other} other, {missing} missing, stored through {through}"
        )
    }
}

/// Counts a ledger as it is read.
pub(super) struct Counting {
    ledger: Looked,
    follower: Follower,
    of: BTreeMap<Source, SourceCount>,
    damaged: u64,
}

impl Counting {
    pub(super) fn new(ledger: Looked) -> Self {
        let follower = ledger.follow();
        Self { ledger, follower, of: BTreeMap::new(), damaged: 0 }
    }

    /// Counts on until a record, or to the end.
    pub(super) fn count_to(&mut self, end: u64) -> Result<(), JournalError> {
        while self.follower.position() < end {
            match self.follower.read()? {
                Next::CaughtUp => break,
                Next::Gap { first, last } => {
                    let missing = last.saturating_sub(first).saturating_add(1);
                    self.damaged = self.damaged.saturating_add(missing);
                }
                Next::Record { record, .. } => self.record(record),
            }
        }
        Ok(())
    }

    fn record(&mut self, record: Bytes) {
        match Entry::decode(record) {
            Ok(Entry::Batch { source, observations, .. }) => {
                let count = self.of.entry(source).or_default();
                for observation in observations {
                    let verdict = OnlyVerdict::decode(observation).unwrap_or_default().verdict;
                    let of = match verdict.unwrap_or_default() {
                        Which { pass: Some(_), .. } => &mut count.pass,
                        Which { fail: Some(_), .. } => &mut count.fail,
                        Which { void: Some(_), .. } => &mut count.void,
                        Which { pass: None, fail: None, void: None } => &mut count.other,
                    };
                    *of = of.saturating_add(1);
                }
            }
            Ok(Entry::Gap { source, range, .. }) => {
                let missing = range.last.saturating_sub(range.first).saturating_add(1);
                let count = self.of.entry(source).or_default();
                count.missing = count.missing.saturating_add(missing);
            }
            Err(_) => self.damaged = self.damaged.saturating_add(1),
        }
    }

    /// Counts the rest, and the other journals of the same disk.
    pub(super) fn finish(
        mut self,
        disk: &Arc<dyn Disk>,
        [control, quarantine]: [&Path; 2],
    ) -> Result<Recount, JournalError> {
        self.count_to(u64::MAX)?;
        for (source, through) in self.ledger.through() {
            self.of.entry(source).or_default().through = through;
        }
        let named = |(source, count): (Source, SourceCount)| SourceCount {
            agent: source.agent.to_string(),
            epoch: source.epoch.to_string(),
            ..count
        };
        let (control, control_damaged) = records(disk, control)?;
        let (quarantine, _) = records(disk, quarantine)?;
        let sources = self.of.into_iter().map(named).collect();
        Ok(Recount { sources, damaged: self.damaged, control, control_damaged, quarantine })
    }
}

/// Of an observation only which verdict it has: counting a month takes a fraction of the time that reading it all
/// takes. The numbers are those of `uplink.proto`.
#[derive(Clone, PartialEq, Message)]
struct OnlyVerdict {
    #[prost(message, optional, tag = "10")]
    verdict: Option<Which>,
}

#[derive(Clone, PartialEq, Message)]
struct Which {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pass: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    fail: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    void: Option<Bytes>,
}

/// How many records a journal holds, and how many of them are damaged.
fn records(disk: &Arc<dyn Disk>, folder: &Path) -> Result<(u64, u64), JournalError> {
    let options = Options { segment_bytes: u64::MAX, first_sequence: 1 };
    let (journal, _) = Journal::open(disk.clone(), folder, options)?;
    let mut follower = journal.follow(journal.index().oldest());
    let (mut whole, mut damaged) = (0_u64, 0_u64);
    loop {
        match follower.read()? {
            Next::CaughtUp => return Ok((whole, damaged)),
            Next::Record { .. } => whole = whole.saturating_add(1),
            Next::Gap { first, last } => {
                let missing = last.saturating_sub(first).saturating_add(1);
                damaged = damaged.saturating_add(missing);
            }
        }
    }
}
