//! Slack, by an incoming webhook or by a bot (Block Kit; docs.slack.dev, `chat.postMessage` and `chat.update`).
//!
//! ```toml
//! kind = "slack"
//! url_file = "slack.url"        # an incoming webhook: each message stands for itself
//! ```
//! ```toml
//! kind = "slack"
//! token_file = "slack.token"    # a bot's (xoxb-…) with chat:write: what follows goes into a thread
//! to = "C0123456789"            # the channel; the bot must be in it
//! ```
//!
//! By a bot what follows is answered in the thread of the first message, and shown in the channel too where it is
//! worse or over; over, the first message is changed as well. Text stands in `plain_text` and `rich_text`, in which
//! nothing is markup and nobody is called. Limits: header 150, text 3,000, button 75, 50 blocks; 9,000 bytes in all.
//! About one message a second is taken. Absent on purpose: Slack's 200 with `"ok": false` as a success.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use url::Url;

use super::desk::{Desk, fitting, json};
use super::source::{self, SecretUrl, Source, TOKEN};
use super::text::{self, PLAIN, Style, Unit};
use super::{Channel, Handle, Outcome, Post};
use crate::judge::message::{Message, Occasion};
use crate::outward::Answer;

const MAX_BYTES: usize = 9_000;
const MAX_HEADER: usize = 150;
const MAX_TEXT: usize = 3_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 500;
const MAX_BUTTON: usize = 75;
const MAX_FIELDS: usize = 10;
const MAX_BUTTONS: usize = 5;
/// Characters of a context element at most.
const MAX_CONTEXT: usize = 300;

/// Slack's text objects know three entities, in `plain_text` too.
const ESCAPED: Style = Style { escape: text::entities, unit: Unit::Character };

#[derive(Debug)]
enum Slack {
    Webhook { desk: Desk, url: SecretUrl },
    Bot { desk: Desk, api: Url, to: String },
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let is_bot = source.section.has(TOKEN.file) || source.section.has(TOKEN.env);
    if is_bot {
        let token = source.secret(TOKEN, "a bot's token");
        let api = source.url("api", "https://slack.com/api");
        let to = source.word("to", "the channel, such as to = \"C0123456789\"", 80);
        let token = token?;
        let desk = source.desk([&token])?;
        let desk = desk.with(AUTHORIZATION, &format!("Bearer {}", token.expose()))?;
        return Some(Arc::new(Slack::Bot { desk, api: api?, to: to? }));
    }
    let url = source.secret_url("an incoming webhook's URL, or token_file with a bot's token")?;
    let desk = source.desk(&url.parts())?;
    Some(Arc::new(Slack::Webhook { desk, url }))
}

impl Channel for Slack {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            let sent = match self {
                Self::Webhook { desk, url } => by_webhook(desk, url, post.message).await,
                Self::Bot { desk, api, to } => Bot { desk, api, to }.send(post).await,
            };
            sent.unwrap_or_else(|failed| failed)
        }
        .boxed()
    }

    fn kind(&self) -> &'static str {
        "slack"
    }

    fn destination(&self) -> String {
        match self {
            Self::Webhook { url, .. } => url.host(),
            Self::Bot { api, to, .. } => format!("{to} by {}", source::host(api)),
        }
    }
}

async fn by_webhook(desk: &Desk, url: &SecretUrl, message: &Message) -> Result<Outcome, Outcome> {
    let answer = desk.post(url.expose().clone(), payload(message, &json!({}))).await?;
    let is_ok = answer.body.trim_ascii() == b"ok";
    Ok(if is_ok { desk.sent(&answer, None, true) } else { desk.strange(&answer) })
}

struct Bot<'b> {
    desk: &'b Desk,
    api: &'b Url,
    to: &'b str,
}

