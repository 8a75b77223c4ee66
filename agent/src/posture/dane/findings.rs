//! What can be wrong with a domain's DANE, and the judgement of one mail exchanger.

use hickory_resolver::proto::rr::{RData, RecordType};
use rustls::pki_types::{CertificateDer, UnixTime};

use super::{Expected, MOST_RECORDS, Match, Tlsa};
use crate::dns::{Answer, Ask, AskError, Security};
use crate::posture::{Rule, Told, name_of};

/// RFC 7672 section 2.1: no sender delivers to a server that no TLSA record matches.
const MISMATCH: Rule = Rule::critical(
    "dane.mismatch",
    "RFC 7672 section 2.1",
    "publish the TLSA record of the certificate in use (and of the next one before it comes into use): senders refuse to deliver",
);
/// RFC 7672 section 2.2: TLSA records promise STARTTLS.
const NO_TLS: Rule = Rule::critical(
    "dane.no_tls",
    "RFC 7672 section 2.2",
    "offer STARTTLS on port 25, or remove the TLSA records: senders refuse to deliver",
);
/// RFC 7672 section 2.1.3: what is not signed does not count.
const INSECURE: Rule = Rule::warning(
    "dane.insecure",
    "RFC 7672 section 2.1.3",
    "sign the zones of the domain, of the host and of its TLSA records by DNSSEC: unsigned, the records count for nothing",
);
/// RFC 7672 section 2.2.1, where the host is somebody else's, who did his part.
const INSECURE_DOMAIN: Rule = Rule::notice(
    "dane.insecure_domain",
    "RFC 7672 section 2.2.1",
    "sign the domain's zone by DNSSEC: the exchanger's TLSA records count for domains that are signed only",
);
/// RFC 7672 section 3.1.3 and 2.2: a record that senders pass over.
const UNUSABLE: Rule = Rule::warning(
    "dane.unusable",
    "RFC 7672 section 3.1.3",
    "publish records \"3 1 1\" or \"2 1 1\" with the right digest: senders pass others over",
);
/// RFC 7672 section 1.3: DNSSEC is there, and DANE is not.
const NO_RECORDS: Rule = Rule::notice(
    "dane.none",
    "RFC 7672 section 2.1",
    "publish a TLSA record \"3 1 1\" at _25._tcp of the host: with DNSSEC in place it is all that is missing",
);
/// The exchanger could not be looked at from here.
const NOT_LOOKED_AT: Rule = Rule::notice(
    "dane.not_looked_at",
    "RFC 7672 section 2.1",
    "see why port 25 of the host cannot be reached from the agent: many networks block it",
);

/// All of these, for the book.
pub(crate) const RULES: &[&Rule] =
    &[&MISMATCH, &NO_TLS, &INSECURE, &INSECURE_DOMAIN, &UNUSABLE, &NO_RECORDS, &NOT_LOOKED_AT];

/// A mail exchanger and what DNS says of it.
#[derive(Clone, Debug)]
pub struct Exchanger {
    /// Its name, lower case and without the final dot.
    pub host: String,
    /// The mail domain.
    pub domain: String,
    /// Whether DNSSEC was looked at: where nobody did, nothing is said of it.
    pub is_checked: bool,
    /// Whether DNSSEC proves that it is one: the MX records and its addresses.
    pub is_secure: bool,
    /// Its TLSA records.
    pub tlsa: Vec<Tlsa>,
    /// Whether DNSSEC proves them.
    pub tlsa_is_secure: bool,
}

/// What was seen at an exchanger's port.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The certificates that it showed, its own first, and proof that it has the key.
    Chain(Vec<CertificateDer<'static>>),
    /// It offers no TLS, or its handshake fails: why.
    NoTls(String),
    /// It could not be reached: why.
    Nothing(String),
}

