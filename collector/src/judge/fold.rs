//! Observations become figures: the pipeline's core, without I/O.
//!
//! [`Fold`] gathers in memory what came since the last commit, by series and minute; [`Fold::take`] sums
//! minutes to hours and days and hands over what changed. Nothing is read back: all of it merges into
//! what is stored, in any order.
//!
//! A record is counted once for each resolution: what a sealed period holds already (`Sealed`) is left
//! out, so a replay from any earlier cursor gives the same figures.

mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use mailsonde_proto::{AgentId, Check, Observation, Verdict, WallTime};

use self::names::Names;
use crate::judge::column::Column;
use crate::judge::definition::ROUND_TRIP;
use crate::judge::gauge::{self, Gauges};
use crate::judge::live::SeriesState;
use crate::judge::registry::{AgentRecord, Event, SeriesRecord};
use crate::judge::rollup::{Cell, Counts};
use crate::judge::sketch::Sketch;
use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId};

/// How many series-minutes are gathered before they should be committed.
const ENTRIES: usize = 16_384;
/// How many phases of a series are timed in one minute; no probe has nearly as many, and what is beyond
/// is in the journal only.
const PHASES: usize = 64;
/// How many hours without a tick are made up for: a year and a month.
const HOURS: u32 = 396 * 24;
/// A slot lies in the past, but for clocks that are off.
const AHEAD: Duration = Duration::from_secs(3_600);
/// No outbox keeps an observation longer, and no journal: what claims to be older is misdated.
const BEHIND: Duration = Duration::from_secs(35 * 86_400);

/// One observation as the journal has it.
#[derive(Clone, Copy, Debug)]
pub struct Folded<'a> {
    /// Of the journal's record that holds it.
    pub sequence: u64,
    /// When the collector received it.
    pub received_at: WallTime,
    /// Who made it.
    pub agent: AgentId,
    /// What was observed.
    pub observation: &'a Observation,
}

/// Up to where sealed periods hold everything.
///
/// An observation with a sequence below a period's mark is in that period's file.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    marks: HashMap<Period, u64>,
    highest: u64,
}

impl Sealed {
    /// Notes that `period` holds all before `mark`.
    pub fn insert(&mut self, period: Period, mark: u64) {
        self.marks.insert(period, mark);
        self.highest = self.highest.max(mark);
    }

    fn holds(&self, period: Period, sequence: u64) -> bool {
        sequence < self.highest && self.marks.get(&period).is_some_and(|mark| sequence < *mark)
    }
}

/// Whether a slot can be true for something received at `received_at`.
pub fn is_dated(slot: WallTime, received_at: WallTime) -> bool {
    slot <= received_at.plus(AHEAD) && slot >= received_at.minus(BEHIND)
}

/// What changed, to be merged into what is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Figures by row of an open period and by phase.
    pub rows: BTreeMap<RowKey, BTreeMap<PhaseId, Column>>,
    /// States by series.
    pub states: BTreeMap<SeriesId, SeriesState>,
    /// Series met for the first time since the start.
    pub series: BTreeMap<SeriesId, SeriesRecord>,
    /// Phases met for the first time since the start.
    pub phases: BTreeMap<PhaseId, String>,
    /// Agents that something was heard of.
    pub agents: BTreeMap<AgentId, AgentRecord>,
    /// Checks as announced, in order.
    pub defined: Vec<(AgentId, WallTime, Vec<Check>)>,
    /// What targets measured of themselves, by series and month.
    pub gauges: BTreeMap<(SeriesId, u32), Gauges>,
    /// The latest tick.
    pub now: Option<WallTime>,
    /// Hours (from 1970-01-01 UTC) that began, or in which what is in force changed.
    pub hours: BTreeSet<u32>,
    /// Hours of series that a sealed period holds already, and that may have changed nevertheless: where rows came
    /// from a snapshot that is older than the period's file.
    pub touched: BTreeSet<(u32, SeriesId)>,
}

/// The row of an open period that buckets stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// Which period.
    pub period: Period,
    /// Which series.
    pub series: SeriesId,
    /// Which stretch of neighbouring buckets.
    pub stretch: u8,
}

