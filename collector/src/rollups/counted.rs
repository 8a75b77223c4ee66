//! What figures of services are made of: their minutes, and the counts of whole hours and days.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Reader;
use crate::judge::burn::Burns;
use crate::judge::column::Column;
use crate::judge::rollup::Cell;
use crate::judge::slots::Slots;
use crate::period::Period;
use crate::series::{PhaseId, SeriesId, ServiceId};
use crate::store::{Error, Row};

/// So many services or series are looked up one by one; of more, all are read.
const FEW: usize = 16;

/// What is read of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Counts only: less than half the work.
    Counts,
    /// How long runs took, too.
    Latencies,
}

impl Reader {
    /// The minutes of services on UTC days (from 1970-01-01), by day.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn slots(
        &self,
        days: Range<u32>,
        services: &BTreeSet<ServiceId>,
        mut each: impl FnMut(u32, ServiceId, &Slots),
    ) -> Result<(), Error> {
        let mut read = |day, service, bytes: &[u8]| {
            if let Some(slots) = Slots::decode(bytes) {
                each(day, service, &slots);
            }
        };
        for day in days {
            if services.len() > FEW {
                self.views.slots_of_day(day, |service, bytes| {
                    read(day, service, bytes);
                    Ok(())
                })?;
                continue;
            }
            for service in services {
                if let Some(bytes) = self.views.get(&Row::Slots { day, service: *service })? {
                    read(day, *service, &bytes);
                }
            }
        }
        Ok(())
    }

    /// The cells of these series in a period, by bucket, each in the detail that is asked for; one bucket may come in
    /// several pieces.
    ///
    /// # Errors
    /// As [`Reader::cells`].
    pub fn counted(
        &self,
        period: Period,
        series: &BTreeMap<SeriesId, Detail>,
        mut each: impl FnMut(SeriesId, u8, &Cell),
    ) -> Result<(), Error> {
        let mut read = |series, detail, bytes: &[u8]| {
            let why = "its figures cannot be read";
            let column = match detail {
                Detail::Counts => Column::decode_counts(bytes),
                Detail::Latencies => Column::decode(bytes),
            };
            let column = column.ok().ok_or(Error::Damaged { period, why })?;
            column.iter().for_each(|(bucket, cell)| each(series, bucket, cell));
            Ok(())
        };
        if series.len() > FEW {
            return self.views.figures_of_all(period, PhaseId::TOTAL, |there, bytes| {
                series.get(&there).map_or(Ok(()), |detail| read(there, *detail, bytes))
            });
        }
        for (series, detail) in series {
            for bytes in self.views.figures(period, *series, PhaseId::TOTAL)? {
                read(*series, *detail, &bytes)?;
            }
        }
        Ok(())
    }

    /// How fast a service spends its budgets.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn burns(&self, service: ServiceId) -> Result<Burns, Error> {
        Ok(Burns::decode(&self.views.get(&Row::Burn(service))?.unwrap_or_default()))
    }
}
