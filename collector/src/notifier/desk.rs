//! One request to a service, and what its status says of the message in it.
//!
//! Invariant: what nobody knows to have failed may have arrived. Absent on purpose: what a body says, which each
//! channel reads itself.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::{Handle, Outcome};
use crate::outward::{Answer, Outward, OutwardError};
use crate::secret::Secret;

/// Bytes of an answer at most.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Nobody is believed who wants to be asked again later than this.
const LONGEST_WAIT_S: f64 = 3_600.0;

/// Asks over HTTP for one channel.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    outward: Outward,
    hidden: Vec<Secret>,
    headers: HeaderMap,
}

impl Desk {
    /// With the secrets that nothing it tells may show.
    pub(super) fn new(outward: Outward, hidden: Vec<Secret>) -> Self {
        Self { outward, hidden, headers: HeaderMap::new() }
    }

    /// With a header on every request; `None` where its value cannot stand in one.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Some(self)
    }

    /// Sends JSON with POST; anything but a 2xx answer is an outcome.
    pub(super) async fn post(&self, url: Url, body: Vec<u8>) -> Result<Answer, Outcome> {
        self.ask(Method::POST, url, HeaderMap::new(), body).await
    }

    /// Sends JSON; anything but a 2xx answer is an outcome.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Outcome> {
        let answer = self.answer(method, url, headers, body).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer)) }
    }

    /// The answer, whatever its status.
    pub(super) async fn answer(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Outcome> {
        let request = self.outward.client().request(method, url);
        let request = request.header(CONTENT_TYPE, "application/json; charset=utf-8");
        let request = request.headers(self.headers.clone()).headers(headers).body(body);
        let answer = self.outward.exchange(request, MAX_ANSWER_BYTES).await;
        answer.map_err(|error| {
            let may_have_arrived = match &error {
                OutwardError::Connect(_) | OutwardError::Tls(_) | OutwardError::Client(_) => false,
                OutwardError::Timeout | OutwardError::Broke(_) | OutwardError::TooLarge(_) => true,
            };
            Outcome::Later { after: None, why: self.hide(&error.to_string()), may_have_arrived }
        })
    }

    /// What an answer that is not 2xx comes to.
    pub(super) fn refusal(&self, answer: &Answer) -> Outcome {
        let status = answer.status;
        let said = self.said(answer);
        let words = if said.is_empty() { String::new() } else { format!(": {said}") };
        let later = |may_have_arrived| Outcome::Later {
            after: answer.retry_after,
            why: format!("the service answered {status}{words}"),
            may_have_arrived,
        };
        let refused = |what: &str| Outcome::Refused {
            why: format!("the service answered {status}{words}; {what}"),
        };
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::SERVICE_UNAVAILABLE => later(false),
            status if status.is_server_error() => later(true),
            status if status.is_redirection() => {
                refused("redirects are not followed: configure where it leads to, if you trust it")
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                refused("look whether its URL, token or key is still right")
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                refused("its URL leads nowhere any more: make a new one")
            }
            _ => refused("it does not take the message as it is"),
        }
    }

    /// It answered well, and in other words than this service has: who knows who that was.
    pub(super) fn strange(&self, answer: &Answer) -> Outcome {
        let why = match self.said(answer) {
            said if said.is_empty() => {
                format!(
                    "the answer {} is empty, which is not how the service takes a message",
                    answer.status
                )
            }
            said => format!(
                "the answer {} is not how the service takes a message: {said}",
                answer.status
            ),
        };
        Outcome::Later { after: answer.retry_after, why, may_have_arrived: true }
    }

    /// The service took it.
    pub(super) fn sent(&self, answer: &Answer, handle: Option<Handle>, confirmed: bool) -> Outcome {
        let said = match self.said(answer) {
            said if said.is_empty() => answer.status.to_string(),
            said => format!("{}: {said}", answer.status.as_u16()),
        };
        Outcome::Sent { handle, confirmed, said }
    }

    /// What it said, on one line and without secrets.
    pub(super) fn said(&self, answer: &Answer) -> String {
        // struck out before it is cut: half a secret is one too
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let text = self.hide(&text);
        Answer { body: text.into_bytes(), ..answer.clone() }.said()
    }

    /// A text without secrets.
    pub(super) fn hide(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| secret.struck_from(&text))
    }
}

/// A body as JSON; null where it is none.
pub(super) fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// Whether a page for people came: a proxy's or a portal's, never a service's own word.
pub(super) fn is_page(answer: &Answer) -> bool {
    let begin = String::from_utf8_lossy(answer.body.get(..64).unwrap_or(&answer.body));
    begin.trim_start().starts_with('<')
}

/// Seconds to wait as a number in a body, which may have a fraction.
pub(super) fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds.min(LONGEST_WAIT_S)).ok()
}

/// JSON of so many bytes at most: made again with less text until it fits. `make` gets how many characters the
/// longest of its texts may have.
pub(super) fn fitting(max_bytes: usize, most: usize, make: impl Fn(usize) -> Value) -> Vec<u8> {
    let mut most = most;
    loop {
        let bytes = make(most).to_string().into_bytes();
        if bytes.len() <= max_bytes || most < LEAST_TEXT {
            return bytes;
        }
        most = most / 4 * 3;
    }
}

/// Texts are never cut shorter than this: what else is in a payload has bounds of its own.
const LEAST_TEXT: usize = 40;
