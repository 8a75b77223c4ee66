use std::fs;
use std::path::PathBuf;

use mailsonde_proto::{
    AgentId, Check, Fault, FaultClass, Observation, SettingsDigest, Verdict, VoidReason,
};

use super::*;
use crate::judge::registry::AgentSeen;
use crate::judge::sample::observation;
use crate::series::{PhaseId, SeriesId};

/// Two hours before a month ends: 2026-10-31T22:00:00Z.
const BEGIN: WallTime = WallTime::from_s(1_793_484_000);
const MINUTE: Duration = Duration::from_secs(60);

/// What a journal has, record by record.
struct Journal(Vec<(WallTime, AgentId, Observation)>);

impl Journal {
    /// Three series over four hours; every seventh run comes up to two hours late.
    fn of_four_hours() -> Self {
        let mut records = Vec::new();
        for minute in 0..240_u32 {
            for agent in 0..3_u8 {
                let slot = BEGIN.plus(MINUTE * minute + Duration::from_secs(agent.into()));
                let turn = minute * 3 + u32::from(agent);
                let verdict = match turn % 11 {
                    5 => Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "refused")),
                    7 => Verdict::void(VoidReason::LocalNetwork, "no route"),
                    _ => Verdict::Pass,
                };
                let total = Duration::from_micros(u64::from(20_000 + turn * 37 % 9_000));
                let late =
                    if turn.is_multiple_of(7) { MINUTE * (turn % 120) } else { Duration::ZERO };
                let received_at = slot.plus(late + Duration::from_secs(3));
                records.push((
                    received_at,
                    AgentId([agent; 16]),
                    observation("mail", slot, verdict, total),
                ));
            }
        }
        records.sort_by_key(|(received_at, ..)| *received_at);
        Self(records)
    }

    fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }

    fn ledger(&self) -> Ledger {
        Ledger { first: 0, next: self.len(), control_next: 0 }
    }

    fn now(&self, sequence: u64) -> WallTime {
        self.0[usize::try_from(sequence).unwrap().min(self.0.len() - 1)].0
    }

    /// Folds up to a sequence, commits.
    fn fold(&self, rollups: &mut Rollups, until: u64) -> Result<(), Error> {
        let Cursors { next, control_next } = rollups.cursors();
        for sequence in next..until {
            let (received_at, agent, observation) = &self.0[usize::try_from(sequence).unwrap()];
            rollups.observe(Folded {
                sequence,
                received_at: *received_at,
                agent: *agent,
                observation,
            });
        }
        rollups.advance(Cursors { next: next.max(until), control_next });
        rollups.commit()
    }

    /// Folds to the end in steps, and seals, retires and takes snapshots in between.
    fn run(&self, rollups: &mut Rollups, step: u64) -> Result<(), Error> {
        while rollups.cursors().next < self.len() {
            let until = (rollups.cursors().next + step).min(self.len());
            self.fold(rollups, until)?;
            rollups.maintain(self.ledger(), self.now(until))?;
        }
        Ok(())
    }

    fn open(&self, folder: &Path) -> (Rollups, Vec<Recovery>) {
        Rollups::open(folder, self.ledger(), self.now(0)).unwrap()
    }

    /// What all views must come to, whatever happens: folded in one go, nothing sealed.
    fn expected(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (mut rollups, _) = self.open(folder.path());
        self.fold(&mut rollups, self.len()).unwrap();
        assert_eq!(rollups.reader().totals().unwrap().observed(), self.len());
        dump(&rollups)
    }
}

