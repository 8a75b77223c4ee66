//! What is planned or left out: maintenance windows, silences, and time that agreements exclude.
//!
//! A fold over operators' actions, in the order of the control journal; numbers are given in that order, one counter
//! each for windows, silences and exclusions. What an action does to windows and silences holds from the moment it was
//! done on: the answer to whether something was covered at a time is the same for ever after that time. Only
//! exclusions reach back, which is what they are for, and they change no incident.

mod check;
mod exclusion;
mod recurrence;
mod scope;
mod silence;
mod window;

use std::ops::Range;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::{Exclusion, Service};
use crate::period::Resolution;

pub use check::PlannedError;
pub use exclusion::{ExclusionPlan, NotedExclusion};
pub use recurrence::{HORIZON_DAYS, NotARule, zone};
pub use scope::{Place, Scope, ScopeError, known_service};
pub use silence::{Silence, SilencePlan};
pub use window::{
    ACCEPT_WITHIN, Acceptance, Change, Changed, Due, NotAccepted, Occurrence, Window, WindowPlan,
    WindowState,
};

/// What an operator plans or leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlannedAction {
    /// A maintenance window is planned.
    Window(WindowPlan),
    /// The time that runs, or else the next, is to be over at another moment.
    WindowExtended {
        /// Its number.
        window: u64,
        /// When it is to be over.
        until: Timestamp,
        /// Who did it.
        by: String,
    },
    /// The time that runs is over.
    WindowEnded {
        /// Its number.
        window: u64,
        /// Who did it.
        by: String,
    },
    /// It comes no more.
    WindowCancelled {
        /// Its number.
        window: u64,
        /// Who did it.
        by: String,
    },
    /// Its acceptance run is to be made again.
    AcceptanceAsked {
        /// Its number.
        window: u64,
        /// Who did it.
        by: String,
    },
    /// What came of an acceptance run; by the collector itself.
    AcceptanceDone(Acceptance),
    /// A silence begins.
    Silence(SilencePlan),
    /// It ends before its time.
    SilenceEnded {
        /// Its number.
        silence: u64,
        /// Who did it.
        by: String,
    },
    /// Time is left out of a service's agreements.
    Excluded(ExclusionPlan),
    /// It is not left out any more.
    ExclusionWithdrawn {
        /// Its number.
        exclusion: u64,
        /// Why.
        note: String,
        /// Who did it.
        by: String,
    },
}

impl PlannedAction {
    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        let time = |at: &Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        match self {
            Self::Window(plan) => {
                let every = plan.every.as_ref().map(|every| format!(", {every}"));
                format!(
                    "planned maintenance \"{}\" of {} from {}{}",
                    plan.title,
                    plan.scope.words(),
                    time(&plan.from),
                    every.unwrap_or_default()
                )
            }
            Self::WindowExtended { window, until, .. } => {
                format!("changed the end of maintenance W{window} to {}", time(until))
            }
            Self::WindowEnded { window, .. } => format!("ended maintenance W{window}"),
            Self::WindowCancelled { window, .. } => format!("cancelled maintenance W{window}"),
            Self::AcceptanceAsked { window, .. } => {
                format!("asked for the acceptance run of maintenance W{window}")
            }
            Self::AcceptanceDone(Acceptance { window, failed, .. }) if failed.is_empty() => {
                format!("accepted maintenance W{window}")
            }
            Self::AcceptanceDone(Acceptance { window, failed, .. }) => {
                format!("did not accept maintenance W{window}: {}", named(failed))
            }
            Self::Silence(plan) => format!(
                "silenced {} until {}: {}",
                plan.scope.words(),
                time(&plan.until),
                plan.reason
            ),
            Self::SilenceEnded { silence, .. } => format!("ended silence S{silence}"),
            Self::Excluded(plan) => format!(
                "excluded {} to {} from the agreements of {}: {}",
                time(&plan.from),
                time(&plan.until),
                plan.service,
                plan.note
            ),
            Self::ExclusionWithdrawn { exclusion, note, .. } => {
                format!("withdrew exclusion X{exclusion}: {note}")
            }
        }
    }
}

