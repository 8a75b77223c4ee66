//! What queries ask for.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use mailsonde_proto::{AgentId, WallTime};
use prost::Message;

use super::recent::Recent;
use crate::judge::availability::Schedule;
use crate::judge::chronicle::Chronicle;
use crate::judge::column::Column;
use crate::judge::gauge::Gauges;
use crate::judge::incident::Incident;
use crate::judge::live::SeriesState;
use crate::judge::registry::{AgentRecord, SeriesRecord};
use crate::judge::rollup::{Cell, Counts};
use crate::judge::telling::Notice;
use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId};
use crate::store::{Error, Head, Row, Table, Views};

/// From when to when: the first is included, the last is not.
pub type Range = std::ops::Range<WallTime>;

/// Reads the views; cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) views: Arc<Views>,
    chronicle: Arc<RwLock<Chronicle>>,
    recent: Arc<Mutex<Recent>>,
}

impl Reader {
    pub(super) fn new(views: Arc<Views>, chronicle: Arc<RwLock<Chronicle>>) -> Self {
        Self { views, chronicle, recent: Arc::default() }
    }

    /// What was in force when, as far as the pipeline has read. The pipeline waits while this is held: not for as long
    /// as an answer is written.
    pub fn chronicle(&self) -> RwLockReadGuard<'_, Chronicle> {
        self.chronicle.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to where the journals are in the figures, and the latest tick.
    pub fn head(&self) -> Head {
        self.views.head()
    }

    /// Every agent that was ever heard of.
    ///
    /// # Errors
    /// When the rows cannot be read; so with all the others.
    pub fn agents(&self) -> Result<BTreeMap<AgentId, AgentRecord>, Error> {
        self.table(Table::Agents, |row, value| match row {
            Row::Agent(agent) => Some((agent, AgentRecord::decode(value).ok()?)),
            _ => None,
        })
    }

