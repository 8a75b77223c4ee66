//! Who watches the watcher: whether this collector is healthy, to whom that is told, and whom it watches in turn.
//!
//! Invariant: a sign of life says 'healthy' only when, moments before, the control journal was written and read back, the
//! pipeline moved, the views and the observations could be written, the notices are under way and the disk has room.
//! What is beside (heartbeats that do not get through, other collectors, vendors) is shown and makes nobody unhealthy:
//! else two collectors that watch each other would both be down for ever. Absent on purpose: alarms, which whoever
//! misses a sign of life raises, and a switch to say 'healthy' by hand.

mod health;
mod heartbeat;
mod page;
mod peer;

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use mailsonde_proto::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::outside::{OutsideConfig, outside_url};
use crate::config::{SecretPlace, page_path};
use crate::control::ControlJournal;
use crate::identity::{IdentityError, authorities, system_authorities};
use crate::outward::{Outward, OutwardError};
use crate::vendors::{Vendors, VendorsAnswer};

pub use health::{Health, NoticesHealth, PartAnswer, Subject};
pub use heartbeat::HeartbeatAnswer;
pub use page::{Page, Shown};
pub use peer::{PeerAnswer, PeerState};

use heartbeat::Heartbeat;
use peer::Peer;

/// Why what the configuration says of the world outside cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// A secret cannot be read.
    #[error("{about}: {words}")]
    Secret {
        /// Of whom.
        about: String,
        /// Why.
        words: String,
    },
    /// A secret is not what it must be.
    #[error("{about}: it {words}")]
    Wrong {
        /// Of whom.
        about: String,
        /// What it must be.
        words: String,
    },
    /// A file with authorities cannot be used.
    #[error("{about}: cannot use {}: {words}", path.display())]
    Authority {
        /// Of whom.
        about: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        words: String,
    },
    /// Nobody can be asked at all.
    #[error(transparent)]
    Outward(#[from] OutwardError),
}

/// The parts that run and are shown; clones share them.
#[derive(Clone)]
pub struct Watched(Arc<Inner>);

struct Inner {
    health: Arc<Health>,
    heartbeats: Vec<Arc<Heartbeat>>,
    peers: Vec<Arc<Peer>>,
    vendors: Vendors,
    page: Option<Page>,
    clock: Clock,
}

/// Whether the collector is healthy, with everything beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// Whether every part is: what signs of life say.
    pub healthy: bool,
    /// What that is made of.
    pub parts: Vec<PartAnswer>,
    /// To whom signs of life are sent.
    pub heartbeats: Vec<HeartbeatAnswer>,
    /// Other collectors that are watched.
    pub peers: Vec<PeerAnswer>,
    /// Vendors whose own word is heard.
    pub vendors: VendorsAnswer,
}

impl HealthAnswer {
    /// Whether nothing is wrong, beside the parts neither.
    pub fn is_all_well(&self) -> bool {
        self.healthy
            && self.heartbeats.iter().all(|it| it.failing_since.is_none())
            && self.peers.iter().all(|it| it.state != PeerState::Silent)
            && self.vendors.vendors.iter().all(|it| it.failing_since.is_none())
    }
}

/// Reads what the configuration names and makes clients of it.
pub(crate) struct Outfit<'c> {
    folder: &'c Path,
    /// Made when somebody is to be asked at all: the system's authorities take memory.
    usual: OnceCell<Outward>,
}

impl<'c> Outfit<'c> {
    pub(crate) fn new(folder: &'c Path) -> Self {
        Self { folder, usual: OnceCell::new() }
    }

    pub(crate) fn secret(
        &self,
        about: &str,
        secret: &SecretPlace,
    ) -> Result<zeroize::Zeroizing<String>, OutsideError> {
        let read = secret.read(self.folder);
        read.map_err(|words| OutsideError::Secret { about: about.to_owned(), words })
    }

    fn url(&self, about: &str, secret: &SecretPlace) -> Result<url::Url, OutsideError> {
        outside_url(&self.secret(about, secret)?)
            .map_err(|words| OutsideError::Wrong { about: about.to_owned(), words })
    }

