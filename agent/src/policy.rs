//! What an agent may do, whoever asks it to: the targets, recipients, kinds, rates and hours of `policy.toml`.
//!
//! A [`Policy`] is a value, and each of its answers a function of what is asked: whether a name may be asked
//! about, an address be connected, a recipient be written to. What it refuses it refuses with the [`Rule`] that
//! does, so that a run can end as `void(policy)` and say why. Whoever opens sockets (`net`) asks it for every
//! question and for every address, also for those that an answer or a redirect led to. Absent on purpose:
//! sockets, files, and what was learnt or used up ([`Books`] are kept by `net`).
//!
//! # What may be asked of DNS
//! A question is a packet, and its name can carry what somebody wants to know. So names are bound as targets
//! are: a name is asked about where it is listed or below a listed domain; where it is above one, as the chain
//! of DNSSEC and the walk of DMARC want it, which tells nobody anything; or where the answer to an allowed
//! question led there (an MX, an alias, a name in an SPF record). That is the word of whoever runs the listed
//! domain, never of whoever wrote the check. Questions go to the host's own resolvers, or to listed addresses.
//!
//! # What may be connected
//! An address that a listed network has; or the address of a listed host, or of one in a listed domain, as DNS
//! told it to us for that very host, while it is a public one; or what a listed domain's own answers name: its
//! mail exchangers at port 25, its name servers at port 53. What is private, of this host, or of its link
//! (RFC 6890 and the registries of the IANA) must be in a listed network, whatever name leads there.

pub(crate) mod network;
mod pattern;

mod quiet;
mod rates;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::rr::Name;
use jiff::civil::DateTime;

use crate::mail::token::Sender;

pub(crate) use network::Network;
pub(crate) use pattern::{Host, HostRule, Recipient, name_of};
pub(crate) use quiet::{DAYS, Quiet};
pub use rates::Rates;
pub(crate) use rates::{Books, Permit, Window};

/// Where name servers listen (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;
/// Where mail exchangers listen (RFC 5321 section 4.5.4.2).
const SMTP_PORT: u16 = 25;

/// The ports of mail and of the web pages around it, which targets have when nothing else is listed: SMTP, HTTP,
/// POP3, IMAP, HTTPS, submission, and the same with TLS at once (RFC 8314), ManageSieve (RFC 5804).
pub const DEFAULT_PORTS: &[u16] = &[25, 80, 110, 143, 443, 465, 587, 993, 995, 4190];

/// What an agent may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub(crate) hosts: Vec<HostRule>,
    /// Mail domains, each with all that is below it.
    pub(crate) domains: Vec<Name>,
    pub(crate) networks: Vec<Network>,
    pub(crate) ports: BTreeSet<u16>,
    pub(crate) recipients: Vec<Recipient>,
    /// `None` for all that there are.
    pub(crate) kinds: Option<BTreeSet<String>>,
    pub(crate) rates: Rates,
    pub(crate) quiet: Vec<Quiet>,
    /// Other agents whose signed mail is believed.
    pub(crate) senders: Vec<Sender>,
}

/// What policy is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A question about a name; `is_led`: the answer to an allowed question led there.
    Name {
        /// The name.
        name: &'a Name,
        /// Whether an answer led there.
        is_led: bool,
    },
    /// A resolver or a name server that is asked; `is_ours`: the host's own configuration names it.
    Server {
        /// Where it is.
        address: SocketAddr,
        /// How it came to be asked.
        ties: Ties,
        /// Whether it is one of the host's own resolvers.
        is_ours: bool,
    },
    /// A connection.
    Connection {
        /// What the address is said to belong to: a name, or an address.
        host: &'a str,
        /// Where it really goes.
        address: SocketAddr,
        /// How the address came about.
        ties: Ties,
    },
    /// Somebody that is written to.
    Recipient(&'a str),
    /// A kind of probe.
    Kind(&'a str),
    /// A message of so many bytes.
    Message(u64),
    /// The local time at which a run begins.
    Time(DateTime),
}

/// What answers to allowed questions say of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// It is an address of the host that it is connected for.
    pub is_of_host: bool,
    /// It is of a mail exchanger of a listed domain.
    pub is_exchanger: bool,
    /// It is of a name server of a listed domain, or of a zone above it.
    pub is_name_server: bool,
}

/// The rule that refuses, by its place in `policy.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `targets.hosts` and `targets.domains`.
    Hosts,
    /// `targets.networks`.
    Networks,
    /// `targets.ports`.
    Ports,
    /// `recipients`.
    Recipients,
    /// `kinds`.
    Kinds,
    /// `rates.message_size`.
    MessageSize,
    /// `rates.mails_a_minute`.
    MailsAMinute,
    /// `rates.bytes_a_minute`.
    BytesAMinute,
    /// `rates.connections`.
    Connections,
    /// `rates.dns_questions_a_second`.
    Questions,
    /// `quiet`.
    Quiet,
    /// `mailbox.provider`: what the provider of a mailbox accepts.
    Provider,
}

