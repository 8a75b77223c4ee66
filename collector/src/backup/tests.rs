//! Backups of a small collector: made, read, restored; damaged, cut off, and made by strangers.

mod hostile;
mod moments;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use mailsonde_proto::convert::{SequenceRange, Tombstone, TombstoneReason, observation_to_bytes};
use mailsonde_proto::{AgentId, Clock, Epoch, Fault, FaultClass, Verdict, VoidReason};
use tempfile::TempDir;

use super::{BackupError, Gathered, Manifest, Mark, Restored, make, restore, verify};
use crate::config::Config;
use crate::control::{Control, ControlJournal};
use crate::folder::{Folder, write_file};
use crate::identity::Authority;
use crate::query::status::samples::run;
use crate::store::ledger::{Ledger, LedgerOptions, Opened, Source};

const NORTH: Source = Source { agent: AgentId([1; 16]), epoch: Epoch(7) };
const COAST: Source = Source { agent: AgentId([2; 16]), epoch: Epoch(9) };
const OPTIONS: LedgerOptions = LedgerOptions { segment_bytes: 4_000 };

fn observation(number: u64) -> Bytes {
    let fault = Fault::new("data", FaultClass::Temporary, "made up");
    let verdict = match number % 5 {
        0 => Verdict::Fail(fault),
        1 => Verdict::Void { reason: VoidReason::Interrupted, detail: String::new() },
        _ => Verdict::Pass,
    };
    observation_to_bytes(&run(0, verdict))
}

async fn send(ledger: &Ledger, source: Source, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        ledger.append(source, sequence, vec![observation(sequence)]).await.unwrap();
    }
}

/// A collector's folder, with everything that may be in one.
struct Collector {
    _temporary: TempDir,
    folder: Folder,
}

impl Collector {
    async fn make() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path().join("collector"));
        folder.create().unwrap();
        let (name, clock) = ("localhost".parse().unwrap(), Clock::system());
        Authority::create(&folder, &name, clock.wall()).unwrap();
        Config::new("127.0.0.1:0".parse().unwrap(), name).write(&folder).unwrap();
        for (path, mode) in [
            ("channels.d/chat.toml", 0o640),
            ("chat.secret", 0o600),
            ("reports/2026-10.json", 0o600),
            ("templates/mail.txt", 0o644),
            ("views/snapshots/00000000000000000001.snap", 0o600),
            ("views/sealed/hours/2026-11-01.roll", 0o600),
            // these stay where they are
            ("views/sled/db", 0o600),
            ("views/sealed/hours/2026-11-02.roll.part", 0o600),
            ("collector.making", 0o600),
            ("operators.sock", 0o600),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_file(&path, path.to_string_lossy().as_bytes(), mode).unwrap();
        }
        let collector = Self { _temporary: temporary, folder };
        let (control, ledger) = collector.open();
        for _ in 0..3 {
            control.append(clock.wall(), Control::Tick).unwrap();
        }
        send(&ledger.ledger, NORTH, 1..=40).await;
        send(&ledger.ledger, COAST, 1..=25).await;
        let range = SequenceRange { first: 26, last: 30 };
        let reason = TombstoneReason::SpoolFull;
        let buried = Tombstone { range, reason, pass: 5, fail: 0, void: 0 };
        ledger.ledger.bury(COAST, buried).await.unwrap();
        ledger.ledger.quarantine(NORTH, 99, "what is this".into()).await.unwrap();
        // some as columns, the rest as frames
        assert!(ledger.ledger.compact(u64::MAX).unwrap());
        close(ledger);
        collector
    }

    fn open(&self) -> (ControlJournal, Opened) {
        let (control, _) = ControlJournal::open(&self.folder.control()).unwrap();
        let opened = Ledger::open(self.folder.path(), OPTIONS, Clock::system()).unwrap();
        control.go_with(opened.ledger.index().clone());
        (control, opened)
    }

    /// A backup of it as it lies there.
    fn back_up(&self) -> (Vec<u8>, Manifest) {
        let mark = || Mark::of_stopped(&self.folder, Clock::system().wall().timestamp());
        let gathered = Gathered::open(&self.folder, mark).unwrap();
        let (manifest, bytes) = make(&self.folder, gathered, Vec::new(), |_, _| ()).unwrap();
        (bytes, manifest)
    }

    /// A place beside it.
    fn beside(&self, name: &str) -> Folder {
        Folder::at(self.folder.path().with_file_name(name))
    }
}

