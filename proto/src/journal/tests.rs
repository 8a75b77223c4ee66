//! The journal under crashes, full disks and damage.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::simulated::{Lies, SimulatedDisk};
use super::{
    Damage, Disk, Journal, JournalError, Next, Options, RealDisk, Recovery, compact_oldest,
};
use crate::time::WallTime;

const OPTIONS: Options = Options { segment_bytes: 2_000, first_sequence: 1 };

fn open(disk: &Arc<dyn Disk>, folder: &Path) -> (Journal, Recovery) {
    Journal::open(disk.clone(), folder, OPTIONS).unwrap()
}

/// Appends and commits one record, as an owner does it.
fn write(journal: &mut Journal, record: &[u8]) -> Result<u64, JournalError> {
    if journal.wants_roll() {
        journal.roll(b"note", WallTime::from_s(1))?;
    }
    let sequence = journal.append(&[record])?;
    journal.commit()?;
    Ok(sequence)
}

fn record(sequence: u64) -> Vec<u8> {
    format!("record {sequence} {}", "x".repeat(usize::try_from(sequence % 90).unwrap()))
        .into_bytes()
}

fn fill(journal: &mut Journal, count: u64) {
    for _ in 0..count {
        let expected = record(journal.next_sequence());
        write(journal, &expected).unwrap();
    }
}

/// Everything from `from`: the sequences that were read whole, and the gaps.
fn read_all(journal: &Journal, from: u64) -> (Vec<u64>, Vec<(u64, u64)>) {
    let mut follower = journal.follow(from);
    let (mut read, mut gaps) = (Vec::new(), Vec::new());
    loop {
        match follower.read().unwrap() {
            Next::Record { sequence, record: bytes } => {
                assert_eq!(bytes, record(sequence), "record {sequence}");
                read.push(sequence);
            }
            Next::Gap { first, last } => gaps.push((first, last)),
            Next::CaughtUp => return (read, gaps),
        }
    }
}

fn real() -> (tempfile::TempDir, Arc<dyn Disk>) {
    (tempfile::tempdir().unwrap(), Arc::new(RealDisk))
}

fn last_file(folder: &Path) -> std::path::PathBuf {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.pop().unwrap()
}

#[test]
fn records_come_back_in_order_over_many_segments_and_starts() {
    let (folder, disk) = real();
    for start in 0..5 {
        let (mut journal, recovery) = open(&disk, folder.path());
        assert_eq!(recovery.damage, []);
        assert_eq!(journal.next_sequence(), start * 100 + 1);
        fill(&mut journal, 100);
    }
    let (journal, recovery) = open(&disk, folder.path());
    assert_eq!(recovery.note, b"note");
    assert_eq!(read_all(&journal, 1), ((1..=500).collect(), vec![]));
    assert_eq!(read_all(&journal, 250).0, (250..=500).collect::<Vec<_>>());
}

/// Crashes at random moments; `planted` is the mistake that the test must notice.
fn loses_what_was_acknowledged(seed: u64, planted: Lies) -> bool {
    let simulated = SimulatedDisk::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), planted);
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let mut acknowledged = 0;
    for life in 0..4 {
        let (mut journal, recovery) = open(&disk, Path::new("journal"));
        let (read, gaps) = read_all(&journal, 1);
        let kept = u64::try_from(read.len()).unwrap();
        if kept < acknowledged
            || !gaps.is_empty()
            || recovery.damage.iter().any(Damage::loses_records)
        {
            return true;
        }
        fill(&mut journal, 20 + seed % 31 + life);
        acknowledged = journal.next_sequence() - 1;
        if !journal.wants_roll() {
            let unacknowledged = record(journal.next_sequence());
            journal.append(&[&unacknowledged]).unwrap();
            journal.write_pending().unwrap();
        }
        simulated.crash();
    }
    false
}

#[test]
fn no_crash_loses_what_was_acknowledged_and_both_planted_mistakes_do() {
    let lossy =
        |planted| (1..400).filter(|&seed| loses_what_was_acknowledged(seed, planted)).count();
    assert_eq!(lossy(Lies::default()), 0);
    let without_file_sync = lossy(Lies { file_sync: true, folder_sync: false });
    assert!(without_file_sync > 300, "{without_file_sync} of 399");
    let without_folder_sync = lossy(Lies { file_sync: false, folder_sync: true });
    assert!(without_folder_sync > 300, "{without_folder_sync} of 399");
}

