//! Trust anchors: where a chain of trust begins (RFC 4033 section 2).

use std::collections::BTreeSet;
use std::fmt;

use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_resolver::proto::dnssec::{PublicKey, TrustAnchors};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{LowerName, Name, RData};
use hickory_resolver::proto::serialize::txt::Parser;
use hickory_resolver::proto::serialize::txt::trust_anchor::{self, Entry};

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
        let mut anchors =
            Self { keys: TrustAnchors::empty(), digests: Vec::new(), zones: BTreeSet::new() };
        let mut count = 0;
        for record in records(text) {
            let unreadable = |why: String| AnchorsError::Unreadable(format!("{record:?}: {why}"));
            let zone = match record.kind {
                Kind::Key => anchors.read_key(&record.line),
                Kind::Digest => anchors.read_digest(&record.line),
            };
            anchors.zones.insert(zone.map_err(unreadable)?);
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

    /// A DNSKEY record; its zone.
    fn read_key(&mut self, line: &str) -> Result<Name, String> {
        let entries = trust_anchor::Parser::new(line.to_owned()).parse();
        let entries = entries.map_err(|error| error.to_string())?;
        let [Entry::DNSKEY(record)] = entries.as_slice() else {
            return Err("it is no DNSKEY record".to_owned());
        };
        let zone = record.name().to_lowercase();
        self.trust(&zone, record.data());
        Ok(zone)
    }

    /// A DS record; its zone.
    fn read_digest(&mut self, line: &str) -> Result<Name, String> {
        let parsed = Parser::new(line.to_owned(), None, Some(Name::root())).parse();
        let (_, sets) = parsed.map_err(|error| error.to_string())?;
        let mut records = sets.values().flat_map(|set| set.records_without_rrsigs());
        match records.next().map(|record| (record, &record.data)) {
            Some((record, RData::DNSSEC(DNSSECRData::DS(digest)))) => {
                let zone = record.name.to_lowercase();
                self.digests.push((zone.clone(), digest.clone()));
                Ok(zone)
            }
            _ => Err("it is no DS record".to_owned()),
        }
    }

    fn trust(&mut self, zone: &Name, key: &DNSKEY) {
        let public: &dyn PublicKey = key.public_key();
        self.keys.insert_with_name(public, LowerName::from(zone));
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Key,
    Digest,
}

/// One record on one line, with a time to live and a class, as hickory's readers want it.
#[derive(Debug)]
struct OneRecord {
    kind: Kind,
    line: String,
}

/// The DNSKEY and DS records of a zone file's text: comments are left out, parentheses join lines
/// (RFC 1035 section 5.1); other records are passed over.
fn records(text: &str) -> Vec<OneRecord> {
    let mut records = Vec::new();
    let mut whole = String::new();
    for line in text.lines() {
        whole.push_str(line.split(';').next().unwrap_or_default());
        whole.push(' ');
        if whole.matches('(').count() > whole.matches(')').count() {
            continue;
        }
        let words: Vec<&str> =
            whole.split(|c: char| c.is_whitespace() || "()".contains(c)).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let kind = words.iter().enumerate().skip(1).find_map(|(at, word)| match *word {
            "DNSKEY" => Some((at, Kind::Key)),
            "DS" => Some((at, Kind::Digest)),
            _ => None,
        });
        if let (Some(name), Some((at, kind))) = (words.first(), kind) {
            // Three numbers, then one value that may be written in parts.
            let numbers: Vec<&str> = words.iter().skip(at + 1).take(3).copied().collect();
            let value: String = words.iter().skip(at + 4).copied().collect();
            let word = if matches!(kind, Kind::Key) { "DNSKEY" } else { "DS" };
            let line = format!("{name} 3600 IN {word} {} {value}\n", numbers.join(" "));
            records.push(OneRecord { kind, line });
        }
        whole.clear();
    }
    records
}

fn dnskeys(answers: &[Message]) -> impl Iterator<Item = (Name, &DNSKEY)> {
    answers.iter().flat_map(|answer| &answer.answers).filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some((record.name.to_lowercase(), key)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str =
        "mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==";
    const DIGEST: &str = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";

    fn halves(text: &str) -> (&str, &str) {
        text.split_at(text.len() / 2)
    }

    #[test]
    fn keys_and_digests_are_read_as_tools_write_them() {
        for text in [
            format!(". IN DNSKEY 257 3 13 {KEY}"),
            format!(". 3600 IN DNSKEY 257 3 13 {KEY} ; a comment"),
            format!(". DNSKEY 257 3 13 {KEY}\n"),
            format!(". DNSKEY (257 3 13\n  {}\n {} ) ; state", halves(KEY).0, halves(KEY).1),
            format!("; root\n. 172800 IN DS 20326 8 2 {DIGEST}\n"),
            format!(". DS 20326 8 2 {} {}", halves(DIGEST).0, halves(DIGEST).1),
        ] {
            let anchors = Anchors::from_text(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(anchors.zones().collect::<Vec<_>>(), [&Name::root()], "{text}");
            let found = anchors.keys.len() + anchors.digests.len();
            assert_eq!(found, 1, "{text}");
        }
        assert_eq!(Anchors::from_text("").unwrap_err(), AnchorsError::Count(0));
        assert!(Anchors::from_text(". DNSKEY 257 3 13 !").is_err());
        assert!(Anchors::from_text("<xml/>").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_text_makes_it_panic(head in "(\\. |a\\.)?(3600 )?(IN )?(DS|DNSKEY)?", rest in ".{0,80}") {
            Anchors::from_text(&format!("{head} {rest}")).ok();
        }
    }
}
