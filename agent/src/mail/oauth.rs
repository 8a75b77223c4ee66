//! Access tokens for mailboxes (RFC 6749): where they come from, and how long one is kept.
//!
//! One [`TokenSource`] a mailbox, shared by all its servers. [`TokenSource::ready`] asks the token server
//! when there is no token or the one there is will soon expire, at most once at a time, whoever wants it;
//! [`TokenSource::current`] is that token for the sign-in. A server that says when to come back is not asked
//! before (RFC 9110 section 10.2.3); a token that is still good is used till then. A token that a mail server
//! refuses is dropped ([`TokenSource::drop_token`]), so that the next run gets a new one: within a run nothing
//! is tried twice. Tokens and secrets show in no log, transcript or `Debug`. Absent on purpose: a browser. The
//! first refresh token is made elsewhere; one that the token server replaces is kept in memory only.

pub mod answer;
mod assertion;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use mailsonde_proto::FaultClass;
use mailsonde_proto::phase::name;
use mailsonde_proto::time::Instant;
use tokio::time::timeout_at;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::dial::Patience;
use super::failure::{Failure, seconds};
use super::wire::Record;
use crate::http::{Fetch, Request};
use crate::net::{Net, TlsTrust};
use crate::secret::Secret;
use crate::stopwatch::Stopwatch;
use crate::transcript::Transcript;
use answer::{Granted, Refused};

pub use assertion::{NotAKey, ServiceKey};

/// A token is renewed so long before it expires, or a fifth of its lifetime before when that is less.
const RENEWED_EARLY: Duration = Duration::from_secs(300);
/// How long a token is kept whose server does not say (RFC 6749 section 5.1 recommends that it does).
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// The longest that a token is kept, whatever its server says.
const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);
/// The longest that a token server is left alone because it said so.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How a token is had.
#[derive(Clone, PartialEq, Eq)]
pub enum Grant {
    /// In the name of the application itself (RFC 6749 section 4.4): Microsoft 365.
    ClientCredentials(Client),
    /// By a signed assertion in the name of a user (RFC 7523): a service account of Google Workspace.
    ServiceAccount {
        /// Signs it.
        key: ServiceKey,
        /// Whose mailbox it is; the account needs domain-wide delegation for it.
        subject: String,
    },
    /// By a long-lived token that a person consented to (RFC 6749 section 6).
    RefreshToken {
        /// For whom it was issued.
        client: Client,
        /// The first one.
        token: Secret,
    },
}

/// An application as registered with the token server.
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    /// Its name there.
    pub id: String,
    /// Its password there; a public client has none.
    pub secret: Option<Secret>,
    /// Whether it says so in an Authorization field rather than in the form (RFC 6749 section 2.3.1).
    pub by_header: bool,
}

/// The SASL mechanism that carries a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7628.
    OAuthBearer,
    /// Google's own, older than the RFC, and all that Microsoft knows.
    XOAuth2,
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The token server's endpoint.
    pub url: Url,
    /// How a token is had.
    pub grant: Grant,
    /// What it is to be good for; words with spaces between them, may be empty.
    pub scope: String,
    /// The mechanism to sign in by; `None` takes the first of [`Mechanism`] that the server offers.
    pub mechanism: Option<Mechanism>,
}

/// The source of one mailbox's tokens.
pub struct TokenSource {
    settings: TokenSettings,
    trust: TlsTrust,
    state: Mutex<State>,
    /// Held by whoever asks the token server.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// The token server's latest refresh token, where it replaces them.
    refresh_token: Option<Secret>,
    /// How often the token server was asked, to the end.
    asked: u64,
    /// What the last time came to, when it was not a token.
    failure: Option<Failure>,
    /// It is not to be asked before.
    not_before: Option<Instant>,
}

struct Kept {
    token: Secret,
    fetched: Instant,
    renew: Instant,
    expires: Instant,
}

