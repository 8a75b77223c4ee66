//! Figures as they are read: from the sealed file of a period and from the rows that add to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use super::row::figures_prefix;
use super::sealed::EntryKey;
use super::views::{Opened, Views, each_phase};
use super::{Error, Row, Table};
use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId};

impl Views {
    /// Every period that there are figures of, sealed or open, oldest first.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn periods(&self, resolution: Resolution) -> Result<BTreeSet<Period>, Error> {
        let opened = self.read();
        let sealed = opened.shelf.iter().map(|(period, _)| period);
        let mut periods: BTreeSet<Period> = sealed.collect();
        periods.extend(opened.open_periods()?.into_keys());
        periods.retain(|period| period.resolution == resolution);
        Ok(periods)
    }

    /// The mark of every sealed period.
    pub fn marks(&self) -> Vec<(Period, u64)> {
        self.read().shelf.iter().map(|(period, volume)| (period, volume.mark)).collect()
    }

    /// The mark of a period's file; 0 where there is none.
    pub fn mark(&self, period: Period) -> u64 {
        self.read().shelf.mark(period)
    }

    /// What is kept of one series and phase in a period: stretches of bytes that are to be merged.
    ///
    /// # Errors
    /// When they cannot be read; [`Error::Damaged`] when the period has to be rebuilt.
    pub fn figures(
        &self,
        period: Period,
        series: SeriesId,
        phase: PhaseId,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let found = self.read().figures(period, series, phase);
        self.noting(found)
    }

    /// What is kept of one phase in a period, of all series: the same series may come several times.
    ///
    /// # Errors
    /// As [`Views::figures`], or when `each` fails.
    pub fn figures_of_all(
        &self,
        period: Period,
        phase: PhaseId,
        mut each: impl FnMut(SeriesId, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let range = ((phase, SeriesId(0)), (phase, SeriesId(u64::MAX)));
        let read = self.read().range(period, range, |(_, series), bytes| each(series, bytes));
        self.noting(read)
    }

    /// What is kept of a period, of all phases and series: the same pair may come several times.
    ///
    /// # Errors
    /// As [`Views::figures`], or when `each` fails.
    pub fn all_figures(
        &self,
        period: Period,
        mut each: impl FnMut(PhaseId, SeriesId, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let range = ((PhaseId::TOTAL, SeriesId(0)), (PhaseId(u32::MAX), SeriesId(u64::MAX)));
        let read =
            self.read().range(period, range, |(phase, series), bytes| each(phase, series, bytes));
        self.noting(read)
    }

    /// The sealed periods that were found damaged since this was last asked; they have to be rebuilt.
    pub fn take_damaged(&self) -> BTreeSet<Period> {
        std::mem::take(&mut *self.damaged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of damage, so that it is rebuilt.
    pub(super) fn noting<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Damaged { period, .. }) = &result {
            self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(*period);
        }
        result
    }
}

impl Opened {
    fn figures(
        &self,
        period: Period,
        series: SeriesId,
        phase: PhaseId,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::new();
        if let Some(reader) = self.shelf.reader(period)? {
            found.extend(reader.get((phase, series))?);
        }
        let prefix = figures_prefix(period, Some(self.shelf.mark(period)), Some(series));
        self.rows.scan(&prefix, |_, value| {
            each_phase(value, |there, bytes| {
                if there == phase {
                    found.push(bytes.to_vec());
                }
            });
            Ok(())
        })?;
        Ok(found)
    }

    fn range(
        &self,
        period: Period,
        (from, to): (EntryKey, EntryKey),
        mut each: impl FnMut(EntryKey, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(reader) = self.shelf.reader(period)? {
            reader.range(from, to, &mut each)?;
        }
        self.each_open(
            period,
            |key, bytes| {
                if (from..=to).contains(&key) { each(key, bytes) } else { Ok(()) }
            },
        )
    }

    /// The periods that have rows, and the marks those have.
    pub(super) fn open_periods(&self) -> Result<BTreeMap<Period, BTreeSet<u64>>, Error> {
        let prefix = [Table::Figures.prefix()];
        let mut found: BTreeMap<Period, BTreeSet<u64>> = BTreeMap::new();
        let mut from = prefix.to_vec();
        while let Some(Row::Figures { period, mark, .. }) = self.rows.first_from(&from, &prefix)? {
            found.entry(period).or_default().insert(mark);
            from = figures_prefix(period, Some(mark), Some(SeriesId(u64::MAX)));
            from.extend([u8::MAX; 2]); // behind every stretch and chunk of this mark
        }
        Ok(found)
    }

    /// What the rows of an open period hold.
    pub(super) fn each_open(
        &self,
        period: Period,
        mut each: impl FnMut(EntryKey, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let prefix = figures_prefix(period, Some(self.shelf.mark(period)), None);
        self.rows.scan(&prefix, |row, value| {
            let Row::Figures { series, .. } = row else { return Ok(()) };
            let mut result = Ok(());
            each_phase(value, |phase, bytes| {
                if result.is_ok() {
                    result = each((phase, series), bytes);
                }
            });
            result
        })
    }
}
