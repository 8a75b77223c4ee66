//! Signs of life to a dead man's switch elsewhere: who does not hear from us tells people, without us.
//!
//! Invariants: 'healthy' is said only after an examination that found nothing wrong; nothing is sent that was due
//! before the last was over; a period's attempts end with the period. Who takes nothing is logged once and shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::Clock;
use mailsonde_proto::vantage::random_bytes;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::health::{Examined, Health};
use crate::config::outside::{HeartbeatConfig, HeartbeatKind};
use crate::outward::{Answer, Outward, OutwardError};
use crate::secret::Secret;

/// Bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// The next attempts of a period come after these.
const RETRIES: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];

/// A dead man's switch.
pub(super) struct Heartbeat {
    config: HeartbeatConfig,
    url: Url,
    outward: Outward,
    clock: Clock,
    told: Mutex<Told>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    last_sent_at: Option<Timestamp>,
    last_said: Option<&'static str>,
    failing_since: Option<Timestamp>,
    words: String,
}

/// How it goes with a dead man's switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatAnswer {
    /// What it is called.
    pub name: String,
    /// `healthchecks`, `uptimerobot` or `generic`.
    pub kind: String,
    /// When it last took a sign of life.
    pub last_sent_at: Option<Timestamp>,
    /// What was said then: `healthy` or `unhealthy`.
    pub last_said: Option<String>,
    /// Since when it takes none.
    pub failing_since: Option<Timestamp>,
    /// What it answered, why it takes none, or why none is sent.
    pub words: String,
}

/// What is sent: method, URL and body.
#[derive(Debug, PartialEq, Eq)]
struct Sign {
    method: Method,
    url: Url,
    body: String,
}

impl Heartbeat {
    pub(super) fn new(config: HeartbeatConfig, url: Url, outward: Outward, clock: Clock) -> Self {
        Self { config, url, outward, clock, told: Mutex::default() }
    }

    pub(super) async fn run(self: Arc<Self>, health: Arc<Health>, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let period = jittered(self.config.every, random_bytes());
            let until = self.clock.monotonic() + period;
            let beat = async {
                self.beat(&health, period).await;
                tokio::time::sleep_until(until).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = beat => {}
            }
        }
    }

    /// One sign of life, unless there is none to give.
    async fn beat(&self, health: &Arc<Health>, period: Duration) {
        let examining = health.clone();
        let examined = tokio::task::spawn_blocking(move || examining.examine()).await;
        let Ok(examined) = examined else { return };
        let Some(sign) = sign(self.config.kind, &self.url, &examined) else {
            let reasons = examined.reasons().trim_end().replace('\n', "; ");
            self.told().words = format!("nothing is sent: {reasons}");
            return;
        };
        let attempt = || {
            let Sign { method, url, body } = &sign;
            let request = self.outward.client().request(method.clone(), url.clone());
            let request = if body.is_empty() { request } else { request.body(body.clone()) };
            self.outward.exchange(request, MAX_ANSWER_BYTES)
        };
        let taken = deliver(attempt, self.config.kind, period).await;
        // some say again what they were asked
        let secrets = Secret::parts_of(&self.url);
        let struck = |words: String| secrets.iter().fold(words, |it, part| part.struck_from(&it));
        self.note(taken.map(struck).map_err(struck), examined.is_healthy());
    }

    fn note(&self, taken: Result<String, String>, is_healthy: bool) {
        let (now, name) = (self.clock.wall().timestamp(), self.config.name.as_str());
        let mut told = self.told();
        let was_failing = told.failing_since.is_some();
        match taken {
            Ok(words) => {
                told.last_sent_at = Some(now);
                told.last_said = Some(if is_healthy { "healthy" } else { "unhealthy" });
                (told.failing_since, told.words) = (None, words);
                if was_failing {
                    tracing::info!(heartbeat = name, "signs of life get through again");
                }
            }
            Err(words) => {
                told.failing_since.get_or_insert(now);
                if !was_failing {
                    tracing::warn!(heartbeat = name, words, "signs of life do not get through");
                }
                told.words = words;
            }
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self) -> HeartbeatAnswer {
        let Told { last_sent_at, last_said, failing_since, words } = self.told().clone();
        HeartbeatAnswer {
            name: self.config.name.clone(),
            kind: self.config.kind.as_str().to_owned(),
            last_sent_at,
            last_said: last_said.map(str::to_owned),
            failing_since,
            words,
        }
    }
}

