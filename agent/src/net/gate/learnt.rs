//! What answers to allowed questions named: the only way from a listed domain to a name or an address that is
//! not listed itself.
//!
//! Nothing stays longer than two spans, so an address that DNS no longer tells is soon no longer allowed; and no
//! more is kept than a bound, so that a zone full of names cannot fill the memory: what is oldest goes.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use mailsonde_proto::time::Instant;

use crate::policy::{Policy, Ties, bare, name_of};

/// What is learnt is good for one span at least, and for two at most: a greylisted message may be tried again
/// after half an hour, but every attempt asks anew.
const SPAN: Duration = Duration::from_secs(600);
/// Names, addresses and pairs of both that are kept of one span.
const MOST: usize = 8_192;
/// Names that are taken out of one answer.
const MOST_OF_ANSWER: usize = 256;

/// What is known of a name or an address.
#[derive(Clone, Copy, Debug, Default)]
struct Roles {
    is_exchanger: bool,
    is_name_server: bool,
    /// Names below it may be asked about: an SPF record builds them (RFC 7208 section 7).
    with_below: bool,
}

impl Roles {
    fn add(&mut self, other: Self) {
        self.is_exchanger |= other.is_exchanger;
        self.is_name_server |= other.is_name_server;
        self.with_below |= other.with_below;
    }
}

#[derive(Default)]
struct Span {
    names: HashMap<Name, Roles>,
    addresses: HashMap<IpAddr, Roles>,
    pairs: HashSet<(Name, IpAddr)>,
}

impl Span {
    fn is_full(&self) -> bool {
        self.names.len().max(self.addresses.len()).max(self.pairs.len()) >= MOST
    }
}

#[derive(Default)]
pub(super) struct Learnt {
    now: Span,
    before: Span,
    began: Option<Instant>,
}

impl Learnt {
    /// Whether an allowed answer led to this name, or to one for which it is asked about: what is below it for a
    /// service, or above it for its chain of trust.
    pub(super) fn leads_to(&mut self, name: &Name, now: Instant) -> bool {
        self.turn(now);
        let name = bare(name);
        if self.roles(&name).is_some() {
            return true;
        }
        let mut above = name;
        while !above.is_root() {
            above = above.base_name();
            if self.roles(&above).is_some_and(|roles| roles.with_below) {
                return true;
            }
        }
        false
    }

    /// What is known of an address that is to be connected for a host.
    pub(super) fn ties(&mut self, host: Option<&Name>, address: IpAddr, now: Instant) -> Ties {
        self.turn(now);
        let ip = address.to_canonical();
        let pair = host.map(|host| (host.clone(), ip));
        let is_of_host = pair
            .is_some_and(|pair| [&self.now, &self.before].iter().any(|s| s.pairs.contains(&pair)));
        let mut roles = Roles::default();
        for span in [&self.now, &self.before] {
            roles.add(span.addresses.get(&ip).copied().unwrap_or_default());
        }
        let Roles { is_exchanger, is_name_server, .. } = roles;
        Ties { is_of_host, is_exchanger, is_name_server }
    }

    /// These are addresses of a name, by an allowed question about it.
    pub(super) fn addresses(&mut self, name: &Name, addresses: &[IpAddr], now: Instant) {
        self.turn(now);
        for address in addresses {
            self.address(name, *address);
        }
    }

    /// These are mail exchangers; `is_own`: of a listed domain.
    pub(super) fn exchangers(
        &mut self,
        hosts: impl Iterator<Item = Name>,
        is_own: bool,
        now: Instant,
    ) {
        self.turn(now);
        let roles = Roles { is_exchanger: is_own, ..Roles::default() };
        for host in hosts.take(MOST_OF_ANSWER) {
            self.name(&host, roles);
        }
    }

