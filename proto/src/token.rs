//! The token by which a new agent comes in: one line to paste on the branch's server.
//!
//! It says where the collector is and by which authority to know it, and holds a secret that lets one agent in,
//! once. Absent on purpose: until when it works and what it gives, which the collector alone knows.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::vantage::random_bytes;

/// What a token begins with: this version of its form.
const PREFIX: &str = "mst1_";
/// Bytes of the collector's address at most: a name of 253 (RFC 1035 section 2.3.4) and a port.
const MAX_ADDRESS_BYTES: usize = 260;
/// Characters of a token at most; longer ones are not looked into.
const MAX_CHARACTERS: usize = 512;

/// What lets an agent in. It cannot be printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenSecret([u8; 16]);

impl TokenSecret {
    /// 128 new random bits.
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// From the bytes that came over the wire.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// For the wire, and nowhere else.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// SHA-256: all that the collector keeps of it. 128 random bits need no slow hash.
    pub fn digest(&self) -> [u8; 32] {
        let whole = ring::digest::digest(&ring::digest::SHA256, &self.0);
        whole.as_ref().try_into().unwrap_or_default()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// Where the collector is: a host and a port.
    pub collector: String,
    /// SHA-256 of the DER form of the authority's certificate, by which to know the collector.
    pub authority: [u8; 32],
    /// Lets one agent in.
    pub secret: TokenSecret,
}

/// A text that is no token, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// It does not begin like one.
    #[error(
        "this is no enrolment token: it begins with {PREFIX}, as `mailsonde-collector token create` prints it"
    )]
    Prefix,
    /// It begins like one, but is not whole.
    #[error("the token is cut or mistyped: copy the whole line again")]
    Damaged,
}

impl EnrolmentToken {
    /// The line to paste. It holds the secret: for the eyes of whoever enrols the agent alone.
    pub fn to_line(&self) -> String {
        let mut body = [&self.authority[..], &self.secret.0, self.collector.as_bytes()].concat();
        let check = crc32c::crc32c(&body).to_be_bytes();
        body.splice(..0, check);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(body))
    }

    /// Reads such a line; white space around it is forgiven.
    ///
    /// # Errors
    /// When it is no token, or not whole.
    pub fn from_line(line: &str) -> Result<Self, NotAToken> {
        let body = line.trim().strip_prefix(PREFIX).ok_or(NotAToken::Prefix)?;
        if body.len() > MAX_CHARACTERS {
            return Err(NotAToken::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD.decode(body).ok().ok_or(NotAToken::Damaged)?;
        let read = || {
            let (check, rest) = bytes.split_first_chunk::<4>()?;
            let (authority, after) = rest.split_first_chunk::<32>()?;
            let (secret, collector) = after.split_first_chunk::<16>()?;
            let collector = std::str::from_utf8(collector).ok()?;
            let whole = crc32c::crc32c(rest).to_be_bytes() == *check;
            let sound = !collector.is_empty()
                && collector.len() <= MAX_ADDRESS_BYTES
                && collector.bytes().all(|b| b.is_ascii_graphic());
            (whole && sound).then(|| Self {
                collector: collector.to_owned(),
                authority: *authority,
                secret: TokenSecret(*secret),
            })
        };
        read().ok_or(NotAToken::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> EnrolmentToken {
        EnrolmentToken {
            collector: "collector.example.org:7443".into(),
            authority: [7; 32],
            secret: TokenSecret::random(),
        }
    }

    #[test]
    fn a_token_survives_its_line_and_shows_no_secret() {
        let token = token();
        let line = token.to_line();
        assert_eq!(EnrolmentToken::from_line(&format!("  {line}\r\n")), Ok(token.clone()));
        assert!(line.len() < 120 && !line.contains(char::is_whitespace), "{line}");
        let shown = format!("{token:?}");
        assert!(shown.contains("TokenSecret(…)"), "{shown}");
        assert_eq!(EnrolmentToken::from_line("hello"), Err(NotAToken::Prefix));
    }

    #[test]
    fn a_cut_or_mistyped_token_is_told() {
        let line = token().to_line();
        for end in PREFIX.len()..line.len() {
            let cut = EnrolmentToken::from_line(line.get(..end).unwrap_or_default());
            assert_eq!(cut, Err(NotAToken::Damaged), "{end}");
        }
        for at in PREFIX.len()..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(bytes).unwrap();
            assert_eq!(EnrolmentToken::from_line(&other), Err(NotAToken::Damaged), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*", body in "[A-Za-z0-9_-]{0,600}") {
            for line in [text, format!("{PREFIX}{body}")] {
                if let Ok(token) = EnrolmentToken::from_line(&line) {
                    prop_assert_eq!(token.to_line(), line.trim());
                }
            }
        }
    }
}
