//! What operators wish to plan or leave out, as they say it: read in their organisation's time zone, checked, and
//! written to the control journal.
//!
//! Invariant: what is planned passed [`Planned::check`] at the moment at which it was written. Absent on purpose: what
//! a plan means, which `judge` says.

mod following;
mod recovering;
mod stating;

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Author, Control, ControlError, Roll};
use crate::judge::action::Action;
use crate::judge::definition::{Definitions, Exclusion};
use crate::judge::followup::FollowUpError;
use crate::judge::planned::{
    ExclusionPlan, Planned, PlannedAction, PlannedError, Scope, SilencePlan, WindowPlan, zone,
};
use crate::registry::Registry;

pub use following::{ActionItemAct, ActionItemWish, ProgressWish};
pub use recovering::RecoveryWish;
pub use stating::StatedWish;

/// A maintenance window that somebody wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowWish {
    /// What is done, in a line.
    pub title: String,
    /// What users are told; may be empty.
    #[serde(default)]
    pub announcement: String,
    /// What it is about.
    pub scope: Scope,
    /// When it begins: `2026-12-01 22:00` in the zone, or RFC 3339; now without it.
    #[serde(default)]
    pub from: Option<String>,
    /// When it is over, in the same forms.
    #[serde(default)]
    pub until: Option<String>,
    /// How long it is, where that is said instead.
    #[serde(default)]
    pub length_s: Option<u64>,
    /// When it comes again: a recurrence rule (RFC 5545 section 3.3.10).
    #[serde(default)]
    pub every: Option<String>,
    /// Names of checks that must pass after it.
    #[serde(default)]
    pub acceptance: Vec<String>,
    /// In which zone times are meant.
    #[serde(default)]
    pub zone: Zone,
}

/// In which time zone an operator means what they say (IANA names).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// As they said.
    #[serde(default)]
    pub said: Option<String>,
    /// That of their own machine: where they did not say, and the organisation has none.
    #[serde(default)]
    pub own: Option<String>,
}

/// Another end for a window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendWish {
    /// When it is to be over, in the forms of [`WindowWish::from`].
    #[serde(default)]
    pub until: Option<String>,
    /// How much longer it is to be, where that is said instead.
    #[serde(default)]
    pub by_s: Option<u64>,
    /// In which zone times are meant.
    #[serde(default)]
    pub zone: Zone,
}

/// A silence that somebody wishes; it begins at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceWish {
    /// What it is about.
    pub scope: Scope,
    /// When it is over, in the forms of [`WindowWish::from`].
    #[serde(default)]
    pub until: Option<String>,
    /// How long it holds, where that is said instead.
    #[serde(default)]
    pub length_s: Option<u64>,
    /// Why.
    pub reason: String,
    /// In which zone times are meant.
    #[serde(default)]
    pub zone: Zone,
}

/// Time that somebody wishes to be left out of a service's agreements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExclusionWish {
    /// The service's name.
    pub service: String,
    /// The first moment, in the forms of [`WindowWish::from`].
    pub from: String,
    /// The first moment after it.
    pub until: String,
    /// Why.
    pub note: String,
    /// In which zone times are meant.
    #[serde(default)]
    pub zone: Zone,
}

/// An exclusion is not to be left out any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawWish {
    /// Why.
    pub note: String,
}

/// What may be done to a window that needs no more words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// The time that runs is over.
    End,
    /// It comes no more.
    Cancel,
    /// Its acceptance run is made again.
    Accept,
}