fn dump(rollups: &Rollups) -> String {
    let mut bytes = Vec::new();
    rollups.reader().dump(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Says where they differ, not all that does.
fn assert_same(found: &str, expected: &str, when: &str) {
    if let Some((found, expected)) = found.lines().zip(expected.lines()).find(|(a, b)| a != b) {
        panic!("{when}: found\n{found}\nexpected\n{expected}");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{when}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Views of the whole journal, sealed as time went by, and closed.
fn views_of(journal: &Journal) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, recovered) = journal.open(folder.path());
    assert_eq!(recovered, []);
    journal.run(&mut rollups, 60).unwrap();
    folder
}

#[test]
fn commits_and_seals_at_any_time_change_nothing() {
    let journal = Journal::of_four_hours();
    let expected = journal.expected();
    for step in [7, 100, 333] {
        let folder = tempfile::tempdir().unwrap();
        let (mut rollups, _) = journal.open(folder.path());
        let mut period_count = 0;
        while rollups.cursors().next < journal.len() {
            let until = (rollups.cursors().next + step).min(journal.len());
            journal.fold(&mut rollups, until).unwrap();
            if until % 2 == 0 {
                // Everything, not only what is due.
                for (period, _) in rollups.views.open_periods().unwrap() {
                    rollups.seal(period, journal.now(until)).unwrap();
                    period_count += 1;
                }
            }
        }
        assert!(period_count > 4);
        assert_same(&dump(&rollups), &expected, &format!("steps of {step}"));
        drop(rollups);
        let (rollups, recovered) = journal.open(folder.path());
        assert_eq!(recovered, []);
        assert_same(&dump(&rollups), &expected, &format!("steps of {step}, opened again"));
    }
}

#[test]
fn a_crash_at_any_step_changes_nothing() {
    let journal = Journal::of_four_hours();
    let expected = journal.expected();
    for steps in (0..).step_by(5) {
        let folder = tempfile::tempdir().unwrap();
        let (mut rollups, _) = journal.open(folder.path());
        rollups.views.stop_after(steps);
        let ended = journal.run(&mut rollups, 120);
        // The folder as it is in this moment: what was not written to the files is lost.
        let crashed = tempfile::tempdir().unwrap();
        copy(folder.path(), crashed.path());
        drop(rollups);
        let (mut rollups, recovered) = journal.open(crashed.path());
        let lost = recovered.iter().any(|each| matches!(each.what, What::SealedSetAside(_)));
        assert!(!lost, "after {steps} steps: {recovered:?}");
        journal.run(&mut rollups, 120).unwrap();
        assert_same(&dump(&rollups), &expected, &format!("after {steps} steps"));
        if ended.is_ok() {
            assert!(steps > 100, "the script has too few steps to say anything");
            return;
        }
    }
}

#[test]
fn a_failed_commit_can_be_recovered_from_in_place() {
    let journal = Journal::of_four_hours();
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, _) = journal.open(folder.path());
    let reader = rollups.reader();
    for steps in 0..40 {
        rollups.views.stop_after(steps);
        let failed = journal.run(&mut rollups, 50).is_err();
        rollups.views.stop_after(u32::MAX);
        assert!(failed, "the script ended too early");
        rollups.recover(journal.ledger(), journal.now(0)).unwrap();
    }
    journal.run(&mut rollups, 50).unwrap();
    assert_same(&dump(&rollups), &journal.expected(), "after 40 failures");
    assert_eq!(reader.totals().unwrap().observed(), journal.len());
}

#[test]
fn damaged_or_missing_rows_come_from_a_snapshot_or_the_journal() {
    let journal = Journal::of_four_hours();
    let expected = journal.expected();
    let whole = views_of(&journal);
    assert_eq!(files(&whole.path().join("snapshots")).len(), 2);
    let rows = |folder: &Path| folder.join("sled").join("db");
    let no_snapshots = |folder: &Path| fs::remove_dir_all(folder.join("snapshots")).unwrap();
    let damage: [(&str, Box<dyn Fn(&Path)>); 9] = [
        ("nothing", Box::new(|_| {})),
        ("rows missing", Box::new(|folder| fs::remove_dir_all(folder.join("sled")).unwrap())),
        ("rows empty", Box::new(|folder| fs::write(rows(folder), []).unwrap())),
        (
            "rows cut",
            Box::new(|folder| {
                let bytes = fs::read(rows(folder)).unwrap();
                fs::write(rows(folder), &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        (
            "rows and snapshots missing",
            Box::new(|folder| {
                fs::remove_dir_all(folder.join("sled")).unwrap();
                no_snapshots(folder);
            }),
        ),
        (
            "rows missing, last snapshot damaged",
            Box::new(|folder| {
                fs::remove_dir_all(folder.join("sled")).unwrap();
                flip(files(&folder.join("snapshots")).last().unwrap(), |len| len / 2);
            }),
        ),
        (
            "rows missing, both snapshots damaged",
            Box::new(|folder| {
                fs::remove_dir_all(folder.join("sled")).unwrap();
                files(&folder.join("snapshots")).iter().for_each(|path| flip(path, |len| len - 20));
            }),
        ),
        ("redo damaged", Box::new(|folder| flip(&folder.join("redo"), |len| len / 2))),
        (
            "all but the journal missing",
            Box::new(|folder| {
                fs::remove_dir_all(folder).unwrap();
                fs::create_dir(folder).unwrap();
            }),
        ),
    ];
    for (name, damage) in damage {
        let folder = tempfile::tempdir().unwrap();
        copy(whole.path(), folder.path());
        damage(folder.path());
        let (mut rollups, recovered) = journal.open(folder.path());
        assert_eq!(
            recovered.is_empty(),
            ["nothing", "redo damaged", "all but the journal missing"].contains(&name),
            "{name}: {recovered:?}"
        );
        journal.run(&mut rollups, 100).unwrap();
        assert_same(&dump(&rollups), &expected, name);
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_rows_changes_nothing() {
    let journal = Journal::of_four_hours();
    let expected = journal.expected();
    let whole = views_of(&journal);
    let path = Path::new("sled").join("db");
    for part in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        copy(whole.path(), folder.path());
        flip(&folder.path().join(&path), |len| len * part / 40 + 17);
        let (mut rollups, _) = journal.open(folder.path());
        journal.run(&mut rollups, 1_000).unwrap();
        assert_same(&dump(&rollups), &expected, &format!("bit at {part}/40"));
    }
}

#[test]
fn a_damaged_or_missing_sealed_file_is_made_anew() {
    let journal = Journal::of_four_hours();
    let expected = journal.expected();
    let whole = views_of(&journal);
    let sealed = [
        "minutes/2026-10-31T22.roll",
        "minutes/2026-10-31T23.roll",
        "hours/2026-10-31.roll",
        "days/2026-10.roll",
    ];
    let damage: [(&str, fn(&Path)); 4] = [
        ("footer", |path| flip(path, |len| len - 30)),
        ("cut", |path| fs::write(path, &fs::read(path).unwrap()[..50]).unwrap()),
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("block", |path| flip(path, |_| 40)),
    ];
    for file in sealed {
        for (name, damage) in damage {
            let folder = tempfile::tempdir().unwrap();
            copy(whole.path(), folder.path());
            damage(&folder.path().join("sealed").join(file));
            let (mut rollups, mut recovered) = journal.open(folder.path());
            if name == "block" {
                // Seen when it is read; the next round of maintenance sends the cursor back.
                assert!(rollups.reader().dump(&mut Vec::new()).is_err());
                let now = journal.now(journal.len());
                recovered = rollups.maintain(journal.ledger(), now).unwrap().recovered;
            }
            assert!(
                matches!(recovered[..], [Recovery { what: What::SealedSetAside(_), .. }]),
                "{file} {name}: {recovered:?}"
            );
            assert_eq!(rollups.cursors().next, 0);
            // A crash in mid-rebuild.
            journal.fold(&mut rollups, 300).unwrap();
            drop(rollups);
            let (mut rollups, recovered) = journal.open(folder.path());
            assert_eq!(recovered, []);
            assert_eq!(rollups.cursors().next, 300);
            journal.run(&mut rollups, 100).unwrap();
            assert_same(&dump(&rollups), &expected, &format!("{file} {name}"));
        }
    }
}

#[test]
fn views_that_know_more_than_the_journal_are_made_anew() {
    let mut journal = Journal::of_four_hours();
    let folder = views_of(&journal);
    journal.0.truncate(500);
    let (mut rollups, recovered) = journal.open(folder.path());
    assert!(!recovered.is_empty());
    journal.run(&mut rollups, 100).unwrap();
    assert_same(&dump(&rollups), &journal.expected(), "after the journal lost its end");
}

#[test]
fn periods_past_their_time_are_removed() {
    let journal = Journal::of_four_hours();
    let folder = views_of(&journal);
    let (mut rollups, _) = journal.open(folder.path());
    let days = |days| BEGIN.plus(Duration::from_secs(86_400) * days);
    let count = |rollups: &Rollups, resolution| rollups.views.periods(resolution).unwrap().len();
    for (now, minutes, hours, months) in
        [(7, 4, 2, 2), (9, 0, 2, 2), (396, 0, 2, 2), (398, 0, 0, 2)]
    {
        rollups.maintain(journal.ledger(), days(now)).unwrap();
        let found = [Resolution::Minute, Resolution::Hour, Resolution::Day]
            .map(|each| count(&rollups, each));
        assert_eq!(found, [minutes, hours, months], "after {now} days");
    }
    assert_eq!(rollups.reader().totals().unwrap().observed(), journal.len());
    drop(rollups);
    // Not even a rebuild from nothing brings them back.
    fs::remove_dir_all(folder.path()).unwrap();
    let (mut rollups, _) = Rollups::open(folder.path(), journal.ledger(), days(9)).unwrap();
    journal.fold(&mut rollups, journal.len()).unwrap();
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
    let ledger = Ledger { first: journal.len(), next: journal.len(), control_next: 0 };
    let (rollups, recovered) = Rollups::open(folder.path(), ledger, journal.now(0)).unwrap();
    assert_eq!(rollups.reader().series().unwrap(), names);
    assert!(rollups.reader().phases().unwrap().contains_key(&PhaseId::of("connect")));
    assert!(matches!(recovered[..], [_, Recovery { what: What::Skipped { first: 0, .. }, .. }]));
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
    let ledger = Ledger { first: 0, next: 1_000, control_next: 10 };
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
        reader.missed(series, &range, BEGIN.plus(MINUTE * now)).unwrap()
    };
    for (from, until, now, expected) in [
        (0, 180, 600, 85),
        (0, 70, 600, 0),
        (30, 75, 600, 5),
        (75, 76, 600, 1),
        (0, 600, 182, 86), // up to the horizon, one minute ago
        (170, 600, 178, 5),
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
    let (mut rollups, _) = Rollups::open(folder.path(), Ledger::default(), BEGIN).unwrap();
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
