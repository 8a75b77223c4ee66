//! The token that makes a test message ours: who sent it, in which run, to whom, with which body.
//!
//! A token counts once, for an open run, and only when its HMAC is right; clean-up touches no message
//! without one. Version 1 is sealed with a key that the agent made itself at its first start, so only
//! that agent can verify it. Version 2 ([`signed`]) is for where another agent must verify; the version comes
//! first, so that an older agent leaves such a message alone.
//!
//! Version 1, 101 bytes as base64url without padding (RFC 4648 section 5): version 1, key id 4, agent 16,
//! epoch 8, intent 8, nonce 8, digest of the recipient 8, digest of the body 16, HMAC-SHA256 32.

mod signed;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailsonde_proto::vantage::random_bytes;
use mailsonde_proto::{AgentId, Epoch, RunId};
use ring::{digest, hmac};
use zeroize::Zeroizing;

pub use signed::{Sender, Senders, SignedToken, SigningKey};

/// The version that [`TokenKey::seal`] writes.
const VERSION: u8 = 1;
const SIGNED_BYTES: usize = 69;
const MAC_BYTES: usize = 32;
/// Bytes of base64 that a version 1 token has.
const TEXT_BYTES: usize = 135;
/// Longer texts are no token of any version.
const LONGEST_TEXT: usize = 1024;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who sent the message.
    pub agent: AgentId,
    /// In which run.
    pub run: RunId,
    /// Random, so that two messages of one run would differ.
    pub nonce: [u8; 8],
    /// The first bytes of SHA-256 over the recipient's address in lower case.
    pub recipient: [u8; 8],
    /// The first bytes of SHA-256 over the canonical body.
    pub body: [u8; 16],
}

impl Token {
    /// A token for a message of `run` to `recipient` whose canonical body has the digest `body`.
    pub fn new(agent: AgentId, run: RunId, recipient: &str, body: [u8; 16]) -> Self {
        Self { agent, run, nonce: random_bytes(), recipient: recipient_digest(recipient), body }
    }

    /// What the seal of every version covers.
    fn covered(&self, version: u8, key_id: [u8; 4]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIGNED_BYTES + MAC_BYTES);
        bytes.push(version);
        bytes.extend(key_id);
        bytes.extend(self.agent.0);
        bytes.extend(self.run.epoch.0.to_be_bytes());
        bytes.extend(self.run.intent.to_be_bytes());
        bytes.extend(self.nonce);
        bytes.extend(self.recipient);
        bytes.extend(self.body);
        bytes
    }

    fn from_fields(fields: &mut Fields<'_>) -> Self {
        Self {
            agent: AgentId(fields.take()),
            run: RunId {
                epoch: Epoch(u64::from_be_bytes(fields.take())),
                intent: u64::from_be_bytes(fields.take()),
            },
            nonce: fields.take(),
            recipient: fields.take(),
            body: fields.take(),
        }
    }
}

/// The digest of a recipient's address that stands in a token.
pub fn recipient_digest(address: &str) -> [u8; 8] {
    let whole = digest::digest(&digest::SHA256, address.to_ascii_lowercase().as_bytes());
    first(whole.as_ref())
}

/// Makes and verifies tokens.
pub struct TokenKey {
    bytes: Zeroizing<[u8; 32]>,
    id: [u8; 4],
    hmac: hmac::Key,
    signing: SigningKey,
}

impl TokenKey {
    /// New random keys.
    pub fn generate() -> Self {
        Self::new(random_bytes(), SigningKey::generate())
    }

