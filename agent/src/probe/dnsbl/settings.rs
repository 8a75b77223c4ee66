//! What a check of the kind `dnsbl` can be told.

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::proto::rr::Name;

use super::super::{Section, Setting};
use super::lists::List;
use crate::config::resolver;
use crate::net::dns::DnsSettings;

/// The most lists, addresses and codes of one check.
const MOST: usize = 32;

/// The settings of one check.
pub(super) struct DnsblCheck {
    /// Whose mail exchangers are asked about, and which is asked about itself.
    pub(super) domain: Option<Name>,
    /// Addresses that are asked about besides.
    pub(super) addresses: Vec<IpAddr>,
    /// Who is asked.
    pub(super) lists: Vec<List>,
    /// How DNS is asked.
    pub(super) dns: DnsSettings,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "lists",
        form: "list of domains",
        default: Some("none; one of lists and domain_lists must be there"),
        help: "lists of addresses, such as your own or one whose terms of use you keep",
    },
    Setting {
        name: "domain_lists",
        form: "list of domains",
        default: Some("none"),
        help: "lists of domains, which are asked about domain itself",
    },
    Setting {
        name: "domain",
        form: "domain",
        default: Some("none; one of domain and addresses must be there"),
        help: "the mail domain whose mail exchangers' addresses are asked about",
    },
    Setting {
        name: "addresses",
        form: "list of IP addresses",
        default: Some("none"),
        help: "addresses that are asked about, such as those from which mail is sent",
    },
    Setting {
        name: "ignore_codes",
        form: "list of addresses such as 127.0.0.10",
        default: Some("none"),
        help: "answers of a list that say something else than that the address is bad",
    },
    resolver::RESOLVER,
    resolver::DNSSEC,
    resolver::TRUST_ANCHOR,
    resolver::QUESTION_TIMEOUT,
];

/// Reads the settings of a check; all mistakes are reported to the section.
pub(super) fn read(section: &mut Section<'_>) -> Option<DnsblCheck> {
    let ignored = parsed::<Ipv4Addr>(section, "ignore_codes", "addresses such as \"127.0.0.10\"");
    let mut lists = Vec::new();
    for (key, is_of_domains) in [("lists", false), ("domain_lists", true)] {
        let zones = section.domains(key);
        if zones.len() > MOST {
            section.mistake(key, format!("{key} may have {MOST} entries at most"));
        }
        lists.extend(zones.into_iter().map(|z| List::new(z, is_of_domains, ignored.clone())));
    }
    let domain = section.domain("domain");
    let addresses = parsed(section, "addresses", "IP addresses");
    let dns = resolver::of_check(section);
    if section.is_clean() && lists.is_empty() {
        section
            .mistake("lists", "lists is missing: name the lists that are to be asked".to_owned());
    }
    if section.is_clean() && domain.is_none() && addresses.is_empty() {
        section
            .mistake("domain", "domain is missing, or addresses: what is asked about".to_owned());
    }
    if section.is_clean() && domain.is_none() && lists.iter().all(List::is_of_domains) {
        section
            .mistake("domain", "domain is missing: lists of domains are asked about it".to_owned());
    }
    section.is_clean().then_some(DnsblCheck { domain, addresses, lists, dns })
}

fn parsed<T: std::str::FromStr>(section: &mut Section<'_>, key: &str, form: &str) -> Vec<T> {
    let mut values = Vec::new();
    for text in bounded(section, key) {
        match text.parse() {
            Ok(value) => values.push(value),
            Err(_) => section.mistake(key, format!("{key} must be {form}, not \"{text}\"")),
        }
    }
    values
}

fn bounded(section: &mut Section<'_>, key: &str) -> Vec<String> {
    let texts = section.texts(key);
    if texts.len() > MOST {
        section.mistake(key, format!("{key} may have {MOST} entries at most"));
    }
    texts
}
