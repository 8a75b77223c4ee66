//! What is answered when something cannot be done: RFC 9457, `application/problem+json`.
//!
//! Invariant: whatever is refused, by us or by the libraries below us, is told in this one form; pages for people
//! have a form of their own and pass through.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type (RFC 9457 section 3).
pub(super) const PROBLEM: &str = "application/problem+json";
/// Bytes of a library's own words at most.
const MAX_WORDS: usize = 16 * 1_024;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What sort of problem it is; always `about:blank`: the status says it (RFC 9457 section 4.2.1).
    #[serde(rename = "type")]
    pub kind: String,
    /// What HTTP calls the status.
    pub title: String,
    /// HTTP's status code.
    pub status: u16,
    /// One sentence that says what to do.
    pub detail: String,
}

impl Problem {
    /// Of a status, in our words.
    pub(super) fn new(status: StatusCode, detail: &str) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // a struct of text and a number: it can be written
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM))], body).into_response()
    }
}

/// How libraries begin what they say, and how we do.
const BEGINNINGS: [(&str, &str); 6] = [
    ("Failed to deserialize query string: ", "a parameter cannot be taken: "),
    ("Failed to deserialize form body: ", "the form cannot be taken: "),
    ("Failed to deserialize the JSON body into the target type: ", "the body cannot be taken: "),
    ("Failed to parse the request body as JSON: ", "the body is no JSON: "),
    ("Invalid URL: ", "the path cannot be taken: "),
    ("Expected request with ", "send the body with "),
];

fn in_our_words(words: &str) -> String {
    if words.is_empty() {
        return "the question cannot be read".to_owned();
    }
    let ours = |(theirs, ours): &(&str, &str)| {
        words.strip_prefix(theirs).map(|rest| format!("{ours}{rest}"))
    };
    BEGINNINGS.iter().find_map(ours).unwrap_or_else(|| words.to_owned())
}

/// Tells what a library refused as we do.
pub(super) async fn in_one_form(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_refused = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !is_refused || !is_plain {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_WORDS).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&bytes);
    let (told, body) = Problem::new(status, &in_our_words(&words)).into_response().into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(told.headers);
    Response::from_parts(parts, Body::new(body))
}
