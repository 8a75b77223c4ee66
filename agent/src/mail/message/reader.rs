//! Reads a message that arrived as it comes in, in bounded memory: digests of its body, and of what each
//! of its parts stands for once its transfer encoding is taken off (RFC 2045, RFC 2046).
//!
//! A message of 50 MiB needs no more room than one of 50 KiB. mail-parser reads the headers of each part;
//! the walk from boundary to boundary is ours, because a parser of whole messages wants them in memory.
//! Absent on purpose: what any of it means.

use mail_parser::{MessageParser, MimeHeaders};
use ring::digest;

use super::canonical::{Relaxed, sha256};
use super::transfer::{Decoder, Encoding};

/// The most bytes of a header block that are kept.
pub const LONGEST_HEADERS: usize = 256 * 1024;
/// The longest line that is looked at as one.
const LONGEST_LINE: usize = 64 * 1024;
/// How many parts are told apart, and how deep one may lie in another.
const MOST_PARTS: usize = 32;
const DEEPEST: usize = 8;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The message's header block, without the empty line behind it.
    pub headers: Vec<u8>,
    /// Whether the message was given whole.
    pub is_whole: bool,
    /// The digest of its body as it came; only where it is no multipart.
    pub(super) body: Option<[u8; 16]>,
    /// Its parts that are no multipart.
    pub(super) leaves: Vec<Leaf>,
}

/// A part that is no multipart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) is_text: bool,
    pub(super) name: Option<String>,
    pub(super) encoding: Encoding,
    /// Of its decoded text, in canonical form.
    pub(super) text: [u8; 16],
    /// Of its decoded bytes.
    pub(super) sha256: [u8; 32],
}

/// Reads one message, fed in pieces of any size.
pub struct Reader {
    line: Vec<u8>,
    /// The line before this one had no end yet: the pieces of a line that is too long to be kept.
    goes_on: bool,
    headers: Option<Vec<u8>>,
    block: Vec<u8>,
    state: State,
    boundaries: Vec<Vec<u8>>,
    body: Option<Relaxed>,
    leaves: Vec<Leaf>,
}

enum State {
    /// The headers of the message or of a part.
    Headers,
    /// Between the parts of a multipart.
    Between,
    /// A part.
    Leaf(Box<Open>),
}

struct Open {
    is_text: bool,
    name: Option<String>,
    encoding: Encoding,
    decoder: Decoder,
    text: Relaxed,
    bytes: digest::Context,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self {
            line: Vec::new(),
            goes_on: false,
            headers: None,
            block: Vec::new(),
            state: State::Headers,
            boundaries: Vec::new(),
            body: None,
            leaves: Vec::new(),
        }
    }

    /// The next piece of the message.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (before, after) = rest.split_at(end);
            self.line.extend_from_slice(before);
            let mut line = std::mem::take(&mut self.line);
            let ended = if line.last() == Some(&b'\r') {
                line.pop();
                "\r\n"
            } else {
                "\n"
            };
            self.take(&line, Some(ended));
            line.clear();
            self.line = line;
            rest = after.get(1..).unwrap_or_default();
        }
        self.line.extend_from_slice(rest);
        if self.line.len() > LONGEST_LINE {
            let line = std::mem::take(&mut self.line);
            self.take(&line, None);
        }
    }

    /// What it came to; `is_whole` unless the server gave only a part of it.
    pub fn finish(mut self, is_whole: bool) -> Reading {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.take(&line, None);
        }
        if self.headers.is_none() {
            // Headers without an end: no body at all.
            self.headers = Some(std::mem::take(&mut self.block));
            self.body = Some(Relaxed::new());
        }
        self.close_leaf();
        Reading {
            headers: self.headers.unwrap_or_default(),
            is_whole,
            body: self.body.map(Relaxed::finish),
            leaves: self.leaves,
        }
    }

    /// One line, with the end that it had.
    fn take(&mut self, line: &[u8], ended: Option<&str>) {
        let is_start = !std::mem::replace(&mut self.goes_on, ended.is_none());
        if let Some(body) = &mut self.body {
            body.feed(line);
            body.feed(ended.unwrap_or_default().as_bytes());
        }
        if is_start && self.headers.is_some() && self.boundary(line) {
            return;
        }
        match &mut self.state {
            State::Headers if is_start && line.is_empty() => self.end_headers(),
            State::Headers => {
                let room = LONGEST_HEADERS.saturating_sub(self.block.len());
                self.block.extend_from_slice(line.get(..room.min(line.len())).unwrap_or_default());
                self.block.extend_from_slice(ended.unwrap_or_default().as_bytes());
            }
            State::Between => {}
            State::Leaf(open) => open.line(line, ended.is_some()),
        }
    }

    /// Whether the line is a boundary; then what it means has been done.
    fn boundary(&mut self, line: &[u8]) -> bool {
        let Some(rest) = line.trim_ascii_end().strip_prefix(b"--") else { return false };
        let closing = rest.strip_suffix(b"--");
        let depth = self.boundaries.iter().rposition(|boundary| {
            rest == boundary.as_slice() || closing.is_some_and(|rest| rest == boundary.as_slice())
        });
        let Some(depth) = depth else { return false };
        let is_closing = self.boundaries.get(depth).is_some_and(|boundary| rest != boundary);
        self.close_leaf();
        self.boundaries.truncate(if is_closing { depth } else { depth + 1 });
        self.block.clear();
        self.state = if is_closing { State::Between } else { State::Headers };
        true
    }

    /// The headers of the message or of a part are over.
    fn end_headers(&mut self) {
        let block = std::mem::take(&mut self.block);
        let described = MessageParser::default().parse_headers(&block);
        let content_type = described.as_ref().and_then(|message| message.content_type());
        let main = content_type.map_or("text", |found| found.ctype()).to_ascii_lowercase();
        let boundary = content_type.filter(|_| main == "multipart");
        let boundary = boundary.and_then(|found| found.attribute("boundary"));
        if let (Some(boundary), true) = (boundary, self.boundaries.len() < DEEPEST) {
            self.boundaries.push(boundary.as_bytes().to_vec());
            self.state = State::Between;
        } else {
            let encoding =
                described.as_ref().and_then(|m| m.content_transfer_encoding()).unwrap_or_default();
            let name = described.as_ref().and_then(|m| m.attachment_name()).map(str::to_owned);
            self.state = State::Leaf(Box::new(Open::new(main == "text", name, encoding)));
        }
        if self.headers.is_none() {
            self.body = self.boundaries.is_empty().then(Relaxed::new);
            self.headers = Some(block);
        }
    }

    fn close_leaf(&mut self) {
        if let State::Leaf(open) = std::mem::replace(&mut self.state, State::Between)
            && self.leaves.len() < MOST_PARTS
        {
            self.leaves.push(open.finish());
        }
    }
}

