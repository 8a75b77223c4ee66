//! What an inspected certificate comes to: facts, findings, and whether the run passes with it.

use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::{Fact, FaultClass, Finding, Severity, WallTime};

use super::rules;
use super::staple::Stapled;
use super::terms::{Accept, Terms};
use crate::mail::failure::Failure;
use crate::net::{Certificate, Completeness, Inspection, Reason};
use crate::posture::one_line;

const DAY_US: i64 = 86_400_000_000;
/// The most certificates of a chain that become facts.
const MOST_TOLD: usize = 6;
/// RSA below this is broken, not only weak, in bits.
const BROKEN_RSA: usize = 1024;

/// What the certificate comes to at one moment.
pub(crate) struct Judgement {
    pub(crate) facts: Vec<Fact>,
    pub(crate) findings: Vec<Finding>,
    /// Why the run does not pass with it.
    pub(crate) failure: Option<Failure>,
}

/// Judges what a handshake showed by what the check asks.
pub(crate) fn judge(inspection: &Inspection, terms: &Terms, now: WallTime) -> Judgement {
    let stapled = Stapled::of(inspection, now);
    let mut facts = facts(inspection, now);
    facts.extend(stapled.facts());
    let mut findings = dates(inspection, terms, now);
    findings.extend(trust(inspection));
    findings.extend(strength(inspection));
    findings.extend(stapled.findings());
    let failure = refused(inspection, terms, now)
        .or_else(|| stapled.is_revoked().then(|| "it is revoked".to_owned()))
        .filter(|_| terms.accept != Accept::Any)
        .map(|words| {
            let name = &inspection.server_name;
            format!("the certificate of {name} is not accepted: {words}")
        })
        .or_else(|| not_pinned(inspection, terms))
        .map(|words| Failure::new(name::TLS, FaultClass::Mismatch, words));
    Judgement { facts, findings, failure }
}

/// Days until then, rounded down; negative when it is over.
pub(super) fn days(until: WallTime, now: WallTime) -> i64 {
    until.signed_us_since(now).div_euclid(DAY_US)
}

fn refused(inspection: &Inspection, terms: &Terms, now: WallTime) -> Option<String> {
    let refusal = inspection.refusal.as_ref()?;
    let is_pardoned = terms.accept == Accept::SelfSigned
        && refusal.is_for(&[Reason::UnknownIssuer])
        && inspection.is_for_name
        && inspection.proof.is_none()
        && inspection.leaf().is_some_and(|leaf| leaf.not_before <= now && now <= leaf.not_after);
    (!is_pardoned).then(|| refusal.words.clone())
}

fn not_pinned(inspection: &Inspection, terms: &Terms) -> Option<String> {
    let leaf = inspection.leaf();
    let own = leaf.map(|leaf| [hex::encode(leaf.sha256), hex::encode(leaf.spki_sha256)]);
    let is_pinned = own.is_some_and(|own| terms.pins.iter().any(|pin| own.contains(pin)));
    (!terms.pins.is_empty() && !is_pinned)
        .then(|| "the certificate is another one than those of pin".to_owned())
}

fn facts(inspection: &Inspection, now: WallTime) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("tls.version", &*inspection.version),
        Fact::new("tls.cipher", &*inspection.cipher),
        Fact::new("tls.server_name", one_line(&inspection.server_name)),
        Fact::new("tls.accepted", yes_or_no(inspection.refusal.is_none())),
        Fact::new("tls.chain", inspection.chain.len().to_string()),
        Fact::new(
            "tls.chain_complete",
            match &inspection.completeness {
                Completeness::Complete => "yes",
                Completeness::Unknown => "unknown",
                _ => "no",
            },
        ),
    ];
    if let Some(refusal) = &inspection.refusal {
        facts.push(Fact::new("tls.refused", one_line(&refusal.words)));
    }
    let Some(leaf) = inspection.leaf() else { return facts };
    facts.extend([
        Fact::new("tls.names", one_line(&leaf.names.join(" "))),
        Fact::new("tls.certificate_days", days(leaf.not_after, now).to_string()),
        Fact::new("tls.serial", &*leaf.serial),
        Fact::new("tls.spki_sha256", hex::encode(leaf.spki_sha256)),
        Fact::new("tls.must_staple", yes_or_no(leaf.must_staple)),
    ]);
    let least = inspection.chain.iter().map(|one| days(one.not_after, now)).min();
    facts.extend(least.map(|days| Fact::new("tls.chain_days", days.to_string())));
    for (at, certificate) in inspection.chain.iter().take(MOST_TOLD).enumerate() {
        facts.extend(of_one(at, certificate, now));
    }
    facts
}

