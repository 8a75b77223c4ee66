//! What vendors say of their own services, heard as they publish it: Microsoft 365, Google Workspace, Statuspage, feeds.
//!
//! Invariants: an answer is bounded in size and in time; every text becomes harmless words before anybody sees it; what
//! changed is a control record, so that a replay knows it, and a few an hour at most, whatever a vendor does. Absent on
//! purpose: any influence on what was measured; a vendor's word stands beside it.

mod feed;
mod google;
mod listen;
mod microsoft;
mod statuspage;
mod text;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use jiff::Timestamp;
use mailsonde_proto::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::outside::VendorConfig;
use crate::control::ControlJournal;
use crate::judge::outside::{Announcement, Heard, VendorSays};
use crate::watched::{Outfit, OutsideError, write_heard};

use listen::Listener;

/// Announcements of one vendor that are kept, the latest.
const MOST: usize = 12;

/// Hears every vendor; clones share what was heard.
#[derive(Clone)]
pub struct Vendors {
    listeners: Arc<[Arc<Listener>]>,
    clock: Clock,
}

/// What vendors say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VendorsAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// Each of the configuration, in its order.
    pub vendors: Vec<VendorAnswer>,
}

/// What one vendor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VendorAnswer {
    /// What it is called.
    pub name: String,
    /// `microsoft365`, `google-workspace`, `statuspage` or `feed`.
    pub kind: String,
    /// Whether it tells of trouble.
    pub state: VendorState,
    /// Patterns of our services that it speaks for; none: all of them.
    pub services: Vec<String>,
    /// When it was read last.
    pub read_at: Option<Timestamp>,
    /// Since when it cannot be read.
    pub failing_since: Option<Timestamp>,
    /// Why.
    pub error: Option<String>,
    /// What is wrong, the latest first.
    pub trouble: Vec<Announcement>,
}

/// What a vendor's word comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VendorState {
    /// It tells of no trouble. That is its word, no proof.
    Quiet,
    /// It tells of trouble.
    Trouble,
    /// It was not heard, or not for long.
    Unknown,
}

impl VendorState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "no trouble told",
            Self::Trouble => "trouble",
            Self::Unknown => "unknown",
        }
    }
}

impl Vendors {
    /// As the configuration says; nobody is asked yet. Who is not in it any more is heard to say nothing.
    pub(crate) fn open(
        configs: &[VendorConfig],
        outfit: &Outfit<'_>,
        (clock, control): (Clock, Arc<ControlJournal>),
    ) -> Result<Self, OutsideError> {
        let gone: Vec<String> = control.look(|roll| {
            let told = roll.outside().vendors().filter(|says| !says.trouble.is_empty());
            told.map(|says| says.vendor.clone()).collect()
        });
        for vendor in gone.into_iter().filter(|name| !configs.iter().any(|it| it.name == *name)) {
            let says = VendorSays { vendor, ..VendorSays::default() };
            write_heard(&control, clock, Heard::Vendor(says));
        }
        let open = |config: &VendorConfig| {
            Listener::open(config.clone(), outfit, (clock, control.clone())).map(Arc::new)
        };
        let listeners = configs.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { listeners, clock })
    }

    /// Hears them until the shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        for listener in self.listeners.iter() {
            tasks.spawn(listener.clone().run(shutdown.clone()));
        }
        while tasks.join_next().await.is_some() {}
    }

    /// What they say.
    pub(crate) fn answer(&self) -> VendorsAnswer {
        let vendors = self.listeners.iter().map(|it| it.answer()).collect();
        VendorsAnswer { now: self.clock.wall().timestamp(), vendors }
    }
}

/// What is wrong, of what was published: the latest first, [`MOST`] at most, of the vendor's services that matter.
fn kept(published: Vec<Published>, only: &[String]) -> Vec<Announcement> {
    let is_wanted = |about: &String| {
        only.is_empty() || only.iter().any(|pattern| crate::selector::is_match(pattern, about))
    };
    let mut trouble: BTreeMap<String, Published> = BTreeMap::new();
    for mut one in published {
        let said = !one.about.is_empty();
        one.about.retain(is_wanted);
        if said && one.about.is_empty() {
            continue;
        }
        // one may be told of several services
        match trouble.entry(one.id.clone()) {
            Entry::Occupied(mut known) => known.get_mut().about.append(&mut one.about),
            Entry::Vacant(new) => drop(new.insert(one)),
        }
    }
    let mut trouble: Vec<Published> = trouble.into_values().collect();
    trouble.sort_by_key(|one| std::cmp::Reverse(one.updated));
    let announcement = |one: Published| Announcement {
        id: text::words(&one.id, 100),
        title: text::words(&one.title, 160),
        about: text::words(&one.about.join(", "), 100),
        state: text::words(&one.state, 40),
        text: text::words(&one.text, 300),
        since: one.since,
        link: text::link(&one.link),
    };
    trouble.into_iter().take(MOST).map(announcement).collect()
}

/// Trouble as it is published: a stranger's words, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Published {
    id: String,
    title: String,
    /// Services of the vendor.
    about: Vec<String>,
    state: String,
    text: String,
    since: Option<Timestamp>,
    updated: Option<Timestamp>,
    link: String,
}

/// What came is not what such a vendor publishes.
#[derive(Debug, thiserror::Error)]
#[error("it does not answer in the form of its kind: {0}")]
struct NotItsForm(String);

impl From<serde_json::Error> for NotItsForm {
    fn from(error: serde_json::Error) -> Self {
        Self(text::words(&error.to_string(), 200))
    }
}

#[cfg(test)]
mod tests;
