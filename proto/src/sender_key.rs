//! The public key by which another agent verifies signed test mail, and the text in which people copy it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a key's text starts with.
const PREFIX: &str = "ed25519:";

/// An Ed25519 public key (RFC 8032 section 5.1.5). Its text is `ed25519:` and base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderKey(pub [u8; 32]);

/// A text is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a key as `mailsonde-agent policy key` prints it on the sender: {PREFIX} and 43 characters"
)]
pub struct NotASenderKey;

impl fmt::Display for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SenderKey({self})")
    }
}

impl FromStr for SenderKey {
    type Err = NotASenderKey;

    fn from_str(text: &str) -> Result<Self, NotASenderKey> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(NotASenderKey)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok().ok_or(NotASenderKey)?;
        bytes.try_into().map(Self).ok().ok_or(NotASenderKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_nothing_else_is_one() {
        let key = SenderKey([7; 32]);
        let text = key.to_string();
        assert_eq!(text, "ed25519:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
        assert_eq!(text.parse(), Ok(key));
        assert_eq!(format!(" {text}\n").parse(), Ok(key));
        let cut = text.get(..50).unwrap_or_default();
        let headless = text.get(1..).unwrap_or_default();
        for other in ["", "ed25519:", "ed25519:Bw", headless, cut, &format!("{text}Bw")] {
            assert_eq!(other.parse::<SenderKey>(), Err(NotASenderKey), "{other}");
        }
    }
}
