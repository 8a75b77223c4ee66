//! The last runs of every check at every vantage point, kept in memory as they came: so that looking at a check takes no
//! search through the ledger.
//!
//! Of each series the newest runs are kept, and the newest failures beyond those; all together within a bound of bytes,
//! beyond which fewer are kept of each. What is not here any more is in the ledger (`observations`). Filled by
//! [`Latest::catch_up`], which begins so many records back when the collector starts. Invariant: what is kept is what the
//! ledger holds, byte for byte.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::Next;
use mailsonde_proto::{AgentId, Observation, Verdict};

use super::QueryError;
use super::observations::Place;
use crate::series::SeriesId;
use crate::store::ledger::{Entry, Ledger};

/// Runs of one series.
const RUNS: usize = 16;
/// Failures of one series beyond those.
const FAILURES: usize = 8;
/// All together, in bytes; beyond it fewer are kept of each series.
const MOST_BYTES: usize = 48 << 20;
/// At the start so many records are read again; what comes faster than it is read is skipped by as many.
const BACK: u64 = 200_000;
/// And about so many observations: agents that were away send a thousand in one record.
const BACK_OBSERVATIONS: u64 = 400_000;
/// So many records tell how many observations there are in one.
const SAMPLES: u64 = 32;
/// Records that are read before others may look.
const STRIDE: usize = 512;

/// The last runs of every series.
#[derive(Default)]
pub(super) struct Latest {
    kept: Mutex<Kept>,
    /// Held by whoever reads the ledger, so that no run is taken in twice.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Kept {
    /// The next record of the ledger to be read; `None` before the first was.
    next: Option<u64>,
    series: BTreeMap<SeriesId, Runs>,
    bytes: usize,
    /// How often what is kept of each was halved.
    halved: u32,
}

#[derive(Default)]
struct Runs {
    newest: VecDeque<Run>,
    failures: VecDeque<Run>,
}

#[derive(Clone)]
struct Run {
    place: Place,
    is_failure: bool,
    bytes: Bytes,
}

impl Latest {
    /// Reads what came since.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn catch_up(&self, ledger: &Ledger) -> Result<(), QueryError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let end = ledger.index().next();
        let next = self.lock().next;
        let next = match next {
            Some(next) => next.max(end.saturating_sub(BACK)),
            None => end.saturating_sub(back(ledger, end)?),
        };
        let mut records = ledger.follow(next);
        let mut read = Vec::with_capacity(STRIDE);
        while records.position() < end {
            match records.read()? {
                Next::Record { record, .. } => read.extend(runs(record)),
                Next::Gap { .. } => continue,
                Next::CaughtUp => break,
            }
            if read.len() >= STRIDE {
                self.lock().take(&mut read, records.position());
            }
        }
        self.lock().take(&mut read, records.position());
        Ok(())
    }

    /// The newest runs of a series, newest first, then its older failures.
    pub(super) fn of(&self, series: SeriesId) -> Vec<(Place, Observation)> {
        let kept = self.lock();
        let Some(runs) = kept.series.get(&series) else { return Vec::new() };
        let all = runs.newest.iter().rev().chain(runs.failures.iter().rev());
        let all: Vec<Run> = all.cloned().collect();
        drop(kept);
        all.iter().filter_map(Run::decoded).collect()
    }

    /// The newest run of each of these series.
    pub(super) fn newest<'s>(
        &self,
        of: impl IntoIterator<Item = &'s SeriesId>,
    ) -> Vec<(SeriesId, Place, Observation)> {
        let kept = self.lock();
        let last = |series: &SeriesId| {
            let run = kept.series.get(series)?.newest.back()?;
            Some((*series, run.clone()))
        };
        let runs: Vec<_> = of.into_iter().filter_map(last).collect();
        drop(kept);
        let decoded = runs.into_iter().filter_map(|(series, run)| {
            let (place, observation) = run.decoded()?;
            Some((series, place, observation))
        });
        decoded.collect()
    }

    /// Each change is one step: a panic leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many records hold about as many observations as are read again at the start.
fn back(ledger: &Ledger, end: u64) -> Result<u64, QueryError> {
    let (mut records, mut observations) = (0, 0);
    for sample in 1..=SAMPLES {
        let at = end.saturating_sub((BACK.min(end) * sample).div_ceil(SAMPLES));
        if let Next::Record { record, .. } = ledger.follow(at).read()?
            && let Ok(Entry::Batch { observations: batch, .. }) = Entry::decode(record)
        {
            records += 1;
            observations += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        }
    }
    Ok((BACK_OBSERVATIONS * records).checked_div(observations).unwrap_or(BACK).clamp(1, BACK))
}

/// The runs of a record of the ledger.
fn runs(record: Bytes) -> Vec<(SeriesId, Run)> {
    let Ok(Entry::Batch { received_at, source, first, observations }) = Entry::decode(record)
    else {
        return Vec::new();
    };
    let run = |(sequence, bytes): (u64, Bytes)| {
        // Empty: refused as malformed, and not an observation.
        let observation = observation_from_bytes(&bytes).ok().filter(|_| !bytes.is_empty())?;
        let place = Place { source, sequence, received_at };
        let agent: AgentId = source.agent;
        let is_failure = matches!(observation.verdict, Verdict::Fail(_));
        // a copy of its own: a slice would keep its whole batch
        let bytes = Bytes::copy_from_slice(&bytes);
        Some((SeriesId::of(agent, &observation.check), Run { place, is_failure, bytes }))
    };
    (first..).zip(observations).filter_map(run).collect()
}

