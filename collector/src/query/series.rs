//! What the views know of every series: state, pace, and the availability of a day.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailsonde_proto::WallTime;

use super::SeriesReading;
use crate::judge::availability::{Availability, availability};
use crate::rollups::Reader;
use crate::series::SeriesId;
use crate::store::Error;

const HOUR_NS: i64 = 3_600_000_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// The availability of a day is counted so often, because it changes slowly and takes a look at every hour; by
/// [`SeriesViews::keep_warm`], so that nobody who asks waits for it, or by whoever asks when it is much older.
const DAY_EVERY: Duration = Duration::from_secs(5);
const DAY_AT_LAST: Duration = Duration::from_secs(15);

/// Reads the views for the status.
pub(super) struct SeriesViews {
    reader: Reader,
    day: Mutex<Option<Day>>,
}

#[derive(Clone)]
struct Day {
    read_at: WallTime,
    found: BTreeMap<SeriesId, Availability>,
}

impl SeriesViews {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, day: Mutex::default() }
    }

    /// Reads whatever else the views hold.
    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The first record of the ledger that is not in the views.
    pub(super) fn next(&self) -> u64 {
        self.reader.head().next
    }

    /// Everything that is known of every series.
    pub(super) fn read(&self, now: WallTime) -> Result<BTreeMap<SeriesId, SeriesReading>, Error> {
        let mut pace = self.reader.pace(now)?;
        let mut day = self.day(now, DAY_AT_LAST)?;
        let states = self.reader.states()?.into_iter().map(|(series, state)| {
            let pace = pace.remove(&series).unwrap_or_default();
            let (now, usual) = (pace.now.into(), pace.usual.into());
            (series, SeriesReading { state, now, usual, day: day.remove(&series) })
        });
        Ok(states.collect())
    }

    /// Reads what has changed since, so that whoever asks next need not.
    pub(super) fn keep_warm(&self, now: WallTime) -> Result<(), Error> {
        self.reader.pace(now)?;
        self.reader.states()?;
        self.day(now, DAY_EVERY).map(drop)
    }

    /// The hour that is under way and the 24 before it; counted anew where that is so long ago.
    fn day(
        &self,
        now: WallTime,
        at_last: Duration,
    ) -> Result<BTreeMap<SeriesId, Availability>, Error> {
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = day.as_ref()
            && now >= day.read_at
            && now.since(day.read_at) < at_last
        {
            return Ok(day.found.clone());
        }
        let hour = WallTime::from_ns(now.as_ns().div_euclid(HOUR_NS).saturating_mul(HOUR_NS));
        let range = hour.minus(HOUR * 24)..hour.plus(HOUR);
        let mut found = BTreeMap::new();
        for (series, (counts, missed)) in self.reader.day(&range, now)? {
            found.extend(availability(&counts, missed).map(|day| (series, day)));
        }
        *day = Some(Day { read_at: now, found: found.clone() });
        Ok(found)
    }
}
