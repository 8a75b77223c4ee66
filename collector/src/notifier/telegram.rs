//! Telegram, by a bot (core.telegram.org/bots/api, `sendMessage`).
//!
//! ```toml
//! kind = "telegram"
//! token_file = "telegram.token" # as @BotFather gave it
//! to = "-1001234567890"         # a chat's id, or @name of a public channel
//! ```
//!
//! What follows answers the first message. Text is HTML of a few tags, in which what is escaped stays literal; a
//! character without width after `@` keeps names from calling anybody. Links are lines of text: a button to a host that
//! is not on the internet makes Telegram refuse the whole message. Limit: 4,096 characters. The token is in the URL.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use url::Url;

use super::desk::{self, Desk, json};
use super::source::{self, Source, TOKEN};
use super::text::{self, Style, Unit};
use super::{Channel, Handle, Outcome, Post};
use crate::judge::message::{Message, Occasion};
use crate::outward::Answer;
use crate::secret::Secret;

const MAX_TITLE: usize = 250;
/// With all that is beside it, 4,096 at most.
const MAX_TEXT: usize = 1_400;
const MAX_NAME: usize = 60;
const MAX_VALUE: usize = 130;
const MAX_FIELDS: usize = 7;
const MAX_LINKS: usize = 2;
const MAX_LINK: usize = 260;

const HTML: Style = Style { escape: html, unit: Unit::Utf16 };

#[derive(Debug)]
struct Telegram {
    desk: Desk,
    api: Url,
    token: Secret,
    to: String,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let token = source.secret(TOKEN, "a bot's token");
    let api = source.url("api", "https://api.telegram.org");
    let to = source.word("to", "a chat's id, such as to = \"-1001234567890\"", 64);
    let token = token?;
    let is_form = token.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b":_-".contains(&b));
    if !is_form {
        let key = if source.section.has(TOKEN.file) { TOKEN.file } else { TOKEN.env };
        source
            .section
            .wrong(key, format!("{key}: what is there is no bot's token, such as 123456:ABC…"));
        return None;
    }
    let desk = source.desk([&token])?;
    Some(Arc::new(Telegram { desk, api: api?, token, to: to? }))
}

impl Channel for Telegram {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move { self.attempt(post).await.unwrap_or_else(|failed| failed) }.boxed()
    }

    fn kind(&self) -> &'static str {
        "telegram"
    }

    fn destination(&self) -> String {
        format!("{} by {}", self.to, source::host(&self.api))
    }
}

impl Telegram {
    async fn attempt(&self, post: Post<'_>) -> Result<Outcome, Outcome> {
        let url = source::below(&self.api, &format!("bot{}/sendMessage", self.token.expose()));
        let url = url.unwrap_or_else(|| self.api.clone());
        let first = post.earlier.and_then(|first| first.0.parse::<i64>().ok());
        let body = payload(post.message, &self.to, first);
        let headers = reqwest::header::HeaderMap::new();
        let answer = self.desk.answer(reqwest::Method::POST, url, headers, body).await?;
        let said = json(&answer);
        if !answer.status.is_success() {
            return Err(self.failed(&answer, &said));
        }
        let is_ok = said.get("ok").and_then(Value::as_bool) == Some(true);
        let id = said.pointer("/result/message_id").and_then(Value::as_i64).filter(|_| is_ok);
        let Some(id) = id else { return Err(self.desk.strange(&answer)) };
        let said = format!("message {id}");
        Ok(Outcome::Sent { handle: Handle::of(id.to_string()), confirmed: true, said })
    }

    /// Telegram says in the body when to come again, and where a group has gone.
    fn failed(&self, answer: &Answer, said: &Value) -> Outcome {
        let wait = said.pointer("/parameters/retry_after").and_then(desk::seconds);
        let moved = said.pointer("/parameters/migrate_to_chat_id").and_then(Value::as_i64);
        match (self.desk.refusal(answer), moved) {
            (Outcome::Later { after, why, may_have_arrived }, _) => {
                Outcome::Later { after: wait.or(after), why, may_have_arrived }
            }
            (Outcome::Refused { .. }, Some(moved)) => Outcome::Refused {
                why: format!("the chat has become another one: write to = \"{moved}\""),
            },
            (outcome, _) => outcome,
        }
    }
}

fn payload(message: &Message, to: &str, first: Option<i64>) -> Vec<u8> {
    let mut lines = vec![format!("<b>{}</b>", HTML.line(&message.title, MAX_TITLE))];
    let text = HTML.text(&message.text, MAX_TEXT);
    lines.extend((!text.is_empty()).then(|| format!("\n{text}")));
    let mut begin = "\n";
    for field in text::fields(message, MAX_FIELDS) {
        let name = HTML.line(&field.name, MAX_NAME);
        lines.push(format!("{begin}<b>{name}:</b> {}", HTML.text(&field.value, MAX_VALUE)));
        begin = "";
    }
    let mut begin = "\n";
    for link in text::links(message, MAX_LINKS) {
        if link.url.len() <= MAX_LINK {
            let (label, url) = (HTML.line(&link.label, MAX_NAME), link.url.replace('@', "%40"));
            lines.push(format!("{begin}{label}: {}", HTML.line(&url, usize::MAX)));
            begin = "";
        }
    }
    lines.push(format!("\n<i>{}</i>", HTML.line(&text::byline(message), MAX_TITLE)));
    let mut payload = json!({
        "chat_id": to,
        "text": lines.join("\n"),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": true},
        "disable_notification": is_quiet(message.occasion),
    });
    if let (Some(first), Some(payload)) = (first, payload.as_object_mut()) {
        let reply = json!({"message_id": first, "allow_sending_without_reply": true});
        payload.insert("reply_parameters".to_owned(), reply);
    }
    payload.to_string().into_bytes()
}

const fn is_quiet(occasion: Occasion) -> bool {
    matches!(occasion, Occasion::Canary | Occasion::Update | Occasion::Acknowledged)
}

fn html(letter: char, to: &mut String) {
    match letter {
        '@' => text::without_mentions(letter, to),
        letter => text::entities(letter, to),
    }
}

#[cfg(test)]
mod tests;
