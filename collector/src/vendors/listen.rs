//! Asks one vendor again and again, with its own validators (RFC 9110 section 13), slower the longer it does not answer,
//! and writes down what changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, WallTime};
use reqwest::header::{
    ACCEPT, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::{RequestBuilder, StatusCode};
use tokio_util::sync::CancellationToken;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::{NotItsForm, VendorAnswer, VendorState, feed, google, kept, microsoft, statuspage};
use crate::config::outside::{VendorConfig, VendorKind};
use crate::control::ControlJournal;
use crate::judge::outside::{Announcement, Heard, VendorSays};
use crate::outward::{Answer, Outward};
use crate::watched::{Outfit, OutsideError, write_heard};

/// Bytes of an answer at most: Google's of a year are about two millions.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Bytes of a token's answer at most.
const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// Who does not answer is asked again after this at the latest.
const LONGEST: Duration = Duration::from_secs(1_800);
/// What was heard so long ago is not said any more.
const STALE: Duration = Duration::from_secs(6 * 3_600);
/// What changed is written down this often in an hour at most: whatever a vendor does, the journal stays small.
const RECORDS_AN_HOUR: usize = 12;
const HOUR: Duration = Duration::from_secs(3_600);
/// A token is not used in its last minute.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// Hears one vendor.
pub(super) struct Listener {
    config: VendorConfig,
    /// Of the application at Microsoft.
    secret: Zeroizing<String>,
    outward: Outward,
    clock: Clock,
    control: Arc<ControlJournal>,
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    read_at: Option<WallTime>,
    failing_since: Option<WallTime>,
    error: Option<String>,
    trouble: Vec<Announcement>,
}

/// What is remembered from question to question.
#[derive(Default)]
struct Memory {
    validators: HeaderMap,
    token: Option<(Zeroizing<String>, Instant)>,
    failures: u32,
    written: Vec<Instant>,
}

/// Why there is nothing to hear, and when to ask again.
struct NotHeard {
    words: String,
    after: Option<Duration>,
}

impl NotHeard {
    fn new(words: impl ToString) -> Self {
        Self { words: words.to_string(), after: None }
    }
}

impl Listener {
    pub(super) fn open(
        config: VendorConfig,
        outfit: &Outfit<'_>,
        (clock, control): (Clock, Arc<ControlJournal>),
    ) -> Result<Self, OutsideError> {
        let about = format!("vendor {}", config.name);
        let secret = match &config.kind {
            VendorKind::Microsoft365 { client_secret, .. } => {
                outfit.secret(&about, client_secret)?
            }
            _ => Zeroizing::default(),
        };
        let outward = outfit.outward(&about, config.authority.as_ref())?;
        Ok(Self { config, secret, outward, clock, control, state: Mutex::default() })
    }

    pub(super) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut memory = Memory::default();
        loop {
            let turn = async {
                let heard = self.ask(&mut memory).await;
                let pause = self.take(heard, &mut memory);
                self.write(&mut memory).await;
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = turn => {}
            }
        }
    }

    /// What it publishes; `None` where that is the same as before.
    async fn ask(&self, memory: &mut Memory) -> Result<Option<Vec<Announcement>>, NotHeard> {
        let url = match &self.config.kind {
            VendorKind::Microsoft365 { graph, .. } => {
                let url = graph.join(microsoft::PATH).map_err(NotHeard::new);
                url.map(|mut url| {
                    url.set_query(Some("$expand=issues"));
                    url
                })?
            }
            VendorKind::Statuspage(page) => statuspage::summary(page),
            VendorKind::GoogleWorkspace(url) | VendorKind::Feed(url) => url.clone(),
        };
        let mut request = self.outward.client().get(url).headers(memory.validators.clone());
        if let VendorKind::Microsoft365 { .. } = &self.config.kind {
            request = request
                .bearer_auth(self.token(memory).await?.as_str())
                .header(ACCEPT, "application/json");
        }
        let (answer, headers) = self.exchange(request, MAX_ANSWER_BYTES).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {}
            status => {
                if status == StatusCode::UNAUTHORIZED {
                    memory.token = None;
                }
                return Err(refused(&answer));
            }
        }
        let (config, now) = (self.config.clone(), self.clock.wall());
        // some MiB of a stranger's text: it keeps nobody waiting, and whatever breaks over it is this question alone
        let reading = tokio::task::spawn_blocking(move || read(&config, &answer.body, now)).await;
        let trouble =
            reading.map_err(|_panicked| NotHeard::new("what it answers cannot be read"))?;
        let trouble = trouble.map_err(NotHeard::new)?;
        // what a feed says depends on the time too: it is read anew, changed or not
        if !matches!(self.config.kind, VendorKind::Feed(_)) {
            memory.validators = validators(&headers);
        }
        Ok(Some(trouble))
    }

    /// Microsoft's token for the application (OAuth 2.0 client credentials).
    async fn token(&self, memory: &mut Memory) -> Result<Zeroizing<String>, NotHeard> {
        let VendorKind::Microsoft365 { tenant, client_id, graph, sign_in, .. } = &self.config.kind
        else {
            return Err(NotHeard::new("there is no token for this kind"));
        };
        let now = self.clock.monotonic();
        if let Some((token, until)) = &memory.token
            && now < *until
        {
            return Ok(token.clone());
        }
        let scope = format!("{}/.default", graph.as_str().trim_end_matches('/'));
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client_id)
            .append_pair("client_secret", &self.secret)
            .append_pair("scope", &scope)
            .finish();
        let url = sign_in.join(&format!("{tenant}/oauth2/v2.0/token")).map_err(NotHeard::new)?;
        let request = self.outward.client().post(url);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let (answer, _) = self.exchange(request, MAX_TOKEN_BYTES).await?;
        if answer.status != StatusCode::OK {
            let NotHeard { words, after } = refused(&answer);
            return Err(NotHeard { words: format!("signing in: {words}"), after });
        }
        let microsoft::Token { access_token, expires_in } = serde_json::from_slice(&answer.body)
            .map_err(|_secret| NotHeard::new("signing in: what it answers is no token"))?;
        let lasts = Duration::from_secs(expires_in.min(86_400)).saturating_sub(TOKEN_MARGIN);
        memory.token = Some((access_token.clone(), now + lasts));
        Ok(access_token)
    }

    async fn exchange(
        &self,
        request: RequestBuilder,
        max_bytes: usize,
    ) -> Result<(Answer, HeaderMap), NotHeard> {
        self.outward.exchange_with_head(request, max_bytes).await.map_err(NotHeard::new)
    }

    /// Takes in what was heard; how long to wait for the next question.
    fn take(
        &self,
        heard: Result<Option<Vec<Announcement>>, NotHeard>,
        memory: &mut Memory,
    ) -> Duration {
        let (now, vendor) = (self.clock.wall(), self.config.name.as_str());
        let mut state = self.state();
        match heard {
            Ok(changed) => {
                if state.failing_since.is_some() {
                    tracing::info!(vendor, "the vendor's word can be read again");
                }
                let trouble = changed.unwrap_or_else(|| std::mem::take(&mut state.trouble));
                let read_at = Some(now);
                *state = State { read_at, trouble, ..State::default() };
                memory.failures = 0;
                self.config.every
            }
            Err(NotHeard { words, after }) => {
                if state.failing_since.is_none() {
                    tracing::warn!(vendor, words, "the vendor's word cannot be read");
                }
                state.failing_since.get_or_insert(now);
                state.error = Some(words);
                if state.read_at.is_none_or(|at| now.since(at) > STALE) {
                    state.trouble.clear();
                    memory.validators.clear();
                }
                memory.failures = memory.failures.saturating_add(1);
                after.unwrap_or_default().max(backoff(self.config.every, memory.failures))
            }
        }
    }

    /// Writes down what it says, where that is something else than what was written last.
    async fn write(&self, memory: &mut Memory) {
        let state = self.state().clone();
        let has_failed_long =
            state.failing_since.is_some_and(|at| self.clock.wall().since(at) > STALE);
        let is_known = state.read_at.is_some() || has_failed_long;
        let says = VendorSays {
            vendor: self.config.name.clone(),
            services: self.config.services.clone(),
            trouble: state.trouble,
        };
        let written = self.control.look(|roll| roll.outside().vendor(&says.vendor).cloned());
        let is_same = match &written {
            Some(written) => *written == says,
            None => says.trouble.is_empty(),
        };
        let now = self.clock.monotonic();
        memory.written.retain(|at| now.saturating_duration_since(*at) < HOUR);
        if is_same || !is_known || memory.written.len() >= RECORDS_AN_HOUR {
            return;
        }
        memory.written.push(now);
        let (control, clock) = (self.control.clone(), self.clock);
        let write = move || write_heard(&control, clock, Heard::Vendor(says));
        tokio::task::spawn_blocking(write).await.ok();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self) -> VendorAnswer {
        let State { read_at, failing_since, error, trouble } = self.state().clone();
        let is_stale = read_at.is_none_or(|at| self.clock.wall().since(at) > STALE);
        VendorAnswer {
            name: self.config.name.clone(),
            kind: self.config.kind.as_str().to_owned(),
            state: match (is_stale, trouble.is_empty()) {
                (true, _) => VendorState::Unknown,
                (false, true) => VendorState::Quiet,
                (false, false) => VendorState::Trouble,
            },
            services: self.config.services.clone(),
            read_at: read_at.map(WallTime::timestamp),
            failing_since: failing_since.map(WallTime::timestamp),
            error,
            trouble,
        }
    }
}

