//! What is known of agents and of their checks, beside figures.
//!
//! Records merge: what is later by its own time stands, whichever came first.

use std::collections::BTreeMap;

use mailsonde_proto::{AgentId, Check, Epoch, WallTime};
use prost::Message;

/// How many of an agent's latest gaps are kept one by one; all of them are counted.
const GAPS: usize = 32;

/// What happened, beside observations.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something was heard of an agent.
    AgentSeen(AgentSeen),
    /// An agent announced all the checks it has.
    Defined {
        /// Which agent.
        agent: AgentId,
        /// When.
        at: WallTime,
        /// All of its checks; those that are not named any more are over.
        checks: Vec<Check>,
    },
    /// Observations that an agent produced and that will not come.
    Gap {
        /// Which agent.
        agent: AgentId,
        /// What is missing.
        gap: Gap,
    },
    /// Time has passed.
    Tick {
        /// What time it is.
        now: WallTime,
    },
}

/// What was heard of an agent; `None` is 'not said'.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AgentSeen {
    /// Which agent.
    pub agent: AgentId,
    /// When.
    pub at: WallTime,
    /// Its name and labels, from the registry.
    pub named: Option<(String, BTreeMap<String, String>)>,
    /// Program and version.
    pub software: Option<String>,
    /// How many observations wait on its disk.
    pub spooled: Option<u64>,
    /// How far its wall clock is ahead of ours, and the bound on the error of that, in microseconds.
    pub clock: Option<(i64, u64)>,
}

/// A range of observations that will not come.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct Gap {
    /// When it was declared, in nanoseconds since 1970.
    #[prost(sfixed64, tag = "1")]
    pub at_ns: i64,
    /// The epoch the sequence numbers belong to.
    #[prost(fixed64, tag = "2")]
    pub epoch: u64,
    /// The first sequence number missing.
    #[prost(uint64, tag = "3")]
    pub first: u64,
    /// The last sequence number missing.
    #[prost(uint64, tag = "4")]
    pub last: u64,
    /// Why, for people.
    #[prost(string, tag = "5")]
    pub reason: String,
}

impl Gap {
    /// A gap in an agent's epoch.
    pub fn new(
        at: WallTime,
        epoch: Epoch,
        missing: std::ops::RangeInclusive<u64>,
        reason: &str,
    ) -> Self {
        let (first, last) = missing.into_inner();
        Self { at_ns: at.as_ns(), epoch: epoch.0, first, last, reason: reason.into() }
    }

    /// How many observations are missing.
    pub fn len(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Whether the range is upside down, and so says nothing.
    pub fn is_empty(&self) -> bool {
        self.last < self.first
    }
}

/// What is known of an agent.
#[derive(Clone, PartialEq, Message)]
pub struct AgentRecord {
    /// Its name, as the registry knows it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What checks and services select it by.
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
    #[prost(sfixed64, tag = "3")]
    named_at_ns: i64,
    #[prost(sfixed64, optional, tag = "4")]
    first_seen_ns: Option<i64>,
    #[prost(sfixed64, optional, tag = "5")]
    last_seen_ns: Option<i64>,
    /// Program and version, as it last said.
    #[prost(string, tag = "6")]
    pub software: String,
    #[prost(sfixed64, tag = "7")]
    software_at_ns: i64,
    /// How many observations waited on its disk, as it last said.
    #[prost(uint64, optional, tag = "8")]
    pub spooled: Option<u64>,
    #[prost(sfixed64, tag = "9")]
    spooled_at_ns: i64,
    /// How far its wall clock was ahead of ours when last measured, in microseconds.
    #[prost(sint64, optional, tag = "10")]
    pub clock_offset_us: Option<i64>,
    /// The bound on the error of that, in microseconds.
    #[prost(uint64, optional, tag = "11")]
    pub clock_error_us: Option<u64>,
    #[prost(sfixed64, tag = "12")]
    clock_at_ns: i64,
    /// The latest gaps, oldest first.
    #[prost(message, repeated, tag = "13")]
    pub gaps: Vec<Gap>,
    /// How many observations are missing in all its gaps.
    #[prost(uint64, tag = "14")]
    pub missing: u64,
    /// The names of the checks it has.
    #[prost(string, repeated, tag = "15")]
    pub checks: Vec<String>,
}

impl AgentRecord {
    /// When it was first heard of.
    pub fn first_seen(&self) -> Option<WallTime> {
        self.first_seen_ns.map(WallTime::from_ns)
    }

    /// When it was last heard of.
    pub fn last_seen(&self) -> Option<WallTime> {
        self.last_seen_ns.map(WallTime::from_ns)
    }

    /// It was heard of at `at`.
    pub fn seen(&mut self, at: WallTime) {
        let ns = at.as_ns();
        self.first_seen_ns = Some(self.first_seen_ns.map_or(ns, |first| first.min(ns)));
        self.last_seen_ns = Some(self.last_seen_ns.map_or(ns, |last| last.max(ns)));
    }

