//! What the agent's own configuration names: the servers and domains of its mailboxes, and what its checks are
//! about.

use std::net::IpAddr;

use hickory_resolver::proto::rr::Name;
use url::Url;

use super::super::AgentConfig;
use super::super::check::CheckConfig;
use super::super::mailbox::MailboxConfig;
use super::super::value::{Table, Value};
use crate::mail::endpoint::Endpoint;
use crate::mail::mailbox::Inbox;
use crate::policy::{Host, HostRule, Policy, Recipient, Refusal, Target, name_of};

/// What the agent's own configuration names.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// The servers of its mailboxes, and the token endpoints of their logins.
    pub(crate) hosts: Vec<HostRule>,
    /// The domains of its mailboxes' addresses.
    pub(crate) domains: Vec<Name>,
    /// Its mailboxes' addresses.
    pub(crate) recipients: Vec<Recipient>,
    /// What its checks are about.
    pub(crate) checked_hosts: Vec<HostRule>,
    pub(crate) checked_domains: Vec<Name>,
    pub(crate) checked_recipients: Vec<Recipient>,
}

impl Own {
    /// Of a configuration.
    pub fn of(config: &AgentConfig) -> Self {
        let mut own = Self::of_mailboxes(config.mailboxes.values());
        for check in &config.checks {
            let named = Named::of(&check.table);
            own.checked_hosts.extend(named.hosts.into_iter().flat_map(at_home));
            own.checked_domains.extend(named.domains);
            own.checked_recipients.extend(named.recipients);
        }
        own
    }

    /// Of mailboxes alone.
    pub fn of_mailboxes<'m>(mailboxes: impl IntoIterator<Item = &'m MailboxConfig>) -> Self {
        let mut own = Self::default();
        for MailboxConfig { settings, .. } in mailboxes {
            let inboxes = settings.inboxes().map(Inbox::server);
            for server in std::iter::once(&settings.smtp).chain(inboxes) {
                own.hosts
                    .extend(rule(&server.host, Some(server.port)).into_iter().flat_map(at_home));
                own.hosts.extend(token_endpoint(server));
            }
            if let Ok(recipient) = settings.address.parse() {
                own.recipients.push(recipient);
            }
            own.domains.extend(domain_of(&settings.address));
        }
        own
    }
}

fn token_endpoint(server: &Endpoint) -> Option<HostRule> {
    let source = server.login.as_ref()?.token_source()?;
    of_url(source.url())
}

fn domain_of(address: &str) -> Option<Name> {
    name_of(address.rsplit_once('@')?.1)
}

fn of_url(url: &Url) -> Option<HostRule> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    rule(host, url.port_or_known_default())
}

fn rule(host: &str, port: Option<u16>) -> Option<HostRule> {
    let host = match host.parse::<IpAddr>() {
        Ok(address) => Host::Address(address),
        Err(_) => Host::Name(name_of(host)?),
    };
    Some(HostRule { port, ..HostRule::of(host) })
}

/// Whoever writes `localhost` means its addresses too (RFC 6761 section 6.3).
fn at_home(rule: HostRule) -> Vec<HostRule> {
    let is_home = matches!(&rule.host, Host::Name(name) if name.is_localhost());
    if !is_home {
        return vec![rule];
    }
    let addresses = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let with = |address| HostRule { host: Host::Address(address), ..rule.clone() };
    addresses.map(with).into_iter().chain([rule.clone()]).collect()
}

/// What a check's table names, by the words that all kinds of probes have for it.
#[derive(Debug, Default)]
struct Named {
    hosts: Vec<HostRule>,
    domains: Vec<Name>,
    recipients: Vec<Recipient>,
}

impl Named {
    fn of(table: &Table) -> Self {
        let mut named = Self::default();
        let texts = |key: &str| texts(table, key);
        let port = match table.entries.get("port").map(|entry| &entry.value) {
            Some(Value::Integer(Some(port))) => u16::try_from(*port).ok(),
            _ => None,
        };
        for text in texts("host") {
            let read = text.parse::<HostRule>().ok();
            named.hosts.extend(read.map(|rule| HostRule { port: rule.port.or(port), ..rule }));
        }
        for text in texts("url") {
            named.hosts.extend(Url::parse(text).ok().as_ref().and_then(of_url));
        }
        for key in ["resolver", "connect_to"] {
            named.hosts.extend(texts(key).iter().filter_map(|text| text.parse().ok()));
        }
        for key in ["domain", "mx", "lists", "domain_lists"] {
            named.domains.extend(texts(key).into_iter().filter_map(name_of));
        }
        named.domains.extend(texts("sender").into_iter().filter_map(domain_of));
        for key in ["via", "to", "recipient", "refused_recipient", "relay_to"] {
            named.recipients.extend(texts(key).iter().filter_map(|text| text.parse().ok()));
        }
        named
    }
}

fn texts<'t>(table: &'t Table, key: &str) -> Vec<&'t str> {
    let text = |value: &'t Value| match value {
        Value::Text(text) | Value::Word(text) => Some(text.as_str()),
        _ => None,
    };
    match table.entries.get(key).map(|entry| &entry.value) {
        Some(Value::Array(items)) => items.iter().filter_map(|item| text(&item.value)).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// What a policy would refuse a check before anything is looked up: for `check-config`.
pub fn refused(policy: &Policy, check: &CheckConfig, config: &AgentConfig) -> Vec<Refusal> {
    let named = Named::of(&check.table);
    let mut asked = vec![policy.allows(&Target::Kind(&check.check.kind))];
    for host in named.hosts {
        asked.push(policy.allows_host(&host));
    }
    for domain in &named.domains {
        asked.push(policy.allows(&Target::Name { name: domain, is_led: false }));
    }
    let mut recipients: Vec<String> = named.recipients.iter().map(ToString::to_string).collect();
    let is_to_mailbox = recipients.is_empty() && check.check.kind == "round-trip";
    for name in ["mailbox", "from_mailbox"].into_iter().flat_map(|key| texts(&check.table, key)) {
        for server in Own::of_mailboxes(config.mailboxes.get(name)).hosts {
            asked.push(policy.allows_host(&server));
        }
    }
    if is_to_mailbox {
        let named = texts(&check.table, "mailbox").into_iter();
        let mailboxes = named.filter_map(|name| config.mailboxes.get(name));
        recipients.extend(mailboxes.map(|mailbox| mailbox.settings.address.clone()));
    }
    for recipient in &recipients {
        asked.push(policy.allows(&Target::Recipient(recipient)));
    }
    let mut refusals: Vec<Refusal> = Vec::new();
    for refusal in asked.into_iter().filter_map(Result::err) {
        if !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }
    refusals
}
