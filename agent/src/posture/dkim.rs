//! DKIM keys (RFC 6376 section 3.6, RFC 8301, RFC 8463): what stands at a selector, and whether it is
//! good for anything.
//!
//! Selectors cannot be listed from DNS: they are given, or learnt from a signature. Absent on purpose: the
//! verification of signatures, which is done on mail that arrived.

mod key;

use hickory_resolver::proto::rr::{Name, RecordType};

use super::{Rule, Told, name_of, shown};
use crate::dns::Ask;

pub use key::{Algorithm, Key, KeyError};

/// Selectors of one domain that are looked at.
pub const MOST_SELECTORS: usize = 12;
/// Below it, nobody verifies (RFC 8301 section 3.2).
const LEAST_BITS: usize = 1024;
/// Below it, a key can be broken by those who want to (RFC 8301 section 3.2).
const GOOD_BITS: usize = 2048;
/// Above it, verifiers need not bother (RFC 8301 section 3.2).
const MOST_BITS: usize = 4096;

/// RFC 6376 section 3.6.2.2: a selector in use has a key.
const MISSING: Rule = Rule::critical(
    "dkim.missing",
    "RFC 6376 section 3.6.2.2",
    "publish the key of this selector, or take the selector out of the check: mail that is signed with it does not verify",
);
/// RFC 6376 section 3.6.2.2: with two records at a selector, the result is undefined.
const SEVERAL_RECORDS: Rule = Rule::critical(
    "dkim.several_records",
    "RFC 6376 section 3.6.2.2",
    "leave one TXT record at the selector: with several, each verifier takes another one",
);
/// RFC 6376 section 3.6.1: a record that cannot be read is no key.
const MALFORMED: Rule = Rule::critical(
    "dkim.malformed",
    "RFC 6376 section 3.6.1",
    "publish the record again as the signing software wrote it; mind keys that were cut at 255 characters",
);
/// RFC 6376 section 3.6.1: `p=` without a value revokes.
const REVOKED: Rule = Rule::warning(
    "dkim.revoked",
    "RFC 6376 section 3.6.1",
    "sign with another selector, and take this one out of the check: nothing that it signs verifies any more",
);
/// RFC 8301 section 3.2: verifiers must not take RSA keys below 1024 bits.
const UNUSABLE: Rule = Rule::critical(
    "dkim.key_unusable",
    "RFC 8301 section 3.2",
    "make a key of 2048 bits under a new selector: keys below 1024 bits count as no signature",
);
/// RFC 8301 section 3.2: signers should use at least 2048 bits.
const WEAK: Rule = Rule::warning(
    "dkim.key_weak",
    "RFC 8301 section 3.2",
    "make a key of 2048 bits under a new selector and retire this one",
);
/// RFC 8301 section 3.2: verifiers need to take keys of up to 4096 bits only.
const TOO_LARGE: Rule = Rule::warning(
    "dkim.key_too_large",
    "RFC 8301 section 3.2",
    "make a key of 2048 bits: verifiers need not take more than 4096",
);
/// RFC 6376 section 3.6.1: a key under test makes signed mail no better than unsigned.
const TESTING: Rule = Rule::warning(
    "dkim.testing",
    "RFC 6376 section 3.6.1",
    "remove t=y when the tests are over: until then verifiers may treat the mail as unsigned",
);
/// RFC 6376 section 3.6.1 and RFC 8301 section 3.1: `h=` must let SHA-256 through.
const NO_HASH: Rule = Rule::critical(
    "dkim.no_usable_hash",
    "RFC 8301 section 3.1",
    "remove h= or put sha256 into it: SHA-1 is no longer taken",
);
/// RFC 6376 section 3.6.1: `s=` must be `*` or name `email`.
const NOT_FOR_MAIL: Rule = Rule::critical(
    "dkim.not_for_mail",
    "RFC 6376 section 3.6.1",
    "remove s= or put email into it: as it is, the key does not count for mail",
);
/// RFC 6376 section 3.6.1: a key type that verifiers know.
const UNKNOWN_TYPE: Rule = Rule::critical(
    "dkim.unknown_key_type",
    "RFC 8463 section 4",
    "use k=rsa or k=ed25519: verifiers ignore keys of other types",
);
/// RFC 8463 section 3: not every verifier knows Ed25519, so there should be an RSA signature, too.
const ONLY_ED25519: Rule = Rule::notice(
    "dkim.only_ed25519",
    "RFC 8463 section 3",
    "sign with an RSA key of 2048 bits, too: many verifiers do not know Ed25519",
);

