//! How slow, compared with usual: the last quarter of an hour beside the same hour of the last week.

use std::collections::BTreeMap;
use std::time::Duration;

use mailsonde_proto::WallTime;

use super::reader::{Range, Reader};
use crate::judge::sketch::{P50, P95, Sketch};
use crate::period::Resolution;
use crate::series::{PhaseId, SeriesId};
use crate::store::Error;

const NOW: Duration = Duration::from_secs(15 * 60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// How long runs that pass take, now and usually.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// In the last 15 minutes.
    pub now: Percentiles,
    /// In the same hour of each of the last 7 days; for series without one, in the last 24 hours.
    pub usual: Percentiles,
}

/// Two percentiles, within 1 %, and of how many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Half of the runs took at most this long.
    pub p50_us: Option<i64>,
    /// 95 % of the runs took at most this long.
    pub p95_us: Option<i64>,
    /// How many runs these are of.
    pub runs: u64,
}

impl Percentiles {
    /// Of a sketch.
    pub fn of(sketch: &Sketch) -> Self {
        Self { p50_us: sketch.at(P50), p95_us: sketch.at(P95), runs: sketch.count() }
    }
}

/// What is usual, by series, for one hour: reading a week for every question would take too long.
#[derive(Debug, Default)]
pub(super) struct Usual {
    hour: Option<WallTime>,
    found: BTreeMap<SeriesId, Percentiles>,
}

impl Reader {
    /// How long runs take now and usually, for every series.
    ///
    /// # Errors
    /// When the figures cannot be read.
    pub fn pace(&self, now: WallTime) -> Result<BTreeMap<SeriesId, Pace>, Error> {
        let recent = now.minus(NOW)..now.plus(HOUR);
        let mut pace: BTreeMap<SeriesId, Pace> = BTreeMap::new();
        for (series, usual) in self.usual(now)? {
            pace.entry(series).or_default().usual = usual;
        }
        for (series, latency) in self.recent().latencies(&self.views, &recent)? {
            pace.entry(series).or_default().now = Percentiles::of(&latency);
        }
        Ok(pace)
    }

    /// How long runs that passed took in the last 15 minutes, for every series.
    ///
    /// # Errors
    /// When the figures cannot be read.
    pub fn newest_latencies(&self, now: WallTime) -> Result<BTreeMap<SeriesId, Sketch>, Error> {
        let recent = now.minus(NOW)..now.plus(HOUR);
        self.recent().latencies(&self.views, &recent)
    }

    /// What is usual at this hour, read once in it.
    ///
    /// # Errors
    /// When the figures cannot be read.
    pub fn usual(&self, now: WallTime) -> Result<BTreeMap<SeriesId, Percentiles>, Error> {
        let hour = WallTime::from_s(now.as_ns().div_euclid(3_600_000_000_000) * 3_600);
        let mut recent = self.recent();
        if recent.usual.hour != Some(hour) {
            recent.usual = Usual { found: self.usual_at(hour)?, hour: Some(hour) };
        }
        Ok(recent.usual.found.clone())
    }

    fn usual_at(&self, hour: WallTime) -> Result<BTreeMap<SeriesId, Percentiles>, Error> {
        let same_hours =
            (1..=7).map(|day| hour.minus(DAY * day)).map(|start| start..start.plus(HOUR));
        let mut found = self.latencies(same_hours)?;
        if found.len() < self.series()?.len() {
            let day = hour.minus(DAY)..hour;
            for (series, latency) in self.latencies(std::iter::once(day))? {
                found.entry(series).or_insert(latency);
            }
        }
        Ok(found.iter().map(|(series, latency)| (*series, Percentiles::of(latency))).collect())
    }

    fn latencies(
        &self,
        ranges: impl Iterator<Item = Range>,
    ) -> Result<BTreeMap<SeriesId, Sketch>, Error> {
        let mut found: BTreeMap<SeriesId, Sketch> = BTreeMap::new();
        for range in ranges {
            for (series, cell) in self.sums(PhaseId::TOTAL, Resolution::Hour, &range)? {
                if !cell.latency.is_empty() {
                    found.entry(series).or_default().merge(&cell.latency);
                }
            }
        }
        Ok(found)
    }
}
