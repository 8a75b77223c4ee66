//! The outbox on a disk that is full, and is freed again without a restart.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mailsonde_proto::journal::DiskFile;
use tokio::task::JoinSet;

use super::*;

/// The machine's disk, but full whenever told; or full for as long as a certain file is there.
#[derive(Clone, Default)]
struct FullDisk {
    is_full: Arc<AtomicBool>,
    unless_gone: Option<PathBuf>,
}

impl FullDisk {
    fn ask(&self) -> io::Result<()> {
        let has_room = self.unless_gone.as_ref().is_some_and(|path| !path.exists());
        if self.is_full.load(Ordering::SeqCst) && !has_room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

struct FullFile(Box<dyn DiskFile>, FullDisk);

impl DiskFile for FullFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.ask()?;
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.0.cut(bytes)
    }
}

impl Disk for FullDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.create_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(folder)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FullFile(RealDisk.create(path)?, self.clone())))
    }

    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()> {
        RealDisk.cut(path, bytes)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        RealDisk.length(path)
    }

    fn read(&self, path: &Path, from: u64, limit: usize) -> io::Result<Vec<u8>> {
        RealDisk.read(path, from, limit)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.sync_folder(folder)
    }
}

async fn all_spooled(outbox: &Outbox, count: u64) -> Vec<Observation> {
    let mut progress = outbox.progress();
    let spooled = progress.wait_for(|progress| progress.accounts.produced == count);
    tokio::time::timeout(Duration::from_secs(10), spooled).await.unwrap().unwrap();
    let mut reader = outbox.read_from(1).await.unwrap();
    match reader.read(u64::MAX, 1_000, 1 << 20).unwrap() {
        Spooled::Observations(_, records) => {
            records.iter().map(|bytes| observation_from_bytes(bytes).unwrap()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_sends_no_mail_and_what_could_not_be_written_comes_when_it_is_freed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FullDisk::default();
    let on = Arc::new(disk.clone());
    let (outbox, keeper) = Outbox::open_on(on, folder.path(), Limits::default(), clock()).unwrap();
    let mut keeping = JoinSet::new();
    keeping.spawn(keeper.run(std::future::pending()));
    let run = outbox.begin(intent("under_way")).await.unwrap();
    disk.is_full.store(true, Ordering::SeqCst);
    outbox.finish(observation(run.intent, Verdict::Pass)).await;
    for _ in 0..3 {
        let refused = outbox.begin(intent("mail")).await.unwrap_err();
        assert!(matches!(refused, NotBegun::Disk(_)), "{refused}");
    }
    assert_eq!(outbox.accounts().produced, 0);
    disk.is_full.store(false, Ordering::SeqCst);
    let spooled = all_spooled(&outbox, 4).await;
    assert_eq!((spooled[0].intent, spooled[0].verdict.as_str()), (run.intent, "pass"));
    for void in &spooled[1..] {
        let Verdict::Void { reason, detail } = &void.verdict else { panic!("{void:?}") };
        assert_eq!((*reason, void.intent), (VoidReason::LocalDisk, 0));
        assert!(detail.starts_with("the intent could not be written: cannot"), "{detail}");
    }
    assert!(outbox.begin(intent("mail")).await.unwrap().intent > run.intent);
}

#[test]
fn a_disk_that_the_spool_itself_has_filled_is_freed_by_acknowledgements() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FullDisk { unless_gone: Some(folder.path().join("reserve")), ..FullDisk::default() };
    let on = Arc::new(disk.clone());
    let (mut books, _) = Books::open(on, folder.path(), small(), clock()).unwrap();
    for _ in 0..100 {
        books.finish_one(0, Verdict::Pass);
    }
    let full = books.spool.index().bytes();
    disk.is_full.store(true, Ordering::SeqCst);
    books.finish_one(0, Verdict::Pass);
    assert_eq!((books.held.len(), books.accounts().produced), (1, 100));
    books.acknowledge(100);
    books.trim_spool();
    assert!(books.spool.index().bytes() < full / 2, "{} bytes", books.spool.index().bytes());
    assert_eq!(books.accounts().acknowledged, 100);
    disk.is_full.store(false, Ordering::SeqCst);
    books.spool(Vec::new());
    books.folder.keep_reserve();
    assert_eq!((books.held.len(), books.accounts().spooled), (0, 1));
    assert!(folder.path().join("reserve").exists());
}