fn close(opened: Opened) {
    drop(opened.ledger);
    opened.writer.join().unwrap();
}

/// Every file below a folder: its content and who may do what with it.
fn tree(folder: &Path) -> BTreeMap<String, (Vec<u8>, u32)> {
    let mut files = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
                continue;
            }
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            files.insert(name, (fs::read(&path).unwrap(), mode));
        }
    }
    files
}

fn put_back(bytes: &[u8], to: &Folder) -> Result<Restored, BackupError> {
    restore(bytes, to, |_, _| ())
}

/// What is beside the collector's folder.
fn beside(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path().parent().unwrap()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_restored_is_what_was_backed_up() {
    let collector = Collector::make().await;
    let (bytes, manifest) = collector.back_up();
    let counted: Vec<_> = (manifest.recount.sources.iter())
        .map(|count| {
            let told = (count.pass, count.fail, count.void, count.other);
            (
                count.agent.get(..2).unwrap(),
                count.epoch.trim_start_matches('0'),
                told,
                count.missing,
                count.through,
            )
        })
        .collect();
    assert_eq!(counted, [("01", "7", (24, 8, 8, 0), 0, 40), ("02", "9", (15, 5, 5, 0), 5, 30)]);
    let recount = &manifest.recount;
    assert_eq!((recount.control, recount.quarantine, recount.damaged), (3, 1, 0));
    assert_eq!((manifest.observations.first, manifest.observations.next), (1, 67));
    assert!(manifest.files.iter().any(|file| file.path.ends_with(".columns")), "none compacted");
    assert_eq!(manifest.remarks, [""; 0]);
    assert_eq!(verify(bytes.as_slice(), |_, _| ()).unwrap(), manifest);

    let to = collector.beside("elsewhere");
    let restored = put_back(&bytes, &to).unwrap();
    assert_eq!(restored.recount, manifest.recount);
    assert_eq!(restored.remarks, [""; 0]);
    let (mut before, mut after) = (tree(collector.folder.path()), tree(to.path()));
    let stays = |name: &str| {
        name.starts_with("views/sled/")
            || name.ends_with(".part")
            || name.ends_with(".making")
            || ["operators.sock", "lock"].contains(&name)
    };
    before.retain(|name, _| !stays(name));
    assert_eq!(after.remove("lock").map(|(content, _)| content), Some(Vec::new()));
    // journals are for their owner alone afterwards, whatever the umask made of them before
    for (name, (_, mode)) in
        before.iter_mut().filter(|(name, _)| name.contains(".segment") || name.contains(".columns"))
    {
        assert!(name.contains('/'));
        *mode = 0o600;
    }
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "contents or permissions differ");
    let mode = fs::metadata(to.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    assert_eq!(beside(&collector.folder), ["collector", "elsewhere"], "something is left");
    // what is restored can be backed up, and is the same again
    let again = Collector { _temporary: tempfile::tempdir().unwrap(), folder: to };
    assert_eq!(again.back_up().1.recount, manifest.recount);
}

#[tokio::test]
async fn a_backup_is_never_put_over_something() {
    let collector = Collector::make().await;
    let (bytes, _) = collector.back_up();
    let before = tree(collector.folder.path());
    let error = put_back(&bytes, &collector.folder).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");
    assert!(tree(collector.folder.path()) == before, "it was touched");

    let empty = collector.beside("empty");
    fs::create_dir(empty.path()).unwrap();
    fs::set_permissions(empty.path(), fs::Permissions::from_mode(0o750)).unwrap();
    fs::create_dir(empty.path().join("lost+found")).unwrap();
    // what a restore left that was killed
    let left = empty.path().join(".restoring/observations");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("00000000000000000001.segment"), "half").unwrap();
    put_back(&bytes, &empty).unwrap();
    assert!(empty.config().exists() && !empty.path().join(".restoring").exists());
    let mode = fs::metadata(empty.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o750, "the place's own permissions stay");
    let error = put_back(&bytes, &empty).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");

    // somebody else restores there at the moment
    let busy = collector.beside("busy");
    fs::create_dir_all(busy.path().join(".restoring")).unwrap();
    let lock = Folder::at(busy.path().join(".restoring")).lock().unwrap();
    let error = put_back(&bytes, &busy).unwrap_err();
    assert!(matches!(error, BackupError::AtWork(_)), "{error}");
    drop(lock);
    put_back(&bytes, &busy).unwrap();
}