    /// Takes in what was heard.
    pub fn hear(&mut self, seen: &AgentSeen) {
        let mut heard = Self::default();
        let at_ns = seen.at.as_ns();
        heard.seen(seen.at);
        if let Some((name, labels)) = &seen.named {
            (heard.name, heard.labels) = (name.clone(), labels.clone());
            heard.named_at_ns = at_ns;
        }
        if let Some(software) = &seen.software {
            (heard.software, heard.software_at_ns) = (software.clone(), at_ns);
        }
        (heard.spooled, heard.spooled_at_ns) = (seen.spooled, at_ns);
        if let Some((offset_us, error_us)) = seen.clock {
            (heard.clock_offset_us, heard.clock_error_us) = (Some(offset_us), Some(error_us));
            heard.clock_at_ns = at_ns;
        }
        self.merge(&heard);
    }

    /// Observations of it will not come.
    pub fn miss(&mut self, gap: &Gap) {
        if !gap.is_empty() {
            self.missing = self.missing.saturating_add(gap.len());
            self.keep(std::slice::from_ref(gap));
        }
    }

    /// Takes in what another record knows of the same agent; the checks stay as they are.
    pub fn merge(&mut self, other: &Self) {
        for at_ns in [other.first_seen_ns, other.last_seen_ns].into_iter().flatten() {
            self.seen(WallTime::from_ns(at_ns));
        }
        if !other.name.is_empty() && self.named_at_ns <= other.named_at_ns {
            (self.name, self.labels) = (other.name.clone(), other.labels.clone());
            self.named_at_ns = other.named_at_ns;
        }
        if !other.software.is_empty() && self.software_at_ns <= other.software_at_ns {
            self.software.clone_from(&other.software);
            self.software_at_ns = other.software_at_ns;
        }
        if other.spooled.is_some() && self.spooled_at_ns <= other.spooled_at_ns {
            (self.spooled, self.spooled_at_ns) = (other.spooled, other.spooled_at_ns);
        }
        if other.clock_offset_us.is_some() && self.clock_at_ns <= other.clock_at_ns {
            self.clock_offset_us = other.clock_offset_us;
            self.clock_error_us = other.clock_error_us;
            self.clock_at_ns = other.clock_at_ns;
        }
        self.missing = self.missing.saturating_add(other.missing);
        self.keep(&other.gaps);
    }

    fn keep(&mut self, gaps: &[Gap]) {
        self.gaps.extend_from_slice(gaps);
        self.gaps.sort_unstable();
        let overflow = self.gaps.len().saturating_sub(GAPS);
        self.gaps.drain(..overflow);
    }
}

/// What a series is called.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SeriesRecord {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    /// The check's name.
    #[prost(string, tag = "2")]
    pub check: String,
    /// The check's kind.
    #[prost(string, tag = "3")]
    pub kind: String,
}

impl SeriesRecord {
    /// Of an agent's check.
    pub fn new(agent: AgentId, check: &str, kind: &str) -> Self {
        Self { agent: agent.0.to_vec(), check: check.into(), kind: kind.into() }
    }

    /// The vantage point's agent.
    pub fn agent(&self) -> AgentId {
        AgentId(self.agent.as_slice().try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_later_by_its_own_time_stands() {
        let early = AgentSeen {
            at: WallTime::from_s(100),
            named: Some(("hq".into(), BTreeMap::new())),
            spooled: Some(9),
            ..AgentSeen::default()
        };
        let late = AgentSeen {
            at: WallTime::from_s(200),
            spooled: Some(2),
            clock: Some((-5, 1)),
            ..AgentSeen::default()
        };
        let heard = |all: [&AgentSeen; 2]| {
            let mut record = AgentRecord::default();
            all.into_iter().for_each(|seen| record.hear(seen));
            record
        };
        assert_eq!(heard([&early, &late]), heard([&late, &early]));
        let record = heard([&early, &late]);
        assert_eq!(
            (record.name.as_str(), record.spooled, record.clock_offset_us),
            ("hq", Some(2), Some(-5))
        );
        assert_eq!(record.first_seen(), Some(WallTime::from_s(100)));
        assert_eq!(record.last_seen(), Some(WallTime::from_s(200)));
    }

    #[test]
    fn all_gaps_are_counted_and_the_latest_kept() {
        let mut record = AgentRecord::default();
        for first in 0..100 {
            let at = WallTime::from_s(i64::try_from(first).unwrap());
            record.miss(&Gap::new(at, Epoch(1), first * 10..=first * 10 + 4, "disk full"));
        }
        assert_eq!((record.missing, record.gaps.len()), (500, GAPS));
        assert_eq!(record.gaps.last().unwrap().first, 990);
    }
}