/// The checks that did not pass, each once.
fn named(failed: &[NotAccepted]) -> String {
    let mut names: Vec<_> = failed.iter().map(|failed| failed.check.as_str()).collect();
    names.dedup();
    names.join(", ")
}

/// Time that an agreement leaves out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The first moment.
    pub from: WallTime,
    /// The first moment after it.
    pub until: WallTime,
    /// Of which sort.
    pub kind: Exclusion,
    /// The window's title, or the note.
    pub reason: String,
    /// The number of the window, or of the exclusion.
    pub number: u64,
    /// When it was planned or noted.
    pub noted_at: WallTime,
}

impl Excluded {
    /// Whether the minutes of an hour in which it begins or ends can be told apart: they are as long as they are taken
    /// in, and are kept for longer where it was noted by then.
    pub fn has_minutes_of(&self, hour: &Range<WallTime>) -> bool {
        is_noted_in_time(self.noted_at, hour)
    }
}

fn is_noted_in_time(noted_at: WallTime, hour: &Range<WallTime>) -> bool {
    noted_at <= hour.end.plus(Resolution::Minute.taken_for().unwrap_or_default())
}

/// Everything that is planned or left out, as known at one point of the control journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    windows: Vec<Window>,
    silences: Vec<Silence>,
    exclusions: Vec<NotedExclusion>,
}