/// All of these, for the book.
pub(crate) const RULES: &[&Rule] = &[
    &MISSING,
    &SEVERAL_RECORDS,
    &MALFORMED,
    &REVOKED,
    &UNUSABLE,
    &WEAK,
    &TOO_LARGE,
    &TESTING,
    &NO_HASH,
    &NOT_FOR_MAIL,
    &UNKNOWN_TYPE,
    &ONLY_ED25519,
];

/// Looks at the keys of these selectors: a fact `dkim.SELECTOR.key` each, and the findings of this module.
pub async fn examine(ask: &dyn Ask, domain: &Name, selectors: &[String]) -> Told {
    let mut told = Told::new();
    let mut keys = Vec::new();
    for selector in selectors.iter().take(MOST_SELECTORS) {
        keys.extend(one(ask, domain, selector, &mut told).await);
    }
    let only_ed25519 = keys.iter().all(|key| key.algorithm == Algorithm::Ed25519);
    if !keys.is_empty() && only_ed25519 {
        told.finding(&ONLY_ED25519, format!("all keys of {} are Ed25519", shown(domain)));
    }
    told
}

/// The key of one selector that is there and not revoked.
async fn one(ask: &dyn Ask, domain: &Name, selector: &str, told: &mut Told) -> Option<Key> {
    let at = format!("{selector}._domainkey.{}", shown(domain));
    let Some(name) = name_of(&at) else {
        told.finding(&MISSING, format!("{at} is no name that DNS can have"));
        return None;
    };
    let mut texts = match ask.ask(&name, RecordType::TXT).await {
        Ok(answer) => answer.texts(),
        Err(error) => {
            told.unanswered(error);
            return None;
        }
    };
    told.keep(format!("dkim.{selector}"), texts.clone());
    let Some(text) = texts.pop() else {
        told.finding(&MISSING, format!("{at} has no TXT record"));
        return None;
    };
    if !texts.is_empty() {
        told.finding(&SEVERAL_RECORDS, format!("{at} has {} TXT records", texts.len() + 1));
        return None;
    }
    match Key::parse(&text) {
        Ok(key) => {
            told.fact(format!("dkim.{selector}.key"), key.to_string());
            judge(&key, &at, told);
            Some(key).filter(|key| key.algorithm != Algorithm::Revoked)
        }
        Err(error) => {
            told.finding(&MALFORMED, format!("{at}: {error}"));
            None
        }
    }
}

fn judge(key: &Key, at: &str, told: &mut Told) {
    match &key.algorithm {
        Algorithm::Revoked => told.finding(&REVOKED, format!("{at} has an empty p=")),
        Algorithm::Rsa { bits } => {
            let evidence = format!("{at} has an RSA key of {bits} bits");
            if *bits < LEAST_BITS {
                told.finding(&UNUSABLE, evidence);
            } else if *bits < GOOD_BITS {
                told.finding(&WEAK, evidence);
            } else if *bits > MOST_BITS {
                told.finding(&TOO_LARGE, evidence);
            }
        }
        Algorithm::Ed25519 => {}
        Algorithm::Unknown(name) => told.finding(&UNKNOWN_TYPE, format!("{at} has k={name}")),
    }
    if key.is_testing {
        told.finding(&TESTING, format!("{at} has the flag t=y"));
    }
    if !key.allows_sha256() {
        told.finding(&NO_HASH, format!("{at} allows {} only", key.hashes.join(":")));
    }
    if !key.is_for_mail() {
        told.finding(&NOT_FOR_MAIL, format!("{at} is for {} only", key.services.join(":")));
    }
}

#[cfg(test)]
mod tests;
