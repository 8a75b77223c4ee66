//! What a domain publishes about its mail, judged by the RFCs that say how.
//!
//! Each module reads one kind of record over [`Ask`](crate::dns::Ask) and tells what it learnt as facts
//! and findings. Whatever DNS gives is bounded before it is kept. Absent on purpose: schedules, verdicts,
//! and any socket that is not opened by `net`.

pub mod spf;

pub mod dkim;
pub mod dmarc;

pub mod dane;
pub mod mta_sts;
pub mod tlsrpt;

pub mod bimi;

mod rule;
mod tags;
mod told;

pub mod fuzzed;
#[cfg(test)]
mod hostile;

use hickory_resolver::proto::rr::Name;

pub use rule::{Rule, bounded, one_line};
pub use told::Told;

/// The name that a text is, whatever bytes its labels have; `None` when a label is empty or longer than
/// 63 bytes, or the whole longer than 255 (RFC 1035 section 2.3.4).
pub fn name_of(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let labels = text.split('.').map(str::as_bytes);
    if labels.clone().any(|label| label.is_empty() || label.len() > 63) {
        return None;
    }
    Name::from_labels(labels).ok()
}

/// A name for people and for comparison: lower case, without the final dot.
pub fn shown(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("Example.ORG", Some("example.org")),
            ("example.org.", Some("example.org")),
            ("_25._tcp.mx.example.org", Some("_25._tcp.mx.example.org")),
            ("a..b", None),
            (".a", None),
            ("", None),
            (".", None),
            (&format!("{}.org", "a".repeat(64)), None),
            (&vec!["a".repeat(60); 5].join("."), None),
        ] {
            assert_eq!(name_of(text).map(|name| shown(&name)).as_deref(), expected, "{text}");
        }
    }
}
