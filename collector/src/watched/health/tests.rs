use mailsonde_proto::WallTime;

use super::*;

struct Examining {
    health: Health,
    refused: Arc<AtomicBool>,
    progress: Arc<Progress>,
    notices: Arc<Mutex<Result<(), String>>>,
    folder: tempfile::TempDir,
}

fn examining() -> Examining {
    let folder = tempfile::tempdir().unwrap();
    let control = Arc::new(ControlJournal::open(&folder.path().join("control")).unwrap().0);
    let (refused, progress) = (Arc::<AtomicBool>::default(), Arc::<Progress>::default());
    let notices = Arc::new(Mutex::new(Ok(())));
    let told = notices.clone();
    let stored = control.index().clone();
    progress.next.store(u64::MAX, Ordering::Relaxed);
    let subject = Subject {
        control,
        stored,
        refused: refused.clone(),
        progress: progress.clone(),
        notices: Box::new(move || told.lock().unwrap().clone()),
        clock: Clock::starting_at(WallTime::from_s(1_000)),
    };
    let health = Health::new(subject, folder.path().to_owned());
    Examining { health, refused, progress, notices, folder }
}

async fn after(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn each_part_is_tried_anew_once_the_last_time_is_old() {
    let it = examining();
    let examined = it.health.examine();
    assert!(examined.is_healthy(), "{examined:?}");
    let parts: Vec<_> = examined.parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(parts, ["journal", "observations", "pipeline", "views", "notices", "disk"]);
    let written = || it.health.subject.control.index().next();
    let before = written();
    after(19).await;
    it.health.examine();
    assert_eq!(written(), before, "what is fresh is not tried again");
    after(1).await;
    it.health.examine();
    assert_eq!(written(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_and_looked_at_again_soon() {
    let it = examining();
    it.refused.store(true, Ordering::Relaxed);
    it.progress.stumbled.store(true, Ordering::Relaxed);
    *it.notices.lock().unwrap() = Err("12 notices wait since 14:02".to_owned());
    insta::assert_snapshot!(it.health.examine().reasons(), @r"
    observations: the disk refused the last ones: agents keep them meanwhile
    views: cannot be written: see the collector's log
    notices: 12 notices wait since 14:02
    ");
    it.refused.store(false, Ordering::Relaxed);
    it.progress.stumbled.store(false, Ordering::Relaxed);
    *it.notices.lock().unwrap() = Ok(());
    after(4).await;
    assert!(!it.health.examine().is_healthy());
    after(1).await;
    assert_eq!(it.health.examine().reasons(), "");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_stands_still_is_no_pipeline() {
    let it = examining();
    it.progress.next.store(0, Ordering::Relaxed);
    let words = |examined: &Examined| examined.parts[2].words.clone();
    assert_eq!(words(&it.health.examine()), "2 records behind");
    after(60).await;
    it.progress.next.store(1, Ordering::Relaxed);
    it.progress.steps.store(5, Ordering::Relaxed);
    assert!(it.health.examine().is_healthy(), "it is behind, and moves");
    after(119).await;
    assert!(it.health.examine().is_healthy());
    after(30).await;
    let examined = it.health.examine();
    assert!(!examined.is_healthy());
    assert!(words(&examined).starts_with("stands still since 149 s, "), "{examined:?}");
    // it looks, and there is nothing more to read
    it.progress.next.store(u64::MAX, Ordering::Relaxed);
    it.progress.steps.store(6, Ordering::Relaxed);
    after(6).await;
    assert_eq!(words(&it.health.examine()), "has read everything");
    // one that does not even look has ended or hangs
    after(120).await;
    assert!(!it.health.examine().is_healthy());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_gone_cannot_be_read_back() {
    let it = examining();
    assert!(it.health.examine().is_healthy());
    std::fs::remove_dir_all(it.folder.path().join("control")).unwrap();
    after(20).await;
    let reasons = it.health.examine().reasons();
    assert!(reasons.starts_with("journal: "), "{reasons}");
}
