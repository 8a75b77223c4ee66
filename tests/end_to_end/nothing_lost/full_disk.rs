//! A disk that is full for a while, at the agent or at the collector, and then is not: nobody restarts
//! anything.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::recount::Both;
use crate::site::{Site, now, wait_until};

/// It accepts again within this.
const AGAIN: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(60);
/// How long the disk is full.
const FULL: Duration = Duration::from_secs(3);

#[test]
fn the_agents_disk_is_full_for_a_while() {
    let mut disk = None;
    let mut site = Site::prepare(|folder| disk = Some(SmallDisk::mount(&folder.join("outbox"), 4)));
    let disk = disk.unwrap();
    start(&mut site);
    let filler = disk.fill();
    wait_until("the agent cannot write", SETTLE, || {
        site.log("agent").contains("the intent cannot be written, so no mail is sent")
    });
    let filler = disk.stay_full(filler, FULL);
    let took = free(&site, &filler);
    let accounts = site.drain(SETTLE);
    let both = Both::settled(&mut site, SETTLE);
    both.ledger.expect_whole();
    assert_eq!(both.ledger.total(), accounts.acknowledged, "{accounts:?}");
    assert!(both.ledger.local_disk > 0, "no slot was void for want of space");
    println!(
        "the agent's disk: again in {took:.1?}; {} observations, of them {} void for want of space",
        accounts.produced, both.ledger.local_disk
    );
}

#[test]
fn the_collectors_disk_is_full_for_a_while() {
    let mut disk = None;
    let mut site =
        Site::prepare(|folder| disk = Some(SmallDisk::mount(&folder.join("collector"), 32)));
    let disk = disk.unwrap();
    start(&mut site);
    let filler = disk.fill();
    wait_until("the collector cannot write", SETTLE, || {
        site.log("collector").contains("the ledger cannot write")
    });
    // One that comes anew to a collector without space must not be put off for long either.
    site.agent.take().unwrap().kill();
    site.set_checks(11, "50ms");
    site.start_agent();
    let filler = disk.stay_full(filler, FULL);
    let took = free(&site, &filler);
    let accounts = site.drain(SETTLE);
    let both = Both::settled(&mut site, SETTLE);
    both.ledger.expect_whole();
    assert_eq!(both.ledger.total(), accounts.acknowledged, "{accounts:?}");
    assert_eq!((accounts.rejected, accounts.tombstoned), (0, 0), "{accounts:?}");
    println!("the collector's disk: again in {took:.1?}; {} observations", accounts.produced);
}

fn start(site: &mut Site) {
    site.set_checks(10, "50ms");
    site.start_collector();
    site.wait_for_collector();
    site.start_agent();
    wait_until("something is stored", SETTLE, || site.newest_sequence() > 100);
}

/// Gives the space back; says how long it took until something new was stored.
fn free(site: &Site, filler: &Path) -> Duration {
    let before = site.newest_sequence();
    let begun = now();
    fs::remove_file(filler).unwrap();
    // What waited comes first: more than that must come.
    wait_until("it accepts again", AGAIN, || site.newest_sequence() > before + 20);
    now() - begun
}

/// A file system in memory of a few MiB, unmounted when it is dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path, mib: u32) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test mounts a small file system: run it as root"
        );
        fs::create_dir(at).unwrap();
        let size = format!("size={mib}m,mode=700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status();
        assert!(mounted.is_ok_and(|status| status.success()), "cannot mount a tmpfs of {mib} MiB");
        Self(at.to_owned())
    }

    /// Takes all space that is left.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        Self::top_up(&path);
        path
    }

    /// Keeps it full for a while, whatever is given back meanwhile.
    pub(crate) fn stay_full(&self, filler: PathBuf, lasting: Duration) -> PathBuf {
        let until = now() + lasting;
        while now() < until {
            Self::top_up(&filler);
            std::thread::sleep(Duration::from_millis(20));
        }
        filler
    }

    fn top_up(path: &Path) {
        let mut file: File = File::options().create(true).append(true).open(path).unwrap();
        for block in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![1; block]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there is about to be ended.
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}
