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
//! `id` is the same at every attempt: who has seen it has seen the message. A field may be added within a
//! version. What is longer than is sensible is cut, so that all of it is 64 KiB at most.

use serde_json::{Value, json};

use super::desk::fitting;
use super::text::{self, PLAIN};
use crate::judge::message::Message;

/// Changes where a field goes or means something else.
const VERSION: u32 = 1;
const MAX_BYTES: usize = 64 << 10;
const MAX_TITLE: usize = 500;
const MAX_TEXT: usize = 10_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 2_000;
const MAX_FIELDS: usize = 40;
const MAX_LINKS: usize = 10;

/// The whole of it.
pub(super) fn body(message: &Message) -> Vec<u8> {
    let occasion = message.occasion.as_str();
    fitting(MAX_BYTES, MAX_TEXT, |most| {
        json!({
            "type": format!("mailsonde.{occasion}"),
            "version": VERSION,
            "timestamp": message.at,
            "data": {
                "id": message.id,
                "conversation": message.conversation,
                "occasion": occasion,
                "severity": message.severity.as_str(),
                "title": PLAIN.line(&message.title, MAX_TITLE),
                "text": PLAIN.text(&message.text, most),
                "fields": fields(message, most.min(MAX_VALUE)),
                "links": links(message),
            },
        })
    })
}

fn fields(message: &Message, most: usize) -> Vec<Value> {
    let fields = text::fields(message, MAX_FIELDS).into_iter();
    fields
        .map(|field| {
            let name = PLAIN.line(&field.name, MAX_NAME);
            json!({"name": name, "value": PLAIN.text(&field.value, most)})
        })
        .collect()
}

fn links(message: &Message) -> Vec<Value> {
    let links = text::links(message, MAX_LINKS).into_iter();
    links.map(|link| json!({"label": PLAIN.line(&link.label, MAX_NAME), "url": link.url})).collect()
}
