//! The views: hours and days of the year and the minutes that are still kept, as cells that were counted before, and
//! services' minutes. What is over stands in sealed files, what is not in rows.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use mailsonde_collector::control::{ControlJournal, chronicle_before};
use mailsonde_collector::folder::Folder;
use mailsonde_collector::judge::column::Column;
use mailsonde_collector::judge::fold::{Delta, RowKey};
use mailsonde_collector::judge::live::SeriesState;
use mailsonde_collector::judge::registry::{AgentSeen, Event, SeriesRecord};
use mailsonde_collector::judge::rollup::Cell;
use mailsonde_collector::period::{Period, Resolution};
use mailsonde_collector::rollups::{Cursors, Rollups};
use mailsonde_collector::series::{PhaseId, SeriesId};
use mailsonde_collector::store::Extent;
use mailsonde_collector::store::ledger::{Ledger, LedgerOptions, Opened};
use mailsonde_proto::{Check, Clock, WallTime};

use super::journals::observation;
use super::plan::{DAY, Plan, time};
use super::runs::{Hours, KINDS};

/// A period that ended so long ago is sealed.
const GRACE: Duration = Duration::from_secs(15 * 60);
/// The runs of so many minutes make a state.
const STATE: u32 = 70;

type Columns = BTreeMap<(PhaseId, SeriesId), Column>;

/// Writes them, as far as the journals go; says how many periods are sealed.
pub(super) fn write(plan: &Plan, folder: &Folder) -> anyhow::Result<usize> {
    let until = time(plan.end);
    let (control, _) = ControlJournal::open(&folder.control())?;
    let clock = Clock::starting_at(until);
    let Opened { ledger, writer, .. } =
        Ledger::open(folder.path(), LedgerOptions::default(), clock)?;
    let extent = Extent {
        first: ledger.index().oldest(),
        next: ledger.index().next(),
        control_next: control.index().next(),
    };
    drop(ledger);
    writer.join().ok().context("the ledger's thread ended by a panic")?;
    let (mut rollups, recovered) = Rollups::open(&folder.views(), extent, until)?;
    ensure!(recovered.is_empty(), "the views are not new");
    rollups.set_chronicle(chronicle_before(&control, extent.control_next)?);
    rollups.begin_judging()?;
    registry(plan, &mut rollups);
    rollups.advance(Cursors { next: extent.next, control_next: extent.control_next });
    let mut named = Delta::default();
    names(plan, &mut named);
    rollups.take_in(named, &BTreeMap::new())?;

    let mut all = Writer { plan, rollups, until, open: Delta::default(), sealed: 0 };
    all.minutes_and_above()?;
    let Writer { mut rollups, sealed, open, .. } = all;
    rollups.take_in(open, &BTreeMap::new())?;
    rollups.make_all_slots()?;
    rollups.maintain(extent, until)?;
    rollups.snapshot()?;
    Ok(sealed)
}

/// What the pipeline hears of agents.
fn registry(plan: &Plan, rollups: &mut Rollups) {
    let begin = time(plan.begin);
    for (at, agent) in plan.agents.iter().enumerate() {
        let named = Some((agent.name.clone(), agent.labels.clone()));
        let seen = AgentSeen { agent: agent.id, at: begin, named, ..AgentSeen::default() };
        rollups.event(None, Event::AgentSeen(seen));
        let seen = AgentSeen { agent: agent.id, at: time(plan.end), ..AgentSeen::default() };
        rollups.event(None, Event::AgentSeen(seen));
        let checks = plan.series.iter().filter(|series| series.agent == at);
        let checks: Vec<Check> = checks.map(|series| series.check.clone()).collect();
        rollups.event(None, Event::Defined { agent: agent.id, at: begin, checks });
    }
    rollups.event(None, Event::Tick { now: time(plan.end) });
}

/// What series and phases are called, and how each series is doing.
fn names(plan: &Plan, delta: &mut Delta) {
    for (at, series) in plan.series.iter().enumerate() {
        let Some(agent) = plan.agents.get(series.agent) else { continue };
        let record = SeriesRecord::new(agent.id, &series.check.name, &series.check.kind);
        delta.series.insert(series.id, record);
        let mut state = SeriesState::default();
        for minute in plan.end.saturating_sub(STATE).max(plan.begin)..plan.end {
            if let Some(observed) = observation(plan, (at, series), minute, 1) {
                state.observe(&observed);
            }
        }
        delta.states.insert(series.id, state);
    }
    for (phase, _) in KINDS.iter().flat_map(|kind| kind.phases) {
        delta.phases.insert(PhaseId::of(phase), (*phase).to_owned());
    }
}

struct Writer<'p> {
    plan: &'p Plan,
    rollups: Rollups,
    until: WallTime,
    /// What is not over.
    open: Delta,
    sealed: usize,
}

