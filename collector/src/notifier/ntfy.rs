//! ntfy, by publishing as JSON (docs.ntfy.sh/publish).
//!
//! ```toml
//! kind = "ntfy"
//! topic = "mail-operations"
//! #server = "https://ntfy.example.org"   # without it https://ntfy.sh
//! #token_file = "ntfy.token"             # tk_…, where the topic is not open to everybody
//! ```
//!
//! A conversation is one notification by `sequence_id` (ntfy 2.16 and later): what follows takes the place of what was
//! shown, and older servers show each. Nothing is markup. Limits: message 4,096 bytes (longer ones become
//! attachments), three actions. ntfy answers with the message as it stands in the topic. Absent on purpose: e-mail and
//! calls by ntfy, and a link to open by a touch, which could be the one that acknowledges.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use url::Url;

use super::desk::{Desk, json};
use super::source::{self, Source, TOKEN};
use super::text::{self, PLAIN_BYTES};
use super::{Channel, Handle, Outcome, Post};
use crate::judge::incident::Severity;
use crate::judge::message::{Message, Occasion};

const MAX_TITLE: usize = 250;
/// With the fields and what is beside them, 4,096 at most.
const MAX_TEXT: usize = 1_800;
const MAX_NAME: usize = 60;
const MAX_VALUE: usize = 150;
const MAX_FIELDS: usize = 8;
const MAX_BYLINE: usize = 300;
const MAX_ACTIONS: usize = 3;
const MAX_LABEL: usize = 40;
const MAX_SEQUENCE_ID: usize = 64;

#[derive(Debug)]
struct Ntfy {
    desk: Desk,
    server: Url,
    topic: String,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let token = source.secret_if_any(TOKEN);
    let server = source.url("server", "https://ntfy.sh");
    source.section.require("topic", "to which to publish");
    let topic = source.section.read("topic", topic);
    let mut desk = source.desk(&token)?;
    if let Some(token) = &token {
        desk = desk.with(AUTHORIZATION, &format!("Bearer {}", token.expose()))?;
    }
    Some(Arc::new(Ntfy { desk, server: server?, topic: topic? }))
}

fn topic(text: &str) -> Result<String, &'static str> {
    let is_form = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_form && (1..=64).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 letters, digits, dashes or underscores")
    }
}

impl Channel for Ntfy {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            let body = payload(post.message, &self.topic).to_string().into_bytes();
            let answer = match self.desk.post(self.server.clone(), body).await {
                Ok(answer) => answer,
                Err(failed) => return failed,
            };
            let said = json(&answer);
            let is_message = said.get("event").and_then(Value::as_str) == Some("message");
            match said.get("id").and_then(Value::as_str).filter(|_| is_message) {
                Some(id) => {
                    let said = format!("message {}", text::one_line(id));
                    Outcome::Sent { handle: Handle::of(id), confirmed: true, said }
                }
                None => self.desk.strange(&answer),
            }
        }
        .boxed()
    }

    fn kind(&self) -> &'static str {
        "ntfy"
    }

    fn destination(&self) -> String {
        format!("{} at {}", self.topic, source::host(&self.server))
    }
}

fn payload(message: &Message, topic: &str) -> Value {
    let mut lines = vec![PLAIN_BYTES.text(&message.text, MAX_TEXT)];
    for field in text::fields(message, MAX_FIELDS) {
        let name = PLAIN_BYTES.line(&field.name, MAX_NAME);
        lines.push(format!("{name}: {}", PLAIN_BYTES.text(&field.value, MAX_VALUE)));
    }
    lines.push(PLAIN_BYTES.line(&text::byline(message), MAX_BYLINE));
    lines.retain(|line| !line.is_empty());
    let links = text::links(message, MAX_ACTIONS);
    let actions: Vec<_> = links
        .iter()
        .map(|link| {
            let label = PLAIN_BYTES.line(&link.label, MAX_LABEL);
            json!({"action": "view", "label": label, "url": link.url})
        })
        .collect();
    json!({
        "topic": topic,
        "sequence_id": sequence_id(message),
        "title": PLAIN_BYTES.line(&message.title, MAX_TITLE),
        "message": lines.join("\n"),
        "priority": priority(message),
        "tags": [tag(message), message.occasion.as_str()],
        "actions": actions,
    })
}

/// Letters, digits, dashes and underscores only.
fn sequence_id(message: &Message) -> String {
    let letters = message.conversation.chars();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    letters.filter(is_plain).take(MAX_SEQUENCE_ID).collect()
}

/// 5 rings until it is seen, 3 is a usual one, 2 makes no sound.
const fn priority(message: &Message) -> u8 {
    match (message.occasion, message.severity) {
        (Occasion::Canary | Occasion::Acknowledged, _) => 2,
        (Occasion::Digest, Severity::Minor | Severity::Notice) => 2,
        (Occasion::Over | Occasion::Update | Occasion::Test, _) => 3,
        (_, Severity::Critical) => 5,
        (_, Severity::Major) => 4,
        (_, Severity::Minor | Severity::Notice) => 3,
    }
}

/// By the names of emoji, which ntfy shows.
const fn tag(message: &Message) -> &'static str {
    match (message.occasion, message.severity) {
        (Occasion::Over, _) => "white_check_mark",
        (Occasion::Digest | Occasion::Test | Occasion::Canary, _) => "information_source",
        (_, Severity::Critical | Severity::Major) => "rotating_light",
        (_, Severity::Minor | Severity::Notice) => "warning",
    }
}

#[cfg(test)]
mod tests;
