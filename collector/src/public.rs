//! The status page for users: how their services are, what is wrong, what is planned, how mail programs are set up.
//!
//! Everybody looks at it when mail is down: what [`crate::query`] answers is asked for once in [`FRESH`] however many look,
//! and every page made of it is kept as bytes. Nothing here depends on who looks. Invariant: a page is never older than
//! [`TOO_OLD`]; then it is said that nobody knows. Absent on purpose: HTTP, which `api` speaks; what may be told, which
//! `query/public` knows.

mod apple;
mod autoconfig;
mod feed;
mod html;
mod month;
mod setup;
mod xml;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use url::Url;

use crate::central::read_templates;
use crate::config::{Config, StatusPageConfig};
use crate::folder::Folder;
use crate::query::{PublicAnswer, PublicKept, Query, QueryError};
use crate::web::assets;

pub use month::Month;

/// What was answered is good for so long.
pub const FRESH: Duration = Duration::from_secs(5);
/// While it is made anew, what there is serves whoever else asks, up to this age.
const STALE: Duration = Duration::from_secs(15);
/// What cannot be made anew serves up to this age.
const TOO_OLD: Duration = Duration::from_secs(60);
/// After a failure nobody tries again for so long.
const PAUSE: Duration = Duration::from_secs(2);
/// Pages that are kept of one answer; others are made again for each who asks.
const MOST_KEPT: usize = 64;
/// Incidents and windows that are over, in JSON, of each at most.
const MOST_PAST: usize = 100;

/// Where its pages are, below the address of the collector.
pub mod path {
    /// How it is now.
    pub const OVERVIEW: &str = "/status";
    /// What was, by month.
    pub const HISTORY: &str = "/status/history";
    /// How mail programs are set up, and whether that works.
    pub const SETUP: &str = "/status/setup";
    /// News as RSS 2.0.
    pub const FEED: &str = "/status/feed.xml";
    /// Maintenance as iCalendar.
    pub const CALENDAR: &str = "/status/calendar.ics";
    /// All of it as JSON.
    pub const JSON: &str = "/status/status.json";
    /// A profile for devices of Apple.
    pub const APPLE: &str = "/status/setup/apple.mobileconfig";
    /// Where Thunderbird looks below a domain.
    pub const WELL_KNOWN_AUTOCONFIG: &str = "/.well-known/autoconfig/mail/config-v1.1.xml";
    /// Where it looks below `autoconfig.` and a domain.
    pub const AUTOCONFIG: &str = "/mail/config-v1.1.xml";
}

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// How it is now.
    Overview,
    /// What was in a month; `None`: in this.
    History(Option<Month>),
    /// How mail programs are set up, and whether that works from a site.
    Setup(Option<String>),
    /// News.
    Feed,
    /// Maintenance.
    Calendar,
    /// Everything, for programs.
    Json,
}

/// Something that is shown, whoever looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its media type.
    pub kind: &'static str,
    /// Tells it from any other (RFC 9110 section 8.8.3), with its quotes.
    pub etag: String,
    /// All of it.
    pub body: Bytes,
    /// Under which name it is to be saved; `None`: it is looked at.
    pub saved_as: Option<&'static str>,
}

