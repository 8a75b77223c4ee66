//! Nothing is lost and nothing is counted twice, whatever is killed, filled up or damaged: the processes
//! are the real ones, and what they keep is counted again from their journals.

mod backlog;
mod damage;
pub(crate) mod full_disk;
pub(crate) mod recount;
mod strangers;

use std::time::Duration;

use crate::site::{Site, now, wait_until};
use recount::Both;

/// Numbers that look random, the same every time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

const KILLS: u32 = 50;

#[test]
fn killed_at_random_moments() {
    let mut dice = Dice(2_026);
    let mut site = Site::new();
    site.set_checks(10, "100ms");
    site.start_collector();
    site.start_agent();
    let stored = site.collector_folder().join("observations");
    let is_stored = || std::fs::read_dir(&stored).is_ok_and(|mut files| files.next().is_some());
    wait_until("the first observation is stored", Duration::from_secs(20), is_stored);
    let (begun, mut agents, mut collectors) = (now(), 0, 0);
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(100 + dice.below(600)));
        let whom = dice.below(5);
        if whom != 0 && whom != 1 {
            site.agent.take().unwrap().kill();
            agents += 1;
        }
        if whom <= 2 {
            site.collector.take().unwrap().kill();
            collectors += 1;
            site.start_collector();
        }
        if site.agent.is_none() {
            site.start_agent();
        }
    }
    let killing = now() - begun;
    site.wait_for_collector();
    let accounts = site.drain(Duration::from_secs(60));
    let both = Both::settled(&mut site, Duration::from_secs(60));
    both.ledger.expect_whole();
    assert_eq!(both.ledger.stored.len(), 1, "the epoch changed: {:?}", both.ledger.stored.keys());
    assert_eq!(both.ledger.total(), accounts.acknowledged, "{accounts:?}");
    assert_eq!((accounts.rejected, accounts.tombstoned), (0, 0), "{accounts:?}");
    let [pass, fail, void] = both.ledger.verdicts;
    assert!(pass > 500, "too little happened to prove anything: {accounts:?}");
    println!(
        "{KILLS} kills in {killing:.1?} (agent {agents} times, collector {collectors}): \
         {} observations ({pass} pass, {fail} fail, {void} void), {:.1?} in all",
        accounts.produced,
        now() - begun
    );
}
