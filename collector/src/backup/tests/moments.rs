//! Backups while the collector goes on: what comes after the mark is not in them, what goes meanwhile is.

use std::cell::Cell;
use std::fs;
use std::io;

use mailsonde_proto::Clock;

use super::{BackupError, Collector, Gathered, Mark, NORTH, close, make, put_back, send};
use crate::control::Control;

#[tokio::test]
async fn what_comes_after_the_mark_is_not_in_it() {
    let collector = Collector::make().await;
    let (_, before) = collector.back_up();
    let (control, ledger) = collector.open();
    let clock = Clock::system();
    let now = clock.wall().timestamp();
    // a record on each side of the mark, so that the journals' segments grow under it
    send(&ledger.ledger, NORTH, 41..=41).await;
    control.append(clock.wall(), Control::Tick).unwrap();
    let quarantine = ledger.ledger.quarantine_index();
    let gathered =
        Gathered::open(&collector.folder, || Ok(Mark::of_running(&control, quarantine, now)));
    let gathered = gathered.unwrap();
    send(&ledger.ledger, NORTH, 42..=90).await;
    control.append(clock.wall(), Control::Tick).unwrap();
    ledger.ledger.quarantine(NORTH, 7, "later".into()).await.unwrap();
    let (manifest, bytes) = make(&collector.folder, gathered, Vec::new(), |_, _| ()).unwrap();
    close(ledger);
    assert_eq!(manifest.recount.observations(), before.recount.observations() + 1);
    assert_eq!((manifest.recount.control, manifest.recount.quarantine), (4, 1));
    assert_eq!(manifest.control.next, 5);
    let restored = put_back(&bytes, &collector.beside("elsewhere")).unwrap();
    let through = restored.recount.sources.first().unwrap().through;
    assert_eq!(through, 41);
    assert_eq!(collector.back_up().1.recount.sources.first().unwrap().through, 90);
}

#[tokio::test]
async fn what_is_compacted_or_removed_meanwhile_is_in_it() {
    let collector = Collector::make().await;
    let (_, whole) = collector.back_up();
    let (control, ledger) = collector.open();
    let now = Clock::system().wall().timestamp();
    let quarantine = ledger.ledger.quarantine_index();
    let asked = Cell::new(0);
    let gathered = Gathered::open(&collector.folder, || {
        asked.set(asked.get() + 1);
        let mark = Mark::of_running(&control, quarantine, now);
        if asked.get() == 1 {
            // between being named and being opened: it has another name then
            assert!(ledger.ledger.compact(u64::MAX).unwrap());
        }
        Ok(mark)
    });
    let gathered = gathered.unwrap();
    assert_eq!(asked.get(), 2, "it was not asked again");
    // opened, and gone
    while ledger.ledger.compact(u64::MAX).unwrap() {}
    for entry in fs::read_dir(collector.folder.observations()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let (manifest, bytes) = make(&collector.folder, gathered, Vec::new(), |_, _| ()).unwrap();
    close(ledger);
    assert_eq!(manifest.recount, whole.recount);
    put_back(&bytes, &collector.beside("elsewhere")).unwrap();
}

#[tokio::test]
async fn files_that_never_stay_are_told_and_keys_that_do_not_fit_too() {
    let collector = Collector::make().await;
    let mark = || Mark::of_stopped(&collector.folder, Clock::system().wall().timestamp());
    let restless = Gathered::open(&collector.folder, || {
        let mut mark = mark()?;
        mark.observations.segments.first_mut().unwrap().file = "gone.segment".into();
        Ok(mark)
    });
    assert!(matches!(restless, Err(BackupError::Restless(_))), "{restless:?}");
    let elsewhere = Gathered::open(&collector.folder, || {
        let mut mark = mark()?;
        mark.observations.segments.first_mut().unwrap().file = "../collector.toml".into();
        Ok(mark)
    });
    assert!(matches!(elsewhere, Err(BackupError::Mark(_))), "{elsewhere:?}");
    // a full disk at the other end
    let full =
        make(&collector.folder, Gathered::open(&collector.folder, mark).unwrap(), Full, |_, _| ());
    assert!(full.is_err_and(|error| error.to_string().contains("storage full")));
    let other = Collector::make().await;
    fs::copy(other.folder.authority_key(), collector.folder.authority_key()).unwrap();
    assert_eq!(collector.back_up().1.remarks, ["ca.key is not the key of ca.pem"]);
    fs::remove_file(collector.folder.authority_key()).unwrap();
    assert!(collector.back_up().1.remarks[0].starts_with("ca.pem or ca.key is missing"));
}

struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::StorageFull, "storage full"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
