//! What makes a message large: lines of noise that need no memory, because they are made again whenever
//! they are wanted.
//!
//! The noise is SHA-256 over a random seed and a counter, so that no compression on the way makes a
//! message smaller than it was asked to be.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mailsonde_proto::vantage::random_bytes;
use ring::digest;

use super::canonical::sha256;

/// Bytes that a line stands for: 76 characters of base64 (RFC 2045 section 6.8).
const ROW: usize = 57;
/// Characters of a whole line of padding: a mark, 76 characters, and its end.
const PADDING_ROW: u64 = 79;
/// Lines that are made at once.
const ROWS_AT_ONCE: usize = 512;

/// So many bytes of noise as lines of text.
#[derive(Clone, Debug)]
pub(super) struct Filler {
    seed: [u8; 16],
    bytes: u64,
    form: Form,
}

/// How the lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Text: an `x` keeps `.` and `From ` away from the start.
    Padding,
    /// An attachment in base64.
    Base64,
}

impl Filler {
    /// Lines of text, at least `bytes` of them in all.
    pub(super) fn padding(bytes: u64) -> Self {
        let bytes = bytes.div_ceil(PADDING_ROW).saturating_mul(len(ROW));
        Self { seed: random_bytes(), bytes, form: Form::Padding }
    }

    /// An attachment of exactly so many bytes, in base64.
    pub(super) fn attachment(bytes: u64) -> Self {
        Self { seed: random_bytes(), bytes, form: Form::Base64 }
    }

    /// Bytes of its text.
    pub(super) fn text_bytes(&self) -> u64 {
        let row = len(ROW);
        match self.form {
            Form::Padding => self.bytes.div_ceil(row) * PADDING_ROW,
            Form::Base64 => self.bytes.div_ceil(3) * 4 + self.bytes.div_ceil(row) * 2,
        }
    }

    /// Its text, piece by piece.
    pub(super) fn text(&self) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
        let form = self.form;
        self.noise().map(move |noise| form.lines(&noise))
    }

    /// SHA-256 of what the lines stand for.
    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        self.noise().for_each(|noise| context.update(&noise));
        sha256(context)
    }

    /// The noise itself, piece by piece.
    fn noise(&self) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
        let (seed, mut left, mut counter) = (self.seed, self.bytes, 0_u64);
        std::iter::from_fn(move || {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(ROW * ROWS_AT_ONCE);
            if wanted == 0 {
                return None;
            }
            left -= len(wanted);
            let mut noise = Vec::with_capacity(wanted + digest::SHA256_OUTPUT_LEN);
            while noise.len() < wanted {
                let mut context = digest::Context::new(&digest::SHA256);
                context.update(&seed);
                context.update(&counter.to_be_bytes());
                noise.extend_from_slice(context.finish().as_ref());
                counter += 1;
            }
            noise.truncate(wanted);
            Some(noise)
        })
    }
}

impl Form {
    fn lines(self, noise: &[u8]) -> Vec<u8> {
        let mut text = String::with_capacity(ROWS_AT_ONCE * 80);
        for row in noise.chunks(ROW) {
            match self {
                Self::Padding => {
                    text.push('x');
                    URL_SAFE_NO_PAD.encode_string(row, &mut text);
                }
                Self::Base64 => STANDARD.encode_string(row, &mut text),
            }
            text.push_str("\r\n");
        }
        text.into_bytes()
    }
}

/// A length in memory as a count of bytes.
fn len(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_has_the_size_that_it_says_and_is_the_same_each_time() {
        for bytes in [0, 1, 56, 57, 58, 29_183, 29_184, 29_185, 100_000] {
            for filler in [Filler::attachment(bytes), Filler::padding(bytes)] {
                let text: Vec<u8> = filler.text().flatten().collect();
                assert_eq!(len(text.len()), filler.text_bytes(), "{filler:?}");
                let again: Vec<u8> = filler.text().flatten().collect();
                assert_eq!(text, again);
                assert!(text.split(|b| *b == b'\n').all(|line| line.len() <= 78));
            }
            assert!(Filler::padding(bytes).text_bytes() >= bytes);
        }
    }

    #[test]
    fn an_attachment_decodes_to_what_its_digest_says() {
        let filler = Filler::attachment(100_000);
        let text: Vec<u8> =
            filler.text().flatten().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let decoded = STANDARD.decode(text).unwrap();
        assert_eq!(decoded.len(), 100_000);
        assert_eq!(digest::digest(&digest::SHA256, &decoded).as_ref(), filler.sha256());
        assert_ne!(Filler::attachment(100_000).sha256(), filler.sha256(), "another seed");
    }
}