    /// What the answer to an allowed question names.
    pub(super) fn answer(
        &mut self,
        policy: &Policy,
        (asked, kind): (&Name, RecordType),
        answer: &Message,
        now: Instant,
    ) {
        self.turn(now);
        let asked_bare = bare(asked);
        let is_own = policy.names(&asked_bare);
        let is_of_chain = is_own || policy.is_above(&asked_bare);
        let mut asked = asked.to_lowercase();
        asked.set_fqdn(true);
        // A referral names the zone's servers in its authority section, and their addresses beside it.
        let referred =
            answer.authorities.iter().filter(|record| record.record_type() == RecordType::NS);
        for record in answer.answers.iter().chain(referred).take(MOST_OF_ANSWER) {
            self.record(record, &asked, (is_own && kind == RecordType::MX, is_of_chain));
        }
        for record in answer.additionals.iter().take(MOST_OF_ANSWER) {
            let owner = bare(&record.name);
            let is_server = self.roles(&owner).is_some_and(|roles| roles.is_name_server);
            if let (Some(address), true) = (record.data.ip_addr(), is_server) {
                self.address(&owner, address);
            }
        }
    }

    fn record(&mut self, record: &Record, asked: &Name, (is_mx, is_of_chain): (bool, bool)) {
        let led = Roles::default();
        match &record.data {
            RData::MX(mx) => self.name(&mx.exchange, Roles { is_exchanger: is_mx, ..led }),
            RData::NS(host) => self.name(&host.0, Roles { is_name_server: is_of_chain, ..led }),
            RData::CNAME(target) => {
                // What an alias stands for has the parts that the alias has.
                let roles = self.roles(&bare(&record.name)).unwrap_or_default();
                let of_asked = self.roles(asked).unwrap_or_default();
                let mut both = roles;
                both.add(of_asked);
                self.name(&target.0, both);
            }
            RData::SRV(srv) => self.name(&srv.target, led),
            RData::PTR(host) => self.name(&host.0, led),
            RData::SOA(soa) => self.name(&soa.mname, led),
            RData::TXT(txt) => {
                let text: Vec<u8> =
                    txt.txt_data.iter().flat_map(|part| part.iter().copied()).collect();
                for name in words(&String::from_utf8_lossy(&text)) {
                    self.name(&name, Roles { with_below: true, ..led });
                }
            }
            RData::A(_) | RData::AAAA(_) => {
                if let Some(address) = record.data.ip_addr() {
                    self.address(asked, address);
                    let owner = bare(&record.name);
                    if owner != *asked {
                        self.address(&owner, address);
                    }
                }
            }
            _ => {}
        }
    }

    /// How much is kept.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let of = |span: &Span| span.names.len() + span.addresses.len() + span.pairs.len();
        of(&self.now) + of(&self.before)
    }

    fn address(&mut self, name: &Name, address: IpAddr) {
        let address = address.to_canonical();
        let roles = self.roles(name).unwrap_or_default();
        self.make_room();
        self.now.addresses.entry(address).or_default().add(roles);
        self.now.pairs.insert((name.clone(), address));
        // Its name may be asked for, with the chain of trust above that.
        let mut reverse = Name::from(address);
        reverse.set_fqdn(true);
        self.name(&reverse, Roles::default());
    }

    /// A name, and those above it, which its chain of trust leads over.
    fn name(&mut self, name: &Name, roles: Roles) {
        self.make_room();
        let mut name = bare(name);
        self.now.names.entry(name.clone()).or_default().add(roles);
        while !name.is_root() {
            name = name.base_name();
            self.now.names.entry(name.clone()).or_default();
        }
    }

    fn roles(&self, name: &Name) -> Option<Roles> {
        let (now, before) = (self.now.names.get(name), self.before.names.get(name));
        let mut roles = *now.or(before)?;
        roles.add(before.copied().unwrap_or_default());
        Some(roles)
    }

    /// Begins a new span when this one is over.
    fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if age < SPAN {
            return;
        }
        self.before = if age < SPAN * 2 { std::mem::take(&mut self.now) } else { Span::default() };
        self.now = Span::default();
        self.began = Some(now);
    }

    fn make_room(&mut self) {
        if self.now.is_full() {
            self.before = std::mem::take(&mut self.now);
        }
    }
}

/// The names in a text: those of an SPF record, or behind the @ of an address that reports go to.
fn words(text: &str) -> impl Iterator<Item = Name> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let words = text.split(move |c| !of_name(c)).map(|word| word.trim_matches(['.', '-']));
    let words = words.filter(|word| word.len() < 254 && word.contains('.'));
    words.filter_map(name_of).take(MOST_OF_ANSWER)
}
