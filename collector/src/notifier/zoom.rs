//! Zoom Team Chat, by the app Incoming Webhook (`format=full`).
//!
//! ```toml
//! kind = "zoom"
//! url_file = "zoom.url"         # https://integrations.zoom.us/chat/webhooks/incomingwebhook/…
//! token_file = "zoom.token"     # the verification token that stands beside it
//! ```
//!
//! `is_markdown_support` is false, so that nothing is markup and nobody is called. Zoom publishes no limits of this
//! payload; ours are those of its chat messages: 4,096 characters. It answers 200 without saying that the message is
//! there. Absent on purpose: threads and changes, which this webhook has not.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use url::Url;

use super::desk::{Desk, fitting, is_page};
use super::source::{SecretUrl, Source, TOKEN};
use super::text::{self, PLAIN};
use super::{Channel, Outcome, Post};
use crate::judge::message::Message;

const MAX_BYTES: usize = 16 << 10;
const MAX_HEAD: usize = 250;
const MAX_TEXT: usize = 3_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 300;
const MAX_FIELDS: usize = 10;
const MAX_LINKS: usize = 5;

#[derive(Debug)]
struct Zoom {
    desk: Desk,
    url: SecretUrl,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let url = source.secret_url("the endpoint of the app Incoming Webhook");
    let token = source.secret(TOKEN, "its verification token");
    let (url, token) = (url?, token?);
    let hidden: Vec<_> = url.parts().into_iter().chain([token.clone()]).collect();
    let desk = source.desk(&hidden)?.with(AUTHORIZATION, token.expose())?;
    Some(Arc::new(Zoom { desk, url }))
}

impl Channel for Zoom {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            match self.desk.post(in_full(self.url.expose()), payload(post.message)).await {
                Ok(answer) if is_page(&answer) => self.desk.strange(&answer),
                Ok(answer) => self.desk.sent(&answer, None, false),
                Err(failed) => failed,
            }
        }
        .boxed()
    }

    fn kind(&self) -> &'static str {
        "zoom"
    }

    fn destination(&self) -> String {
        self.url.host()
    }
}

/// People paste the URL as Zoom shows it, which asks for one of the other formats or for none.
fn in_full(url: &Url) -> Url {
    let mut url = url.clone();
    let others: Vec<_> = url
        .query_pairs()
        .filter(|(name, _)| name != "format")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("format", "full");
    url
}

fn payload(message: &Message) -> Vec<u8> {
    fitting(MAX_BYTES, MAX_TEXT, |most| {
        let mut body = Vec::new();
        let text = PLAIN.text(&message.text, most);
        if !text.is_empty() {
            body.push(json!({"type": "message", "text": text}));
        }
        let fields = fields(message, most.min(MAX_VALUE));
        if !fields.is_empty() {
            body.push(json!({"type": "fields", "items": fields}));
        }
        for link in text::links(message, MAX_LINKS) {
            let label = PLAIN.line(&link.label, MAX_NAME);
            body.push(json!({"type": "message", "text": label, "link": link.url}));
        }
        let byline = PLAIN.line(&text::byline(message), MAX_HEAD);
        json!({
            "is_markdown_support": false,
            "content": {
                "settings": {"sidebar_color": text::colour(message)},
                "head": {
                    "text": PLAIN.line(&message.title, MAX_HEAD),
                    "sub_head": {"text": byline},
                },
                "body": body,
            },
        })
    })
}

fn fields(message: &Message, most: usize) -> Vec<Value> {
    let fields = text::fields(message, MAX_FIELDS).into_iter();
    fields
        .map(|field| {
            let (key, value) = (PLAIN.line(&field.name, MAX_NAME), PLAIN.text(&field.value, most));
            json!({"key": key, "value": value, "short": false})
        })
        .collect()
}

#[cfg(test)]
mod tests;
