//! The only judge of what a peer sent: messages become words, or a sentence that says what is wrong.
//!
//! Everything has a limit. An unknown field is skipped, an unknown enum value reads as `Unknown`, and a
//! verdict of a kind that we do not know is void: agents one version newer keep working, and what we
//! do not understand is never counted up.

mod limits;

mod enrolment;
mod meeting;
mod observation;
mod stream;

pub use enrolment::{Certified, EnrollRequest, RenewRequest};
pub use limits::{
    MAX_ASSIGNMENT_BYTES, MAX_BATCH_OBSERVATIONS, MAX_CHECKS, MAX_MESSAGE_BYTES,
    MAX_OBSERVATION_BYTES, MAX_SETTINGS_BYTES, PROTOCOL,
};
pub use meeting::{MeetAnswer, MeetRequest};
pub use observation::{observation_from_bytes, observation_to_bytes};
pub use stream::{
    Ack, Assigned, AssignedCheck, Assignment, Batch, CheckRefusal, Crossing, CrossingWord, Expect,
    FromAgent, FromCollector, Heartbeat, HeartbeatAnswer, Hello, MAX_HEADER_BYTES,
    ReceivingMailbox, Reject, RejectReason, Revision, RunAnswer, RunRequest, Seen, SeenAt,
    SequenceRange, Throttle, Tombstone, TombstoneReason, Unready, UnreadyReason, Welcome,
};

/// What a peer sent cannot be used, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are not the message they should be.
    #[error("not a {what} message: {detail}")]
    NotAMessage {
        /// Which message was expected.
        what: &'static str,
        /// The decoder's words.
        detail: String,
    },
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is longer, larger or more numerous than allowed.
    #[error("{what} is beyond its limit of {limit}")]
    TooMuch {
        /// Which field.
        what: &'static str,
        /// Bytes or items.
        limit: usize,
    },
    /// A field's value is not of its form.
    #[error("{what} is not {form}")]
    Form {
        /// Which field.
        what: &'static str,
        /// What it should be.
        form: &'static str,
    },
}
