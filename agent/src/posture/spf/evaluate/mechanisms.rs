//! Whether one mechanism matches the sender (RFC 7208 section 5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::super::MOST_NAMES;
use super::super::macros::MacroString;
use super::super::record::{Mechanism, Prefixes};
use super::super::tree::Node;
use super::{SpfResult, Stop, Walk};
use crate::posture::{name_of, shown};

impl Walk<'_> {
    pub(super) async fn matches(
        &mut self,
        mechanism: &Mechanism,
        domain: &str,
        node: &mut Node,
    ) -> Result<bool, Stop> {
        if mechanism.looks_up() {
            self.looked_up()?;
        }
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, prefix) => {
                let prefixes = Prefixes { four: *prefix, six: 128 };
                Ok(is_in(self.sender.ip, IpAddr::V4(*network), prefixes))
            }
            Mechanism::Ip6(network, prefix) => {
                let prefixes = Prefixes { four: 32, six: *prefix };
                Ok(is_in(self.sender.ip, IpAddr::V6(*network), prefixes))
            }
            Mechanism::Include(of) => self.include(of, domain, node).await,
            Mechanism::A(of, prefixes) => {
                let name = self.name(of.as_ref(), domain).await?;
                Ok(self.has_sender(&name, *prefixes).await?.1)
            }
            Mechanism::Mx(of, prefixes) => self.mx(of.as_ref(), domain, *prefixes).await,
            Mechanism::Ptr(of) => self.ptr(of.as_ref(), domain).await,
            Mechanism::Exists(of) => self.exists(of, domain).await,
        }
    }

    /// Section 5.2: only a pass of the other record matches; what it cannot say, this one cannot either.
    async fn include(
        &mut self,
        of: &MacroString,
        domain: &str,
        node: &mut Node,
    ) -> Result<bool, Stop> {
        let target = self.name(Some(of), domain).await?;
        let hit = self.check(&target, node).await?;
        match hit.result {
            SpfResult::Pass => Ok(true),
            SpfResult::None => {
                Err(Stop::Permanent(format!("include leads to nothing: {}", hit.why)))
            }
            _ => Ok(false),
        }
    }

    /// Whether one of the name's addresses is near enough to the sender's (section 5.3), and whether the
    /// name has any. A name that cannot be asked for has none.
    async fn has_sender(&mut self, name: &str, prefixes: Prefixes) -> Result<(bool, bool), Stop> {
        let Some(name) = name_of(name) else { return Ok((false, false)) };
        let kind = if self.sender.ip.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        let answer = self.ask.ask(&name, kind).await.map_err(Stop::Temporary)?;
        self.count(&answer, kind)?;
        let mut found = answer.data(kind).filter_map(address_of);
        let matched = found.any(|ip| is_in(self.sender.ip, ip, prefixes));
        Ok((!answer.is_void(kind), matched))
    }

    /// Section 5.4, with section 4.6.4's limit of names.
    async fn mx(
        &mut self,
        of: Option<&MacroString>,
        domain: &str,
        prefixes: Prefixes,
    ) -> Result<bool, Stop> {
        let target = self.name(of, domain).await?;
        let Some(name) = name_of(&target) else { return Ok(false) };
        let answer = self.ask.ask(&name, RecordType::MX).await.map_err(Stop::Temporary)?;
        self.count(&answer, RecordType::MX)?;
        let hosts: Vec<Name> = answer
            .data(RecordType::MX)
            .filter_map(|data| match data {
                RData::MX(mx) => Some(mx.exchange.clone()),
                _ => None,
            })
            .collect();
        if hosts.len() > MOST_NAMES {
            let why =
                format!("{target} has {} MX, and more than {MOST_NAMES} is too many", hosts.len());
            return Err(Stop::Permanent(why));
        }
        for host in hosts.iter().filter(|host| !host.is_root()) {
            if self.has_sender(&shown(host), prefixes).await?.1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Section 5.5: a validated name of the address that is the domain or below it.
    async fn ptr(&mut self, of: Option<&MacroString>, domain: &str) -> Result<bool, Stop> {
        let target = self.name(of, domain).await?;
        let Some(target) = name_of(&target) else { return Ok(false) };
        let validated = self.pointers().await?;
        Ok(validated.iter().filter_map(|name| name_of(name)).any(|name| target.zone_of(&name)))
    }

    /// Section 5.7: always an A record, whatever the sender's address is.
    async fn exists(&mut self, of: &MacroString, domain: &str) -> Result<bool, Stop> {
        let target = self.name(Some(of), domain).await?;
        let Some(name) = name_of(&target) else { return Ok(false) };
        let answer = self.ask.ask(&name, RecordType::A).await.map_err(Stop::Temporary)?;
        self.count(&answer, RecordType::A)?;
        Ok(!answer.is_void(RecordType::A))
    }

    /// The names that the sender's address points to and that point back to it (section 5.5), 10 at
    /// most. A look-up that fails makes no name; one that is void counts.
    async fn pointers(&mut self) -> Result<Vec<String>, Stop> {
        if let Some(known) = &self.pointers {
            return Ok(known.clone());
        }
        let mut validated = Vec::new();
        let answer = self.ask.ask(&Name::from(self.sender.ip), RecordType::PTR).await;
        if let Ok(answer) = answer {
            self.count(&answer, RecordType::PTR)?;
            let names = answer.data(RecordType::PTR).filter_map(|data| match data {
                RData::PTR(name) => Some(shown(&name.0)),
                _ => None,
            });
            let names: Vec<String> = names.take(MOST_NAMES).collect();
            for name in names {
                match self.has_sender(&name, Prefixes { four: 32, six: 128 }).await {
                    Ok((_, true)) => validated.push(name),
                    Ok(_) | Err(Stop::Temporary(_)) => {}
                    Err(stop) => return Err(stop),
                }
            }
        }
        self.pointers = Some(validated.clone());
        Ok(validated)
    }

    /// The value of `p` (section 7.3): the domain itself if it is validated, else a name below it, else
    /// any validated name, else `unknown`.
    pub(super) async fn validated(
        &mut self,
        of: &MacroString,
        domain: &str,
    ) -> Result<String, Stop> {
        let unknown = || "unknown".to_owned();
        if !of.needs_validated() {
            return Ok(unknown());
        }
        let names = self.pointers().await?;
        let Some(target) = name_of(domain) else { return Ok(unknown()) };
        let same = names.iter().find(|name| name_of(name).as_ref() == Some(&target));
        let below = || {
            let is_below = |name: &&String| name_of(name).is_some_and(|name| target.zone_of(&name));
            names.iter().find(is_below)
        };
        Ok(same.or_else(below).or(names.first()).cloned().unwrap_or_else(unknown))
    }
}

fn address_of(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(ip) => Some(IpAddr::V4(ip.0)),
        RData::AAAA(ip) => Some(IpAddr::V6(ip.0)),
        _ => None,
    }
}

