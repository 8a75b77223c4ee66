//! An outage of a quarter of an hour, and a pipeline that is killed again and again while it reads of it.

use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{Cause, Epoch, Fault, FaultClass, Verdict};

use super::*;
use crate::judge::action::Action;
use crate::judge::incident::{Incident, IncidentAction, Kind, State};
use crate::judge::sample::observation;
use crate::store::ledger::Source;

const MINUTES: u32 = 60;
const OUTAGE: std::ops::Range<u32> = 20..35;

pub(super) fn minute(minutes: u32) -> WallTime {
    BEGIN.plus(Duration::from_secs(60) * minutes)
}

pub(super) fn second(minutes: u32, seconds: u64) -> WallTime {
    minute(minutes).plus(Duration::from_secs(seconds))
}

/// Writes both journals minute by minute: three sites, one check, an operator.
pub(super) async fn write(folder: &Path) {
    write_with(folder, &|_, _| {}).await;
}

/// The same; `also` adds to the control journal at the end of each minute.
pub(super) async fn write_with(folder: &Path, also: &(dyn Fn(u32, &ControlJournal) + Sync)) {
    let (control, _) = ControlJournal::open(&folder.join("control")).unwrap();
    let mut next = [1_u64; 4];
    for minutes in 0..MINUTES {
        let Opened { ledger, writer, .. } = ledger_at(folder, second(minutes, 12));
        control.go_with(ledger.index().clone());
        for number in (1..=3_u8).filter(|_| minutes == 0) {
            let mail = check("mail", "round-trip", 60, 10);
            enrol(&control, minute(0), (number, &format!("site-{number}")), Some(&[mail]));
        }
        control.append(second(minutes, 1), Control::Tick).unwrap();
        for number in 1..=3_u8 {
            let fault = || Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "refused"));
            let is_out = OUTAGE.contains(&minutes);
            let verdict = if is_out { fault() } else { Verdict::Pass };
            let took = Duration::from_millis(300);
            let mut runs = vec![observation("mail", second(minutes, 10), verdict, took)];
            if minutes == OUTAGE.start || minutes == OUTAGE.end {
                let mut again = runs[0].clone();
                again.scheduled_for = second(minutes, 11);
                again.cause = Cause::Confirmation;
                runs.push(again);
            }
            let first = &mut next[usize::from(number)];
            let source = Source { agent: agent(number), epoch: Epoch(1) };
            let batch: Vec<Bytes> = runs.iter().map(observation_to_bytes).collect();
            let count = u64::try_from(batch.len()).unwrap();
            ledger.append(source, *first, batch).await.unwrap();
            *first += count;
        }
        for seconds in [20, 40] {
            control.append(second(minutes, seconds), Control::Tick).unwrap();
        }
        let act = |action| {
            let acted = Control::Acted(Action::Incident(action));
            control.decide(second(minutes, 50), author(), |_| Ok((acted, ()))).unwrap();
        };
        match minutes {
            24 => act(IncidentAction::Acknowledge { incident: 1, note: "looking".into() }),
            27 => act(IncidentAction::Note { incident: 1, note: "the password expired".into() }),
            33 => act(IncidentAction::Resolve { incident: 1, note: "a new one".into() }),
            _ => {}
        }
        also(minutes, &control);
        drop(ledger);
        writer.join().unwrap();
    }
}

/// Reads on in one life after another: each ends without a word, some of what it read committed and the rest not.
fn judge_crashing(journals: &Path, views: &Path, seed: u64) -> (Judged, u64) {
    let mut lives = 0;
    let mut draws = 0;
    let mut draw = |of: u64| {
        draws += 1;
        mixed(seed, draws) % of
    };
    loop {
        lives += 1;
        assert!(lives < 1_000, "it never comes to the end");
        let mut opened = opened(journals, views);
        let pipeline = &mut opened.pipeline;
        for _ in 0..=draw(40) {
            if !pipeline.read().unwrap() {
                return (opened.read_on(1_000), lives);
            }
            if draw(6) == 0 {
                pipeline.commit().unwrap();
            }
            if draw(50) == 0 {
                pipeline.maintain().unwrap();
            }
        }
        opened.killed();
    }
}

/// Outages: nothing comes any more after the hour, which is told as silence.
fn outages(judged: &Judged) -> Vec<Incident> {
    let mut all = judged.reader.incidents().unwrap();
    all.retain(|incident| incident.kind == Kind::Outage);
    all
}

#[tokio::test]
async fn crashes_amid_an_incident_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path()).await;
    // this one archives while it dies and comes back; those after it find that in the journal
    let (first, lives) = judge_crashing(folder.path(), &folder.path().join("first"), 1);
    assert!(lives > 10, "{lives}");
    let expected = judge(folder.path(), &folder.path().join("views"), 50);
    assert_same(&first.dump(), &expected.dump(), "with crashes");
    let [incident] = <[Incident; 1]>::try_from(outages(&expected)).unwrap();
    assert_eq!(incident.state, State::Verified);
    assert_eq!(incident.began_at, second(OUTAGE.start, 10).timestamp());
    assert_eq!((incident.places.len(), incident.reopened), (3, 0));
    let told: Vec<&str> = incident.timeline.iter().map(|entry| entry.what.as_str()).collect();
    insta::assert_debug_snapshot!(told, @r#"
    [
        "opened",
        "fails",
        "fails",
        "scope",
        "fails",
        "scope",
        "acknowledged",
        "noted",
        "resolved",
        "fails again",
        "passes",
        "passes",
        "passes",
        "resolved",
        "verified",
    ]
    "#);
    for seed in 2..5 {
        let views = folder.path().join(format!("views-{seed}"));
        let (crashed, _) = judge_crashing(folder.path(), &views, seed);
        assert_same(&crashed.dump(), &expected.dump(), "with crashes");
        assert_eq!(outages(&crashed), std::slice::from_ref(&incident));
    }
}
