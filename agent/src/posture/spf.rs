//! The Sender Policy Framework (RFC 7208): records, their evaluation for one sender, and what is wrong
//! with a domain's own.
//!
//! The walk is our own, because no library tells how many look-ups a record needs and where they go.
//! Absent on purpose: the HELO identity as a second evaluation (ask for it with an empty sender).

pub mod macros;
pub mod record;

pub mod evaluate;
pub mod survey;
pub mod tree;

mod findings;

pub use evaluate::{Evaluation, Sender, SpfResult, check_host};
pub(crate) use findings::RULES;
pub use findings::examine;

/// Terms that look something up, at most (RFC 7208 section 4.6.4).
pub const MOST_LOOKUPS: u32 = 10;
/// Look-ups without an answer, at most (RFC 7208 section 4.6.4).
pub const MOST_VOIDS: u32 = 2;
/// Names of one `mx`, and of one `ptr` that count, at most (RFC 7208 section 4.6.4).
pub const MOST_NAMES: usize = 10;

/// The SPF records among the texts of a name: those that begin with `v=spf1` and then end or have a
/// space (RFC 7208 section 4.5).
pub fn records(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().filter(|text| record::terms_of(text).is_some()).collect()
}
