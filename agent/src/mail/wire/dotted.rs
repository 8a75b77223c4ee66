//! A text that ends with a line that holds one dot (RFC 1939 section 3), kept up to a bound.
//!
//! What is beyond the bound is read and thrown away, so that somebody's endless header does not end a
//! session; beyond the limit of all of it, it does. Lines may be of any length.

use super::{Wire, WireError};
use crate::transcript::Direction;

/// Where in a line the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Dot,
    DotCr,
    Middle,
}

/// Reads such a text, however its bytes are cut.
#[derive(Debug)]
pub struct Dotted {
    at: At,
    kept: Vec<u8>,
    keep: usize,
    seen: usize,
    limit: usize,
}

/// Such a text, read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its first bytes, without the dots that were doubled on the way.
    pub bytes: Vec<u8>,
    /// Whether these are all of them.
    pub is_whole: bool,
}

impl Dotted {
    /// Keeps the first `keep` bytes, and accepts `limit`.
    pub fn new(keep: usize, limit: usize) -> Self {
        Self { at: At::Start, kept: Vec::new(), keep, seen: 0, limit }
    }

    /// Takes bytes; how many of them belong to the text when it ends in them.
    ///
    /// # Errors
    /// When the text has no end within its limit.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        for (index, &byte) in bytes.iter().enumerate() {
            self.seen += 1;
            if self.seen > self.limit {
                return Err(WireError::ResponseTooLong { limit: self.limit });
            }
            match (self.at, byte) {
                (At::Start, b'.') => self.at = At::Dot,
                (At::Dot, b'\r') => self.at = At::DotCr,
                (At::Dot | At::DotCr, b'\n') => return Ok(Some(index + 1)),
                (At::DotCr, _) => {
                    self.push(b'\r');
                    self.push(byte);
                }
                _ => self.push(byte),
            }
        }
        Ok(None)
    }

    /// The text, when it has ended.
    pub fn into_text(self) -> Text {
        let is_whole = self.kept.len() < self.keep.saturating_add(1);
        let mut bytes = self.kept;
        bytes.truncate(self.keep);
        Text { bytes, is_whole }
    }

    fn push(&mut self, byte: u8) {
        self.at = if byte == b'\n' { At::Start } else { At::Middle };
        // One byte more than is kept says that there were more.
        if self.kept.len() <= self.keep {
            self.kept.push(byte);
        }
    }
}

impl Wire {
    /// A text up to its line with one dot: the first `keep` bytes of it, of at most `limit`. Only its size
    /// is written down: it may be somebody's letter.
    ///
    /// # Errors
    /// When the connection ends, or the text has no end within `limit`.
    pub async fn dotted(&mut self, keep: usize, limit: usize) -> Result<Text, WireError> {
        let mut dotted = Dotted::new(keep, limit);
        loop {
            if self.incoming.is_empty() {
                self.fill().await?;
            }
            let end = dotted.take(&self.incoming)?;
            let taken = end.unwrap_or(self.incoming.len());
            drop(self.incoming.split_to(taken));
            if end.is_some() {
                self.record.say(Direction::Note, &format!("a text of {} bytes", dotted.seen));
                return Ok(dotted.into_text());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], keep: usize) -> Option<(String, bool, usize)> {
        let mut dotted = Dotted::new(keep, 1_000);
        let end = dotted.take(bytes).ok()??;
        let text = dotted.into_text();
        Some((String::from_utf8(text.bytes).unwrap(), text.is_whole, end))
    }

    #[test]
    fn texts() {
        for (bytes, expected) in [
            (".\r\n", Some(("", true, 3))),
            (".\n", Some(("", true, 2))),
            ("a: b\r\n\r\n.\r\n+OK", Some(("a: b\r\n\r\n", true, 11))),
            ("..\r\n..a\r\n.\r\n", Some((".\r\n.a\r\n", true, 12))),
            (".\rx\r\n.\r\n", Some(("\rx\r\n", true, 8))),
            ("a.\r\n.\r\n", Some(("a.\r\n", true, 7))),
            ("123456789\r\n.\r\n", Some(("123456789\r", false, 14))),
            ("12345678\r\n.\r\n", Some(("12345678\r\n", true, 13))),
            ("a\r\n", None),
            ("a.\r\n.", None),
        ] {
            let expected = expected.map(|(text, whole, end)| (text.to_owned(), whole, end));
            assert_eq!(read(bytes.as_bytes(), 10), expected, "{bytes:?}");
        }
        assert!(read(&[b'x'; 2_000], 10).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn what_was_stuffed_comes_back_however_it_is_cut(
            text in "([.a\r]{0,4}\r\n){0,6}", cut in 0_usize..60, keep in 0_usize..60,
        ) {
            let mut stuffed = String::new();
            for line in text.split_inclusive('\n') {
                stuffed += if line.starts_with('.') { "." } else { "" };
                stuffed += line;
            }
            stuffed += ".\r\n";
            let (a, b) = stuffed.as_bytes().split_at(cut.min(stuffed.len() - 1));
            let mut dotted = Dotted::new(keep, 1_000);
            prop_assert_eq!(dotted.take(a).unwrap(), None);
            prop_assert_eq!(dotted.take(b).unwrap(), Some(b.len()));
            let read = dotted.into_text();
            prop_assert_eq!(&read.bytes, &text.as_bytes()[..keep.min(text.len())]);
            prop_assert_eq!(read.is_whole, text.len() <= keep);
        }

        #[test]
        fn nothing_exceeds_the_bounds(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut dotted = Dotted::new(64, 200);
            let refused = dotted.take(&bytes).is_err();
            prop_assert!(dotted.kept.len() <= 65 && (!refused || bytes.len() > 200));
        }
    }
}
