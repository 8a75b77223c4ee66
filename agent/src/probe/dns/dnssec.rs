//! Whether the domain is signed, validly, and for how much longer (RFC 4033 to 4035).

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_resolver::proto::dnssec::{Algorithm, PublicKey};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use mailsonde_proto::{Severity, WallTime};

use super::authority::{Zone, ask, zone_of};
use super::group::{Context, Looked};
use super::records::RecordSet;
use super::settings::ExpectDnssec;
use crate::dns::{Answer, AskError, ExtendedError, Question, Security};
use crate::net::dns::Validation;
use crate::posture::Rule;

const DAY_S: i64 = 86_400;

/// Validation fails.
const BOGUS: Rule = Rule {
    name: "dns.dnssec.bogus",
    severity: Severity::Critical,
    source: "RFC 4033 section 5, RFC 4035 section 5.5",
    advice: "sign the zone again, or remove the DS records at the parent until it is; validating senders \
             deliver nothing meanwhile",
};
/// Its signatures have ended.
const EXPIRED: Rule = Rule {
    name: "dns.dnssec.expired",
    severity: Severity::Critical,
    source: "RFC 4035 section 5.3.1, RFC 8914 section 4.8",
    advice: "sign the zone again, and see why the signer stopped doing it by itself",
};
/// No key is the one that the parent vouches for.
const DS_MISMATCH: Rule = Rule {
    name: "dns.dnssec.ds_mismatch",
    severity: Severity::Critical,
    source: "RFC 4035 section 5.2, RFC 8914 section 4.10",
    advice: "give the parent the DS record of a key that signs the zone, or have it removed there",
};
/// Signatures end soon.
const ENDS_SOON: Rule = Rule {
    name: "dns.dnssec.ends_soon",
    severity: Severity::Warning,
    source: "RFC 4035 section 5.3.1, RFC 6781 section 4.4.2",
    advice: "see whether the zone's signer still runs: it should have signed again by now",
};
/// Signed, and the parent does not know.
const NO_DS: Rule = Rule {
    name: "dns.dnssec.no_ds",
    severity: Severity::Notice,
    source: "RFC 4035 section 2.4",
    advice: "give the parent a DS record of the zone's key; without it nobody can validate",
};
/// An algorithm that is no longer to be used.
const WEAK: Rule = Rule {
    name: "dns.dnssec.weak_algorithm",
    severity: Severity::Warning,
    source: "RFC 9904, RFC 9905",
    advice: "roll the zone to ECDSAP256SHA256 (13); validators begin to treat SHA-1 as unsigned",
};
/// Whether it is genuine cannot be told.
const INDETERMINATE: Rule = Rule {
    name: "dns.dnssec.indeterminate",
    severity: Severity::Warning,
    source: "RFC 4033 section 5",
    advice: "see why the resolver cannot look up that part of the chain of trust",
};
/// The resolver keeps the signatures to itself.
const UNCHECKED: Rule = Rule {
    name: "dns.dnssec.unchecked",
    severity: Severity::Notice,
    source: "RFC 4035 section 4.1",
    advice: "name a resolver that hands on DNSSEC records, or set dnssec = \"off\"",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] =
    &[&BOGUS, &EXPIRED, &DS_MISMATCH, &ENDS_SOON, &NO_DS, &WEAK, &INDETERMINATE, &UNCHECKED];

/// Looks at the domain's signatures.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        let status = match context.dns.ask(context.domain, RecordType::SOA).await {
            Ok(answer) => signed(context, &answer, &mut looked).await,
            Err(AskError::Bogus { why, .. }) => bogus(context, why, &mut looked).await,
            Err(AskError::Indeterminate { name, detail }) => {
                looked.find(&INDETERMINATE, format!("{name}: {detail}"));
                "indeterminate"
            }
            Err(error) => {
                looked.unanswered(&error);
                "unknown"
            }
        };
        looked.fact("dnssec.status", status);
        expected(context, status, &mut looked);
        looked
    }
    .boxed()
}

fn expected(context: &Context<'_>, status: &str, looked: &mut Looked) {
    let wanted = match context.check.expect_dnssec {
        Some(ExpectDnssec::Secure) => "secure",
        Some(ExpectDnssec::Insecure) => "insecure",
        None => return,
    };
    if status != wanted {
        looked.unexpected(
            "dns.dnssec",
            format!("the domain is {status}, where {wanted} is expected"),
        );
    }
}

