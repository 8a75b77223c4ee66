//! Which agents there are, what each runs, and whether it is here.
//!
//! What is enrolled and what is defined comes from the control journal and goes there first; presence
//! (connected, last heard of, spool) is of the moment and dies with the process.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailsonde_proto::convert::{Heartbeat, Hello, RejectReason, SequenceRange};
use mailsonde_proto::{AgentId, Check, WallTime};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, ControlError, Enrolled, Event};

/// An enrolled agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisteredAgent {
    /// Unique among the agents.
    pub name: String,
    /// What checks and services select by.
    pub labels: BTreeMap<String, String>,
}

/// How an agent is at the moment.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    /// Since when its stream stands; `None` when it does not.
    pub connected_since: Option<WallTime>,
    /// Where from.
    pub address: Option<SocketAddr>,
    /// When anything was heard of it last, since this collector started.
    pub last_heard: Option<WallTime>,
    /// Its name and version, as it says.
    pub software: String,
    /// Observations that wait at the agent.
    pub spooled: u64,
    /// Bytes of its spool.
    pub spooled_bytes: u64,
    /// Its clock minus ours, as far as one heartbeat tells: includes the way here.
    pub clock_offset_us: Option<i64>,
    /// Observations refused since this collector started: malformed, conflicting.
    pub rejected: (u64, u64),
}

/// Everything known of one agent.
#[derive(Clone, Debug, Default)]
pub struct AgentEntry {
    /// As enrolled.
    pub registered: RegisteredAgent,
    /// What it runs, as it said last.
    pub checks: Vec<Check>,
    /// How it is at the moment.
    pub presence: Presence,
}

/// The registry; shared by ingest, API and command line.
pub struct Registry {
    agents: Mutex<HashMap<AgentId, Row>>,
    control: Control,
}

#[derive(Default)]
struct Row {
    entry: AgentEntry,
    stream: Option<CancellationToken>,
}

impl Registry {
    /// From what the control journal holds.
    pub fn new(control: Control, events: impl IntoIterator<Item = Event>) -> Self {
        let registry = Self { agents: Mutex::default(), control };
        for event in events {
            registry.apply(event);
        }
        registry
    }

    /// The map is plain data that no panic leaves half-changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Row>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, event: Event) {
        let mut agents = self.lock();
        match event {
            Event::Enrolled(Enrolled { agent, name, labels, .. }) => {
                agents.entry(agent).or_default().entry.registered = RegisteredAgent { name, labels };
            }
            Event::Defined { agent, checks } => agents.entry(agent).or_default().entry.checks = checks,
            _ => {}
        }
    }

    /// Enrols an agent: on disk first.
    ///
    /// # Errors
    /// When the name is taken, or the control journal cannot be written.
    pub async fn enrol(&self, enrolled: Enrolled, now: WallTime) -> Result<(), ControlError> {
        if self.is_name_of_another(enrolled.agent, &enrolled.name) {
            return Err(ControlError::NameTaken(enrolled.name));
        }
        let event = Event::Enrolled(enrolled);
        self.control.append(now, event.clone()).await?;
        self.apply(event);
        Ok(())
    }

    /// The enrolled agent of this identity.
    pub fn agent(&self, agent: AgentId) -> Option<RegisteredAgent> {
        let agents = self.lock();
        let registered = &agents.get(&agent)?.entry.registered;
        (!registered.name.is_empty()).then(|| registered.clone())
    }

    /// Whether a name belongs to another agent than this.
    pub fn is_name_of_another(&self, agent: AgentId, name: &str) -> bool {
        self.lock().iter().any(|(id, row)| *id != agent && row.entry.registered.name == name)
    }

    /// Every agent.
    pub fn agents(&self) -> Vec<(AgentId, AgentEntry)> {
        let mut agents: Vec<_> =
            self.lock().iter().map(|(id, row)| (*id, row.entry.clone())).collect();
        agents.sort_by(|a, b| a.1.registered.name.cmp(&b.1.registered.name));
        agents
    }

    /// Takes note of what an agent runs; on disk when it is not what it said last.
    ///
    /// # Errors
    /// When the control journal cannot be written.
    pub async fn define(
        &self,
        agent: AgentId,
        hello: &Hello,
        now: WallTime,
    ) -> Result<(), ControlError> {
        let known = {
            let mut agents = self.lock();
            let row = agents.entry(agent).or_default();
            row.entry.presence.software.clone_from(&hello.software);
            row.entry.checks == hello.checks
        };
        if known {
            return Ok(());
        }
        let event = Event::Defined { agent, checks: hello.checks.clone() };
        self.control.append(now, event.clone()).await?;
        self.apply(event);
        Ok(())
    }

    /// A stream of this agent stands now; an older one is told to end.
    pub(crate) fn arrived(
        self: &Arc<Self>,
        agent: AgentId,
        now: WallTime,
        address: Option<SocketAddr>,
    ) -> StreamPresence {
        let token = CancellationToken::new();
        let mut agents = self.lock();
        let row = agents.entry(agent).or_default();
        if let Some(older) = row.stream.replace(token.clone()) {
            older.cancel();
        }
        let presence = &mut row.entry.presence;
        presence.connected_since = Some(now);
        presence.last_heard = Some(now);
        presence.address = address;
        drop(agents);
        StreamPresence { registry: self.clone(), agent, token }
    }

    /// A heartbeat came.
    pub(crate) fn heard(&self, agent: AgentId, now: WallTime, heartbeat: &Heartbeat) {
        if let Some(row) = self.lock().get_mut(&agent) {
            let presence = &mut row.entry.presence;
            presence.last_heard = Some(now);
            presence.spooled = heartbeat.spooled;
            presence.spooled_bytes = heartbeat.spooled_bytes;
            presence.clock_offset_us = Some(heartbeat.sent_at.signed_us_since(now));
        }
    }

    /// Observations came.
    pub(crate) fn observed(&self, agent: AgentId, now: WallTime) {
        if let Some(row) = self.lock().get_mut(&agent) {
            row.entry.presence.last_heard = Some(now);
        }
    }

    /// Observations were refused.
    pub(crate) fn rejected(&self, agent: AgentId, reason: RejectReason, ranges: &[SequenceRange]) {
        let count: u64 = ranges.iter().map(|range| range.count()).sum();
        if let Some(row) = self.lock().get_mut(&agent) {
            let (malformed, conflicting) = &mut row.entry.presence.rejected;
            match reason {
                RejectReason::Conflict => *conflicting += count,
                RejectReason::Malformed | RejectReason::Unknown => *malformed += count,
            }
        }
    }
}

/// Stands for as long as an agent's stream does.
pub(crate) struct StreamPresence {
    registry: Arc<Registry>,
    agent: AgentId,
    token: CancellationToken,
}

impl StreamPresence {
    /// Returns when a newer stream of the same agent stands.
    pub(crate) async fn replaced(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for StreamPresence {
    fn drop(&mut self) {
        if self.token.is_cancelled() {
            return; // a newer stream has taken over the row
        }
        if let Some(row) = self.registry.lock().get_mut(&self.agent) {
            row.stream = None;
            row.entry.presence.connected_since = None;
        }
    }
}
