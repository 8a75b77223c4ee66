use std::time::Duration;

use super::*;
use crate::config::SecretPlace;

fn peer(control: &Arc<ControlJournal>, clock: Clock) -> Arc<Peer> {
    let config = PeerConfig {
        name: "cape".into(),
        url: SecretPlace::Variable("X".into()),
        every: Duration::from_secs(30),
        silent_after: Duration::from_secs(300),
        authority: None,
    };
    let outward = Outward::new(rustls::RootCertStore::empty()).unwrap();
    let url = Url::parse("https://cape.example:7444/watched/secret").unwrap();
    Arc::new(Peer::new(config, url, outward, (clock, control.clone())))
}

#[tokio::test(start_paused = true)]
async fn it_is_missed_once_and_back_once() {
    let folder = tempfile::tempdir().unwrap();
    let control = Arc::new(ControlJournal::open(&folder.path().join("control")).unwrap().0);
    let start = WallTime::from_s(1_000);
    let clock = Clock::starting_at(start);
    let it = peer(&control, clock);
    let after = |seconds| start.plus(Duration::from_secs(seconds));
    let no = || Err("no answer within 15 s".to_owned());
    assert_eq!(it.answer().state, PeerState::Unknown);
    assert_eq!(it.take(no(), after(30)), None);
    assert_eq!(it.answer().state, PeerState::Late);
    assert_eq!(it.take(Ok(()), after(60)), None);
    assert_eq!(it.answer().state, PeerState::Healthy);
    assert_eq!(it.take(no(), after(359)), None);
    let missed = it.take(no(), after(360)).unwrap();
    assert_eq!(missed.silent_since, Some(after(60).timestamp()));
    // what was not written down is wanted again
    assert_eq!(it.take(no(), after(390)), Some(missed.clone()));
    it.seen().is_missed = true;
    assert_eq!(it.take(no(), after(420)), None);
    assert_eq!(it.answer().state, PeerState::Silent);

    // another process knows that people were told
    assert!(write_heard(&control, clock, Heard::Peer(missed)));
    let it = peer(&control, clock);
    assert_eq!(it.answer().state, PeerState::Silent);
    assert_eq!(it.take(no(), after(1_000)), None);
    let back = it.take(Ok(()), after(1_030)).unwrap();
    assert_eq!(back.silent_since, None);

    // and one without it in its configuration misses it no more
    forget_others(&[], &control, clock);
    assert!(control.look(|roll| roll.outside().peer("cape").unwrap().silent_since.is_none()));
}