    pub(crate) fn outward(
        &self,
        about: &str,
        authority: Option<&PathBuf>,
    ) -> Result<Outward, OutsideError> {
        let Some(path) = authority else {
            if let Some(usual) = self.usual.get() {
                return Ok(usual.clone());
            }
            let made = Outward::new(system_authorities())?;
            return Ok(self.usual.get_or_init(|| made).clone());
        };
        let path = self.folder.join(path);
        let wrong = |words: String| OutsideError::Authority {
            about: about.to_owned(),
            path: path.clone(),
            words,
        };
        let pem = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let roots = authorities(&pem).map_err(|error: IdentityError| wrong(error.to_string()))?;
        Ok(Outward::new(roots)?)
    }
}

impl Watched {
    /// As the configuration says; nobody is asked yet. Relative paths are of `folder`.
    ///
    /// # Errors
    /// When a secret or a file that it names cannot be used.
    pub fn open(
        config: &OutsideConfig,
        folder: &Path,
        subject: Subject,
    ) -> Result<Self, OutsideError> {
        let outfit = Outfit::new(folder);
        let (clock, control) = (subject.clock, subject.control.clone());
        let page = config.page.as_ref().map(|page| {
            let path = outfit.secret("watched", &page.path)?;
            page_path(&path).map_err(|words| OutsideError::Wrong {
                about: "watched: path".to_owned(),
                words,
            })?;
            Ok::<_, OutsideError>(Page::new(&path, page.services.clone()))
        });
        let heartbeats = config.heartbeats.iter().map(|config| {
            let about = format!("heartbeat {}", config.name);
            let url = outfit.url(&about, &config.url)?;
            let outward = outfit.outward(&about, config.authority.as_ref())?;
            Ok(Arc::new(Heartbeat::new(config.clone(), url, outward, clock)))
        });
        let peers = config.peers.iter().map(|config| {
            let about = format!("peer {}", config.name);
            let url = outfit.url(&about, &config.url)?;
            let outward = outfit.outward(&about, config.authority.as_ref())?;
            Ok(Arc::new(Peer::new(config.clone(), url, outward, (clock, control.clone()))))
        });
        let peers = peers.collect::<Result<Vec<_>, OutsideError>>()?;
        peer::forget_others(&peers, &control, clock);
        let inner = Inner {
            page: page.transpose()?,
            heartbeats: heartbeats.collect::<Result<_, OutsideError>>()?,
            peers,
            vendors: Vendors::open(&config.vendors, &outfit, (clock, control))?,
            health: Arc::new(Health::new(subject, folder.to_owned())),
            clock,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Sends signs of life, looks at other collectors and hears vendors, until the shutdown.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        for heartbeat in &self.0.heartbeats {
            tasks.spawn(heartbeat.clone().run(self.0.health.clone(), shutdown.clone()));
        }
        for peer in &self.0.peers {
            tasks.spawn(peer.clone().run(shutdown.clone()));
        }
        tasks.spawn(self.0.vendors.clone().run(shutdown));
        while tasks.join_next().await.is_some() {}
    }

    /// How everything is. It waits for the disk: not for a runtime's thread.
    pub fn health(&self) -> HealthAnswer {
        let examined = self.0.health.examine();
        HealthAnswer {
            now: self.0.clock.wall().timestamp(),
            healthy: examined.is_healthy(),
            parts: examined.parts,
            heartbeats: self.0.heartbeats.iter().map(|it| it.answer()).collect(),
            peers: self.0.peers.iter().map(|it| it.answer()).collect(),
            vendors: self.vendors(),
        }
    }

    /// Room for the collector's folder; `None` where it cannot be measured.
    pub fn disk_free_bytes(&self) -> Option<u64> {
        self.0.health.disk_free_bytes().ok()
    }

    /// What vendors say.
    pub fn vendors(&self) -> VendorsAnswer {
        self.0.vendors.answer()
    }

    /// The page at this part of a path, if there is one.
    pub fn page(&self, path: &str) -> Option<&Page> {
        self.0.page.as_ref().filter(|page| page.is_at(path))
    }

    /// Whether every part is healthy. It waits for the disk.
    pub fn is_healthy(&self) -> bool {
        self.0.health.examine().is_healthy()
    }
}

/// Writes something that was heard; whoever calls waits for the disk.
pub(crate) fn write_heard(
    control: &ControlJournal,
    clock: Clock,
    heard: crate::judge::outside::Heard,
) -> bool {
    let written = control.append(clock.wall(), crate::control::Control::Heard(heard));
    written
        .inspect_err(|error| tracing::error!(%error, "what was heard is not written down yet"))
        .is_ok()
}
