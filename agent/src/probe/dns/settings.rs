//! What a check of the kind `dns` can be told.

use std::collections::BTreeSet;

use hickory_resolver::proto::rr::Name;

use super::super::{Section, Setting};
use super::exchangers::shown;
use super::group::{GROUPS, Group};
use crate::config::spelling::{did_you_mean, listed};
use crate::config::{resolver, server};
use crate::mail::endpoint::Tls;
use crate::mail::smtp::MX_PORT;
use crate::net::TlsTrust;
use crate::net::dns::DnsSettings;
use crate::policy::network::Network;

/// The most selectors, expected hosts and networks of one check.
const MOST: usize = 32;

/// The settings of one check.
pub(in crate::probe) struct DnsCheck {
    /// The mail domain.
    pub(in crate::probe) domain: Name,
    /// How DNS is asked.
    pub(in crate::probe) dns: DnsSettings,
    /// The groups of rules that look.
    pub(in crate::probe) groups: Vec<&'static Group>,
    /// DKIM selectors (RFC 6376 section 3.1): they cannot be found in DNS.
    pub(in crate::probe) selectors: Vec<String>,
    /// Hosts of the MX records, no other; empty where nothing is expected.
    pub(in crate::probe) expect_mx: BTreeSet<String>,
    /// Hosts of the NS records, no other; empty where nothing is expected.
    pub(in crate::probe) expect_ns: BTreeSet<String>,
    /// What DNSSEC must say of the domain.
    pub(in crate::probe) expect_dnssec: Option<ExpectDnssec>,
    /// Networks whose addresses count as reachable although the Internet does not reach them.
    pub(in crate::probe) own_networks: Vec<Network>,
    /// Whether port 25 of every exchanger's address is connected.
    pub(in crate::probe) connects: bool,
    /// How long before the end of a signature it is told, in days.
    pub(in crate::probe) signature_days: u32,
    /// Who vouches for the web server that has the policy of MTA-STS.
    pub(in crate::probe) trust: TlsTrust,
    /// Where the exchangers are connected to see their certificates, which TLSA records are held against.
    pub(in crate::probe) smtp_port: u16,
}

/// What DNSSEC must say of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::probe) enum ExpectDnssec {
    /// Signed, and validly.
    Secure,
    /// Not signed.
    Insecure,
}

const DEFAULT_SIGNATURE_DAYS: u32 = 3;

impl DnsCheck {
    /// Of a domain, with the defaults.
    pub(in crate::probe) fn of(domain: Name) -> Self {
        Self {
            domain,
            dns: DnsSettings::default(),
            groups: GROUPS.iter().collect(),
            selectors: Vec::new(),
            expect_mx: BTreeSet::new(),
            expect_ns: BTreeSet::new(),
            expect_dnssec: None,
            own_networks: Vec::new(),
            connects: false,
            signature_days: DEFAULT_SIGNATURE_DAYS,
            trust: TlsTrust::native(),
            smtp_port: MX_PORT,
        }
    }

    /// The domain for people.
    pub(in crate::probe) fn shown(&self) -> String {
        shown(&self.domain)
    }
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "domain",
        form: "domain",
        default: None,
        help: "the mail domain: what stands behind the @",
    },
    resolver::RESOLVER,
    resolver::DNSSEC,
    resolver::TRUST_ANCHOR,
    resolver::QUESTION_TIMEOUT,
    Setting {
        name: "rules",
        form: "list of groups of rules",
        default: Some("all"),
        help: "the groups of rules that look, such as mx, ptr, servers, dnssec; each is a phase of the run",
    },
    Setting {
        name: "skip",
        form: "list of groups of rules",
        default: Some("none"),
        help: "groups of rules that are left out",
    },
    Setting {
        name: "selectors",
        form: "list of texts",
        default: Some("none"),
        help: "DKIM selectors of the domain, as they stand in the s= of its signatures",
    },
    Setting {
        name: "expect_mx",
        form: "list of host names",
        default: Some("any"),
        help: "the hosts of the MX records; any other, or one that is missing, is a failure",
    },
    Setting {
        name: "expect_ns",
        form: "list of host names",
        default: Some("any"),
        help: "the domain's name servers; any other, or one that is missing, is a failure",
    },
    Setting {
        name: "expect_dnssec",
        form: "\"secure\" | \"insecure\" | \"any\"",
        default: Some("any"),
        help: "what DNSSEC must say of the domain; anything else is a failure",
    },
    Setting {
        name: "own_networks",
        form: "list of networks such as 10.0.0.0/8",
        default: Some("none"),
        help: "private networks in which mail exchangers are meant to be",
    },
    Setting {
        name: "connect",
        form: "true | false",
        default: Some("false"),
        help: "connect to port 25 of every address of the mail exchangers",
    },
    Setting {
        name: "signature_days",
        form: "number of days",
        default: Some("3"),
        help: "tell of DNSSEC signatures that end within so many days",
    },
    Setting {
        name: "ca_file",
        form: "path",
        default: Some("the system's"),
        help: "PEM certificates that vouch for the web server of the MTA-STS policy instead",
    },
    Setting {
        name: "smtp_port",
        form: "port",
        default: Some("25"),
        help: "where the exchangers speak SMTP, and whose TLSA records are looked at",
    },
];

