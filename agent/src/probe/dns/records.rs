//! Record sets as they are kept: in a form that is the same whenever the records are, with a digest.
//!
//! Absent on purpose: times to live, which a cache counts down, and the order, which means nothing
//! (RFC 2181 section 5).

use std::fmt::Write;

use hickory_resolver::proto::rr::{RData, RecordType};
use mailsonde_proto::Fact;
use ring::digest::{SHA256, digest};

use crate::dns::Answer;

/// Bytes kept of one set's text; the digest is of all of it.
const LONGEST: usize = 8 * 1024;
/// Bytes of a key; a fact's name has 128 at most.
const LONGEST_KEY: usize = 100;
/// The text of a set without records: that it is gone is a change too.
const NONE: &str = "(none)";

/// One record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) struct RecordSet {
    key: String,
    lines: Vec<String>,
}

impl RecordSet {
    /// The records of a type in an answer. `key` names the set within the domain, as in `record.KEY`:
    /// `mx`, `dmarc`, `a.mail.example.org`.
    pub(in crate::probe) fn of(key: impl Into<String>, answer: &Answer, kind: RecordType) -> Self {
        Self::of_lines(key, answer.data(kind).map(line))
    }

    /// Lines of the group's own making, such as a policy that was fetched.
    pub(in crate::probe) fn of_lines(
        key: impl Into<String>,
        lines: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut lines: Vec<String> = lines.into_iter().collect();
        lines.sort_unstable();
        lines.dedup();
        Self { key: bounded_key(&key.into()), lines }
    }

    /// All of it: one record a line, sorted.
    pub(in crate::probe) fn text(&self) -> String {
        if self.lines.is_empty() { NONE.to_owned() } else { self.lines.join("\n") }
    }

    /// SHA-256 of all of the text, in hexadecimal digits.
    pub(in crate::probe) fn digest(&self) -> String {
        hex::encode(digest(&SHA256, self.text().as_bytes()))
    }

    /// The two facts that it is kept as, the text of at most so many bytes.
    pub(in crate::probe) fn facts(&self, longest: usize) -> [Fact; 2] {
        let text = cut(&self.text(), longest.min(LONGEST));
        [
            Fact::new(format!("record.{}", self.key), text),
            Fact::new(format!("record.{}.digest", self.key), self.digest()),
        ]
    }
}

/// A text of at most so many bytes; what is cut off is told.
pub(in crate::probe) fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let mark = format!("… ({} bytes in all)", text.len());
    let room = longest.saturating_sub(mark.len());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{mark}", text.get(..end).unwrap_or_default())
}

/// One record's data on one line; names are lower case, because case means nothing in them (RFC 4343).
pub fn line(data: &RData) -> String {
    match data {
        RData::TXT(text) => printable(&text.txt_data.concat()),
        RData::CAA(caa) => {
            let value = printable(&caa.value);
            format!("{} {} \"{value}\"", caa.flags(), caa.tag.to_lowercase())
        }
        RData::A(_) | RData::AAAA(_) => data.to_string(),
        RData::MX(_) | RData::NS(_) | RData::CNAME(_) | RData::PTR(_) | RData::SRV(_) => {
            data.to_string().to_lowercase()
        }
        other => other.to_string(),
    }
}

/// Text on one line: what is no character, or controls something, as `\DDD` (RFC 1035 section 5.1).
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                // Writing to a String cannot fail.
                write!(text, "\\{:03}", u32::from(character)).ok();
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\{byte:03}").ok();
        }
    }
    text
}

/// A key of letters, digits, dots, dashes, underscores and colons; a long one keeps its beginning and a
/// digest of all of it.
fn bounded_key(key: &str) -> String {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let lower = key.trim_end_matches('.').to_lowercase();
    let clean: String = lower.chars().map(|c| if sound(c) { c } else { '_' }).collect();
    if clean.len() <= LONGEST_KEY && clean == lower {
        return clean;
    }
    let all = hex::encode(digest(&SHA256, lower.as_bytes()));
    let start: String = clean.chars().take(LONGEST_KEY - 17).collect();
    format!("{start}-{}", all.get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_is_the_same_in_any_order_and_another_when_it_changes() {
        let set = |lines: &[&str]| RecordSet::of_lines("mx", lines.iter().map(ToString::to_string));
        let (one, other) = (set(&["10 a.", "20 b."]), set(&["20 b.", "10 a."]));
        assert_eq!(one, other);
        assert_eq!(one.text(), "10 a.\n20 b.");
        assert_ne!(one.digest(), set(&["10 a."]).digest());
        let gone = set(&[]).facts(100);
        assert_eq!(
            (gone[0].name.as_str(), gone[0].value.as_str(), gone[1].name.as_str()),
            ("record.mx", "(none)", "record.mx.digest")
        );
    }

    #[test]
    fn the_digest_is_of_all_of_it() {
        let long = |end: &str| RecordSet::of_lines("txt", ["x".repeat(9_000) + end]);
        let (one, other) = (long("a").facts(8192), long("b").facts(8192));
        assert_eq!(one[0], other[0]);
        assert!(one[0].value.len() <= 8192 && one[0].value.ends_with("(9001 bytes in all)"));
        assert_ne!(one[1], other[1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_bytes_make_a_line_break_or_a_name_grow(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            key in ".{0,200}",
        ) {
            let line = printable(&bytes);
            prop_assert!(!line.contains(char::is_control), "{line:?}");
            let set = RecordSet::of_lines(key, [line]);
            for fact in set.facts(64) {
                prop_assert!(fact.name.len() <= 128 && fact.value.len() <= 64.max(NONE.len()));
            }
        }
    }
}
