//! Bounds what an IMAP server may send, before a byte of it is kept.
//!
//! A response is lines and literals: a line that ends in `{N}` is followed by N bytes and another line
//! (RFC 3501 section 4.3). An announced literal that is too large is refused at the announcement.

use crate::mail::wire::{LONGEST_LINE, LONGEST_RESPONSE, WireError};

/// The longest literal that is accepted unless more was asked for, in bytes.
pub(super) const LONGEST_LITERAL: usize = 64 * 1024;
/// The longest line while a search is under way: its answer is one line of numbers.
const LONGEST_SEARCH_LINE: usize = 512 * 1024;
/// An announcement is `{4294967295+}` at most.
const LONGEST_ANNOUNCEMENT: usize = 16;

/// Follows what a server sends, byte by byte.
#[derive(Debug)]
pub(super) struct Guard {
    line: usize,
    tail: Vec<u8>,
    literal_left: u64,
    response: usize,
    longest_literal: usize,
    longest_line: usize,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            line: 0,
            tail: Vec::with_capacity(LONGEST_ANNOUNCEMENT),
            literal_left: 0,
            response: 0,
            longest_literal: LONGEST_LITERAL,
            longest_line: LONGEST_LINE,
        }
    }

    /// A new command: what follows is another response.
    pub(super) fn begin(&mut self) {
        self.response = 0;
    }

    pub(super) fn accept_literals_of(&mut self, bytes: usize) {
        self.longest_literal = bytes;
    }

    pub(super) fn accept_long_lines(&mut self, long: bool) {
        self.longest_line = if long { LONGEST_SEARCH_LINE } else { LONGEST_LINE };
    }

    /// Looks at bytes that have come.
    pub(super) fn check(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.response = self.response.saturating_add(bytes.len());
        if self.response > LONGEST_RESPONSE {
            return Err(WireError::ResponseTooLong { limit: LONGEST_RESPONSE });
        }
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if self.literal_left > 0 {
                let skipped = usize::try_from(self.literal_left).unwrap_or(usize::MAX);
                let skipped = skipped.min(rest.len());
                self.literal_left -= u64::try_from(skipped).unwrap_or(u64::MAX);
                rest = rest.get(skipped..).unwrap_or_default();
                continue;
            }
            rest = after;
            self.byte(byte)?;
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Result<(), WireError> {
        if byte == b'\n' {
            self.literal_left = self.announced()?;
            self.line = 0;
            self.tail.clear();
            return Ok(());
        }
        self.line += 1;
        if self.line > self.longest_line {
            return Err(WireError::LineTooLong { limit: self.longest_line });
        }
        if self.tail.len() == LONGEST_ANNOUNCEMENT {
            self.tail.remove(0);
        }
        self.tail.push(byte);
        Ok(())
    }

    /// The size of the literal that the line announces at its end; zero when it announces none.
    fn announced(&self) -> Result<u64, WireError> {
        let tail = self.tail.strip_suffix(b"\r").unwrap_or(&self.tail);
        let Some(inner) = tail.strip_suffix(b"}") else { return Ok(0) };
        let inner = inner.strip_suffix(b"+").unwrap_or(inner);
        let open = inner.iter().rposition(|b| *b == b'{');
        let digits = open.and_then(|open| inner.get(open + 1..)).unwrap_or_default();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Ok(0);
        }
        let announced = digits
            .iter()
            .fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add((digit - b'0').into()));
        let limit = self.longest_literal;
        if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(WireError::LiteralTooLong { announced, limit });
        }
        Ok(announced)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8]) -> Result<(), WireError> {
        Guard::new().check(text)
    }

    #[test]
    fn a_gigabyte_is_refused_at_its_announcement() {
        let announced = check(b"* 1 FETCH (BODY[] {1073741824}\r\n");
        assert!(
            matches!(announced, Err(WireError::LiteralTooLong { announced: 1_073_741_824, .. })),
            "{announced:?}"
        );
        for text in ["{65537}\r\n", "~{99999999999}\n", "{65537+}\r\n", "* OK {65537}\r\n"] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_inside_a_literal_announces_nothing() {
        let mut guard = Guard::new();
        guard.check(b"* 1 FETCH (BODY[] {12}\r\n{9999999}\r\n\n)\r\n").unwrap();
        guard.check(b"A1 OK {x}\r\n* OK }\r\n{}\r\n{ 999999}\r\n").unwrap();
        guard.accept_literals_of(1_000_000);
        guard.check(b"{100000}\r\n").unwrap();
        assert_eq!(guard.literal_left, 100_000);
    }

    #[test]
    fn endless_lines_and_responses_are_refused() {
        assert!(matches!(check(&[b'x'; 9_000]), Err(WireError::LineTooLong { .. })));
        let mut guard = Guard::new();
        let mut refused = false;
        for _ in 0..300 {
            refused |= guard.check(&b"* OK still here\r\n".repeat(400)).is_err();
        }
        assert!(refused);
        guard.begin();
        assert!(guard.check(b"A1 OK\r\n").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn it_says_the_same_however_the_bytes_are_cut(
            bytes in "[{}0-9+\r\nax]{0,200}", cut in 0_usize..200
        ) {
            let (a, b) = bytes.as_bytes().split_at(cut.min(bytes.len()));
            let mut whole = Guard::new();
            let mut parts = Guard::new();
            let one = whole.check(bytes.as_bytes()).is_ok();
            let two = parts.check(a).is_ok() && parts.check(b).is_ok();
            prop_assert_eq!(one, two);
        }

        #[test]
        fn no_bytes_panic_and_none_get_past_a_bound(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    "\\{[0-9]{1,25}[+]?\\}\r?\n".prop_map(String::into_bytes),
                    (1_usize..10_000).prop_map(|length| vec![b'x'; length]),
                ],
                0..8,
            )
        ) {
            let mut guard = Guard::new();
            for part in &parts {
                if guard.check(part).is_err() {
                    break;
                }
                prop_assert!(guard.line <= LONGEST_LINE && guard.tail.len() <= LONGEST_ANNOUNCEMENT);
                prop_assert!(guard.literal_left <= u64::try_from(LONGEST_LITERAL).unwrap());
            }
        }
    }
}