impl Rule {
    /// As it stands in a verdict.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hosts => "targets.hosts",
            Self::Networks => "targets.networks",
            Self::Ports => "targets.ports",
            Self::Recipients => "recipients",
            Self::Kinds => "kinds",
            Self::MessageSize => "rates.message_size",
            Self::MailsAMinute => "rates.mails_a_minute",
            Self::BytesAMinute => "rates.bytes_a_minute",
            Self::Connections => "rates.connections",
            Self::Questions => "rates.dns_questions_a_second",
            Self::Quiet => "quiet",
            Self::Provider => "mailbox.provider",
        }
    }
}

/// What policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {words}", rule.as_str())]
pub struct Refusal {
    /// By which rule.
    pub rule: Rule,
    /// What, for people.
    pub words: String,
}

impl Refusal {
    /// By this rule, in these words.
    pub fn new(rule: Rule, words: impl Into<String>) -> Self {
        Self { rule, words: words.into() }
    }
}

impl Policy {
    /// Whether this may be done.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn allows(&self, target: &Target<'_>) -> Result<(), Refusal> {
        match *target {
            Target::Name { name, is_led } => self.question(name, is_led),
            Target::Server { is_ours: true, .. } => Ok(()),
            Target::Server { address, ties, .. } => {
                let host = address.ip().to_string();
                self.connection(&host, address, ties, &[DNS_PORT])
            }
            Target::Connection { host, address, ties } => self.connection(host, address, ties, &[]),
            Target::Recipient(recipient) => self.recipient(recipient),
            Target::Kind(kind) => match &self.kinds {
                Some(kinds) if !kinds.contains(kind) => {
                    Err(Refusal::new(Rule::Kinds, format!("the kind {kind} is not listed")))
                }
                _ => Ok(()),
            },
            Target::Message(bytes) if bytes > self.rates.message_size => {
                let words = format!(
                    "a message of {bytes} bytes is larger than the {} allowed",
                    self.rates.message_size
                );
                Err(Refusal::new(Rule::MessageSize, words))
            }
            Target::Message(_) => Ok(()),
            Target::Time(now) => match self.quiet.iter().find(|quiet| quiet.holds(now)) {
                Some(quiet) => Err(Refusal::new(Rule::Quiet, format!("no run begins {quiet}"))),
                None => Ok(()),
            },
        }
    }

    /// Whether a host may be connected, as far as that can be said before its addresses are known: by its name or
    /// address, and by its port where one is named.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub(crate) fn allows_host(&self, host: &HostRule) -> Result<(), Refusal> {
        let port = host.port.unwrap_or_else(|| self.ports.first().copied().unwrap_or(SMTP_PORT));
        let text = HostRule { port: None, ..host.clone() }.to_string();
        if let Host::Name(name) = &host.host {
            self.question(name, false)?;
            if !self.names(name) {
                return Err(stranger(&text, IpAddr::from([0; 4]), false));
            }
            let rules = self.hosts.iter().filter(|rule| rule.host.is(name));
            let mut rules = rules.filter_map(|rule| rule.port);
            if self.ports.contains(&port) || rules.any(|listed| listed == port) {
                return Ok(());
            }
            return Err(Refusal::new(Rule::Ports, format!("port {port} of {text} is not listed")));
        }
        let Some(address) = host.host.address() else { return Ok(()) };
        let also = [DNS_PORT];
        self.connection(&text, SocketAddr::new(address, port), Ties::default(), &also)
    }

    /// Whether the policy itself names this, or a domain that it is in.
    pub(crate) fn names(&self, name: &Name) -> bool {
        self.domains.iter().any(|domain| domain.zone_of(name))
            || self.hosts.iter().any(|rule| rule.host.is(name))
    }

    /// Whether something that the policy names is at or below this.
    pub(crate) fn is_above(&self, name: &Name) -> bool {
        self.domains.iter().any(|domain| name.zone_of(domain))
            || self.hosts.iter().any(|rule| rule.host.is_below(name))
    }

    fn question(&self, name: &Name, is_led: bool) -> Result<(), Refusal> {
        if is_led || self.names(&bare(name)) || self.is_above(&bare(name)) || self.is_reverse(name)
        {
            return Ok(());
        }
        let words = format!(
            "DNS is not asked about {}, which is neither listed nor in a listed domain",
            shown(name)
        );
        Err(Refusal::new(Rule::Hosts, words))
    }

    /// The name of a listed address, or of a network that has one (RFC 1035 section 3.5, RFC 3596 section 2.5).
    fn is_reverse(&self, name: &Name) -> bool {
        let Ok(prefix) = bare(name).parse_arpa_name() else { return false };
        let asked = Network::around(prefix.addr(), prefix.prefix_len());
        let has = |listed: &Network| listed.is_within(&asked) || asked.is_within(listed);
        self.networks.iter().any(has)
            || self.hosts.iter().any(|rule| rule.host.network().as_ref().is_some_and(has))
    }

    fn connection(
        &self,
        host: &str,
        address: SocketAddr,
        ties: Ties,
        also: &[u16],
    ) -> Result<(), Refusal> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let name = name_of(host);
        let rules = || self.hosts.iter().filter(|rule| rule.is(name.as_ref(), host, ip));
        let is_literal = rules().any(|rule| rule.host.network().is_some());
        let is_listed = is_literal || self.networks.iter().any(|network| network.contains(ip));
        let is_named = rules().next().is_some()
            || name.as_ref().is_some_and(|name| self.domains.iter().any(|d| d.zone_of(name)));
        self.is_reachable(host, ip, (is_listed, ties.is_of_host && rules().any(|r| r.is_own)))?;
        let of_role =
            (ties.is_exchanger && port == SMTP_PORT) || (ties.is_name_server && port == DNS_PORT);
        if of_role {
            return Ok(());
        }
        let is_known = is_listed || (is_named && ties.is_of_host);
        if !is_known {
            return Err(stranger(host, ip, is_named));
        }
        let has_port = self.ports.contains(&port)
            || also.contains(&port)
            || rules().any(|rule| rule.port == Some(port));
        if has_port {
            return Ok(());
        }
        let words = format!("port {port} of {host} is not listed");
        Err(Refusal::new(Rule::Ports, words))
    }

    /// What the Internet does not reach must be listed as an address; but for a host of the administrator's
    /// own configuration, which may stand in the organisation's own network.
    fn is_reachable(
        &self,
        host: &str,
        ip: IpAddr,
        (is_listed, is_own): (bool, bool),
    ) -> Result<(), Refusal> {
        let Some(purpose) = network::special_purpose(ip) else { return Ok(()) };
        if is_listed || (is_own && network::is_inside(ip)) {
            return Ok(());
        }
        let what = if host == ip.to_string() { ip.to_string() } else { format!("{host} is {ip}") };
        let words = format!("{what} ({purpose}), and no listed network has that address");
        Err(Refusal::new(Rule::Networks, words))
    }

    fn recipient(&self, address: &str) -> Result<(), Refusal> {
        if self.recipients.iter().any(|allowed| allowed.is(address)) {
            return Ok(());
        }
        Err(Refusal::new(Rule::Recipients, format!("{address} is not listed")))
    }
}

