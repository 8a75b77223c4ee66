//! Tokens that say too little, or the wrong thing, or are signed by somebody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use mailsonde_proto::Clock;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::json;

use super::*;

const EXPECTED: Expected<'static> = Expected {
    issuer: "https://login.example.org",
    client_id: "mailsonde",
    nonce: "n-1",
    claim: "email",
};

struct Signer(KeyPair);

impl Signer {
    fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
    }

    fn jwk(&self, kid: &str) -> Jwk {
        // an uncompressed point: 4, x, y (SEC 1 section 2.3.3)
        let point = self.0.der_bytes();
        let [x, y] = [&point[1..33], &point[33..]].map(|it| URL_SAFE_NO_PAD.encode(it));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y });
        serde_json::from_value(jwk).unwrap()
    }

    fn sign(&self, kid: &str, claims: &Value) -> String {
        let key = EncodingKey::from_ec_pem(self.0.serialize_pem().as_bytes()).unwrap();
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &key).unwrap()
    }
}

fn now_s() -> i64 {
    Clock::system().wall().as_us() / 1_000_000
}

/// Claims that are good, but for these.
fn claims(but: Value) -> Value {
    let mut claims = json!({
        "iss": "https://login.example.org", "aud": "mailsonde", "sub": "1",
        "exp": now_s() + 300, "nonce": "n-1", "email": "ann@example.org", "email_verified": true
    });
    for (key, value) in but.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(key),
            value => claims.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    claims
}

#[test]
fn a_token_vouches_only_if_it_says_everything_that_it_must() {
    let signer = Signer::new();
    let keys = [Signer::new().jwk("old"), signer.jwk("new")];
    let good = Ok("ann@example.org");
    for (but, expected) in [
        (json!({}), good),
        (json!({ "aud": ["mailsonde"] }), good),
        (json!({ "aud": ["mailsonde", "other"], "azp": "mailsonde" }), good),
        (json!({ "email_verified": "true" }), good),
        (json!({ "exp": now_s() - 30 }), good),
        (json!({ "aud": ["mailsonde", "other"] }), Err("another client")),
        (json!({ "azp": "other" }), Err("another client")),
        (json!({ "aud": "other" }), Err("InvalidAudience")),
        (json!({ "aud": null }), Err("aud")),
        (json!({ "iss": "https://login.example.org/" }), Err("InvalidIssuer")),
        (json!({ "iss": null }), Err("iss")),
        (json!({ "exp": now_s() - 90 }), Err("ExpiredSignature")),
        (json!({ "exp": null }), Err("exp")),
        (json!({ "nbf": now_s() + 90 }), Err("ImmatureSignature")),
        (json!({ "nonce": "n-2" }), Err("another sign-in")),
        (json!({ "nonce": null }), Err("another sign-in")),
        (json!({ "email_verified": false }), Err("was verified")),
        (json!({ "email_verified": null }), Err("was verified")),
        (json!({ "email": null }), Err("oidc_claim")),
        (json!({ "email": "" }), Err("oidc_claim")),
        (json!({ "email": 7 }), Err("oidc_claim")),
    ] {
        let found = vouched_for(&signer.sign("new", &claims(but.clone())), &keys, &EXPECTED);
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{but}"),
            (Err(found), Err(words)) => assert!(found.contains(words), "{but}: {found}"),
            _ => panic!("{but}: {found:?}"),
        }
    }
}

#[test]
fn a_token_vouches_only_if_the_provider_signed_it() {
    let (signer, other) = (Signer::new(), Signer::new());
    let keys = [signer.jwk("new")];
    let good = claims(json!({}));
    for (token, words) in [
        (other.sign("new", &good), "InvalidSignature"),
        (signer.sign("gone", &good), "does not publish"),
        ("x.y.z".to_owned(), ""),
        (String::new(), ""),
    ] {
        let refused = vouched_for(&token, &keys, &EXPECTED).unwrap_err();
        assert!(refused.contains(words), "{token}: {refused}");
    }
    // signed with what everybody knows, as if it were a secret
    let public = EncodingKey::from_secret(signer.0.der_bytes());
    let token = encode(&Header::new(Algorithm::HS256), &good, &public).unwrap();
    assert!(vouched_for(&token, &keys, &EXPECTED).unwrap_err().contains("proves nothing"));
    // signed by nobody
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.", part(json!({ "alg": "none" })), part(good));
    assert!(vouched_for(&token, &keys, &EXPECTED).is_err());
}
