//! What a token server answers (RFC 6749 section 5), read with suspicion.

use std::time::Duration;

use hyper::header::RETRY_AFTER;
use jiff::fmt::rfc2822;
use mailsonde_proto::phase::name;
use mailsonde_proto::{FaultClass, WallTime};
use serde::Deserialize;
use serde_json::Value;

use crate::http::Answer;
use crate::mail::failure::Failure;
use crate::secret::Secret;

/// The longest token that is taken, in bytes: with the login in Base64 it still fits one AUTH command
/// (RFC 4954 section 4: 12,288 octets).
const LONGEST_TOKEN: usize = 8 * 1024;
/// The most characters of a server's own words that are kept.
const MOST_WORDS: usize = 600;

/// A token.
#[derive(Clone, Debug)]
pub struct Granted {
    /// As it is sent.
    pub token: Secret,
    /// From now on, where the server says.
    pub lifetime: Option<Duration>,
    /// The one to ask with next time, where the server replaces it.
    pub refresh_token: Option<Secret>,
}

/// None.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub failure: Failure,
    /// How long the server wants to be left alone, where it says.
    pub retry_after: Option<Duration>,
}

/// RFC 6749 section 5.1. Some servers write numbers as texts.
#[derive(Deserialize)]
struct Success {
    access_token: String,
    token_type: String,
    expires_in: Option<Value>,
    refresh_token: Option<String>,
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Error {
    error: String,
    error_description: Option<String>,
}

/// Reads an answer; `now` is for a Retry-After that is a date.
///
/// # Errors
/// When it is no token: what the server says, or that it says nothing that can be read.
pub fn read(answer: &Answer, now: WallTime) -> Result<Granted, Refused> {
    let refused = |class, words: String, reply: String| Refused {
        failure: Failure::new(name::TOKEN, class, words).with_reply(
            Some(answer.status),
            None,
            reply,
        ),
        retry_after: retry_after(answer, now),
    };
    let rubbish = |why: &str| refused(FaultClass::Protocol, why.to_owned(), begin(&answer.text()));
    if !answer.is_whole {
        return Err(rubbish("its answer is too large to be a token"));
    }
    if answer.status == 200 {
        return granted(&answer.body).map_err(rubbish);
    }
    let error = serde_json::from_slice::<Error>(&answer.body).ok();
    let (class, meaning) = meaning(answer.status, error.as_ref());
    let reply = match &error {
        Some(Error { error, error_description: Some(more) }) => format!("{error}: {more}"),
        Some(Error { error, .. }) => error.clone(),
        None => answer.text(),
    };
    Err(refused(class, meaning, begin(&reply)))
}

fn granted(body: &[u8]) -> Result<Granted, &'static str> {
    let success: Success = serde_json::from_slice(body)
        .map_err(|_not_json| "its answer is no token of OAuth 2 (RFC 6749 section 5.1)")?;
    if !success.token_type.eq_ignore_ascii_case("Bearer") {
        return Err("it gave a token of another type than Bearer (RFC 6750)");
    }
    if !is_token(&success.access_token) {
        return Err(
            "the token that it gave cannot be sent as a Bearer token (RFC 6750 section 2.1)",
        );
    }
    let lifetime = match success.expires_in {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    Ok(Granted {
        token: Secret::new(success.access_token),
        lifetime: lifetime.map(Duration::from_secs),
        refresh_token: success.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
    })
}

/// `b64token` (RFC 6750 section 2.1).
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && text.len() <= LONGEST_TOKEN
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

/// What a refusal means: by its status, and by the error in it.
fn meaning(status: u16, error: Option<&Error>) -> (FaultClass, String) {
    let said = error.map(|error| error.error.as_str()).unwrap_or_default();
    let more = error.and_then(|error| error.error_description.as_deref()).unwrap_or_default();
    if let Some((code, class, words)) = microsoft(more) {
        return (class, format!("{words} ({code})"));
    }
    let (class, words) = match (status, said) {
        (429, _) | (_, "slow_down") => (FaultClass::Temporary, "it was asked too often"),
        (500..=599, _) | (408, _) | (_, "temporarily_unavailable" | "server_error") => {
            (FaultClass::Temporary, "it does not work just now")
        }
        (300..=399, _) => (FaultClass::Protocol, "it redirects, which no token server does"),
        (_, "invalid_client") => (
            FaultClass::Permanent,
            "it does not know the client, or its secret is wrong or has expired",
        ),
        (_, "invalid_grant") if more.contains("reasonable timeframe") => {
            (FaultClass::Permanent, "the assertion's time is wrong: see this machine's clock")
        }
        (_, "invalid_grant") => (
            FaultClass::Permanent,
            "what it was asked with is wrong, has expired, was revoked, or is another client's",
        ),
        (_, "unauthorized_client") => (
            FaultClass::Permanent,
            "this client may not have tokens in this way, or not for this mailbox",
        ),
        (_, "unsupported_grant_type") => (FaultClass::Permanent, "it knows no such grant"),
        (_, "invalid_scope") => {
            (FaultClass::Permanent, "it knows no such scope, or does not grant it")
        }
        (_, "invalid_request") => {
            (FaultClass::Permanent, "it did not understand what it was asked")
        }
        (_, "access_denied") => (FaultClass::Permanent, "it does not allow it"),
        (404 | 405, "") => {
            (FaultClass::Permanent, "there is no token endpoint there: see token_url")
        }
        (400..=499, "") => (FaultClass::Permanent, "it refused, and did not say why"),
        (_, "") => (FaultClass::Protocol, "its answer is not one of OAuth 2 (RFC 6749 section 5)"),
        (_, _) => (FaultClass::Permanent, "it refused"),
    };
    (class, words.to_owned())
}

/// The code that Microsoft's descriptions begin with, and what it means ("Microsoft Entra authentication and
/// authorization error codes").
fn microsoft(description: &str) -> Option<(&str, FaultClass, &'static str)> {
    let (code, _) = description.split_once(':')?;
    let number = code.strip_prefix("AADSTS")?;
    let digits = (4..=8).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let (class, words) = match number {
        "7000215" => (FaultClass::Permanent, "the client secret is wrong"),
        "7000222" => (FaultClass::Permanent, "the client secret has expired: make a new one"),
        "700016" => (FaultClass::Permanent, "there is no such application in this tenant"),
        "90002" => (FaultClass::Permanent, "there is no such tenant"),
        "500011" => (FaultClass::Permanent, "the tenant does not know the resource in the scope"),
        "70011" => (FaultClass::Permanent, "the scope is wrong"),
        "65001" => (FaultClass::Permanent, "nobody has consented to what the application asks for"),
        "50034" => (FaultClass::Permanent, "there is no such user in this tenant"),
        "50057" => (FaultClass::Permanent, "the user is disabled"),
        "50076" | "50079" => {
            (FaultClass::Permanent, "the user needs a second factor, which no agent has")
        }
        "53003" => (FaultClass::Permanent, "conditional access forbids it"),
        "50173" | "70008" | "700082" => {
            (FaultClass::Permanent, "the refresh token has expired or was revoked: consent again")
        }
        "90033" => (FaultClass::Temporary, "Microsoft's directory does not work just now"),
        "50196" => (FaultClass::Temporary, "it was asked too often for the same thing"),
        _ if digits => (FaultClass::Permanent, "it refused"),
        _ => return None,
    };
    Some((code, class, words))
}

/// RFC 9110 section 10.2.3: seconds, or a date.
fn retry_after(answer: &Answer, now: WallTime) -> Option<Duration> {
    let value = answer.header(RETRY_AFTER.as_str())?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::parse(value).ok()?.timestamp();
    Some(WallTime::from_s(until.as_second()).since(now))
}

/// The beginning of a server's words, on one line.
fn begin(text: &str) -> String {
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    text.take(MOST_WORDS).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests;