/// What is wrong, in an answer of this kind.
fn read(
    config: &VendorConfig,
    body: &[u8],
    now: WallTime,
) -> Result<Vec<Announcement>, NotItsForm> {
    let published = match &config.kind {
        VendorKind::Microsoft365 { .. } => microsoft::read(body),
        VendorKind::GoogleWorkspace(_) => google::read(body),
        VendorKind::Statuspage(_) => statuspage::read(body),
        VendorKind::Feed(_) => feed::read(body, now),
    };
    Ok(kept(published?, &config.only))
}

/// Doubled with each failure, [`LONGEST`] at most, or as often as usual where that is rarer.
fn backoff(every: Duration, failures: u32) -> Duration {
    every.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST.max(every))
}

/// By which to ask whether anything is new.
fn validators(headers: &HeaderMap) -> HeaderMap {
    let pairs = [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)];
    let known = pairs.into_iter().filter_map(|(told, asked)| {
        let value: &HeaderValue = headers.get(told)?;
        (value.len() <= 512).then(|| (asked, value.clone()))
    });
    known.collect()
}

fn refused(answer: &Answer) -> NotHeard {
    let words = format!("it answers {} {}", answer.status.as_u16(), answer.said());
    NotHeard { words: words.trim_end().to_owned(), after: answer.retry_after }
}

#[cfg(test)]
mod tests;
