//! One stored message: its bytes, its flags, and the parts that IMAP can ask for.

use bytes::Bytes;
use mailsonde_proto::WallTime;

/// The system flags of RFC 3501 section 2.3.2, without `\Recent`, which belongs to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const ANSWERED: Self = Self(1);
    pub(super) const DELETED: Self = Self(2);
    pub(super) const DRAFT: Self = Self(4);
    pub(super) const FLAGGED: Self = Self(8);
    pub(super) const SEEN: Self = Self(16);

    pub(super) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 == flag.0
    }

    pub(super) const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    pub(super) const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}

/// A message in a mailbox. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) uid: u32,
    pub(super) flags: Flags,
    /// When it was stored: INTERNALDATE.
    pub(super) stored_at: WallTime,
    pub(super) content: Bytes,
}

impl Message {
    /// The header with the blank line that ends it; all of a message that has no blank line.
    pub(super) fn header(&self) -> Bytes {
        self.content.slice(..header_len(&self.content))
    }

    /// What follows the header.
    pub(super) fn text(&self) -> Bytes {
        self.content.slice(header_len(&self.content)..)
    }

    /// Header fields whose name `wanted` takes, unfolded no further than they were sent, and the
    /// blank line (RFC 3501 section 6.4.5).
    pub(super) fn header_fields(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let header = self.header();
        let mut taken = false;
        let mut fields = Vec::new();
        for line in header.split_inclusive(|byte| *byte == b'\n') {
            if matches!(line, b"\r\n" | b"\n") {
                break;
            }
            if !matches!(line.first(), Some(b' ' | b'\t')) {
                let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
                taken = wanted(name.trim_ascii_end());
            }
            if taken {
                fields.extend_from_slice(line);
            }
        }
        fields.extend_from_slice(b"\r\n");
        fields
    }

    /// Whether a field of this name has this text in its value, case ignored; any value has the
    /// empty text (RFC 3501 section 6.4.4).
    pub(super) fn header_has(&self, name: &[u8], text: &[u8]) -> bool {
        let field = self.header_fields(|candidate| candidate.eq_ignore_ascii_case(name));
        let after_name = field.get(name.len()..).unwrap_or_default();
        field.len() > 2 && contains(after_name, text)
    }
}

/// Whether `haystack` contains `needle`, ASCII case ignored.
pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

fn header_len(content: &[u8]) -> usize {
    if content.starts_with(b"\r\n") {
        return 2;
    }
    let blank_line = content.windows(4).position(|window| window == b"\r\n\r\n");
    blank_line.map_or(content.len(), |at| at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &'static str) -> Message {
        Message {
            uid: 1,
            flags: Flags::default(),
            stored_at: WallTime::default(),
            content: Bytes::from_static(content.as_bytes()),
        }
    }

    #[test]
    fn header_and_text_part_at_the_blank_line() {
        let check = |content, header: &str, text: &str| {
            assert_eq!(message(content).header(), header, "{content:?}");
            assert_eq!(message(content).text(), text, "{content:?}");
        };
        check("A: 1\r\n\r\nbody\r\n\r\n", "A: 1\r\n\r\n", "body\r\n\r\n");
        check("A: 1\r\n", "A: 1\r\n", "");
        check("\r\nbody", "\r\n", "body");
        check("", "", "");
    }

    #[test]
    fn fields_keep_their_folded_lines() {
        let message = message("A: 1\r\nB: 2\r\n\t3\r\nA: 4\r\n\r\nA: 5\r\n");
        let named = |name: &[u8]| {
            let name = name.to_vec();
            message.header_fields(move |candidate| candidate.eq_ignore_ascii_case(&name))
        };
        assert_eq!(named(b"b"), b"B: 2\r\n\t3\r\n\r\n");
        assert_eq!(named(b"A"), b"A: 1\r\nA: 4\r\n\r\n");
        assert_eq!(named(b"C"), b"\r\n");
    }

    #[test]
    fn a_search_looks_at_the_value_only() {
        let message = message("X-Token: AbC\r\nOther: z\r\n\r\nabc");
        assert!(message.header_has(b"x-token", b"bc"));
        assert!(message.header_has(b"x-token", b""));
        assert!(!message.header_has(b"x-token", b"token"));
        assert!(!message.header_has(b"absent", b""));
    }
}
