//! How much of anything a peer may send.

use super::Malformed;
use crate::check::is_name;

/// The version of `uplink.proto` that this crate speaks.
pub const PROTOCOL: u32 = 1;

/// Bytes of one encoded observation.
pub const MAX_OBSERVATION_BYTES: usize = 256 * 1024;
/// Observations in one batch.
pub const MAX_BATCH_OBSERVATIONS: usize = 1_000;
/// Bytes of one message on the stream; below gRPC's own limit of 4 MiB.
pub const MAX_MESSAGE_BYTES: usize = 3 * 1024 * 1024;
/// Checks of one agent.
pub const MAX_CHECKS: usize = 1_000;

/// Bytes of one check's settings.
pub const MAX_SETTINGS_BYTES: usize = 16 * 1024;
/// Bytes of the settings of all checks that one agent is assigned.
pub const MAX_ASSIGNMENT_BYTES: usize = 2 * 1024 * 1024;

/// Receiving mailboxes of one agent.
pub(super) const MAX_MAILBOXES: usize = 32;
pub(super) const MAX_LABELS: usize = 64;
pub(super) const MAX_PHASES: usize = 64;
pub(super) const MAX_FACTS: usize = 256;
pub(super) const MAX_FINDINGS: usize = 128;
pub(super) const MAX_RANGES: usize = 1_000;
/// Of a name in dotted words, such as a fact's.
pub(super) const MAX_NAME_BYTES: usize = 128;
/// Of a sentence, a reply, an evidence, a value.
pub(super) const MAX_TEXT_BYTES: usize = 8 * 1024;
pub(super) const MAX_TRANSCRIPT_BYTES: usize = 64 * 1024;

/// A name of a check, a kind or a vantage point.
pub(super) fn name(what: &'static str, text: String) -> Result<String, Malformed> {
    if is_name(&text) {
        return Ok(text);
    }
    Err(Malformed::Form { what, form: "1 to 64 characters of a-z A-Z 0-9 . _ -" })
}

/// A text of at most `limit` bytes.
pub(super) fn text(what: &'static str, text: String, limit: usize) -> Result<String, Malformed> {
    if text.len() > limit { Err(Malformed::TooMuch { what, limit }) } else { Ok(text) }
}

/// The beginning of a text of our own, at most `limit` bytes of it.
pub(super) fn cut(mut text: String, limit: usize) -> String {
    text.truncate(text.floor_char_boundary(limit));
    text
}

/// At most `limit` items.
pub(super) fn count(what: &'static str, items: usize, limit: usize) -> Result<(), Malformed> {
    if items > limit { Err(Malformed::TooMuch { what, limit }) } else { Ok(()) }
}
