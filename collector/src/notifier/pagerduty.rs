//! PagerDuty, by its Events API v2 (developer.pagerduty.com/docs/events-api-v2).
//!
//! ```toml
//! kind = "pagerduty"
//! key_file = "pagerduty.key"    # the integration (routing) key of a service
//! #api = "https://events.eu.pagerduty.com"
//! ```
//!
//! A conversation is one alert by `dedup_key`: opened, worse, escalated and updates trigger it, acknowledged
//! acknowledges it, over resolves it. What nobody has to act on (digest, test, canary) is triggered and resolved at
//! once. Limits: summary 1,024 characters, dedup_key 255, 512 KB in all. PagerDuty answers 202: it has the event, and
//! whether it wakes anybody its own rules say; so nothing is `confirmed`. Absent on purpose: change events.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use url::Url;

use super::desk::{Desk, fitting, json};
use super::source::{self, KEY, Source};
use super::text::{self, PLAIN};
use super::{Channel, Handle, Outcome, Post};
use crate::judge::incident::Severity;
use crate::judge::message::{Message, Occasion};
use crate::secret::Secret;

const MAX_BYTES: usize = 500 << 10;
const MAX_SUMMARY: usize = 1_024;
const MAX_DEDUP_KEY: usize = 255;
const MAX_TEXT: usize = 20_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 2_000;
const MAX_FIELDS: usize = 30;
const MAX_LINKS: usize = 10;

#[derive(Debug)]
struct PagerDuty {
    desk: Desk,
    api: Url,
    key: Secret,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let key = source.secret(KEY, "the integration key of a service");
    let api = source.url("api", "https://events.pagerduty.com");
    let key = key?;
    let desk = source.desk([&key])?;
    Some(Arc::new(PagerDuty { desk, api: api?, key }))
}

impl Channel for PagerDuty {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move { self.attempt(post.message).await.unwrap_or_else(|failed| failed) }.boxed()
    }

    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn destination(&self) -> String {
        source::host(&self.api)
    }
}

impl PagerDuty {
    async fn attempt(&self, message: &Message) -> Result<Outcome, Outcome> {
        for (at, action) in actions(message).iter().enumerate() {
            let enqueued = self.enqueue(event(message, action, &self.key)).await;
            enqueued.map_err(|failed| if at == 0 { failed } else { failed.halfway() })?;
        }
        let handle = Handle::of(dedup_key(message));
        let said = "Event processed".to_owned();
        Ok(Outcome::Sent { handle, confirmed: false, said })
    }

    async fn enqueue(&self, event: Vec<u8>) -> Result<(), Outcome> {
        let url = source::below(&self.api, "v2/enqueue").unwrap_or_else(|| self.api.clone());
        let answer = self.desk.post(url, event).await?;
        match json(&answer).get("status").and_then(Value::as_str) {
            Some("success") => Ok(()),
            _ => Err(self.desk.strange(&answer)),
        }
    }
}

/// What PagerDuty is to do, in order.
const fn actions(message: &Message) -> &'static [&'static str] {
    match message.occasion {
        Occasion::Opened
        | Occasion::Worse
        | Occasion::Escalated
        | Occasion::Update
        | Occasion::Trouble => &["trigger"],
        Occasion::Acknowledged => &["acknowledge"],
        Occasion::Over => &["resolve"],
        // what was held back and is major wakes somebody, who closes it
        Occasion::Digest if text::is_major(message) => &["trigger"],
        Occasion::Digest | Occasion::Test | Occasion::Canary => &["trigger", "resolve"],
    }
}

fn event(message: &Message, action: &str, key: &Secret) -> Vec<u8> {
    fitting(MAX_BYTES, MAX_TEXT, |most| {
        let mut event = json!({
            "routing_key": key.expose(),
            "event_action": action,
            "dedup_key": dedup_key(message),
        });
        if let ("trigger", Some(event)) = (action, event.as_object_mut()) {
            event.insert("payload".to_owned(), payload(message, most));
            event.insert("client".to_owned(), json!("Mailsonde"));
            event.insert("links".to_owned(), json!(links(message)));
        }
        event
    })
}

fn payload(message: &Message, most: usize) -> Value {
    let mut details = Map::new();
    details.insert("text".to_owned(), json!(PLAIN.text(&message.text, most)));
    for field in text::fields(message, MAX_FIELDS) {
        let value = PLAIN.text(&field.value, most.min(MAX_VALUE));
        details.insert(PLAIN.line(&field.name, MAX_NAME), json!(value));
    }
    details.insert("id".to_owned(), json!(message.id));
    json!({
        "summary": PLAIN.line(&message.title, MAX_SUMMARY),
        "source": "mailsonde",
        "severity": severity(message),
        "timestamp": message.at.to_string(),
        "component": "e-mail",
        "class": message.occasion.as_str(),
        "custom_details": details,
    })
}

fn links(message: &Message) -> Vec<Value> {
    let links = text::links(message, MAX_LINKS).into_iter();
    links.map(|link| json!({"href": link.url, "text": PLAIN.line(&link.label, MAX_NAME)})).collect()
}

fn dedup_key(message: &Message) -> String {
    PLAIN.line(&message.conversation, MAX_DEDUP_KEY)
}

const fn severity(message: &Message) -> &'static str {
    match (message.occasion, message.severity) {
        (Occasion::Test | Occasion::Canary, _) => "info",
        (_, Severity::Critical) => "critical",
        (_, Severity::Major) => "error",
        (_, Severity::Minor) => "warning",
        (_, Severity::Notice) => "info",
    }
}

#[cfg(test)]
mod tests;
