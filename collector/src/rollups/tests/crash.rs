use super::*;

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
        assert_eq!(recovered, [], "after {steps} steps");
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
        if journal.run(&mut rollups, 20).is_ok() {
            assert!(steps > 15, "the script has too few steps to say anything");
            break;
        }
        rollups.views.stop_after(u32::MAX);
        rollups.recover(journal.ledger(), journal.now(0)).unwrap();
        rollups.begin_judging().unwrap();
    }
    rollups.views.stop_after(u32::MAX);
    journal.run(&mut rollups, 50).unwrap();
    assert_same(&dump(&rollups), &journal.expected(), "after many failures");
    assert_eq!(reader.totals().unwrap().observed(), journal.len());
}

#[test]
fn a_commit_after_a_failed_one_does_not_stand_for_what_is_gone() {
    let journal = Journal::of_four_hours();
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, _) = journal.open(folder.path());
    // In the way of the commit's first file, as a full disk is.
    let in_the_way = folder.path().join("redo.part");
    fs::create_dir(&in_the_way).unwrap();
    assert!(journal.fold(&mut rollups, 100).is_err());
    fs::remove_dir(&in_the_way).unwrap();
    // As at the end of a process that never came to its recovery.
    rollups.commit().unwrap();
    drop(rollups);
    let (mut rollups, _) = journal.open(folder.path());
    journal.run(&mut rollups, 50).unwrap();
    assert_same(&dump(&rollups), &journal.expected(), "after a failed commit and another");
}