impl TokenSource {
    /// Of these settings; whose certificates the token server may have.
    pub fn new(settings: TokenSettings, trust: TlsTrust) -> Self {
        Self { settings, trust, state: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Whether another source gives the same tokens, secrets included.
    pub fn is_same(&self, other: &Self) -> bool {
        self.settings == other.settings
            && format!("{:?}", self.trust) == format!("{:?}", other.trust)
    }

    /// Where the tokens are had.
    pub fn url(&self) -> &Url {
        &self.settings.url
    }

    /// The mechanism to sign in by, where one is configured.
    pub fn mechanism(&self) -> Option<Mechanism> {
        self.settings.mechanism
    }

    /// The token that is kept.
    pub fn current(&self) -> Option<Secret> {
        self.state().kept.as_ref().map(|kept| kept.token.clone())
    }

    /// Sees to it that there is a good token; whether the token server was asked for it.
    ///
    /// # Errors
    /// Why there is none, as a fault of the phase `token`.
    pub async fn ready(&self, net: &Net, patience: Patience) -> Result<bool, Failure> {
        let asked_before = match self.standing(patience.clock.monotonic(), None) {
            Standing::Good => return Ok(false),
            Standing::Failed(failure) => return Err(failure),
            Standing::ToAsk { asked } => asked,
        };
        let Ok(_asking) = timeout_at(patience.deadline, self.asking.lock()).await else {
            let words = "another run asks the token server, and it did not answer in time";
            return Err(Failure::new(name::TOKEN, FaultClass::Timeout, words));
        };
        // Somebody else may have asked meanwhile: what it came to counts for all who waited.
        match self.standing(patience.clock.monotonic(), Some(asked_before)) {
            Standing::Good => return Ok(true),
            Standing::Failed(failure) => return Err(failure),
            Standing::ToAsk { .. } => {}
        }
        let fetched = self.ask(net, patience).await;
        let now = patience.clock.monotonic();
        let mut state = self.state();
        state.asked += 1;
        match fetched {
            Ok(granted) => {
                state.keep(granted, now);
                Ok(true)
            }
            Err((failure, retry_after)) => {
                let pause = retry_after.map(|pause| pause.min(LONGEST_RETRY_AFTER));
                state.not_before = pause.map(|pause| now + pause);
                state.failure = Some(failure.clone());
                // The old one is good still: that it could not be renewed is not this run's fault.
                if state.kept.as_ref().is_some_and(|kept| now < kept.expires) {
                    tracing::info!(fault = %failure.fault, "the access token could not be renewed yet");
                    return Ok(true);
                }
                state.kept = None;
                Err(failure)
            }
        }
    }

    /// Keeps a token as if it had been granted for an hour.
    #[cfg(test)]
    pub(crate) fn keep_for_tests(&self, token: &str, now: Instant) {
        let lifetime = Some(Duration::from_secs(3600));
        let token = Secret::new(token.to_owned());
        self.state().keep(Granted { token, lifetime, refresh_token: None }, now);
    }

    /// The token was refused by a mail server: the next run asks for a new one. How old it was, where it is
    /// the one that is kept.
    pub fn drop_token(&self, token: &Secret, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        let kept = state.kept.take_if(|kept| kept.token == *token)?;
        Some(now.saturating_duration_since(kept.fetched))
    }

    /// How things stand without asking; `waited_since` is how often the server had been asked when the
    /// caller began to wait.
    fn standing(&self, now: Instant, waited_since: Option<u64>) -> Standing {
        let state = self.state();
        let asked = state.asked;
        if let Some(kept) = &state.kept {
            let is_left_alone = state.not_before.is_some_and(|until| now < until);
            let is_asked = waited_since.is_some_and(|since| asked > since);
            if now < kept.renew || (now < kept.expires && (is_left_alone || is_asked)) {
                return Standing::Good;
            }
        }
        let Some(failure) = &state.failure else { return Standing::ToAsk { asked } };
        if waited_since.is_some_and(|since| asked > since) {
            return Standing::Failed(failure.clone());
        }
        if let Some(until) = state.not_before.filter(|until| now < *until) {
            let mut failure = failure.clone();
            let left = seconds(until.saturating_duration_since(now));
            failure.fault.explanation.push_str(&format!(
                "; it said when to come back, and is not asked again for another {left}"
            ));
            return Standing::Failed(failure);
        }
        Standing::ToAsk { asked }
    }

    async fn ask(
        &self,
        net: &Net,
        patience: Patience,
    ) -> Result<Granted, (Failure, Option<Duration>)> {
        let host = self.settings.url.host_str().unwrap_or_default();
        let ours = |words: String| (Failure::new(name::TOKEN, FaultClass::Permanent, words), None);
        let request = self.request(patience).map_err(ours)?;
        let fetch = Fetch::new(net, patience, &self.trust);
        // Its own record: an error may repeat what it was asked with.
        let private = Record::new(Transcript::start(patience.clock, self.secrets()));
        let mut laps = Stopwatch::start(patience.clock);
        let fetched = fetch.send(request, &private, &mut laps).await;
        let answer = fetched.map_err(|mut failure| {
            let words = format!("no token could be had from {host}: {}", failure.fault);
            failure.fault.phase = name::TOKEN.to_owned();
            failure.fault.explanation = words;
            (failure, None)
        })?;
        let read = answer::read(&answer, patience.clock.wall());
        read.map_err(|Refused { mut failure, retry_after }| {
            failure.fault.reply = private.redact(&failure.fault.reply);
            failure.fault.explanation =
                format!("{host} gave no token: {}", private.redact(&failure.fault.explanation));
            (failure, retry_after)
        })
    }

    fn request(&self, patience: Patience) -> Result<Request, String> {
        let TokenSettings { url, grant, scope, .. } = &self.settings;
        let mut fields: Vec<(&str, String)> = Vec::new();
        let mut client = None;
        match grant {
            Grant::ClientCredentials(by) => {
                fields.push(("grant_type", "client_credentials".to_owned()));
                client = Some(by);
            }
            Grant::ServiceAccount { key, subject } => {
                let assertion = key.assertion((subject, scope, url), patience.clock.wall())?;
                fields.push(("grant_type", assertion::GRANT_TYPE.to_owned()));
                fields.push(("assertion", assertion));
            }
            Grant::RefreshToken { client: by, token } => {
                let latest = self.state().refresh_token.clone();
                let token = latest.as_ref().unwrap_or(token);
                fields.push(("grant_type", "refresh_token".to_owned()));
                fields.push(("refresh_token", token.expose().to_owned()));
                client = Some(by);
            }
        }
        if !scope.is_empty() && !matches!(grant, Grant::ServiceAccount { .. }) {
            fields.push(("scope", scope.clone()));
        }
        let mut header = None;
        if let Some(Client { id, secret, by_header }) = client {
            match secret {
                Some(secret) if *by_header => header = Some(basic(id, secret)?),
                secret => {
                    fields.push(("client_id", id.clone()));
                    let secret = secret.iter().map(|secret| secret.expose().to_owned());
                    fields.extend(secret.map(|secret| ("client_secret", secret)));
                }
            }
        }
        let fields = fields.iter().map(|(key, value)| (*key, value.as_str()));
        let request = Request::post_form(url.clone(), fields)
            .with_header(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(match header {
            Some(header) => request.with_secret_header(AUTHORIZATION, header),
            None => request,
        })
    }

    /// All that an error of the token server must not repeat to people.
    fn secrets(&self) -> Vec<Secret> {
        let latest = self.state().refresh_token.clone();
        let configured = match &self.settings.grant {
            Grant::ClientCredentials(client) => client.secret.clone(),
            Grant::ServiceAccount { .. } => None,
            Grant::RefreshToken { client, token } => {
                return [Some(token.clone()), client.secret.clone(), latest]
                    .into_iter()
                    .flatten()
                    .collect();
            }
        };
        configured.into_iter().chain(latest).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How things stand with a source.
enum Standing {
    Good,
    Failed(Failure),
    ToAsk { asked: u64 },
}

impl State {
    fn keep(&mut self, granted: Granted, now: Instant) {
        let lifetime = granted.lifetime.unwrap_or(UNKNOWN_LIFETIME).min(LONGEST_LIFETIME);
        let early = RENEWED_EARLY.min(lifetime / 5);
        self.kept = Some(Kept {
            token: granted.token,
            fetched: now,
            renew: now + lifetime.saturating_sub(early),
            expires: now + lifetime,
        });
        if let Some(refresh_token) = granted.refresh_token {
            self.refresh_token = Some(refresh_token);
        }
        self.failure = None;
        self.not_before = None;
    }
}

/// An Authorization field by name and password, both encoded as in a form first (RFC 6749 section 2.3.1).
fn basic(id: &str, secret: &Secret) -> Result<HeaderValue, String> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let both = format!("{}:{}", encoded(id), encoded(secret.expose()));
    HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(both)))
        .map_err(|_not_ascii| "the client's name and secret make no header field".to_owned())
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TokenSettings { url, scope, mechanism, grant } = &self.settings;
        let (grant, who) = match grant {
            Grant::ClientCredentials(client) => ("client_credentials", &client.id),
            Grant::ServiceAccount { subject, .. } => ("service_account", subject),
            Grant::RefreshToken { client, .. } => ("refresh_token", &client.id),
        };
        write!(f, "TokenSource({grant} {who} at {url} for {scope:?} by {mechanism:?})")
    }
}

#[cfg(test)]
mod tests;
