use super::*;
use crate::judge::fold::Folded;

#[test]
fn periods_past_their_time_are_removed() {
    let journal = Journal::of_four_hours();
    let folder = views_of(&journal);
    let (mut rollups, _) = journal.open(folder.path());
    let days = |days| BEGIN.plus(Duration::from_secs(86_400) * days);
    let count = |rollups: &Rollups, resolution| rollups.views.periods(resolution).unwrap().len();
    for (now, minutes, hours, months) in
        [(8, 4, 2, 2), (10, 0, 2, 2), (396, 0, 2, 2), (398, 0, 0, 2)]
    {
        // by the journals' time only: however late it is for us
        rollups.maintain(journal.ledger(), days(400)).unwrap();
        rollups.event(None, Event::Tick { now: days(now) });
        rollups.maintain(journal.ledger(), days(400)).unwrap();
        let found = [Resolution::Minute, Resolution::Hour, Resolution::Day]
            .map(|each| count(&rollups, each));
        assert_eq!(found, [minutes, hours, months], "after {now} days");
    }
    assert_eq!(rollups.reader().totals().unwrap().observed(), journal.len());
    drop(rollups);
    // A rebuild from nothing brings them back for as long as the journals' time needs them.
    fs::remove_dir_all(folder.path()).unwrap();
    let (mut rollups, _) = Rollups::open(folder.path(), journal.ledger(), days(9)).unwrap();
    journal.fold(&mut rollups, journal.len()).unwrap();
    assert_eq!(count(&rollups, Resolution::Minute), 4);
    rollups.event(None, Event::Tick { now: days(10) });
    rollups.maintain(journal.ledger(), days(10)).unwrap();
    assert_eq!(count(&rollups, Resolution::Minute), 0);
}

#[test]
fn names_come_back_from_the_sealed_days() {
    let journal = Journal::of_four_hours();
    let folder = views_of(&journal);
    let names = journal.open(folder.path()).0.reader().series().unwrap();
    fs::remove_dir_all(folder.path().join("sled")).unwrap();
    fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    // The journal has nothing left to tell them from.
    let ledger = Extent { first: journal.len(), next: journal.len(), control_next: 0 };
    let (rollups, recovered) = Rollups::open(folder.path(), ledger, journal.now(0)).unwrap();
    assert_eq!(rollups.reader().series().unwrap(), names);
    assert!(rollups.reader().phases().unwrap().contains_key(&PhaseId::of("connect")));
    assert!(matches!(recovered[..], [_, Recovery { what: What::Skipped { first: 1, .. }, .. }]));
}

#[test]
fn missed_slots_are_those_nobody_heard_of() {
    let agent = AgentId([1; 16]);
    let check = Check {
        name: "mail".into(),
        kind: "round-trip".into(),
        cadence: MINUTE,
        timeout: Duration::from_secs(30),
        slot_offset: Duration::from_secs(5),
        settings_digest: SettingsDigest::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    let ledger = Extent { first: 0, next: 1_000, control_next: 10 };
    let (mut rollups, _) = Rollups::open(folder.path(), ledger, BEGIN).unwrap();
    let named = Some(("hq".into(), Default::default()));
    rollups.event(
        None,
        Event::AgentSeen(AgentSeen { agent, at: BEGIN, named, ..AgentSeen::default() }),
    );
    rollups.event(None, Event::Defined { agent, at: BEGIN, checks: vec![check.clone()] });
    let observe = |rollups: &mut Rollups, minutes: &mut dyn Iterator<Item = u32>| {
        for minute in minutes {
            let slot = BEGIN.plus(MINUTE * minute + Duration::from_secs(5));
            let run = observation("mail", slot, Verdict::Pass, Duration::from_millis(30));
            rollups.observe(Folded { sequence: 0, received_at: slot, agent, observation: &run });
        }
        rollups.commit().unwrap();
    };
    // Three hours; from minute 70 to minute 80, and from minute 100 to 175, nothing came.
    observe(&mut rollups, &mut (0..70).chain(80..100).chain(175..180));
    let reader = rollups.reader();
    let series = SeriesId::of(agent, "mail");
    let missed = |from: u32, until: u32, now: u32| {
        let range = BEGIN.plus(MINUTE * from)..BEGIN.plus(MINUTE * until);
        let now = BEGIN.plus(MINUTE * now);
        let missed = reader.missed(series, &range, now).unwrap();
        // read for every series at once, it is the same
        assert_eq!(reader.day(&range, now).unwrap()[&series].1, missed);
        missed
    };
    for (from, until, now, expected) in [
        (0, 180, 600, 85),
        (0, 70, 600, 0),
        (30, 75, 600, 5),
        (75, 76, 600, 1),
        (0, 600, 182, 86), // up to the horizon, one minute ago
        (170, 600, 178, 5),
        (30, 75, 10 * 1_440, 30), // minutes are gone: the first two hours as a whole
    ] {
        assert_eq!(missed(from, until, now), expected, "{from}..{until} at {now}");
    }
    observe(&mut rollups, &mut (100..175));
    assert_eq!(missed(0, 180, 600), 10);
    rollups.event(None, Event::Defined { agent, at: BEGIN.plus(MINUTE * 200), checks: Vec::new() });
    rollups.commit().unwrap();
    assert_eq!(missed(0, 600, 900), 10 + 20);
    assert_eq!(reader.agents().unwrap()[&agent].name, "hq");
    assert_eq!(reader.schedules().unwrap()[&series].spans()[0].check, check);
}

#[test]
fn pace_is_the_last_quarter_of_an_hour_beside_the_same_hour_of_the_week() {
    let agent = AgentId([1; 16]);
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, _) = Rollups::open(folder.path(), Extent::default(), BEGIN).unwrap();
    let day = Duration::from_secs(86_400);
    for (before, minute, ms) in [
        (day, 10, 20),
        (day * 2, 50, 22),
        (day * 8, 10, 900),
        (Duration::ZERO, 10, 80),
        (Duration::ZERO, 50, 500),
    ] {
        let slot = BEGIN.minus(before).plus(MINUTE * minute);
        let run = observation("mail", slot, Verdict::Pass, Duration::from_millis(ms));
        rollups.observe(Folded { sequence: 0, received_at: slot, agent, observation: &run });
    }
    rollups.commit().unwrap();
    let pace =
        rollups.reader().pace(BEGIN.plus(MINUTE * 12)).unwrap()[&SeriesId::of(agent, "mail")];
    assert_eq!((pace.usual.runs, pace.now.runs), (2, 2));
    let usual = pace.usual.p50_us.unwrap();
    assert!((19_800..=20_200).contains(&usual), "{usual}");
}
