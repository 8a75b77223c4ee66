//! What questions about now read, kept decoded: states, and the figures of the last hours.
//!
//! Invariant: it is what the views say at a commit that was whole when the question came. Before each answer the rows
//! that commits changed since the last one are read again, and only those; where nobody knows what changed, all of it.
//! For more series than [`MOST_KEPT`] nothing is kept: the memory would be dearer than the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailsonde_proto::WallTime;
use prost::Message;

use super::pace::Usual;
use super::reader::Range;
use crate::judge::column::{Column, NotAColumn};
use crate::judge::live::SeriesState;
use crate::judge::rollup::{Cell, Counts};
use crate::judge::sketch::Sketch;
use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId};
use crate::store::{AsOf, Error, Row, Table, Views};

/// Series of which anything is kept decoded, at most.
const MOST_KEPT: usize = 20_000;
/// Of a sealed period with more changes than this, all is read again: one file, not so many looks into it.
const MANY: usize = 50;

/// Everything that is kept.
#[derive(Debug)]
pub(super) struct Recent {
    pub(super) usual: Usual,
    states: States,
    latencies: Figures<Sketch>,
    minutes: Figures<Counts>,
    hours: Figures<Counts>,
}

impl Default for Recent {
    fn default() -> Self {
        let latency = |known: &mut Sketch, cell: &Cell| known.merge(&cell.latency);
        let counts = |known: &mut Counts, cell: &Cell| known.merge(&cell.counts);
        Self {
            usual: Usual::default(),
            states: States::default(),
            latencies: Figures::new(Resolution::Minute, Column::decode, latency),
            minutes: Figures::new(Resolution::Minute, Column::decode_counts, counts),
            hours: Figures::new(Resolution::Hour, Column::decode_counts, counts),
        }
    }
}

impl Recent {
    pub(super) fn states(
        &mut self,
        views: &Views,
    ) -> Result<BTreeMap<SeriesId, Arc<SeriesState>>, Error> {
        self.states.read(views)
    }

    /// How long the runs that passed took in the minutes of a range.
    pub(super) fn latencies(
        &mut self,
        views: &Views,
        range: &Range,
    ) -> Result<BTreeMap<SeriesId, Sketch>, Error> {
        self.latencies.read(views, range, |known| {
            let mut sum = Sketch::default();
            known.values().for_each(|latency| sum.merge(latency));
            sum
        })
    }

    /// What was counted in each bucket of a range.
    pub(super) fn counts(
        &mut self,
        views: &Views,
        resolution: Resolution,
        range: &Range,
    ) -> Result<BTreeMap<SeriesId, BTreeMap<WallTime, Counts>>, Error> {
        let figures =
            if resolution == Resolution::Minute { &mut self.minutes } else { &mut self.hours };
        figures.read(views, range, BTreeMap::clone)
    }
}

/// How every series is doing.
#[derive(Debug, Default)]
struct States {
    as_of: Option<AsOf>,
    known: BTreeMap<SeriesId, Arc<SeriesState>>,
}

impl States {
    fn read(&mut self, views: &Views) -> Result<BTreeMap<SeriesId, Arc<SeriesState>>, Error> {
        let now = views.as_of();
        let since = self.as_of.take();
        match since.and_then(|since| views.changed_since(since)) {
            Some(changed) => {
                for row in changed {
                    let Row::State(series) = row else { continue };
                    match views.get(&row)?.and_then(|bytes| decoded(&bytes)) {
                        Some(state) => self.known.insert(series, state),
                        None => self.known.remove(&series),
                    };
                }
            }
            None => {
                self.known.clear();
                views.table(Table::States, |row, bytes| {
                    if let (Row::State(series), Some(state)) = (row, decoded(bytes)) {
                        self.known.insert(series, state);
                    }
                    Ok(())
                })?;
            }
        }
        if self.known.len() > MOST_KEPT {
            return Ok(std::mem::take(&mut self.known));
        }
        self.as_of = Some(now);
        Ok(self.known.clone())
    }
}

fn decoded(bytes: &[u8]) -> Option<Arc<SeriesState>> {
    SeriesState::decode(bytes).ok().map(Arc::new)
}

/// One thing of each bucket of whole runs, by period and series.
#[derive(Debug)]
struct Figures<T> {
    resolution: Resolution,
    decode: fn(&[u8]) -> Result<Column, NotAColumn>,
    merge: fn(&mut T, &Cell),
    as_of: Option<AsOf>,
    /// Buckets that begin before this are not kept.
    from: WallTime,
    known: BTreeMap<Period, BTreeMap<SeriesId, BTreeMap<WallTime, T>>>,
}

