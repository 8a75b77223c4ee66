//! The parts of a message that a notification can be read from: a flat list, bounded in number, depth
//! and size.
//!
//! mail-parser decodes the texts (transfer encoding, charset). It is not given whole messages: it nests
//! a value for each message/rfc822 inside another, whose drop would overflow the stack, and searches the
//! rest of the message for each boundary.

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{MessageParser, MimeHeaders, PartType};

use crate::mail::headers::block::{Block, LONGEST_BLOCK};

/// The most bytes of a message that are read: what a bounce says stands before what it returns.
pub const MOST_READ: usize = 1024 * 1024;
/// The most parts, and how deep in one another.
const MOST_PARTS: usize = 32;
const DEEPEST: usize = 4;
/// The most bytes of a part that are decoded.
const LONGEST_PART: usize = 256 * 1024;

/// A message in parts.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    /// In their order.
    pub(super) all: Vec<Part<'a>>,
    /// Whether the whole is a multipart/report.
    pub(super) is_report: bool,
}

/// One part that is no multipart.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// `text/plain`, in lower case.
    pub(super) content_type: String,
    /// With its header block, as it was sent.
    raw: &'a [u8],
    body_at: usize,
}

/// What a Content-Type header says.
struct Kind {
    content_type: String,
    boundary: Option<String>,
}

impl<'a> Parts<'a> {
    /// Of a message with this header block.
    pub(super) fn of(message: &'a [u8], block: &Block<'_>) -> Self {
        let kind = Kind::of(message, "text/plain");
        let mut parts =
            Self { all: Vec::new(), is_report: kind.content_type == "multipart/report" };
        let body_at = block.body_at.unwrap_or(message.len());
        parts.add(message, body_at, kind, DEEPEST);
        parts
    }

    fn add(&mut self, raw: &'a [u8], body_at: usize, kind: Kind, deeper: usize) {
        let body = raw.get(body_at..).unwrap_or_default();
        let is_multipart = kind.content_type.starts_with("multipart/");
        let Some(boundary) = kind.boundary.filter(|_| is_multipart && deeper > 0) else {
            if self.all.len() < MOST_PARTS {
                self.all.push(Part { content_type: kind.content_type, raw, body_at });
            }
            return;
        };
        let pieces = pieces(body, boundary.as_bytes());
        if pieces.is_empty() {
            // A multipart without its boundary is a text.
            self.all.push(Part { content_type: "text/plain".to_owned(), raw, body_at });
        }
        for piece in pieces {
            if self.all.len() >= MOST_PARTS {
                return;
            }
            let body_at = Block::of(piece).body_at.unwrap_or(piece.len());
            self.add(piece, body_at, Kind::of(piece, "text/plain"), deeper - 1);
        }
    }

    /// The first part of this type.
    pub(super) fn first(&self, content_type: &str) -> Option<&Part<'a>> {
        self.all.iter().find(|part| part.content_type == content_type)
    }

    /// What people can read: the plain texts, else what is left of the HTML.
    pub(super) fn text(&self) -> String {
        let texts = |content_type: &str| {
            let parts = self.all.iter().filter(|part| part.content_type == content_type);
            parts.take(3).map(Part::text).collect::<Vec<_>>().join("\n\n")
        };
        let plain = texts("text/plain");
        if plain.trim().is_empty() { without_tags(&texts("text/html")) } else { plain }
    }
}

impl Part<'_> {
    /// Its body as it was sent.
    pub(super) fn body(&self) -> &[u8] {
        self.raw.get(self.body_at..).unwrap_or_default()
    }

    /// Its body as text.
    pub(super) fn text(&self) -> String {
        let raw = self.raw.get(..self.raw.len().min(self.body_at + LONGEST_PART));
        let is_leaf = !["multipart/", "message/rfc822", "message/global"].iter().any(|start| {
            self.content_type == *start || self.content_type.starts_with("multipart/")
        });
        let decoded = raw
            .filter(|_| is_leaf && self.body_at <= LONGEST_BLOCK)
            .and_then(|raw| mime_parser().parse(raw))
            .and_then(|message| match message.parts.into_iter().next()?.body {
                PartType::Text(text) | PartType::Html(text) => Some(text.into_owned()),
                PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                    Some(String::from_utf8_lossy(&bytes).into_owned())
                }
                _ => None,
            });
        let text = decoded.unwrap_or_else(|| {
            let body = self.body();
            let body = body.get(..body.len().min(LONGEST_PART)).unwrap_or_default();
            String::from_utf8_lossy(body).into_owned()
        });
        declared_nowhere(text).replace("\r\n", "\n")
    }
}

fn mime_parser() -> MessageParser {
    MessageParser::new().with_mime_headers()
}

/// ISO-2022-JP that does not say so (RFC 1468): its escapes are unmistakable.
fn declared_nowhere(text: String) -> String {
    if !text.contains("\x1b$B") && !text.contains("\x1b$@") {
        return text;
    }
    match charset_decoder(b"iso-2022-jp") {
        Some(decode) => decode(text.as_bytes()),
        None => text,
    }
}