impl Planned {
    /// Takes in what was done at `at`. What names something that there is not changes nothing: [`Planned::check`] said
    /// so before it was written.
    pub fn apply(&mut self, at: WallTime, action: &PlannedAction) {
        match action {
            PlannedAction::Window(plan) => {
                self.windows.push(Window::new(following(self.windows.len()), at, plan));
            }
            PlannedAction::WindowExtended { window, until, by } => {
                self.change(*window, |window| window.extend(at, (*until).into(), by));
            }
            PlannedAction::WindowEnded { window, by } => {
                self.change(*window, |window| window.end(at, by));
            }
            PlannedAction::WindowCancelled { window, by } => {
                self.change(*window, |window| window.cancel(at, by));
            }
            PlannedAction::AcceptanceAsked { window, by } => {
                self.change(*window, |window| window.ask(at, by));
            }
            PlannedAction::AcceptanceDone(acceptance) => {
                self.change(acceptance.window, |window| window.accept(at, acceptance));
            }
            PlannedAction::Silence(plan) => {
                self.silences.push(Silence::new(following(self.silences.len()), at, plan));
            }
            PlannedAction::SilenceEnded { silence, by } => {
                if let Some(silence) = place(*silence).and_then(|at| self.silences.get_mut(at)) {
                    silence.end(at, by);
                }
            }
            PlannedAction::Excluded(plan) => {
                let number = following(self.exclusions.len());
                let plan = plan.clone();
                let noted = NotedExclusion { number, noted_at: at, plan, withdrawn: None };
                self.exclusions.push(noted);
            }
            PlannedAction::ExclusionWithdrawn { exclusion, note, by } => {
                let noted = place(*exclusion).and_then(|at| self.exclusions.get_mut(at));
                if let Some(noted) = noted {
                    noted.withdrawn.get_or_insert((at, by.clone(), note.clone()));
                }
            }
        }
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Window)) {
        place(number).and_then(|at| self.windows.get_mut(at)).map(change);
    }

    /// Every window that was ever planned, by number.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The window of this number.
    pub fn window(&self, number: u64) -> Option<&Window> {
        self.windows.get(place(number)?)
    }

    /// Every silence that there ever was, by number.
    pub fn silences(&self) -> &[Silence] {
        &self.silences
    }

    /// The silence of this number.
    pub fn silence(&self, number: u64) -> Option<&Silence> {
        self.silences.get(place(number)?)
    }

    /// Every exclusion that was ever noted, by number; those that were withdrawn too.
    pub fn exclusions(&self) -> &[NotedExclusion] {
        &self.exclusions
    }

    /// The windows that cover at a moment, each with the time of it that runs then.
    pub fn windows_at(&self, at: WallTime) -> impl Iterator<Item = (&Window, Occurrence)> {
        self.windows.iter().filter_map(move |window| Some((window, window.at(at)?)))
    }

    /// The windows of which any time lies within `range`, each with every such time; by number.
    pub fn windows_in(&self, range: Range<WallTime>) -> Vec<(&Window, Occurrence)> {
        let times = |window| {
            let times = Window::times_in(window, range.clone());
            times.map(move |time| (window, time)).collect::<Vec<_>>()
        };
        self.windows.iter().flat_map(times).collect()
    }

    /// The window under which something stood that was seen then and there: it is kept and shown, and opens no
    /// incident.
    pub fn under_maintenance(&self, at: WallTime, place: &Place<'_>) -> Option<u64> {
        let covers = |(window, _): &(&Window, _)| window.reach.touches(place);
        self.windows_at(at).find(covers).map(|(window, _)| window.number)
    }

    /// Whether any silence held then.
    pub fn has_silence(&self, at: WallTime) -> bool {
        self.silences.iter().any(|silence| silence.holds(at))
    }

    /// The silence that held then and there: an incident is one, and nobody is told of it.
    pub fn silenced(&self, at: WallTime, place: &Place<'_>) -> Option<u64> {
        let covers = |silence: &&Silence| silence.holds(at) && silence.reach.touches(place);
        self.silences.iter().find(covers).map(|silence| silence.number)
    }

    /// What agreements leave out for a service within `range`, by its beginning; parts may overlap, and are cut to the
    /// range.
    ///
    /// A window is left out for a service only where nothing of the service lies outside its scope: it names the
    /// service, or checks and a selector that take in all of it. A window for one site of several leaves no minute of
    /// the service's uptime out: the rest of it is to work meanwhile, and what runs at that site is told apart by
    /// [`Planned::under_maintenance`]. Services that depend on one under maintenance are not under it.
    pub fn excluded(&self, service: &Service, range: Range<WallTime>) -> Vec<Excluded> {
        let cut = |time: Range<WallTime>, kind, reason: &str, (number, noted_at)| Excluded {
            from: time.start.max(range.start),
            until: time.end.min(range.end),
            kind,
            reason: reason.to_owned(),
            number,
            noted_at,
        };
        let holding = self.windows.iter().filter(|window| window.reach.holds_all_of(service));
        let mut excluded: Vec<Excluded> = holding
            .flat_map(|window| {
                window.times_in(range.clone()).map(|time| {
                    let (title, which) = (&window.plan.title, (window.number, window.planned_at));
                    cut(time.from..time.until, Exclusion::Maintenance, title, which)
                })
            })
            .collect();
        let noted = self.exclusions.iter();
        let noted =
            noted.filter(|noted| noted.withdrawn.is_none() && noted.plan.service == service.name);
        excluded.extend(noted.map(|NotedExclusion { number, plan, noted_at, .. }| {
            let time = plan.from.into()..plan.until.into();
            cut(time, plan.kind, &plan.note, (*number, *noted_at))
        }));
        excluded.retain(|part| part.from < part.until);
        excluded.sort_by_key(|part| (part.from, part.until, part.kind, part.number));
        excluded
    }

    /// Whether the minutes of an hour are wanted for longer, because something that agreements leave out begins or ends
    /// in it.
    pub fn cuts(&self, hour: &Range<WallTime>) -> bool {
        let is_within = |at: WallTime| hour.start < at && at < hour.end;
        let is_cut = |from, until| is_within(from) || is_within(until);
        let mut windows = self.windows.iter().flat_map(|window| window.times_in(hour.clone()));
        let noted_in_time = |noted: &&NotedExclusion| is_noted_in_time(noted.noted_at, hour);
        windows.any(|time| is_cut(time.from, time.until))
            || self
                .exclusions
                .iter()
                .filter(noted_in_time)
                .any(|noted| is_cut(noted.plan.from.into(), noted.plan.until.into()))
    }

    /// The acceptance runs that are due at `at`.
    pub fn due(&self, at: WallTime) -> Vec<Due> {
        self.windows.iter().filter_map(|window| window.due(at)).collect()
    }
}

/// The number of what comes after so many.
fn following(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1)
}

/// Where what has this number stands.
fn place(number: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests;
