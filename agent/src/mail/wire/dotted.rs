//! A text that ends with a line that holds one dot (RFC 1939 section 3), piece by piece.
//!
//! Lines may be of any length: somebody's endless header line is to end no session. The text as a whole has
//! a limit.

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
    seen: usize,
    limit: usize,
}

impl Dotted {
    /// Accepts `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { at: At::Start, seen: 0, limit }
    }

    /// Takes bytes, and appends what they say without the dots that were doubled on the way. How many of
    /// them belong to the text, when it ends in them.
    ///
    /// # Errors
    /// When the text has no end within its limit.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>, WireError> {
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
                    out.push(b'\r');
                    self.push(byte, out);
                }
                _ => self.push(byte, out),
            }
        }
        Ok(None)
    }

    fn push(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.at = if byte == b'\n' { At::Start } else { At::Middle };
        out.push(byte);
    }
}

impl Wire {
    /// The next piece of a text, appended to `out`; whether it was the last. Of the text only its size is
    /// written down: it may be somebody's letter.
    ///
    /// # Errors
    /// When the connection ends, or the text has no end within its limit.
    pub async fn piece(
        &mut self,
        dotted: &mut Dotted,
        out: &mut Vec<u8>,
    ) -> Result<bool, WireError> {
        if self.incoming.is_empty() {
            self.fill().await?;
        }
        let end = dotted.take(&self.incoming, out)?;
        drop(self.incoming.split_to(end.unwrap_or(self.incoming.len())));
        if end.is_some() {
            self.record.say(Direction::Note, &format!("a text of {} bytes", dotted.seen));
        }
        Ok(end.is_some())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<(String, usize)> {
        let (mut dotted, mut out) = (Dotted::new(1_000), Vec::new());
        let end = dotted.take(bytes, &mut out).ok()??;
        Some((String::from_utf8(out).unwrap(), end))
    }

    #[test]
    fn texts() {
        for (bytes, expected) in [
            (".\r\n", Some(("", 3))),
            (".\n", Some(("", 2))),
            ("a: b\r\n\r\n.\r\n+OK", Some(("a: b\r\n\r\n", 11))),
            ("..\r\n..a\r\n.\r\n", Some((".\r\n.a\r\n", 12))),
            (".\rx\r\n.\r\n", Some(("\rx\r\n", 8))),
            ("a.\r\n.\r\n", Some(("a.\r\n", 7))),
            ("a\r\n", None),
            ("a.\r\n.", None),
        ] {
            let expected = expected.map(|(text, end)| (text.to_owned(), end));
            assert_eq!(read(bytes.as_bytes()), expected, "{bytes:?}");
        }
        assert!(read(&[b'x'; 2_000]).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn what_was_stuffed_comes_back_however_it_is_cut(
            text in "([.a\r]{0,4}\r\n){0,6}", cut in 0_usize..60,
        ) {
            let mut stuffed = String::new();
            for line in text.split_inclusive('\n') {
                stuffed += if line.starts_with('.') { "." } else { "" };
                stuffed += line;
            }
            stuffed += ".\r\n";
            let (a, b) = stuffed.as_bytes().split_at(cut.min(stuffed.len() - 1));
            let (mut dotted, mut out) = (Dotted::new(1_000), Vec::new());
            prop_assert_eq!(dotted.take(a, &mut out).unwrap(), None);
            prop_assert_eq!(dotted.take(b, &mut out).unwrap(), Some(b.len()));
            prop_assert_eq!(&out, text.as_bytes());
        }

        #[test]
        fn nothing_exceeds_the_bounds(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut dotted, mut out) = (Dotted::new(200), Vec::new());
            let refused = dotted.take(&bytes, &mut out).is_err();
            prop_assert!(out.len() <= 200 && (!refused || bytes.len() > 200));
        }
    }
}