/// Gathers what came since the last commit.
#[derive(Debug, Default)]
pub struct Fold {
    /// Observations before this are in the states and in the registry already.
    floor: u64,
    sealed: Sealed,
    /// What is past its time at this time is not made anew.
    now: WallTime,
    agents: HashMap<AgentId, HashMap<Box<str>, usize>>,
    series: Vec<SeriesId>,
    names: Names,
    entries: HashMap<EntryKey, Entry>,
    states: HashMap<usize, SeriesState>,
    /// What round trips are counted against, in microseconds.
    limits_us: Vec<u64>,
    seen: HashMap<AgentId, AgentRecord>,
    rest: Delta,
}

/// Which minute of which series, and which resolutions it still has to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct EntryKey {
    series: usize,
    minute: u32,
    enters: [bool; 3],
}

#[derive(Debug, Default)]
struct Entry {
    total: Cell,
    phases: Vec<(PhaseId, Sketch)>,
}

impl Fold {
    /// A fold that leaves out what is stored already: states and registry hold all before `floor`.
    pub fn new(floor: u64, sealed: Sealed, now: WallTime) -> Self {
        Self { floor, sealed, now, ..Self::default() }
    }

    /// Takes note of a period that was sealed; nothing may be gathered at that time.
    pub fn sealed(&mut self, period: Period, mark: u64) {
        self.sealed.insert(period, mark);
    }

    /// Takes in one observation.
    pub fn observe(&mut self, folded: Folded<'_>) {
        let Folded { sequence, received_at, agent, observation } = folded;
        let series = self.series_index(agent, observation);
        let is_dated = is_dated(observation.scheduled_for, received_at);
        if sequence >= self.floor {
            self.seen.entry(agent).or_default().seen(received_at);
            if is_dated && observation.counts() {
                self.states.entry(series).or_default().observe(observation);
            }
        }
        if is_dated && gauge::may_tell(observation) {
            self.gauge(series, observation);
        }
        let slot = if is_dated { observation.scheduled_for } else { received_at };
        let enters = self.enters(sequence, slot, received_at);
        if sequence < self.sealed.highest {
            self.touch(series, slot, received_at);
        }
        if enters == [false; 3] {
            return;
        }
        let minute = slot.as_ns().div_euclid(60_000_000_000);
        let minute = u32::try_from(minute).unwrap_or(0);
        let entry = self.entries.entry(EntryKey { series, minute, enters }).or_default();
        if is_dated {
            entry.count(observation, &mut self.names, &self.limits_us);
        } else {
            entry.total.counts.misdated += 1;
        }
    }

    /// Keeps what a target measured of itself; whatever is known already merges to the same.
    fn gauge(&mut self, series: usize, observation: &Observation) {
        let (month, _) = gauge::month_of(observation.scheduled_for);
        let gauges = Gauges::of(observation);
        if let Some(series) = self.series.get(series).filter(|_| !gauges.is_empty()) {
            self.rest.gauges.entry((*series, month)).or_default().merge(&gauges);
        }
    }

    /// Takes in an event; `sequence` where it comes from the journal of observations.
    pub fn event(&mut self, sequence: Option<u64>, event: Event) {
        if sequence.is_some_and(|sequence| sequence < self.floor) {
            return;
        }
        match event {
            Event::AgentSeen(seen) => self.seen.entry(seen.agent).or_default().hear(&seen),
            Event::Defined { agent, at, checks } => self.rest.defined.push((agent, at, checks)),
            Event::Gap { agent, gap } => self.seen.entry(agent).or_default().miss(&gap),
            Event::Tick { now } => {
                self.begin_hours(now);
                self.now = self.now.max(now);
                self.rest.now = self.rest.now.max(Some(now));
            }
        }
    }

