//! The test message: what is sent, and whether what arrived is still the same.
//!
//! It is a plain, short, 7-bit message that tells a person what it is (RFC 5322), marked so that nobody
//! answers it (RFC 3834 section 5), unless an answer is what the check looks for. Its token stands in a
//! header of ours and in the Message-ID, because a bounce may return only the one or the other. A large
//! one is written piece by piece and never stands in memory as a whole, neither here nor on its return.

mod canonical;
mod filler;
mod header;
mod pattern;

mod judge;
mod reader;
mod transfer;

use std::borrow::Cow;
use std::sync::Arc;

use mailsonde_proto::vantage::random_bytes;
use mailsonde_proto::{AgentId, RunId, WallTime};
use ring::digest;

use super::token::{SignedToken, Token, TokenKey};
use canonical::{Relaxed, of_both, sha256};
use filler::Filler;
use transfer::Encoding;

pub use judge::{Attached, Body, judge_body};
pub use pattern::Pattern;
pub use reader::{LONGEST_HEADERS, Reader, Reading};

/// The header that carries the token.
pub const TOKEN_HEADER: &str = "X-Mailsonde-Token";
/// What the local part of our Message-IDs starts with.
const MESSAGE_ID_PREFIX: &str = "mailsonde.";
/// The largest body, and the largest attachment before its encoding, in bytes.
pub const LARGEST_BODY: u64 = 50 * 1024 * 1024;

/// What a test message says besides what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Another subject.
    pub subject: Option<String>,
    /// The least bytes that its text shall have.
    pub size: u64,
    /// What a filter shall find in it.
    pub pattern: Option<Pattern>,
    /// A file; EICAR's is one by itself.
    pub attachment: Option<Attachment>,
    /// Whether automatic replies are wanted: then it does not say that it was sent by a machine, to which
    /// responders must not reply (RFC 3834 section 2).
    pub invites_replies: bool,
}

/// A file that is sent along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// In bytes, before its encoding; ignored where the file is a pattern.
    pub bytes: u64,
    /// Its name: printable ASCII without quotation marks and backslashes.
    pub name: String,
    /// Its media type, such as `application/octet-stream`.
    pub media_type: String,
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The sender's address.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// The check's name, for people.
    pub check: String,
    /// Who sends it.
    pub agent: AgentId,
    /// In which run.
    pub run: RunId,
    /// When, by the wall clock.
    pub date: WallTime,
    /// What it says besides.
    pub content: Arc<Content>,
    /// Who is to verify it.
    pub seal: Seal,
}

/// Who is to verify a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seal {
    /// Its own sender.
    #[default]
    Own,
    /// Another agent: its token is signed.
    Signed {
        /// The bound on the error of the date, in microseconds, where it is known.
        clock_error_us: Option<u64>,
    },
}

/// A test message ready to be sent.
#[derive(Clone, Debug)]
pub struct TestMessage {
    /// What it says about itself.
    pub token: Token,
    /// Its Message-ID, without the angle brackets.
    pub message_id: String,
    /// Its attachment, if it has one.
    pub attached: Option<Attached>,
    head: Vec<u8>,
    filler: Option<Filler>,
    tail: Vec<u8>,
}

impl TestMessage {
    /// All of it, piece by piece, with CRLF line ends.
    pub fn chunks(&self) -> impl Iterator<Item = Cow<'_, [u8]>> + Send {
        let filled = self.filler.iter().flat_map(Filler::text).map(Cow::Owned);
        let tail = Some(Cow::Borrowed(self.tail.as_slice())).filter(|tail| !tail.is_empty());
        std::iter::once(Cow::Borrowed(self.head.as_slice())).chain(filled).chain(tail)
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        let filled = self.filler.as_ref().map_or(0, Filler::text_bytes);
        let written = u64::try_from(self.head.len() + self.tail.len()).unwrap_or(u64::MAX);
        filled.saturating_add(written)
    }
}

impl Draft {
    /// Seals the token and writes the message. That takes a while when it is large: all of it is digested.
    pub fn seal(&self, key: &TokenKey) -> TestMessage {
        let text = self.text();
        match self.attached() {
            None => self.plain(key, &text),
            Some((attached, file)) => self.mixed(key, &text, (attached, file)),
        }
    }

    fn plain(&self, key: &TokenKey, text: &str) -> TestMessage {
        let missing = self.content.size.min(LARGEST_BODY).saturating_sub(bytes_of(text));
        let filler = (missing > 0).then(|| Filler::padding(missing));
        let mut digest = Relaxed::new();
        digest.feed(text.as_bytes());
        filler.iter().flat_map(Filler::text).for_each(|piece| digest.feed(&piece));
        let (token, message_id, headers) = self.headers(key, digest.finish());
        let head = format!("{headers}{TEXT_PLAIN}\r\n{text}").into_bytes();
        TestMessage { token, message_id, attached: None, head, filler, tail: Vec::new() }
    }

