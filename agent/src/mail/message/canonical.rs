//! Digests of what a message says, which harmless changes on its way leave as they are.

use ring::digest;

use crate::mail::token::first;

/// Bytes that are digested at once.
const AT_ONCE: usize = 4 * 1024;

/// The first 16 bytes of SHA-256 over a text in the relaxed canonical form of RFC 6376 section 3.4.4:
/// runs of white space are one space, none at the end of a line, no empty lines at the end. Line ends
/// and trailing white space may change on the way; anything else is an alteration. The text is fed in
/// pieces of any size.
pub(super) struct Relaxed {
    context: digest::Context,
    canonical: Vec<u8>,
    empty_lines: u64,
    line_has_text: bool,
    space: bool,
    carriage_return: bool,
}

impl Relaxed {
    pub(super) fn new() -> Self {
        Self {
            context: digest::Context::new(&digest::SHA256),
            canonical: Vec::with_capacity(AT_ONCE + 16),
            empty_lines: 0,
            line_has_text: false,
            space: false,
            carriage_return: false,
        }
    }

    pub(super) fn feed(&mut self, text: &[u8]) {
        for &byte in text {
            if self.carriage_return && byte != b'\n' {
                self.carriage_return = false;
                self.text(b'\r');
            }
            match byte {
                b'\r' => self.carriage_return = true,
                b'\n' => self.end_line(),
                b' ' | b'\t' => self.space = true,
                byte => self.text(byte),
            }
        }
    }

    pub(super) fn finish(mut self) -> [u8; 16] {
        self.carriage_return = false;
        if self.line_has_text {
            self.end_line();
        }
        self.context.update(&self.canonical);
        first(self.context.finish().as_ref())
    }

    fn end_line(&mut self) {
        self.carriage_return = false;
        self.space = false;
        if self.line_has_text {
            self.put(b"\r\n");
        } else {
            self.empty_lines += 1;
        }
        self.line_has_text = false;
    }

    fn text(&mut self, byte: u8) {
        if !self.line_has_text {
            self.line_has_text = true;
            for _ in 0..std::mem::take(&mut self.empty_lines) {
                self.put(b"\r\n");
            }
        }
        if std::mem::take(&mut self.space) {
            self.canonical.push(b' ');
        }
        self.put(&[byte]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.canonical.extend_from_slice(bytes);
        if self.canonical.len() >= AT_ONCE {
            self.context.update(&self.canonical);
            self.canonical.clear();
        }
    }
}

/// The digest that stands for a text with an attachment: neither alone makes it.
pub(super) fn of_both(text: [u8; 16], attachment: [u8; 32]) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"text and attachment\n");
    context.update(&text);
    context.update(&attachment);
    first(context.finish().as_ref())
}

/// SHA-256, whole.
pub(super) fn sha256(context: digest::Context) -> [u8; 32] {
    first(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest_of(text: &[u8]) -> [u8; 16] {
        let mut relaxed = Relaxed::new();
        relaxed.feed(text);
        relaxed.finish()
    }

    #[test]
    fn what_may_change_and_what_may_not() {
        let sent = digest_of(b"a b\r\n\r\nc\r\n");
        for (text, same) in [
            ("a b\n\nc", true),
            ("a  \tb \r\n \r\nc\r\n\r\n\r\n", true),
            ("a b\r\nc\r\n", false),
            (" a b\r\n\r\nc\r\n", false),
            ("ab\r\n\r\nc\r\n", false),
            ("a b\r\n\r\nc\r\rd\r\n", false),
            ("a b\r\n\r\nc\r\nd", false),
        ] {
            assert_eq!(digest_of(text.as_bytes()) == sent, same, "{text:?}");
        }
        // Known from RFC 6376: the empty body in relaxed form has the digest of nothing.
        assert_eq!(digest_of(b""), first(digest::digest(&digest::SHA256, b"").as_ref()));
        assert_eq!(digest_of(b"\r\n \r\n"), digest_of(b""));
        let canonical = digest::digest(&digest::SHA256, b" C\r\nD E\r\n");
        assert_eq!(digest_of(b" C \r\nD \t E\r\n\r\n\r\n"), first(canonical.as_ref()));
    }

    proptest! {
        #[test]
        fn it_says_the_same_however_the_text_is_cut(text in "[ab \t\r\n]{0,80}", cut in 0_usize..80) {
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let mut relaxed = Relaxed::new();
            relaxed.feed(one);
            relaxed.feed(two);
            prop_assert_eq!(relaxed.finish(), digest_of(text.as_bytes()));
        }
    }
}