/// What the parent vouches for, the algorithms, and the ends of the signatures.
async fn signed(context: &Context<'_>, answer: &Answer, looked: &mut Looked) -> &'static str {
    if answer.security == Security::Unchecked && context.check.dns.validation != Validation::Off {
        looked.find(&UNCHECKED, "the resolver hands on no signatures, not even the root's");
    }
    // Which zone it is does not depend on whether it is signed.
    let Ok(zone) = zone_of(context).await else { return answer.security.as_str() };
    let digests = context.dns.ask(&zone.name, RecordType::DS).await;
    if let Ok(digests) = &digests {
        looked.keep(RecordSet::of("ds", digests, RecordType::DS));
    }
    let Ok(keys) = context.dns.ask(&zone.name, RecordType::DNSKEY).await else {
        return answer.security.as_str();
    };
    let algorithms = algorithms(&keys.answers);
    if algorithms.is_empty() {
        return answer.security.as_str();
    }
    let words: Vec<String> = algorithms.iter().map(|each| each.to_string()).collect();
    looked.fact("dnssec.algorithms", words.join(" "));
    let has_ds = !digests.is_ok_and(|digests| digests.is_void(RecordType::DS));
    if answer.security == Security::Insecure && !has_ds {
        looked.find(&NO_DS, "the zone has keys, and its parent has no DS record of them");
        return answer.security.as_str();
    }
    // With a DS record a zone is insecure where no validator knows its algorithms any more.
    for weak in algorithms.iter().filter(|each| is_weak(**each)) {
        let number = u8::from(*weak);
        looked.find(&WEAK, format!("the zone has a key of the algorithm {weak} ({number})"));
    }
    if answer.security == Security::Insecure {
        return answer.security.as_str();
    }
    let mut records = keys.answers;
    records.extend(answer.answers.iter().cloned());
    for kind in [RecordType::MX, RecordType::NS] {
        if let Ok(told) = context.dns.ask(context.domain, kind).await {
            records.extend(told.answers);
        }
    }
    ends(context, &records, looked);
    answer.security.as_str()
}

fn algorithms(records: &[Record]) -> Vec<Algorithm> {
    let mut algorithms: Vec<Algorithm> = records
        .iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key.public_key().algorithm()),
            _ => None,
        })
        .collect();
    algorithms.sort_by_key(|algorithm| u8::from(*algorithm));
    algorithms.dedup();
    algorithms
}

/// What RFC 9904 (before it RFC 8624 section 3.1) and RFC 9905 say MUST NOT or is NOT RECOMMENDED to be
/// used for signing: RSAMD5, DSA, RSASHA1, DSA-NSEC3-SHA1, RSASHA1-NSEC3-SHA1, ECC-GOST.
fn is_weak(algorithm: Algorithm) -> bool {
    matches!(u8::from(algorithm), 1 | 3 | 5 | 6 | 7 | 12)
}

/// The signature that ends first. A signer that signs for a day or two anew all the time is not late
/// before three quarters of that are over.
fn ends(context: &Context<'_>, records: &[Record], looked: &mut Looked) {
    let now_s = context.clock.wall().as_ns().div_euclid(1_000_000_000);
    let of_zone =
        signatures(records).filter(|each| each.input().signer_name.zone_of(context.domain));
    let first = of_zone
        .map(|signature| {
            let input = signature.input();
            let left = ahead(now_s, input.sig_expiration.get());
            let life =
                i64::from(input.sig_expiration.get().wrapping_sub(input.sig_inception.get()));
            (left, life, input.type_covered)
        })
        .min_by_key(|(left, ..)| *left);
    let Some((left, life, covered)) = first else { return };
    looked.fact("dnssec.ends", WallTime::from_s(now_s.saturating_add(left)).to_string());
    let wanted = (i64::from(context.check.signature_days) * DAY_S).min(life / 4);
    if left < wanted {
        let words = format!("the signature of {covered} ends in {} hours", left.div_euclid(3_600));
        looked.find(&ENDS_SOON, words);
    }
}

fn signatures(records: &[Record]) -> impl Iterator<Item = &RRSIG> {
    records.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => Some(signature),
        _ => None,
    })
}

/// Seconds from now to a signature's time, in serial number arithmetic (RFC 4034 section 3.1.5).
fn ahead(now_s: i64, then: u32) -> i64 {
    let now = u32::try_from(now_s.rem_euclid(1 << 32)).unwrap_or_default();
    let ahead = i64::from(then.wrapping_sub(now));
    if ahead < 1 << 31 { ahead } else { ahead - (1 << 32) }
}

