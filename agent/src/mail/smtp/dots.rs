//! The end of a message in DATA, and what keeps it from ending too early.

use std::borrow::Cow;

/// Makes a message as DATA wants it: dots at line starts doubled, and a line with a dot at the end
/// (RFC 5321 section 4.5.2).
pub(super) struct DotStuffing {
    at_line_start: bool,
    /// Of the message so far, without what was added.
    pub(super) bytes: u64,
}

impl Default for DotStuffing {
    fn default() -> Self {
        Self { at_line_start: true, bytes: 0 }
    }
}

impl DotStuffing {
    pub(super) fn stuffed<'m>(&mut self, piece: &'m [u8]) -> Cow<'m, [u8]> {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let begins_with_dot = self.at_line_start && piece.first() == Some(&b'.');
        if !begins_with_dot && !piece.windows(2).any(|two| two == b"\n.") {
            self.at_line_start = piece.last().map_or(self.at_line_start, |last| *last == b'\n');
            return Cow::Borrowed(piece);
        }
        let mut stuffed = Vec::with_capacity(piece.len() + 64);
        for &byte in piece {
            if self.at_line_start && byte == b'.' {
                stuffed.push(b'.');
            }
            stuffed.push(byte);
            self.at_line_start = byte == b'\n';
        }
        Cow::Owned(stuffed)
    }

    pub(super) fn end(&self) -> &'static [u8] {
        if self.at_line_start { b".\r\n" } else { b"\r\n.\r\n" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_at_line_starts_only() {
        for (message, stuffed) in [
            ("a.b\r\n.c\r\n..\r\n", "a.b\r\n..c\r\n...\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("", ".\r\n"),
        ] {
            for cut in 0..=message.len() {
                let (one, two) = message.as_bytes().split_at(cut);
                let mut dots = DotStuffing::default();
                let mut sent = dots.stuffed(one).into_owned();
                sent.extend_from_slice(&dots.stuffed(two));
                sent.extend_from_slice(dots.end());
                assert_eq!(String::from_utf8(sent).unwrap(), stuffed, "cut at {cut}");
            }
        }
    }
}
