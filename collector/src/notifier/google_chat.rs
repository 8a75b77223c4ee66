//! Google Chat, by a space's webhook (developers.google.com/workspace/chat, `spaces.messages.create`, cards v2).
//!
//! ```toml
//! kind = "google-chat"
//! url_file = "google-chat.url"  # https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…
//! ```
//!
//! A conversation is a thread by `threadKey`, so nothing has to be kept for it. Text of a card is HTML of a few tags,
//! in which what is escaped stays literal, and a card calls nobody. Limit: 32,000 bytes in all. One message a second
//! is taken. Absent on purpose: `text` beside the card, in which `<users/all>` would call everybody.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use url::Url;

use super::desk::{Desk, fitting, json};
use super::source::{SecretUrl, Source};
use super::text::{self, PLAIN, Style, Unit};
use super::{Channel, Handle, Outcome, Post};
use crate::judge::message::Message;

const MAX_BYTES: usize = 30_000;
const MAX_TITLE: usize = 250;
const MAX_TEXT: usize = 4_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 600;
const MAX_FIELDS: usize = 15;
const MAX_BUTTONS: usize = 5;
const MAX_LABEL: usize = 60;

const SILENT: Style = Style { escape: text::without_mentions, unit: Unit::Character };
const HTML: Style = Style { escape: html, unit: Unit::Character };

#[derive(Debug)]
struct GoogleChat {
    desk: Desk,
    url: SecretUrl,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let url = source.secret_url("a space's webhook")?;
    let desk = source.desk(&url.parts())?;
    Some(Arc::new(GoogleChat { desk, url }))
}

impl Channel for GoogleChat {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            let url = in_thread(self.url.expose());
            let answer = match self.desk.post(url, payload(post.message)).await {
                Ok(answer) => answer,
                Err(failed) => return failed,
            };
            let name = json(&answer).get("name").and_then(Value::as_str).map(str::to_owned);
            match name.and_then(Handle::of) {
                Some(handle) => {
                    let said = format!("message {}", handle.0);
                    Outcome::Sent { handle: Some(handle), confirmed: true, said }
                }
                None => self.desk.strange(&answer),
            }
        }
        .boxed()
    }

    fn kind(&self) -> &'static str {
        "google-chat"
    }

    fn destination(&self) -> String {
        self.url.host()
    }
}

fn in_thread(url: &Url) -> Url {
    let mut url = url.clone();
    let option = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";
    url.query_pairs_mut().append_pair("messageReplyOption", option);
    url
}

fn payload(message: &Message) -> Vec<u8> {
    fitting(MAX_BYTES, MAX_TEXT, |most| {
        let mut widgets = Vec::new();
        let text = HTML.text(&message.text, most);
        if !text.is_empty() {
            widgets.push(json!({"textParagraph": {"text": text}}));
        }
        for field in text::fields(message, MAX_FIELDS) {
            widgets.push(json!({"decoratedText": {
                "topLabel": PLAIN.line(&field.name, MAX_NAME),
                "text": HTML.text(&field.value, most.min(MAX_VALUE)),
                "wrapText": true,
            }}));
        }
        let buttons: Vec<_> = text::links(message, MAX_BUTTONS)
            .into_iter()
            .map(|link| {
                let label = PLAIN.line(&link.label, MAX_LABEL);
                json!({"text": label, "onClick": {"openLink": {"url": link.url}}})
            })
            .collect();
        if !buttons.is_empty() {
            widgets.push(json!({"buttonList": {"buttons": buttons}}));
        }
        let header = json!({
            "title": PLAIN.line(&message.title, MAX_TITLE),
            "subtitle": PLAIN.line(&text::byline(message), MAX_TITLE),
        });
        json!({
            "fallbackText": SILENT.line(&message.title, MAX_TITLE),
            "thread": {"threadKey": message.conversation},
            "cardsV2": [{
                "cardId": message.id,
                "card": {"header": header, "sections": [{"widgets": widgets}]},
            }],
        })
    })
}

/// Lines end as they do in HTML.
fn html(letter: char, to: &mut String) {
    match letter {
        '\n' => to.push_str("<br>"),
        letter => text::entities(letter, to),
    }
}

#[cfg(test)]
mod tests;