    /// Every check at every vantage point.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn series(&self) -> Result<BTreeMap<SeriesId, SeriesRecord>, Error> {
        self.table(Table::Series, |row, value| match row {
            Row::Series(series) => Some((series, SeriesRecord::decode(value).ok()?)),
            _ => None,
        })
    }

    /// What phases are called.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn phases(&self) -> Result<BTreeMap<PhaseId, String>, Error> {
        let mut phases = self.table(Table::Phases, |row, value| match row {
            Row::Phase(phase) => Some((phase, String::from_utf8_lossy(value).into_owned())),
            _ => None,
        })?;
        phases.insert(PhaseId::TOTAL, PhaseId::TOTAL_NAME.into());
        Ok(phases)
    }

    /// How every series is doing.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn states(&self) -> Result<BTreeMap<SeriesId, Arc<SeriesState>>, Error> {
        self.recent().states(&self.views)
    }

    /// What is kept of what questions about now read; others wait while it is held.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What targets measured of themselves, by series and month.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn gauges(&self) -> Result<BTreeMap<(SeriesId, u32), Gauges>, Error> {
        self.table(Table::Gauges, |row, value| match row {
            Row::Gauges { series, month } => Some(((series, month), Gauges::decode(value).ok()?)),
            _ => None,
        })
    }

    /// When every series was to run.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn schedules(&self) -> Result<BTreeMap<SeriesId, Schedule>, Error> {
        self.table(Table::Schedules, |row, value| match row {
            Row::Schedule(series) => Some((series, Schedule::decode(value))),
            _ => None,
        })
    }

    /// Every incident, oldest first; one that cannot be read is left out.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn incidents(&self) -> Result<Vec<Incident>, Error> {
        let mut incidents = Vec::new();
        self.views.table(Table::Incidents, |_, value| {
            incidents.extend(Incident::decode(value).ok());
            Ok(())
        })?;
        Ok(incidents)
    }

    /// One incident.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn incident(&self, number: u64) -> Result<Option<Incident>, Error> {
        let bytes = self.views.get(&Row::Incident(number))?;
        Ok(bytes.and_then(|bytes| Incident::decode(&bytes).ok()))
    }

    /// Messages to channels, oldest first; one that cannot be read is left out.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn notices(&self) -> Result<Vec<Notice>, Error> {
        let mut notices = Vec::new();
        self.views.table(Table::Notices, |_, value| {
            notices.extend(serde_json::from_slice::<Notice>(value).ok());
            Ok(())
        })?;
        Ok(notices)
    }

    /// The cells of one series and phase whose buckets begin in a range, by the bucket's begin.
    ///
    /// # Errors
    /// When they cannot be read; [`Error::Damaged`] until the period was rebuilt.
    pub fn cells(
        &self,
        (series, phase): (SeriesId, PhaseId),
        resolution: Resolution,
        range: &Range,
    ) -> Result<BTreeMap<WallTime, Cell>, Error> {
        let mut cells: BTreeMap<WallTime, Cell> = BTreeMap::new();
        for period in self.periods(resolution, range)? {
            for stretch in self.views.figures(period, series, phase)? {
                for (bucket, cell) in column(period, &stretch)?.iter() {
                    let begin = period.bucket_start(bucket);
                    if range.contains(&begin) {
                        cells.entry(begin).or_default().merge(cell);
                    }
                }
            }
        }
        Ok(cells)
    }

    /// The sum of a phase's cells whose buckets begin in a range, for every series.
    ///
    /// # Errors
    /// As [`Reader::cells`].
    pub fn sums(
        &self,
        phase: PhaseId,
        resolution: Resolution,
        range: &Range,
    ) -> Result<BTreeMap<SeriesId, Cell>, Error> {
        let mut sums: BTreeMap<SeriesId, Cell> = BTreeMap::new();
        for period in self.periods(resolution, range)? {
            self.views.figures_of_all(period, phase, |series, stretch| {
                for (bucket, cell) in column(period, stretch)?.iter() {
                    if range.contains(&period.bucket_start(bucket)) {
                        sums.entry(series).or_default().merge(cell);
                    }
                }
                Ok(())
            })?;
        }
        Ok(sums)
    }

    /// Everything that was ever counted, by verdict: what a recount of the journal must come to.
    ///
    /// # Errors
    /// As [`Reader::cells`].
    pub fn totals(&self) -> Result<Counts, Error> {
        let always = WallTime::from_ns(i64::MIN)..WallTime::from_ns(i64::MAX);
        let sums = self.sums(PhaseId::TOTAL, Resolution::Day, &always)?;
        Ok(sums.values().fold(Counts::default(), |mut all, cell| {
            all.merge(&cell.counts);
            all
        }))
    }

    /// Writes every figure there is, in one order and encoding: equal views give equal bytes, however
    /// they came about and are kept.
    ///
    /// # Errors
    /// As [`Reader::cells`], or when `to` cannot be written.
    pub fn dump(&self, to: &mut impl Write) -> Result<(), Error> {
        let mut text = |line: String| {
            let written = to.write_all(line.as_bytes());
            written.map_err(|source| Error::Io { what: "write", path: "dump".into(), source })
        };
        for resolution in Resolution::ALL {
            for period in self.views.periods(resolution)? {
                let mut columns: BTreeMap<(PhaseId, SeriesId), Column> = BTreeMap::new();
                self.views.all_figures(period, |phase, series, stretch| {
                    columns.entry((phase, series)).or_default().merge(&column(period, stretch)?);
                    Ok(())
                })?;
                for ((phase, series), column) in columns {
                    let (place, bytes) = (period.label(), hex::encode(column.encode()));
                    text(format!("{place} {:08x} {:016x} {bytes}\n", phase.0, series.0))?;
                }
            }
        }
        // not what is still to be done: the marks of stale hours
        let tables = [
            Table::Agents,
            Table::Series,
            Table::Phases,
            Table::States,
            Table::Schedules,
            Table::Slots,
            Table::Watches,
            Table::Traits,
            Table::Burns,
            Table::Incidents,
            Table::Judge,
            Table::Told,
            Table::Notices,
            Table::Telling,
            Table::Gauges,
        ];
        for table in tables {
            self.views
                .table(table, |row, value| text(format!("{row:?} {}\n", hex::encode(value))))?;
        }
        Ok(())
    }

    pub(super) fn periods(
        &self,
        resolution: Resolution,
        range: &Range,
    ) -> Result<Vec<Period>, Error> {
        let periods = self.views.periods(resolution)?;
        let overlaps = |period: &Period| period.start() < range.end && range.start < period.end();
        Ok(periods.into_iter().filter(overlaps).collect())
    }

    fn table<K: Ord, V>(
        &self,
        table: Table,
        mut read: impl FnMut(Row, &[u8]) -> Option<(K, V)>,
    ) -> Result<BTreeMap<K, V>, Error> {
        let mut found = BTreeMap::new();
        self.views.table(table, |row, value| {
            found.extend(read(row, value));
            Ok(())
        })?;
        Ok(found)
    }
}

fn column(period: Period, bytes: &[u8]) -> Result<Column, Error> {
    let why = "its figures cannot be read";
    Column::decode(bytes).ok().ok_or(Error::Damaged { period, why })
}
