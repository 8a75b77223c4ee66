//! A service of this morning: the hour that is under way counts, its window is reckoned as if it had been full, and what
//! was promised is told after the service is gone.

use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{Epoch, Fault, FaultClass, Verdict};

use super::*;
use crate::judge::definition::{
    Agreement, Definitions, Objective, Service, Share, Sli, Window as Over,
};
use crate::judge::sample::observation;
use crate::query::objectives::ObjectivesWanted;
use crate::store::ledger::Source;

const MINUTE: Duration = Duration::from_secs(60);
/// Six hours and a half.
const RUNS: u32 = 390;
const FAILED: [u32; 3] = [10, 20, 385];

fn definitions() -> Definitions {
    let agreement = Agreement {
        name: "contract".into(),
        customer: "the shop".into(),
        sli: Sli::Success,
        target: Share::from_ppm(990_000),
        window: Over::Month,
        in_hours: false,
        excludes: [].into(),
        credits: Vec::new(),
    };
    let objective = Objective {
        name: "delivery".into(),
        sli: Sli::Delivery,
        target: Share::from_ppm(980_000),
        window: Over::Rolling { days: 30 },
        in_hours: false,
    };
    let mail = Service {
        objectives: vec![objective],
        agreements: vec![agreement],
        ..Service::of_check("mail", "round-trip")
    };
    Definitions { services: vec![mail], ..Definitions::default() }
}

async fn write(folder: &Path, is_removed: bool) {
    let (control, _) = ControlJournal::open(&folder.join("control")).unwrap();
    let end = day(0).plus(MINUTE * RUNS);
    let Opened { ledger, writer, .. } = ledger_at(folder, end);
    control.go_with(ledger.index().clone());
    enrol(&control, day(0), (1, "durban"), Some(&[check("mail", "round-trip", 60, 0)]));
    let define = |at, said| control.decide(at, author(), |_| Ok((Control::Services(said), ())));
    define(day(0), definitions()).unwrap();
    let fault = || Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "refused"));
    let batch = (0..RUNS).map(|minute| {
        let verdict = if FAILED.contains(&minute) { fault() } else { Verdict::Pass };
        let slot = day(0).plus(MINUTE * minute);
        observation_to_bytes(&observation("mail", slot, verdict, Duration::from_millis(90)))
    });
    let source = Source { agent: agent(1), epoch: Epoch(1) };
    ledger.append(source, 1, batch.collect::<Vec<Bytes>>()).await.unwrap();
    if is_removed {
        let other = Service::of_check("posture", "dns");
        define(end, Definitions { services: vec![other], ..Definitions::default() }).unwrap();
    }
    control.append(end.plus(MINUTE * 2), Control::Tick).unwrap();
    drop(ledger);
    writer.join().unwrap();
}

#[tokio::test]
async fn what_is_young_is_counted_whole() {
    for is_removed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), is_removed).await;
        let judged = judge(folder.path(), &folder.path().join("views"), 50);
        let wanted = SlaWanted { month: Some("2026-09".parse().unwrap()), service: None };
        let agreements = judged.query.sla(&wanted).unwrap().agreements;
        let told: Vec<_> = agreements.iter().map(|it| (&*it.service, &*it.agreement)).collect();
        assert_eq!(told, [("mail", "contract")], "removed: {is_removed}");
        let figure = &agreements[0].figure;
        let (runs, failed) = (u64::from(RUNS), u64::try_from(FAILED.len()).unwrap());
        assert_eq!((figure.good, figure.bad), (runs - failed, failed), "removed: {is_removed}");
        if is_removed {
            continue;
        }
        let objectives = judged.query.objectives(&ObjectivesWanted::default()).unwrap().objectives;
        let told = &objectives[0];
        let full = 30 * 24 * 60;
        assert_eq!(told.budget, full / 50);
        assert_eq!(told.budget_left, i64::try_from(full / 50 - failed).unwrap());
    }
}
