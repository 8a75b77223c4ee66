//! Evidence becomes incidents: what each run, each tick and each action of an operator changes.
//!
//! The engine hears everything in the one order of both journals, with the time of each record as its only clock; so
//! the same journals give the same incidents, live and in a replay. What must outlive a restart is handed over as
//! rows ([`Engine::take`]) and read back ([`Engine::restore`]); names, checks and services come from the
//! [`Chronicle`]. What it wants done (runs to confirm a failure) it only says: whoever owns it does it while it is
//! news. Absent on purpose: figures, which rollups have, and anybody who is told.

mod actions;
mod burning;
mod evidence;
mod fleet;
mod grouping;
mod kept;
mod outside;
mod scope;
mod silence;
mod traits;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::{AgentId, WallTime};
use serde::{Deserialize, Serialize};

use super::burn::Burns;
use super::incident::{Entry, Incident};
use super::outside::Outside;
use super::planned::Planned;
use crate::series::{SeriesId, ServiceId};

pub use kept::{Kept, Restored};

use fleet::Fleet;

/// An incident that was over comes back as itself within this.
const COMES_BACK: Duration = Duration::from_secs(10 * 60);
/// Incidents that are over are kept in memory for this, so that they can come back; then in the views only.
const LINGERS: Duration = Duration::from_secs(24 * 3_600);
/// Earlier incidents that are remembered to be compared with.
const MOST_PAST: usize = 1_000;
/// Nothing is overdue for so long after nobody was here to hear it.
const AFTER_ABSENCE: Duration = Duration::from_secs(45);
/// Ticks come once a minute: after a longer gap nobody was here.
const ABSENCE: Duration = Duration::from_secs(75);

/// Judges evidence.
#[derive(Debug, Default)]
pub struct Engine {
    now: WallTime,
    book: Book,
    fleet: Fleet,
    /// Those that are live or may come back.
    incidents: BTreeMap<u64, Incident>,
    /// The series that fail, and the agents that are silent, by incident.
    open_ends: HashMap<u64, Ends>,
    past: VecDeque<Past>,
    due: BTreeSet<(WallTime, Due)>,
    /// When others were asked last to confirm a check's failure.
    asked: HashMap<String, WallTime>,
    /// What is planned: evidence under maintenance opens no incident.
    planned: Planned,
    /// What was heard from outside: it stands beside incidents.
    outside: Outside,
    /// How fast budgets are spent, by service.
    burns: BTreeMap<String, Burns>,
    wishes: Vec<Wish>,
    dirty: Dirty,
}

/// What is kept beside incidents and series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    /// How many incidents there were.
    incidents: u64,
    /// Since when somebody is here to hear anything, in microseconds since 1970.
    here_since_us: i64,
    /// The time of the last record.
    now_us: i64,
    /// The last minute that was counted against budgets, from 1970.
    #[serde(default)]
    counted_minute: i64,
}

/// What keeps an incident from being over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ends {
    series: BTreeSet<usize>,
    agents: BTreeSet<usize>,
    /// Other collectors, by name.
    peers: BTreeSet<String>,
}

impl Ends {
    fn is_empty(&self) -> bool {
        self.series.is_empty() && self.agents.is_empty() && self.peers.is_empty()
    }
}

/// An incident that is over, as far as others are compared with it.
#[derive(Clone, Debug)]
struct Past {
    number: u64,
    checks: BTreeSet<String>,
    phase: String,
    class: String,
    opened_at: Timestamp,
    lasted_s: Option<i64>,
    note: String,
}

/// What is looked at again at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Series(usize),
    Agent(usize),
}

/// What has to be written.
#[derive(Debug, Default)]
struct Dirty {
    watches: BTreeSet<usize>,
    traits: BTreeSet<usize>,
    burns: BTreeSet<String>,
    incidents: BTreeSet<u64>,
    /// Incidents that may have to be told of.
    news: BTreeSet<u64>,
    /// Incidents whose scope has to be looked at again.
    stale: BTreeSet<u64>,
    /// Incidents that are over and are to outlive their evidence.
    archive: BTreeSet<u64>,
}

impl Dirty {
    fn incident(&mut self, number: u64) {
        self.incidents.insert(number);
        self.news.insert(number);
    }
}

