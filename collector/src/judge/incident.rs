//! Incidents: opened by evidence, one for one cause; what is known of one, and how it goes on.
//!
//! Everything here is a value: `engine` decides when an incident begins, what joins it and when it is over, and
//! operators act on it. A state only goes the ways that [`Incident::act`] and the engine know, and every step is in
//! the timeline.

mod acts;
mod brief;
pub mod counted;
pub mod figures;
pub mod kpi;
mod recovery;
#[cfg(test)]
pub(crate) mod sample;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use acts::{CannotAct, IncidentAction};
pub use brief::FaultBrief;
pub(super) use brief::shortened;
pub use recovery::{Estimate, Expected};

use super::outside::VendorSaid;
use super::watch::Confirmed;

/// Entries of a timeline at most; what comes after is counted.
const MOST_ENTRIES: usize = 400;
/// Places that are kept one by one; all of them are counted.
pub const MOST_PLACES: usize = 200;

/// What is known of one incident. All times are the collector's, but `began_at` and `ended_at`, which are slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// From 1, in the order in which they were opened.
    pub number: u64,
    /// What it is about.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// How bad it is or was at worst.
    pub severity: Severity,
    /// From where it fails, at worst.
    pub scope: Scope,
    /// The first slot that failed.
    pub began_at: Timestamp,
    /// When it was opened: time to detect is this minus `began_at`.
    pub opened_at: Timestamp,
    /// What confirmed it.
    pub confirmed_by: Option<Confirmed>,
    /// When somebody took it on first.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was mended: told by an operator, or a run passed from everywhere.
    pub resolved_at: Option<Timestamp>,
    /// When passing runs from everywhere had shown that it is over.
    pub verified_at: Option<Timestamp>,
    /// When it was looked back at.
    pub reviewed_at: Option<Timestamp>,
    /// The slot of the first run after which nothing failed any more.
    pub ended_at: Option<Timestamp>,
    /// What failed, in words of the first run that was confirmed.
    pub fault: FaultBrief,
    /// The service that is the cause, as far as dependencies tell.
    pub root: Option<String>,
    /// Checks that fail or failed in it.
    pub checks: BTreeSet<String>,
    /// Services that it touches, by name.
    pub services: BTreeMap<String, Impact>,
    /// Where what failed; [`MOST_PLACES`] at most.
    pub places: Vec<Place>,
    /// Places beyond those.
    pub more_places: u64,
    /// Where the same checks passed when it was looked at last: names of sites; of a site from which it fails too, of
    /// vantage points.
    pub works_from: BTreeSet<String>,
    /// What changed at the targets in the day before.
    pub changes: Vec<Changed>,
    /// Earlier incidents of the same sort, newest first.
    pub similar: Vec<Similar>,
    /// What vendors said of their own services meanwhile; it never changes what was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vendors: Vec<VendorSaid>,
    /// How often it came back after it was over.
    pub reopened: u32,
    /// Whether it is about security: certificates, sign-in, policy, reputation.
    pub is_security: bool,
    /// It turned out to be the same as another.
    pub merged_into: Option<u64>,
    /// Everything that was seen and done, in order.
    pub timeline: Vec<Entry>,
    /// Entries that did not fit.
    pub more_entries: u64,
    /// When it is to work again, as somebody said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// What it came to, once it is over and was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Box<figures::Figures>>,
}

/// What an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something fails.
    Outage,
    /// It comes and goes.
    Flapping,
    /// Nothing is heard from a vantage point, or it cannot judge: nobody knows.
    Silence,
    /// An error budget is spent too fast.
    Burn,
}

impl Kind {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Flapping => "flapping",
            Self::Silence => "silence",
            Self::Burn => "burn",
        }
    }
}

/// How far an incident is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody looks after it yet.
    Open,
    /// Somebody does.
    Acknowledged,
    /// It is mended; runs have yet to show it.
    Resolved,
    /// Passing runs from everywhere have shown it.
    Verified,
    /// It was looked back at.
    Reviewed,
}

impl State {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Verified => "verified",
            Self::Reviewed => "reviewed",
        }
    }

    /// Whether something is still to be mended or shown.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::Acknowledged | Self::Resolved)
    }
}

