use super::*;
use crate::config::outside::GOOGLE_WORKSPACE;

fn listener(control: &Arc<ControlJournal>, clock: Clock) -> Listener {
    let config = VendorConfig {
        name: "google".into(),
        kind: VendorKind::GoogleWorkspace(GOOGLE_WORKSPACE.parse().unwrap()),
        services: vec!["mail".into()],
        only: vec![],
        every: Duration::from_secs(60),
        authority: None,
    };
    Listener {
        config,
        secret: Zeroizing::default(),
        outward: Outward::new(rustls::RootCertStore::empty()).unwrap(),
        clock,
        control: control.clone(),
        state: Mutex::default(),
    }
}

fn trouble(title: &str) -> Vec<Announcement> {
    vec![Announcement { id: "1".into(), title: title.into(), ..Announcement::default() }]
}

fn not_heard(after_s: Option<u64>) -> Result<Option<Vec<Announcement>>, NotHeard> {
    let after = after_s.map(Duration::from_secs);
    Err(NotHeard { words: "cannot connect".into(), after })
}

fn control(folder: &tempfile::TempDir) -> Arc<ControlJournal> {
    Arc::new(ControlJournal::open(&folder.path().join("control")).unwrap().0)
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_asked_more_rarely_and_its_word_grows_old() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder);
    let it = listener(&control, Clock::starting_at(WallTime::from_s(1_000)));
    let memory = &mut Memory::default();
    let mut take = |heard| it.take(heard, memory).as_secs();
    assert_eq!(it.answer().state, VendorState::Unknown);
    assert_eq!(take(Ok(Some(trouble("slow")))), 60);
    assert_eq!(it.answer().state, VendorState::Trouble);
    let pauses: Vec<u64> = (0..7).map(|_| take(not_heard(None))).collect();
    assert_eq!(pauses, [60, 120, 240, 480, 960, 1_800, 1_800]);
    // it may ask for more, not for less
    assert_eq!((take(not_heard(Some(3_600))), take(not_heard(Some(5)))), (3_600, 1_800));
    let shown = it.answer();
    assert_eq!((shown.state, shown.trouble.len()), (VendorState::Trouble, 1));
    assert_eq!(shown.error.as_deref(), Some("cannot connect"));

    tokio::time::advance(STALE + Duration::from_secs(1)).await;
    assert_eq!(it.answer().state, VendorState::Unknown);
    take(not_heard(None));
    assert_eq!(it.answer().trouble, []);
    // the same as before, by its validators
    take(Ok(Some(vec![])));
    assert_eq!((take(Ok(None)), it.answer().state), (60, VendorState::Quiet));
}

#[tokio::test(start_paused = true)]
async fn only_what_changed_is_written_down_and_not_too_often() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder);
    let it = listener(&control, Clock::starting_at(WallTime::from_s(1_000)));
    let memory = &mut Memory::default();
    let written = || control.index().next() - 1;
    it.write(memory).await;
    assert_eq!(written(), 0, "nothing was heard");
    it.take(Ok(Some(vec![])), memory);
    it.write(memory).await;
    assert_eq!(written(), 0, "no trouble is no news");
    for _ in 0..3 {
        it.take(Ok(Some(trouble("slow"))), memory);
        it.write(memory).await;
    }
    assert_eq!(written(), 1);
    let says = control.look(|roll| roll.outside().vendor("google").cloned()).unwrap();
    assert_eq!((says.services, says.trouble), (vec!["mail".to_owned()], trouble("slow")));
    // one that says something else each time
    for number in 0..100 {
        it.take(Ok(Some(trouble(&number.to_string()))), memory);
        it.write(memory).await;
    }
    assert_eq!(written(), 12);
    tokio::time::advance(HOUR).await;
    it.write(memory).await;
    assert_eq!(written(), 13);
    let says = control.look(|roll| roll.outside().vendor("google").cloned()).unwrap();
    assert_eq!(says.trouble, trouble("99"));
}

#[test]
fn what_was_answered_is_asked_about_again() {
    let headers = [(ETAG, "W/\"1\""), (LAST_MODIFIED, "Sun, 29 Nov 2026 13:30:00 GMT")];
    let headers = headers.into_iter().map(|(name, value)| (name, value.parse().unwrap())).collect();
    let asked = validators(&headers);
    assert_eq!(asked.get(IF_NONE_MATCH).unwrap(), "W/\"1\"");
    assert_eq!(asked.get(IF_MODIFIED_SINCE).unwrap(), "Sun, 29 Nov 2026 13:30:00 GMT");
    assert!(validators(&HeaderMap::new()).is_empty());
}
