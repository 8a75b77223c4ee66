//! Services' minutes, made of the minute figures and the chronicle.
//!
//! Whatever may change an hour marks it as stale in the commit that changes it; a step works stale hours off, oldest
//! first, and writes slots and the removal of their hour's mark in one commit. An hour that is not over stays
//! marked. So what is written at last depends on the figures and the chronicle only, not on when or in which order
//! anything came, and a crash repeats work.
//!
//! Days that are closed (`closed`) are not made again: their minutes are gone.

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_proto::WallTime;

use super::{Error, Rollups};
use crate::judge::chronicle::Chronicle;
use crate::judge::column::Column;
use crate::judge::fold::Delta;
use crate::judge::slots::{self, LOOK_BACK_MINUTES, Seen, Slots, look_back};
use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId, ServiceId};
use crate::store::{Row, Table, Views, Writes};

const HOUR_NS: i64 = 3_600_000_000_000;
const HOURS_OF_DAY: u32 = 24;
const HOUR_MINUTES: u32 = 60;
/// So many rows are written in one commit, or those of one hour.
const ROWS: usize = 2_000;
const DAY_HOURS_AND_ONE: u32 = LOOK_BACK_MINUTES / HOUR_MINUTES + 1;

/// The hour of a time, counted from 1970-01-01 UTC.
pub(super) fn hour_of(at: WallTime) -> u32 {
    u32::try_from(at.as_ns().div_euclid(HOUR_NS).max(0)).unwrap_or(u32::MAX)
}

/// Marks every hour that a change reaches: its own, and those after it as far as a run speaks, up to `now`. Later hours
/// are marked when they begin.
pub(super) fn marks(delta: &Delta, chronicle: &Chronicle, now: WallTime) -> Writes {
    let minutes = delta.rows.keys().filter(|key| key.period.resolution == Resolution::Minute);
    let mut touched: BTreeSet<(u32, SeriesId)> =
        minutes.map(|key| (key.period.number, key.series)).collect();
    touched.extend(&delta.touched);
    let mut hours = delta.hours.clone();
    let last = hour_of(now);
    let mut reaches: BTreeMap<SeriesId, u32> = BTreeMap::new();
    for (hour, series) in touched {
        hours.insert(hour);
        let reach = *reaches.entry(series).or_insert_with(|| reach(chronicle, series));
        let until = hour.saturating_add(reach).min(last);
        hours.extend((hour..=until).skip(1));
    }
    hours.into_iter().map(|hour| (Row::Stale(hour), Some(Vec::new()))).collect()
}

/// How many hours after its own a run of a series may speak for, at most.
fn reach(chronicle: &Chronicle, series: SeriesId) -> u32 {
    let spans = chronicle.run(series).map(|(_, runs)| runs.schedule.spans()).unwrap_or_default();
    let longest = spans.iter().map(|span| look_back(span.check.cadence)).max().unwrap_or(1);
    longest.saturating_sub(1).div_ceil(HOUR_MINUTES)
}

impl Rollups {
    /// Makes the slots of at most `limit` stale hours, oldest first, and says how many are left that can be made.
    ///
    /// # Errors
    /// When the disk is full or cannot be written; with [`Error::Damaged`] a period has to be rebuilt first.
    pub fn make_slots(&mut self, limit: usize) -> Result<usize, Error> {
        let now = self.views.head().now();
        let mut stale: BTreeSet<u32> = BTreeSet::new();
        self.views.table(Table::Stale, |row, _| {
            stale.extend(if let Row::Stale(hour) = row { Some(hour) } else { None });
            Ok(())
        })?;
        // an hour under way changes when time does: what came in between waits for the next tick
        self.made_at.retain(|hour, _| stale.contains(hour));
        stale.retain(|hour| self.made_at.get(hour) != Some(&now));
        let left = stale.len().saturating_sub(limit);
        let mut writes = Writes::new();
        for hour in stale.into_iter().take(limit) {
            let is_closed = self.views.closed_through() >= Some(hour / HOURS_OF_DAY);
            if is_closed || self.make_hour(hour, now, &mut writes)? {
                writes.insert(Row::Stale(hour), None);
            } else {
                self.made_at.insert(hour, now);
            }
            if writes.len() >= ROWS {
                self.views.commit(&std::mem::take(&mut writes), self.views.head())?;
            }
        }
        if !writes.is_empty() {
            self.views.commit(&writes, self.views.head())?;
        }
        Ok(left)
    }

    /// Makes every hour that can be made.
    ///
    /// # Errors
    /// As [`Rollups::make_slots`].
    pub fn make_all_slots(&mut self) -> Result<(), Error> {
        while self.make_slots(64)? > 0 {}
        Ok(())
    }

