//! One series under watch: is a failure real, is it over, does it come and go.
//!
//! A first failure is a suspicion. It is confirmed by a second failing run, by another vantage point that fails too,
//! or by a run that was asked for and does not come back although such runs are quick; it is denied by a run that
//! passes. What is denied again and again is flapping. A failure that was confirmed is over after passing runs, one
//! after another. Pure: a function of (watch, run, now).
//!
//! Runs are taken in the order in which they came; one for an older slot than the newest that was judged changes
//! nothing here: it amends figures, and opens no incident. Nor does one that failed and was begun before one that has
//! passed by now, as a message does that went astray before the mend and was waited for until after it.

use std::time::Duration;

use mailsonde_proto::{Fault, FaultClass, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incident::FaultBrief;

/// A confirmation that is not back by then counts as a failure, where runs are quick.
const PATIENCE: Duration = Duration::from_secs(4);
/// So many runs in a row must pass before a failure is over.
const PASSES: u32 = 2;
/// So many scheduled ones, where it comes and goes.
const STEADY_PASSES: u32 = 3;
/// So many changes between pass and fail within [`FLAPPING_TIME`] are flapping.
const FLIPS: usize = 6;
/// What lasts longer than so many cadences, and a timeout, is no flapping.
const SOON_CADENCES: u32 = 3;
/// Changes longer ago than this, or than so many cadences, are forgotten.
const FLAPPING_TIME: Duration = Duration::from_secs(30 * 60);
const FLAPPING_CADENCES: u32 = 20;

/// What is known of one series, for judging.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The newest slot that was judged; kept by the series' state too, from which it is read back.
    #[serde(skip)]
    pub last_slot: Option<WallTime>,
    /// How long the newest run took that passed, in microseconds; read back like `last_slot`.
    #[serde(skip)]
    pub usual_us: u64,
    /// Whether the run of that slot failed; read back like `last_slot`.
    #[serde(skip)]
    pub has_failed_last: bool,
    /// What it looks like.
    pub condition: Condition,
    /// When it changed between pass and fail, oldest first; in microseconds since 1970.
    pub flips: Vec<i64>,
    /// When a run passed that was asked for, where no scheduled one was judged since; in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_pass_us: Option<i64>,
    /// When that one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_pass_slot_us: Option<i64>,
}

/// What a series looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing fails, as far as is known.
    #[default]
    Calm,
    /// A run failed, and nobody knows yet whether that is so.
    Suspected(Suspicion),
    /// It fails.
    Failing(Failing),
}

/// A failure that is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// The slot of the run that failed, in microseconds since 1970.
    pub since_us: i64,
    /// When it was heard of.
    pub heard_us: i64,
    /// By when the confirmation must be back; `None`: it could not be judged, and the next run decides.
    pub due_us: Option<i64>,
    /// Why it failed.
    pub fault: FaultBrief,
}

/// A failure that was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The slot of the first run that failed, in microseconds since 1970.
    pub since_us: i64,
    /// The incident that it belongs to.
    pub incident: u64,
    /// Runs that passed since the last that failed.
    pub passes: u32,
    /// Scheduled ones among them.
    pub scheduled_passes: u32,
    /// Why it failed last.
    pub fault: FaultBrief,
}

/// A judged or void run, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'o> {
    /// Its slot, or when it was asked for.
    pub slot: WallTime,
    /// Whether it was scheduled.
    pub is_scheduled: bool,
    /// Why it failed; `None` when it passed.
    pub fault: Option<&'o Fault>,
    /// In microseconds.
    pub total_us: u64,
    /// It was heard of much later than it ended: what came after it may be on its way, so it confirms nothing.
    pub is_late: bool,
}

/// What a run changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that matters.
    Nothing,
    /// A first failure: ask again.
    Suspected,
    /// It was nothing.
    Denied,
    /// It is real.
    Confirmed(Confirmed),
    /// It still fails.
    StillFailing,
    /// A failing one has passed once: ask again.
    Passed,
    /// It is over.
    Over,
}

