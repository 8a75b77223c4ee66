//! `[[sender]]`: another agent whose signed mail is believed.

use super::super::section::Section;
use crate::mail::token::Sender;

/// Reads one; what is wrong is reported.
pub(super) fn read(mut section: Section<'_>) -> Option<Sender> {
    let name = section.required_name("name");
    let text = section.required_text("key");
    let key = text.and_then(|text| match text.parse() {
        Ok(key) => Some(key),
        Err(error) => {
            section.mistake("key", format!("key {error}"));
            None
        }
    });
    section.finish();
    Some(Sender { name: name?, key: key? })
}
