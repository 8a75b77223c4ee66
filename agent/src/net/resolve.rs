//! Look-ups through the system's DNS servers: one attempt, no cache, because a probe measures them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError as HickoryError};
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, Resolver, TokioResolver};

use super::{NetError, no_route};

/// One try of one server may take this long; the caller's own limit is usually shorter.
const ATTEMPT: Duration = Duration::from_secs(5);
const DNS_PORT: u16 = 53;

/// One of a domain's mail exchangers (RFC 5321 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailExchanger {
    /// Lower is better.
    pub preference: u16,
    /// Its host name, without the final dot.
    pub host: String,
}

/// Whether DNS, or the hosts file in its place, is asked for the addresses of a host.
pub(super) fn is_asked(host: &str) -> bool {
    let bare = host.strip_suffix('.').unwrap_or(host);
    bare.parse::<IpAddr>().is_err() && !bare.eq_ignore_ascii_case("localhost")
}

pub(super) async fn addresses(host: &str) -> Result<Vec<IpAddr>, NetError> {
    let bare = host.strip_suffix('.').unwrap_or(host);
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    if bare.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    if let Some(listed) = from_hosts_file(bare) {
        return Ok(listed);
    }
    let (resolver, servers) = system_resolver()?;
    match resolver.lookup_ip(absolute(bare)).await {
        Ok(found) => {
            let addresses: Vec<_> = found.iter().collect();
            if addresses.is_empty() {
                return Err(NetError::NoAddress { host: bare.to_owned() });
            }
            Ok(addresses)
        }
        Err(error) => Err(explain(bare, &error, &servers).await),
    }
}

pub(super) async fn mail_exchangers(domain: &str) -> Result<Vec<MailExchanger>, NetError> {
    let (resolver, servers) = system_resolver()?;
    let answers = match resolver.lookup(absolute(domain), RecordType::MX).await {
        Ok(found) => found,
        // No MX: the domain itself is the implicit one (RFC 5321 section 5.1).
        Err(HickoryError::Dns(DnsError::NoRecordsFound(none)))
            if none.response_code != hickory_resolver::proto::op::ResponseCode::NXDomain =>
        {
            return Ok(vec![MailExchanger { preference: 0, host: domain.to_owned() }]);
        }
        Err(error) => return Err(explain(domain, &error, &servers).await),
    };
    let mut exchangers: Vec<_> = answers
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::MX(mx) => Some(MailExchanger {
                preference: mx.preference,
                host: mx.exchange.to_utf8().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        })
        .collect();
    // A null MX is one record with the root as its host (RFC 7505 section 3).
    if exchangers.iter().all(|mx| mx.host.is_empty()) {
        return Err(NetError::NullMx { domain: domain.to_owned() });
    }
    exchangers.retain(|mx| !mx.host.is_empty());
    exchangers.sort();
    Ok(exchangers)
}

/// A name with its final dot is asked for as it is, without the search list.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn from_hosts_file(host: &str) -> Option<Vec<IpAddr>> {
    let hosts = Hosts::from_system().ok()?;
    let mut addresses = Vec::new();
    for record_type in [RecordType::A, RecordType::AAAA] {
        let name = hickory_resolver::proto::rr::Name::from_utf8(absolute(host)).ok()?;
        let query = hickory_resolver::proto::op::Query::query(name, record_type);
        if let Some(found) = hosts.lookup_static_host(&query) {
            addresses.extend(found.answers().iter().filter_map(|record| record.data.ip_addr()));
        }
    }
    (!addresses.is_empty()).then_some(addresses)
}

/// Made anew for every look-up: it follows a change of `resolv.conf`, and carries no state from one
/// measurement to the next.
fn system_resolver() -> Result<(TokioResolver, Vec<IpAddr>), NetError> {
    let unreadable =
        |e: HickoryError| NetError::NoResolver { detail: format!("its resolv.conf: {e}") };
    let (config, options) = read_system_conf().map_err(unreadable)?;
    let servers: Vec<_> = config.name_servers().iter().map(|server| server.ip).collect();
    if servers.is_empty() {
        return Err(NetError::NoResolver { detail: "its resolv.conf names none".to_owned() });
    }
    let resolver = with_options(config, options).map_err(unreadable)?;
    Ok((resolver, servers))
}

fn with_options(
    config: ResolverConfig,
    mut options: ResolverOpts,
) -> Result<TokioResolver, HickoryError> {
    options.cache_size = 0;
    options.attempts = 1;
    options.timeout = ATTEMPT;
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    let mut resolver = builder.build()?;
    resolver.set_hosts(Arc::new(Hosts::default()));
    Ok(resolver)
}

/// A resolver that knows no server: nothing it is asked has an answer, and nothing leaves this process.
pub(super) fn without_servers() -> Result<TokioResolver, NetError> {
    let config = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
    let made = with_options(config, ResolverOpts::default());
    made.map_err(|error| NetError::NoResolver { detail: error.to_string() })
}

/// For a library that asks by itself (mail-auth): the same servers, one try each, nothing remembered.
pub(super) fn resolver() -> Result<TokioResolver, NetError> {
    system_resolver().map(|(resolver, _)| resolver)
}

async fn explain(host: &str, error: &HickoryError, servers: &[IpAddr]) -> NetError {
    let host = host.to_owned();
    if error.is_nx_domain() {
        return NetError::NoSuchHost { host };
    }
    if error.is_no_records_found() {
        return NetError::NoAddress { host };
    }
    if !matches!(error, HickoryError::Dns(_)) && no_route(servers, DNS_PORT).await {
        return NetError::NoResolver { detail: "there is no route to any of them".to_owned() };
    }
    match error {
        HickoryError::Timeout => NetError::ResolverTimeout { host },
        HickoryError::NoConnections => {
            NetError::Resolver { host, detail: "no DNS server could be connected".to_owned() }
        }
        other => NetError::Resolver { host, detail: other.to_string() },
    }
}