impl<T: Default> Figures<T> {
    fn new(
        resolution: Resolution,
        decode: fn(&[u8]) -> Result<Column, NotAColumn>,
        merge: fn(&mut T, &Cell),
    ) -> Self {
        let from = WallTime::from_ns(i64::MAX);
        Self { resolution, decode, merge, as_of: None, from, known: BTreeMap::new() }
    }

    /// What `sum` makes of each series' buckets that begin in a range. Of one series, periods are joined first.
    fn read<S>(
        &mut self,
        views: &Views,
        range: &Range,
        sum: impl Fn(&BTreeMap<WallTime, T>) -> S,
    ) -> Result<BTreeMap<SeriesId, S>, Error>
    where
        T: Clone,
    {
        self.catch_up(views, range)?;
        let mut joined: BTreeMap<SeriesId, BTreeMap<WallTime, T>> = BTreeMap::new();
        for known in self.known.values() {
            for (series, buckets) in known {
                let mut own = buckets.range(range.clone()).peekable();
                if own.peek().is_some() {
                    let own = own.map(|(begin, it)| (*begin, it.clone()));
                    joined.entry(*series).or_default().extend(own);
                }
            }
        }
        if self.known.values().any(|known| known.len() > MOST_KEPT) {
            self.forget();
        }
        Ok(joined.into_iter().map(|(series, buckets)| (series, sum(&buckets))).collect())
    }

    fn forget(&mut self) {
        self.as_of = None;
        self.known.clear();
    }

    fn catch_up(&mut self, views: &Views, range: &Range) -> Result<(), Error> {
        let now = views.as_of();
        // taken: after an error everything is read again
        let changed = self.as_of.take().and_then(|since| views.changed_since(since));
        if changed.is_none() || range.start < self.from {
            self.known.clear();
        }
        self.from = range.start;
        let periods: BTreeSet<Period> = views
            .periods(self.resolution)?
            .into_iter()
            .filter(|period| period.start() < range.end && range.start < period.end())
            .collect();
        self.known.retain(|period, _| periods.contains(period));
        for (_, known) in self.known.iter_mut().filter(|(period, _)| period.start() < range.start) {
            known.values_mut().for_each(|buckets| *buckets = buckets.split_off(&range.start));
        }
        let mut stale: BTreeMap<Period, BTreeSet<SeriesId>> = BTreeMap::new();
        for row in changed.unwrap_or_default() {
            match row {
                Row::Sealed(period) => drop(self.known.remove(&period)),
                // a row with another mark is in the file already
                Row::Figures { period, mark, series, .. } if mark == views.mark(period) => {
                    stale.entry(period).or_default().insert(series);
                }
                _ => {}
            }
        }
        for (period, series) in stale {
            if views.mark(period) > 0 && series.len() > MANY {
                self.known.remove(&period);
            } else if self.known.contains_key(&period) {
                series.into_iter().try_for_each(|it| self.read_one(views, period, it))?;
            }
        }
        for period in periods {
            if !self.known.contains_key(&period) {
                self.read_all(views, period)?;
            }
        }
        self.as_of = Some(now);
        Ok(())
    }

    fn read_one(&mut self, views: &Views, period: Period, series: SeriesId) -> Result<(), Error> {
        let mut buckets = BTreeMap::new();
        for stretch in views.figures(period, series, PhaseId::TOTAL)? {
            self.take(period, &stretch, &mut buckets)?;
        }
        self.known.entry(period).or_default().insert(series, buckets);
        Ok(())
    }

    fn read_all(&mut self, views: &Views, period: Period) -> Result<(), Error> {
        let mut known: BTreeMap<SeriesId, BTreeMap<WallTime, T>> = BTreeMap::new();
        views.figures_of_all(period, PhaseId::TOTAL, |series, stretch| {
            self.take(period, stretch, known.entry(series).or_default())
        })?;
        self.known.insert(period, known);
        Ok(())
    }

    fn take(
        &self,
        period: Period,
        stretch: &[u8],
        buckets: &mut BTreeMap<WallTime, T>,
    ) -> Result<(), Error> {
        let why = "its figures cannot be read";
        let column = (self.decode)(stretch).ok().ok_or(Error::Damaged { period, why })?;
        for (bucket, cell) in column.iter() {
            let begin = period.bucket_start(bucket);
            if begin >= self.from {
                (self.merge)(buckets.entry(begin).or_default(), cell);
            }
        }
        Ok(())
    }
}
