//! Which rules the name servers keep.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hickory_resolver::proto::op::ResponseCode;
use mailsonde_proto::Severity;

use super::super::authority::{Delegation, NameServer};
use super::super::exchangers::shown;
use super::super::group::{Context, Looked};
use super::{COMPARED, Visit};
use crate::dns::AskError;
use crate::net::dns::code_word;
use crate::policy::network::Network;
use crate::posture::Rule;

/// Fewer than two servers.
const SINGLE: Rule = Rule {
    name: "dns.servers.single",
    severity: Severity::Warning,
    source: "RFC 1034 section 4.1, RFC 2182 section 5",
    advice: "let a second server in another place serve the zone",
};
/// Several names, and one address or one network.
const ONE_PLACE: Rule = Rule {
    name: "dns.servers.one_place",
    severity: Severity::Notice,
    source: "RFC 2182 section 3.1",
    advice: "put one name server into another network, so that one failure does not take all",
};
/// A server's name that has no address.
const UNRESOLVED: Rule = Rule {
    name: "dns.servers.unresolved",
    severity: Severity::Warning,
    source: "RFC 1912 section 2.8",
    advice: "give the name server an address, or remove its NS record",
};
/// No answer at all.
const SILENT: Rule = Rule {
    name: "dns.servers.silent",
    severity: Severity::Warning,
    source: "RFC 2182 section 3",
    advice: "start the name server, open port 53 for UDP and TCP, or remove its NS record",
};
/// Answers, and does not know the zone.
const LAME: Rule = Rule {
    name: "dns.servers.lame",
    severity: Severity::Warning,
    source: "RFC 1912 section 2.8",
    advice: "let the server serve the zone, or remove its NS record here and at the parent",
};
/// Refuses EDNS, or leaves it out of its answer.
const NO_EDNS: Rule = Rule {
    name: "dns.servers.no_edns",
    severity: Severity::Warning,
    source: "RFC 6891 sections 6.1.1 and 7",
    advice: "replace the name server's software, or the firewall before it: without EDNS there is no \
             DNSSEC, and long answers are slow",
};
/// Does not answer over TCP.
const NO_TCP: Rule = Rule {
    name: "dns.servers.no_tcp",
    severity: Severity::Warning,
    source: "RFC 7766 section 5",
    advice: "open port 53 for TCP: answers that do not fit into a datagram are lost",
};
/// Not the same serial everywhere.
const SERIAL: Rule = Rule {
    name: "dns.servers.serial_differs",
    severity: Severity::Notice,
    source: "RFC 1034 section 4.3.5",
    advice: "if it lasts, see why the zone is not transferred to the servers with the lower serial",
};
/// Not the same records everywhere.
const ANSWERS: Rule = Rule {
    name: "dns.servers.answers_differ",
    severity: Severity::Warning,
    source: "RFC 1034 section 4.3.5",
    advice: "transfer the zone from one primary to all others; senders get now this, now that",
};

/// The parent names others than the zone.
const PARENT_DIFFERS: Rule = Rule {
    name: "dns.servers.parent_differs",
    severity: Severity::Warning,
    source: "RFC 1034 section 4.2.2",
    advice: "tell the parent (the registrar) the same name servers as the zone's own NS records",
};

/// All of these, for the book.
pub(in crate::probe::dns) const RULES: &[&Rule] = &[
    &SINGLE,
    &ONE_PLACE,
    &UNRESOLVED,
    &SILENT,
    &LAME,
    &NO_EDNS,
    &NO_TCP,
    &SERIAL,
    &ANSWERS,
    &PARENT_DIFFERS,
];

/// Whether the parent names the same name servers as the zone itself.
pub(super) fn parent(told: &Delegation, hosts: &BTreeSet<String>, looked: &mut Looked) {
    let parents: BTreeSet<String> = told.hosts.iter().map(shown).collect();
    if told.is_referral && parents != *hosts {
        let words = format!("the parent names {}, the zone itself {}", list(&parents), list(hosts));
        looked.find(&PARENT_DIFFERS, words);
    }
}

