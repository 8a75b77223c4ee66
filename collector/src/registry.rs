//! Which agents there are, what each runs, and whether it is here.
//!
//! Who is enrolled and what is defined stands in the control journal, and goes there first; presence
//! (connected, last heard of, spool) is of the moment and dies with the process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailsonde_proto::convert::{Heartbeat, Hello, RejectReason, SequenceRange};
use mailsonde_proto::journal::JournalError;
use mailsonde_proto::{AgentId, Check, WallTime};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, ControlJournal, ControlNext, Enrolled};

/// Why a definition could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The control journal would not take it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The thread that waited for the disk is gone.
    #[error("the collector is stopping")]
    Stopping,
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
    /// What it runs, as it said last.
    pub checks: Vec<Check>,
    /// How it is at the moment.
    pub presence: Presence,
}

/// The registry; shared by ingest and API.
pub struct Registry {
    control: Arc<ControlJournal>,
    agents: Mutex<HashMap<AgentId, Row>>,
}

#[derive(Default)]
struct Row {
    entry: AgentEntry,
    stream: Option<CancellationToken>,
}

impl Registry {
    /// From what the control journal holds.
    ///
    /// # Errors
    /// When the journal cannot be read although it is there.
    pub fn new(control: Arc<ControlJournal>) -> Result<Self, JournalError> {
        let mut agents: HashMap<AgentId, Row> = HashMap::new();
        let mut records = control.follow(1);
        loop {
            match records.read()? {
                ControlNext::Record { record, .. } => {
                    if let Control::Defined { agent, checks } = record.control {
                        agents.entry(agent).or_default().entry.checks = checks;
                    }
                }
                ControlNext::Gap { .. } => {}
                ControlNext::CaughtUp => break,
            }
        }
        Ok(Self { control, agents: Mutex::new(agents) })
    }

    /// The map is plain data that no panic leaves half-changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Row>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The enrolled agent of this identity.
    pub fn agent(&self, agent: AgentId) -> Option<Enrolled> {
        self.control.agent(agent)
    }

    /// Whether a name belongs to another agent than this.
    pub fn is_name_of_another(&self, agent: AgentId, name: &str) -> bool {
        self.control.agent_named(name).is_some_and(|named| named.agent != agent)
    }

    /// Every enrolled agent, by name.
    pub fn agents(&self) -> Vec<(Enrolled, AgentEntry)> {
        let mut enrolled = self.control.agents();
        enrolled.sort_by(|a, b| a.name.cmp(&b.name));
        let agents = self.lock();
        let entry = |agent| agents.get(&agent).map(|row| row.entry.clone()).unwrap_or_default();
        enrolled.into_iter().map(|enrolled| (enrolled.clone(), entry(enrolled.agent))).collect()
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
    ) -> Result<(), RegistryError> {
        let known = {
            let mut agents = self.lock();
            let row = agents.entry(agent).or_default();
            row.entry.presence.software.clone_from(&hello.software);
            row.entry.checks == hello.checks
        };
        if known {
            return Ok(());
        }
        let (control, checks) = (self.control.clone(), hello.checks.clone());
        let defined = Control::Defined { agent, checks: checks.clone() };
        let written = tokio::task::spawn_blocking(move || control.append(now, defined)).await;
        written.ok().ok_or(RegistryError::Stopping)??;
        self.lock().entry(agent).or_default().entry.checks = checks;
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
