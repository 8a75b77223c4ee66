//! A message as JSON for programs, as the webhook and the command get it.
//!
//! The form, version 1:
//!
//! ```json
//! {
//!   "type": "mailsonde.opened",
//!   "version": 1,
//!   "timestamp": "2026-11-29T10:00:00Z",
//!   "data": {
//!     "id": "…", "conversation": "incident-17",
//!     "occasion": "opened", "severity": "major",
//!     "title": "…", "text": "…",
//!     "fields": [{ "name": "…", "value": "…" }],
//!     "links": [{ "label": "…", "url": "https://…" }]
//!   }
//! }
//! ```
//!
//! `type` ends with the occasion: opened, worse, escalated, acknowledged, update, over, digest, trouble, test, canary.
//! `id` is the same at every attempt: who has seen it has seen the message. A field may be added within a version.

use jiff::Timestamp;
use serde::Serialize;

use crate::judge::message::{Field, Link, Message};

/// Changes where a field goes or means something else.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Body<'m> {
    r#type: String,
    version: u32,
    timestamp: Timestamp,
    data: Told<'m>,
}

#[derive(Serialize)]
struct Told<'m> {
    id: &'m str,
    conversation: &'m str,
    occasion: &'static str,
    severity: &'static str,
    title: &'m str,
    text: &'m str,
    fields: &'m [Field],
    links: &'m [Link],
}

/// The whole of it.
pub(super) fn body(message: &Message) -> Vec<u8> {
    let occasion = message.occasion.as_str();
    let body = Body {
        r#type: format!("mailsonde.{occasion}"),
        version: VERSION,
        timestamp: message.at,
        data: Told {
            id: &message.id,
            conversation: &message.conversation,
            occasion,
            severity: message.severity.as_str(),
            title: &message.title,
            text: &message.text,
            fields: &message.fields,
            links: &message.links,
        },
    };
    serde_json::to_vec(&body).unwrap_or_default()
}
