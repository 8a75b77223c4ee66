//! What people are told of an incident: a draft for an audience and a moment, made by a template from facts.
//!
//! Pure: a function of the incident, of what is defined, of the templates, and of the time. A draft promises nothing that
//! is not known: a time that has passed is told as passed, and what nobody knows is said to be unknown. For users and
//! managers there is no jargon: what does not work, for whom, since when, what to do meanwhile, when the next word comes.
//! Absent on purpose: where a draft goes, and when.

mod changed;
mod facts;
mod made_up;
mod templates;
mod words;

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use changed::changes;
pub use facts::Facts;
pub use templates::{BrokenTemplate, MAX_TEMPLATE_BYTES, Templates, is_template};
pub use words::{duration, named};

use super::definition::Definitions;
use super::incident::{Incident, State};

/// For whom a draft is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Who runs mail.
    #[default]
    Technical,
    /// Who answers for it.
    Management,
    /// Who uses it.
    Users,
    /// Anybody: one or two sentences for a status page.
    Public,
}

/// When in an incident's life it is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// The first notice.
    First,
    /// How it goes on.
    Update,
    /// It is over.
    AllClear,
}

/// What is known beside the incident.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What services are called, what to do instead, in which time zone.
    pub definitions: &'a Definitions,
    /// Those of the operators, and those in the program.
    pub templates: &'a Templates,
    /// The time.
    pub now: Timestamp,
    /// When this audience was told last; what changed since is told. `None`: all of it.
    pub told_at: Option<Timestamp>,
    /// When the next word comes; `None` where none is promised.
    pub next_at: Option<Timestamp>,
}

/// A message to people, before it goes anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Draft {
    /// One line.
    pub subject: String,
    /// Some lines of plain text.
    pub text: String,
    /// What whoever sends it should know: a template that could not be used, a moment that does not fit.
    pub remarks: Vec<String>,
}

/// What an audience is told of an incident.
pub fn draft(incident: &Incident, about: &About<'_>, audience: Audience, moment: Moment) -> Draft {
    let facts = Facts::of(incident, about, audience);
    let mut remarks = Vec::new();
    if let Some(into) = incident.merged_into {
        remarks.push(format!(
            "incident {} is part of incident {into}: tell people of that one",
            incident.number
        ));
    }
    if moment == Moment::AllClear && incident.is_live() {
        let state = incident.state.as_str();
        remarks.push(format!(
            "incident {} is {state}: runs have yet to show that it is over, so this is not to be sent yet",
            incident.number
        ));
    }
    let (rendered, broken) = about.templates.render(&facts, audience, moment);
    remarks.extend(broken.map(|broken| format!("{broken}; the built-in template was used")));
    let (subject, text) = rendered.trim().split_once('\n').unwrap_or((rendered.trim(), ""));
    Draft { subject: crate::text::one_line(subject), text: paragraphs(text), remarks }
}

/// What an audience is told of an incident, fact by fact, for those who find words of their own.
pub fn facts(incident: &Incident, about: &About<'_>, audience: Audience) -> Facts {
    Facts::of(incident, about, audience)
}

/// The text without blank lines at its ends, and with one at most between others: templates make more of them.
fn paragraphs(text: &str) -> String {
    let mut made = String::new();
    for line in text.trim_matches(['\n', '\r', ' ']).lines().map(str::trim_end) {
        if !(line.is_empty() && made.ends_with("\n\n")) {
            made.push_str(line);
            made.push('\n');
        }
    }
    made
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Technical, Self::Management, Self::Users, Self::Public];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Technical => "technical",
            Self::Management => "management",
            Self::Users => "users",
            Self::Public => "public",
        }
    }
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::First, Self::Update, Self::AllClear];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Update => "update",
            Self::AllClear => "all-clear",
        }
    }

    /// The one that fits how far an incident is, where nobody says which.
    pub fn of(incident: &Incident) -> Self {
        match incident.state {
            State::Open => Self::First,
            State::Acknowledged | State::Resolved => Self::Update,
            State::Verified | State::Reviewed => Self::AllClear,
        }
    }
}

impl FromStr for Audience {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or("write technical, management, users or public")
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or("write first, update or all-clear")
    }
}

/// The organisation's time zone; UTC where it has none, or where this machine does not know it.
pub(super) fn zone_of(definitions: &Definitions) -> TimeZone {
    let name = definitions.time_zone.as_deref();
    name.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
pub(super) mod tests;
