//! Tokens that another agent can verify: version 2, signed with Ed25519 (RFC 8032) instead of sealed.
//!
//! It says what version 1 says, and when the mail was sent and how well its sender knew the time, so that whoever
//! verifies it can leave alone what is old. Only who knows the sender's public key beforehand believes it: a key that
//! came with the mail would prove nothing.
//!
//! Version 2, 149 bytes as base64url without padding: version 1, key id 4, agent 16, epoch 8, intent 8, nonce 8,
//! digest of the recipient 8, digest of the body 16, nanoseconds since 1970 8, bound on the error of that in
//! microseconds 8 (0: not known), signature 64.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailsonde_proto::{SenderKey, WallTime};
use ring::digest;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{Fields, LONGEST_TEXT, NotOurToken, Token, first};

/// The version that these tokens begin with.
pub(super) const VERSION: u8 = 2;
const COVERED_BYTES: usize = 85;
/// Bytes of base64 that a version 2 token has.
pub(super) const TEXT_BYTES: usize = 199;
/// An older token than this proves nothing: so long intents are kept.
const OLDEST: Duration = Duration::from_secs(7 * 86_400);
/// Clocks may differ by so much beyond what is known of their errors.
const TOLERANCE: Duration = Duration::from_secs(600);

/// Signs tokens; the agent made it itself, and it never leaves it.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self::from_seed(mailsonde_proto::vantage::random_bytes())
    }

    /// The key that was kept.
    #[allow(clippy::expect_used, reason = "any 32 bytes are a seed (RFC 8032 section 5.1.5)")]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed has 32 bytes");
        Self { seed: Zeroizing::new(seed), pair }
    }

    /// The seed itself, for the one file that keeps it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.seed
    }

    /// What others verify by.
    pub fn public(&self) -> SenderKey {
        SenderKey(self.pair.public_key().as_ref().try_into().unwrap_or_default())
    }

    /// The token as it stands in a message.
    pub fn seal(&self, signed: &SignedToken) -> String {
        let mut bytes = signed.token.covered(VERSION, id(&self.public()));
        bytes.extend(signed.sent_at.as_ns().to_be_bytes());
        bytes.extend(signed.clock_error_us.unwrap_or(0).to_be_bytes());
        let signature = self.pair.sign(&bytes);
        bytes.extend(signature.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

/// The first four bytes of a key's SHA-256.
fn id(key: &SenderKey) -> [u8; 4] {
    first(digest::digest(&digest::SHA256, &key.0).as_ref())
}

/// What a signed token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedToken {
    /// As in version 1.
    pub token: Token,
    /// When the mail was sent, by its sender's clock.
    pub sent_at: WallTime,
    /// The bound on the error of that clock, in microseconds, where it was known.
    pub clock_error_us: Option<u64>,
}

impl SignedToken {
    /// Reads and verifies a token by the key of whoever is said to have sent it.
    ///
    /// # Errors
    /// Why it is not a token of that key.
    pub fn open(text: &str, key: &SenderKey) -> Result<Self, NotOurToken> {
        let bytes = decode(text)?;
        let (covered, signature) =
            bytes.split_at_checked(COVERED_BYTES).ok_or(NotOurToken::Malformed)?;
        let mut fields = Fields(covered);
        let _version: [u8; 1] = fields.take();
        if fields.take::<4>() != id(key) {
            return Err(NotOurToken::OtherKey);
        }
        let public = UnparsedPublicKey::new(&ED25519, key.0);
        public.verify(covered, signature).ok().ok_or(NotOurToken::Forged)?;
        let token = Token::from_fields(&mut fields);
        let sent_at = WallTime::from_ns(i64::from_be_bytes(fields.take()));
        let error_us = u64::from_be_bytes(fields.take());
        Ok(Self { token, sent_at, clock_error_us: (error_us > 0).then_some(error_us) })
    }

    /// Whether it was made lately, as seen from `now`.
    pub fn is_fresh(&self, now: WallTime) -> bool {
        let error = Duration::from_micros(self.clock_error_us.unwrap_or(0)).min(OLDEST);
        let slack = error.saturating_add(TOLERANCE);
        now.since(self.sent_at) <= OLDEST.saturating_add(slack) && self.sent_at.since(now) <= slack
    }
}

/// The bytes of a version 2 token.
fn decode(text: &str) -> Result<Vec<u8>, NotOurToken> {
    if text.len() > LONGEST_TEXT {
        return Err(NotOurToken::Malformed);
    }
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = URL_SAFE_NO_PAD.decode(&text).ok().ok_or(NotOurToken::Malformed)?;
    match bytes.first() {
        Some(&VERSION) if text.len() == TEXT_BYTES => Ok(bytes),
        Some(&VERSION) | None => Err(NotOurToken::Malformed),
        Some(&version) => Err(NotOurToken::OtherVersion(version)),
    }
}

/// Another agent whose signed mail is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What this agent's administrator calls it.
    pub name: String,
    /// By which its mail is verified.
    pub key: SenderKey,
}

