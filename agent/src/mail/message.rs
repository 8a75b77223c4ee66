//! The test message: what is sent, and whether what arrived is still the same.
//!
//! It is a plain, short, 7-bit message that tells a person what it is (RFC 5322), marked so that nobody
//! answers it (RFC 3834 section 5). Its token stands in a header of ours and in the Message-ID, because
//! a bounce may return only the one or the other.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mail_parser::MessageParser;
use mailsonde_proto::vantage::random_bytes;
use mailsonde_proto::{AgentId, RunId, WallTime};
use ring::digest;

use super::token::{Token, TokenKey, first};

/// The header that carries the token.
pub const TOKEN_HEADER: &str = "X-Mailsonde-Token";
/// What the local part of our Message-IDs starts with.
const MESSAGE_ID_PREFIX: &str = "mailsonde.";
/// The largest test message, in bytes of its body.
pub const LARGEST_BODY: usize = 512 * 1024;
/// Columns of a padding line.
const COLUMNS: usize = 76;

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// The sender's address.
    pub from: &'a str,
    /// The recipient's address.
    pub to: &'a str,
    /// The check's name, for people.
    pub check: &'a str,
    /// Who sends it.
    pub agent: AgentId,
    /// In which run.
    pub run: RunId,
    /// When, by the wall clock.
    pub date: WallTime,
    /// The least bytes that its body shall have.
    pub size: usize,
}

/// A test message ready to be sent.
#[derive(Clone, Debug)]
pub struct TestMessage {
    /// What it says about itself.
    pub token: Token,
    /// Its Message-ID, without the angle brackets.
    pub message_id: String,
    /// All of it, with CRLF line ends.
    pub bytes: Vec<u8>,
}

impl Draft<'_> {
    /// Seals the token and writes the message.
    pub fn seal(&self, key: &TokenKey) -> TestMessage {
        let body = self.body();
        let token = Token::new(self.agent, self.run, self.to, body_digest(body.as_bytes()));
        let sealed = key.seal(&token);
        let domain = self.from.rsplit('@').next().unwrap_or("localhost");
        let message_id = format!("{MESSAGE_ID_PREFIX}{sealed}@{domain}");
        let date = self.date.timestamp().to_zoned(jiff::tz::TimeZone::UTC);
        let date = jiff::fmt::rfc2822::to_string(&date).unwrap_or_default();
        let Self { from, to, check, .. } = self;
        let text = format!(
            "Date: {date}\r\n\
             From: Mailsonde <{from}>\r\n\
             To: <{to}>\r\n\
             Message-ID: <{message_id}>\r\n\
             Subject: Mailsonde test message for {check}\r\n\
             {TOKEN_HEADER}: {sealed}\r\n\
             Auto-Submitted: auto-generated\r\n\
             X-Auto-Response-Suppress: All\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=us-ascii\r\n\
             Content-Transfer-Encoding: 7bit\r\n\
             \r\n\
             {body}"
        );
        TestMessage { token, message_id, bytes: text.into_bytes() }
    }

    fn body(&self) -> String {
        let mut body = format!(
            "This is a test message. Mailsonde sent it to see whether e-mail arrives,\r\n\
             and how fast. It removes the message itself; if you find it here, the mailbox\r\n\
             could not be reached since. It is safe to delete.\r\n\
             \r\n\
             Check: {}\r\n\
             Run: {}-{}\r\n",
            self.check, self.run.epoch, self.run.intent
        );
        let size = self.size.min(LARGEST_BODY);
        while body.len() < size {
            // Random, so that compression on the way makes no message smaller than it was asked to be.
            let line = URL_SAFE_NO_PAD.encode(random_bytes::<{ COLUMNS / 4 * 3 }>());
            // Writing into a String cannot fail. The 'x' keeps '.' and 'From ' away from the start.
            let _written = write!(body, "x{line}\r\n");
        }
        body
    }
}

/// The token's text inside one of our Message-IDs, with or without angle brackets.
pub fn token_of_message_id(message_id: &str) -> Option<&str> {
    let id = message_id.trim().trim_start_matches('<');
    id.strip_prefix(MESSAGE_ID_PREFIX)?.split('@').next()
}

/// The first 16 bytes of SHA-256 over a body in the relaxed canonical form of RFC 6376 section 3.4.4:
/// runs of white space are one space, none at the end of a line, no empty lines at the end. Line ends
/// and trailing white space may change on the way; anything else is an alteration.
pub fn body_digest(body: &[u8]) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut empty_lines = 0_u32;
    for line in body.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = relaxed(line);
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..empty_lines {
            context.update(b"\r\n");
        }
        empty_lines = 0;
        context.update(&line);
        context.update(b"\r\n");
    }
    first(context.finish().as_ref())
}