impl Run {
    fn decoded(&self) -> Option<(Place, Observation)> {
        Some((self.place, observation_from_bytes(&self.bytes).ok()?))
    }
}

impl Kept {
    fn take(&mut self, read: &mut Vec<(SeriesId, Run)>, next: u64) {
        for (series, run) in read.drain(..) {
            self.bytes = self.bytes.saturating_add(run.bytes.len());
            let (runs, failures) = (RUNS >> self.halved, FAILURES >> self.halved);
            let own = self.series.entry(series).or_default();
            own.newest.push_back(run);
            let gone = own.cut(runs.max(1), failures.max(1));
            self.bytes = self.bytes.saturating_sub(gone);
        }
        while self.bytes > MOST_BYTES && (RUNS >> self.halved) > 1 {
            self.halved += 1;
            let (runs, failures) = (RUNS >> self.halved, FAILURES >> self.halved);
            let cut = self.series.values_mut().map(|own| own.cut(runs.max(1), failures.max(1)));
            self.bytes = self.bytes.saturating_sub(cut.sum());
        }
        self.next = Some(next);
    }
}

impl Runs {
    /// Keeps so many; says how many bytes went.
    fn cut(&mut self, runs: usize, failures: usize) -> usize {
        let mut gone = 0;
        while self.newest.len() > runs {
            match self.newest.pop_front() {
                Some(run) if run.is_failure => self.failures.push_back(run),
                Some(run) => gone += run.bytes.len(),
                None => break,
            }
        }
        while self.failures.len() > failures {
            gone += self.failures.pop_front().map_or(0, |run| run.bytes.len());
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::convert::observation_to_bytes;
    use mailsonde_proto::{Clock, Epoch};

    use super::*;
    use crate::query::status::samples::{NOW, refused, run};
    use crate::store::ledger::{LedgerOptions, Source};

    const SOURCE: Source = Source { agent: AgentId([1; 16]), epoch: Epoch(1) };
    /// Runs that come while others look; every third fails.
    const ALL: u64 = 240;

    fn bytes(number: u64) -> Bytes {
        let verdict = if number.is_multiple_of(3) { refused() } else { Verdict::Pass };
        observation_to_bytes(&run(ALL - number, verdict))
    }

    /// Batches as agents send that were away: most of what is there is not read.
    #[tokio::test]
    async fn large_records_are_not_all_read_again_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let options = LedgerOptions { segment_bytes: 1 << 20 };
        let ledger = Ledger::open(folder.path(), options, Clock::starting_at(NOW)).unwrap().ledger;
        assert_eq!(back(&ledger, 0).unwrap(), BACK);
        let one = bytes(1);
        for batch in 0..40 {
            ledger.append(SOURCE, batch * 50 + 1, vec![one.clone(); 50]).await.unwrap();
        }
        let end = ledger.index().next();
        let found = back(&ledger, end).unwrap();
        assert_eq!(found, BACK_OBSERVATIONS / 50);
        for number in 2_001..2_101 {
            ledger.append(SOURCE, number, vec![one.clone()]).await.unwrap();
        }
        let mixed = back(&ledger, ledger.index().next()).unwrap();
        assert!(found < mixed && mixed < BACK, "{mixed}");
    }

    /// Whoever looks brings it up to what there is: nobody sees a run twice, or a newer one before an older one.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_who_look_at_once_see_each_run_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let options = LedgerOptions { segment_bytes: 4_000 };
        let ledger = Ledger::open(folder.path(), options, Clock::starting_at(NOW)).unwrap().ledger;
        let latest = std::sync::Arc::new(Latest::default());
        let series = SeriesId::of(SOURCE.agent, "mail");
        let looking = (0..3).map(|_| {
            let (ledger, latest) = (ledger.clone(), latest.clone());
            tokio::task::spawn_blocking(move || {
                let mut looks = 0;
                loop {
                    latest.catch_up(&ledger).unwrap();
                    let seen = latest.of(series);
                    let numbers: Vec<u64> = seen.iter().map(|(place, _)| place.sequence).collect();
                    let newest: Vec<u64> = numbers.iter().copied().take(RUNS).collect();
                    assert!(newest.is_sorted_by(|a, b| *a == b + 1), "{numbers:?}");
                    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
                    looks += 1;
                    if numbers.first() == Some(&ALL) {
                        return (looks, numbers);
                    }
                }
            })
        });
        let looking: Vec<_> = looking.collect();
        for number in 1..=ALL {
            ledger.append(SOURCE, number, vec![bytes(number)]).await.unwrap();
        }
        let before = ALL - u64::try_from(RUNS).unwrap();
        let newest = (before + 1..=ALL).rev();
        let failures = (1..=before).rev().filter(|number| number.is_multiple_of(3)).take(FAILURES);
        let expected: Vec<u64> = newest.chain(failures).collect();
        for looker in looking {
            let (looks, numbers) = looker.await.unwrap();
            assert!(looks > 1, "nobody looked while runs came");
            assert_eq!(numbers, expected);
        }
    }
}
