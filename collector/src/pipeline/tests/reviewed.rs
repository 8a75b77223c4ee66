//! What an outage came to, counted by hand; kept once it is measured, also when minutes are long gone.

use super::*;
use crate::control::ControlNext;
use crate::judge::action::Action;
use crate::judge::incident::IncidentAction;
use crate::judge::incident::figures::{Figures, Ran};
use crate::query::ReviewAnswer;
use crate::review::{html, markdown};

/// The journals of an outage of fifteen minutes at three sites, with one run a minute at each.
async fn outage() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    crashes::write(folder.path()).await;
    folder
}

fn reviewed(journals: &Path, views: &str) -> (ReviewAnswer, String) {
    let judged = judge(journals, &journals.join(views), 100);
    let review = judged.query.review(1, Vec::new()).unwrap();
    let dump = judged.dump();
    (review, dump)
}

fn append(journals: &Path, at: WallTime, control: Control) {
    let (journal, _) = ControlJournal::open(&journals.join("control")).unwrap();
    let Opened { ledger, writer, .. } = ledger_at(journals, at);
    journal.go_with(ledger.index().clone());
    journal.append(at, control).unwrap();
    drop(ledger);
    writer.join().unwrap();
}

#[tokio::test]
async fn an_outage_is_counted_to_the_minute_and_to_the_run() {
    let folder = outage().await;
    let (review, _) = reviewed(folder.path(), "views");
    let Figures { services, runs, round_trips, sites, is_by_hour, course } = &review.figures;
    // from the first slot that failed to the first that passed: sixteen minutes, in the last of which it works
    let expected = Ran { pass: 3, fail: 45, void: 0 };
    assert_eq!((*runs, *round_trips, *is_by_hour), (expected, expected, false));
    let [mail] = &services[..] else { panic!("{services:?}") };
    assert_eq!((mail.down_minutes, mail.unknown_minutes, mail.up_minutes), (15, 0, 1));
    let budgets: Vec<_> = mail
        .budgets
        .iter()
        .map(|it| (it.objective.as_str(), it.spent, it.allowed, it.unit.as_str()))
        .collect();
    // 0.1 % of 30 days, and 2 % of three runs a minute
    assert_eq!(budgets, [("uptime", 15, 43, "minutes"), ("delivery", 45, 2_592, "runs")]);
    let of_sites: Vec<_> = sites.iter().map(|it| (it.site.as_str(), it.runs.fail)).collect();
    assert_eq!(of_sites, [("site-1", 15), ("site-2", 15), ("site-3", 15)]);
    // a course of minutes, from a quarter of an hour before on
    assert_eq!(
        (course.step_s, course.from),
        (60, Some(BEGIN.plus(Duration::from_secs(300)).timestamp()))
    );
    let failed: u64 = course.sites[0].failed.iter().flatten().sum();
    assert_eq!(
        (failed, course.sites[0].failed[15], course.sites[0].failed[14]),
        (15, Some(1), Some(0))
    );
    assert_eq!(
        (course.sites[0].median_us[15], course.sites[0].median_us[14].is_some()),
        (None, true)
    );
    assert!(!review.are_final);
}

#[tokio::test]
async fn figures_that_were_kept_are_there_when_minutes_are_gone() {
    let (folder, bare) = (outage().await, outage().await);
    let (before, _) = reviewed(folder.path(), "first");
    let figures = Box::new(before.figures.clone());
    let measured = IncidentAction::Measured { incident: 1, figures };
    let soon = BEGIN.plus(HOUR + Duration::from_secs(1_800));
    append(folder.path(), soon, Control::Acted(Action::Incident(measured)));
    for journals in [folder.path(), bare.path()] {
        append(journals, day(12), Control::Tick);
    }
    let (kept, live) = reviewed(folder.path(), "views");
    assert!(kept.are_final);
    assert_eq!((&kept.figures, &kept.timeline), (&before.figures, &before.timeline));
    assert_eq!(kept.incident.figures, None, "it is told once");
    let (again, replayed) = reviewed(folder.path(), "again");
    assert_same(&replayed, &live, "a replay");
    assert_eq!((markdown(&again), html(&again)), (markdown(&kept), html(&kept)));

    // where nobody measured, whole hours are what is left, and that is said
    let (late, _) = reviewed(bare.path(), "views");
    assert!(late.figures.is_by_hour);
    assert_eq!((late.figures.runs.fail, late.figures.course.step_s), (45, 3_600));
    assert!(markdown(&late).contains("Runs in the hours in which it lasted: 45 of 180 failed."));
    assert_eq!(late.figures.services[0].down_minutes, 15, "minutes of services stay");
}

#[tokio::test]
async fn what_is_over_is_measured_once_and_kept() {
    let folder = outage().await;
    let measured = || {
        let (control, _) = ControlJournal::open(&folder.path().join("control")).unwrap();
        let mut records = control.follow(1);
        let mut count = 0;
        while let ControlNext::Record { record, .. } = records.read().unwrap() {
            let acted = matches!(
                &record.control,
                Control::Acted(Action::Incident(IncidentAction::Measured { incident: 1, .. }))
            );
            count += usize::from(acted);
        }
        count
    };
    let views = folder.path().join("views");
    for expected in [0, 1, 1, 1] {
        let mut opened = opened(folder.path(), &views);
        // what it has not read yet it does not judge by
        opened.reviewing.look().unwrap();
        while opened.pipeline.read().unwrap() {}
        opened.pipeline.maintain().unwrap();
        while opened.pipeline.read().unwrap() {}
        opened.pipeline.commit().unwrap();
        assert_eq!(opened.query.review(1, Vec::new()).unwrap().are_final, expected == 1);
        for _ in 0..3 {
            opened.reviewing.look().unwrap();
        }
        opened.killed();
        assert_eq!(measured(), 1);
    }
}
