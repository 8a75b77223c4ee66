//! Discord, by a webhook (discord.com/developers, Execute Webhook and Edit Webhook Message).
//!
//! ```toml
//! kind = "discord"
//! url_file = "discord.url"      # https://discord.com/api/webhooks/ID/TOKEN
//! thread = "1234567890"         # a thread of its channel, where it is to go there
//! ```
//!
//! `wait=true` makes Discord answer with the message that is there. What follows is a message of its own, because a
//! change calls nobody; once it is over, the first message is changed as well. Markdown is escaped and
//! `allowed_mentions` lets nobody be called. Limits: title 256, description 4,096, 25 fields of 256 and 1,024, footer
//! 2,048, 6,000 in all. Absent on purpose: buttons, which a webhook without an application may not have.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use url::Url;

use super::desk::{Desk, json};
use super::source::{self, SecretUrl, Source};
use super::text::{self, PLAIN_UTF16, Style, Unit};
use super::{Channel, Handle, Outcome, Post};
use crate::judge::message::Message;
use crate::outward::Answer;

const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 2_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 250;
const MAX_FIELDS: usize = 6;
const MAX_FOOTER: usize = 250;
const MAX_LINKS: usize = 3;
/// Characters of a link at most, so that three fit into a field's 1,024.
const MAX_LINK: usize = 330;

const MARKDOWN: Style = Style { escape: text::markdown, unit: Unit::Utf16 };

#[derive(Debug)]
struct Discord {
    desk: Desk,
    url: SecretUrl,
    thread: Option<String>,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let url = source.secret_url("a webhook's URL");
    let thread = source.word_if_any("thread", 32);
    let url = url?;
    let desk = source.desk(&url.parts())?;
    Some(Arc::new(Discord { desk, url, thread }))
}

impl Channel for Discord {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move { self.attempt(post).await.unwrap_or_else(|failed| failed) }.boxed()
    }

    fn kind(&self) -> &'static str {
        "discord"
    }

    fn destination(&self) -> String {
        self.url.host()
    }
}

impl Discord {
    async fn attempt(&self, post: Post<'_>) -> Result<Outcome, Outcome> {
        let body = payload(post.message);
        let url = self.asked(self.url.expose().clone(), true);
        let answer = self.ask(Method::POST, url, body.clone()).await?;
        let said = json(&answer);
        let id = said.get("id").and_then(Value::as_str);
        // it becomes part of a path
        let id = id.filter(|id| id.bytes().all(|b| b.is_ascii_digit())).and_then(Handle::of);
        let Some(handle) = id else { return Err(self.desk.strange(&answer)) };
        let mut said = format!("message {}", handle.0);
        if let Some(first) = post.earlier.filter(|_| text::changes_first(post.message.occasion)) {
            let url = source::below(self.url.expose(), &format!("messages/{}", first.0));
            let url = self.asked(url.unwrap_or_else(|| self.url.expose().clone()), false);
            // The new message is there; that the first still reads as it did is no reason to send it twice.
            if self.ask(Method::PATCH, url, body).await.is_err() {
                said.push_str(", but the first message could not be changed");
            }
        }
        Ok(Outcome::Sent { handle: Some(handle), confirmed: true, said })
    }

    fn asked(&self, mut url: Url, waits: bool) -> Url {
        if waits {
            url.query_pairs_mut().append_pair("wait", "true");
        }
        if let Some(thread) = &self.thread {
            url.query_pairs_mut().append_pair("thread_id", thread);
        }
        url
    }

    async fn ask(&self, method: Method, url: Url, body: Vec<u8>) -> Result<Answer, Outcome> {
        self.desk.ask(method, url, HeaderMap::new(), body).await
    }
}

fn payload(message: &Message) -> Vec<u8> {
    let mut fields: Vec<_> = text::fields(message, MAX_FIELDS)
        .into_iter()
        .map(|field| {
            let name = MARKDOWN.line(&field.name, MAX_NAME);
            json!({"name": name, "value": MARKDOWN.text(&field.value, MAX_VALUE), "inline": false})
        })
        .collect();
    let links: Vec<_> = text::links(message, MAX_LINKS)
        .iter()
        .map(|link| format!("[{}]({})", MARKDOWN.line(&link.label, MAX_NAME), link.url))
        .filter(|link| link.len() <= MAX_LINK)
        .collect();
    if !links.is_empty() {
        fields.push(json!({"name": "\u{200b}", "value": links.join(" · "), "inline": false}));
    }
    let payload = json!({
        "username": "Mailsonde",
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": MARKDOWN.line(&message.title, MAX_TITLE),
            "description": MARKDOWN.text(&message.text, MAX_TEXT),
            "color": u32::from_str_radix(text::colour(message).trim_start_matches('#'), 16).unwrap_or(0),
            "timestamp": message.at.to_string(),
            "fields": fields,
            "footer": {"text": PLAIN_UTF16.line(&text::byline(message), MAX_FOOTER)},
        }],
    });
    payload.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
