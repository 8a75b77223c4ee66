//! What the collector asks of the internet: chat services, dead man's switches, vendors' status.
//!
//! Invariants: every exchange is bounded in time and its answer in size; no redirect is followed, because whoever
//! answers could send secrets of a URL or a header elsewhere. Proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`)
//! are used. Absent on purpose: retries, which whoever asks decides.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustls::RootCertStore;

use crate::identity::{IdentityError, https_config};

/// An exchange is over by then.
pub const TIME_LIMIT: Duration = Duration::from_secs(15);
/// A connection stands by then.
const CONNECT_LIMIT: Duration = Duration::from_secs(8);
/// Nobody is believed who wants to be asked again later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Asks over HTTP; clones share their connections.
#[derive(Clone, Debug)]
pub struct Outward {
    client: Client,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status, whatever it is; a redirect is not followed.
    pub status: StatusCode,
    /// When to ask again, where it said so in seconds or as a date; an hour at most.
    pub retry_after: Option<Duration>,
    /// Its body, whole.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body's first characters on one line, for people.
    pub fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        words.retain(|letter| !letter.is_control());
        words.chars().take(200).collect()
    }
}

/// Why there is no client, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutwardError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] IdentityError),
    /// The client cannot be made.
    #[error("the HTTP client cannot be made: {}", causes(.0))]
    Client(#[source] reqwest::Error),
    /// Nothing came in time. Whether the request arrived, nobody knows.
    #[error("no answer within {} s", TIME_LIMIT.as_secs())]
    Timeout,
    /// There was no connection: nothing can have arrived.
    #[error("cannot connect: {}", causes(.0))]
    Connect(#[source] reqwest::Error),
    /// The answer broke off, or was none. Whether the request arrived, nobody knows.
    #[error("the connection broke: {}", causes(.0))]
    Broke(#[source] reqwest::Error),
    /// The answer is larger than is read. The request arrived.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl Outward {
    /// Asks servers that these authorities vouch for.
    ///
    /// # Errors
    /// When the libraries refuse it.
    pub fn new(roots: RootCertStore) -> Result<Self, OutwardError> {
        Self::with_limit(roots, TIME_LIMIT)
    }

    /// The same, with another limit of time for an exchange.
    ///
    /// # Errors
    /// When the libraries refuse it.
    pub fn with_limit(roots: RootCertStore, limit: Duration) -> Result<Self, OutwardError> {
        let client = Client::builder()
            .tls_backend_preconfigured(https_config(roots)?)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_LIMIT)
            .timeout(limit)
            .pool_max_idle_per_host(2)
            .user_agent(concat!("mailsonde-collector/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(OutwardError::Client)?;
        Ok(Self { client })
    }

    /// To make a request with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and reads the answer, of `max_bytes` at most.
    ///
    /// # Errors
    /// When there is no answer, or it is too large. A status of any kind is an answer. Errors never tell the URL,
    /// which may be a secret.
    pub async fn exchange(
        &self,
        request: RequestBuilder,
        max_bytes: usize,
    ) -> Result<Answer, OutwardError> {
        self.exchange_with_head(request, max_bytes).await.map(|(answer, _)| answer)
    }

    /// The same, with the answer's headers.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn exchange_with_head(
        &self,
        request: RequestBuilder,
        max_bytes: usize,
    ) -> Result<(Answer, HeaderMap), OutwardError> {
        // `timeout` covers the body too
        let response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = whole(response, max_bytes).await?;
        Ok((Answer { status, retry_after: retry_after(&headers), body }, headers))
    }
}

async fn whole(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, OutwardError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len().saturating_add(chunk.len()) > max_bytes {
            return Err(OutwardError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: reqwest::Error) -> OutwardError {
    let error = error.without_url();
    if error.is_connect() {
        OutwardError::Connect(error)
    } else if error.is_timeout() {
        OutwardError::Timeout
    } else {
        OutwardError::Broke(error)
    }
}

/// An error with all that lies behind it: the library's own words stop at the first.
fn causes(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// RFC 9110 section 10.2.3: seconds, or a date, which is told from the answer's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let waits = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_no_number) => {
            let date = |text| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
            let answered = headers.get(reqwest::header::DATE)?.to_str().ok().and_then(date)?;
            let wait = date(text)?.duration_since(answered);
            Duration::try_from(wait).unwrap_or_default()
        }
    };
    Some(waits.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_ask_again_is_seconds_or_a_date() {
        let date = "Sun, 29 Nov 2026 10:00:00 GMT";
        for (said, expected) in [
            ("30", Some(30)),
            ("0", Some(0)),
            ("999999", Some(3_600)),
            ("Sun, 29 Nov 2026 10:01:00 GMT", Some(60)),
            ("Sun, 29 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
        ] {
            let headers = [(RETRY_AFTER, said), (reqwest::header::DATE, date)];
            let headers: HeaderMap =
                headers.into_iter().map(|(name, value)| (name, value.parse().unwrap())).collect();
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{said}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