fn relaxed(line: &[u8]) -> Vec<u8> {
    let mut relaxed = Vec::with_capacity(line.len());
    let mut space = false;
    for &byte in line {
        if matches!(byte, b' ' | b'\t') {
            space = true;
            continue;
        }
        if space {
            relaxed.push(b' ');
            space = false;
        }
        relaxed.push(byte);
    }
    relaxed
}

/// What became of the body of a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// As it was sent.
    Same,
    /// The same text in another transfer encoding, as a relay may choose (RFC 6152 section 3).
    Reencoded,
    /// Not what was sent.
    Altered,
    /// The server gave only a part, so nothing can be said.
    Unknown,
}

/// Compares a message as it arrived with the body's digest in its token. `whole` says whether the server
/// gave all of it.
pub fn judge_body(message: &[u8], whole: bool, sent: [u8; 16]) -> Body {
    let body = body_of(message);
    if body_digest(body) == sent {
        return Body::Same;
    }
    if !whole {
        return Body::Unknown;
    }
    let decoded = MessageParser::default().parse(message);
    let text = decoded
        .as_ref()
        .and_then(|parsed| (parsed.parts.len() == 1).then(|| parsed.body_text(0)).flatten());
    match text {
        Some(text) if body_digest(text.as_bytes()) == sent => Body::Reencoded,
        _ => Body::Altered,
    }
}

/// What follows the first empty line; nothing when there is none.
fn body_of(message: &[u8]) -> &[u8] {
    let mut rest = message;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let (line, after) = rest.split_at(end);
        let after = after.get(1..).unwrap_or_default();
        if line.is_empty() || line == b"\r" {
            return after;
        }
        rest = after;
    }
    &[]
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Epoch;
    use proptest::prelude::*;

    use super::*;

    fn draft() -> Draft<'static> {
        Draft {
            from: "probe@good.test",
            to: "box@good.test",
            check: "durban-mail",
            agent: AgentId([1; 16]),
            run: RunId { epoch: Epoch(5), intent: 6 },
            date: WallTime::from_s(1_764_000_000),
            size: 0,
        }
    }

    fn sealed() -> (TokenKey, TestMessage) {
        let key = TokenKey::from_bytes([4; 32]);
        let message = draft().seal(&key);
        (key, message)
    }

    #[test]
    fn a_message_is_well_formed_and_names_its_run_twice() {
        let (key, message) = sealed();
        let parsed = MessageParser::default().parse(&message.bytes).unwrap();
        assert_eq!(parsed.header_raw("Date").unwrap().trim(), "Mon, 24 Nov 2025 16:00:00 +0000");
        assert_eq!(parsed.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
        let id = parsed.message_id().unwrap();
        assert_eq!(id, message.message_id);
        assert_eq!(key.open(token_of_message_id(id).unwrap()).unwrap(), message.token);
        let header = parsed.header_raw(TOKEN_HEADER).unwrap();
        assert_eq!(key.open(header).unwrap(), message.token);
        let text = String::from_utf8(message.bytes).unwrap();
        assert!(text.is_ascii());
        assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
    }

    #[test]
    fn a_body_grows_to_its_size() {
        let big = Draft { size: 100_000, ..draft() }.seal(&TokenKey::generate());
        assert!((100_000..102_000).contains(&big.bytes.len()), "{}", big.bytes.len());
        assert_eq!(judge_body(&big.bytes, true, big.token.body), Body::Same);
    }

    #[test]
    fn harmless_changes_on_the_way_are_no_alteration() {
        let (_, message) = sealed();
        let text = String::from_utf8(message.bytes.clone()).unwrap();
        let headers_added = format!("Received: from a\r\n\tby b\r\n{text}");
        for (arrived, expected) in [
            (text.clone(), Body::Same),
            (headers_added, Body::Same),
            (text.replace("\r\n", "\n"), Body::Same),
            (format!("{text}\r\n\r\n"), Body::Same),
            (text.replace("how fast.", "how  fast.  "), Body::Same),
            (text.replace("how fast", "how slow"), Body::Altered),
            (format!("{text}-- \r\nA disclaimer\r\n"), Body::Altered),
            ("no body at all".to_owned(), Body::Altered),
            (
                text.replace("7bit", "quoted-printable")
                    .replace("whether e-mail", "whether=20e-m=\r\nail"),
                Body::Reencoded,
            ),
        ] {
            assert_eq!(
                judge_body(arrived.as_bytes(), true, message.token.body),
                expected,
                "{arrived}"
            );
        }
        assert_eq!(judge_body(b"Subject: a\r\n\r\nThis", false, message.token.body), Body::Unknown);
    }

    #[test]
    fn message_ids_that_are_not_ours() {
        for id in ["", "<>", "<a@b>", "<mailsonde@b>", "mailsonde"] {
            assert_eq!(token_of_message_id(id), None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn judging_never_panics(message in prop::collection::vec(any::<u8>(), 0..2000), whole: bool) {
            let verdict = judge_body(&message, whole, [0; 16]);
            prop_assert!(verdict != Body::Same);
        }
    }
}