    /// Makes what must be made before minutes are let go, and writes the days to files that nothing can change any
    /// more.
    ///
    /// # Errors
    /// As [`Rollups::make_slots`].
    pub(super) fn close_days(&mut self) -> Result<(), Error> {
        let head = self.views.head();
        let kept = Resolution::Minute.kept_for().unwrap_or_default();
        let today = hour_of(head.now().minus(kept)) / HOURS_OF_DAY;
        let Some(through) = today.checked_sub(1) else { return Ok(()) };
        let closed = self.views.closed_through();
        if closed >= Some(through) {
            return Ok(());
        }
        match self.make_all_slots() {
            Err(Error::Damaged { .. }) => return Ok(()), // noted; rebuilt first
            made => made?,
        }
        let mut first = None;
        self.views.table(Table::Slots, |row, _| {
            if let (Row::Slots { day, .. }, None) = (row, first) {
                first = Some(day);
            }
            Ok(())
        })?;
        let from = closed.map_or(first, |day| Some(day.saturating_add(1)));
        match from {
            Some(from) if from <= through => self.views.close_days(from, through),
            _ => Ok(()),
        }
    }

    /// Adds the slots of an hour to what is to be written; whether no minute of it is too early to say.
    fn make_hour(&self, hour: u32, now: WallTime, writes: &mut Writes) -> Result<bool, Error> {
        let chronicle = self.chronicle();
        let seen = seen(&self.views, &chronicle, hour)?;
        let judged = slots::hour(&chronicle, hour, now, &seen);
        drop(chronicle);
        let (day, hour_of_day) = (hour / HOURS_OF_DAY, hour % HOURS_OF_DAY);
        let first = u16::try_from(hour_of_day * HOUR_MINUTES).unwrap_or(0);
        let mut kept: BTreeMap<ServiceId, Vec<u8>> =
            judged.services.keys().map(|service| (*service, Vec::new())).collect();
        self.views.slots_of_day(day, |service, bytes| {
            kept.insert(service, bytes.to_vec());
            Ok(())
        })?;
        let none = vec![None; 60];
        for (service, mut bytes) in kept {
            let row = Row::Slots { day, service };
            if let Some(waiting) = writes.get(&row) {
                bytes = waiting.clone().unwrap_or_default();
            }
            // a row that cannot be read was written by a newer version: it begins anew
            let mut slots = Slots::decode(&bytes).unwrap_or_default();
            slots.set(first, judged.services.get(&service).unwrap_or(&none));
            let made = slots.encode();
            if made != bytes {
                writes.insert(row, Some(made).filter(|bytes| !bytes.is_empty()));
            }
        }
        Ok(judged.is_whole)
    }
}

/// What was observed in an hour, and before it as far as it speaks for that hour.
fn seen(views: &Views, chronicle: &Chronicle, hour: u32) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let (start, end) = (of_hour(hour).start(), of_hour(hour).end());
    let mut reads_hour_before = false;
    for (_, history) in chronicle.agents() {
        for (_, runs) in history.runs() {
            let spans = runs.schedule.spans().iter();
            let held = spans.filter(|span| span.from < end && span.until.is_none_or(|u| u > start));
            match held.map(|span| look_back(span.check.cadence)).max() {
                None | Some(..=1) => {}
                Some(..=61) => reads_hour_before = true,
                Some(longest) => newest_before(views, (runs.series, longest), hour, &mut seen)?,
            }
        }
    }
    let first = if reads_hour_before { hour.saturating_sub(1) } else { hour };
    for hour in first..=hour {
        let period = of_hour(hour);
        views.figures_of_all(period, PhaseId::TOTAL, |series, bytes| {
            take_in(period, series, bytes, &mut seen)
        })?;
    }
    Ok(seen)
}

/// The newest run of a series before an hour, where it is near enough to speak for that hour.
fn newest_before(
    views: &Views,
    (series, longest): (SeriesId, u32),
    hour: u32,
    seen: &mut Seen,
) -> Result<(), Error> {
    let reach = longest.div_ceil(HOUR_MINUTES).min(DAY_HOURS_AND_ONE);
    for before in (hour.saturating_sub(reach)..hour).rev() {
        let period = of_hour(before);
        let mut found = false;
        for bytes in views.figures(period, series, PhaseId::TOTAL)? {
            take_in(period, series, &bytes, seen)?;
            found = true;
        }
        if found && seen.knows(series) {
            return Ok(());
        }
    }
    Ok(())
}

fn take_in(period: Period, series: SeriesId, bytes: &[u8], seen: &mut Seen) -> Result<(), Error> {
    let why = "its figures cannot be read";
    let column = Column::decode(bytes).ok().ok_or(Error::Damaged { period, why })?;
    let first = period.number.saturating_mul(HOUR_MINUTES);
    for (bucket, cell) in column.iter() {
        seen.insert(series, first.saturating_add(u32::from(bucket)), &cell.counts);
    }
    Ok(())
}

fn of_hour(number: u32) -> Period {
    Period { resolution: Resolution::Minute, number }
}