#[test]
fn a_journal_cut_at_any_byte_of_its_last_two_frames_keeps_the_rest() {
    let (folder, disk) = real();
    let (mut journal, _) = open(&disk, folder.path());
    fill(&mut journal, 40);
    let before = journal.index().segments().last().unwrap().bytes;
    fill(&mut journal, 2);
    let path = last_file(folder.path());
    let whole = std::fs::read(&path).unwrap();
    drop(journal);
    for cut in usize::try_from(before).unwrap()..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let (mut journal, _) = open(&disk, folder.path());
        let (read, gaps) = read_all(&journal, 1);
        assert_eq!((read.len() >= 40, gaps), (true, vec![]), "cut at {cut}");
        assert_eq!(journal.next_sequence(), u64::try_from(read.len()).unwrap() + 1);
        fill(&mut journal, 1);
        let made = last_file(folder.path());
        drop(journal);
        if made != path {
            std::fs::remove_file(made).unwrap();
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_in_the_middle_becomes_a_gap_of_one_record() {
    let (folder, disk) = real();
    let (mut journal, _) = open(&disk, folder.path());
    fill(&mut journal, 20);
    drop(journal);
    let path = last_file(folder.path());
    let whole = std::fs::read(&path).unwrap();
    for at in 120..whole.len() - 300 {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let (journal, recovery) = open(&disk, folder.path());
        let (read, gaps) = read_all(&journal, 1);
        assert_eq!((read.len(), gaps.len()), (19, 1), "byte {at}: {gaps:?}");
        assert!(matches!(recovery.damage[..], [Damage::Gap { .. }]), "{:?}", recovery.damage);
        assert_eq!(journal.next_sequence(), 21);
    }
}

#[test]
fn a_damaged_header_is_set_aside_and_no_sequence_is_given_twice() {
    let (folder, disk) = real();
    let (mut journal, _) = open(&disk, folder.path());
    fill(&mut journal, 100);
    drop(journal);
    let path = last_file(folder.path());
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[9] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let (mut journal, recovery) = open(&disk, folder.path());
    assert!(matches!(recovery.damage[..], [Damage::Header { .. }]));
    assert!(journal.next_sequence() > 100, "{}", journal.next_sequence());
    fill(&mut journal, 1);
    let (_, gaps) = read_all(&journal, 1);
    assert_eq!(gaps.len(), 1);
}

#[test]
fn a_full_disk_takes_nothing_half_and_goes_on_when_there_is_room() {
    let simulated = SimulatedDisk::new(7, Lies::default());
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let (mut journal, _) = open(&disk, Path::new("journal"));
    let mut refused = 0;
    for room in 0..6_000 {
        simulated.set_capacity(Some(room));
        let next = record(journal.next_sequence());
        refused += usize::from(write(&mut journal, &next).is_err());
    }
    assert!(refused > 1_000);
    simulated.set_capacity(None);
    fill(&mut journal, 3);
    let next = journal.next_sequence();
    assert_eq!(read_all(&journal, 1), ((1..next).collect(), vec![]));
    simulated.crash();
    let (journal, _) = open(&disk, Path::new("journal"));
    assert_eq!(read_all(&journal, 1), ((1..next).collect(), vec![]));
}

#[test]
fn after_a_failed_flush_the_records_are_taken_back_and_a_new_segment_begins() {
    let simulated = SimulatedDisk::new(7, Lies::default());
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let (mut journal, _) = open(&disk, Path::new("journal"));
    fill(&mut journal, 5);
    simulated.fail_syncs(1);
    assert!(write(&mut journal, b"refused").is_err());
    assert_eq!(journal.next_sequence(), 6);
    assert!(journal.wants_roll());
    fill(&mut journal, 5);
    simulated.crash();
    let (journal, _) = open(&disk, Path::new("journal"));
    assert_eq!(read_all(&journal, 1), ((1..=10).collect(), vec![]));
}

#[test]
fn compact_segments_read_like_the_frames_they_were() {
    let (folder, disk) = real();
    let (mut journal, _) = open(&disk, folder.path());
    fill(&mut journal, 300);
    let before = journal.index().bytes();
    let mut reading = journal.follow(1);
    for _ in 0..30 {
        reading.read().unwrap();
    }
    while compact_oldest(&disk, journal.index(), u64::MAX).unwrap() {}
    assert!(journal.index().bytes() < before);
    assert_eq!(reading.read().unwrap(), Next::Record { sequence: 31, record: record(31).into() });
    assert_eq!(read_all(&journal, 1), ((1..=300).collect(), vec![]));
    drop(journal);
    let (mut journal, recovery) = open(&disk, folder.path());
    assert_eq!(recovery.damage, []);
    assert_eq!(read_all(&journal, 117).0, (117..=300).collect::<Vec<_>>());
    assert!(journal.remove_before(200).unwrap() > 0);
    let (read, gaps) = read_all(&journal, 1);
    assert_eq!(gaps, [(1, read[0] - 1)]);
    assert!((150..=200).contains(&read[0]), "{}", read[0]);
}

#[test]
fn a_reader_waits_for_what_is_not_written_yet() {
    let (folder, disk) = real();
    let (mut journal, _) = open(&disk, folder.path());
    let index = journal.index().clone();
    assert!(!index.wait_for(1, Duration::from_millis(1)));
    let waiting = std::thread::spawn(move || index.wait_for(1, Duration::from_secs(20)));
    fill(&mut journal, 1);
    assert!(waiting.join().unwrap());
}
