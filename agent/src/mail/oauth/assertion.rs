//! The assertion of a service account: a signed JWT that asks for a token in the name of a user (RFC 7523
//! sections 2.1 and 3), as Google Workspace wants it ("Using OAuth 2.0 for Server to Server Applications").

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use mailsonde_proto::WallTime;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::secret::Secret;

/// RFC 7523 section 2.1.
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion is good; Google accepts an hour at most.
const LIFETIME_S: i64 = 600;

/// The key of a service account.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceKey {
    issuer: String,
    key_id: Option<String>,
    pem: Secret,
    token_url: Option<String>,
}

/// The key file, as Google makes it.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

/// Why a key file cannot be used. It never holds the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// It is not the file.
    #[error("it is no key file of a service account (JSON with client_email and private_key)")]
    Form,
    /// It is for something else.
    #[error("it is a key file of another kind than service_account")]
    Kind,
    /// The key in it is none.
    #[error("its private_key is no RSA key in PEM")]
    Key,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl ServiceKey {
    /// Reads a key file.
    ///
    /// # Errors
    /// When it is none, or its key cannot sign.
    pub fn parse(json: &str) -> Result<Self, NotAKey> {
        let file: KeyFile =
            serde_json::from_str(json).map_err(|_told_without_its_text| NotAKey::Form)?;
        if file.kind != "service_account" {
            return Err(NotAKey::Kind);
        }
        let key = Self {
            issuer: file.client_email,
            key_id: file.private_key_id,
            pem: Secret::new(file.private_key),
            token_url: file.token_uri,
        };
        // Signed once, so that a bad key is a mistake of the configuration and not of the first run.
        key.sign(("", "", ""), 0).map_err(|_told_without_its_text| NotAKey::Key)?;
        Ok(key)
    }

    /// The token endpoint that the file names.
    pub fn token_url(&self) -> Option<&str> {
        self.token_url.as_deref()
    }

    /// The assertion in the name of `subject`, for `scope`, to the token server at `url`.
    pub(super) fn assertion(
        &self,
        (subject, scope, url): (&str, &str, &Url),
        now: WallTime,
    ) -> Result<String, String> {
        self.sign((subject, scope, url.as_str()), now.timestamp().as_second())
            .map_err(|error| format!("the assertion cannot be signed: {error}"))
    }

    fn sign(
        &self,
        (sub, scope, aud): (&str, &str, &str),
        iat: i64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims =
            Claims { iss: &self.issuer, sub, scope, aud, iat, exp: iat.saturating_add(LIFETIME_S) };
        let header = Header { kid: self.key_id.clone(), ..Header::new(Algorithm::RS256) };
        let key = EncodingKey::from_rsa_pem(self.pem.expose().as_bytes())?;
        encode(&header, &claims, &key)
    }
}
