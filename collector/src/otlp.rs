//! Sends the metrics of `/metrics` to an OTLP endpoint (OTLP specification 1.9.0, over HTTP, as protobuf): an
//! OpenTelemetry collector, New Relic, and whoever else takes it.
//!
//! Invariants: the same figures as `/metrics`; nothing waits for it, and what it holds is bounded: one reading, sent in
//! requests of [`MAX_BODY_BYTES`]. A request is tried again as the specification says (429, 502, 503, 504 and no answer,
//! `Retry-After` honoured) until the next reading is due, which takes its place: a counter loses nothing by that, because
//! what was not taken is in the next one. Who takes nothing is logged once. Absent on purpose: traces, logs, a queue, and
//! certainty that nothing is counted twice in deltas: an answer that was lost looks as if nothing had arrived.

mod points;
mod request;
pub mod wire;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use mailsonde_proto::vantage::random_bytes;
use prost::Message;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::config::otlp::{OtlpConfig, Temporality};
use crate::metrics::Source;
use crate::outward::{Answer, Outward, OutwardError};
use crate::secret::Secret;
use points::{Key, Points, Told};
use request::{Request, Resource};
use wire::ExportMetricsServiceResponse;

/// Bytes of a request at most; New Relic refuses more than a million.
const MAX_BODY_BYTES: usize = 512 * 1024;
/// Bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// The second attempt comes after this, the next ones after twice as long each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// And never later than this, unless it is asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// More headers at most.
const MOST_HEADERS: usize = 16;

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OtlpError {
    /// The file of headers cannot be used.
    #[error("headers_file: {0}")]
    Headers(String),
}

/// Sends metrics.
pub(crate) struct Otlp {
    config: OtlpConfig,
    headers: HeaderMap,
    outward: Outward,
    source: Source,
    resource: Resource,
    clock: Clock,
    /// What was taken, where only what came since is told.
    told: HashMap<Key, Told>,
    is_failing: bool,
}

impl Otlp {
    /// Sends nothing yet. `name` is the collector's; a relative file is of `folder`.
    ///
    /// # Errors
    /// When the file of headers cannot be used.
    pub(crate) fn open(
        config: &OtlpConfig,
        (folder, name): (&Path, &str),
        outward: Outward,
        source: Source,
        clock: Clock,
    ) -> Result<Self, OtlpError> {
        let mut headers = HeaderMap::new();
        if let Some(file) = &config.headers_file {
            let lines = Secret::lines_in_file(&folder.join(file)).map_err(OtlpError::Headers)?;
            headers = headers_of(&lines).map_err(|wrong| {
                OtlpError::Headers(format!("{}: {wrong}", folder.join(file).display()))
            })?;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let (config, resource) = (config.clone(), Resource { name: name.to_owned() });
        let told = HashMap::new();
        Ok(Self { config, headers, outward, source, resource, clock, told, is_failing: false })
    }

    /// Sends until the shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let until = self.clock.monotonic() + self.config.every;
            let send = async {
                let later = self.send(until).await;
                tokio::time::sleep_until(until.max(later)).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = send => {}
            }
        }
    }

    /// One reading, in as many requests as it takes; says before when not to come again.
    async fn send(&mut self, until: Instant) -> Instant {
        let now = self.clock.monotonic();
        let source = self.source.clone();
        let read = tokio::task::spawn_blocking(move || {
            let reading = source.read()?;
            let mut points = Points::default();
            reading.tell(&mut points);
            Ok::<_, crate::query::QueryError>((reading.since(), points))
        });
        let (since, points) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => {
                tracing::warn!(%error, "metrics cannot be read, and are not sent this time");
                return now;
            }
            Err(_panicked) => return now,
        };
        let at = self.clock.wall();
        self.told.retain(|key, _| points.has(key));
        let told = (self.config.temporality == Temporality::Delta).then_some(&self.told);
        let requests = request::of(&points, (since, at), &self.resource, told);
        drop(points);
        for request in requests {
            match self.deliver(&request, until).await {
                Ok(()) => self.note_taken(request),
                Err(refused) => {
                    self.note_refused(&refused.words);
                    return refused.not_before.unwrap_or(now);
                }
            }
        }
        now
    }

    /// Tries until it is taken, refused for good, or the next reading is due.
    async fn deliver(&self, request: &Request, until: Instant) -> Result<(), Refused> {
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = self.attempt(request, until).await;
            let (words, wish) = match answer {
                Ok(answer) if answer.status.is_success() => {
                    tell_of_rejected(&answer);
                    return Ok(());
                }
                Ok(answer) => {
                    let words = format!("answered {} {}", answer.status.as_u16(), answer.said());
                    if !matches!(answer.status.as_u16(), 429 | 502 | 503 | 504) {
                        return Err(Refused { words, not_before: None });
                    }
                    (words, answer.retry_after)
                }
                Err(error) => (error.to_string(), None),
            };
            let [part] = random_bytes();
            // up to a quarter later, so that many collectors do not come at once
            let wait = wish.unwrap_or(pause) + pause / 4 * u32::from(part) / 255;
            let again = self.clock.monotonic() + wait;
            if again >= until {
                return Err(Refused { words, not_before: wish.map(|_| again) });
            }
            tokio::time::sleep_until(again).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, request: &Request, until: Instant) -> Result<Answer, OutwardError> {
        let asked = self.outward.client().post(self.config.endpoint.clone());
        let asked = asked.headers(self.headers.clone()).body(request.body.clone());
        let exchange = self.outward.exchange(asked, MAX_ANSWER_BYTES);
        match tokio::time::timeout_at(until, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(OutwardError::Timeout),
        }
    }

    fn note_taken(&mut self, request: Request) {
        if self.config.temporality == Temporality::Delta {
            self.told.extend(request.tells);
        }
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("metrics get through to the OTLP endpoint again");
        }
    }

    fn note_refused(&mut self, words: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let secrets = self.headers.values().filter(|value| value.is_sensitive());
            let secrets = secrets.filter_map(|value| value.to_str().ok());
            // some say again what they were told
            let words = secrets.fold(words.to_owned(), |words, secret| {
                Secret::new(secret.to_owned()).struck_from(&words)
            });
            tracing::warn!(words, "metrics do not get through to the OTLP endpoint");
        }
    }
}

/// It was not taken.
struct Refused {
    words: String,
    /// When it asked not to be asked before.
    not_before: Option<Instant>,
}

/// What was taken in part is not sent again (OTLP specification, section "Partial Success").
fn tell_of_rejected(answer: &Answer) {
    let Ok(response) = ExportMetricsServiceResponse::decode(answer.body.as_slice()) else { return };
    let Some(partial) = response.partial_success else { return };
    let words = crate::text::one_line(&partial.error_message);
    let words: String = words.chars().take(200).collect();
    match partial.rejected_data_points {
        0 if words.is_empty() => {}
        0 => tracing::info!(words, "the OTLP endpoint took the metrics and says something"),
        rejected => {
            tracing::warn!(rejected, words, "the OTLP endpoint refused some of the metrics")
        }
    }
}

/// Lines such as `api-key: X`.
fn headers_of(lines: &[Secret]) -> Result<HeaderMap, &'static str> {
    const FORM: &str = "each line must be a header such as `api-key: KEY`";
    if lines.len() > MOST_HEADERS {
        return Err("there must be 16 headers at most");
    }
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.expose().split_once(':').ok_or(FORM)?;
        let name: HeaderName = name.trim().parse().ok().ok_or(FORM)?;
        let mut value: HeaderValue = value.trim().parse().ok().ok_or(FORM)?;
        if value.is_empty() {
            return Err(FORM);
        }
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
