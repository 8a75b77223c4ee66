//! Counts again, from the collector's ledger alone, what its views say and what its agents were told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use mailsonde_collector::control::ControlJournal;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::judge::rollup::Counts;
use mailsonde_collector::pipeline::extent;
use mailsonde_collector::rollups::Rollups;
use mailsonde_collector::store::ledger::{Entry, GapReason, Ledger, LedgerOptions, Opened, Source};
use mailsonde_proto::convert::{SequenceRange, observation_from_bytes};
use mailsonde_proto::journal::Next;
use mailsonde_proto::{Clock, Observation, Verdict, VoidReason};

use crate::site::{Site, now};

/// What the ledger holds.
#[derive(Debug, Default)]
pub(crate) struct Recount {
    /// The sequences that are stored, by agent and epoch.
    pub(crate) stored: BTreeMap<Source, BTreeSet<u64>>,
    /// Keys that were stored more than once.
    pub(crate) doubled: Vec<(Source, u64)>,
    /// Keys whose sequence did not follow on the one before.
    pub(crate) out_of_order: Vec<(Source, u64)>,
    /// Runs that were told more than once.
    pub(crate) told_twice: Vec<(Source, u64)>,
    /// Sequences that were declared missing.
    pub(crate) gaps: Vec<(Source, SequenceRange, GapReason)>,
    /// The ledger's own records that cannot be read any more.
    pub(crate) damaged: Vec<(u64, u64)>,
    /// Observations that stand in quarantine's place: refused as malformed.
    pub(crate) refused: u64,
    /// Scheduled runs by verdict: pass, fail, void.
    pub(crate) verdicts: [u64; 3],
    /// Runs that were asked for: the collector has failures confirmed.
    pub(crate) asked_for: u64,
    /// The voids for want of space at the agent.
    pub(crate) local_disk: u64,
    runs: BTreeSet<(Source, u64)>,
    /// The last sequence that was read, by agent and epoch.
    last: BTreeMap<Source, u64>,
}

impl Recount {
    /// Reads a ledger from its first record to its last. The collector must not run.
    fn of(ledger: &Ledger) -> Self {
        let mut recount = Self::default();
        let mut reader = ledger.follow(ledger.index().oldest());
        loop {
            match reader.read().unwrap() {
                Next::CaughtUp => return recount,
                Next::Gap { first, last } => {
                    recount.damaged.push((first, last));
                    recount.last.clear(); // nobody knows what stood there
                }
                Next::Record { record, .. } => recount.record(Entry::decode(record).unwrap()),
            }
        }
    }

    fn record(&mut self, entry: Entry) {
        match entry {
            Entry::Gap { source, range, reason, .. } => {
                self.follow_on((source, range.first), range.last);
                self.gaps.push((source, range, reason));
            }
            Entry::Batch { source, first, observations, .. } => {
                for (sequence, bytes) in (first..).zip(&observations) {
                    self.observation((source, sequence), bytes);
                }
            }
        }
    }

    fn observation(&mut self, key: (Source, u64), bytes: &Bytes) {
        let (source, sequence) = key;
        self.follow_on(key, sequence);
        if !self.stored.entry(source).or_default().insert(sequence) {
            self.doubled.push(key);
        }
        if bytes.is_empty() {
            self.refused += 1;
            return;
        }
        let observation = observation_from_bytes(bytes).unwrap();
        if observation.intent > 0 && !self.runs.insert((source, observation.intent)) {
            self.told_twice.push((source, observation.intent));
        }
        if observation.counts() {
            self.count(&observation);
        } else if observation.amends.is_none() {
            self.asked_for += 1;
        }
    }

    /// Whether what was read follows on what was read before.
    fn follow_on(&mut self, first: (Source, u64), last: u64) {
        let before = self.last.insert(first.0, last);
        if before.is_some_and(|before| before + 1 != first.1) {
            self.out_of_order.push(first);
        }
    }

    fn count(&mut self, observation: &Observation) {
        let [pass, fail, void] = &mut self.verdicts;
        match &observation.verdict {
            Verdict::Pass => *pass += 1,
            Verdict::Fail(_) => *fail += 1,
            Verdict::Void { reason, .. } => {
                *void += 1;
                self.local_disk += u64::from(*reason == VoidReason::LocalDisk);
            }
        }
    }

    /// How many observations are stored.
    pub(crate) fn total(&self) -> u64 {
        self.stored.values().map(|sequences| count(sequences.len())).sum()
    }

    /// Fails unless every sequence from the first to the last is there, in order, once.
    pub(crate) fn expect_whole(&self) {
        self.expect_once();
        assert_eq!(self.gaps, [], "declared missing");
        assert_eq!(self.damaged, [], "unreadable in the ledger");
        assert_eq!(self.refused, 0, "refused as malformed");
        for (source, sequences) in &self.stored {
            let ends = (sequences.first().copied(), sequences.last().copied());
            assert_eq!(ends, (Some(1), Some(count(sequences.len()))), "a gap: {source:?}");
        }
    }

    /// Fails unless what is there is there once and in order.
    pub(crate) fn expect_once(&self) {
        assert_eq!(self.doubled, [], "stored twice");
        assert_eq!(self.out_of_order, [], "stored out of order");
        assert_eq!(self.told_twice, [], "runs told twice");
    }
}

/// The ledger and the views of a stopped collector, counted each for itself.
pub(crate) struct Both {
    pub(crate) ledger: Recount,
    pub(crate) views: Counts,
    /// Records that the views have not read.
    unread: u64,
}

impl Both {
    fn of(data: &Path) -> Self {
        let (folder, clock) = (Folder::at(data), Clock::system());
        let _lock = folder.lock().unwrap();
        let (control, _) = ControlJournal::open(&folder.control()).unwrap();
        let opened = Ledger::open(folder.path(), LedgerOptions::default(), clock).unwrap();
        let Opened { ledger, writer, .. } = opened;
        let recount = Recount::of(&ledger);
        let extent = extent(&ledger, &control);
        let (rollups, _) = Rollups::open(&folder.views(), extent, clock.wall()).unwrap();
        let unread = extent.next - rollups.cursors().next;
        let views = rollups.reader().totals().unwrap();
        drop(ledger);
        writer.join().unwrap();
        Self { ledger: recount, views, unread }
    }

    /// Stops the collector as soon as its views have read everything, and counts both.
    ///
    /// Fails unless they agree.
    pub(crate) fn settled(site: &mut Site, within: Duration) -> Self {
        let deadline = now() + within;
        loop {
            if site.collector.is_some() {
                site.stop_collector();
            }
            let both = Self::of(&site.collector_folder());
            if both.unread == 0 {
                both.expect_agreement();
                return both;
            }
            assert!(now() < deadline, "{} records unread after {within:?}", both.unread);
            site.start_collector();
            site.wait_for_collector();
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn expect_agreement(&self) {
        let Counts { pass, fail, void, extra, amended, misdated, .. } = self.views;
        assert_eq!([pass, fail, void], self.ledger.verdicts, "the views and the ledger disagree");
        let asked_for = self.ledger.asked_for;
        assert_eq!([extra, amended, misdated], [asked_for, 0, 0], "counted otherwise");
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap()
}