/// Why a wish was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum PlanningError {
    /// It cannot be planned, or not be written.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A text is no time.
    #[error(
        "{option} \"{text}\" is no time: write such as \"2026-12-01 22:00\", or 2026-12-01T22:00:00+02:00"
    )]
    NotATime {
        /// Which option.
        option: &'static str,
        /// As it was written.
        text: String,
    },
    /// Clocks are changed then.
    #[error(
        "{option} \"{text}\" is not there or twice in {zone}, because clocks are changed: write it with its offset, \
         such as 2026-10-25T02:30:00+02:00"
    )]
    ClocksChange {
        /// Which option.
        option: &'static str,
        /// As it was written.
        text: String,
        /// In which zone.
        zone: String,
    },
    /// Two ends, or none.
    #[error("say either how long by --{0}, or the end by --until")]
    OneEnd(&'static str),
    /// It is to be ahead, and is not.
    #[error("{0} has passed: say when it is to work again, or --unknown")]
    NotAhead(Timestamp),
    /// It would be over before it begins.
    #[error("--until ({until}) must lie behind the beginning ({from})")]
    Backwards {
        /// When it is to begin.
        from: Timestamp,
        /// When it is to be over.
        until: Timestamp,
    },
}

impl From<FollowUpError> for PlanningError {
    fn from(error: FollowUpError) -> Self {
        Self::Control(error.into())
    }
}

impl From<PlannedError> for PlanningError {
    fn from(error: PlannedError) -> Self {
        Self::Control(error.into())
    }
}

/// What is called by a number, such as `W1` or `1`; `None` for what is neither.
pub fn number(text: &str) -> Option<u64> {
    let digits = text.trim_start_matches(['W', 'w', 'S', 's', 'X', 'x', 'A', 'a']);
    let is_number = text.len() - digits.len() <= 1 && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// What is defined for judging now; where nothing ever was, each check is a service.
pub fn defined(registry: &Registry) -> Definitions {
    let defined = registry.control().look(|roll| roll.definitions().cloned());
    let agents = registry.agents();
    let checks = agents.iter().flat_map(|(_, entry)| &entry.checks);
    let kinds: Vec<(&str, &str)> =
        checks.map(|check| (check.name.as_str(), check.kind.as_str())).collect();
    defined.unwrap_or_default().completed(&kinds)
}

/// Fulfils wishes at one moment, for one operator.
pub struct Planning<'r> {
    registry: &'r Registry,
    definitions: Definitions,
    author: Author,
    now: WallTime,
}

impl<'r> Planning<'r> {
    /// At `now`, for `author`.
    pub fn new(registry: &'r Registry, author: Author, now: WallTime) -> Self {
        Self { registry, definitions: defined(registry), author, now }
    }

    /// Plans a window; returns its number.
    ///
    /// # Errors
    /// When it cannot be one: in words for whoever wishes it.
    pub fn plan(self, wish: WindowWish) -> Result<u64, PlanningError> {
        let (name, zone) = self.zone(&wish.zone)?;
        let from = match wish.from.as_deref() {
            // a rule knows whole seconds only
            None | Some("now") if wish.every.is_some() => {
                WallTime::from_s(self.now.as_ns().div_euclid(1_000_000_000) + 1).timestamp()
            }
            None | Some("now") => self.now.timestamp(),
            Some(text) => moment("--from", text, (&name, &zone))?,
        };
        let length_s = match (wish.length_s, wish.until) {
            (Some(length_s), None) => length_s,
            (None, Some(until)) => {
                let until = moment("--until", &until, (&name, &zone))?;
                if until <= from {
                    return Err(PlanningError::Backwards { from, until });
                }
                WallTime::from(until).since(from.into()).as_secs()
            }
            _ => return Err(PlanningError::OneEnd("for")),
        };
        let plan = WindowPlan {
            title: wish.title,
            announcement: wish.announcement,
            scope: wish.scope,
            from,
            length_s,
            every: wish.every,
            time_zone: name,
            acceptance: wish.acceptance,
            by: self.author.who.clone(),
        };
        self.write(PlannedAction::Window(plan))
    }