/// The TLSA records of a host at a port, and whether DNSSEC proves them. That there are none is an answer.
///
/// # Errors
/// When nobody answers the question.
pub async fn records(ask: &dyn Ask, host: &str, port: u16) -> Result<(Vec<Tlsa>, bool), AskError> {
    let Some(name) = name_of(&format!("_{port}._tcp.{host}")) else {
        return Ok((Vec::new(), false));
    };
    let answer: Answer = ask.ask(&name, RecordType::TLSA).await?;
    let found = answer.data(RecordType::TLSA).filter_map(|data| match data {
        RData::TLSA(tlsa) => Some(Tlsa::of(tlsa)),
        _ => None,
    });
    Ok((found.take(MOST_RECORDS).collect(), answer.security == Security::Secure))
}

/// Judges one exchanger: facts `dane.HOST.tlsa` (each record, and whether it matches) and `dane.HOST.result`.
/// `seen` is `None` where there is nothing to compare, so that nobody connected.
pub fn examine(exchanger: &Exchanger, seen: Option<&Seen>, now: UnixTime) -> Told {
    let mut told = Told::new();
    let Exchanger { host, tlsa, .. } = exchanger;
    told.keep(format!("tlsa.{host}"), tlsa.iter().map(whole).collect());
    if tlsa.is_empty() {
        if exchanger.is_secure && exchanger.tlsa_is_secure {
            told.finding(&NO_RECORDS, format!("_25._tcp.{host} has no TLSA record"));
        }
        return told;
    }
    if exchanger.is_checked && !exchanger.tlsa_is_secure {
        told.finding(&INSECURE, format!("DNSSEC does not prove the TLSA records of {host}"));
    } else if exchanger.is_checked && !exchanger.is_secure {
        let domain = &exchanger.domain;
        let evidence = format!(
            "{host} has TLSA records, and DNSSEC does not prove that it is an exchanger of {domain}"
        );
        told.finding(&INSECURE_DOMAIN, evidence);
    }
    let unusable: Vec<String> = tlsa
        .iter()
        .filter_map(|record| {
            record.usable().err().map(|why| format!("\"{}\": {why}", record.shown()))
        })
        .collect();
    if !unusable.is_empty() {
        told.finding(&UNUSABLE, format!("{host}: {}", unusable.join("; ")));
    }
    match seen {
        None => {}
        Some(Seen::Nothing(why)) => told.finding(&NOT_LOOKED_AT, format!("{host}: {why}")),
        Some(Seen::NoTls(why)) => {
            told.fact(format!("dane.{host}.result"), "no TLS");
            told.finding(&NO_TLS, format!("{host}: {why}"));
        }
        Some(Seen::Chain(chain)) => compare(exchanger, chain, now, &mut told),
    }
    told
}

/// All records are judged; one that matches suffices (RFC 7671 section 5).
fn compare(exchanger: &Exchanger, chain: &[CertificateDer<'_>], now: UnixTime, told: &mut Told) {
    let Exchanger { host, domain, tlsa, .. } = exchanger;
    let names = [host.clone(), domain.clone()];
    let expected = Expected { names: &names, now };
    let judged: Vec<(&Tlsa, Match)> =
        tlsa.iter().map(|record| (record, record.judge(chain, &expected))).collect();
    let words = |(record, found): &(&Tlsa, Match)| match found {
        Match::Yes => format!("{}: matches", record.shown()),
        Match::No(why) => format!("{}: {why}", record.shown()),
        Match::Unusable(why) => format!("{}: {why}", record.shown()),
    };
    let lines: Vec<String> = judged.iter().map(words).collect();
    told.fact(format!("dane.{host}.tlsa"), lines.join("\n"));
    let is_usable = judged.iter().any(|(_, found)| !matches!(found, Match::Unusable(_)));
    let matches = judged.iter().any(|(_, found)| *found == Match::Yes);
    let result = match (matches, is_usable) {
        (true, _) => "matches",
        (false, true) => "does not match",
        // RFC 7672 section 2.2: TLS is then required, and nobody is authenticated.
        (false, false) => "no usable record",
    };
    told.fact(format!("dane.{host}.result"), result);
    if !matches && is_usable {
        told.finding(&MISMATCH, format!("{host}: {}", lines.join("; ")));
    }
}

/// A record as in a zone file, all of it.
fn whole(record: &Tlsa) -> String {
    let Tlsa { usage, selector, matching, data } = record;
    format!("{usage} {selector} {matching} {}", hex::encode(data))
}