impl Kind {
    /// By the header block that these bytes begin with.
    fn of(raw: &[u8], default: &str) -> Self {
        let value = Block::of(raw).first("Content-Type").unwrap_or_default();
        let header = format!("Content-Type: {value}\r\n\r\n");
        let parsed = mime_parser().parse_headers(header.as_bytes());
        let parsed = parsed.as_ref().and_then(|message| message.content_type());
        let Some(parsed) = parsed else {
            return Self { content_type: default.to_owned(), boundary: None };
        };
        let subtype = parsed.subtype().unwrap_or("plain");
        let content_type = format!("{}/{subtype}", parsed.ctype()).to_ascii_lowercase();
        let boundary = parsed.attribute("boundary").map(str::to_owned);
        Self { content_type, boundary: boundary.filter(|boundary| !boundary.is_empty()) }
    }
}

/// What stands between lines that begin with `--boundary` (RFC 2046 section 5.1.1).
fn pieces<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let rest = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary));
        // White space may follow; more would be another boundary that begins alike.
        let rest =
            rest.map(<[u8]>::trim_ascii_end).filter(|rest| matches!(rest, [] | [b'-', b'-']));
        if let Some(rest) = rest {
            if let Some(start) = start {
                pieces.push(body.get(start..at).unwrap_or_default());
            }
            start = Some(at + line.len());
            if !rest.is_empty() {
                return pieces;
            }
            if pieces.len() >= MOST_PARTS {
                return pieces;
            }
        }
        at += line.len();
    }
    if let Some(start) = start {
        pieces.push(body.get(start..).unwrap_or_default());
    }
    pieces
}

/// The text of HTML, line by line; enough to find words in it.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut pieces = html.split('<');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let Some((tag, rest)) = piece.split_once('>') else {
            text.push_str(piece);
            continue;
        };
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        let breaks = ["br", "p", "div", "tr", "li", "td", "h1", "h2", "h3", "pre"];
        if breaks.iter().any(|one| name.eq_ignore_ascii_case(one)) {
            text.push('\n');
        }
        text.push_str(rest);
    }
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&quot;", "\""), ("&#39;", "'")];
    let text = entities.iter().fold(text, |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(message: &str) -> Vec<String> {
        let parts = Parts::of(message.as_bytes(), &Block::of(message.as_bytes()));
        parts.all.into_iter().map(|part| part.content_type).collect()
    }

    #[test]
    fn a_report_lies_flat() {
        let message = "Content-Type: multipart/report; boundary=\"o\"\r\n\r\npreamble\r\n--o\r\n\
            Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nplain\r\n--i\r\n\
            Content-Type: text/html\r\n\r\n<p>a</p>\r\n--i--\r\n--o\r\nContent-Type: \
            message/delivery-status\r\n\r\nAction: failed\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n\
            Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--o--\r\n--o\r\n\r\nz";
        assert_eq!(
            types(message),
            ["text/plain", "text/html", "message/delivery-status", "message/rfc822"]
        );
        let parts = Parts::of(message.as_bytes(), &Block::of(message.as_bytes()));
        assert!(parts.is_report);
        assert_eq!(parts.text().trim(), "plain");
        assert_eq!(parts.first("message/delivery-status").unwrap().text().trim(), "Action: failed");
    }

    #[test]
    fn texts_are_decoded() {
        for (head, body, expected) in [
            ("text/plain; charset=koi8-r", &b"\xf0\xd2\xc9\xd7\xc5\xd4"[..], "Привет"),
            ("text/plain; charset=windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
            ("text/plain; charset=\"ISO-2022-JP\"", b"\x1b$B08@h\x1b(B a", "宛先 a"),
            ("text/plain", b"\x1b$B08@h\x1b(B a", "宛先 a"),
            ("text/plain; charset=shift_jis", b"\x88\xb6\x90\xe6", "宛先"),
            ("text/html", b"<html><b>a &lt;x@y&gt;</b><br>b</html>", "a <x@y>\nb"),
            ("text/plain\r\nContent-Transfer-Encoding: base64", b"YWJj", "abc"),
            ("text/plain\r\nContent-Transfer-Encoding: quoted-printable", b"a=\r\nb", "ab"),
        ] {
            let head = format!("Content-Type: {head}\r\n\r\n");
            let message = [head.as_bytes(), body].concat();
            let text = Parts::of(&message, &Block::of(&message)).text();
            assert_eq!(text.trim(), expected, "{head}");
        }
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let mut deep = String::new();
        for level in 0..1_000 {
            let head =
                format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
            deep.push_str(&head);
        }
        assert_eq!(types(&deep).len(), 1);
        let wide = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
            "--b\r\n\r\nx\r\n".repeat(500)
        );
        assert_eq!(types(&wide).len(), MOST_PARTS);
    }
}
