//! Another collector, watched by its page: the two of them watch each other, and each tells of the other's silence.
//!
//! Whether it was missed is a control record, so that the incident outlives this process and a replay knows it. Absent
//! on purpose: any wish of the other; it is asked, and what it says is one word.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mailsonde_proto::Clock;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::page::Shown;
use super::write_heard;
use crate::config::outside::PeerConfig;
use crate::control::ControlJournal;
use crate::judge::outside::{Heard, PeerHeard};
use crate::outward::Outward;

/// Bytes of its page at most.
const MAX_PAGE_BYTES: usize = 4 * 1024;

/// Another collector.
pub(super) struct Peer {
    config: PeerConfig,
    url: Url,
    outward: Outward,
    clock: Clock,
    control: Arc<ControlJournal>,
    seen: Mutex<Seen>,
}

/// What was seen of it.
#[derive(Clone, Debug)]
struct Seen {
    began_at: WallTime,
    healthy_at: Option<WallTime>,
    /// What it answered last, if it was not healthy.
    why: Option<String>,
    is_missed: bool,
}

/// How another collector is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerAnswer {
    /// What it is called.
    pub name: String,
    /// How it is.
    pub state: PeerState,
    /// When it was last seen to be healthy, since this collector started.
    pub healthy_at: Option<Timestamp>,
    /// What it answers instead; empty while it is healthy.
    pub words: String,
}

/// How another collector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// It was not looked at yet.
    Unknown,
    /// It says that it is healthy.
    Healthy,
    /// It does not, not yet for long.
    Late,
    /// It has not for long, and people are told.
    Silent,
}

impl PeerState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Late => "late",
            Self::Silent => "silent",
        }
    }
}

impl Peer {
    pub(super) fn new(
        config: PeerConfig,
        url: Url,
        outward: Outward,
        (clock, control): (Clock, Arc<ControlJournal>),
    ) -> Self {
        let known = control.look(|roll| roll.outside().peer(&config.name).cloned());
        let is_missed = known.is_some_and(|known| known.silent_since.is_some());
        let seen = Seen { began_at: clock.wall(), healthy_at: None, why: None, is_missed };
        Self { config, url, outward, clock, control, seen: Mutex::new(seen) }
    }

    pub(super) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut due = tokio::time::interval(self.config.every);
        loop {
            let look = async {
                due.tick().await;
                self.look().await
            };
            let found = tokio::select! {
                () = shutdown.cancelled() => return,
                found = look => found,
            };
            if let Some(heard) = self.take(found, self.clock.wall()) {
                let peer = self.clone();
                let is_missed = heard.silent_since.is_some();
                let written = move || write_heard(&peer.control, peer.clock, Heard::Peer(heard));
                // what cannot be written is tried again with the next look
                if tokio::task::spawn_blocking(written).await.is_ok_and(|written| written) {
                    self.seen().is_missed = is_missed;
                }
            }
        }
    }

    /// Whether it says that it is healthy; else what it does instead.
    async fn look(&self) -> Result<(), String> {
        let request = self.outward.client().get(self.url.clone());
        let answer = self.outward.exchange(request, MAX_PAGE_BYTES).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("it answers {}: is its page there?", answer.status.as_u16()));
        }
        match Shown::status_in(&String::from_utf8_lossy(&answer.body)) {
            Some("OK") => Ok(()),
            Some("DOWN") => Err("it says that it is not healthy".to_owned()),
            _ => Err("what it answers is not a collector's page".to_owned()),
        }
    }

    /// Takes in what was found at `now`; what has to be written of it.
    fn take(&self, found: Result<(), String>, now: WallTime) -> Option<PeerHeard> {
        let mut seen = self.seen();
        let peer = self.config.name.clone();
        match found {
            Ok(()) => {
                (seen.healthy_at, seen.why) = (Some(now), None);
                let back = PeerHeard { peer, silent_since: None, why: String::new() };
                seen.is_missed.then(|| {
                    tracing::info!(peer = back.peer, "the other collector is there again");
                    back
                })
            }
            Err(why) => {
                seen.why = Some(why.clone());
                let since = seen.healthy_at.unwrap_or(seen.began_at);
                if seen.is_missed || now.since(since) < self.config.silent_after {
                    return None;
                }
                tracing::error!(peer, why, "the other collector is missed");
                Some(PeerHeard { peer, silent_since: Some(since.timestamp()), why })
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self) -> PeerAnswer {
        let Seen { healthy_at, why, is_missed, .. } = self.seen().clone();
        let state = match (&why, healthy_at, is_missed) {
            (None, None, false) => PeerState::Unknown,
            (_, _, true) => PeerState::Silent,
            (None, Some(_), _) => PeerState::Healthy,
            (Some(_), ..) => PeerState::Late,
        };
        PeerAnswer {
            name: self.config.name.clone(),
            state,
            healthy_at: healthy_at.map(WallTime::timestamp),
            words: why.unwrap_or_default(),
        }
    }
}

/// Who is not watched any more is not missed any more.
pub(super) fn forget_others(peers: &[Arc<Peer>], control: &ControlJournal, clock: Clock) {
    let missed: Vec<String> = control.look(|roll| {
        let missed = roll.outside().peers().filter(|peer| peer.silent_since.is_some());
        missed.map(|peer| peer.peer.clone()).collect()
    });
    for peer in missed.into_iter().filter(|name| !peers.iter().any(|it| it.config.name == *name)) {
        write_heard(
            control,
            clock,
            Heard::Peer(PeerHeard { peer, silent_since: None, why: String::new() }),
        );
    }
}

#[cfg(test)]
mod tests;
