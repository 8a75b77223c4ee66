use super::*;

type Damage = fn(&Path);

fn rows(folder: &Path) -> PathBuf {
    folder.join("sled").join("db")
}

fn no_rows(folder: &Path) {
    fs::remove_dir_all(folder.join("sled")).unwrap();
}

#[test]
fn damaged_or_missing_rows_come_from_a_snapshot_or_the_journal() {
    let journal = Journal::of_four_hours();
    let expected = journal.expected();
    let whole = views_of(&journal);
    assert_eq!(files(&whole.path().join("snapshots")).len(), 2);
    let damage: [(&str, Damage); 9] = [
        ("nothing", |_| {}),
        ("rows missing", no_rows),
        ("rows empty", |folder| fs::write(rows(folder), []).unwrap()),
        ("rows cut", |folder| {
            let bytes = fs::read(rows(folder)).unwrap();
            fs::write(rows(folder), &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("rows and snapshots missing", |folder| {
            no_rows(folder);
            fs::remove_dir_all(folder.join("snapshots")).unwrap();
        }),
        ("rows missing, last snapshot damaged", |folder| {
            no_rows(folder);
            flip(files(&folder.join("snapshots")).last().unwrap(), |len| len / 2);
        }),
        ("rows missing, both snapshots damaged", |folder| {
            no_rows(folder);
            files(&folder.join("snapshots")).iter().for_each(|path| flip(path, |len| len - 20));
        }),
        ("redo damaged", |folder| flip(&folder.join("redo"), |len| len / 2)),
        ("all but the journal missing", |folder| {
            fs::remove_dir_all(folder).unwrap();
            fs::create_dir(folder).unwrap();
        }),
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
    for part in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        copy(whole.path(), folder.path());
        flip(&rows(folder.path()), |len| len * part / 40 + 17);
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
    let damage: [(&str, Damage); 4] = [
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
fn rows_that_something_else_holds_are_not_touched() {
    let journal = Journal::of_four_hours();
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, _) = journal.open(folder.path());
    journal.fold(&mut rollups, 100).unwrap();
    let second = Rollups::open(folder.path(), journal.ledger(), journal.now(0));
    assert!(matches!(second, Err(Error::Busy)), "{second:?}");
    journal.run(&mut rollups, 100).unwrap();
    assert_same(&dump(&rollups), &journal.expected(), "beside a second process");
}
