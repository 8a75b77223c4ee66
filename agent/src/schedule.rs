//! When each check is due: a function of its own state and the time it is told, nothing else.
//!
//! Every slot of a check comes out of [`Schedule::due`] exactly once: to be run, as overrun (the run
//! before is still under way), as missed (we slept, or the clock jumped forward), or as one of a number
//! of slots that were missed and are too many to list. A slot that came out does not come out again when
//! the clock is put back by a little ([`MOST_BACK`]). Absent on purpose: any clock, any task, any I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use mailsonde_proto::time::as_us;
use mailsonde_proto::{Check, WallTime};

/// How many missed slots of one check come out one by one; of more, the oldest are only counted.
pub const MOST_MISSED: u64 = 1_000;

/// How late a slot may be run, at most; half its cadence when that is shorter. Beyond, it is missed:
/// its neighbours tell more about then, and a host that wakes would run all its checks at once.
pub const MOST_LATE: Duration = Duration::from_secs(5);

/// A loop that looks this late has not slept, however short the cadence.
const ALWAYS_IN_TIME: Duration = Duration::from_millis(50);

/// How far the clock may be put back before the slots after the new time come out again.
///
/// A small step back (NTP) must not repeat a slot; after a large one (a clock that was wrong by days)
/// waiting for the old time to come again would be silence.
pub const MOST_BACK: Duration = Duration::from_secs(3600);

/// One slot that came up, or several that were missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The check's name.
    pub check: String,
    /// What is to be done about it.
    pub what: Slot,
}

/// What came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Run it now; then say [`Schedule::finished`].
    Run(WallTime),
    /// The run before is still under way: `void(overrun)`.
    Overrun(WallTime),
    /// Nobody was there to run it: `void(missed)`.
    Missed(WallTime),
    /// As many slots, from the first to the last, were missed as well.
    ManyMissed {
        /// The first slot.
        first: WallTime,
        /// The last slot.
        last: WallTime,
        /// How many slots, these two included.
        slots: u64,
    },
}

/// The checks and what has come out of them so far.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    plans: BTreeMap<String, Plan>,
}

#[derive(Clone, Debug)]
struct Plan {
    check: Check,
    /// The earliest time whose slots have not come out.
    from: WallTime,
    /// A run is under way.
    running: bool,
    /// No longer configured; kept until its run is over.
    retired: bool,
}

impl Schedule {
    /// A schedule whose slots count from `now` on; those before are nobody's here.
    pub fn new(checks: impl IntoIterator<Item = Check>, now: WallTime) -> Self {
        let mut schedule = Self::default();
        schedule.replace_checks(checks, now);
        schedule
    }

    /// The checks of a new configuration. A check that stays keeps its run and its place in time; with
    /// another cadence its new slots count from `now` on. A run of a check that went is let finish.
    pub fn replace_checks(&mut self, checks: impl IntoIterator<Item = Check>, now: WallTime) {
        for plan in self.plans.values_mut() {
            plan.retired = true;
        }
        for check in checks {
            let mut plan = Plan { check, from: now, running: false, retired: false };
            if let Some(before) = self.plans.get(&plan.check.name) {
                plan.running = before.running;
                // Also where the grid changed: a slot that came out must not come out again.
                plan.from = if before.has_the_grid_of(&plan.check) {
                    before.from
                } else {
                    before.from.max(now)
                };
            }
            self.plans.insert(plan.check.name.clone(), plan);
        }
        self.plans.retain(|_, plan| plan.running || !plan.retired);
    }

    /// Everything that came up until `now`, by the time of its slot.
    pub fn due(&mut self, now: WallTime) -> Vec<Due> {
        let mut due = Vec::new();
        for plan in self.plans.values_mut().filter(|plan| !plan.retired) {
            plan.due(now, &mut due);
        }
        due.sort_by_key(|due| due.what.first());
        due
    }

    /// When the next slot comes up; `None` without checks. Ask again whenever the wall clock may have
    /// jumped.
    pub fn next_at(&self, now: WallTime) -> Option<WallTime> {
        let plans = self.plans.values().filter(|plan| !plan.retired);
        plans.map(|plan| plan.check.slot_at_or_after(plan.floor(now))).min()
    }

    /// The check's run is over.
    pub fn finished(&mut self, check: &str) {
        if let Some(plan) = self.plans.get_mut(check) {
            plan.running = false;
        }
        self.plans.retain(|_, plan| plan.running || !plan.retired);
    }

    /// The check as it is configured now.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.plans.get(name).filter(|plan| !plan.retired).map(|plan| &plan.check)
    }

    /// How many runs are under way.
    pub fn running(&self) -> usize {
        self.plans.values().filter(|plan| plan.running).count()
    }
}

impl Plan {
    fn has_the_grid_of(&self, other: &Check) -> bool {
        self.check.cadence == other.cadence && self.check.slot_offset == other.slot_offset
    }

    /// Where the search for the next slot begins.
    fn floor(&self, now: WallTime) -> WallTime {
        let is_far_back = self.from.since(now) > MOST_BACK.max(self.check.cadence);
        if is_far_back { now } else { self.from }
    }

    fn due(&mut self, now: WallTime, due: &mut Vec<Due>) {
        self.from = self.floor(now);
        let end = WallTime::from_ns(now.as_ns().saturating_add(1));
        let slots = self.check.slots_between(self.from, end);
        if slots == 0 {
            return;
        }
        let cadence_us = as_us(self.check.cadence).max(1);
        let cadence = Duration::from_micros(cadence_us);
        let last = self.check.slot_at_or_after(end).minus(cadence);
        let nth_before_last =
            |n: u64| last.minus(Duration::from_micros(cadence_us.saturating_mul(n)));
        let counted = (slots - 1).saturating_sub(MOST_MISSED);
        let mut put = |what| due.push(Due { check: self.check.name.clone(), what });
        if counted > 0 {
            let (first, last) = (nth_before_last(slots - 1), nth_before_last(slots - counted));
            put(Slot::ManyMissed { first, last, slots: counted });
        }
        for n in (0..slots - counted).rev() {
            let slot = nth_before_last(n);
            let is_late = now.since(slot) > MOST_LATE.min(cadence / 2).max(ALWAYS_IN_TIME);
            put(match (is_late, self.running, n) {
                (false, true, _) => Slot::Overrun(slot),
                (false, false, 0) => Slot::Run(slot),
                // Late, or followed by one that can be run in its place.
                _ => Slot::Missed(slot),
            });
            self.running |= n == 0 && !is_late;
        }
        self.from = end;
    }
}

impl Slot {
    /// Its time, or of several the first one's.
    pub const fn first(&self) -> WallTime {
        match self {
            Self::Run(slot) | Self::Overrun(slot) | Self::Missed(slot) => *slot,
            Self::ManyMissed { first, .. } => *first,
        }
    }
}

#[cfg(test)]
mod tests;
