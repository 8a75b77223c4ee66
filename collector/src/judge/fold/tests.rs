use mailsonde_proto::{Cause, Epoch, Fault, FaultClass, RunId, VoidReason};
use proptest::prelude::*;

use super::*;
use crate::judge::sample::observation;

const NOON: WallTime = WallTime::from_s(1_795_435_200);

fn pass(second: u64) -> Observation {
    let slot = NOON.plus(Duration::from_secs(second));
    observation("mail", slot, Verdict::Pass, Duration::from_millis(20 + second % 7))
}

fn folded(sequence: u64, observation: &Observation) -> Folded<'_> {
    let received_at = observation.scheduled_for.plus(Duration::from_secs(2));
    Folded { sequence, received_at, agent: AgentId([1; 16]), observation }
}

/// The whole of one resolution's cells of the run as a whole.
fn sum(delta: &Delta, resolution: Resolution) -> Cell {
    let rows = delta.rows.iter().filter(|(key, _)| key.period.resolution == resolution);
    rows.fold(Cell::default(), |mut sum, (_, columns)| {
        sum.merge(&columns[&PhaseId::TOTAL].sum());
        sum
    })
}

#[test]
fn every_resolution_holds_every_run() {
    let mut fold = Fold::default();
    (0..500).for_each(|n| fold.observe(folded(n, &pass(n * 60))));
    let delta = fold.take();
    for resolution in Resolution::ALL {
        let cell = sum(&delta, resolution);
        assert_eq!((cell.counts.pass, cell.latency.count()), (500, 500), "{resolution:?}");
    }
    assert_eq!(delta.phases.len(), 9);
    assert_eq!(delta.states.len(), 1);
    assert_eq!(fold.take(), Delta::default());
}

#[test]
fn only_scheduled_runs_have_a_verdict_that_counts() {
    let mut fold = Fold::default();
    let fail = Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "no"));
    let confirmation = Observation { cause: Cause::Confirmation, verdict: fail.clone(), ..pass(0) };
    let amends = Some(RunId { epoch: Epoch(1), intent: 3 });
    let amended = Observation { amends, verdict: fail.clone(), ..pass(0) };
    let void = Verdict::void(VoidReason::LocalClock, "");
    let runs = [
        pass(0),
        confirmation,
        amended,
        Observation { verdict: fail, ..pass(1) },
        Observation { verdict: void, ..pass(2) },
    ];
    runs.iter().for_each(|run| fold.observe(folded(1, run)));
    let counts = sum(&fold.take(), Resolution::Day).counts;
    assert_eq!((counts.pass, counts.fail, counts.void), (1, 1, 1));
    assert_eq!((counts.extra, counts.amended, counts.misdated), (1, 1, 0));
}

#[test]
fn a_slot_that_cannot_be_true_is_counted_when_it_was_received() {
    for (slot, misdated) in [
        (NOON.plus(AHEAD), 0),
        (NOON.plus(AHEAD * 2), 1),
        (NOON.minus(BEHIND), 0),
        (NOON.minus(BEHIND * 2), 1),
        (WallTime::from_ns(i64::MIN), 1),
    ] {
        let run = Observation { scheduled_for: slot, ..pass(0) };
        let mut fold = Fold::default();
        fold.observe(Folded { received_at: NOON, ..folded(1, &run) });
        let delta = fold.take();
        let counts = sum(&delta, Resolution::Day).counts;
        assert_eq!((counts.misdated, counts.pass), (misdated, 1 - misdated), "{slot}");
        assert_eq!(delta.states.len(), usize::from(misdated == 0), "{slot}");
    }
}

#[test]
fn what_a_sealed_period_holds_is_left_out_there_only() {
    let mut sealed = Sealed::default();
    sealed.insert(Period::of(Resolution::Minute, NOON).0, 10);
    let mut fold = Fold::new(8, sealed, NOON);
    (5..15).for_each(|sequence| fold.observe(folded(sequence, &pass(sequence))));
    let delta = fold.take();
    assert_eq!(sum(&delta, Resolution::Minute).counts.pass, 5);
    assert_eq!(sum(&delta, Resolution::Hour).counts.pass, 10);
    let state = delta.states.values().next().unwrap();
    assert_eq!(state.recent().len(), 7);
}

#[test]
fn an_unknown_figure_is_no_latency() {
    let mut run = pass(0);
    run.phases[7].uncertainty_us = 500_000;
    run.phases[8].name = "total".into();
    let mut fold = Fold::default();
    fold.observe(folded(1, &run));
    let delta = fold.take();
    let columns = delta.rows.values().next().unwrap();
    assert_eq!(columns.len(), 1 + 7);
    assert_eq!(columns[&PhaseId::TOTAL].sum().latency.count(), 1);
}

proptest! {
    #[test]
    fn order_does_not_matter(runs in prop::collection::vec((0..40_000_u64, 0..3_u8), 1..60), turn in 0..60_usize) {
        let runs: Vec<Observation> = runs
            .into_iter()
            .map(|(second, check)| Observation { check: format!("c{check}"), ..pass(second) })
            .collect();
        let delta = |order: &mut dyn Iterator<Item = &Observation>| {
            let mut fold = Fold::default();
            for run in order {
                let received_at = NOON.plus(Duration::from_secs(50_000));
                fold.observe(Folded { received_at, ..folded(1, run) });
            }
            fold.take()
        };
        let turn = turn % runs.len();
        let straight = delta(&mut runs.iter());
        prop_assert_eq!(&straight, &delta(&mut runs.iter().rev()));
        prop_assert_eq!(&straight, &delta(&mut runs.iter().cycle().skip(turn).take(runs.len())));
    }
}
