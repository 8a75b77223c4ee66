//! A domain's mail exchangers with their addresses (RFC 5321 section 5.1).

use std::net::IpAddr;

use futures_util::future::{join, join_all};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::dns::{Answer, Ask, AskError};

/// The most exchangers of one domain that are looked at.
pub(in crate::probe) const MOST_EXCHANGERS: usize = 32;

/// One mail exchanger.
#[derive(Debug)]
pub(in crate::probe) struct Exchanger {
    /// Its host name, as it stands in the record.
    pub(in crate::probe) host: Name,
    /// Its A records.
    pub(in crate::probe) v4: Result<Answer, AskError>,
    /// Its AAAA records.
    pub(in crate::probe) v6: Result<Answer, AskError>,
}

impl Exchanger {
    /// Its addresses, as far as they were told.
    pub(in crate::probe) fn addresses(&self) -> Vec<IpAddr> {
        let told = [&self.v4, &self.v6].into_iter().flatten();
        told.flat_map(|answer| &answer.answers).filter_map(|r| r.data.ip_addr()).collect()
    }

    /// Whether it is certain that it has none.
    pub(in crate::probe) fn has_no_address(&self) -> bool {
        self.v4.is_ok() && self.v6.is_ok() && self.addresses().is_empty()
    }

    /// Its host name for people: lower case, without the final dot.
    pub(in crate::probe) fn shown(&self) -> String {
        shown(&self.host)
    }
}

/// A name for people: lower case, without the final dot.
pub(in crate::probe) fn shown(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(bare) => bare.to_owned(),
    }
}

/// A domain's exchangers, best first, with their addresses: those of its MX records, but for null MX
/// (RFC 7505); the domain itself where it has none and has an address.
///
/// # Errors
/// When nobody knows its MX records.
pub(in crate::probe) async fn exchangers(
    dns: &dyn Ask,
    domain: &Name,
) -> Result<Vec<Exchanger>, AskError> {
    let answer = dns.ask(domain, RecordType::MX).await?;
    let mut hosts: Vec<(u16, Name)> = answer
        .data(RecordType::MX)
        .filter_map(|data| match data {
            RData::MX(mx) => Some((mx.preference, mx.exchange.to_lowercase())),
            _ => None,
        })
        .collect();
    if answer.is_void(RecordType::MX) {
        hosts.push((0, domain.to_lowercase()));
    }
    hosts.retain(|(_, host)| !host.is_root());
    hosts.sort();
    hosts.dedup();
    hosts.truncate(MOST_EXCHANGERS);
    let mut found: Vec<Exchanger> =
        join_all(hosts.into_iter().map(|(_, host)| with_addresses(dns, host))).await;
    if answer.is_void(RecordType::MX) {
        found.retain(|exchanger| !exchanger.has_no_address());
    }
    Ok(found)
}

async fn with_addresses(dns: &dyn Ask, host: Name) -> Exchanger {
    let (v4, v6) = join(dns.ask(&host, RecordType::A), dns.ask(&host, RecordType::AAAA)).await;
    Exchanger { host, v4, v6 }
}
