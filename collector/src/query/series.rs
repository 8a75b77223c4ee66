//! What the views know of every series: state, pace, and the availability of a day.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailsonde_proto::WallTime;

use super::SeriesReading;
use crate::judge::availability::{Availability, availability};
use crate::rollups::{Pace, Reader};
use crate::series::SeriesId;
use crate::store::Error;

const HOUR_NS: i64 = 3_600_000_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// Pace and the availability of a day are read anew so often: they change slowly, and take a look at every minute of the
/// last quarter of an hour and every hour of the day.
const EVERY: Duration = Duration::from_secs(5);

/// Reads the views for the status.
pub(super) struct SeriesViews {
    reader: Reader,
    slow: Mutex<Option<Arc<Slow>>>,
}

/// What changes slowly.
struct Slow {
    read_at: WallTime,
    pace: BTreeMap<SeriesId, Pace>,
    /// The hour that is under way and the 24 before it.
    day: BTreeMap<SeriesId, Availability>,
}

impl SeriesViews {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, slow: Mutex::default() }
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
        let slow = self.slow(now)?;
        let states = self.reader.states()?.into_iter().map(|(series, state)| {
            let pace = slow.pace.get(&series).copied().unwrap_or_default();
            let day = slow.day.get(&series).copied();
            let (now, usual) = (pace.now.into(), pace.usual.into());
            (series, SeriesReading { state, now, usual, day })
        });
        Ok(states.collect())
    }

    fn slow(&self, now: WallTime) -> Result<Arc<Slow>, Error> {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slow) = slow.as_ref()
            && now >= slow.read_at
            && now.since(slow.read_at) < EVERY
        {
            return Ok(slow.clone());
        }
        let hour = WallTime::from_ns(now.as_ns().div_euclid(HOUR_NS).saturating_mul(HOUR_NS));
        let range = hour.minus(HOUR * 24)..hour.plus(HOUR);
        let mut day = BTreeMap::new();
        for (series, (counts, missed)) in self.reader.day(&range, now)? {
            day.extend(availability(&counts, missed).map(|day| (series, day)));
        }
        let read = Arc::new(Slow { read_at: now, pace: self.reader.pace(now)?, day });
        *slow = Some(read.clone());
        Ok(read)
    }
}
