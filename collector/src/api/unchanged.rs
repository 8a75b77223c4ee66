//! Answers that are as they were are not sent again: `ETag` and `If-None-Match` (RFC 9110 sections 8.8.3, 13.1.2).
//!
//! A tag is the digest of the answer's bytes. Most answers begin with the time at which they were given; it is left
//! out, and the tag is then a weak one: what it stands for means the same and is written otherwise.

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ring::digest::{SHA256, digest};

/// Answers with more bytes are sent as they are.
const MAX_BYTES: u64 = 16 * 1_024 * 1_024;
/// How an answer begins that says when it was given.
const NOW: &[u8] = b"{\"now\":\"";

/// Says of what is asked for, and is JSON, how it can be told again; says only that it is the same where it is.
pub(super) async fn unchanged(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let held: Vec<HeaderValue> =
        request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let response = next.run(request).await;
    if !is_get || !is_whole_json(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let limit = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
    // it is in memory already: this copies nothing and cannot fail
    let bytes = to_bytes(body, limit).await.unwrap_or_default();
    let tag = tag(&bytes);
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    parts.headers.insert(header::VARY, HeaderValue::from_static("authorization, cookie"));
    let is_same = held.iter().any(|held| names(held, &tag));
    parts.headers.extend(HeaderValue::try_from(tag).map(|tag| (header::ETAG, tag)));
    if !is_same {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    Response::from_parts(parts, Body::empty())
}

fn is_whole_json(response: &Response) -> bool {
    let is_json = |headers: &HeaderMap| {
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
    };
    let is_bounded = response.body().size_hint().exact().is_some_and(|size| size <= MAX_BYTES);
    response.status() == StatusCode::OK && is_json(response.headers()) && is_bounded
}

fn tag(bytes: &Bytes) -> String {
    let rest = bytes.strip_prefix(NOW).and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b'"')?;
        rest.get(end..)
    });
    let sum = digest(&SHA256, rest.unwrap_or(bytes));
    let sum = hex::encode(sum.as_ref().get(..16).unwrap_or_default());
    if rest.is_some() { format!("W/\"{sum}\"") } else { format!("\"{sum}\"") }
}

/// Whether one of the tags of an `If-None-Match` is this one, compared weakly (RFC 9110 section 8.8.3.2).
fn names(held: &HeaderValue, tag: &str) -> bool {
    let Ok(held) = held.to_str() else { return false };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    held.split(',').any(|held| held.trim() == "*" || opaque(held) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_stands_for_what_is_told_and_not_for_when() {
        let tag = |text: &'static str| tag(&Bytes::from_static(text.as_bytes()));
        assert_eq!(tag(r#"{"now":"1","a":2}"#), tag(r#"{"now":"3","a":2}"#));
        assert_ne!(tag(r#"{"now":"1","a":2}"#), tag(r#"{"now":"1","a":3}"#));
        assert!(tag(r#"{"now":"1","a":2}"#).starts_with("W/\""));
        assert!(tag(r#"{"a":2}"#).starts_with('"'));
    }

    #[test]
    fn a_tag_is_found_among_those_that_are_held() {
        for (held, tag, expected) in [
            ("\"a\"", "\"a\"", true),
            ("W/\"a\"", "\"a\"", true),
            ("\"b\", W/\"a\"", "W/\"a\"", true),
            ("*", "\"a\"", true),
            ("\"b\"", "\"a\"", false),
            ("", "\"a\"", false),
        ] {
            assert_eq!(names(&HeaderValue::from_static(held), tag), expected, "{held}");
        }
    }
}
