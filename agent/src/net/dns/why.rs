//! In which way an answer is bogus, in the words of RFC 8914: the validator says only that it is.

use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::wire::{Heard, Wire};
use crate::dns::ExtendedError;

/// DNSSEC Bogus (RFC 8914 section 4.7), which says no more than that.
const GENERAL: u16 = 6;

/// Looks at the signatures, and then at the keys that they name.
pub(super) async fn why(
    wire: &Wire,
    name: &Name,
    kind: RecordType,
    heard: &Heard,
) -> ExtendedError {
    let now = wire.now_s();
    let message = &heard.message;
    let sections = || message.answers.iter().chain(&message.authorities);
    let is_void = !message.answers.iter().any(|record| record.record_type() == kind);
    let mut signatures = signatures(sections()).peekable();
    if signatures.peek().is_none() {
        return because(10, format!("no signature came with the answer for {name}"));
    }
    let mut signers = Vec::new();
    for signature in signatures {
        let input = signature.input();
        if after(now, input.sig_expiration.get()) {
            let covered = input.type_covered;
            let ended = time_of(now, input.sig_expiration.get());
            return because(7, format!("the signature of {covered} ended {ended}"));
        }
        if after(input.sig_inception.get(), now) {
            let covered = input.type_covered;
            let begins = time_of(now, input.sig_inception.get());
            return because(8, format!("the signature of {covered} begins {begins}"));
        }
        if !signers.contains(&input.signer_name) && signers.len() < 8 {
            signers.push(input.signer_name.clone());
        }
    }
    for signer in signers {
        if let Some(found) = of_keys(wire, &signer, now).await {
            return found;
        }
    }
    let has_denial =
        sections().any(|r| matches!(r.record_type(), RecordType::NSEC | RecordType::NSEC3));
    if is_void && !has_denial {
        return because(12, format!("nothing proves that {name} has no {kind}"));
    }
    because(GENERAL, String::new())
}

/// A resolver that has found a zone bogus before says only that (EDE 6): then what we find ourselves is
/// said, with the resolver's words.
pub(super) async fn precise(
    wire: &Wire,
    (name, kind): (&Name, RecordType),
    unchecked: &Heard,
    said: ExtendedError,
) -> ExtendedError {
    if said.code != GENERAL {
        return said;
    }
    let own = why(wire, name, kind, unchecked).await;
    match own.code {
        GENERAL => said,
        code => ExtendedError { code, text: format!("{}; the resolver: {}", own.text, said.text) },
    }
}

/// Whether a zone's keys are those that its parent vouches for, and validly signed in time.
async fn of_keys(wire: &Wire, zone: &Name, now: u32) -> Option<ExtendedError> {
    let keys = wire.resolve(zone, RecordType::DNSKEY, true).await.ok()?;
    for signature in signatures(keys.message.answers.iter()) {
        if after(now, signature.input().sig_expiration.get()) {
            let ended = time_of(now, signature.input().sig_expiration.get());
            return Some(because(7, format!("the signature of {zone} DNSKEY ended {ended}")));
        }
    }
    if zone.is_root() {
        return None;
    }
    let digests = wire.resolve(zone, RecordType::DS, true).await.ok()?;
    let mut has_digest = false;
    for digest in &digests.message.answers {
        let RData::DNSSEC(DNSSECRData::DS(digest)) = &digest.data else { continue };
        has_digest = true;
        let is_met = keys.message.answers.iter().any(|key| match &key.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => digest.covers(zone, key).unwrap_or(false),
            _ => false,
        });
        if is_met {
            return None;
        }
    }
    has_digest.then(|| because(9, format!("no key of {zone} has the digest that its parent shows")))
}

fn signatures<'a>(records: impl Iterator<Item = &'a Record>) -> impl Iterator<Item = &'a RRSIG> {
    records.filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => Some(signature),
        _ => None,
    })
}

fn because(code: u16, text: String) -> ExtendedError {
    ExtendedError { code, text }
}

/// Whether one time is after another, in serial number arithmetic (RFC 4034 section 3.1.5).
fn after(this: u32, other: u32) -> bool {
    let ahead = this.wrapping_sub(other);
    ahead != 0 && ahead < 1 << 31
}

/// A time of a signature, which is nearer to now than 68 years.
fn time_of(now: u32, then: u32) -> mailsonde_proto::WallTime {
    let ahead = i64::from(then.wrapping_sub(now));
    let ahead = if ahead < 1 << 31 { ahead } else { ahead - (1 << 32) };
    mailsonde_proto::WallTime::from_s(i64::from(now).saturating_add(ahead))
}