impl Bot<'_> {
    async fn send(&self, post: Post<'_>) -> Result<Outcome, Outcome> {
        let message = post.message;
        let first = post.earlier.and_then(|handle| handle.0.split_once(' '));
        let Some((channel, ts)) = first else {
            let answer = self
                .ask("chat.postMessage", payload(message, &json!({"channel": self.to})))
                .await?;
            let body = json(&answer);
            let [channel, ts] = ["channel", "ts"].map(|key| body.get(key).and_then(Value::as_str));
            let handle =
                channel.zip(ts).and_then(|(channel, ts)| Handle::of(format!("{channel} {ts}")));
            return Ok(self.desk.sent(&Answer { body: b"ok".to_vec(), ..answer }, handle, true));
        };
        let reply = json!({
            "channel": channel, "thread_ts": ts, "reply_broadcast": is_for_all(message.occasion),
        });
        let answer = self.ask("chat.postMessage", payload(message, &reply)).await?;
        let answer = Answer { body: b"ok".to_vec(), ..answer };
        // it is over, or has come back: the first message says how it is
        if text::changes_first(message.occasion) {
            let changed = payload(message, &json!({"channel": channel, "ts": ts}));
            // The reply is there; that the first message still reads as it did is no reason to send it twice.
            if self.ask("chat.update", changed).await.is_err() {
                let words = b"ok, but the first message could not be changed".to_vec();
                return Ok(self.desk.sent(&Answer { body: words, ..answer }, None, true));
            }
        }
        Ok(self.desk.sent(&answer, None, true))
    }

    async fn ask(&self, method: &str, body: Vec<u8>) -> Result<Answer, Outcome> {
        let url = source::below(self.api, method).unwrap_or_else(|| self.api.clone());
        let answer = self.desk.post(url, body).await?;
        let said = json(&answer);
        match (said.get("ok").and_then(Value::as_bool), said.get("error").and_then(Value::as_str)) {
            (Some(true), _) => Ok(answer),
            (Some(false), Some(error)) => Err(self.failed(error, &answer)),
            _ => Err(self.desk.strange(&answer)),
        }
    }

    fn failed(&self, error: &str, answer: &Answer) -> Outcome {
        let why = self.desk.hide(&format!("Slack says {}", PLAIN.line(error, 100)));
        let later = |may_have_arrived| Outcome::Later {
            after: answer.retry_after,
            why: why.clone(),
            may_have_arrived,
        };
        match error {
            "ratelimited" | "rate_limited" | "message_limit_exceeded" => later(false),
            "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
                later(true)
            }
            "not_in_channel" => Outcome::Refused { why: format!("{why}: invite the bot to it") },
            _ => Outcome::Refused { why },
        }
    }
}

/// Whether what follows is to be seen by those who do not read the thread.
const fn is_for_all(occasion: Occasion) -> bool {
    matches!(occasion, Occasion::Opened | Occasion::Worse | Occasion::Escalated | Occasion::Over)
}

/// The message with what tells where it goes.
fn payload(message: &Message, to: &Value) -> Vec<u8> {
    fitting(MAX_BYTES, MAX_TEXT, |most| {
        let mut payload = to.clone();
        let mut blocks = vec![
            json!({"type": "header", "text": plain(&text::one_line(&message.title), MAX_HEADER)}),
            json!({"type": "section", "text": plain(&message.text, most)}),
            rich_text(message, most.min(MAX_VALUE)),
            json!({"type": "actions", "elements": buttons(message)}),
            json!({"type": "context", "elements": [plain(&text::byline(message), MAX_CONTEXT)]}),
        ];
        blocks.retain(|block| !is_empty(block));
        if let Some(payload) = payload.as_object_mut() {
            // what a notification shows, and screen readers say
            payload.insert("text".to_owned(), json!(ESCAPED.line(&message.title, MAX_HEADER)));
            payload.insert("blocks".to_owned(), json!(blocks));
        }
        payload
    })
}

/// Slack refuses blocks with nothing in them.
fn is_empty(block: &Value) -> bool {
    let text = block.pointer("/text/text").and_then(Value::as_str);
    let elements = block.get("elements").and_then(Value::as_array);
    let first = block.pointer("/elements/0/elements").and_then(Value::as_array);
    text.is_some_and(str::is_empty)
        || elements.is_some_and(Vec::is_empty)
        || first.is_some_and(Vec::is_empty)
}

fn plain(text: &str, most: usize) -> Value {
    json!({"type": "plain_text", "text": ESCAPED.text(text, most), "emoji": false})
}

fn rich_text(message: &Message, most: usize) -> Value {
    let mut elements = Vec::new();
    for (at, field) in text::fields(message, MAX_FIELDS).iter().enumerate() {
        let name = PLAIN.line(&field.name, MAX_NAME);
        let begin = if at == 0 { "" } else { "\n" };
        elements.push(json!({
            "type": "text", "text": format!("{begin}{name}: "), "style": {"bold": true},
        }));
        elements.push(json!({"type": "text", "text": PLAIN.text(&field.value, most)}));
    }
    json!({"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]})
}

fn buttons(message: &Message) -> Vec<Value> {
    let links = text::links(message, MAX_BUTTONS).into_iter().enumerate();
    links
        .map(|(at, link)| {
            json!({
                "type": "button", "action_id": format!("link-{at}"),
                "text": plain(&link.label, MAX_BUTTON), "url": link.url,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
