//! One key record, parsed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::posture::bounded;
use crate::posture::tags::{Tags, TagsError};

/// Bytes of a record that are read: a key of 16,384 bits has 2,800.
const MOST_BYTES: usize = 16 * 1024;
/// Bytes of an Ed25519 key (RFC 8463 section 4).
const ED25519_BYTES: usize = 32;

/// A key (RFC 6376 section 3.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `k` and `p`.
    pub algorithm: Algorithm,
    /// `t=y`.
    pub is_testing: bool,
    /// `t=s`: no subdomains.
    pub is_strict: bool,
    /// `h`: which hashes it is for; all where it is empty.
    pub hashes: Vec<String>,
    /// `s`: which services it is for; all where it is empty.
    pub services: Vec<String>,
}

/// What kind of key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// An empty `p`.
    Revoked,
    /// RFC 6376 section 3.3.
    Rsa {
        /// The size of the modulus.
        bits: usize,
    },
    /// RFC 8463.
    Ed25519,
    /// Something else.
    Unknown(String),
}

/// Why a record is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is longer than any key.
    #[error("it has more than {MOST_BYTES} bytes")]
    TooLong,
    /// It is no list of tags.
    #[error("{0}")]
    Tags(String),
    /// `v` is not first, or not `DKIM1` (RFC 6376 section 3.6.1).
    #[error("v= must come first and be DKIM1")]
    Version,
    /// There is no `p`.
    #[error("it has no p=")]
    NoKey,
    /// `p` is not Base64.
    #[error("p= is not Base64: it may have been cut or quoted wrongly")]
    NotBase64,
    /// `p` is not a key of its type.
    #[error("p= is no {0} key")]
    NotAKey(&'static str),
}

impl Key {
    /// Reads a record.
    ///
    /// # Errors
    /// Why it is no key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.len() > MOST_BYTES {
            return Err(KeyError::TooLong);
        }
        let tags =
            Tags::parse(text).map_err(|error: TagsError| KeyError::Tags(error.to_string()))?;
        if tags.get("v").is_some() && tags.first() != Some(("v", "DKIM1")) {
            return Err(KeyError::Version);
        }
        let key = tags.get("p").ok_or(KeyError::NoKey)?;
        let words = |name: &str| {
            let value = tags.get(name).unwrap_or_default();
            let words = value.split(':').map(|word| bounded(word.trim().to_owned(), 80));
            words.filter(|word| !word.is_empty()).take(16).collect::<Vec<_>>()
        };
        let flags = words("t");
        Ok(Self {
            algorithm: algorithm(tags.get("k").unwrap_or("rsa"), key)?,
            is_testing: flags.iter().any(|flag| flag == "y"),
            is_strict: flags.iter().any(|flag| flag == "s"),
            hashes: words("h"),
            services: words("s"),
        })
    }

    /// Whether signatures over SHA-256 count.
    pub fn allows_sha256(&self) -> bool {
        self.hashes.is_empty() || self.hashes.iter().any(|hash| hash == "sha256")
    }

    /// Whether it counts for mail.
    pub fn is_for_mail(&self) -> bool {
        let for_mail = |service: &String| service == "*" || service == "email";
        self.services.is_empty() || self.services.iter().any(for_mail)
    }
}

/// `rsa 2048 bits`, `ed25519`, `revoked`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.algorithm {
            Algorithm::Revoked => f.write_str("revoked"),
            Algorithm::Rsa { bits } => write!(f, "rsa {bits} bits"),
            Algorithm::Ed25519 => f.write_str("ed25519"),
            Algorithm::Unknown(name) => write!(f, "unknown type {name}"),
        }?;
        if self.is_testing { f.write_str(", testing") } else { Ok(()) }
    }
}

fn algorithm(kind: &str, key: &str) -> Result<Algorithm, KeyError> {
    // White space may stand anywhere in Base64 (RFC 6376 section 3.2).
    let key: String = key.split_ascii_whitespace().collect();
    if key.is_empty() {
        return Ok(Algorithm::Revoked);
    }
    let bytes = STANDARD.decode(key).ok().ok_or(KeyError::NotBase64)?;
    match kind {
        "rsa" => {
            rsa_bits(&bytes).map(|bits| Algorithm::Rsa { bits }).ok_or(KeyError::NotAKey("RSA"))
        }
        "ed25519" if bytes.len() == ED25519_BYTES => Ok(Algorithm::Ed25519),
        "ed25519" => Err(KeyError::NotAKey("Ed25519")),
        other => Ok(Algorithm::Unknown(bounded(other.to_owned(), 80))),
    }
}

/// The modulus' size: of a SubjectPublicKeyInfo as everybody publishes it, or of a bare RSAPublicKey as
/// RFC 6376 section 3.6.1 can be read.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let bits = |key: &RSAPublicKey<'_>| {
        let zeros = key.modulus.iter().take_while(|byte| **byte == 0).count();
        let first = key.modulus.get(zeros)?;
        let leading = usize::try_from(first.leading_zeros()).ok()?;
        Some((key.modulus.len() - zeros) * 8 - leading)
    };
    if let Ok(([], info)) = SubjectPublicKeyInfo::from_der(der) {
        return match info.parsed() {
            Ok(PublicKey::RSA(key)) => bits(&key),
            _ => None,
        };
    }
    match RSAPublicKey::from_der(der) {
        Ok(([], key)) => bits(&key),
        _ => None,
    }
}