/// A run that is wanted now, to confirm a failure or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// When it was wanted: later it is no news.
    pub at: WallTime,
    /// Of this check.
    pub check: String,
    /// On these agents.
    pub agents: Vec<AgentId>,
}

impl Engine {
    /// Time has come to `now`; nothing else has happened.
    pub fn tick(&mut self, now: WallTime) {
        self.proceed(now);
        self.look_at_agents();
        self.count_minute();
        self.retire();
        self.settle();
    }

    /// The collector was started: nothing is overdue for a while.
    pub fn started(&mut self, now: WallTime) {
        // before what has become due meanwhile is looked at
        self.book.here_since_us = now.plus(AFTER_ABSENCE).as_us();
        self.proceed(now);
        self.settle();
    }

    /// When it wants to be told the time, at the latest.
    pub fn due(&self) -> Option<WallTime> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The runs that are wanted since this was last asked.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// Incidents that are over since this was last asked, to be put where they outlive their evidence.
    pub fn take_archive(&mut self) -> Vec<Incident> {
        let over = std::mem::take(&mut self.dirty.archive);
        over.into_iter().filter_map(|number| self.incidents.get(&number).cloned()).collect()
    }

    /// Incidents that changed since this was last asked.
    pub fn take_news(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.dirty.news)
    }

    /// The time of the last record.
    pub fn now(&self) -> WallTime {
        self.now
    }

    /// One that is live or may come back.
    pub fn find(&self, number: u64) -> Option<&Incident> {
        self.incidents.get(&number)
    }

    /// Everything that is live or may come back.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// Time goes on; what has become due is looked at, in order.
    fn proceed(&mut self, now: WallTime) {
        if now.since(self.now) > ABSENCE {
            self.book.here_since_us = now.plus(AFTER_ABSENCE).as_us();
        }
        self.now = self.now.max(now);
        self.book.now_us = self.now.as_us();
        while let Some((at, due)) = self.due.first().copied().filter(|(at, _)| *at <= self.now) {
            self.due.remove(&(at, due));
            match due {
                Due::Series(series) => self.confirmation_is_due(series),
                Due::Agent(agent) => self.agent_is_due(agent),
            }
        }
    }

    fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    /// An incident, to be changed.
    fn incident(&mut self, number: u64) -> Option<&mut Incident> {
        self.dirty.incident(number);
        self.incidents.get_mut(&number)
    }

    /// Scopes and severities of what changed, and which incidents are mended or over by it. Call it after each
    /// record: what is written must not depend on when it is written.
    pub fn settle(&mut self) {
        for number in std::mem::take(&mut self.dirty.stale) {
            self.look_again(number);
            self.tell_vendors(number);
            self.go_on(number);
        }
    }

    /// Incidents that are over for long leave the memory.
    fn retire(&mut self) {
        let before = self.now.minus(LINGERS).timestamp();
        let is_over = |incident: &Incident| {
            let last = incident.reviewed_at.max(incident.verified_at).or(incident.resolved_at);
            !incident.is_live() && last.unwrap_or(incident.opened_at) < before
        };
        let over: Vec<u64> =
            self.incidents.values().filter(|it| is_over(it)).map(|it| it.number).collect();
        for number in over {
            if !self.dirty.incidents.contains(&number) {
                self.incidents.remove(&number);
            }
        }
    }

    fn remember(&mut self, incident: &Incident) {
        if incident.merged_into.is_some() {
            return;
        }
        let said = |entry: &&Entry| !entry.words.is_empty() && entry.by.is_some();
        let note = incident.timeline.iter().rev().find(said).map(|entry| entry.words.clone());
        self.past.retain(|past| past.number != incident.number);
        self.past.push_back(Past {
            number: incident.number,
            checks: incident.checks.clone(),
            phase: incident.fault.phase.clone(),
            class: incident.fault.class.clone(),
            opened_at: incident.opened_at,
            lasted_s: incident.resolved_at.map(|at| at.duration_since(incident.began_at).as_secs()),
            note: note.unwrap_or_default(),
        });
        if self.past.len() > MOST_PAST {
            self.past.pop_front();
        }
    }
}

/// What a row of the engine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A series' watch.
    Watch(SeriesId),
    /// What a series' target told of itself.
    Traits(SeriesId),
    /// How fast a service's budgets are spent.
    Burn(ServiceId),
    /// An incident.
    Incident(u64),
    /// The rest.
    Book,
}

#[cfg(test)]
mod tests;
