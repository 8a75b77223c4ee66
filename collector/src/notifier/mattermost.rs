//! Mattermost, by an incoming webhook (developers.mattermost.com, incoming webhooks and message attachments).
//!
//! ```toml
//! kind = "mattermost"
//! url_file = "mattermost.url"   # https://chat.example.org/hooks/…
//! to = "mail"                   # another channel than the webhook's own, where it may
//! ```
//!
//! Its Markdown is escaped, and a character without width after `@` keeps `@channel` and names from calling anybody.
//! Limit: 16,383 characters of a post, 64 KB in all. It answers 200 with `ok`, after the post is there. Absent on
//! purpose: threads, which incoming webhooks do not have on every server that is in use.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::desk::{Desk, fitting};
use super::source::{SecretUrl, Source};
use super::text::{self, PLAIN_UTF16, Style, Unit};
use super::{Channel, Outcome, Post};
use crate::judge::message::Message;

const MAX_BYTES: usize = 48 << 10;
const MAX_TITLE: usize = 250;
const MAX_TEXT: usize = 8_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 1_000;
const MAX_FIELDS: usize = 15;
const MAX_LINKS: usize = 5;

/// What a notification shows is no Markdown, and is searched for names.
const SILENT: Style = Style { escape: text::without_mentions, unit: Unit::Utf16 };
const MARKDOWN: Style = Style { escape: text::markdown, unit: Unit::Utf16 };

#[derive(Debug)]
struct Mattermost {
    desk: Desk,
    url: SecretUrl,
    to: Option<String>,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let url = source.secret_url("an incoming webhook's URL");
    let to = source.word_if_any("to", 64);
    let url = url?;
    let desk = source.desk(&url.parts())?;
    Some(Arc::new(Mattermost { desk, url, to }))
}

impl Channel for Mattermost {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            let body = payload(post.message, self.to.as_deref());
            match self.desk.post(self.url.expose().clone(), body).await {
                Ok(answer) if answer.body.trim_ascii() == b"ok" => {
                    self.desk.sent(&answer, None, true)
                }
                Ok(answer) => self.desk.strange(&answer),
                Err(failed) => failed,
            }
        }
        .boxed()
    }

    fn kind(&self) -> &'static str {
        "mattermost"
    }

    fn destination(&self) -> String {
        let host = self.url.host();
        self.to.as_ref().map_or_else(|| host.clone(), |to| format!("{to} at {host}"))
    }
}

fn payload(message: &Message, to: Option<&str>) -> Vec<u8> {
    fitting(MAX_BYTES, MAX_TEXT, |most| {
        let mut fields = fields(message, most.min(MAX_VALUE));
        let links: Vec<_> = text::links(message, MAX_LINKS)
            .iter()
            .map(|link| format!("[{}]({})", MARKDOWN.line(&link.label, MAX_NAME), link.url))
            .collect();
        if !links.is_empty() {
            fields.push(json!({"title": "", "value": links.join(" · "), "short": false}));
        }
        let title = MARKDOWN.line(&message.title, MAX_TITLE);
        let mut payload = json!({
            "attachments": [{
                "fallback": SILENT.line(&message.title, MAX_TITLE),
                "color": text::colour(message),
                "title": title,
                "text": MARKDOWN.text(&message.text, most),
                "fields": fields,
                "footer": PLAIN_UTF16.line(&text::byline(message), MAX_TITLE),
            }],
        });
        if let (Some(to), Some(payload)) = (to, payload.as_object_mut()) {
            payload.insert("channel".to_owned(), json!(to));
        }
        payload
    })
}

fn fields(message: &Message, most: usize) -> Vec<Value> {
    let fields = text::fields(message, MAX_FIELDS).into_iter();
    fields
        .map(|field| {
            let name = MARKDOWN.line(&field.name, MAX_NAME);
            json!({"title": name, "value": MARKDOWN.text(&field.value, most), "short": true})
        })
        .collect()
}

#[cfg(test)]
mod tests;
