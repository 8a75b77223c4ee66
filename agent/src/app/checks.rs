//! The checks as they are configured now: their schedule, their probes, and the mailboxes they share.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use mailsonde_proto::Clock;
use tracing::debug;

use crate::config::check::Origin;
use crate::config::policy::Nets;
use crate::config::{AgentConfig, MailboxConfig};
use crate::mail::mailbox::{Inbox, Mailbox};
use crate::peers::Peers;
use crate::probe::{Kinds, Surroundings};
use crate::runner::Ready;
use crate::schedule::Schedule;

pub(super) struct Checks {
    pub(super) schedule: Schedule,
    pub(super) by_name: BTreeMap<String, Ready>,
    surroundings: Surroundings,
    nets: Nets,
    mailboxes: BTreeMap<String, MailboxConfig>,
    /// No longer configured; shut down when no run has them any more.
    retired: Vec<Arc<Mailbox>>,
}

impl Checks {
    pub(super) fn ready(
        config: &AgentConfig,
        kinds: &Kinds,
        (clock, peers): (Clock, &Peers),
    ) -> anyhow::Result<Self> {
        let nets = config.policy.nets(clock);
        let surroundings = config.surroundings(nets.local.clone(), clock);
        let surroundings = Surroundings { peers: peers.clone(), ..surroundings };
        let by_name = probes(config, kinds, (&surroundings, &nets))?;
        let checks = config.checks.iter().map(|check| check.check.clone());
        Ok(Self {
            schedule: Schedule::new(checks, clock.wall()),
            by_name,
            surroundings,
            nets,
            mailboxes: config.mailboxes.clone(),
            retired: Vec::new(),
        })
    }

    /// Goes over to another configuration; runs under way go on with the old one.
    pub(super) fn replace(
        &mut self,
        config: &AgentConfig,
        kinds: &Kinds,
        clock: Clock,
    ) -> anyhow::Result<()> {
        let surroundings = config.surroundings(self.nets.local.clone(), clock);
        let mut surroundings =
            Surroundings { peers: self.surroundings.peers.clone(), ..surroundings };
        for (name, mailbox) in &mut surroundings.mailboxes {
            let before = self.mailboxes.get(name).zip(config.mailboxes.get(name));
            // Two watchers on one mailbox would take each other's mail for strays.
            if before.is_some_and(|(before, now)| is_same(before, now))
                && let Some(kept) = self.surroundings.mailboxes.get(name)
            {
                *mailbox = Arc::clone(kept);
            }
        }
        let by_name = probes(config, kinds, (&surroundings, &self.nets))?;
        // From here on everything is bound by the new policy, mailboxes that are kept and runs under way too.
        config.policy.bind(&self.nets);
        let old = std::mem::replace(&mut self.surroundings, surroundings);
        let is_kept = |mailbox: &Arc<Mailbox>| {
            self.surroundings.mailboxes.values().any(|kept| Arc::ptr_eq(kept, mailbox))
        };
        self.retired.extend(old.mailboxes.into_values().filter(|mailbox| !is_kept(mailbox)));
        self.by_name = by_name;
        self.mailboxes = config.mailboxes.clone();
        let checks = config.checks.iter().map(|check| check.check.clone());
        self.schedule.replace_checks(checks, clock.wall());
        Ok(())
    }

    /// The mailbox of this name in which mail of other agents may arrive.
    pub(super) fn receiving(&self, name: &str) -> Option<&Arc<Mailbox>> {
        self.surroundings.mailboxes.get(name).filter(|mailbox| mailbox.settings().receives)
    }

    /// Drops retired mailboxes that no run uses: their watchers end with them.
    pub(super) fn let_go(&mut self) {
        let before = self.retired.len();
        self.retired.retain(|mailbox| Arc::strong_count(mailbox) > 1);
        if self.retired.len() < before {
            debug!(
                left = self.retired.len(),
                "agent: mailboxes of the old configuration were let go"
            );
        }
    }

    /// Shuts every mailbox down, all at once.
    pub(super) async fn shut_down(&self) {
        let all = self.surroundings.mailboxes.values().chain(&self.retired);
        futures_util::future::join_all(all.map(|mailbox| mailbox.shutdown())).await;
    }
}

fn probes(
    config: &AgentConfig,
    kinds: &Kinds,
    (surroundings, nets): (&Surroundings, &Nets),
) -> anyhow::Result<BTreeMap<String, Ready>> {
    let pushed = Surroundings { net: nets.pushed.clone(), ..surroundings.clone() };
    let ready = config.checks.iter().map(|check| {
        let probe = match check.origin {
            Origin::Local => check.probe(kinds, surroundings),
            Origin::Collector => check.probe(kinds, &pushed),
        };
        let probe = probe.with_context(|| format!("check \"{}\"", check.check.name))?;
        Ok((check.check.name.clone(), Ready { check: check.check.clone(), probe }))
    });
    ready.collect()
}

/// Whether a mailbox can be kept over a reload, with its connections and the runs that wait on it.
fn is_same(before: &MailboxConfig, now: &MailboxConfig) -> bool {
    before.canonical == now.canonical
        && format!("{:?}", before.settings) == format!("{:?}", now.settings)
        && std::iter::zip(logins(before), logins(now)).all(|both| match both {
            (Some(before), Some(now)) => before.is_same(now),
            (before, now) => before.is_none() && now.is_none(),
        })
}

/// The login of each of its servers, passwords and sources of tokens included.
fn logins(mailbox: &MailboxConfig) -> Vec<Option<&crate::mail::Login>> {
    let inboxes = mailbox.settings.inboxes().map(Inbox::server);
    let servers = std::iter::once(&mailbox.settings.smtp).chain(inboxes);
    servers.map(|server| server.login.as_ref()).collect()
}

#[cfg(test)]
mod tests;