/// What confirmed a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// A second run from the same vantage point failed.
    Again,
    /// The run that was asked for is not back.
    NoAnswer,
    /// Another vantage point fails too.
    Elsewhere,
    /// It comes and goes.
    Flapping,
}

/// How often a check runs, and how long at most.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From slot to slot.
    pub cadence: Duration,
    /// How long a run may take.
    pub timeout: Duration,
}

impl Watch {
    /// Takes in a run that was judged.
    pub fn hear(&mut self, ran: Ran<'_>, pace: Pace, now: WallTime) -> Change {
        let is_newest = self.last_slot.is_none_or(|last| ran.slot > last);
        if ran.is_scheduled && !is_newest {
            return Change::Nothing;
        }
        let is_outdated = ran.fault.is_some() && self.has_passed_for_later_than(ran.slot);
        if ran.is_scheduled {
            self.last_slot = Some(ran.slot);
            self.has_failed_last = ran.fault.is_some();
            if ran.fault.is_none() {
                self.usual_us = ran.total_us;
            }
            if !is_outdated {
                (self.asked_pass_us, self.asked_pass_slot_us) = (None, None);
            }
        }
        if is_outdated {
            return Change::Nothing;
        }
        match ran.fault {
            Some(fault) => self.failed(ran, fault, pace, now),
            None => {
                if !ran.is_scheduled {
                    self.asked_pass_us = Some(now.as_us());
                    self.asked_pass_slot_us = Some(ran.slot.as_us());
                }
                self.passed(ran, pace, now)
            }
        }
    }

    fn has_passed_for_later_than(&self, slot: WallTime) -> bool {
        let scheduled = self.last_slot.filter(|_| !self.has_failed_last).map(WallTime::as_us);
        self.asked_pass_slot_us.max(scheduled).is_some_and(|passed| passed > slot.as_us())
    }

    /// A run of long ago failed: it says nothing of now, but what is older still is passed over.
    pub fn pass_over(&mut self, slot: WallTime) {
        if self.last_slot.is_none_or(|last| slot > last) {
            (self.last_slot, self.has_failed_last) = (Some(slot), true);
        }
    }

    /// Whether it is known to have worked at some time since then. Under maintenance it may fail and be calm.
    pub fn has_passed_since(&self, since: WallTime) -> bool {
        let asked = self.asked_pass_us.map(of_us);
        let scheduled = self.last_slot.filter(|_| !self.has_failed_last);
        self.condition == Condition::Calm && asked.max(scheduled) >= Some(since)
    }

    /// A run that was asked for could not be judged: the next one decides.
    pub fn undecided(&mut self) {
        if let Condition::Suspected(suspicion) = &mut self.condition {
            suspicion.due_us = None;
        }
    }

    /// The suspicion, while it is one.
    pub fn suspicion(&self) -> Option<&Suspicion> {
        match &self.condition {
            Condition::Suspected(suspicion) => Some(suspicion),
            _ => None,
        }
    }

    /// Whether the run that was asked for should have been back by now.
    pub fn is_overdue(&self, now: WallTime) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// By when the run that was asked for should be back.
    pub fn due(&self) -> Option<WallTime> {
        match &self.condition {
            Condition::Suspected(Suspicion { due_us: Some(due_us), .. }) => Some(of_us(*due_us)),
            _ => None,
        }
    }

    /// A suspicion became a failure that belongs to an incident.
    pub fn joined(&mut self, incident: u64) {
        if let Condition::Suspected(Suspicion { since_us, fault, .. }) = &self.condition {
            self.condition = Condition::Failing(Failing {
                since_us: *since_us,
                incident,
                passes: 0,
                scheduled_passes: 0,
                fault: fault.clone(),
            });
        }
    }

    /// The failure, while it is one.
    pub fn failing(&self) -> Option<&Failing> {
        match &self.condition {
            Condition::Failing(failing) => Some(failing),
            _ => None,
        }
    }

