//! Tokens: JSON Web Tokens (RFC 7519) that Dovecot checks itself, and the endpoint that gives them out,
//! `https://login.lab.test/token` (RFC 6749 section 3.2).
//!
//! The query of the endpoint says what it does, so that tests which share a lab do not meet: `user=ADDRESS`
//! whose mailbox the token opens, `lifetime=SECONDS` of the token, and `answer=` `401`, `429` (with
//! Retry-After), `500`, `rubbish` (no JSON), `html`, `huge`, `empty` (no token in it), `slow` (never), for the first
//! `times=N` requests with this very target, or always.
//!
//! Grants: `client_credentials` (client `sonde`, secret `lab-secret`, in the body or as Basic),
//! `refresh_token` (`lab-refresh`, the same client), and
//! `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523) with an assertion that
//! [`super::super::Lab::service_account_key`] has signed, RS256, `sub` the mailbox.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mailsonde_proto::time::Clock;
use ring::hmac;
use serde::Deserialize;
use serde_json::json;

use super::{Page, Request};

/// The key that Dovecot knows.
pub(in super::super) const SECRET: &str = "lab-jwt-secret-0123456789abcdef!!";
const HOST: &str = "login.lab.test";
const CLIENT: (&str, &str) = ("sonde", "lab-secret");
const REFRESH_TOKEN: &str = "lab-refresh";
const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SERVICE_ACCOUNT: &str = include_str!("../templates/service_account.pub");
const LIFETIME_S: i64 = 3600;
const NEVER: Duration = Duration::from_secs(600);
const HUGE_BYTES: usize = 4 << 20;

/// A token for a mailbox, signed with HS256; a negative lifetime is one that is over.
pub(in super::super) fn signed(user: &str, lifetime_s: i64) -> String {
    let now = Clock::system().wall().as_us() / 1_000_000;
    let claims = json!({"sub": user, "iat": now, "exp": now + lifetime_s, "scope": "mail"});
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Where tokens are given out. It remembers how often it has failed on demand.
#[derive(Debug, Default)]
pub(super) struct Desk {
    failures: Mutex<BTreeMap<String, u32>>,
}

#[derive(Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    scope: String,
    iat: i64,
    exp: i64,
}

impl Desk {
    /// The endpoint's answer, if it is asked.
    pub(super) fn answer(&self, request: &Request, encrypted: bool) -> Option<Page> {
        if request.host != HOST || request.path() != "/token" {
            return None;
        }
        let (_, query) = request.target.split_once('?').unwrap_or_default();
        let query = form(query);
        if let Some(answer) = query.get("answer") {
            let times = query.get("times").and_then(|times| times.parse().ok());
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = failures.entry(request.target.clone()).or_default();
            if times.is_none_or(|times| *failed < times) {
                *failed += 1;
                return Some(on_demand(answer));
            }
        }
        if !encrypted || request.method != "POST" {
            return Some(refuse(400, "invalid_request", "POST over TLS only"));
        }
        Some(grant(request, &query).unwrap_or_else(|refusal| refusal))
    }
}

fn grant(request: &Request, query: &BTreeMap<String, String>) -> Result<Page, Page> {
    let body = form(&request.body);
    let field = |name: &str| body.get(name).map(String::as_str).unwrap_or_default();
    let lifetime_s = query.get("lifetime").and_then(|lifetime| lifetime.parse().ok());
    let mut user = query.get("user").cloned().unwrap_or_default();
    match field("grant_type") {
        "client_credentials" => {
            authenticate(request, &body)?;
            if field("scope").is_empty() {
                return Err(refuse(400, "invalid_scope", "AADSTS90014: no scope"));
            }
        }
        "refresh_token" => {
            authenticate(request, &body)?;
            if field("refresh_token") != REFRESH_TOKEN {
                return Err(refuse(400, "invalid_grant", "Token has been expired or revoked."));
            }
        }
        ASSERTION => user = subject(field("assertion"), &request.target)?,
        _ => return Err(refuse(400, "unsupported_grant_type", "unknown grant")),
    }
    let lifetime_s = lifetime_s.unwrap_or(LIFETIME_S);
    let token = signed(&user, lifetime_s);
    let granted = json!({"access_token": token, "token_type": "Bearer", "expires_in": lifetime_s});
    Ok(json_page(200, &granted))
}

/// The client by its secret, in the body or in the header (RFC 6749 section 2.3.1).
fn authenticate(request: &Request, body: &BTreeMap<String, String>) -> Result<(), Page> {
    let basic = STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1));
    let header = request.headers.iter().find(|(name, _)| name == "authorization");
    let by_header = header.is_some_and(|(_, value)| *value == format!("Basic {basic}"));
    let field = |name: &str| body.get(name).map(String::as_str);
    let by_body = (field("client_id"), field("client_secret")) == (Some(CLIENT.0), Some(CLIENT.1));
    if by_header || by_body {
        return Ok(());
    }
    Err(refuse(401, "invalid_client", "AADSTS7000215: Invalid client secret provided."))
}

/// For whom an assertion speaks, if it is one of the service account's (RFC 7523 section 3).
fn subject(assertion: &str, target: &str) -> Result<String, Page> {
    let wrong = |why: &str| refuse(400, "invalid_grant", why);
    let key = DecodingKey::from_rsa_pem(SERVICE_ACCOUNT.as_bytes());
    let key = key.map_err(|error| wrong(&error.to_string()))?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.leeway = 0;
    validation.set_audience(&[format!("https://{HOST}{target}"), format!("https://{HOST}/token")]);
    let token = jsonwebtoken::decode::<Assertion>(assertion, &key, &validation);
    let Assertion { iss, sub, scope, iat, exp } =
        token.map_err(|error| wrong(&format!("Invalid JWT: {error}")))?.claims;
    if exp - iat > LIFETIME_S {
        return Err(wrong("Invalid JWT: Token must be a short-lived token (60 minutes)"));
    }
    if iss.is_empty() || scope.is_empty() {
        return Err(wrong("Invalid JWT: no issuer or no scope"));
    }
    Ok(sub)
}

fn on_demand(answer: &str) -> Page {
    match answer {
        "401" => refuse(401, "invalid_client", "AADSTS7000215: Invalid client secret provided."),
        "429" => refuse(429, "temporarily_unavailable", "slow down").with("Retry-After", "1"),
        "rubbish" => Page::text(200, "{\"access_token\": ").typed("application/json"),
        "html" => Page::text(200, "<html>captive portal</html>").typed("text/html"),
        "huge" => Page::text(200, "x".repeat(HUGE_BYTES)).typed("application/json"),
        "empty" => json_page(200, &json!({"token_type": "Bearer"})),
        "slow" => Page { delay: NEVER, ..Page::text(200, "") },
        _ => Page::text(500, "out of order"),
    }
}

/// An error as RFC 6749 section 5.2 has it.
fn refuse(status: u16, error: &str, description: &str) -> Page {
    json_page(status, &json!({"error": error, "error_description": description}))
}

fn json_page(status: u16, value: &serde_json::Value) -> Page {
    let page = Page::text(status, value.to_string()).typed("application/json");
    page.with("Cache-Control", "no-store")
}

/// `application/x-www-form-urlencoded`.
fn form(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            _ => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
