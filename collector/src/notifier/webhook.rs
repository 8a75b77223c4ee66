//! A webhook of one's own, as Standard Webhooks says (standardwebhooks.com, version 1).
//!
//! ```toml
//! kind = "webhook"
//! url = "https://hooks.example.org/mail"   # or url_file, url_env where the URL is a secret
//! secret_file = "webhook.secret"           # whsec_ and base64 of 24 to 64 bytes
//! #token_file = "webhook.token"            # sent as Authorization: Bearer …
//! ```
//!
//! The body is that of `body.rs`. `webhook-id` is the message's id, the same at every attempt; `webhook-timestamp` is
//! when the attempt is made; `webhook-signature` is `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`. Whoever
//! receives it checks the signature and the time, and drops an id it has seen. Any 2xx answer is a success.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::{Clock, WallTime};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use ring::hmac;

use super::body::body;
use super::desk::Desk;
use super::source::{SECRET, SecretUrl, Source, TOKEN, URL};
use super::{Channel, Outcome, Post};
use crate::judge::message::Message;

/// Bytes of a secret at least and at most (Standard Webhooks, signature scheme).
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

struct Webhook {
    desk: Desk,
    url: SecretUrl,
    key: hmac::Key,
    clock: Clock,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let is_secret = source.section.has(URL.file) || source.section.has(URL.env);
    let url = if is_secret {
        source.secret_url("where to send it")
    } else {
        source.section.require("url", "where to send it; or url_file, where the URL is a secret");
        source.url("url", "").map(SecretUrl::new)
    };
    let secret = source.secret(SECRET, "by which the receiver knows us: whsec_ and base64");
    let token = source.secret_if_any(TOKEN);
    let secret = secret?;
    let key = secret.expose().strip_prefix("whsec_").unwrap_or(secret.expose());
    let key = STANDARD.decode(key).ok().filter(|key| SECRET_BYTES.contains(&key.len()));
    let Some(key) = key else {
        let at = if source.section.has(SECRET.file) { SECRET.file } else { SECRET.env };
        let how = "make one with: echo whsec_$(openssl rand -base64 32)";
        let words =
            format!("{at}: what is there is not whsec_ and base64 of 24 to 64 bytes; {how}");
        source.section.wrong(at, words);
        return None;
    };
    let url = url?;
    let hidden: Vec<_> = url.parts().into_iter().chain([secret]).chain(token.clone()).collect();
    let mut desk = source.desk(&hidden)?;
    if let Some(token) = &token {
        desk = desk.with(AUTHORIZATION, &format!("Bearer {}", token.expose()))?;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    Some(Arc::new(Webhook { desk, url, key, clock: Clock::system() }))
}

impl Channel for Webhook {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            let body = body(post.message);
            let url = self.url.expose().clone();
            let Some(headers) = headers(post.message, &body, &self.key, self.clock.wall()) else {
                let why = "the message's id cannot stand in a header".to_owned();
                return Outcome::Refused { why };
            };
            match self.desk.ask(Method::POST, url, headers, body).await {
                Ok(answer) => self.desk.sent(&answer, None, false),
                Err(failed) => failed,
            }
        }
        .boxed()
    }

    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn destination(&self) -> String {
        self.url.host()
    }
}

fn headers(message: &Message, body: &[u8], key: &hmac::Key, now: WallTime) -> Option<HeaderMap> {
    let timestamp = now.timestamp().as_second().to_string();
    let signed = [message.id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signature = format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed)));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", message.id.as_str()),
        ("webhook-timestamp", &timestamp),
        ("webhook-signature", &signature),
    ] {
        headers.insert(name, HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

#[cfg(test)]
mod tests;
