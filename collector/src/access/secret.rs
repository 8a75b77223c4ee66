//! What is shown with each question: a session's token or an API token. Both are made here and nowhere else.

use std::fmt;

use mailsonde_proto::vantage::random_bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::control::TokenId;

/// What a session's token begins with.
const SESSION_PREFIX: &str = "mss1_";
/// What an API token begins with.
const API_PREFIX: &str = "msa1_";
/// Characters of either: a prefix and 256 bits in hexadecimal digits.
const CHARACTERS: usize = 5 + 64;

/// SHA-256 of a token: all that is kept. 256 random bits need no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BearerDigest([u8; 32]);

impl BearerDigest {
    /// Of what was shown; `None` for what cannot be a token of ours.
    pub(super) fn of(token: &str) -> Option<Self> {
        let is_ours = token.starts_with(SESSION_PREFIX) || token.starts_with(API_PREFIX);
        (is_ours && token.len() == CHARACTERS).then(|| Self::sum(token))
    }

    fn sum(token: &str) -> Self {
        let whole = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        Self(whole.as_ref().try_into().unwrap_or_default())
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the token is called.
    pub(crate) fn id(&self) -> TokenId {
        TokenId::of(&self.0)
    }
}

impl fmt::Debug for BearerDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerDigest({})", self.id())
    }
}

/// A token that was just made: for its holder's eyes alone. It cannot be printed.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Bearer(String);

impl Bearer {
    pub(super) fn of_session() -> Self {
        Self::new(SESSION_PREFIX)
    }

    pub(super) fn of_program() -> Self {
        Self::new(API_PREFIX)
    }

    fn new(prefix: &str) -> Self {
        Self(format!("{prefix}{}", hex::encode(random_bytes::<32>())))
    }

    pub(super) fn digest(&self) -> BearerDigest {
        BearerDigest::sum(&self.0)
    }

    /// For the answer that shows it this once, and nowhere else.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_token_is_looked_up() {
        for bearer in [Bearer::of_session(), Bearer::of_program()] {
            assert_eq!(format!("{bearer:?}"), "Bearer(…)");
            let digest = bearer.digest();
            let text = bearer.into_text();
            assert_eq!(BearerDigest::of(&text), Some(digest));
            let cut: String = text.chars().skip(1).collect();
            for other in [cut, text.replace("ms", "mt"), format!("{text}0"), String::new()] {
                assert_eq!(BearerDigest::of(&other), None, "{other}");
            }
        }
    }
}
