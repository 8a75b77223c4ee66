//! Five hundred services fail at once: a few messages, and all of it is in them.

use std::collections::BTreeSet;

use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{Epoch, Fault, FaultClass, Verdict};

use super::crashes::{minute, second};
use super::*;
use crate::judge::definition::{Definitions, Service};
use crate::judge::draft::Audience;
use crate::judge::incident::Severity;
use crate::judge::message::Occasion;
use crate::judge::routing::{Recipients, Route};
use crate::judge::sample::observation;
use crate::judge::telling::{Notice, Waiting};
use crate::store::ledger::Source;

const SERVICES: usize = 500;
/// Everything fails from this minute on.
const FAILS: u32 = 3;
const MINUTES: u32 = 30;
/// Where each fails: what fails in one way is one incident.
const PHASES: [&str; 7] = ["connect", "tls", "greeting", "auth", "envelope", "data", "arrival"];

fn name(number: usize) -> String {
    format!("svc-{number:03}")
}

fn definitions() -> Definitions {
    let route = Route {
        name: "all".into(),
        services: vec!["*".into()],
        on: "*".into(),
        severity: Severity::Minor,
        hours: None,
        to: Recipients { channels: vec!["ops".into()], on_call: Vec::new() },
        audience: Audience::Technical,
        updates_s: None,
        steps: Vec::new(),
    };
    Definitions {
        services: (0..SERVICES).map(|it| Service::of_check(&name(it), "imap")).collect(),
        routes: vec![route],
        ..Definitions::default()
    }
}

async fn write(folder: &Path) {
    let (control, _) = ControlJournal::open(&folder.join("control")).unwrap();
    let Opened { ledger, writer, .. } = ledger_at(folder, minute(0));
    control.go_with(ledger.index().clone());
    let checks: Vec<Check> = (0..SERVICES).map(|it| check(&name(it), "imap", 60, 0)).collect();
    for number in 1..=2_u8 {
        enrol(&control, minute(0), (number, &format!("site-{number}")), Some(&checks));
    }
    let services = Control::Services(definitions());
    control.decide(minute(0), author(), |_| Ok((services, ()))).unwrap();
    let mut next = 1;
    for minutes in 0..MINUTES {
        for number in 1..=2_u8 {
            let run = |it: usize| {
                let phase = PHASES[it % PHASES.len()];
                let fault = || Verdict::Fail(Fault::new(phase, FaultClass::Refused, "no"));
                let verdict = if minutes >= FAILS { fault() } else { Verdict::Pass };
                let (check, took) = (name(it), Duration::from_millis(50));
                observation_to_bytes(&observation(&check, minute(minutes), verdict, took))
            };
            let batch: Vec<Bytes> = (0..SERVICES).map(run).collect();
            let source = Source { agent: agent(number), epoch: Epoch(1) };
            ledger.append(source, next, batch).await.unwrap();
        }
        next += u64::try_from(SERVICES).unwrap();
        for seconds in (1..60).step_by(2) {
            control.append(second(minutes, seconds), Control::Tick).unwrap();
        }
    }
    drop(ledger);
    writer.join().unwrap();
}

#[tokio::test]
async fn five_hundred_services_are_a_few_messages_with_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path()).await;
    let mut opened = opened(folder.path(), &folder.path().join("views"));
    while opened.pipeline.read().unwrap() {}
    opened.pipeline.commit().unwrap();
    let waiting = opened.pipeline.rollups.pending_notices();
    let notices: Vec<Notice> = waiting.into_iter().map(|Waiting { notice, .. }| notice).collect();
    let first = minute(FAILS).timestamp();
    let within = |notice: &&Notice, minutes: i64| {
        notice.not_before.duration_since(first).as_secs() < minutes * 60
    };
    let soon: Vec<_> = notices.iter().filter(|it| within(it, 1)).collect();
    assert!((1..=5).contains(&soon.len()), "{soon:#?}");
    // who is in them: of what a summary names, by the incident's number
    let incidents = opened.pipeline.rollups.reader().incidents().unwrap();
    let of = |number: u64| {
        let incident = incidents.iter().find(|it| it.number == number).unwrap();
        incident.services.keys().cloned()
    };
    let mut told: BTreeSet<String> = BTreeSet::new();
    for notice in notices.iter().filter(|it| within(it, 20)) {
        match (notice.message.incident(), notice.message.occasion) {
            (Some(number), _) => told.extend(of(number)),
            (None, Occasion::Digest) => {
                for part in notice.message.text.split('#').skip(1) {
                    let number = part.split(' ').next().unwrap().parse().unwrap();
                    told.extend(of(number));
                }
            }
            _ => {}
        }
    }
    assert_eq!(told, (0..SERVICES).map(name).collect(), "{} incidents", incidents.len());
    println!("{} incidents, {} messages in the first minute", incidents.len(), soon.len());
    opened.killed();
}
