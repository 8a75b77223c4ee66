//! What is listed: hosts by name, by suffix or by address, and recipients.
//!
//! Names are compared label by label, as DNS has them (RFC 4343), never as texts: `notgood.test` is not below
//! `good.test`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hickory_resolver::proto::rr::Name;

use super::network::Network;
use super::shown;

/// A host that is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Exactly this one.
    Name(Name),
    /// Whatever is below this name: `*.example.org`.
    Below(Name),
    /// An address.
    Address(IpAddr),
}

/// A listed host, with the port that it has besides the listed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRule {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
    /// The administrator's own configuration names this very host, and there is no `policy.toml`: it may stand
    /// in the organisation's own network.
    pub(crate) is_own: bool,
}

/// A name in the one form in which names are compared; `None` where the text is an address, or is no name.
pub(crate) fn name_of(text: &str) -> Option<Name> {
    if text.parse::<IpAddr>().is_ok() || text.is_empty() || text.len() > 1_000 {
        return None;
    }
    // as `config::host` reads names
    let read = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_utf8(text) };
    let mut name = read.ok()?.to_lowercase();
    name.set_fqdn(true);
    Some(name)
}

impl Host {
    /// Whether the name is meant.
    pub(crate) fn is(&self, name: &Name) -> bool {
        match self {
            Self::Name(listed) => listed == name,
            Self::Below(zone) => zone.zone_of(name) && zone != name,
            Self::Address(_) => false,
        }
    }

    /// Whether what is meant is at or below a name.
    pub(crate) fn is_below(&self, name: &Name) -> bool {
        match self {
            Self::Name(listed) | Self::Below(listed) => name.zone_of(listed),
            Self::Address(_) => false,
        }
    }

    /// The address, where it is one.
    pub(crate) const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }

    /// The address as a network of one.
    pub(crate) fn network(&self) -> Option<Network> {
        match self {
            Self::Address(address) => Some(Network::of_one(address.to_canonical())),
            _ => None,
        }
    }
}

impl HostRule {
    /// Without a port of its own.
    pub(crate) const fn of(host: Host) -> Self {
        Self { host, port: None, is_own: false }
    }

    /// Whether it is about this host: by its name, or, where that is an address, by the address.
    pub(crate) fn is(&self, name: Option<&Name>, host: &str, ip: IpAddr) -> bool {
        match (&self.host, name) {
            (Host::Address(address), _) => {
                let same = address.to_canonical() == ip;
                // `localhost` is no name that anybody is asked about (RFC 6761 section 6.3).
                same && (host.parse::<IpAddr>().is_ok() || name.is_none_or(Name::is_localhost))
            }
            (listed, Some(name)) => listed.is(name),
            (_, None) => false,
        }
    }
}

/// `mail.example.org`, `*.example.org`, `192.0.2.7`, `mail.example.org:2525`, `[2001:db8::7]:2525`.
impl FromStr for HostRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must be a host such as \"mail.example.org\", \"*.example.org\", \"192.0.2.7\" or \
                 \"mail.example.org:2525\", not \"{text}\""
            )
        };
        if let Ok(address) = text.parse() {
            return Ok(Self::of(Host::Address(address)));
        }
        let (host, port) = match text.rsplit_once(':').filter(|_| !text.ends_with(']')) {
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
                (host, Some(port))
            }
            None => (text, None),
        };
        let unbracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = unbracketed.unwrap_or(host).parse() {
            return Ok(Self { port, ..Self::of(Host::Address(address)) });
        }
        let (below, bare) = match host.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, host),
        };
        let sound = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let name = name_of(bare).filter(|name| bare.chars().all(sound) && !name.is_root());
        let name = name.ok_or_else(wrong)?;
        let host = if below { Host::Below(name) } else { Host::Name(name) };
        Ok(Self { port, ..Self::of(host) })
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(&shown(name))?,
            Host::Below(name) => write!(f, "*.{}", shown(name))?,
            Host::Address(IpAddr::V6(address)) if self.port.is_some() => write!(f, "[{address}]")?,
            Host::Address(address) => write!(f, "{address}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Somebody that may be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// Exactly this address; only its domain is compared without regard to case (RFC 5321 section 2.4).
    Address {
        /// Before the @.
        local: String,
        /// Behind it.
        domain: String,
    },
    /// Everybody at this domain, and at none below it: `@example.org`.
    Domain(String),
}

impl Recipient {
    /// Whether the address is meant.
    pub(crate) fn is(&self, address: &str) -> bool {
        let Some((its_local, its_domain)) = address.rsplit_once('@') else { return false };
        match self {
            Self::Address { local, domain } => {
                local == its_local && domain.eq_ignore_ascii_case(its_domain)
            }
            Self::Domain(domain) => domain.eq_ignore_ascii_case(its_domain),
        }
    }
}

/// `probe@example.org`, or `@example.org` for everybody there.
impl FromStr for Recipient {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sound =
            |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',');
        let parts = text.rsplit_once('@').filter(|(_, domain)| !domain.is_empty());
        match parts.filter(|(local, _)| !local.contains('@') && text.chars().all(sound)) {
            Some(("", domain)) => Ok(Self::Domain(domain.to_owned())),
            Some((local, domain)) => {
                Ok(Self::Address { local: local.to_owned(), domain: domain.to_owned() })
            }
            None => Err(format!(
                "must be an address such as \"probe@example.org\", or \"@example.org\" for everybody \
                 there, not \"{text}\""
            )),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { local, domain } => write!(f, "{local}@{domain}"),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}
