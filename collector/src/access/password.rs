//! Passwords: how they are kept, and how one is verified.
//!
//! Argon2id (RFC 9106) with 19 MiB, two passes and one lane, the least that OWASP's Password Storage Cheat Sheet
//! advises, over 16 random bytes of salt. Each hash says by which parameters it was made, so these can be raised.

use std::fmt;

use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use mailsonde_proto::vantage::random_bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::AccessError;
use crate::control::PasswordHash;

/// Characters of a password at least.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// Bytes of a password at most.
pub const MAX_PASSWORD_BYTES: usize = 1_024;

const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A password as somebody typed it. It cannot be printed, and leaves memory when it is dropped.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Password(#[schemars(with = "String")] Zeroizing<String>);

impl Password {
    /// As it was typed.
    pub fn new(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }

    /// Whether both read the same: for somebody who typed it twice.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether it is long enough, and not too long, to become one.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self) -> Result<(), AccessError> {
        let is_long_enough = self.0.chars().count() >= MIN_PASSWORD_CHARS;
        if is_long_enough && self.0.len() <= MAX_PASSWORD_BYTES {
            return Ok(());
        }
        Err(AccessError::Password)
    }

    /// As it is to be kept. It takes tens of milliseconds: not for a runtime's thread.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub(super) fn hash(&self) -> Result<PasswordHash, AccessError> {
        self.check()?;
        hashed(self.0.as_bytes())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

fn argon2() -> Result<Argon2<'static>, AccessError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| AccessError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hashed(password: &[u8]) -> Result<PasswordHash, AccessError> {
    let failed = |error: password_hash::Error| AccessError::Hash(error.to_string());
    let salt = SaltString::encode_b64(&random_bytes::<16>()).map_err(failed)?;
    let hash = argon2()?.hash_password(password, &salt).map_err(failed)?;
    Ok(PasswordHash::from_phc(hash.to_string()))
}

/// Verifies passwords, of users that there are and of users that there are not, in the same time.
pub(super) struct Verifier {
    argon2: Argon2<'static>,
    /// Nobody's.
    stand_in: PasswordHash,
}

impl Verifier {
    pub(super) fn new() -> Result<Self, AccessError> {
        let stand_in = hashed(&random_bytes::<32>())?;
        Ok(Self { argon2: argon2()?, stand_in })
    }

    /// Whether the password is the one that is kept; `None` is verified too, and never right.
    pub(super) fn is_right(&self, password: &Password, kept: Option<&PasswordHash>) -> bool {
        let hash = kept.unwrap_or(&self.stand_in);
        let Ok(hash) = password_hash::PasswordHash::new(hash.as_phc()) else {
            tracing::error!("a password's hash is damaged: set it anew");
            return false;
        };
        // no longer password was ever kept: hashing what is too long would only cost time
        let typed = Some(password.0.as_bytes()).filter(|typed| typed.len() <= MAX_PASSWORD_BYTES);
        let is_right = self.argon2.verify_password(typed.unwrap_or_default(), &hash).is_ok();
        is_right && kept.is_some() && typed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[test]
    fn a_password_is_kept_as_argon2id_with_the_parameters_of_the_advice() {
        let hash = password("correct horse").hash().unwrap();
        let phc = hash.as_phc();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_ne!(hash, password("correct horse").hash().unwrap(), "each has its own salt");
        let verifier = Verifier::new().unwrap();
        for (typed, kept, is_right) in [
            ("correct horse", Some(&hash), true),
            ("correct horsf", Some(&hash), false),
            ("", Some(&hash), false),
            ("correct horse", None, false),
        ] {
            assert_eq!(verifier.is_right(&password(typed), kept), is_right, "{typed} {kept:?}");
        }
        let damaged = PasswordHash::from_phc("$argon2id$".into());
        assert!(!verifier.is_right(&password("correct horse"), Some(&damaged)));
        assert_eq!(format!("{:?} {hash:?}", password("x")), "Password(…) PasswordHash(…)");
    }

    #[test]
    fn its_length_has_bounds() {
        for (text, fits) in [
            ("elevenchars".to_owned(), false),
            ("twelve chars".to_owned(), true),
            ("zwölf Zeiche".to_owned(), true),
            ("ö".repeat(11), false),
            ("x".repeat(1_024), true),
            ("x".repeat(1_025), false),
        ] {
            assert_eq!(password(&text).check().is_ok(), fits, "{text}");
        }
    }
}
