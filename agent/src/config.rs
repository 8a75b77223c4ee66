//! `agent.toml`: what is written there, made into types that cannot be wrong.
//!
//! A file is read as written (`value`), then asked for key by key (`section`); every mistake is told,
//! with its line, in one go. Absent on purpose: runtime state, and any socket.

mod load;

pub mod assigned;
pub mod check;
pub mod mailbox;
pub mod provider;

pub mod oauth2;
pub mod password;
pub mod resolver;
pub mod server;

pub mod policy;

pub mod host;
pub mod section;

pub mod mistake;
pub mod spelling;
pub mod units;
pub mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{Clock, VantagePoint};

use crate::mail::mailbox::Mailbox;
use crate::net::Net;
use crate::peers::Peers;
use crate::probe::Surroundings;

pub use assigned::AssignedChecks;
pub use check::CheckConfig;
pub(crate) use load::DEFAULT_COLLECTOR_PORT;
pub use load::{DEFAULT_DATA, Loaded, NotLoaded, Overrides};
pub use mailbox::MailboxConfig;
pub use policy::Policies;
pub use section::Endpoint;

/// Everything that `agent.toml` says, resolved.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The file it came from.
    pub file: PathBuf,
    /// The folder of the outbox.
    pub data: PathBuf,
    /// Where observations go.
    pub collector: CollectorConfig,
    /// Where this agent stands.
    pub vantage_point: VantagePoint,
    /// Its name, where the command line said it: it stays when the file is read again.
    pub forced_name: Option<String>,
    /// By name.
    pub mailboxes: BTreeMap<String, MailboxConfig>,
    /// In the order of the file.
    pub checks: Vec<CheckConfig>,
    /// What the agent may take of its host.
    pub limits: Limits,
    /// What its checks may do.
    pub policy: Policies,
}

/// Where observations go, and who the agent is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorConfig {
    /// Where to dial.
    pub address: Endpoint,
    /// The name that must stand in the collector's certificate; the address's host by default.
    pub server_name: String,
    /// The collector's certificate authority, PEM.
    pub ca: PathBuf,
    /// The agent's certificate, PEM.
    pub certificate: PathBuf,
    /// The agent's private key, PEM.
    pub key: PathBuf,
}

/// What the agent may take of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The outbox at most, in bytes.
    pub outbox_bytes: u64,
    /// The oldest observation in the outbox.
    pub outbox_age: Duration,
    /// Runs under way at once.
    pub concurrent_runs: usize,
}

impl AgentConfig {
    /// The same with the checks of the collector beside its own. Its policy is what its own configuration says.
    #[must_use]
    pub fn with(&self, assigned: &AssignedChecks) -> Self {
        let mut with = self.clone();
        with.checks.extend(assigned.checks.iter().cloned());
        with
    }

    /// What probes share: the mailboxes, ready to be used by way of `net`.
    pub fn surroundings(&self, net: Net, clock: Clock) -> Surroundings {
        surroundings(&self.mailboxes, net, clock)
    }
}

/// What probes share, around these mailboxes. Nothing is opened before a probe runs.
pub fn surroundings(
    mailboxes: &BTreeMap<String, MailboxConfig>,
    net: Net,
    clock: Clock,
) -> Surroundings {
    let mailboxes = mailboxes
        .iter()
        .map(|(name, config)| {
            let mailbox = Mailbox::new(config.settings.clone(), net.clone(), clock);
            (name.clone(), mailbox)
        })
        .collect::<BTreeMap<String, Arc<Mailbox>>>();
    Surroundings { net, clock, mailboxes, peers: Peers::default() }
}

#[cfg(test)]
pub(crate) mod samples;