    /// Gives a window another end; returns its number.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn extend(self, window: u64, wish: ExtendWish) -> Result<u64, PlanningError> {
        let until = match (wish.by_s, wish.until) {
            (None, Some(until)) => {
                let (name, zone) = self.zone(&wish.zone)?;
                moment("--until", &until, (&name, &zone))?
            }
            (Some(by_s), None) => {
                let planned =
                    |roll: &Roll| Some(roll.planned().window(window)?.next(self.now)?.until);
                let until = self.registry.control().look(planned).unwrap_or(self.now);
                until.plus(std::time::Duration::from_secs(by_s)).timestamp()
            }
            _ => return Err(PlanningError::OneEnd("by")),
        };
        let by = self.author.who.clone();
        self.write(PlannedAction::WindowExtended { window, until, by })
    }

    /// Does what needs no more words; returns the window's number.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn act(self, window: u64, doing: Doing) -> Result<u64, PlanningError> {
        let by = self.author.who.clone();
        self.write(match doing {
            Doing::End => PlannedAction::WindowEnded { window, by },
            Doing::Cancel => PlannedAction::WindowCancelled { window, by },
            Doing::Accept => PlannedAction::AcceptanceAsked { window, by },
        })
    }

    /// Puts a silence in force; returns its number.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn silence(self, wish: SilenceWish) -> Result<u64, PlanningError> {
        let until = match (wish.length_s, wish.until) {
            (Some(length_s), None) => {
                self.now.plus(std::time::Duration::from_secs(length_s)).timestamp()
            }
            (None, Some(until)) => {
                let (name, zone) = self.zone(&wish.zone)?;
                moment("--until", &until, (&name, &zone))?
            }
            _ => return Err(PlanningError::OneEnd("for")),
        };
        let (scope, reason, by) = (wish.scope, wish.reason, self.author.who.clone());
        self.write(PlannedAction::Silence(SilencePlan { scope, until, reason, by }))
    }

    /// Ends a silence; returns its number.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn end_silence(self, silence: u64) -> Result<u64, PlanningError> {
        let by = self.author.who.clone();
        self.write(PlannedAction::SilenceEnded { silence, by })
    }

    /// Leaves time out of a service's agreements; returns the exclusion's number.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn exclude(self, wish: ExclusionWish) -> Result<u64, PlanningError> {
        let (name, zone) = self.zone(&wish.zone)?;
        let plan = ExclusionPlan {
            service: wish.service,
            from: moment("--from", &wish.from, (&name, &zone))?,
            until: moment("--until", &wish.until, (&name, &zone))?,
            kind: Exclusion::CustomerFault,
            note: wish.note,
            by: self.author.who.clone(),
        };
        self.write(PlannedAction::Excluded(plan))
    }

    /// Has an exclusion count for nothing; returns its number.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn withdraw(self, exclusion: u64, wish: WithdrawWish) -> Result<u64, PlanningError> {
        let (note, by) = (wish.note, self.author.who.clone());
        self.write(PlannedAction::ExclusionWithdrawn { exclusion, note, by })
    }

    /// The zone that is meant, and its name.
    fn zone(&self, wish: &Zone) -> Result<(String, TimeZone), PlannedError> {
        let organisation = self.definitions.time_zone.as_ref();
        let name = wish.said.as_ref().or(organisation).or(wish.own.as_ref());
        let name = name.map_or("UTC", String::as_str);
        Ok((name.to_owned(), zone(name)?))
    }

    fn write(self, action: PlannedAction) -> Result<u64, PlanningError> {
        let Self { registry, definitions, author, now } = self;
        let decided = registry.control().decide(now, author, |roll| {
            let definitions = roll.definitions().unwrap_or(&definitions);
            let number = Planned::check(roll.planned(), now, &action, definitions)?;
            Ok((Control::Acted(Action::Planned(action)), number))
        });
        Ok(decided?)
    }
}

/// A time as people write it.
fn moment(
    option: &'static str,
    text: &str,
    (name, zone): (&str, &TimeZone),
) -> Result<Timestamp, PlanningError> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let wrong = |_| PlanningError::NotATime { option, text: text.to_owned() };
    let civil = civil::DateTime::from_str(text).map_err(wrong)?;
    zone.to_ambiguous_timestamp(civil).unambiguous().map_err(|_changed| {
        PlanningError::ClocksChange { option, text: text.to_owned(), zone: name.to_owned() }
    })
}

#[cfg(test)]
mod tests;
