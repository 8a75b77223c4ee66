//! Microsoft Teams, by a workflow's webhook ("Send webhook alerts to a channel"; Adaptive Cards 1.4).
//!
//! ```toml
//! kind = "teams"
//! url_file = "teams.url"
//! ```
//!
//! Text stands in `RichTextBlock`s, in which no Markdown is read, and no `<at>` calls anybody because the card names no
//! `entities`. Limit: 28 KB in all. The workflow answers 202, which says that it began, not that the card is there: so
//! nothing is ever `confirmed`. Absent on purpose: threads and changes, which a workflow's webhook has not.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::desk::{Desk, fitting, is_page};
use super::source::{SecretUrl, Source};
use super::text::{self, Style, Unit};
use super::{Channel, Outcome, Post};
use crate::judge::incident::Severity;
use crate::judge::message::{Message, Occasion};

const MAX_BYTES: usize = 28 << 10;
const MAX_TITLE: usize = 250;
const MAX_TEXT: usize = 8_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 1_000;
const MAX_FIELDS: usize = 15;
/// As many as Teams shows in a row.
const MAX_ACTIONS: usize = 6;
const MAX_LABEL: usize = 60;
const MAX_LINES: usize = 40;

const LITERAL: Style = Style { escape: without_tags, unit: Unit::Character };

#[derive(Debug)]
struct Teams {
    desk: Desk,
    url: SecretUrl,
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let url = source.secret_url("the URL of a workflow that posts what comes to a channel")?;
    let desk = source.desk(&url.parts())?;
    Some(Arc::new(Teams { desk, url }))
}

impl Channel for Teams {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            let sent = self.desk.post(self.url.expose().clone(), payload(post.message)).await;
            match sent {
                Ok(answer) if is_page(&answer) => self.desk.strange(&answer),
                Ok(answer) => self.desk.sent(&answer, None, false),
                Err(failed) => failed,
            }
        }
        .boxed()
    }

    fn kind(&self) -> &'static str {
        "teams"
    }

    fn destination(&self) -> String {
        self.url.host()
    }
}

fn payload(message: &Message) -> Vec<u8> {
    fitting(MAX_BYTES, MAX_TEXT, |most| {
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": card(message, most),
            }],
        })
    })
}

fn card(message: &Message, most: usize) -> Value {
    let title = json!({
        "type": "TextRun", "text": LITERAL.line(&message.title, MAX_TITLE),
        "weight": "Bolder", "size": "Medium", "color": colour(message),
    });
    let mut body = vec![block(&[title])];
    body.extend(lines(&LITERAL.text(&message.text, most)));
    for field in text::fields(message, MAX_FIELDS) {
        let name = LITERAL.line(&field.name, MAX_NAME);
        let value = LITERAL.line(&field.value, most.min(MAX_VALUE));
        body.push(block(&[
            json!({"type": "TextRun", "text": format!("{name}: "), "weight": "Bolder"}),
            json!({"type": "TextRun", "text": value}),
        ]));
    }
    let byline = LITERAL.line(&text::byline(message), MAX_TITLE);
    body.push(block(&[
        json!({"type": "TextRun", "text": byline, "isSubtle": true, "size": "Small"}),
    ]));
    let actions: Vec<_> = text::links(message, MAX_ACTIONS)
        .into_iter()
        .map(|link| {
            let label = LITERAL.line(&link.label, MAX_LABEL);
            json!({"type": "Action.OpenUrl", "title": label, "url": link.url})
        })
        .collect();
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": LITERAL.line(&message.title, MAX_TITLE),
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    })
}

/// A block for each line, because not every Teams breaks lines within one; what goes on too long goes on in the last.
fn lines(text: &str) -> Vec<Value> {
    let mut blocks = Vec::new();
    let mut lines = text.splitn(MAX_LINES, '\n');
    let mut spacing = "Default";
    for line in lines.by_ref() {
        if line.trim().is_empty() {
            spacing = "Default";
            continue;
        }
        let run = json!({"type": "TextRun", "text": text::one_line(line)});
        blocks.push(json!({"type": "RichTextBlock", "spacing": spacing, "inlines": [run]}));
        spacing = "None";
    }
    blocks
}

fn block(runs: &[Value]) -> Value {
    json!({"type": "RichTextBlock", "inlines": runs})
}

const fn colour(message: &Message) -> &'static str {
    match (message.occasion, message.severity) {
        (Occasion::Over, _) => "Good",
        (Occasion::Digest | Occasion::Test | Occasion::Canary, _) => "Default",
        (_, Severity::Critical | Severity::Major) => "Attention",
        (_, Severity::Minor) => "Warning",
        (_, Severity::Notice) => "Accent",
    }
}

/// Teams looks for `<at>` everywhere in a card.
fn without_tags(letter: char, to: &mut String) {
    to.push(letter);
    if letter == '<' {
        to.push('\u{200b}');
    }
}

#[cfg(test)]
mod tests;
