//! Why a mailbox is not used.

use mailsonde_proto::FaultClass;

use super::super::failure::Failure;
use super::super::imap;
use crate::stopwatch::Lap;

/// Why a mailbox cannot be watched.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// As it is reported.
    pub failure: Failure,
    /// What was timed until then.
    pub laps: Vec<Lap>,
    /// What was said.
    pub transcript: String,
}

impl Refusal {
    pub(super) fn of_junk_named(junk: &str) -> Self {
        let words = format!(
            "{junk} is the mailbox's junk folder: set expect = \"junk\" instead of folder = \"{junk}\""
        );
        let failure = Failure::new(imap::name::SELECT, FaultClass::Protocol, words);
        Self { failure, laps: Vec::new(), transcript: String::new() }
    }
}