    /// Both keys from one secret, for where nothing is kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self::new(bytes, SigningKey::from_seed(bytes))
    }

    /// The keys that were kept: what seals, and what signs.
    pub fn new(bytes: [u8; 32], signing: SigningKey) -> Self {
        let id = first(digest::digest(&digest::SHA256, &bytes).as_ref());
        let hmac = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Self { hmac, bytes: Zeroizing::new(bytes), id, signing }
    }

    /// Signs what another agent is to verify.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The key itself, for the one file that keeps it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The first four bytes of the key's SHA-256: tells keys apart without giving them away.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The token as it stands in a message.
    pub fn seal(&self, token: &Token) -> String {
        let mut bytes = token.covered(VERSION, self.id);
        let mac = hmac::sign(&self.hmac, &bytes);
        bytes.extend(mac.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads and verifies a token, sealed or signed. White space inside is skipped: headers are folded on their way.
    ///
    /// # Errors
    /// Why it is not a token of this key.
    pub fn open(&self, text: &str) -> Result<Token, NotOurToken> {
        if text.len() > LONGEST_TEXT {
            return Err(NotOurToken::Malformed);
        }
        let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok().ok_or(NotOurToken::Malformed)?;
        match bytes.first() {
            Some(&VERSION) if text.len() == TEXT_BYTES => {}
            Some(&signed::VERSION) => {
                let opened = SignedToken::open(&text, &self.signing.public());
                return opened.map(|signed| signed.token);
            }
            Some(&VERSION) | None => return Err(NotOurToken::Malformed),
            Some(&version) => return Err(NotOurToken::OtherVersion(version)),
        }
        let (signed, mac) = bytes.split_at_checked(SIGNED_BYTES).ok_or(NotOurToken::Malformed)?;
        let mut fields = Fields(signed);
        let _version: [u8; 1] = fields.take();
        if fields.take::<4>() != self.id {
            return Err(NotOurToken::OtherKey);
        }
        hmac::verify(&self.hmac, signed, mac).ok().ok_or(NotOurToken::Forged)?;
        Ok(Token::from_fields(&mut fields))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({})", hex::encode(self.id))
    }
}

/// Why a text is not a token of this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurToken {
    /// Not a token at all.
    #[error("it is not a token")]
    Malformed,
    /// Of a version that this agent does not know.
    #[error("it is a token of version {0}, which this agent does not know")]
    OtherVersion(u8),
    /// Sealed with another key: another agent's, or one that was replaced.
    #[error("it is the token of another agent")]
    OtherKey,
    /// It names our key, and its HMAC is wrong.
    #[error("it names this agent's key, but its seal is wrong: it is forged or damaged")]
    Forged,
}

/// Reads fields of fixed length; zeros when there is too little, which the length check rules out.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) =
            self.0.split_first_chunk::<N>().map_or(([0; N], self.0), |(f, r)| (*f, r));
        self.0 = rest;
        field
    }
}

pub(super) fn first<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.first_chunk::<N>().copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> Token {
        let run = RunId { epoch: Epoch(7), intent: 42 };
        Token::new(AgentId([3; 16]), run, "Probe@Good.test", [9; 16])
    }

    #[test]
    fn a_token_survives_its_text_also_folded() {
        let key = TokenKey::generate();
        let (token, text) = (token(), key.seal(&token()));
        assert_eq!(text.len(), TEXT_BYTES);
        let sealed = key.seal(&token);
        assert_eq!(key.open(&sealed), Ok(token.clone()));
        let (a, b) = sealed.split_at(40);
        assert_eq!(key.open(&format!(" {a}\r\n\t{b} ")), Ok(token));
    }

    #[test]
    fn any_flipped_bit_makes_it_invalid() {
        let key = TokenKey::generate();
        let bytes = URL_SAFE_NO_PAD.decode(key.seal(&token())).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(&URL_SAFE_NO_PAD.encode(&flipped)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn reasons_are_told_apart() {
        let key = TokenKey::from_bytes([1; 32]);
        let text = key.seal(&token());
        assert_eq!(TokenKey::from_bytes([2; 32]).open(&text), Err(NotOurToken::OtherKey));
        let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        bytes[100] ^= 1;
        assert_eq!(key.open(&URL_SAFE_NO_PAD.encode(&bytes)), Err(NotOurToken::Forged));
        bytes[0] = 2;
        assert_eq!(key.open(&URL_SAFE_NO_PAD.encode(&bytes)), Err(NotOurToken::Malformed));
        bytes[0] = 3;
        assert_eq!(key.open(&URL_SAFE_NO_PAD.encode(&bytes)), Err(NotOurToken::OtherVersion(3)));
        for text in
            ["", "x", "AQ", text.get(..134).unwrap(), &format!("{text}AAAA"), &"A".repeat(5000)]
        {
            assert!(key.open(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_recipient_counts_without_its_case() {
        assert_eq!(recipient_digest("A@b.test"), recipient_digest("a@B.test"));
        assert_ne!(recipient_digest("a@b.test"), recipient_digest("c@b.test"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_text_panics_or_passes(text in ".{0,40}", bytes in prop::collection::vec(any::<u8>(), 101)) {
            let key = TokenKey::from_bytes([1; 32]);
            prop_assert!(key.open(&text).is_err());
            prop_assert!(key.open(&URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }
    }
}
