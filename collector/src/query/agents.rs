//! Which agents there are and what each runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use mailsonde_proto::time::as_us;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::Registry;

/// Every agent that is enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentsAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// By name.
    pub agents: Vec<AgentAnswer>,
    /// Agents that were put out, the newest last.
    pub revoked: Vec<RevokedAnswer>,
}

/// An agent that was put out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevokedAnswer {
    /// What it was called.
    pub name: String,
    /// Its identity: 32 hexadecimal digits.
    pub agent_id: String,
    /// When.
    pub revoked_at: Timestamp,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentAnswer {
    /// Its name.
    pub name: String,
    /// Its identity: 32 hexadecimal digits.
    pub agent_id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Since when its stream stands; null when it does not.
    pub connected_since: Option<Timestamp>,
    /// Where from.
    pub address: Option<String>,
    /// When anything was heard of it last, since this collector was started.
    pub last_heard_at: Option<Timestamp>,
    /// Its software and version, as it says; empty when it has not been here yet.
    pub software: String,
    /// Names of the checks that it runs.
    pub checks: Vec<String>,
    /// Observations that wait at the agent.
    pub spooled: u64,
    /// Bytes of its spool.
    pub spooled_bytes: u64,
    /// Its clock minus ours in microseconds, by four timestamps; null until they were exchanged.
    pub clock_offset_us: Option<i64>,
    /// The bound on the error of that, in microseconds.
    pub clock_error_us: Option<u64>,
    /// Since its start, in microseconds, as it says.
    pub running_us: Option<u64>,
    /// How many of the collector's checks are for it.
    pub assigned: usize,
    /// Whether it has said what becomes of them as they are now.
    pub has_answered: bool,
    /// Those that it refuses.
    pub refused_checks: Vec<RefusalAnswer>,
    /// Observations refused as malformed since this collector was started.
    pub malformed: u64,
    /// Observations refused because others are stored under the same key.
    pub conflicting: u64,
    /// Until when the certificate is valid that it showed last, since this collector was started.
    pub certificate_not_after: Option<Timestamp>,
    /// By which other agents verify its mail, as `policy.toml` has it; null where it does not say.
    pub signing_key: Option<String>,
    /// The mailboxes in which mail of other agents may arrive: name and address.
    pub receives: Vec<(String, String)>,
    /// The addresses of two machines that use its key.
    pub clones: Option<[String; 2]>,
}

/// A check of the collector that an agent refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusalAnswer {
    /// Its name.
    pub check: String,
    /// Where it stands in `checks.d`: file and line.
    pub place: String,
    /// Why, as the agent says.
    pub reason: String,
}

/// Every check that an agent runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChecksAnswer {
    /// By check, then by vantage point.
    pub checks: Vec<CheckAnswer>,
}

/// One check at one vantage point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct CheckAnswer {
    /// Its name.
    pub check: String,
    /// The vantage point's name.
    pub vantage_point: String,
    /// The probe that carries it out.
    pub kind: String,
    /// From one slot to the next, in microseconds.
    pub cadence_us: u64,
    /// A run at most, in microseconds.
    pub timeout_us: u64,
    /// Slots are at every time T (in microseconds since 1970) with `T mod cadence == slot_offset`.
    pub slot_offset_us: u64,
    /// Of its settings, which stay on the agent: 32 hexadecimal digits.
    pub settings_digest: String,
}

pub(super) fn agents(registry: &Registry, now: WallTime) -> AgentsAnswer {
    let (set, receivers) = (registry.checks().borrow().clone(), registry.receivers());
    let agents = registry.agents().into_iter().map(|(enrolled, entry)| {
        let assigned = set.count(&enrolled, &receivers);
        let said = entry.said().cloned();
        let has_answered = said.is_some();
        let refused = said.into_iter().flat_map(|said| said.refused);
        let refused_checks = refused.map(|refusal| RefusalAnswer {
            place: set
                .check(&refusal.check)
                .map(|check| format!("{}:{}", check.file, check.line))
                .unwrap_or_default(),
            check: refusal.check,
            reason: refusal.reason,
        });
        let presence = entry.presence;
        let (malformed, conflicting) = presence.rejected;
        AgentAnswer {
            name: enrolled.name,
            agent_id: enrolled.agent.to_string(),
            labels: enrolled.labels,
            connected_since: presence.connected_since.map(WallTime::timestamp),
            address: presence.address.map(|address| address.to_string()),
            last_heard_at: presence.last_heard.map(WallTime::timestamp),
            software: presence.software,
            checks: entry.checks.into_iter().map(|check| check.name).collect(),
            spooled: presence.spooled,
            spooled_bytes: presence.spooled_bytes,
            clock_offset_us: presence.clock_offset_us.map(|(offset_us, _)| offset_us),
            clock_error_us: presence.clock_offset_us.map(|(_, error_us)| error_us),
            running_us: presence.running.map(as_us),
            assigned,
            has_answered,
            refused_checks: refused_checks.collect(),
            malformed,
            conflicting,
            certificate_not_after: presence.certificate_not_after.map(WallTime::timestamp),
            signing_key: entry.signing_key.map(|key| key.to_string()),
            receives: entry.mailboxes.into_iter().map(|it| (it.name, it.address)).collect(),
            clones: presence.clones.map(|clones| clones.addresses),
        }
    });
    let agents = agents.collect();
    let mut revoked: Vec<_> = registry.control().look(|roll| {
        let revoked = roll.revoked().map(|(enrolled, at)| RevokedAnswer {
            name: enrolled.name.clone(),
            agent_id: enrolled.agent.to_string(),
            revoked_at: at.timestamp(),
        });
        revoked.collect()
    });
    revoked.sort_by_key(|agent| agent.revoked_at);
    AgentsAnswer { now: now.timestamp(), agents, revoked }
}

pub(super) fn checks(registry: &Registry) -> ChecksAnswer {
    let mut checks = Vec::new();
    for (enrolled, entry) in registry.agents() {
        checks.extend(entry.checks.into_iter().map(|check| CheckAnswer {
            check: check.name,
            vantage_point: enrolled.name.clone(),
            kind: check.kind,
            cadence_us: as_us(check.cadence),
            timeout_us: as_us(check.timeout),
            slot_offset_us: as_us(check.slot_offset),
            settings_digest: check.settings_digest.to_string(),
        }));
    }
    checks.sort();
    ChecksAnswer { checks }
}
