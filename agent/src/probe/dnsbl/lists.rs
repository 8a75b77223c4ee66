//! One DNS list: how it is asked, what its answers mean, and its own test (RFC 5782).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::super::dns::exchangers::shown;
use super::super::dns::records::cut;
use crate::dns::{Answer, Ask, AskError};

/// Bytes kept of a list's reason.
const LONGEST_REASON: usize = 400;
/// The most codes of one answer that are told.
const MOST_CODES: usize = 8;

/// What a list has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// IPv4 addresses (RFC 5782 section 2.1).
    V4,
    /// IPv6 addresses (section 2.4).
    V6,
    /// Domains (section 3).
    Domains,
}

/// What a list is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A mail server's address.
    Address(IpAddr),
    /// A mail domain.
    Domain(Name),
}

impl Subject {
    pub(super) fn family(&self) -> Family {
        match self {
            Self::Address(IpAddr::V4(_)) => Family::V4,
            Self::Address(IpAddr::V6(_)) => Family::V6,
            Self::Domain(_) => Family::Domains,
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Domain(domain) => shown(domain),
        }
    }

    /// The labels before the list's own name.
    fn labels(&self) -> String {
        match self {
            Self::Address(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}")
            }
            Self::Address(IpAddr::V6(address)) => {
                let digits = hex::encode(address.octets());
                let reversed: Vec<String> = digits.chars().rev().map(String::from).collect();
                reversed.join(".")
            }
            Self::Domain(domain) => shown(domain),
        }
    }
}

/// One list.
#[derive(Clone, Debug)]
pub(super) struct List {
    zone: Name,
    is_of_domains: bool,
    /// Codes that say something else than "listed", such as Spamhaus's of dial-up addresses.
    ignored: Vec<Ipv4Addr>,
}

/// What a list says of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    codes: Vec<Ipv4Addr>,
    reason: String,
}

impl Listing {
    /// `127.0.0.2: listed for spam`.
    pub(super) fn shown(&self) -> String {
        let codes: Vec<String> = self.codes.iter().map(Ipv4Addr::to_string).collect();
        match self.reason.as_str() {
            "" => codes.join(", "),
            reason => format!("{}: {reason}", codes.join(", ")),
        }
    }
}

/// Why a list says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It fails its own test, or answers what no list answers.
    SelfTest(String),
    /// It answers with an error.
    Error(String),
    /// It could not be asked.
    Unasked(AskError),
}

impl Broken {
    pub(super) fn words(&self) -> String {
        match self {
            Self::SelfTest(words) | Self::Error(words) => words.clone(),
            Self::Unasked(error) => error.to_string(),
        }
    }
}

impl List {
    pub(super) fn new(zone: Name, is_of_domains: bool, ignored: Vec<Ipv4Addr>) -> Self {
        Self { zone, is_of_domains, ignored }
    }

    pub(super) fn shown(&self) -> String {
        shown(&self.zone)
    }

    pub(super) fn is_of_domains(&self) -> bool {
        self.is_of_domains
    }

    pub(super) fn is_of(&self, family: Family) -> bool {
        self.is_of_domains == (family == Family::Domains)
    }

    /// Whether it lists what every list lists, and does not list what none does (RFC 5782 section 5).
    pub(super) async fn test(&self, dns: &dyn Ask, family: Family) -> Result<(), Broken> {
        let mapped = |last| IpAddr::from(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, last));
        let domain = |name| Name::from_ascii(name).map(Subject::Domain);
        let (listed, free) = match family {
            Family::V4 => (
                Ok(Subject::Address(Ipv4Addr::new(127, 0, 0, 2).into())),
                Ok(Subject::Address(Ipv4Addr::LOCALHOST.into())),
            ),
            Family::V6 => (Ok(Subject::Address(mapped(2))), Ok(Subject::Address(mapped(1)))),
            Family::Domains => (domain("test."), domain("invalid.")),
        };
        let (Ok(listed), Ok(free)) = (listed, free) else { return Ok(()) };
        if self.codes(dns, &listed).await?.is_none() {
            let point = listed.shown();
            return Err(Broken::SelfTest(format!("it does not list its test point {point}")));
        }
        if self.codes(dns, &free).await?.is_some() {
            let point = free.shown();
            return Err(Broken::SelfTest(format!("it lists {point}, which no list does")));
        }
        Ok(())
    }

    /// Whether it lists a subject, and why.
    pub(super) async fn ask(
        &self,
        dns: &dyn Ask,
        subject: &Subject,
    ) -> Result<Option<Listing>, Broken> {
        let Some(mut codes) = self.codes(dns, subject).await? else { return Ok(None) };
        codes.retain(|code| !self.ignored.contains(code));
        if codes.is_empty() {
            return Ok(None);
        }
        codes.truncate(MOST_CODES);
        let reason = match self.name(subject) {
            Some(name) => dns.ask(&name, RecordType::TXT).await.map(|answer| answer.texts()),
            None => Ok(Vec::new()),
        };
        // A reason that cannot be read does not make the listing less true.
        let reason = reason.unwrap_or_default().join("; ");
        Ok(Some(Listing { codes, reason: cut(&reason, LONGEST_REASON) }))
    }

    async fn codes(
        &self,
        dns: &dyn Ask,
        subject: &Subject,
    ) -> Result<Option<Vec<Ipv4Addr>>, Broken> {
        // A name that is too long to be asked for cannot be listed.
        let Some(name) = self.name(subject) else { return Ok(None) };
        let answer = dns.ask(&name, RecordType::A).await.map_err(Broken::Unasked)?;
        codes_of(&answer)
    }

    fn name(&self, subject: &Subject) -> Option<Name> {
        Name::from_ascii(subject.labels()).ok()?.append_domain(&self.zone).ok()
    }
}