/// All of them, as the policy names them now.
#[derive(Clone, Debug, Default)]
pub struct Senders(Arc<RwLock<Arc<[Sender]>>>);

impl Senders {
    /// These are believed from now on, and no others.
    pub fn replace(&self, senders: &[Sender]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = senders.into();
    }

    /// Whether mail that is signed with this key is believed.
    pub fn knows(&self, key: &SenderKey) -> bool {
        self.all().iter().any(|sender| sender.key == *key)
    }

    /// Reads a token that one of them signed.
    ///
    /// # Errors
    /// Why it is no token of theirs.
    pub fn open(&self, text: &str) -> Result<SignedToken, NotOurToken> {
        let mut why = NotOurToken::OtherKey;
        for sender in self.all().iter() {
            match SignedToken::open(text, &sender.key) {
                Err(NotOurToken::OtherKey) => {}
                // Four bytes may be those of two keys.
                Err(NotOurToken::Forged) => why = NotOurToken::Forged,
                opened => return opened,
            }
        }
        Err(why)
    }

    fn all(&self) -> Arc<[Sender]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::{AgentId, Epoch, RunId};
    use proptest::prelude::*;

    use super::*;
    use crate::mail::token::TokenKey;

    const NOW: WallTime = WallTime::from_s(1_764_000_000);

    fn signed() -> SignedToken {
        let run = RunId { epoch: Epoch(7), intent: 42 };
        let token = Token::new(AgentId([3; 16]), run, "Probe@Good.test", [9; 16]);
        SignedToken { token, sent_at: NOW, clock_error_us: Some(350) }
    }

    fn senders(keys: &[SenderKey]) -> Senders {
        let senders = Senders::default();
        let named = keys.iter().map(|key| Sender { name: "durban".into(), key: *key });
        senders.replace(&named.collect::<Vec<_>>());
        senders
    }