    /// Whether it comes and goes: it changed often, and soon again each time. Two outages that lasted are none.
    pub fn is_flapping(&self, pace: Pace, now: WallTime) -> bool {
        let since = now.minus(flapping_time(pace)).as_us();
        let soon = pace.cadence.saturating_mul(SOON_CADENCES).saturating_add(pace.timeout);
        let soon_us = i64::try_from(soon.as_micros()).unwrap_or(i64::MAX);
        let recent = self.flips.iter().filter(|flip| **flip >= since);
        let again = recent.clone().zip(recent.skip(1));
        again.filter(|(one, next)| next.saturating_sub(**one) <= soon_us).count() >= FLIPS - 1
    }

    /// Whether there is anything to keep beside what the series' state has.
    pub fn is_plain(&self) -> bool {
        self.condition == Condition::Calm && self.flips.is_empty() && self.asked_pass_us.is_none()
    }

    fn failed(&mut self, ran: Ran<'_>, fault: &Fault, pace: Pace, now: WallTime) -> Change {
        let brief = FaultBrief::of(fault);
        match &mut self.condition {
            Condition::Calm => {
                self.flip(pace, now);
                let due = now.plus(patience(self.usual_us, pace.timeout));
                self.condition = Condition::Suspected(Suspicion {
                    since_us: ran.slot.as_us(),
                    heard_us: now.as_us(),
                    due_us: Some(due.as_us()),
                    fault: brief,
                });
                Change::Suspected
            }
            Condition::Suspected(suspicion) => {
                // What the second run says is mostly more exact than a timeout.
                if suspicion.fault.class == FaultClass::Timeout.as_str() {
                    suspicion.fault = brief;
                }
                if ran.is_late {
                    return Change::Nothing;
                }
                Change::Confirmed(Confirmed::Again)
            }
            Condition::Failing(failing) => {
                let came_back = failing.passes > 0;
                (failing.passes, failing.scheduled_passes) = (0, 0);
                failing.fault = brief;
                if came_back {
                    self.flip(pace, now);
                }
                Change::StillFailing
            }
        }
    }

    fn passed(&mut self, ran: Ran<'_>, pace: Pace, now: WallTime) -> Change {
        match &mut self.condition {
            Condition::Calm => Change::Nothing,
            Condition::Suspected(suspicion) => {
                // asked for before it failed, or for an older slot: no news
                if ran.slot.as_us() < suspicion.since_us {
                    return Change::Nothing;
                }
                self.flip(pace, now);
                if self.is_flapping(pace, now) {
                    return Change::Confirmed(Confirmed::Flapping);
                }
                self.condition = Condition::Calm;
                Change::Denied
            }
            Condition::Failing(failing) => {
                failing.passes = failing.passes.saturating_add(1);
                failing.scheduled_passes =
                    failing.scheduled_passes.saturating_add(u32::from(ran.is_scheduled));
                let (passes, scheduled) = (failing.passes, failing.scheduled_passes);
                if passes == 1 {
                    self.flip(pace, now);
                }
                let is_over = match self.is_flapping(pace, now) {
                    true => scheduled >= STEADY_PASSES,
                    false => passes >= PASSES,
                };
                if is_over {
                    self.condition = Condition::Calm;
                    return Change::Over;
                }
                if passes == 1 { Change::Passed } else { Change::Nothing }
            }
        }
    }

    fn flip(&mut self, pace: Pace, now: WallTime) {
        let since = now.minus(flapping_time(pace)).as_us();
        self.flips.retain(|flip| *flip >= since);
        if self.flips.len() > 2 * FLIPS {
            self.flips.remove(0);
        }
        self.flips.push(now.as_us());
    }
}

fn flapping_time(pace: Pace) -> Duration {
    FLAPPING_TIME.max(pace.cadence.saturating_mul(FLAPPING_CADENCES))
}

/// How long a confirmation is waited for: longer where runs are slow.
fn patience(usual_us: u64, timeout: Duration) -> Duration {
    let twice = Duration::from_micros(usual_us.saturating_mul(2)).saturating_add(PATIENCE / 2);
    twice.clamp(PATIENCE, timeout.saturating_add(PATIENCE))
}

/// A time of so many microseconds since 1970.
pub(super) fn of_us(us: i64) -> WallTime {
    WallTime::from_ns(us.saturating_mul(1_000))
}

#[cfg(test)]
mod tests;
