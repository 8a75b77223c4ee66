//! DMARC (RFC 9989): the policy of a domain, where the tree walk finds it, and what is wrong with it.
//!
//! Absent on purpose: the judgement of messages, and the public suffix list, which RFC 9989 replaced by
//! the walk.

pub mod record;
pub mod walk;

mod findings;
mod reports;

pub(crate) use findings::RULES;
pub use findings::{Enforcement, examine};
pub use record::{Policy, Record};
pub use walk::Walk;