fn stranger(host: &str, ip: IpAddr, is_named: bool) -> Refusal {
    if is_named {
        let words = format!("{ip} is not an address that DNS has told for {host}");
        return Refusal::new(Rule::Networks, words);
    }
    let words = match host.parse::<IpAddr>() {
        Ok(_) => format!("{ip} is not listed, and no listed network has it"),
        Err(_) => format!("{host} is neither listed nor in a listed domain"),
    };
    Refusal::new(Rule::Hosts, words)
}

/// A name without what services put before it: `_25._tcp`, `_dmarc` (RFC 8552 section 1.1).
pub(crate) fn bare(name: &Name) -> Name {
    let mut bare = name.to_lowercase();
    bare.set_fqdn(true);
    while bare.iter().next().is_some_and(|label| label.starts_with(b"_")) {
        bare = bare.base_name();
    }
    bare
}

fn shown(name: &Name) -> String {
    let text = name.to_ascii();
    if name.is_root() { text } else { text.trim_end_matches('.').to_owned() }
}

/// `policy` in a few lines: what `check-config` shows.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |words: Vec<String>| match words.len() {
            0 => "none".to_owned(),
            _ => words.join(", "),
        };
        let hosts = self.hosts.iter().map(ToString::to_string).collect();
        let domains = self.domains.iter().map(shown).collect();
        let networks = self.networks.iter().map(ToString::to_string).collect();
        let ports = self.ports.iter().map(ToString::to_string).collect();
        let recipients = self.recipients.iter().map(ToString::to_string).collect();
        writeln!(f, "hosts       {}", or_none(hosts))?;
        writeln!(f, "domains     {}", or_none(domains))?;
        writeln!(f, "networks    {}", or_none(networks))?;
        writeln!(f, "ports       {}", or_none(ports))?;
        writeln!(f, "recipients  {}", or_none(recipients))?;
        let kinds = self.kinds.as_ref().map(|kinds| or_none(kinds.iter().cloned().collect()));
        writeln!(f, "kinds       {}", kinds.unwrap_or_else(|| "all".to_owned()))?;
        writeln!(f, "rates       {}", self.rates)?;
        let quiet = self.quiet.iter().map(ToString::to_string).collect();
        writeln!(f, "quiet       {}", or_none(quiet))?;
        let senders = self.senders.iter().map(|sender| sender.name.clone()).collect();
        write!(f, "senders     {}", or_none(senders))
    }
}

#[cfg(test)]
mod tests;
