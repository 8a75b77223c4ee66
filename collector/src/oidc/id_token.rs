//! What an ID token says, once its signature and all that it must say have been checked (OpenID Connect Core 1.0
//! section 3.1.3.7). Pure, but for the machine's clock, which the library asks.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What a provider may sign with: its public keys prove it. Never a secret that both have, and never nothing.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256];
/// How far the provider's clock may be off, in seconds.
const LEEWAY_S: u64 = 60;
/// Bytes of what somebody is called at most.
const MAX_SUBJECT_BYTES: usize = 256;

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// The claim by which users are known.
    pub(super) claim: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    nonce: Option<String>,
    aud: Value,
    azp: Option<String>,
    email_verified: Option<Value>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Which key a token says it is signed with.
///
/// # Errors
/// When it is no token, or signed in a way that proves nothing to us.
pub(super) fn key_of(token: &str) -> Result<Option<String>, String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(format!("its token is signed by {:?}, which proves nothing here", header.alg));
    }
    Ok(header.kid)
}

/// For whom a token vouches.
///
/// # Errors
/// When it does not say what it must, or by nobody whom we know.
pub(super) fn vouched_for(
    token: &str,
    keys: &[Jwk],
    expected: &Expected<'_>,
) -> Result<String, String> {
    let kid = key_of(token)?;
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let is_named = |key: &&Jwk| kid.is_none() || key.common.key_id == kid;
    let named: Vec<_> = keys.iter().filter(is_named).collect();
    let [key] = named.as_slice() else {
        return Err("its token is signed with a key that it does not publish".to_owned());
    };
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = decode::<Claims>(token, &key, &validation).map_err(|error| error.to_string())?;
    subject(claims.claims, expected)
}

fn subject(claims: Claims, expected: &Expected<'_>) -> Result<String, String> {
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err("its token was made for another sign-in".to_owned());
    }
    let is_shared = claims.aud.as_array().is_some_and(|all| all.len() > 1);
    let is_ours = claims.azp.as_deref().is_none_or(|azp| azp == expected.client_id);
    if !is_ours || (is_shared && claims.azp.is_none()) {
        return Err("its token was made for another client".to_owned());
    }
    // some providers write it in quotes
    let is_verified =
        claims.email_verified.is_some_and(|it| it == Value::Bool(true) || it == "true");
    if expected.claim == "email" && !is_verified {
        return Err("it does not say that the e-mail address was verified (email_verified)".into());
    }
    match claims.others.get(expected.claim) {
        Some(Value::String(subject))
            if !subject.is_empty() && subject.len() <= MAX_SUBJECT_BYTES =>
        {
            Ok(subject.clone())
        }
        _ => Err(format!("its token says nothing under {:?} (oidc_claim)", expected.claim)),
    }
}

#[cfg(test)]
mod tests;
