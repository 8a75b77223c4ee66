//! Transfer encodings taken off again, piece by piece (RFC 2045 section 6).
//!
//! Forgiving as mail programs are: characters that do not belong into base64 are skipped, a broken escape
//! of quoted-printable stands for itself.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Reads base64 with or without its padding, and with bits behind the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a part is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is: 7bit, 8bit, binary, and whatever is not known.
    Identity,
    /// Base64.
    Base64,
    /// Quoted-printable.
    QuotedPrintable,
}

impl Encoding {
    /// By the value of Content-Transfer-Encoding.
    pub(super) fn of(value: &str) -> Self {
        match value.trim().to_ascii_lowercase().as_str() {
            "base64" => Self::Base64,
            "quoted-printable" => Self::QuotedPrintable,
            _ => Self::Identity,
        }
    }
}

/// Decodes the lines of one part.
pub(super) struct Decoder {
    encoding: Encoding,
    /// Characters of base64 that do not make four yet.
    quad: Vec<u8>,
    /// A line end that belongs to the part only when another line follows: the last one belongs to the
    /// boundary (RFC 2046 section 5.1.1).
    line_end: bool,
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, quad: Vec::new(), line_end: false }
    }

    /// One line without its end; `is_whole` unless its end is yet to come.
    pub(super) fn line(&mut self, line: &[u8], is_whole: bool) -> Vec<u8> {
        match self.encoding {
            Encoding::Base64 => self.base64(line),
            Encoding::QuotedPrintable => {
                let mut decoded = self.held_line_end();
                let soft = quoted_printable(line, &mut decoded);
                self.line_end = is_whole && !soft;
                decoded
            }
            Encoding::Identity => {
                let mut decoded = self.held_line_end();
                decoded.extend_from_slice(line);
                self.line_end = is_whole;
                decoded
            }
        }
    }

    /// What is left at the end of the part.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.quad);
        LENIENT.decode(rest).unwrap_or_default()
    }

    fn held_line_end(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.line_end) { b"\r\n".to_vec() } else { Vec::new() }
    }

    fn base64(&mut self, line: &[u8]) -> Vec<u8> {
        if self.quad.is_empty()
            && line.len().is_multiple_of(4)
            && let Ok(decoded) = LENIENT.decode(line)
        {
            return decoded;
        }
        let known = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        self.quad.extend(line.iter().filter(known));
        let whole = self.quad.len() / 4 * 4;
        let rest = self.quad.split_off(whole);
        let quads = std::mem::replace(&mut self.quad, rest);
        LENIENT.decode(quads).unwrap_or_default()
    }
}

/// Decodes one line; whether it ends softly, so that the next one goes on with it.
fn quoted_printable(line: &[u8], decoded: &mut Vec<u8>) -> bool {
    // White space at the end was added on the way (RFC 2045 section 6.7, rule 3).
    let line = line.trim_ascii_end();
    let (line, soft) = match line.strip_suffix(b"=") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'=', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    soft
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, text: &str) -> String {
        let mut decoder = Decoder::new(Encoding::of(encoding));
        let mut bytes: Vec<u8> =
            text.lines().flat_map(|line| decoder.line(line.as_bytes(), true)).collect();
        bytes.extend(decoder.finish());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn encodings() {
        for (encoding, text, expected) in [
            ("7bit", "a\n\nb", "a\r\n\r\nb"),
            ("8BIT ", "ä\n", "ä"),
            ("x-unknown", "a", "a"),
            ("base64", "aGVsbG8=", "hello"),
            ("Base64", "aGVs\nbG8\n=\n", "hello"),
            ("base64", "aG V*s\nbG8gd29y\nbGQ", "hello world"),
            ("base64", "aGVsbG8", "hello"),
            ("quoted-printable", "a=20b=\nc  \nd", "a bc\r\nd"),
            ("quoted-printable", "=C3=A4=\n", "ä"),
            ("quoted-printable", "a=zz=4", "a=zz=4"),
        ] {
            assert_eq!(decoded(encoding, text), expected, "{encoding} {text:?}");
        }
    }
}