/// What an answer means: `None` is not listed. A listing is an address of 127.0.0.0/8 but 127.0.0.1
/// (RFC 5782 section 2.1); 127.255.255.0/24 are Spamhaus's error codes, which others use alike.
fn codes_of(answer: &Answer) -> Result<Option<Vec<Ipv4Addr>>, Broken> {
    let mut codes: Vec<Ipv4Addr> = answer
        .data(RecordType::A)
        .filter_map(|data| match data {
            RData::A(address) => Some(address.0),
            _ => None,
        })
        .collect();
    codes.sort();
    if let Some(error) = codes.iter().find_map(error_code) {
        return Err(Broken::Error(error));
    }
    if let Some(other) = codes.iter().find(|code| !code.is_loopback()) {
        return Err(Broken::SelfTest(format!(
            "it answers {other}, which is no answer of a list: its name has been given up"
        )));
    }
    match codes.as_slice() {
        [] => Ok(None),
        [Ipv4Addr::LOCALHOST] => {
            Err(Broken::Error("it answers 127.0.0.1, which is no listing".to_owned()))
        }
        _ => {
            codes.retain(|code| *code != Ipv4Addr::LOCALHOST);
            Ok(Some(codes))
        }
    }
}

fn error_code(code: &Ipv4Addr) -> Option<String> {
    let [127, 255, 255, last] = code.octets() else { return None };
    let meaning = match last {
        252 => "the list's name is not written rightly",
        254 => "the list does not answer public resolvers",
        255 => "too many questions were put to the list",
        _ => "an error of the list",
    };
    Some(format!("it answers {code}: {meaning}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_the_subject_backwards() {
        let list = List::new(Name::from_ascii("bl.test.").unwrap(), false, Vec::new());
        for (address, name) in [
            ("192.0.2.99", "99.2.0.192.bl.test."),
            (
                "2001:db8:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.test.",
            ),
        ] {
            let subject = Subject::Address(address.parse().unwrap());
            assert_eq!(list.name(&subject).unwrap().to_string(), name);
        }
    }

    fn answer(codes: &[Ipv4Addr]) -> Answer {
        use hickory_resolver::proto::op::ResponseCode;
        use hickory_resolver::proto::rr::{Record, rdata::A};
        let record = |code: &Ipv4Addr| Record::from_rdata(Name::root(), 1, RData::A(A(*code)));
        Answer {
            code: ResponseCode::NoError,
            answers: codes.iter().map(record).collect(),
            authorities: Vec::new(),
            security: crate::dns::Security::Insecure,
            extended: Vec::new(),
            took: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn errors_are_never_listings() {
        for (codes, expected) in [
            (vec![], "not listed"),
            (vec!["127.0.0.2"], "listed"),
            (vec!["127.0.1.2", "127.0.0.1"], "listed"),
            (vec!["127.0.0.1"], "it answers 127.0.0.1, which is no listing"),
            (
                vec!["127.255.255.254"],
                "it answers 127.255.255.254: the list does not answer public resolvers",
            ),
            (
                vec!["127.0.0.2", "127.255.255.255"],
                "it answers 127.255.255.255: too many questions were put to the list",
            ),
            (
                vec!["127.0.0.2", "203.0.113.5"],
                "it answers 203.0.113.5, which is no answer of a list: its name has been given up",
            ),
        ] {
            let codes: Vec<_> = codes.iter().map(|code| code.parse().unwrap()).collect();
            let said = match codes_of(&answer(&codes)) {
                Ok(None) => "not listed".to_owned(),
                Ok(Some(_)) => "listed".to_owned(),
                Err(broken) => broken.words(),
            };
            assert_eq!(said, expected, "{codes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn a_listing_has_only_codes_of_lists(codes in prop::collection::vec(any::<u32>(), 0..6)) {
            let near: Vec<_> = codes.iter().map(|code| {
                Ipv4Addr::from_bits(if code % 2 == 0 { code & 0xff | 0x7fff_ff00 } else { *code })
            }).collect();
            if let Ok(Some(codes)) = codes_of(&answer(&near)) {
                prop_assert!(!codes.is_empty());
                for code in codes {
                    prop_assert!(code.is_loopback() && code != Ipv4Addr::LOCALHOST);
                    prop_assert!(error_code(&code).is_none());
                }
            }
        }
    }
}
