//! A message as mail: plain text and HTML, threaded, marked as sent by a program.

use std::time::{Duration, SystemTime};

use lettre::Message as Mail;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use mailsonde_proto::WallTime;

use super::super::text::{self, PLAIN, Style, Unit};
use crate::judge::incident::Severity;
use crate::judge::message::{Message, Occasion};

const MAX_SUBJECT: usize = 200;
const MAX_TEXT: usize = 20_000;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 2_000;
const MAX_FIELDS: usize = 40;
const MAX_LINKS: usize = 10;
const MAX_BYLINE: usize = 300;

const HTML: Style = Style { escape: attribute, unit: Unit::Character };

/// What a mail is made of.
pub(super) struct Letter<'l> {
    pub(super) message: &'l Message,
    /// Message-ID of the conversation's first mail.
    pub(super) earlier: Option<&'l str>,
    pub(super) from: &'l Mailbox,
    pub(super) to: &'l [Mailbox],
    pub(super) date: WallTime,
}

impl Letter<'_> {
    /// Its Message-ID, and all of it as bytes. The Message-ID is the same at every attempt.
    ///
    /// # Errors
    /// What the library says against it.
    pub(super) fn compose(&self) -> Result<(String, Vec<u8>), String> {
        let Self { message, earlier, from, to, date } = self;
        let id = format!("<{}@{}>", message.id, from.email.domain());
        let since = u64::try_from(date.as_ns() / 1_000_000_000).unwrap_or_default();
        let mut mail = Mail::builder()
            .from((*from).clone())
            .subject(PLAIN.line(&message.title, MAX_SUBJECT))
            .message_id(Some(id.clone()))
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(since))
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .raw_header(raw("X-Auto-Response-Suppress", "All"))
            .raw_header(raw("X-Mailsonde-Id", &message.id))
            .raw_header(raw("X-Mailsonde-Conversation", &text::one_line(&message.conversation)));
        for mailbox in *to {
            mail = mail.to(mailbox.clone());
        }
        if let Some(first) = earlier.filter(|first| is_message_id(first)) {
            mail = mail.in_reply_to((*first).to_owned()).references((*first).to_owned());
        }
        if is_urgent(message) {
            mail = mail.raw_header(raw("Importance", "high"));
        }
        let parts = MultiPart::alternative_plain_html(plain(message), html(message));
        let mail = mail.multipart(parts);
        let mail = mail.map_err(|error| format!("the mail cannot be made: {error}"))?;
        Ok((id, mail.formatted()))
    }
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// A handle comes from our own disk, and still becomes a header.
fn is_message_id(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>') && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_urgent(message: &Message) -> bool {
    let Message { occasion, severity, .. } = message;
    matches!(occasion, Occasion::Opened | Occasion::Worse | Occasion::Escalated)
        && matches!(severity, Severity::Critical | Severity::Major)
}

fn plain(message: &Message) -> String {
    let mut paragraphs = vec![PLAIN.text(&message.text, MAX_TEXT)];
    let fields: Vec<_> = text::fields(message, MAX_FIELDS)
        .iter()
        .map(|field| {
            let name = PLAIN.line(&field.name, MAX_NAME);
            format!("{name}: {}", PLAIN.text(&field.value, MAX_VALUE))
        })
        .collect();
    paragraphs.push(fields.join("\n"));
    let links: Vec<_> = text::links(message, MAX_LINKS)
        .iter()
        .map(|link| format!("{}: {}", PLAIN.line(&link.label, MAX_NAME), link.url))
        .collect();
    paragraphs.push(links.join("\n"));
    // by this mark programs know a signature (RFC 3676 section 4.3)
    paragraphs.push(format!("-- \n{}", PLAIN.line(&text::byline(message), MAX_BYLINE)));
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n\n") + "\n"
}

/// Nothing is loaded from anywhere, and nothing of it runs.
fn html(message: &Message) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif\">\n\
         <h2 style=\"border-left:6px solid {};padding-left:10px\">{}</h2>\n",
        text::colour(message),
        HTML.line(&message.title, MAX_SUBJECT)
    );
    let text = HTML.text(&message.text, MAX_TEXT);
    if !text.is_empty() {
        html.push_str(&format!("<p>{}</p>\n", text.replace('\n', "<br>\n")));
    }
    let fields = text::fields(message, MAX_FIELDS);
    if !fields.is_empty() {
        html.push_str("<table cellpadding=\"4\">\n");
        for field in fields {
            let name = HTML.line(&field.name, MAX_NAME);
            let value = HTML.text(&field.value, MAX_VALUE).replace('\n', "<br>");
            html.push_str(&format!(
                "<tr><th align=\"left\" valign=\"top\">{name}</th><td>{value}</td></tr>\n"
            ));
        }
        html.push_str("</table>\n");
    }
    for link in text::links(message, MAX_LINKS) {
        let (label, url) = (HTML.line(&link.label, MAX_NAME), HTML.line(&link.url, usize::MAX));
        html.push_str(&format!("<p><a href=\"{url}\">{label}</a></p>\n"));
    }
    let byline = HTML.line(&text::byline(message), MAX_BYLINE);
    html.push_str(&format!(
        "<p style=\"color:#666;font-size:small\">{byline}</p>\n</body></html>\n"
    ));
    html
}

/// Also within quotes.
fn attribute(letter: char, to: &mut String) {
    match letter {
        '"' => to.push_str("&quot;"),
        '\'' => to.push_str("&#39;"),
        letter => text::entities(letter, to),
    }
}