    fn mixed(
        &self,
        key: &TokenKey,
        text: &str,
        (attached, file): (Attached, File<'_>),
    ) -> TestMessage {
        let mut digest = Relaxed::new();
        digest.feed(text.as_bytes());
        let (token, message_id, headers) =
            self.headers(key, of_both(digest.finish(), attached.sha256));
        // "=_" stands in no base64 and in no quoted-printable (RFC 2045 section 6.7).
        let boundary = format!("=_mailsonde_{}", hex::encode(random_bytes::<12>()));
        let File { name, media_type, content } = file;
        let encoding = if content.is_ok() { "base64" } else { "7bit" };
        let mut head = format!(
            "{headers}Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\
             \r\n\
             --{boundary}\r\n\
             {TEXT_PLAIN}\r\n\
             {text}\r\n\
             --{boundary}\r\n\
             Content-Type: {media_type}; name=\"{name}\"\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\
             \r\n"
        );
        let filler = content.map_err(|pattern| head.push_str(&format!("{pattern}\r\n"))).ok();
        let tail = format!("--{boundary}--\r\n").into_bytes();
        let head = head.into_bytes();
        TestMessage { token, message_id, attached: Some(attached), head, filler, tail }
    }

    /// The file that is sent along: noise to be encoded, or a pattern as it is.
    fn attached(&self) -> Option<(Attached, File<'_>)> {
        let Content { attachment, pattern, .. } = &*self.content;
        let attachment = attachment.as_ref()?;
        let Attachment { bytes, name, media_type } = attachment;
        let (bytes, sha256, content) = match pattern {
            Some(Pattern::Eicar) => {
                let pattern = Pattern::Eicar.text();
                let mut context = digest::Context::new(&digest::SHA256);
                context.update(pattern.as_bytes());
                (bytes_of(&pattern), sha256(context), Err(pattern))
            }
            _ => {
                let filler = Filler::attachment((*bytes).min(LARGEST_BODY));
                (*bytes, filler.sha256(), Ok(filler))
            }
        };
        let encoding = if content.is_ok() { Encoding::Base64 } else { Encoding::Identity };
        let attached = Attached { name: name.clone(), bytes, sha256, encoding };
        Some((attached, File { name, media_type, content }))
    }

    /// The token, the Message-ID, and all headers but those of the content.
    fn headers(&self, key: &TokenKey, body: [u8; 16]) -> (Token, String, String) {
        let token = Token::new(self.agent, self.run, &self.to, body);
        let sealed = match self.seal {
            Seal::Own => key.seal(&token),
            Seal::Signed { clock_error_us } => {
                let (token, sent_at) = (token.clone(), self.date);
                key.signing().seal(&SignedToken { token, sent_at, clock_error_us })
            }
        };
        let domain = self.from.rsplit('@').next().unwrap_or("localhost");
        let message_id = format!("{MESSAGE_ID_PREFIX}{sealed}@{domain}");
        let date = self.date.timestamp().to_zoned(jiff::tz::TimeZone::UTC);
        let date = jiff::fmt::rfc2822::to_string(&date).unwrap_or_default();
        let subject = match &self.content.subject {
            Some(subject) => header::unstructured("Subject", subject),
            None => format!("Subject: Mailsonde test message for {}\r\n", self.check),
        };
        let marks = if self.content.invites_replies {
            ""
        } else {
            "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"
        };
        let Self { from, to, .. } = self;
        let headers = format!(
            "Date: {date}\r\n\
             From: Mailsonde <{from}>\r\n\
             To: <{to}>\r\n\
             Message-ID: <{message_id}>\r\n\
             {subject}\
             {TOKEN_HEADER}: {sealed}\r\n\
             {marks}\
             MIME-Version: 1.0\r\n"
        );
        (token, message_id, headers)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "This is a test message. Mailsonde sent it to see whether e-mail arrives,\r\n\
             and how fast. It removes the message itself; if you find it here, the mailbox\r\n\
             could not be reached since. It is safe to delete.\r\n\
             \r\n\
             Check: {}\r\n\
             Run: {}-{}\r\n",
            self.check, self.run.epoch, self.run.intent
        );
        if self.content.pattern == Some(Pattern::Gtube) {
            text.push_str(&format!("\r\n{}\r\n", Pattern::Gtube.text()));
        }
        text
    }
}

const TEXT_PLAIN: &str =
    "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n";

struct File<'a> {
    name: &'a str,
    media_type: &'a str,
    content: Result<Filler, String>,
}

fn bytes_of(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// The token's text inside one of our Message-IDs, with or without angle brackets.
pub fn token_of_message_id(message_id: &str) -> Option<&str> {
    let id = message_id.trim().trim_start_matches('<');
    id.strip_prefix(MESSAGE_ID_PREFIX)?.split('@').next()
}

#[cfg(test)]
mod tests;