/// How bad an incident is, by its impact.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is not as it should be, and nobody is cut off: it comes and goes, or nobody knows.
    Notice,
    /// Something fails, and no service is down.
    Minor,
    /// A service is down at some places, or one with few users.
    Major,
    /// A service is down from everywhere.
    Critical,
}

impl Severity {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

/// From where something fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One site looks at it: nobody can tell whether it is the site or the target.
    OnePlace {
        /// Which.
        site: String,
    },
    /// It fails from one site and works from others: the trouble is the site's.
    Branch {
        /// Which.
        site: String,
    },
    /// It fails from some sites and works from others.
    Some {
        /// From how many.
        failing: usize,
        /// Of how many that were judged; as many as fail while others have yet to tell.
        of: usize,
    },
    /// It fails from everywhere: the trouble is the target's.
    Everywhere {
        /// From how many.
        sites: usize,
    },
}

/// What an incident does to a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    /// What people call it.
    pub title: String,
    /// Sites from which it failed.
    pub sites: BTreeSet<String>,
    /// Whether so many failed that it was down.
    pub was_down: bool,
    /// The people behind it, where known.
    pub users: Option<u64>,
    /// It fails because another service does.
    pub because_of: Option<String>,
}

/// A check at a vantage point that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The vantage point's name.
    pub vantage_point: String,
    /// Its site.
    pub site: String,
    /// The check.
    pub check: String,
    /// The first slot that failed.
    pub since: Timestamp,
    /// Why.
    pub fault: FaultBrief,
    /// When a run passed again, if it did.
    pub passed_at: Option<Timestamp>,
    /// When it was shown that it is over, if it was.
    pub verified_at: Option<Timestamp>,
}

/// Something that changed at a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// When a run first saw it so.
    pub at: Timestamp,
    /// What, such as `smtp.greeting` or `configuration`.
    pub what: String,
    /// What it was.
    pub from: String,
    /// What it is.
    pub to: String,
    /// The check whose runs saw it.
    pub check: String,
    /// From where it was seen first.
    pub seen_from: String,
}

/// An earlier incident of the same sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Similar {
    /// Its number.
    pub number: u64,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How long it lasted, in seconds, where it is over.
    pub lasted_s: Option<i64>,
    /// What was said when it was resolved or reviewed.
    pub note: String,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// One word: `opened`, `joined`, `passed`, `noted`, …
    pub what: String,
    /// One sentence; empty where the word says it.
    pub words: String,
    /// Who, where somebody did it.
    pub by: Option<String>,
}

impl Incident {
    /// A line of the timeline.
    pub fn tell(&mut self, at: Timestamp, what: &str, words: impl Into<String>) {
        self.tell_of(at, what, words.into(), None);
    }

    pub(super) fn tell_of(&mut self, at: Timestamp, what: &str, words: String, by: Option<&str>) {
        if self.timeline.len() >= MOST_ENTRIES {
            self.more_entries = self.more_entries.saturating_add(1);
            return;
        }
        let by = by.map(str::to_owned);
        self.timeline.push(Entry { at, what: what.to_owned(), words, by });
    }

    /// People behind the services that it touches, where known.
    pub fn users(&self) -> u64 {
        self.services.values().filter_map(|impact| impact.users).fold(0, u64::saturating_add)
    }

    /// Sites from which anything failed.
    pub fn sites(&self) -> BTreeSet<&str> {
        let of_places = self.places.iter().map(|place| place.site.as_str());
        of_places
            .chain(self.services.values().flat_map(|it| it.sites.iter().map(String::as_str)))
            .collect()
    }

    /// Whether somebody has taken it on since it came back last.
    pub fn is_taken_on(&self) -> bool {
        let is_told = |entry: &&Entry| matches!(entry.what.as_str(), "acknowledged" | "came back");
        match self.timeline.iter().rev().find(is_told) {
            Some(last) => last.what == "acknowledged",
            // of a timeline that is full
            None => self.acknowledged_at.is_some() && self.reopened == 0,
        }
    }

    /// Whether it counts in figures about incidents: what turned out to be another does not, and silence is not mail's.
    pub fn counts(&self) -> bool {
        self.merged_into.is_none() && self.kind != Kind::Silence
    }

    /// Whether it can still come back, or be worked on.
    pub fn is_live(&self) -> bool {
        self.state.is_live() && self.merged_into.is_none()
    }

    /// From its bytes.
    ///
    /// # Errors
    /// When they are no incident.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// As bytes; equal incidents have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
