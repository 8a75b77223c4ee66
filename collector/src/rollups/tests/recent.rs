//! What a reader keeps decoded is what one reads who was never here before: whatever was committed, sealed, opened
//! again meanwhile.

use super::*;
use crate::judge::availability::availability;

/// A reader's answers about now, as text.
fn told(reader: &Reader, now: WallTime) -> String {
    let hour = Duration::from_secs(3_600);
    let mut told = String::new();
    for (series, state) in reader.states().unwrap() {
        told += &format!("{series:?} {state:?}\n");
    }
    for (series, pace) in reader.pace(now).unwrap() {
        // what is usual is read once an hour, whatever comes late
        told += &format!("{series:?} {:?}\n", pace.now);
    }
    for (series, (counts, missed)) in reader.day(&(now.minus(hour * 3)..now), now).unwrap() {
        told += &format!("{series:?} {counts:?} {missed} {:?}\n", availability(&counts, missed));
    }
    told
}

#[test]
fn what_is_kept_is_what_is_read_anew() {
    let journal = Journal::of_four_hours();
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, _) = journal.open(folder.path());
    for agent in 0..3_u8 {
        let agent = AgentId([agent; 16]);
        let check = Check {
            name: "mail".into(),
            kind: "round-trip".into(),
            cadence: MINUTE,
            timeout: Duration::from_secs(30),
            slot_offset: Duration::ZERO,
            settings_digest: SettingsDigest::default(),
        };
        rollups.event(None, Event::Defined { agent, at: BEGIN, checks: vec![check] });
    }
    rollups.commit().unwrap();
    let kept = rollups.reader();
    let mut until = 0;
    let mut looks = 0;
    while until < journal.len() {
        let step = [1, 17, 3, 60, 5][looks % 5];
        until = (until + step).min(journal.len());
        journal.fold(&mut rollups, until).unwrap();
        let now = journal.now(until);
        if looks % 3 == 1 {
            assert_same(&told(&kept, now), &told(&rollups.reader(), now), &format!("{until}"));
        }
        if looks % 4 == 3 {
            rollups.maintain(journal.ledger(), now).unwrap();
        }
        if looks % 11 == 10 {
            rollups.recover(journal.ledger(), now).unwrap();
        }
        assert_same(&told(&kept, now), &told(&rollups.reader(), now), &format!("{until}"));
        looks += 1;
    }
    assert!(looks > 30);
}
