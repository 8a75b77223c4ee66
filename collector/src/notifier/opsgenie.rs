//! Opsgenie and Jira Service Management, by the alert API v2 (docs.opsgenie.com/docs/alert-api).
//!
//! ```toml
//! kind = "opsgenie"
//! key_file = "opsgenie.key"     # of an API integration
//! #api = "https://api.eu.opsgenie.com"
//! ```
//!
//! Opsgenie itself ends in April 2027; `api = "https://api.atlassian.com/jsm/ops/integration"` is the same for Jira
//! Service Management. A conversation is one alert by its alias: opened creates it, worse and escalated create it again
//! (which counts it, or opens it where it was closed) and add a note, an update adds a note, acknowledged and over
//! acknowledge and close it. What nobody has to act on (digest, test, canary) is closed at once. Limits: message 130
//! characters, alias 512, description 15,000, note 25,000, details 8,000 in all. It answers 202 and works afterwards:
//! nothing is `confirmed`. Absent on purpose: responders, which its own routing chooses.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::AUTHORIZATION;
use serde_json::{Map, Value, json};
use url::Url;

use super::desk::{Desk, json};
use super::source::{self, KEY, Source};
use super::text::{self, PLAIN};
use super::{Channel, Handle, Outcome, Post};
use crate::judge::incident::Severity;
use crate::judge::message::{Message, Occasion};

const MAX_MESSAGE: usize = 130;
const MAX_ALIAS: usize = 512;
const MAX_TEXT: usize = 10_000;
const MAX_NAME: usize = 60;
const MAX_VALUE: usize = 400;
const MAX_FIELDS: usize = 16;
const MAX_LINKS: usize = 5;

#[derive(Debug)]
struct Opsgenie {
    desk: Desk,
    api: Url,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let key = source.secret(KEY, "the key of an API integration");
    let api = source.url("api", "https://api.opsgenie.com");
    let key = key?;
    let desk = source.desk([&key])?.with(AUTHORIZATION, &format!("GenieKey {}", key.expose()))?;
    Some(Arc::new(Opsgenie { desk, api: api? }))
}

impl Channel for Opsgenie {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move { self.attempt(post.message).await.unwrap_or_else(|failed| failed) }.boxed()
    }

    fn kind(&self) -> &'static str {
        "opsgenie"
    }

    fn destination(&self) -> String {
        source::host(&self.api)
    }
}

/// What is asked of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Note,
    Acknowledge,
    Close,
}

impl Opsgenie {
    async fn attempt(&self, message: &Message) -> Result<Outcome, Outcome> {
        let mut said = String::new();
        for (at, step) in steps(message).iter().enumerate() {
            let body = body(message, *step).to_string().into_bytes();
            let answer = self.desk.post(self.url(message, *step), body).await;
            let answer =
                answer.map_err(|failed| if at == 0 { failed } else { failed.halfway() })?;
            if json(&answer).get("requestId").is_none() {
                return Err(self.desk.strange(&answer));
            }
            said = self.desk.said(&answer);
        }
        Ok(Outcome::Sent { handle: Handle::of(alias(message)), confirmed: false, said })
    }

    fn url(&self, message: &Message, step: Step) -> Url {
        let step = match step {
            Step::Create => None,
            Step::Note => Some("notes"),
            Step::Acknowledge => Some("acknowledge"),
            Step::Close => Some("close"),
        };
        let mut url = source::below(&self.api, "v2/alerts").unwrap_or_else(|| self.api.clone());
        if let Some(step) = step {
            if let Ok(mut path) = url.path_segments_mut() {
                path.push(&alias(message)).push(step);
            }
            url.query_pairs_mut().append_pair("identifierType", "alias");
        }
        url
    }
}

const fn steps(message: &Message) -> &'static [Step] {
    match message.occasion {
        Occasion::Opened | Occasion::Trouble => &[Step::Create],
        Occasion::Worse | Occasion::Escalated => &[Step::Create, Step::Note],
        Occasion::Update => &[Step::Note],
        Occasion::Acknowledged => &[Step::Acknowledge],
        Occasion::Over => &[Step::Close],
        // what was held back and is major wakes somebody, who closes it
        Occasion::Digest if text::is_major(message) => &[Step::Create],
        Occasion::Digest | Occasion::Test | Occasion::Canary => &[Step::Create, Step::Close],
    }
}

fn body(message: &Message, step: Step) -> Value {
    if step != Step::Create {
        let note = format!("{}\n\n{}\n\n{}", message.title, message.text, text::byline(message));
        return json!({"source": "Mailsonde", "note": PLAIN.text(&note, MAX_TEXT)});
    }
    let mut details = Map::new();
    for field in text::fields(message, MAX_FIELDS) {
        let value = PLAIN.text(&field.value, MAX_VALUE);
        details.insert(PLAIN.line(&field.name, MAX_NAME), json!(value));
    }
    details.insert("id".to_owned(), json!(message.id));
    let links = text::links(message, MAX_LINKS);
    let links: Vec<_> = links.iter().map(|link| format!("{}: {}", link.label, link.url)).collect();
    let description = format!("{}\n\n{}", message.text, links.join("\n"));
    json!({
        "message": PLAIN.line(&message.title, MAX_MESSAGE),
        "alias": alias(message),
        "description": PLAIN.text(&description, MAX_TEXT),
        "priority": priority(message),
        "source": "Mailsonde",
        "entity": "e-mail",
        "tags": ["mailsonde", message.severity.as_str(), message.occasion.as_str()],
        "details": details,
    })
}

fn alias(message: &Message) -> String {
    PLAIN.line(&message.conversation, MAX_ALIAS)
}

const fn priority(message: &Message) -> &'static str {
    match (message.occasion, message.severity) {
        (Occasion::Test | Occasion::Canary, _) => "P5",
        (_, Severity::Critical) => "P1",
        (_, Severity::Major) => "P2",
        (_, Severity::Minor) => "P3",
        (_, Severity::Notice) => "P4",
    }
}

#[cfg(test)]
mod tests;
