//! Trust anchors: where a chain of trust begins (RFC 4033 section 2).

use std::collections::BTreeSet;
use std::fmt;

use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_resolver::proto::dnssec::{PublicKey, TrustAnchors};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{LowerName, Name, RData};
use hickory_resolver::proto::serialize::txt::Parser;

/// The most records of one file.
const MOST: usize = 16;

/// Keys (DNSKEY) or digests of keys (DS) that are trusted without a proof.
#[derive(Clone)]
pub struct Anchors {
    keys: TrustAnchors,
    /// Whose digests are given rather than keys.
    digests: Vec<(Name, DS)>,
    zones: BTreeSet<Name>,
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anchors").field("zones", &self.zones).finish_non_exhaustive()
    }
}

/// Why a text holds no trust anchors.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorsError {
    /// It is not a zone file's text.
    #[error("it is no text of DNSKEY or DS records: {0}")]
    Unreadable(String),
    /// There is nothing in it, or too much.
    #[error("it has {0} DNSKEY or DS records, where 1 to {MOST} are expected")]
    Count(usize),
}

impl Anchors {
    /// Those of the real root, as the IANA publishes them: the keys of 2017 and 2024, built in.
    pub fn iana() -> Self {
        Self {
            keys: TrustAnchors::default(),
            digests: Vec::new(),
            zones: BTreeSet::from([Name::root()]),
        }
    }

    /// DNSKEY or DS records in a zone file's form, as `unbound-anchor` and `keymgr ds` write them.
    ///
    /// # Errors
    /// When there is none in it.
    pub fn from_text(text: &str) -> Result<Self, AnchorsError> {
        let (_, sets) = Parser::new(text.to_owned(), None, Some(Name::root()))
            .parse()
            .map_err(|error| AnchorsError::Unreadable(error.to_string()))?;
        let mut anchors =
            Self { keys: TrustAnchors::empty(), digests: Vec::new(), zones: BTreeSet::new() };
        let mut count = 0;
        for record in sets.values().flat_map(|set| set.records_without_rrsigs()) {
            let name = record.name.to_lowercase();
            match &record.data {
                RData::DNSSEC(DNSSECRData::DNSKEY(key)) => anchors.trust(&name, key),
                RData::DNSSEC(DNSSECRData::DS(digest)) => {
                    anchors.digests.push((name.clone(), digest.clone()));
                }
                _ => continue,
            }
            anchors.zones.insert(name);
            count += 1;
        }
        if (1..=MOST).contains(&count) { Ok(anchors) } else { Err(AnchorsError::Count(count)) }
    }

    /// The zones that have an anchor.
    pub(super) fn zones(&self) -> impl Iterator<Item = &Name> {
        self.zones.iter()
    }

    /// The keys of these zones' answers that are trusted: those given, and those whose digest is.
    pub(super) fn keys(&self, answers: &[Message]) -> TrustAnchors {
        let mut all = self.clone();
        for (name, key) in dnskeys(answers) {
            let is_given = |(owner, digest): &(Name, DS)| {
                *owner == name && digest.covers(&name, key).unwrap_or(false)
            };
            if self.digests.iter().any(is_given) {
                all.trust(&name, key);
            }
        }
        all.keys
    }

    /// Whether one of these keys is in the answers.
    pub(super) fn are_met(keys: &TrustAnchors, answers: &[Message]) -> bool {
        dnskeys(answers)
            .any(|(name, key)| keys.contains_with_name(key.public_key(), &LowerName::from(&name)))
    }

    fn trust(&mut self, zone: &Name, key: &DNSKEY) {
        let public: &dyn PublicKey = key.public_key();
        self.keys.insert_with_name(public, LowerName::from(zone));
    }
}

fn dnskeys(answers: &[Message]) -> impl Iterator<Item = (Name, &DNSKEY)> {
    answers.iter().flat_map(|answer| &answer.answers).filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some((record.name.to_lowercase(), key)),
        _ => None,
    })
}
