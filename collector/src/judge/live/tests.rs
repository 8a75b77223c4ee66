use std::time::Duration;

use mailsonde_proto::FaultClass;
use proptest::prelude::*;

use super::*;
use crate::judge::sample::observation;

fn state(runs: &[(i64, Verdict)]) -> SeriesState {
    let mut state = SeriesState::default();
    for (minute, verdict) in runs {
        state.observe(&run(*minute, verdict.clone()));
    }
    state
}

fn run(minute: i64, verdict: Verdict) -> Observation {
    let total = Duration::from_micros(minute.unsigned_abs());
    observation("mail", WallTime::from_s(minute * 60), verdict, total)
}

fn fail() -> Verdict {
    Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "no"))
}

fn void() -> Verdict {
    Verdict::void(VoidReason::LocalNetwork, "no route")
}

/// Told from the whole list at once.
fn expected(runs: &[(i64, Verdict)]) -> (Option<WallTime>, u64) {
    let last_pass = runs.iter().filter(|(_, v)| *v == Verdict::Pass).map(|(m, _)| *m).max();
    let failures = runs
        .iter()
        .filter(|(m, v)| matches!(v, Verdict::Fail(_)) && last_pass.is_none_or(|pass| *m > pass));
    let since = failures.clone().map(|(m, _)| *m).min();
    (since.map(|minute| WallTime::from_s(minute * 60)), u64::try_from(failures.count()).unwrap())
}

#[test]
fn a_void_run_neither_ends_nor_begins_a_failure() {
    let runs =
        [(1, Verdict::Pass), (2, void()), (3, fail()), (4, void()), (5, fail()), (6, void())];
    let state = state(&runs);
    assert_eq!(state.failing_since(), Some(WallTime::from_s(180)));
    assert_eq!(state.consecutive_failures(), 2);
    assert_eq!(state.last().unwrap().verdict(), "void");
    assert_eq!(state.last_pass().unwrap().total_us(), 1);
    assert_eq!(state.last_fault().unwrap().0, WallTime::from_s(300));
    assert_eq!(state.last_void().unwrap().0, WallTime::from_s(360));
}

#[test]
fn a_pass_that_comes_late_moves_the_start_of_the_failure() {
    let late = state(&[(1, fail()), (2, fail()), (4, fail()), (5, fail()), (3, Verdict::Pass)]);
    assert_eq!(late.failing_since(), Some(WallTime::from_s(240)));
    assert_eq!(late.consecutive_failures(), 2);
}

fn runs() -> impl Strategy<Value = Vec<(i64, Verdict)>> {
    let verdict = prop_oneof![Just(Verdict::Pass), Just(fail()), Just(fail()), Just(void())];
    prop::collection::vec(verdict, 0..400).prop_map(|verdicts| (0_i64..).zip(verdicts).collect())
}

proptest! {
    #[test]
    fn runs_may_come_late_by_less_than_the_window(runs in runs(), block in 1..30_usize) {
        let mut mixed = runs.clone();
        mixed.chunks_mut(block).for_each(<[_]>::reverse);
        let (straight, mixed) = (state(&runs), state(&mixed));
        prop_assert_eq!((straight.failing_since(), straight.consecutive_failures()), expected(&runs));
        prop_assert_eq!(straight.encode_to_vec(), mixed.encode_to_vec());
    }

    #[test]
    fn a_state_is_the_merge_of_its_parts(runs in runs(), parts in prop::collection::vec(1..200_usize, 1..6)) {
        let mut merged = SeriesState::default();
        let mut rest = runs.as_slice();
        for part in parts.into_iter().chain([400]) {
            let (now, later) = rest.split_at(part.min(rest.len()));
            merged.merge(&state(now));
            rest = later;
        }
        prop_assert_eq!(merged.encode_to_vec(), state(&runs).encode_to_vec());
    }
}
