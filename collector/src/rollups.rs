//! Judge and store joined: observations in, figures out.
//!
//! The pipeline owns [`Rollups`]: it reads both journals from [`Rollups::cursors`], gives every record to
//! [`Rollups::observe`] or [`Rollups::event`], says how far it has come, and commits from time to time.
//! Queries read through any number of [`Reader`]s, which see whole commits only.
//!
//! After any error the pipeline calls [`Rollups::recover`] and reads on from the cursors it then finds:
//! what was gathered is gone, and the journals still have it.

pub mod reader;

mod apply;
mod counted;
mod import;
mod judging;
mod merge;
mod missing;
mod pace;
mod recent;
mod slots;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use mailsonde_proto::WallTime;

pub use self::counted::Detail;
pub use self::judging::Happened;
pub use self::pace::{Pace, Percentiles};
pub use self::reader::Reader;
use crate::judge::chronicle::Chronicle;
use crate::judge::engine::Engine;
use crate::judge::fold::{Fold, Sealed};
use crate::judge::objective::thresholds;
use crate::judge::registry::Event;
use crate::judge::telling::Teller;
use crate::period::{Period, Resolution};
use crate::store::recovery::What;
use crate::store::{Error, Extent, Found, Head, Recovery, Row, Views, Writes};

/// How long after its end a period waits for what comes late, before it is sealed.
const GRACE: Duration = Duration::from_secs(15 * 60);
/// How often a sealed period takes in what came later still.
const AGAIN: Duration = Duration::from_secs(3_600);
/// How often the days of the month that is under way are sealed.
const DAYS_AGAIN: Duration = Duration::from_secs(86_400);
/// How often a snapshot is written.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(3_600);

/// Where the pipeline reads on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// The next record of the journal of observations.
    pub next: u64,
    /// The next record of the control journal.
    pub control_next: u64,
}

/// What [`Rollups::maintain`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Periods that were sealed.
    pub sealed: Vec<Period>,
    /// Periods that were past their time and are removed.
    pub retired: Vec<Period>,
    /// Whether a snapshot was written.
    pub has_snapshot: bool,
    /// Damage that was found. When there is any, the cursor went back: read on from there.
    pub recovered: Vec<Recovery>,
}

/// The figures of one collector, and what was gathered for the next commit.
#[derive(Debug)]
pub struct Rollups {
    views: Arc<Views>,
    /// What was in force when, as far as was read: the pipeline tells it, before the fold, every control record.
    chronicle: Arc<RwLock<Chronicle>>,
    fold: Fold,
    /// Observations before this have been judged.
    floor: u64,
    engine: Engine,
    teller: Teller,
    cursors: Cursors,
    snapshot_at: WallTime,
    /// For which time the slots of hours that are under way were made.
    made_at: BTreeMap<u32, WallTime>,
    /// Incidents that commits changed since somebody asked.
    changed: BTreeSet<u64>,
}