    /// Whether enough is gathered to be committed, for the sake of memory.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES
    }

    /// Hands over what changed and begins anew.
    pub fn take(&mut self) -> Delta {
        let mut delta = std::mem::take(&mut self.rest);
        for (key, entry) in self.entries.drain() {
            let Some(series) = self.series.get(key.series) else { continue };
            let at = WallTime::from_s(i64::from(key.minute) * 60);
            for (resolution, enters) in Resolution::ALL.into_iter().zip(key.enters) {
                if enters {
                    let (period, bucket) = Period::of(resolution, at);
                    let stretch = period.stretch(bucket);
                    let row = RowKey { period, series: *series, stretch };
                    entry.enter(delta.rows.entry(row).or_default(), bucket);
                }
            }
        }
        let named = self.states.drain();
        delta.states =
            named.filter_map(|(at, state)| Some((*self.series.get(at)?, state))).collect();
        delta.agents = self.seen.drain().collect();
        delta.phases = self.names.take_new();
        delta
    }

    /// Counts round trips against these limits from now on, in microseconds.
    pub fn count_against(&mut self, limits_us: Vec<u64>) {
        self.limits_us = limits_us;
    }

    /// Notes that hours changed otherwise than by what was observed in them.
    pub fn restate(&mut self, hours: impl IntoIterator<Item = u32>) {
        self.rest.hours.extend(hours);
    }

    /// Every hour that began since the last tick: also those in which there was none, because nobody was here to tick.
    fn begin_hours(&mut self, now: WallTime) {
        let last = hour_of(now);
        let is_first = self.now == WallTime::default();
        let first = if is_first { last } else { hour_of(self.now).max(last.saturating_sub(HOURS)) };
        if is_first || first < last {
            self.rest.hours.extend(first..=last);
        }
    }

    fn touch(&mut self, series: usize, slot: WallTime, received_at: WallTime) {
        let (period, _) = Period::of(Resolution::Minute, slot);
        let is_held = !period.is_late(received_at.max(self.now));
        if is_held && let Some(series) = self.series.get(series) {
            self.rest.touched.insert((period.number, *series));
        }
    }

    /// Which resolutions a slot still has to enter.
    fn enters(&self, sequence: u64, slot: WallTime, received_at: WallTime) -> [bool; 3] {
        let now = received_at.max(self.now);
        Resolution::ALL.map(|resolution| {
            if resolution == Resolution::Day && sequence >= self.sealed.highest {
                return true; // kept for ever, and the calendar costs time
            }
            let (period, _) = Period::of(resolution, slot);
            !period.is_late(now) && !self.sealed.holds(period, sequence)
        })
    }

    fn series_index(&mut self, agent: AgentId, observation: &Observation) -> usize {
        let checks = self.agents.entry(agent).or_default();
        if let Some(index) = checks.get(observation.check.as_str()) {
            return *index;
        }
        let index = self.series.len();
        let id = SeriesId::of(agent, &observation.check);
        checks.insert(observation.check.as_str().into(), index);
        self.series.push(id);
        let record = SeriesRecord::new(agent, &observation.check, &observation.kind);
        self.rest.series.insert(id, record);
        index
    }
}

fn hour_of(at: WallTime) -> u32 {
    Period::of(Resolution::Minute, at).0.number
}

impl Entry {
    fn count(&mut self, observation: &Observation, names: &mut Names, limits_us: &[u64]) {
        let counts: &mut Counts = &mut self.total.counts;
        if observation.amends.is_some() {
            counts.amended += 1;
        } else if !observation.counts() {
            counts.extra += 1;
        } else {
            counts.add(&observation.verdict);
            if let Verdict::Fail(fault) = &observation.verdict {
                names.id(usize::MAX, &fault.phase);
            }
            if observation.verdict == Verdict::Pass {
                self.time(observation, names);
                if observation.kind == ROUND_TRIP {
                    self.total.count_against(limits_us, observation.total_us);
                }
            }
        }
    }

    fn time(&mut self, observation: &Observation, names: &mut Names) {
        self.total.latency.add(i64::try_from(observation.total_us).unwrap_or(i64::MAX));
        for (position, phase) in observation.phases.iter().enumerate() {
            if !phase.is_known() {
                continue;
            }
            let id = names.id(position, &phase.name);
            if id == PhaseId::TOTAL {
                continue; // the word is taken
            }
            let is_full = self.phases.len() >= PHASES;
            match self.phases.iter_mut().find(|(there, _)| *there == id) {
                Some((_, latency)) => latency.add(phase.duration_us),
                None if is_full => {}
                None => {
                    let mut latency = Sketch::default();
                    latency.add(phase.duration_us);
                    self.phases.push((id, latency));
                }
            }
        }
    }

    fn enter(&self, columns: &mut BTreeMap<PhaseId, Column>, bucket: u8) {
        columns.entry(PhaseId::TOTAL).or_default().merge_cell(bucket, &self.total);
        for (phase, latency) in &self.phases {
            columns.entry(*phase).or_default().merge_latency(bucket, latency);
        }
    }
}

#[cfg(test)]
mod tests;