    #[test]
    fn a_token_is_verified_by_its_senders_key_alone() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let (signed, text) = (signed(), key.seal(&signed()));
        assert_eq!(text.len(), TEXT_BYTES);
        let text_of_this = key.seal(&signed);
        assert_eq!(SignedToken::open(&text_of_this, &key.public()), Ok(signed.clone()));
        let (a, b) = text_of_this.split_at(70);
        let folded = format!(" {a}\r\n\t{b} ");
        assert_eq!(SignedToken::open(&folded, &key.public()), Ok(signed.clone()));
        assert_eq!(SignedToken::open(&text, &other.public()), Err(NotOurToken::OtherKey));
        assert_eq!(senders(&[]).open(&text), Err(NotOurToken::OtherKey));
        assert_eq!(senders(&[other.public()]).open(&text), Err(NotOurToken::OtherKey));
        let both = senders(&[other.public(), key.public()]);
        assert_eq!(both.open(&text_of_this), Ok(signed.clone()));
        assert!(both.knows(&key.public()) && !senders(&[]).knows(&key.public()));
        // signed by another who claims this key
        let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        let forged = other.pair.sign(&bytes[..COVERED_BYTES]);
        bytes[COVERED_BYTES..].copy_from_slice(forged.as_ref());
        let forged = URL_SAFE_NO_PAD.encode(&bytes);
        assert_eq!(both.open(&forged), Err(NotOurToken::Forged));
        // sealed, not signed: the two versions are never taken for each other
        let sealing = TokenKey::from_bytes([1; 32]);
        let sealed = sealing.seal(&signed.token);
        assert_eq!(both.open(&sealed), Err(NotOurToken::OtherVersion(1)));
        // whoever signed it knows it again, as when it bounces
        let own = TokenKey::new([8; 32], SigningKey::from_seed([1; 32]));
        assert_eq!(own.open(&text_of_this), Ok(signed.token));
        assert_eq!(own.open(&forged), Err(NotOurToken::Forged));
        assert_eq!(sealing.open(&other.seal(&self::signed())), Err(NotOurToken::OtherKey));
    }

    #[test]
    fn any_flipped_bit_or_cut_makes_it_invalid() {
        let key = SigningKey::from_seed([1; 32]);
        let text = key.seal(&signed());
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = URL_SAFE_NO_PAD.encode(&flipped);
            assert!(SignedToken::open(&flipped, &key.public()).is_err(), "bit {bit}");
        }
        for end in 0..text.len() {
            let cut = text.get(..end).unwrap();
            assert!(SignedToken::open(cut, &key.public()).is_err(), "cut at {end}");
        }
        assert!(SignedToken::open(&format!("{text}AAAA"), &key.public()).is_err());
    }

    #[test]
    fn what_is_old_or_of_the_future_is_not_fresh() {
        let hours = |count: u64| Duration::from_secs(count * 3_600);
        for (sent_at, error, expected) in [
            (NOW, None, true),
            (NOW.minus(hours(7 * 24)), None, true),
            (NOW.minus(hours(7 * 24 + 1)), None, false),
            (NOW.minus(hours(7 * 24 + 1)), Some(hours(1)), true),
            (NOW.plus(Duration::from_secs(599)), None, true),
            (NOW.plus(hours(1)), None, false),
            (NOW.plus(hours(1)), Some(hours(1)), true),
            (NOW.plus(hours(9_000)), Some(Duration::MAX), false),
            (NOW.minus(hours(9_000)), Some(Duration::MAX), false),
        ] {
            let error: Option<Duration> = error;
            let clock_error_us = error.map(mailsonde_proto::time::as_us);
            let token = SignedToken { sent_at, clock_error_us, ..signed() };
            assert_eq!(token.is_fresh(NOW), expected, "{sent_at} {error:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_text_panics_or_passes(text in ".{0,60}", bytes in prop::collection::vec(any::<u8>(), 149)) {
            let key = SigningKey::from_seed([1; 32]).public();
            prop_assert!(SignedToken::open(&text, &key).is_err());
            prop_assert!(SignedToken::open(&URL_SAFE_NO_PAD.encode(&bytes), &key).is_err());
            // also where it claims the right version and key
            let mut claiming = bytes;
            claiming[0] = VERSION;
            claiming[1..5].copy_from_slice(&id(&key));
            let opened = SignedToken::open(&URL_SAFE_NO_PAD.encode(&claiming), &key);
            prop_assert_eq!(opened, Err(NotOurToken::Forged));
        }

        #[test]
        fn what_is_signed_is_read_and_nothing_else(
            agent: [u8; 16], epoch: u64, intent: u64, body: [u8; 16], sent_ns: i64,
            error_us in proptest::option::of(1_u64..), at in 0_usize..149, flip in 1_u8..,
        ) {
            let key = SigningKey::from_seed([1; 32]);
            let run = RunId { epoch: Epoch(epoch), intent };
            let token = Token::new(AgentId(agent), run, "a@b.test", body);
            let sent_at = WallTime::from_ns(sent_ns);
            let signed = SignedToken { token, sent_at, clock_error_us: error_us };
            let text = key.seal(&signed);
            prop_assert_eq!(SignedToken::open(&text, &key.public()), Ok(signed));
            let mut other = URL_SAFE_NO_PAD.decode(&text).unwrap();
            other[at] ^= flip;
            prop_assert!(SignedToken::open(&URL_SAFE_NO_PAD.encode(&other), &key.public()).is_err());
        }
    }
}
