//! What is known of one agent: what it says of itself, and how it is at the moment.

use std::net::SocketAddr;
use std::time::Duration;

use mailsonde_proto::convert::{Assigned, ReceivingMailbox, Revision};
use mailsonde_proto::{Check, SenderKey, WallTime};

/// Two machines use one agent's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clones {
    /// When that was noticed last.
    pub noticed_at: WallTime,
    /// Where the two connect from.
    pub addresses: [String; 2],
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
    /// Its clock minus ours in microseconds, and the bound on the error of that; by four timestamps.
    pub clock_offset_us: Option<(i64, u64)>,
    /// Since its start, as it says.
    pub running: Option<Duration>,
    /// Observations refused since this collector started: malformed, conflicting.
    pub rejected: (u64, u64),
    /// Until when the certificate is valid that it showed last.
    pub certificate_not_after: Option<WallTime>,
    /// Two machines have its key.
    pub clones: Option<Clones>,
}

/// Everything known of one agent.
#[derive(Clone, Debug, Default)]
pub struct AgentEntry {
    /// What it runs, as it said last.
    pub checks: Vec<Check>,
    /// By which other agents verify its mail, as it said last.
    pub signing_key: Option<SenderKey>,
    /// Where mail of other agents may arrive, as it said last.
    pub mailboxes: Vec<ReceivingMailbox>,
    /// Of the checks in force that it was told to run, on the stream that stands.
    pub told: Option<Revision>,
    /// What became of them, as it said.
    pub assigned: Option<Assigned>,
    /// How it is at the moment.
    pub presence: Presence,
}

impl AgentEntry {
    /// What became of the checks in force, where it has said so.
    pub fn said(&self) -> Option<&Assigned> {
        self.assigned.as_ref().filter(|said| self.told == Some(said.revision))
    }
}