impl Open {
    fn new(is_text: bool, name: Option<String>, encoding: &str) -> Self {
        let encoding = Encoding::of(encoding);
        Self {
            is_text,
            name,
            encoding,
            decoder: Decoder::new(encoding),
            text: Relaxed::new(),
            bytes: digest::Context::new(&digest::SHA256),
        }
    }

    fn line(&mut self, line: &[u8], is_whole: bool) {
        let decoded = self.decoder.line(line, is_whole);
        self.take(&decoded);
    }

    fn take(&mut self, decoded: &[u8]) {
        self.bytes.update(decoded);
        // The canonical form is for text: making it of 50 MiB of something else would be for nothing.
        if self.is_text {
            self.text.feed(decoded);
        }
    }

    fn finish(mut self) -> Leaf {
        let rest = self.decoder.finish();
        self.take(&rest);
        let Self { is_text, name, encoding, text, bytes, .. } = self;
        Leaf { is_text, name, encoding, text: text.finish(), sha256: sha256(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &str) -> Reading {
        let mut reader = Reader::new();
        reader.feed(message.as_bytes());
        reader.finish(true)
    }

    fn sha256_of(text: &str) -> [u8; 32] {
        sha256({
            let mut context = digest::Context::new(&digest::SHA256);
            context.update(text.as_bytes());
            context
        })
    }

    const NESTED: &str = "Subject: a\r\nContent-Type: multipart/mixed; boundary=\"out er\"\r\n\r\n\
        preamble\r\n--out er\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n\
        --in\r\n\r\nplain\r\n--in\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: \
        quoted-printable\r\n\r\n<b>=20x</b>=\r\n\r\n--in--\r\nepilogue\r\n--out er  \r\nContent-Type: \
        application/x-thing; name=a.exe\r\nContent-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n\
        --out er--\r\nend\r\n";

    #[test]
    fn parts_are_found_wherever_they_lie() {
        let reading = read(NESTED);
        assert_eq!(reading.body, None, "a multipart has no digest of its own");
        assert!(reading.headers.starts_with(b"Subject: a\r\n"));
        assert!(reading.headers.ends_with(b"\"out er\"\r\n"));
        let found: Vec<_> = reading
            .leaves
            .iter()
            .map(|leaf| (leaf.is_text, leaf.name.as_deref(), leaf.encoding, leaf.sha256))
            .collect();
        assert_eq!(
            found,
            [
                (true, None, Encoding::Identity, sha256_of("plain")),
                (true, None, Encoding::QuotedPrintable, sha256_of("<b> x</b>")),
                (false, Some("a.exe"), Encoding::Base64, sha256_of("hello")),
            ]
        );
    }

    #[test]
    fn a_plain_message_has_a_body_and_one_part() {
        let reading = read("Subject: a\n\nhello\n");
        assert_eq!(reading.leaves.len(), 1);
        assert_eq!(reading.body, Some(reading.leaves[0].text));
        let none = read("Subject: a");
        assert_eq!((none.leaves.len(), none.headers.as_slice()), (0, b"Subject: a".as_slice()));
    }

    #[test]
    fn what_is_hostile_is_bounded() {
        let deep = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(100);
        assert!(read(&deep).leaves.len() <= MOST_PARTS);
        let many =
            format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(500));
        assert_eq!(read(&many).leaves.len(), MOST_PARTS);
        let headers = format!("X: {}\r\n\r\nbody", "y".repeat(2 * LONGEST_HEADERS));
        assert!(read(&headers).headers.len() <= LONGEST_HEADERS + 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn nothing_panics_and_cuts_change_nothing(
            text in "(Content-Type: |multipart/mixed; boundary=b|text/plain|base64|Content-Transfer-Encoding: |quoted-printable|--b|--|\r\n|\n|=|[a-zA-Z0-9+/=]{0,9}|: |[ -~]|é){0,30}",
            cut in 0_usize..200,
        ) {
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let mut reader = Reader::new();
            reader.feed(one);
            reader.feed(two);
            prop_assert_eq!(reader.finish(true), read(&text));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut reader = Reader::new();
            reader.feed(&bytes);
            let reading = reader.finish(true);
            prop_assert!(reading.leaves.len() <= MOST_PARTS);
        }
    }
}
