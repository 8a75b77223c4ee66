//! The domain's zone and its authoritative servers (RFC 1034 section 4.1), asked past the resolver.

use std::net::{IpAddr, SocketAddr};

use futures_util::future::{join, join_all};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::group::Context;
use crate::dns::{AskError, Question, Reply};

/// The most name servers of one zone that are looked at: as many as the root has.
const MOST_SERVERS: usize = 13;
/// The most addresses of one name server.
const MOST_ADDRESSES: usize = 4;
const DNS_PORT: u16 = 53;

/// A zone and its name servers.
pub(super) struct Zone {
    /// Its name: the domain or one above it.
    pub(super) name: Name,
    /// Its name servers as the zone itself tells them, or its parent where the zone cannot be believed.
    pub(super) servers: Vec<NameServer>,
    /// Why the parent had to be asked.
    pub(super) distrust: Option<AskError>,
}

/// One name server.
pub(super) struct NameServer {
    /// Its host name.
    pub(super) host: Name,
    /// Its addresses; empty where it has none or nobody knows them.
    pub(super) addresses: Vec<IpAddr>,
    /// Why nobody knows them.
    pub(super) trouble: Option<AskError>,
}

/// The zone in which the domain is.
///
/// # Errors
/// When nobody knows.
pub(super) async fn zone_of(context: &Context<'_>) -> Result<Zone, AskError> {
    let mut name = context.domain.to_lowercase();
    loop {
        match context.dns.ask(&name, RecordType::NS).await {
            Ok(answer) => {
                let hosts = hosts(answer.answers.iter(), &name);
                if !hosts.is_empty() {
                    let servers = with_addresses(context, hosts, &[]).await;
                    return Ok(Zone { name, servers, distrust: None });
                }
            }
            // The zone's own answer is bogus; its parent's referral need not be.
            Err(error @ AskError::Bogus { .. }) => {
                let Delegation { hosts, glue, .. } = delegation(context, &name).await;
                if hosts.is_empty() {
                    return Err(error);
                }
                let servers = with_addresses(context, hosts, &glue).await;
                return Ok(Zone { name, servers, distrust: Some(error) });
            }
            Err(error) => return Err(error),
        }
        if name.is_root() {
            return Err(AskError::Malformed {
                name: format!("{name} NS"),
                detail: "not even the root has name servers".to_owned(),
            });
        }
        name = name.base_name();
    }
}

/// What a zone's parent says of it.
#[derive(Default)]
pub(super) struct Delegation {
    /// The zone's name servers; empty where nobody tells.
    pub(super) hosts: Vec<Name>,
    /// Whether it is the parent's own word, a referral, and not that of the zone itself, which the same
    /// server may serve too.
    pub(super) is_referral: bool,
    glue: Vec<Record>,
}

/// The name servers that a zone's parent names, from a server of the parent itself.
pub(super) async fn delegation(context: &Context<'_>, zone: &Name) -> Delegation {
    if zone.is_root() {
        return Delegation::default();
    }
    let mut parent = zone.base_name();
    let parents = loop {
        let Ok(answer) = context.dns.ask(&parent, RecordType::NS).await else {
            return Delegation::default();
        };
        let hosts = hosts(answer.answers.iter(), &parent);
        if !hosts.is_empty() {
            break with_addresses(context, hosts, &[]).await;
        }
        if parent.is_root() {
            return Delegation::default();
        }
        parent = parent.base_name();
    };
    let addresses = parents.iter().flat_map(|server| &server.addresses).take(MOST_ADDRESSES);
    for address in addresses {
        let question = Question::to_authority(zone.clone(), RecordType::NS);
        let Ok(reply) = ask(context, *address, &question).await else { continue };
        let hosts = hosts(reply.answers.iter().chain(&reply.authorities), zone);
        if !hosts.is_empty() {
            let is_referral = !reply.is_authoritative && reply.answers.is_empty();
            return Delegation { hosts, is_referral, glue: reply.additionals };
        }
    }
    Delegation::default()
}

/// Puts a question to an address, over TCP where the answer does not fit into a datagram.
///
/// # Errors
/// When nothing comes back.
pub(super) async fn ask(
    context: &Context<'_>,
    address: IpAddr,
    question: &Question,
) -> Result<Reply, AskError> {
    let server = SocketAddr::new(address, DNS_PORT);
    let reply = context.servers.ask_server(server, question).await?;
    if reply.is_truncated && !question.over_tcp {
        let again = Question { over_tcp: true, ..question.clone() };
        return context.servers.ask_server(server, &again).await;
    }
    Ok(reply)
}

fn hosts<'r>(records: impl Iterator<Item = &'r Record>, zone: &Name) -> Vec<Name> {
    let mut hosts: Vec<Name> = records
        .filter(|record| record.name.to_lowercase() == zone.to_lowercase())
        .filter_map(|record| match &record.data {
            RData::NS(host) => Some(host.0.to_lowercase()),
            _ => None,
        })
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts.truncate(MOST_SERVERS);
    hosts
}

/// Addresses from the resolver, or as the referral came with them.
async fn with_addresses(
    context: &Context<'_>,
    hosts: Vec<Name>,
    glue: &[Record],
) -> Vec<NameServer> {
    let looked_up = hosts.into_iter().map(async |host| {
        let (v4, v6) =
            join(context.dns.ask(&host, RecordType::A), context.dns.ask(&host, RecordType::AAAA))
                .await;
        let told = [&v4, &v6].into_iter().flatten().flat_map(|answer| &answer.answers);
        let mut addresses: Vec<IpAddr> = told.filter_map(|record| record.data.ip_addr()).collect();
        if addresses.is_empty() {
            let glue = glue.iter().filter(|record| record.name.to_lowercase() == host);
            addresses.extend(glue.filter_map(|record| record.data.ip_addr()));
        }
        addresses.truncate(MOST_ADDRESSES);
        let trouble = if addresses.is_empty() { v4.err().or(v6.err()) } else { None };
        NameServer { host, addresses, trouble }
    });
    join_all(looked_up).await
}