/// In which way it is bogus: by the extended error, and by the signatures that the zone's own servers
/// show.
async fn bogus(
    context: &Context<'_>,
    why: Option<ExtendedError>,
    looked: &mut Looked,
) -> &'static str {
    let rule = match why.as_ref().map(|why| why.code) {
        Some(ExtendedError::SIGNATURE_EXPIRED) => &EXPIRED,
        Some(ExtendedError::DNSKEY_MISSING) => &DS_MISMATCH,
        _ => &BOGUS,
    };
    let mut words = why.as_ref().map_or_else(|| "validation fails".to_owned(), ToString::to_string);
    if let Some(why) = &why {
        looked.fact("dnssec.ede", why.code.to_string());
    }
    if let Ok(zone) = zone_of(context).await
        && let Some((signature, ended)) = from_server(context, &zone).await
    {
        looked.fact("dnssec.ends", ended.to_string());
        if ended < context.clock.wall() {
            words.push_str(&format!("; the name server's signature of {signature} ended {ended}"));
        }
    }
    looked.find(rule, words);
    "bogus"
}

/// The end of the signature that a name server shows of the domain's SOA.
async fn from_server(context: &Context<'_>, zone: &Zone) -> Option<(RecordType, WallTime)> {
    let address = zone.servers.iter().flat_map(|server| &server.addresses).next()?;
    let question = Question::to_authority(zone.name.clone(), RecordType::SOA);
    let reply = ask(context, *address, &question).await.ok()?;
    let now_s = context.clock.wall().as_ns().div_euclid(1_000_000_000);
    let ends = signatures(&reply.answers).map(|signature| {
        let left = ahead(now_s, signature.input().sig_expiration.get());
        (signature.input().type_covered, WallTime::from_s(now_s.saturating_add(left)))
    });
    ends.min_by_key(|(_, ends)| *ends)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, lines, looked};
    use super::*;

    #[tokio::test]
    async fn secure_insecure_and_bogus_are_told_apart() {
        const ZONE: &str = "
            ; secure
            good.test. SOA ns1.test. admin.test. 1 3600 600 1209600 300
            good.test. NS ns1.test.
            ; insecure
            plain.test. SOA ns1.test. admin.test. 1 3600 600 1209600 300
            island.test. SOA ns1.test. admin.test. 1 3600 600 1209600 300
            island.test. NS ns1.test.
            island.test. DNSKEY 257 3 13 AAAA
            old.test. SOA ns1.test. admin.test. 1 3600 600 1209600 300
            old.test. NS ns1.test.
            old.test. DNSKEY 257 3 3 AAAA
            old.test. DS 1 3 1 0000000000000000000000000000000000000000
            bogus.test. SOA BOGUS
            broken.test. SOA SERVFAIL
        ";
        for (domain, status, expected) in [
            ("good.test", "secure", vec![]),
            ("plain.test", "insecure", vec![]),
            (
                "island.test",
                "insecure",
                vec![
                    "notice dns.dnssec.no_ds: the zone has keys, and its parent has no DS record of \
                     them",
                ],
            ),
            // Nobody knows DSA any more: not that the parent has nothing to say makes it insecure.
            (
                "old.test",
                "insecure",
                vec![
                    "warning dns.dnssec.weak_algorithm: the zone has a key of the algorithm DSA (3)",
                ],
            ),
            ("bogus.test", "bogus", vec!["critical dns.dnssec.bogus: validation fails"]),
            (
                "broken.test",
                "unknown",
                vec![
                    "warning dns.unanswered: the DNS server answered SERVFAIL to the question for \
                     broken.test. SOA",
                ],
            ),
        ] {
            let looked = looked(ZONE, &check(domain), look).await;
            let told = looked.facts.iter().find(|fact| fact.name == "dnssec.status").unwrap();
            assert_eq!(told.value, status, "{domain}");
            assert_eq!(lines(&looked), expected, "{domain}");
            let mut strict = check(domain);
            strict.expect_dnssec = Some(ExpectDnssec::Secure);
            let looked = super::super::tests::looked(ZONE, &strict, look).await;
            assert_eq!(looked.faults.is_empty(), status == "secure", "{domain}");
        }
    }

    #[test]
    fn times_of_signatures_wrap_around() {
        assert_eq!(ahead(1_000, 1_100), 100);
        assert_eq!(ahead(1_100, 1_000), -100);
        assert_eq!(ahead((1 << 32) - 10, 10), 20);
        assert_eq!(ahead((1 << 32) + 10, u32::MAX), -11);
    }
}
