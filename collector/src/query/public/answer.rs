//! What users are told, as it is answered: every field is for everybody to read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Sites that are named of one thing at most; more are counted.
pub const MOST_SITES: usize = 50;

/// Everything that users are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicAnswer {
    /// When it was made.
    pub now: Timestamp,
    /// The organisation's time zone (IANA).
    pub time_zone: String,
    /// What stands at the page's head.
    pub title: String,
    /// The worst of all services.
    pub state: PublicState,
    /// In the page's order.
    pub services: Vec<PublicService>,
    /// What is wrong, the newest first.
    pub incidents: Vec<PublicIncident>,
    /// What is planned or under way, the soonest first.
    pub maintenance: Vec<PublicWindow>,
    /// How mail programs are set up.
    pub mail_clients: Vec<PublicClient>,
    /// What is over, the newest first.
    pub past_incidents: Vec<PublicIncident>,
    /// Windows that are over, the newest first.
    pub past_maintenance: Vec<PublicWindow>,
    /// What is planned and was lately, as a calendar (RFC 5545).
    #[serde(skip)]
    pub calendar: String,
    /// Every site that there is.
    #[serde(skip)]
    pub sites: BTreeSet<String>,
}

/// How something is, for users. In the order of how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicState {
    /// It works, as far as it is looked at.
    Works,
    /// Nobody knows.
    Unknown,
    /// It works, and not from everywhere.
    Partly,
    /// It does not work.
    Down,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicService {
    /// What people call it.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// How it is.
    pub state: PublicState,
    /// From how many places it is looked at.
    pub places: usize,
    /// From where it does not work.
    pub fails_at: Sites,
    /// From where nobody knows.
    pub unknown_at: Sites,
    /// Whether it is worked on at the moment as was planned.
    pub is_in_maintenance: bool,
    /// The last 90 days in the organisation's zone, today last.
    pub days: Vec<PublicDay>,
}

/// Places, by the names of sites; what has no site's name is only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sites {
    /// Names, [`MOST_SITES`] at most.
    pub named: Vec<String>,
    /// How many there are beside.
    pub more: usize,
}

/// A day of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicDay {
    /// Which.
    pub date: Date,
    /// Minutes in which it worked.
    pub up_min: u64,
    /// In which it did not.
    pub down_min: u64,
    /// Of which nobody knows.
    pub unknown_min: u64,
}

/// Something that is or was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicIncident {
    /// Its number.
    pub number: u64,
    /// How far it is.
    pub progress: Progress,
    /// What people call that which it is about.
    pub services: Vec<String>,
    /// One line.
    pub headline: String,
    /// Some sentences.
    pub text: String,
    /// What was wrong, in one line that stays true.
    pub was: String,
    /// Since when.
    pub began_at: Timestamp,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// When it worked again.
    pub ended_at: Option<Timestamp>,
    /// What people do meanwhile.
    pub instead: Vec<String>,
    /// What was told and what changed, the newest first.
    pub updates: Vec<PublicUpdate>,
}

/// How far an incident is, for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nobody has taken it on yet.
    Noticed,
    /// Somebody works on it.
    WorkedOn,
    /// It works again; that is being made sure of.
    Mended,
    /// It is over.
    Over,
}

/// A word about an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicUpdate {
    /// When.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// What was told to users; empty where the line says all.
    pub text: String,
}

/// A time of a maintenance window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicWindow {
    /// The window's number.
    pub number: u64,
    /// What it is about.
    pub title: String,
    /// What users are told; may be empty.
    pub text: String,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// It is under way.
    pub is_running: bool,
    /// When it was planned, or changed last.
    pub announced_at: Timestamp,
}

/// How the mail programs of some users are set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicClient {
    /// For whom.
    pub name: String,
    /// What stands behind the `@` of their addresses.
    pub domains: Vec<String>,
    /// The user name, with placeholders as Thunderbird's autoconfig has them.
    pub user: String,
    /// In the order in which they are recommended.
    pub servers: Vec<PublicServer>,
}

/// A server that mail programs speak to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicServer {
    /// `imap`, `pop3` or `submission`.
    pub protocol: String,
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `implicit` or `starttls`.
    pub tls: String,
    /// `password` or `oauth2`.
    pub sign_in: String,
    /// Whether it works right now.
    pub state: PublicState,
    /// From how many places it is looked at.
    pub places: usize,
    /// From where it does not work.
    pub fails_at: Sites,
    /// From where nobody knows.
    pub unknown_at: Sites,
    /// By site.
    #[serde(skip)]
    pub by_site: BTreeMap<String, PublicState>,
}

impl PublicState {
    /// In words, after what it is about.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Unknown => "nobody can tell at the moment",
            Self::Partly => "does not work everywhere",
            Self::Down => "does not work",
        }
    }

    /// The style sheet's word.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Works => "up",
            Self::Unknown => "unknown",
            Self::Partly => "late",
            Self::Down => "down",
        }
    }

    /// A sign that is told from the others by its shape.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Works => "✓",
            Self::Unknown => "?",
            Self::Partly => "◐",
            Self::Down => "✗",
        }
    }
}

impl Progress {
    /// In a sentence without a full stop.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Noticed => "We know of it and are looking into it",
            Self::WorkedOn => "We are working on it",
            Self::Mended => "It works again; we are making sure that it stays so",
            Self::Over => "It is over",
        }
    }
}

impl Sites {
    pub(super) fn add(&mut self, site: Option<&str>) {
        match site {
            Some(site) if self.named.len() < MOST_SITES => self.named.push(site.to_owned()),
            _ => self.more = self.more.saturating_add(1),
        }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.named.len().saturating_add(self.more)
    }

    /// `Cape, Durban and 2 more places`.
    pub fn in_words(&self) -> String {
        let more = match self.more {
            0 => None,
            1 if self.named.is_empty() => Some("one place".to_owned()),
            more if self.named.is_empty() => Some(format!("{more} places")),
            1 => Some("one more place".to_owned()),
            more => Some(format!("{more} more places")),
        };
        let all: Vec<&str> = self.named.iter().chain(&more).map(String::as_str).collect();
        match all.as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}
