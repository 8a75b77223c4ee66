//! The ledger through restarts, duplicates, conflicts and gaps.

use bytes::Bytes;
use mailsonde_proto::convert::{SequenceRange, Tombstone, TombstoneReason};
use mailsonde_proto::journal::Next;
use mailsonde_proto::{AgentId, Clock, Epoch};

use super::{Entry, GapReason, Ledger, LedgerError, LedgerOptions, Opened, Source, WINDOW};

const NORTH: Source = Source { agent: AgentId([1; 16]), epoch: Epoch(1) };
const COAST: Source = Source { agent: AgentId([2; 16]), epoch: Epoch(1) };

fn open(folder: &std::path::Path) -> Opened {
    let options = LedgerOptions { segment_bytes: 4_000 };
    Ledger::open(folder, options, Clock::system()).unwrap()
}

fn close(opened: Opened) {
    drop(opened.ledger);
    opened.writer.join().unwrap();
}

fn observations(sequences: std::ops::RangeInclusive<u64>) -> Vec<Bytes> {
    sequences.map(|sequence| format!("observation {sequence}").into()).collect()
}

/// Every entry, with the source's first byte, first and last sequence, and whether it is a gap.
fn contents(ledger: &Ledger) -> Vec<(u8, u64, u64, Option<GapReason>)> {
    let mut follower = ledger.follow(1);
    let mut entries = Vec::new();
    loop {
        match follower.read().unwrap() {
            Next::CaughtUp => return entries,
            Next::Gap { first, last } => panic!("gap {first} to {last}"),
            Next::Record { record, .. } => entries.push(match Entry::decode(record).unwrap() {
                Entry::Batch { source, first, observations, .. } => {
                    let last = first + u64::try_from(observations.len()).unwrap() - 1;
                    (source.agent.0[0], first, last, None)
                }
                Entry::Gap { source, range, reason, .. } => {
                    (source.agent.0[0], range.first, range.last, Some(reason))
                }
            }),
        }
    }
}

#[tokio::test]
async fn what_comes_again_is_acknowledged_again_and_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    for start in 0..3 {
        let opened = open(folder.path());
        let ledger = opened.ledger.clone();
        for (first, last, through) in [(1, 5, 5), (1, 5, 5), (4, 9, 9), (10, 10, 10)] {
            let batch = observations(first..=last);
            let stored = ledger.append(NORTH, first, batch).await.unwrap();
            assert_eq!(stored.conflicts, []);
            assert_eq!(stored.through, if start == 0 { through } else { 10 });
        }
        assert_eq!(contents(&ledger), [(1, 1, 5, None), (1, 6, 9, None), (1, 10, 10, None)]);
        drop(ledger);
        close(opened);
    }
}

#[tokio::test]
async fn the_same_key_with_other_bytes_is_a_conflict_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    opened.ledger.append(NORTH, 1, observations(1..=5)).await.unwrap();
    close(opened);
    let opened = open(folder.path());
    let mut batch = observations(1..=6);
    batch[2] = "something else".into();
    let stored = opened.ledger.append(NORTH, 1, batch).await.unwrap();
    assert_eq!(stored.conflicts, [SequenceRange { first: 3, last: 3 }]);
    assert_eq!(stored.through, 6);
    assert_eq!(contents(&opened.ledger), [(1, 1, 5, None), (1, 6, 6, None)]);
    close(opened);
}

#[tokio::test]
async fn marks_survive_segments_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    opened.ledger.append(COAST, 1, observations(1..=3)).await.unwrap();
    for first in (1..3 * WINDOW).step_by(10) {
        opened.ledger.append(NORTH, first, observations(first..=first + 9)).await.unwrap();
    }
    let before = opened.ledger.index().oldest();
    opened.ledger.retain(Clock::system().wall(), u64::MAX).await.unwrap();
    assert!(opened.ledger.index().oldest() > before);
    close(opened);
    let opened = open(folder.path());
    let stored = opened.ledger.greet(COAST, 4).await.unwrap();
    assert_eq!(stored.through, 3);
    // Stored so long ago that it cannot be compared: set aside, never acknowledged silently.
    let stored = opened.ledger.append(COAST, 3, observations(3..=4)).await.unwrap();
    assert_eq!(stored.conflicts, [SequenceRange { first: 3, last: 3 }]);
    assert_eq!(stored.through, 4);
    close(opened);
}

#[tokio::test]
async fn sequences_that_will_never_come_are_declared() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let ledger = opened.ledger.clone();
    ledger.append(NORTH, 1, observations(1..=2)).await.unwrap();
    let buried = Tombstone {
        range: SequenceRange { first: 3, last: 7 },
        reason: TombstoneReason::SpoolFull,
        pass: 4,
        fail: 1,
        void: 0,
    };
    assert_eq!(ledger.bury(NORTH, buried).await.unwrap().through, 7);
    let refused = ledger.append(NORTH, 12, observations(12..=12)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::OutOfOrder { first: 12, stored_through: 7 }));
    assert_eq!(ledger.greet(NORTH, 12).await.unwrap().through, 11);
    ledger.append(NORTH, 12, observations(12..=12)).await.unwrap();
    let by_agent = GapReason::Agent(TombstoneReason::SpoolFull);
    let expected = [
        (1, 1, 2, None),
        (1, 3, 7, Some(by_agent)),
        (1, 8, 11, Some(GapReason::CollectorBehind)),
        (1, 12, 12, None),
    ];
    assert_eq!(contents(&ledger), expected);
    drop(ledger);
    close(opened);
}
