//! Figures that were counted elsewhere: what a generator or another program counted, put where counting here would have
//! put it. Absent on purpose: any check that observations stand behind them.

use std::collections::BTreeMap;

use mailsonde_proto::WallTime;

use super::{Error, Rollups, apply, merge, slots};
use crate::judge::column::Column;
use crate::judge::fold::Delta;
use crate::judge::slots::Slots;
use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId, ServiceId};
use crate::store::{Row, Writes};

impl Rollups {
    /// Merges what was counted elsewhere into what is stored, with services' minutes by day (from 1970-01-01 UTC), in
    /// one commit. What was gathered before is committed first.
    ///
    /// # Errors
    /// As [`Rollups::commit`].
    pub fn take_in(
        &mut self,
        counted: Delta,
        minutes: &BTreeMap<(u32, ServiceId), Slots>,
    ) -> Result<(), Error> {
        self.commit()?;
        let head = self.views.head();
        let mut writes: Writes = slots::marks(&counted, &self.chronicle(), head.now());
        writes.extend(apply::writes(&self.views, counted)?);
        writes.extend(minutes.iter().map(|((day, service), slots)| {
            let row = Row::Slots { day: *day, service: *service };
            (row, Some(slots.encode()).filter(|bytes| !bytes.is_empty()))
        }));
        self.views.commit(&writes, head)
    }

    /// Seals a period that nothing is known of yet, with figures that were counted elsewhere.
    ///
    /// # Errors
    /// When the period is sealed already, or the disk is full or cannot be written.
    pub fn seal_counted(
        &mut self,
        period: Period,
        now: WallTime,
        columns: &BTreeMap<(PhaseId, SeriesId), Column>,
    ) -> Result<(), Error> {
        self.commit()?;
        let names = match period.resolution {
            Resolution::Day => merge::names(&self.views)?,
            Resolution::Minute | Resolution::Hour => Vec::new(),
        };
        let encoded: BTreeMap<_, _> =
            columns.iter().map(|(key, column)| (*key, column.encode())).collect();
        let mark = self.views.seal_counted(period, now, &names, &encoded)?;
        self.fold.sealed(period, mark);
        Ok(())
    }
}
