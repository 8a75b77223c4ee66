//! What is damaged while the collector is stopped: it accepts again at once, says what is missing, and
//! counts what is left.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailsonde_collector::folder::Folder;
use mailsonde_collector::store::ledger::GapReason;

use super::Dice;
use super::recount::Both;
use crate::site::{Site, now, wait_until};

/// It accepts again within this.
const AGAIN: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(60);

/// Damages the views' folder.
type Spoil = fn(&Path);

#[test]
fn a_journal_that_is_cut_short_becomes_a_declared_gap() {
    let mut dice = Dice(7);
    for round in 0..6 {
        let mut site = filled();
        let newest = newest_segment(&site);
        let length = fs::metadata(&newest).unwrap().len();
        let cut = 1 + dice.below(400);
        OpenOptions::new().write(true).open(&newest).unwrap().set_len(length - cut).unwrap();
        let took = resume(&mut site);
        let accounts = site.drain(SETTLE);
        let both = Both::settled(&mut site, SETTLE);
        both.ledger.expect_once();
        let missing: u64 =
            both.ledger.gaps.iter().map(|(_, range, _)| range.last - range.first + 1).sum();
        assert!(missing > 0, "{cut} bytes were cut and nothing is said to be missing");
        assert!(site.log("collector").contains("a gap is declared"), "not told");
        let reasons = both.ledger.gaps.iter().map(|(_, _, reason)| *reason);
        assert!(reasons.clone().all(|reason| reason == GapReason::CollectorBehind), "{reasons:?}");
        assert_eq!(both.ledger.total() + missing, accounts.acknowledged, "{accounts:?}");
        println!("round {round}: {cut} bytes cut, {missing} declared missing, again in {took:.1?}");
    }
}

#[test]
fn a_flipped_byte_costs_its_record_and_is_told() {
    let mut site = filled();
    let newest = newest_segment(&site);
    flip(&newest, fs::metadata(&newest).unwrap().len() / 2);
    // Without views, so that what they say can come from the journal only.
    fs::remove_dir_all(views(&site)).unwrap();
    let took = resume(&mut site);
    site.drain(SETTLE);
    let log = site.log("collector");
    assert!(log.contains("damage was found; what is missing is shown as a gap"), "not told");
    assert!(log.contains("the views are made anew"), "nobody said that the views were gone");
    let both = Both::settled(&mut site, SETTLE);
    both.ledger.expect_once();
    assert_eq!(both.ledger.damaged.len(), 1, "{:?}", both.ledger.damaged);
    println!("a flipped byte: record {:?} is lost, again in {took:.1?}", both.ledger.damaged);
}

#[test]
fn damaged_or_missing_views_are_made_anew() {
    let mut site = filled();
    let spoil: [(&str, Spoil); 4] = [
        ("sled is garbage", |views| {
            each_file(&views.join("sled"), |file| fs::write(file, [7; 999]))
        }),
        ("sled has flipped bytes", |views| {
            each_file(&views.join("sled"), |file| {
                let length = fs::metadata(file)?.len();
                (0..length).step_by(499).for_each(|at| flip(file, at));
                Ok(())
            });
        }),
        ("sled is missing", |views| fs::remove_dir_all(views.join("sled")).unwrap()),
        ("everything is missing", |views| fs::remove_dir_all(views).unwrap()),
    ];
    for (what, spoil) in spoil {
        spoil(&views(&site));
        let told = site.log("collector").len();
        let took = resume(&mut site);
        let accounts = site.drain(SETTLE);
        let log = site.log("collector");
        let words = ["the views are made anew", "the views were taken from the snapshot"];
        assert!(words.iter().any(|words| log[told..].contains(words)), "{what}: not told");
        let both = Both::settled(&mut site, SETTLE);
        both.ledger.expect_whole();
        assert_eq!(both.ledger.total(), accounts.acknowledged, "{what}: {accounts:?}");
        println!("{what}: again in {took:.1?}");
    }
}

/// A site that stored some hundred observations, drained and stopped.
fn filled() -> Site {
    let mut site = Site::new();
    site.set_checks(10, "20ms");
    site.start_collector();
    site.wait_for_collector();
    site.start_agent();
    wait_until("some hundred are stored", SETTLE, || site.newest_sequence() > 500);
    site.drain(SETTLE);
    Both::settled(&mut site, SETTLE).ledger.expect_whole();
    site
}

/// Starts both, and waits until something new is stored; says how long that took.
fn resume(site: &mut Site) -> Duration {
    site.set_checks(10, "20ms");
    let begun = now();
    site.start_collector();
    site.wait_for_collector();
    let before = site.newest_sequence();
    site.start_agent();
    wait_until("something new is stored", AGAIN, || site.newest_sequence() > before);
    let took = now() - begun;
    assert!(took < AGAIN, "it took {took:?}");
    took
}

/// The segment of the ledger that was written to last.
fn newest_segment(site: &Site) -> PathBuf {
    let folder = Folder::at(site.collector_folder()).observations();
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.retain(|file| fs::metadata(file).unwrap().len() > 2_000);
    files.pop().unwrap()
}

fn views(site: &Site) -> PathBuf {
    Folder::at(site.collector_folder()).views()
}

fn flip(file: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x20], at).unwrap();
}

fn each_file(folder: &Path, spoil: impl Fn(&Path) -> std::io::Result<()>) {
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            spoil(&path).unwrap();
        }
    }
}