/// Reads the settings of a check; all mistakes are reported to the section.
pub(super) fn read(section: &mut Section<'_>) -> Option<DnsCheck> {
    let domain = section.required_domain("domain");
    let mut check = DnsCheck::of(domain.unwrap_or_else(Name::root));
    check.dns = resolver::of_check(section);
    check.groups = groups(section);
    check.selectors = bounded(section, "selectors");
    for selector in check.selectors.clone() {
        if Name::from_ascii(&selector).is_err() {
            section.mistake("selectors", format!("\"{selector}\" is no DKIM selector"));
        }
    }
    check.expect_mx = hosts(section, "expect_mx");
    check.expect_ns = hosts(section, "expect_ns");
    let words = [
        ("any", None),
        ("secure", Some(ExpectDnssec::Secure)),
        ("insecure", Some(ExpectDnssec::Insecure)),
    ];
    check.expect_dnssec = section.choice("expect_dnssec", &words, None);
    check.own_networks = networks(section, "own_networks");
    check.connects = section.flag("connect", false);
    check.signature_days = section.number("signature_days", DEFAULT_SIGNATURE_DAYS, 0..=365);
    check.trust = server::trust(section, Tls::Implicit);
    check.smtp_port = section.number("smtp_port", MX_PORT, 1..=u16::MAX);
    section.is_clean().then_some(check)
}

fn bounded(section: &mut Section<'_>, key: &str) -> Vec<String> {
    let texts = section.texts(key);
    if texts.len() > MOST {
        section.mistake(key, format!("{key} may have {MOST} entries at most"));
    }
    texts
}

fn hosts(section: &mut Section<'_>, key: &str) -> BTreeSet<String> {
    let domains = section.domains(key);
    if domains.len() > MOST {
        section.mistake(key, format!("{key} may have {MOST} entries at most"));
    }
    domains.iter().map(shown).collect()
}

/// Networks, such as `own_networks`.
pub(in crate::probe) fn networks(section: &mut Section<'_>, key: &str) -> Vec<Network> {
    let mut networks = Vec::new();
    for text in bounded(section, key) {
        match text.parse() {
            Ok(network) => networks.push(network),
            Err(_) => section.mistake(
                key,
                format!("{key} must be networks such as \"10.0.0.0/8\", not \"{text}\""),
            ),
        }
    }
    networks
}

/// `rules`, without `skip`.
fn groups(section: &mut Section<'_>) -> Vec<&'static Group> {
    let names = || GROUPS.iter().map(|group| group.name);
    let mut read = |key: &str| {
        let texts = section.texts(key);
        for text in &texts {
            if !names().any(|name| name == text) {
                let meant = did_you_mean(text, names());
                let all = listed(names());
                section.mistake(key, format!("{key} is any of {all}, not \"{text}\"{meant}"));
            }
        }
        texts
    };
    let (rules, skip) = (read("rules"), read("skip"));
    let has = |list: &[String], group: &Group| list.iter().any(|name| name == group.name);
    GROUPS
        .iter()
        .filter(|group| (rules.is_empty() || has(&rules, group)) && !has(&skip, group))
        .collect()
}
