//! How a check asks DNS: which resolvers, and who says whether an answer is genuine.
//!
//! The same keys stand in every check that is about DNS; [`SETTINGS`] describes them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::section::Section;
use crate::net::dns::{Anchors, DnsSettings, QUESTION_PATIENCE, Validation};
use crate::probe::Setting;

/// The most resolvers of one check.
const MOST_RESOLVERS: usize = 8;
const DNS_PORT: u16 = 53;
const LARGEST_FILE: u64 = 64 * 1024;

/// `resolver`.
pub const RESOLVER: Setting = Setting {
    name: "resolver",
    form: "address, with a port where it is not 53, or a list of them",
    default: Some("the system's"),
    help: "the DNS servers that are asked, each where the one before does not answer; the silence of all of them \
           fails the run, where that of the system's makes it void",
};
/// `dnssec`.
pub const DNSSEC: Setting = Setting {
    name: "dnssec",
    form: "\"validate\" | \"resolver\" | \"off\"",
    default: Some("validate"),
    help: "who says whether an answer is genuine: the agent, the resolver's AD bit (on a trusted path \
           only), or nobody",
};
/// `trust_anchor`.
pub const TRUST_ANCHOR: Setting = Setting {
    name: "trust_anchor",
    form: "path",
    default: Some("the IANA's root keys, built in"),
    help: "a file of DNSKEY or DS records with which the chain of trust begins instead",
};
/// `question_timeout`.
pub const QUESTION_TIMEOUT: Setting = Setting {
    name: "question_timeout",
    form: "duration",
    default: Some("5s"),
    help: "how long one question to DNS may take, with all its tries",
};

/// Reads the keys of this page; all mistakes are reported to the section.
pub fn of_check(section: &mut Section<'_>) -> DnsSettings {
    let resolvers = resolvers(section);
    let words = [
        ("validate", Validation::Own),
        ("resolver", Validation::Resolver),
        ("off", Validation::Off),
    ];
    let validation = section.choice("dnssec", &words, Validation::Own);
    let anchors = Arc::new(anchors(section).unwrap_or_else(Anchors::iana));
    let patience = section.duration_within(
        "question_timeout",
        QUESTION_PATIENCE,
        std::time::Duration::from_millis(100)..=std::time::Duration::from_secs(60),
    );
    DnsSettings { resolvers, validation, anchors, patience, ..DnsSettings::default() }
}

fn resolvers(section: &mut Section<'_>) -> Vec<SocketAddr> {
    let texts = section.texts("resolver");
    if texts.len() > MOST_RESOLVERS {
        section.mistake("resolver", format!("resolver may have {MOST_RESOLVERS} servers at most"));
    }
    let mut resolvers = Vec::new();
    for text in &texts {
        match address(text) {
            Some(address) => resolvers.push(address),
            None => section.mistake(
                "resolver",
                format!(
                    "resolver must be an IP address such as \"192.0.2.53\" or \"[2001:db8::53]:5353\", \
                     not \"{text}\""
                ),
            ),
        }
    }
    resolvers
}

fn address(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(ip) => Some(SocketAddr::new(ip, DNS_PORT)),
        Err(_) => text.parse().ok().filter(|address: &SocketAddr| address.port() > 0),
    }
}

fn anchors(section: &mut Section<'_>) -> Option<Anchors> {
    let path = section.path("trust_anchor")?;
    let read = match std::fs::metadata(&path) {
        Ok(facts) if facts.len() > LARGEST_FILE => Err("it is too large for a few keys".to_owned()),
        Ok(_) => std::fs::read_to_string(&path).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match read.and_then(|text| Anchors::from_text(&text).map_err(|error| error.to_string())) {
        Ok(anchors) => Some(anchors),
        Err(why) => {
            section.mistake("trust_anchor", format!("cannot use {}: {why}", path.display()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_addresses() {
        for (text, expected) in [
            ("198.18.0.54", Some("198.18.0.54:53")),
            ("198.18.0.54:5353", Some("198.18.0.54:5353")),
            ("2001:db8::53", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]:5353", Some("[2001:db8::53]:5353")),
            ("198.18.0.54:0", None),
            ("dns.example.org", None),
        ] {
            let read = address(text).map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