impl Shown {
    fn new(kind: &'static str, text: String) -> Self {
        let body = Bytes::from(text);
        Self { kind, etag: format!("\"{}\"", assets::hash(&body)), body, saved_as: None }
    }
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// It is about something that there is not.
    #[error("there is no such page")]
    Nothing,
    /// Nobody knows how it is: that is said with what is shown.
    #[error("nobody can tell at the moment")]
    Unknown(Box<Shown>),
    /// A template failed, which is a defect.
    #[error("the page cannot be written: {0}")]
    Template(#[from] askama::Error),
    /// An answer is no JSON, which is a defect.
    #[error("the answer cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The status page.
pub struct StatusPage {
    config: StatusPageConfig,
    /// Under which URL users reach it.
    base: Url,
    /// The folder of the operators' own templates of drafts.
    templates: PathBuf,
    clock: Clock,
    state: RwLock<State>,
    /// Held by whoever makes it anew.
    kept: Arc<AsyncMutex<PublicKept>>,
}

#[derive(Default)]
struct State {
    made: Option<Arc<Made>>,
    failed_at: Option<Instant>,
}

/// What was answered, and what was made of it.
struct Made {
    answer: PublicAnswer,
    zone: TimeZone,
    at: Instant,
    shown: Mutex<BTreeMap<Asked, Arc<Shown>>>,
}

impl StatusPage {
    /// The page that `collector.toml` asks for, if it does.
    pub fn open(config: &Config, folder: &Folder, clock: Clock) -> Option<Arc<Self>> {
        let page = config.status_page.clone()?;
        let port = config.operators.as_ref().map_or(443, |operators| operators.listen.port());
        let own = || format!("https://{}", config.name.with_port(port)).parse().ok();
        let base = config.operators_url.clone().or_else(own)?;
        Some(Arc::new(Self::new(page, base, folder.templates(), clock)))
    }

    /// A page by its configuration; users reach it under `base` where that does not say otherwise.
    pub fn new(config: StatusPageConfig, base: Url, templates: PathBuf, clock: Clock) -> Self {
        let base = config.url.clone().unwrap_or(base);
        let (state, kept) = (RwLock::default(), Arc::default());
        Self { config, base, templates, clock, state, kept }
    }

    /// Whether everybody may see it.
    pub fn is_public(&self) -> bool {
        self.config.is_public
    }

    /// What is asked for.
    ///
    /// # Errors
    /// When there is no such page, or nobody knows how it is.
    pub async fn shown(
        self: &Arc<Self>,
        query: &Arc<Query>,
        asked: Asked,
    ) -> Result<Arc<Shown>, NotShown> {
        let Some(made) = self.made(query).await else { return Err(self.trouble()?) };
        self.of(&made, asked)
    }

    /// Thunderbird's autoconfig for an address; without one, for the first users of the file.
    ///
    /// # Errors
    /// When the address is of nobody here.
    pub fn autoconfig(&self, address: Option<&str>) -> Result<Shown, NotShown> {
        let client = setup::client_of(&self.config, address).ok_or(NotShown::Nothing)?;
        Ok(Shown::new("text/xml; charset=utf-8", autoconfig::document(client, &self.base)))
    }

    /// A profile for devices of Apple, for addresses of a domain; without one, for the first users of the file.
    ///
    /// # Errors
    /// When nobody here has such addresses, or these devices cannot be told how they sign in.
    pub fn apple(&self, domain: Option<&str>) -> Result<Shown, NotShown> {
        let address = domain.map(|domain| format!("@{domain}"));
        let client = setup::client_of(&self.config, address.as_deref()).ok_or(NotShown::Nothing)?;
        let profile =
            apple::profile(client, &self.config.title, &self.base).ok_or(NotShown::Nothing)?;
        let shown = Shown::new("application/x-apple-aspen-config", profile);
        Ok(Shown { saved_as: Some("mail.mobileconfig"), ..shown })
    }

    /// What is known now; `None`: nobody knows.
    async fn made(self: &Arc<Self>, query: &Arc<Query>) -> Option<Arc<Made>> {
        if let Some(made) = self.kept_within(FRESH) {
            return Some(made);
        }
        let guard = match self.kept.clone().try_lock_owned() {
            Ok(guard) => guard,
            Err(_) => {
                if let Some(made) = self.kept_within(STALE) {
                    return Some(made);
                }
                self.kept.clone().lock_owned().await
            }
        };
        if let Some(made) = self.kept_within(FRESH) {
            return Some(made);
        }
        if !self.has_just_failed() {
            let (this, query) = (self.clone(), query.clone());
            // it goes on, and is kept, should whoever asked be gone meanwhile
            let making = tokio::task::spawn_blocking(move || this.make(&query, guard)).await;
            if let Err(error) = making {
                tracing::error!(%error, "making the status page ended by a panic");
                self.failed();
            }
        }
        self.kept_within(TOO_OLD)
    }

    fn make(&self, query: &Query, mut kept: OwnedMutexGuard<PublicKept>) {
        let at = self.clock.monotonic();
        match self.answer(query, &mut kept) {
            Ok(answer) => {
                let zone = TimeZone::get(&answer.time_zone).unwrap_or(TimeZone::UTC);
                let made = Arc::new(Made { answer, zone, at, shown: Mutex::default() });
                // what most ask for is there before anybody does
                for asked in [Asked::Overview, Asked::Setup(None), Asked::Feed] {
                    if let Err(error) = self.of(&made, asked) {
                        tracing::error!(%error, "a part of the status page cannot be made");
                    }
                }
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                *state = State { made: Some(made), failed_at: None };
            }
            Err(error) => {
                tracing::warn!(%error, "the status page cannot be made anew");
                self.failed();
            }
        }
    }

    fn answer(&self, query: &Query, kept: &mut PublicKept) -> Result<PublicAnswer, QueryError> {
        let templates = read_templates(&self.templates);
        query.public(&self.config, &templates, kept)
    }

    fn failed(&self) {
        let now = self.clock.monotonic();
        self.state.write().unwrap_or_else(PoisonError::into_inner).failed_at = Some(now);
    }

    fn has_just_failed(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.failed_at.is_some_and(|at| self.clock.monotonic() - at < PAUSE)
    }

    fn kept_within(&self, age: Duration) -> Option<Arc<Made>> {
        let made = self.state.read().unwrap_or_else(PoisonError::into_inner).made.clone()?;
        (self.clock.monotonic() - made.at < age).then_some(made)
    }

    /// What is made of an answer.
    fn of(&self, made: &Made, asked: Asked) -> Result<Arc<Shown>, NotShown> {
        let kept = || made.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = kept().get(&asked) {
            return Ok(shown.clone());
        }
        let shown = Arc::new(self.written(made, &asked)?);
        let mut kept = kept();
        if kept.len() < MOST_KEPT {
            kept.insert(asked, shown.clone());
        }
        Ok(shown)
    }

    fn written(&self, made: &Made, asked: &Asked) -> Result<Shown, NotShown> {
        const HTML: &str = "text/html; charset=utf-8";
        let answer = &made.answer;
        let scene = html::Scene { config: &self.config, answer, zone: &made.zone };
        Ok(match asked {
            Asked::Overview => Shown::new(HTML, html::overview(&scene)?),
            Asked::History(month) => {
                Shown::new(HTML, html::history(&scene, *month)?.ok_or(NotShown::Nothing)?)
            }
            Asked::Setup(site) => {
                let page = setup::page(&scene, site.as_deref())?;
                Shown::new(HTML, page.ok_or(NotShown::Nothing)?)
            }
            Asked::Feed => {
                Shown::new("application/rss+xml; charset=utf-8", feed::feed(answer, &self.base))
            }
            Asked::Calendar => Shown::new("text/calendar; charset=utf-8", answer.calendar.clone()),
            Asked::Json => Shown::new("application/json; charset=utf-8", json(answer)?),
        })
    }

    fn trouble(&self) -> Result<NotShown, NotShown> {
        let page = html::trouble(&self.config)?;
        Ok(NotShown::Unknown(Box::new(Shown::new("text/html; charset=utf-8", page))))
    }
}

/// What is long over is left to the history's pages.
fn json(answer: &PublicAnswer) -> Result<String, serde_json::Error> {
    let mut answer = answer.clone();
    answer.past_incidents.truncate(MOST_PAST);
    answer.past_maintenance.truncate(MOST_PAST);
    Ok(serde_json::to_string_pretty(&answer)? + "\n")
}

#[cfg(test)]
mod tests;
