//! The control journal as judging reads it: every record that says what was in force, taken into the chronicle.
//!
//! Invariant: the chronicle is a fold over the records in their order and nothing else, so reading them again from
//! the first gives the same one. It is never stored.

use mailsonde_proto::journal::JournalError;

use super::record::{Control, ControlRecord};
use super::{ControlJournal, ControlNext};
use crate::judge::action::Action;
use crate::judge::chronicle::Chronicle;

/// Takes the next record of the control journal into the chronicle.
pub fn tell(chronicle: &mut Chronicle, record: &ControlRecord) {
    let at = record.received_at;
    match &record.control {
        Control::Enrolled(enrolled) => {
            chronicle.name(at, enrolled.agent, enrolled.name.clone(), enrolled.labels.clone());
        }
        Control::Revoked { agent } => chronicle.revoke(at, *agent),
        Control::Defined { agent, checks, .. } => chronicle.announce(at, *agent, checks),
        Control::Services(definitions) => chronicle.define(at, definitions.clone()),
        Control::Acted(Action::Planned(action)) => chronicle.plan(at, action),
        Control::Heard(heard) => chronicle.outside.hear(heard),
        Control::Acted(
            Action::Incident(_)
            | Action::Stated(_)
            | Action::FollowUp(_)
            | Action::Feedback(_)
            | Action::Report(_),
        )
        | Control::Archived { .. }
        | Control::Tick
        | Control::Started
        | Control::NotRun { .. }
        | Control::Notified(_)
        | Control::Operator(_)
        | Control::TokenMade(_)
        | Control::TokenWithdrawn { .. }
        | Control::Rejoined { .. }
        | Control::CloneNoticed { .. }
        | Control::Applied { .. }
        | Control::Access(_)
        | Control::Unknown => {}
    }
}

/// What the records before `next` come to. It reads the whole journal up to there.
///
/// # Errors
/// When the journal cannot be read.
pub fn chronicle_before(control: &ControlJournal, next: u64) -> Result<Chronicle, JournalError> {
    let mut chronicle = Chronicle::default();
    let mut records = control.follow(1);
    while records.position() < next {
        match records.read()? {
            ControlNext::Record { record, .. } => tell(&mut chronicle, &record),
            ControlNext::Gap { .. } => {}
            ControlNext::CaughtUp => break,
        }
    }
    Ok(chronicle)
}