/// Up to a tenth earlier than the period, never later: whoever waits for a minute hears within a minute, and many
/// collectors do not come at once.
fn jittered(period: Duration, [part]: [u8; 1]) -> Duration {
    period - period / 10 * u32::from(part) / 255
}

/// What is said, and to which URL; `None` where silence says it.
fn sign(kind: HeartbeatKind, url: &Url, examined: &Examined) -> Option<Sign> {
    let is_healthy = examined.is_healthy();
    let url = url.clone();
    match (kind, is_healthy) {
        (HeartbeatKind::Healthchecks, true) => {
            Some(Sign { method: Method::POST, url, body: "healthy".to_owned() })
        }
        // healthchecks.io/docs/signaling_failures: the ping URL with /fail after it, the reason as its body
        (HeartbeatKind::Healthchecks, false) => {
            let mut url = url;
            let path = format!("{}/fail", url.path().trim_end_matches('/'));
            url.set_path(&path);
            Some(Sign { method: Method::POST, url, body: examined.reasons() })
        }
        (HeartbeatKind::UptimeRobot | HeartbeatKind::Generic, true) => {
            Some(Sign { method: Method::GET, url, body: String::new() })
        }
        (HeartbeatKind::UptimeRobot | HeartbeatKind::Generic, false) => None,
    }
}

/// Tries until it is taken, is refused for good, or the period is nearly over.
async fn deliver<F: Future<Output = Result<Answer, OutwardError>>>(
    attempt: impl Fn() -> F,
    kind: HeartbeatKind,
    period: Duration,
) -> Result<String, String> {
    let mut last = "no answer".to_owned();
    let tries = async {
        for pause in RETRIES.into_iter().map(Some).chain([None]) {
            let (words, after) = match attempt().await {
                Ok(answer) => match taken(kind, &answer) {
                    Ok(words) => return Some(Ok(words)),
                    // it will not be otherwise in a few seconds
                    Err(words) if !is_passing(&answer) => return Some(Err(words)),
                    Err(words) => (words, answer.retry_after),
                },
                Err(error) => (error.to_string(), None),
            };
            last = words;
            let Some(pause) = pause else { break };
            tokio::time::sleep(after.unwrap_or(pause).max(pause)).await;
        }
        None
    };
    match tokio::time::timeout(period - period / 10, tries).await {
        Ok(Some(taken)) => taken,
        Ok(None) | Err(_) => Err(last),
    }
}

/// Whether it may be another time.
fn is_passing(answer: &Answer) -> bool {
    answer.status.is_server_error() || matches!(answer.status.as_u16(), 408 | 425 | 429)
}

/// Whether it was taken: what was answered.
fn taken(kind: HeartbeatKind, answer: &Answer) -> Result<String, String> {
    let (status, said) = (answer.status.as_u16(), answer.said());
    let words = if said.is_empty() { format!("{status}") } else { format!("{status} {said}") };
    let is_known = match kind {
        // a check that is unknown, or was asked for too often, is told beside a 200
        HeartbeatKind::Healthchecks => {
            !said.contains("not found") && !said.contains("rate limited")
        }
        HeartbeatKind::UptimeRobot | HeartbeatKind::Generic => true,
    };
    if answer.status.is_success() && is_known {
        Ok(words)
    } else {
        Err(format!("answered {words}"))
    }
}

#[cfg(test)]
mod tests;