impl Rollups {
    /// Opens the views in `folder`, whatever state they are in, and says what was found.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(
        folder: &Path,
        ledger: Extent,
        now: WallTime,
    ) -> Result<(Self, Vec<Recovery>), Error> {
        let (views, found) = Views::open(folder, ledger, now)?;
        let mut rollups = Self {
            views: Arc::new(views),
            chronicle: Arc::default(),
            fold: Fold::default(),
            floor: 0,
            engine: Engine::default(),
            teller: Teller::default(),
            cursors: Cursors::default(),
            snapshot_at: now,
            made_at: BTreeMap::new(),
            changed: BTreeSet::new(),
        };
        let recovered = rollups.repair(found, ledger, now)?;
        Ok((rollups, recovered))
    }

    /// Opens the views again after an error, and forgets what was gathered.
    ///
    /// # Errors
    /// As [`Rollups::open`]. It can be tried again.
    pub fn recover(&mut self, ledger: Extent, now: WallTime) -> Result<Vec<Recovery>, Error> {
        let found = self.views.reopen(ledger, now)?;
        self.repair(found, ledger, now)
    }

    /// Where to read on.
    pub fn cursors(&self) -> Cursors {
        self.cursors
    }

    /// For queries.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.views), Arc::clone(&self.chronicle))
    }

    /// What was in force when, to be told the next record. Queries wait while this is held.
    pub fn chronicle_mut(&self) -> RwLockWriteGuard<'_, Chronicle> {
        self.chronicle.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn chronicle(&self) -> RwLockReadGuard<'_, Chronicle> {
        self.chronicle.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another chronicle in the place of the one there is: made anew from the control journal.
    pub fn set_chronicle(&mut self, chronicle: Chronicle) {
        *self.chronicle_mut() = chronicle;
        self.heed_limits();
    }

    fn heed_limits(&mut self) {
        let limits_us = thresholds(self.chronicle().current());
        self.fold.count_against(limits_us);
    }

    /// Makes ready for other definitions at `at`: what was to be made by those before is made. Then tell the chronicle,
    /// and then [`Rollups::redefined`].
    ///
    /// # Errors
    /// As [`Rollups::commit`].
    pub fn before_definitions(&mut self) -> Result<(), Error> {
        self.commit()?;
        match self.make_all_slots() {
            Err(Error::Damaged { .. }) => Ok(()), // noted; what is rebuilt is marked anew
            made => made,
        }
    }

    /// Other definitions hold from `at` on. The first hold back: every hour whose minutes may still change is made
    /// anew.
    pub fn redefined(&mut self, at: WallTime, is_first: bool) {
        let last = slots::hour_of(at);
        let taken = Resolution::Minute.taken_for().unwrap_or_default();
        let first = if is_first { slots::hour_of(at.minus(taken)) } else { last };
        self.fold.restate(first..=last);
        self.heed_limits();
    }

    /// Takes in an event; `sequence` where it comes from the journal of observations.
    pub fn event(&mut self, sequence: Option<u64>, event: Event) {
        self.fold.event(sequence, event);
    }

    /// Everything before these cursors was taken in. Call it between records, before a commit.
    pub fn advance(&mut self, cursors: Cursors) {
        self.cursors = cursors;
    }

    /// Whether so much is gathered that it should be committed before anything else is taken in.
    pub fn is_full(&self) -> bool {
        self.fold.is_full()
    }

    /// Writes what was gathered, with the cursors, all of it or nothing.
    ///
    /// # Errors
    /// When the disk is full or cannot be written: then [`Rollups::recover`].
    pub fn commit(&mut self) -> Result<(), Error> {
        let committed = self.write();
        if committed.is_err() {
            // What was gathered is gone: a commit before the recovery must not say that it was read.
            let head = self.views.head();
            self.cursors = Cursors { next: head.next, control_next: head.control_next };
        }
        committed
    }

    fn write(&mut self) -> Result<(), Error> {
        let delta = self.fold.take();
        let mut head = self.views.head();
        let is_news =
            (head.next, head.control_next) != (self.cursors.next, self.cursors.control_next);
        if !is_news && delta == crate::judge::fold::Delta::default() {
            return Ok(());
        }
        head.next = self.cursors.next;
        head.control_next = self.cursors.control_next;
        head.floor = head.floor.max(head.next);
        if let Some(now) = delta.now {
            head.set_now(now);
        }
        let marks = slots::marks(&delta, &self.chronicle(), head.now());
        let mut writes = apply::writes(&self.views, delta)?;
        for (hour, mark) in marks {
            if self.views.get(&hour)?.is_none() {
                writes.insert(hour, mark);
            }
        }
        judging::put(&mut writes, self.engine.take());
        telling::put(&mut writes, self.teller.take());
        self.views.commit(&writes, head)?;
        self.changed.extend(writes.keys().filter_map(|row| match row {
            Row::Incident(number) => Some(*number),
            _ => None,
        }));
        Ok(())
    }

    /// Incidents that commits changed since it was last asked.
    pub fn take_changed_incidents(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.changed)
    }

    /// Seals what is closed, removes what is past its time, writes a snapshot, rebuilds what is damaged:
    /// whatever is due at `now`. It commits first.
    ///
    /// # Errors
    /// When the disk is full or cannot be written: then [`Rollups::recover`].
    pub fn maintain(&mut self, ledger: Extent, now: WallTime) -> Result<Maintained, Error> {
        self.commit()?;
        let mut done = Maintained::default();
        let damaged: Vec<Period> = self.views.take_damaged().into_iter().collect();
        if !damaged.is_empty() {
            damaged.iter().try_for_each(|period| self.views.set_aside(*period))?;
            let found = Found { recovered: Vec::new(), lost: damaged };
            done.recovered = self.repair(found, ledger, now)?;
        }
        self.close_days()?;
        // by the time of the journals, not by ours: a replay lets go of nothing that it has not made slots of
        let told = self.views.head().now();
        // minutes of an hour of which agreements leave out a part are kept as long as hours
        let is_wanted = {
            let planned = self.chronicle().planned.clone();
            let kept = Resolution::Hour.kept_for().unwrap_or_default();
            move |period: Period| {
                period.resolution == Resolution::Minute
                    && period.end().plus(kept) > told
                    && planned.cuts(&(period.start()..period.end()))
            }
        };
        done.retired = self.views.retire(told, is_wanted)?;
        for (period, sealed_at) in self.views.open_periods()? {
            if is_due(period, sealed_at, now) {
                match self.seal(period, now) {
                    Err(Error::Damaged { .. }) => {} // noted, and rebuilt the next time
                    result => result.map(|()| done.sealed.push(period))?,
                }
            }
        }
        if now >= self.snapshot_at.plus(SNAPSHOT_EVERY) {
            self.views.snapshot()?;
            self.snapshot_at = now;
            done.has_snapshot = true;
        }
        Ok(done)
    }

    /// Writes a snapshot now, such as before the end.
    ///
    /// # Errors
    /// When the disk is full or cannot be written.
    pub fn snapshot(&self) -> Result<(), Error> {
        self.views.snapshot()
    }

    fn seal(&mut self, period: Period, now: WallTime) -> Result<(), Error> {
        // The days are kept for ever and know every series: their files tell the names.
        let names = match period.resolution {
            Resolution::Day => merge::names(&self.views)?,
            Resolution::Minute | Resolution::Hour => Vec::new(),
        };
        let mark = self.views.seal(period, now, &names, merge::columns)?;
        self.fold.sealed(period, mark);
        Ok(())
    }

    /// Sends the cursor back for periods that are lost, when everything else is sealed up to here and so
    /// counts nothing twice.
    fn repair(
        &mut self,
        found: Found,
        ledger: Extent,
        now: WallTime,
    ) -> Result<Vec<Recovery>, Error> {
        let Found { mut recovered, mut lost } = found;
        if recovered
            .iter()
            .any(|each| matches!(each.what, What::RowsAnew | What::RowsFromSnapshot { .. }))
        {
            apply::restore_names(&self.views)?;
            self.views.restore_days()?;
        }
        let mut head = self.views.head();
        if !lost.is_empty() {
            for (period, _) in self.views.open_periods()? {
                match self.seal(period, now) {
                    Err(Error::Damaged { period, .. }) => {
                        self.views.set_aside(period)?;
                        lost.push(period);
                    }
                    result => result?,
                }
            }
            head = self.views.head();
            head.next = ledger.first;
            let note = |period| match self.views.mark(period) {
                0 => None,
                mark => Some(mark.to_be_bytes().to_vec()),
            };
            let notes: Writes =
                lost.iter().map(|period| (Row::Sealed(*period), note(*period))).collect();
            self.views.commit(&notes, head)?;
            recovered.extend(
                lost.iter()
                    .filter(|period| !is_told(&recovered, **period))
                    .map(|period| {
                        let why = "its figures cannot be read".into();
                        Recovery { what: What::SealedSetAside(*period), why }
                    })
                    .collect::<Vec<_>>(),
            );
        }
        if head.next < ledger.first {
            // Records are counted from 1: views that have read none yet miss nothing by that.
            let first = head.next.max(1);
            if first < ledger.first {
                let what = What::Skipped { first, next: ledger.first };
                let why = "the journal no longer has them".into();
                recovered.push(Recovery { what, why });
            }
            head.next = ledger.first;
        }
        self.begin(head);
        Ok(recovered)
    }

    fn begin(&mut self, head: Head) {
        let mut sealed = Sealed::default();
        self.views.marks().into_iter().for_each(|(period, mark)| sealed.insert(period, mark));
        self.fold = Fold::new(head.floor, sealed, head.now());
        self.made_at.clear();
        self.heed_limits();
        self.floor = head.floor;
        self.cursors = Cursors { next: head.next, control_next: head.control_next };
    }
}

fn is_told(recovered: &[Recovery], period: Period) -> bool {
    recovered.iter().any(|each| each.what == What::SealedSetAside(period))
}

fn is_due(period: Period, sealed_at: Option<WallTime>, now: WallTime) -> bool {
    let again = match period.resolution {
        Resolution::Day => DAYS_AGAIN,
        Resolution::Minute | Resolution::Hour => AGAIN,
    };
    match (sealed_at, period.resolution) {
        (Some(at), _) => now >= at.plus(again),
        // A month would be long: its first days are sealed when one of them is over.
        (None, Resolution::Day) => now >= period.start().plus(DAYS_AGAIN).plus(GRACE),
        (None, _) => now >= period.end().plus(GRACE),
    }
}

#[cfg(test)]
mod tests;
