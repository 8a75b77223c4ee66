use std::collections::BTreeMap;
use std::sync::Arc;

use mailsonde_collector::control::{ControlJournal, chronicle_before};
use mailsonde_collector::judge::definition::Voiced;
use mailsonde_collector::judge::rollup::Counts;
use mailsonde_collector::period::Resolution;
use mailsonde_collector::query::Query;
use mailsonde_collector::query::sla::SlaWanted;
use mailsonde_collector::registry::Registry;
use mailsonde_collector::rollups::{Reader, Rollups};
use mailsonde_collector::series::PhaseId;
use mailsonde_collector::store::Extent;
use mailsonde_collector::store::ledger::{Ledger, LedgerOptions, Opened};

use super::plan::{DAY, time};
use super::*;

/// 2026-11-03T10:17Z: a month ended three days before.
const UNTIL: WallTime = WallTime::from_s(1_793_701_020);
const SIZE: Size = Size { seed: 30, checks: 20, days: 13 };

struct Opening {
    plan: Plan,
    made: Made,
    reader: Reader,
    query: Query,
    _folder: tempfile::TempDir,
}

fn opened() -> Opening {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("year");
    let made = make(&data, SIZE, UNTIL).unwrap();
    let at = Folder::at(&data);
    let control = Arc::new(ControlJournal::open(&at.control()).unwrap().0);
    let clock = Clock::starting_at(UNTIL);
    let Opened { ledger, .. } = Ledger::open(&data, LedgerOptions::default(), clock).unwrap();
    let extent = Extent {
        first: ledger.index().oldest(),
        next: ledger.index().next(),
        control_next: control.index().next(),
    };
    let (mut rollups, recovered) = Rollups::open(&at.views(), extent, UNTIL).unwrap();
    assert_eq!(recovered, []);
    assert_eq!(rollups.cursors().next, extent.next, "nothing is left to be folded");
    rollups.set_chronicle(chronicle_before(&control, extent.control_next).unwrap());
    let reader = rollups.reader();
    let registry = Arc::new(Registry::new(control).unwrap());
    let query = Query::new(registry, ledger, reader.clone(), clock);
    Opening { plan: Plan::new(SIZE, UNTIL), made, reader, query, _folder: folder }
}

/// What was drawn for a series in some minutes.
fn counted(plan: &Plan, at: usize, minutes: std::ops::Range<u32>) -> Counts {
    let series = &plan.series[at];
    let mut counts = Counts::default();
    for verdict in minutes.filter_map(|minute| Plan::verdict(series, series.at(minute))) {
        counts.add(&verdict);
    }
    counts
}

#[test]
fn what_was_drawn_is_what_operators_read() {
    let Opening { plan, made, reader, query, _folder } = opened();
    assert_eq!((made.agents, made.series, made.services), (2, 20, 10));
    let mut observed = 0;
    for (at, series) in plan.series.iter().enumerate() {
        // every resolution holds all of the time that it is kept for
        let kept = plan.end - 8 * DAY;
        for (resolution, from) in [
            (Resolution::Minute, kept),
            (Resolution::Hour, plan.begin),
            (Resolution::Day, plan.begin),
        ] {
            let range = time(from)..time(plan.end);
            let cells = reader.cells((series.id, PhaseId::TOTAL), resolution, &range).unwrap();
            let sum = cells.values().fold(Counts::default(), |mut sum, cell| {
                sum.merge(&cell.counts);
                assert_eq!(cell.latency.count(), cell.counts.pass);
                sum
            });
            assert_eq!(sum, counted(&plan, at, from..plan.end), "{resolution:?}");
        }
        observed += counted(&plan, at, (plan.end - DAY) / 60 * 60..plan.end).observed();
    }
    assert_eq!(made.observations, observed);

    // October in Johannesburg ends two hours before it does in UTC
    let month =
        UNTIL.as_ns() / 60_000_000_000 / i64::from(DAY) * i64::from(DAY) - 2 * i64::from(DAY);
    let until = u32::try_from(month).unwrap() - 120;
    let wanted = SlaWanted { month: Some("2026-10".parse().unwrap()), service: None };
    let answer = query.sla(&wanted).unwrap();
    let found: BTreeMap<_, _> = answer
        .agreements
        .iter()
        .map(|it| (it.agreement.clone(), [it.figure.good, it.figure.bad, it.figure.unknown]))
        .collect();
    assert_eq!(found.len(), 20);
    let mut unknown_and_bad = [0; 2];
    for (service, members) in &plan.services {
        let mut sum = Counts::default();
        members.iter().for_each(|at| sum.merge(&counted(&plan, *at, plan.begin..until)));
        let all = u64::from(until - plan.begin) * u64::try_from(members.len()).unwrap();
        let expected = [sum.pass, sum.fail, all - sum.pass - sum.fail];
        assert_eq!(found[&format!("{}-success", service.name)], expected, "{}", service.name);
        let uptime = uptime(&plan, &service.name, until);
        assert_eq!(found[&format!("{}-uptime", service.name)], uptime, "{}", service.name);
        unknown_and_bad[0] += uptime[1];
        unknown_and_bad[1] += uptime[2];
    }
    assert!(unknown_and_bad.iter().all(|minutes| *minutes > 0), "the seed shows every state");
}

/// Minutes of a service up, down and unknown until a minute, as they were drawn.
fn uptime(plan: &Plan, service: &str, until: u32) -> [u64; 3] {
    let id = mailsonde_collector::series::ServiceId::of(service);
    let mut minutes = [0; 3];
    for day in plan.begin / DAY..=until / DAY {
        for ((_, there), slots) in plan.slots(day) {
            for (from, to, state) in slots.iter().filter(|_| there == id) {
                let (from, to) = (day * DAY + u32::from(from), day * DAY + u32::from(to));
                let place = match state {
                    Voiced::Up => 0,
                    Voiced::Down => 1,
                    Voiced::Unknown => 2,
                };
                minutes[place] += u64::from(to.min(until).saturating_sub(from));
            }
        }
    }
    minutes
}

#[test]
fn the_same_seed_makes_the_same_figures() {
    let dump = |opening: &Opening| {
        let mut bytes = Vec::new();
        opening.reader.dump(&mut bytes).unwrap();
        bytes
    };
    assert!(dump(&opened()) == dump(&opened()), "two years of one seed differ");
}