impl Writer<'_> {
    /// Day by day: its minutes while they are kept, its hours, its services' minutes where those of runs are gone;
    /// month by month its days.
    fn minutes_and_above(&mut self) -> anyhow::Result<()> {
        let plan = self.plan;
        let mut counted = Hours::default();
        let mut month: Option<(Period, Columns)> = None;
        for day in plan.begin / DAY..=(plan.end.saturating_sub(1)) / DAY {
            let mut hours = Columns::new();
            let mut of_day: BTreeMap<(PhaseId, SeriesId), Cell> = BTreeMap::new();
            for hour in (day * 24..(day + 1) * 24).filter(|hour| hour * 60 < plan.end) {
                let cells = match self.is_kept(hour) {
                    true => self.hour_of_minutes(hour)?,
                    false => self.hour_of(hour, &mut counted),
                };
                let (_, bucket) = Period::of(Resolution::Hour, time(hour * 60));
                for (key, cell) in cells {
                    of_day.entry(key).or_default().merge(&cell);
                    hours.entry(key).or_default().merge_cell(bucket, &cell);
                }
            }
            let (period, _) = Period::of(Resolution::Hour, time(day * DAY));
            self.put(period, hours)?;
            self.slots(day)?;
            let (period, bucket) = Period::of(Resolution::Day, time(day * DAY));
            if let Some((over, days)) = month.take_if(|(there, _)| *there != period) {
                self.put(over, days)?;
            }
            let (_, days) = month.get_or_insert_with(|| (period, Columns::new()));
            for (key, cell) in of_day {
                days.entry(key).or_default().merge_cell(bucket, &cell);
            }
        }
        month.map_or(Ok(()), |(period, days)| self.put(period, days))
    }

    fn is_kept(&self, hour: u32) -> bool {
        !Period { resolution: Resolution::Minute, number: hour }.is_over(self.until)
    }

    /// An hour as it was counted before.
    fn hour_of(&self, hour: u32, counted: &mut Hours) -> BTreeMap<(PhaseId, SeriesId), Cell> {
        let mut cells = BTreeMap::new();
        for (at, series) in self.plan.series.iter().enumerate() {
            let found = counted.cells(self.plan, at, hour).into_iter();
            cells.extend(found.map(|(phase, cell)| ((phase, series.id), cell)));
        }
        cells
    }

    /// An hour minute by minute, whose minutes are written too.
    fn hour_of_minutes(
        &mut self,
        hour: u32,
    ) -> anyhow::Result<BTreeMap<(PhaseId, SeriesId), Cell>> {
        let mut cells: BTreeMap<(PhaseId, SeriesId), Cell> = BTreeMap::new();
        let mut minutes = Columns::new();
        for (at, series) in self.plan.series.iter().enumerate() {
            for (minute, bucket) in (hour * 60..self.plan.end.min(hour * 60 + 60)).zip(0..) {
                for (phase, cell) in self.plan.minute(at, minute).into_iter().flatten() {
                    cells.entry((phase, series.id)).or_default().merge(&cell);
                    minutes.entry((phase, series.id)).or_default().merge_cell(bucket, &cell);
                }
            }
        }
        self.put(Period { resolution: Resolution::Minute, number: hour }, minutes)?;
        self.open.hours.insert(hour); // its services' minutes are made of these by the collector's own code
        Ok(cells)
    }

    /// Services' minutes of a day whose runs' minutes are gone, all or in part.
    fn slots(&mut self, day: u32) -> anyhow::Result<()> {
        if !self.is_kept(day * 24) {
            self.rollups.take_in(Delta::default(), &self.plan.slots(day).collect())?;
        }
        Ok(())
    }

    /// Seals what is over, and keeps the rest to be put in rows. The days of a month that is not over are sealed up to
    /// yesterday.
    fn put(&mut self, period: Period, columns: Columns) -> anyhow::Result<()> {
        if period.end().plus(GRACE) <= self.until {
            self.sealed += 1;
            return Ok(self.rollups.seal_counted(period, self.until, &columns)?);
        }
        let (_, today) = Period::of(Resolution::Day, self.until);
        let mut over = Columns::new();
        for ((phase, series), column) in columns {
            for (bucket, cell) in column.iter() {
                if period.resolution == Resolution::Day && bucket < today {
                    over.entry((phase, series)).or_default().merge_cell(bucket, cell);
                    continue;
                }
                let row = RowKey { period, series, stretch: period.stretch(bucket) };
                let phases = self.open.rows.entry(row).or_default();
                phases.entry(phase).or_default().merge_cell(bucket, cell);
            }
        }
        if !over.is_empty() {
            self.sealed += 1;
            self.rollups.seal_counted(period, self.until, &over)?;
        }
        Ok(())
    }
}
