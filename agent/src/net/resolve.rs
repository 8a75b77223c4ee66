//! Look-ups through the system's DNS servers: one attempt, no cache, because a probe measures them.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError as HickoryError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, Resolver, TokioResolver};
use tokio::time::timeout;

use super::silence::Silence;
use super::{Net, NetError, no_route};

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
pub(crate) fn is_asked(host: &str) -> bool {
    let bare = host.strip_suffix('.').unwrap_or(host);
    bare.parse::<IpAddr>().is_err() && !bare.eq_ignore_ascii_case("localhost")
}

pub(super) async fn addresses(
    net: &Net,
    host: &str,
    within: Duration,
) -> Result<Vec<IpAddr>, NetError> {
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
    let asking = resolver.lookup_ip(absolute(bare)?);
    let addresses: Vec<_> = match heard(asking, net, (bare, within), servers).await? {
        Ok(found) => found.iter().collect(),
        Err(error) => return Err(explain(bare, &error)),
    };
    if addresses.is_empty() {
        return Err(NetError::NoAddress { host: bare.to_owned() });
    }
    Ok(addresses)
}

pub(super) async fn mail_exchangers(
    net: &Net,
    domain: &str,
    within: Duration,
) -> Result<Vec<MailExchanger>, NetError> {
    let (resolver, servers) = system_resolver()?;
    let asking = resolver.lookup(absolute(domain)?, RecordType::MX);
    let answers = match heard(asking, net, (domain, within), servers).await? {
        Ok(found) => found,
        // No MX: the domain itself is the implicit one (RFC 5321 section 5.1).
        Err(DnsError::NoRecordsFound(none)) if none.response_code != ResponseCode::NXDomain => {
            return Ok(vec![MailExchanger { preference: 0, host: domain.to_owned() }]);
        }
        Err(error) => return Err(explain(domain, &error)),
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
fn absolute(name: &str) -> Result<Name, NetError> {
    let dotted = format!("{}.", name.trim_end_matches('.'));
    // The library's reader of people's names knows no underscore but a leading one.
    let read = if dotted.is_ascii() { Name::from_ascii(&dotted) } else { Name::from_utf8(&dotted) };
    read.map_err(|error| NetError::Resolver { host: name.to_owned(), detail: error.to_string() })
}

fn from_hosts_file(host: &str) -> Option<Vec<IpAddr>> {
    let hosts = Hosts::from_system().ok()?;
    let mut addresses = Vec::new();
    for record_type in [RecordType::A, RecordType::AAAA] {
        let query = hickory_resolver::proto::op::Query::query(absolute(host).ok()?, record_type);
        if let Some(found) = hosts.lookup_static_host(&query) {
            addresses.extend(found.answers().iter().filter_map(|record| record.data.ip_addr()));
        }
    }
    (!addresses.is_empty()).then_some(addresses)
}

/// Made anew for every look-up: it follows a change of `resolv.conf`, and carries no state from one
/// measurement to the next.
fn system_resolver() -> Result<(TokioResolver, Vec<SocketAddr>), NetError> {
    let unreadable =
        |e: HickoryError| NetError::NoResolver { detail: format!("its resolv.conf: {e}") };
    let (config, options) = read_system_conf().map_err(unreadable)?;
    let servers = servers_of(&config);
    if servers.is_empty() {
        return Err(NetError::NoResolver { detail: "its resolv.conf names none".to_owned() });
    }
    let resolver = with_options(config, options).map_err(unreadable)?;
    Ok((resolver, servers))
}

/// The servers that a configuration of the system names.
pub(super) fn servers_of(config: &ResolverConfig) -> Vec<SocketAddr> {
    let address = |server: &NameServerConfig| {
        let port = server.connections.first().map_or(DNS_PORT, |each| each.port);
        SocketAddr::new(server.ip, port)
    };
    config.name_servers().iter().map(address).collect()
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

/// What DNS says to a look-up, be it that there is nothing. Where it says nothing in time, whether the
/// servers say anything at all is found out beside it.
async fn heard<T>(
    asking: impl Future<Output = Result<T, HickoryError>>,
    net: &Net,
    (host, within): (&str, Duration),
    servers: Vec<SocketAddr>,
) -> Result<Result<T, DnsError>, NetError> {
    let silence = Silence::of(net.clone(), servers, true);
    let said = tokio::select! {
        said = timeout(within, asking) => said,
        never = silence.watch(within, 0) => match never {},
    };
    let host = host.to_owned();
    let error = match said {
        Ok(Ok(found)) => return Ok(Ok(found)),
        Ok(Err(HickoryError::Dns(error))) => return Ok(Err(error)),
        Ok(Err(error)) => Some(error),
        Err(_elapsed) => None,
    };
    let addresses: Vec<_> = silence.servers().iter().map(SocketAddr::ip).collect();
    if no_route(&addresses, DNS_PORT).await {
        return Err(NetError::NoResolver { detail: "there is no route to any of them".to_owned() });
    }
    if silence.holds(within, 0).await {
        let servers: Vec<_> = silence.servers().iter().map(SocketAddr::to_string).collect();
        return Err(NetError::SilentResolver { host, servers: servers.join(", ") });
    }
    Err(match error {
        None | Some(HickoryError::Timeout) => NetError::ResolverTimeout { host },
        Some(HickoryError::NoConnections) => {
            NetError::Resolver { host, detail: "no DNS server could be connected".to_owned() }
        }
        Some(other) => NetError::Resolver { host, detail: other.to_string() },
    })
}

fn explain(host: &str, error: &DnsError) -> NetError {
    let host = host.to_owned();
    match error {
        DnsError::NoRecordsFound(none) if none.response_code == ResponseCode::NXDomain => {
            NetError::NoSuchHost { host }
        }
        DnsError::NoRecordsFound(_) => NetError::NoAddress { host },
        other => NetError::Resolver { host, detail: other.to_string() },
    }
}