/// Whether both addresses are of one family and begin with the same bits.
fn is_in(ip: IpAddr, network: IpAddr, prefixes: Prefixes) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let (ip, network) = (Ipv4Addr::to_bits(ip), Ipv4Addr::to_bits(network));
            let shift = 32_u32.saturating_sub(prefixes.four.into());
            (ip ^ network).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let (ip, network) = (Ipv6Addr::to_bits(ip), Ipv6Addr::to_bits(network));
            let shift = 128_u32.saturating_sub(prefixes.six.into());
            (ip ^ network).checked_shr(shift).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        for (ip, network, prefix, expected) in [
            ("192.0.2.1", "192.0.2.1", 32, true),
            ("192.0.2.1", "192.0.2.2", 32, false),
            ("192.0.2.1", "192.0.2.254", 24, true),
            ("192.0.3.1", "192.0.2.254", 24, false),
            ("192.0.3.1", "10.0.0.0", 0, true),
            ("2001:db8::1", "2001:db8::2", 64, true),
            ("2001:db8::1", "2001:db8::2", 127, false),
            ("2001:db8::1", "::", 0, true),
            ("192.0.2.1", "::", 0, false),
        ] {
            let prefixes = Prefixes { four: prefix, six: prefix };
            let found = is_in(ip.parse().unwrap(), network.parse().unwrap(), prefixes);
            assert_eq!(found, expected, "{ip} {network}/{prefix}");
        }
    }
}