fn of_one(at: usize, certificate: &Certificate, now: WallTime) -> Vec<Fact> {
    let key = &certificate.key;
    [
        ("subject", certificate.subject.clone()),
        ("issuer", certificate.issuer.clone()),
        ("not_before", second(certificate.not_before)),
        ("not_after", second(certificate.not_after)),
        ("days", days(certificate.not_after, now).to_string()),
        ("key", if key.bits == 0 { key.algorithm.clone() } else { key_words(certificate) }),
        ("signature", certificate.signature_algorithm.clone()),
        ("sha256", hex::encode(certificate.sha256)),
    ]
    .map(|(name, value)| Fact::new(format!("tls.chain.{at}.{name}"), one_line(&value)))
    .into()
}

/// A moment for people: `2026-11-24T16:00:00Z`.
pub(super) fn second(time: WallTime) -> String {
    time.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(crate) const fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// Which certificate of the chain is meant, for people.
fn who(certificate: &Certificate) -> String {
    let name = if certificate.subject.is_empty() {
        certificate.names.first().map_or("a certificate without a name", String::as_str)
    } else {
        &certificate.subject
    };
    one_line(name)
}

/// Every certificate that leads to the root counts, not only the server's.
fn dates(inspection: &Inspection, terms: &Terms, now: WallTime) -> Vec<Finding> {
    let within = |time: Duration, until: WallTime| now.plus(time) >= until;
    let mut findings = Vec::new();
    for certificate in inspection.path() {
        let (name, until) = (who(certificate), certificate.not_after);
        let left = days(until, now);
        let soon = format!("{name} expires in {left} days, on {}", second(until));
        if now > until {
            findings.push(rules::EXPIRED.broken(format!("{name} expired on {}", second(until))));
        } else if certificate.not_before > now {
            let from = second(certificate.not_before);
            findings.push(rules::NOT_YET_VALID.broken(format!("{name} is valid from {from} on")));
        } else if within(terms.critical_before, until) {
            findings.push(rules::EXPIRES_SOON.at(Severity::Critical).broken(soon));
        } else if within(terms.warn_before, until) {
            findings.push(rules::EXPIRES_SOON.broken(soon));
        }
    }
    findings
}

fn trust(inspection: &Inspection) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Of a certificate that cannot be read nobody knows for whom it is.
    if let (Some(leaf), false) = (inspection.leaf(), inspection.is_for_name) {
        let names = leaf.names.join(", ");
        let listed = if names.is_empty() { "no names".to_owned() } else { names };
        let name = &inspection.server_name;
        findings
            .push(rules::NAME_MISMATCH.broken(format!("{name} is asked for, it lists {listed}")));
    }
    findings.extend(match &inspection.completeness {
        Completeness::Complete | Completeness::Unknown => None,
        Completeness::SelfSigned => {
            let subject = inspection.leaf().map(who).unwrap_or_default();
            Some(rules::SELF_SIGNED.broken(format!("{subject} is signed by itself")))
        }
        Completeness::UnknownRoot { root } => {
            Some(rules::UNKNOWN_ROOT.broken(format!("the chain ends with {root}")))
        }
        Completeness::IssuerMissing { issuer, url } if url.is_empty() => {
            Some(rules::CHAIN_INCOMPLETE.broken(format!(
                "the issuer {issuer} was not sent along, and is not trusted here either"
            )))
        }
        Completeness::IssuerMissing { issuer, url } => Some(rules::CHAIN_INCOMPLETE.broken(
            format!("the issuer {issuer} was not sent along; its certificate is at {url}"),
        )),
    });
    if let Some(refusal) = inspection
        .refusal
        .as_ref()
        .filter(|refusal| refusal.is_for(&[Reason::Other, Reason::Proof]))
    {
        findings.push(rules::NOT_ACCEPTED.broken(&refusal.words));
    }
    if inspection.unreadable > 0 {
        let number = inspection.unreadable;
        let whose = if inspection.leaf().is_none() { "the server's own among them, " } else { "" };
        let words = format!("certificates that cannot be read, {whose}in all: {number}");
        findings.push(rules::UNREADABLE.broken(words));
    }
    let path = inspection.path();
    if !path.is_empty() && !inspection.chain.iter().eq(path.iter().copied()) {
        let sent: Vec<_> = inspection.chain.iter().map(who).collect();
        findings.push(rules::CHAIN_ORDER.broken(format!("sent were: {}", sent.join("; "))));
    }
    findings
}

fn key_words(certificate: &Certificate) -> String {
    format!("{} {} bits", certificate.key.algorithm, certificate.key.bits)
}

fn strength(inspection: &Inspection) -> Vec<Finding> {
    let mut findings = Vec::new();
    for certificate in inspection.path() {
        let name = who(certificate);
        let key = &certificate.key;
        if key.is_weak() {
            let is_broken = key.algorithm.starts_with("RSA") && key.bits < BROKEN_RSA;
            let severity = if is_broken { Severity::Critical } else { Severity::Warning };
            let words = format!("the key of {name} is {}", key_words(certificate));
            findings.push(rules::WEAK_KEY.at(severity).broken(words));
        }
        if certificate.is_weakly_signed() {
            let words = format!("{name} is signed by {}", certificate.signature_algorithm);
            findings.push(rules::WEAK_SIGNATURE.broken(words));
        }
    }
    findings
}