fn list(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// `expect_ns`: these hosts and no other.
pub(super) fn expected(expected: &BTreeSet<String>, found: &BTreeSet<String>, looked: &mut Looked) {
    if expected.is_empty() || expected == found {
        return;
    }
    let words =
        format!("the name servers are {}, where {} is expected", list(found), list(expected));
    looked.unexpected("dns.servers", words);
}

/// How many there are, and whether they are apart from each other.
pub(super) fn number(context: &Context<'_>, servers: &[NameServer], looked: &mut Looked) {
    for server in servers.iter().filter(|server| server.addresses.is_empty()) {
        match &server.trouble {
            Some(error) => looked.unanswered(error),
            None => {
                looked.find(&UNRESOLVED, format!("{} has no address", shown(&server.host)));
            }
        }
    }
    if let [only] = servers {
        looked.find(&SINGLE, format!("{} is the only name server", shown(&only.host)));
        return;
    }
    let addresses: BTreeSet<IpAddr> =
        servers.iter().flat_map(|server| server.addresses.iter().copied()).collect();
    if let (Some(only), 1) = (addresses.first(), addresses.len()) {
        looked.find(&ONE_PLACE.at(Severity::Warning), format!("all have the address {only}"));
        return;
    }
    // Of a private network the addresses do not tell where its parts are.
    let is_own = |address: &IpAddr| context.check.own_networks.iter().any(|o| o.contains(*address));
    let networks: BTreeSet<String> =
        addresses.iter().map(|address| surroundings(*address).to_string()).collect();
    if let (Some(only), 1, false) = (networks.first(), networks.len(), addresses.iter().all(is_own))
    {
        looked.find(&ONE_PLACE, format!("all name servers are in {only}"));
    }
}

/// What goes down together: the least network that is routed by itself in the Internet.
fn surroundings(address: IpAddr) -> Network {
    Network::around(address, if address.is_ipv4() { 24 } else { 48 })
}

/// What each server does.
pub(super) fn each(visits: &[Visit<'_>], looked: &mut Looked) {
    let dead = visits.iter().filter(|visit| !visit.is_authority()).count();
    let severity = if dead == visits.len() { Severity::Critical } else { Severity::Warning };
    for visit in visits {
        let who = visit.shown();
        let Some(reply) = visit.reply() else {
            silent(visit, severity, looked);
            continue;
        };
        if !visit.is_authority() {
            let how = match reply.code {
                ResponseCode::NoError if !reply.is_authoritative => {
                    "answers without authority (AA)".to_owned()
                }
                ResponseCode::NoError => "has no SOA record of the zone".to_owned(),
                code => format!("answers {}", code_word(code)),
            };
            looked.find(&LAME.at(severity), format!("{who} {how}"));
            continue;
        }
        if !visit.has_edns() {
            let how = match &visit.soa {
                Ok(reply) if reply.code == ResponseCode::NoError => {
                    "answers without EDNS".to_owned()
                }
                Ok(reply) => format!("answers {} to EDNS", code_word(reply.code)),
                Err(_) => "answers only without EDNS".to_owned(),
            };
            looked.find(&NO_EDNS, format!("{who} {how}"));
        }
        if let Err(error) = &visit.tcp {
            looked.find(&NO_TCP, format!("{who}: {error}"));
        }
    }
}

fn silent(visit: &Visit<'_>, severity: Severity, looked: &mut Looked) {
    match &visit.soa {
        // That we may not or cannot ask says nothing about the server.
        Err(error @ AskError::NotAsked { is_local: true, .. }) => looked.unanswered(error),
        Err(error) => looked.find(&SILENT.at(severity), format!("{}: {error}", visit.shown())),
        Ok(_) => {}
    }
}

/// Whether all say the same.
pub(super) fn together(visits: &[Visit<'_>], looked: &mut Looked) {
    let mut serials: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for visit in visits.iter().filter(|visit| visit.is_authority()) {
        if let Some(serial) = visit.serial() {
            serials.entry(serial).or_default().push(visit.shown());
        }
    }
    let list: Vec<String> =
        serials.iter().map(|(serial, who)| format!("{serial} at {}", who.join(", "))).collect();
    if let Some((serial, _)) = serials.last_key_value() {
        looked.fact("servers.serial", serial.to_string());
    }
    if serials.len() > 1 {
        looked.find(&SERIAL, format!("the serial is {}", list.join("; ")));
    }
    for (number, kind) in COMPARED.iter().enumerate() {
        let mut answers: BTreeMap<&Vec<String>, Vec<String>> = BTreeMap::new();
        for visit in visits {
            if let Some(Some(said)) = visit.said.get(number) {
                answers.entry(said).or_default().push(visit.shown());
            }
        }
        if answers.len() > 1 {
            let sides: Vec<String> = answers
                .into_iter()
                .map(|(said, who)| {
                    let said = if said.is_empty() { "nothing".into() } else { said.join(", ") };
                    format!("{said} at {}", who.join(", "))
                })
                .collect();
            looked.find(&ANSWERS, format!("{kind} is {}", sides.join("; ")));
        }
    }
}
