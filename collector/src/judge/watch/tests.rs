use proptest::prelude::*;

use super::*;

const PACE: Pace = Pace { cadence: Duration::from_secs(60), timeout: Duration::from_secs(30) };

fn fault() -> Fault {
    Fault::new("connect", FaultClass::Refused, "connection refused")
}

/// `p`, `f`: scheduled runs a minute apart; `P`, `F`: runs that were asked for, a second after the one before.
fn changes(runs: &str) -> Vec<Change> {
    let (mut watch, mut now) = (Watch::default(), WallTime::from_s(0));
    let fault = fault();
    let mut slot = 0;
    runs.chars()
        .map(|run| {
            let is_scheduled = run.is_lowercase();
            if is_scheduled {
                slot += 60;
                now = WallTime::from_s(slot + 1);
            } else {
                now = now.plus(Duration::from_secs(1));
            }
            let at = if is_scheduled { WallTime::from_s(slot) } else { now };
            let fails = run.eq_ignore_ascii_case(&'f');
            let fault = fails.then_some(&fault);
            let ran = Ran { slot: at, is_scheduled, fault, total_us: 100_000, is_late: false };
            let change = watch.hear(ran, PACE, now);
            if matches!(change, Change::Confirmed(_)) {
                watch.joined(1);
            }
            change
        })
        .collect()
}

#[test]
fn runs_and_what_they_change() {
    use Change::{Confirmed as C, Denied, Nothing, Over, Passed, StillFailing, Suspected};
    for (runs, expected) in [
        ("pp", vec![Nothing, Nothing]),
        ("pfP", vec![Nothing, Suspected, Denied]),
        ("pfF", vec![Nothing, Suspected, C(Confirmed::Again)]),
        ("pff", vec![Nothing, Suspected, C(Confirmed::Again)]),
        ("fFfpP", vec![Suspected, C(Confirmed::Again), StillFailing, Passed, Over]),
        ("fFpFpP", vec![Suspected, C(Confirmed::Again), Passed, StillFailing, Passed, Over]),
        ("fPfPfP", vec![Suspected, Denied, Suspected, Denied, Suspected, C(Confirmed::Flapping)]),
        (
            "fPfPfPpPpp",
            vec![
                Suspected,
                Denied,
                Suspected,
                Denied,
                Suspected,
                C(Confirmed::Flapping),
                Passed,
                Nothing,
                Nothing,
                Over,
            ],
        ),
    ] {
        assert_eq!(changes(runs), expected, "{runs}");
    }
}

/// The mail system was mended while a run waited for a message that was lost before.
#[test]
fn a_failure_from_before_a_pass_is_no_news() {
    let fault = fault();
    let check = |runs: &[(u64, bool, bool)], expected: &[Change]| {
        let mut watch = Watch::default();
        let hear = |&(slot, is_scheduled, fails): &(u64, bool, bool)| {
            let (slot, fault) =
                (WallTime::from_s(i64::try_from(slot).unwrap()), fails.then_some(&fault));
            let ran = Ran { slot, is_scheduled, fault, total_us: 100_000, is_late: false };
            let change = watch.hear(ran, PACE, WallTime::from_s(1_000));
            if matches!(change, Change::Confirmed(_)) {
                watch.joined(1);
            }
            change
        };
        assert_eq!(runs.iter().map(hear).collect::<Vec<_>>(), expected, "{runs:?}");
    };
    use Change::{Confirmed as C, Nothing, Over, Passed, StillFailing, Suspected};
    let failing = [(60, true, true), (61, false, true)];
    let is_failing = [Suspected, C(Confirmed::Again)];
    let check_after = |runs: &[(u64, bool, bool)], expected: &[Change]| {
        check(&[&failing, runs].concat(), &[&is_failing, expected].concat());
    };
    // two that were asked for pass before one from before them fails: also after it is over
    check_after(
        &[(125, false, false), (126, false, false), (120, true, true), (180, true, false)],
        &[Passed, Over, Nothing, Nothing],
    );
    check_after(
        &[(125, false, false), (120, true, true), (126, false, false)],
        &[Passed, Nothing, Over],
    );
    // one that was asked for and fails is outrun by a scheduled one
    check_after(
        &[(180, true, false), (179, false, true), (240, true, false)],
        &[Passed, Nothing, Over],
    );
    // what failed after a pass was begun is news
    check_after(
        &[(125, false, false), (125, false, true), (180, true, true)],
        &[Passed, StillFailing, StillFailing],
    );
    check_after(
        &[(125, false, false), (120, true, true), (180, true, true)],
        &[Passed, Nothing, StillFailing],
    );
}

#[test]
fn a_quick_check_that_does_not_come_back_is_overdue_within_five_seconds() {
    let mut watch = Watch { usual_us: 900_000, ..Watch::default() };
    let now = WallTime::from_s(100);
    let fault = fault();
    let ran = Ran {
        slot: WallTime::from_s(90),
        is_scheduled: true,
        fault: Some(&fault),
        total_us: 0,
        is_late: false,
    };
    assert_eq!(watch.hear(ran, PACE, now), Change::Suspected);
    assert!(!watch.is_overdue(now.plus(Duration::from_secs(3))));
    assert!(watch.is_overdue(now.plus(Duration::from_secs(4))));
    watch.undecided();
    assert!(!watch.is_overdue(now.plus(Duration::from_secs(400))));
    assert_eq!(patience(20_000_000, PACE.timeout), Duration::from_secs(34));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever runs there are: nothing fails by one failing run that the next denies, unless it flaps; a failure is
    /// over only after runs that pass, one after another; runs for slots that are past change nothing.
    #[test]
    fn histories_are_judged_soundly(runs in "[pfPF]{1,40}") {
        let changes = changes(&runs);
        let letters: Vec<char> = runs.chars().collect();
        for (at, change) in changes.iter().enumerate() {
            let fails = |at: usize| letters.get(at).is_some_and(|run| run.eq_ignore_ascii_case(&'f'));
            match change {
                Change::Confirmed(Confirmed::Again) => prop_assert!(fails(at)),
                Change::Suspected | Change::StillFailing => prop_assert!(fails(at)),
                Change::Over => prop_assert!(!fails(at) && at >= 1 && !fails(at - 1)),
                Change::Denied | Change::Passed => prop_assert!(!fails(at)),
                _ => {}
            }
        }
        let confirmed = changes.iter().filter(|change| matches!(change, Change::Confirmed(_))).count();
        let over = changes.iter().filter(|change| **change == Change::Over).count();
        prop_assert!(over <= confirmed && confirmed <= over + 1);
    }

    #[test]
    fn what_is_late_changes_nothing(slots in proptest::collection::vec((0_i64..50, any::<bool>()), 1..40)) {
        let fault = fault();
        let mut watch = Watch::default();
        for (n, (slot, fails)) in slots.iter().enumerate() {
            let now = WallTime::from_s(10_000 + i64::try_from(n).unwrap());
            let before = watch.clone();
            let slot = WallTime::from_s(slot * 60);
            let fault = fails.then_some(&fault);
            watch.hear(Ran { slot, is_scheduled: true, fault, total_us: 5, is_late: false }, PACE, now);
            if before.last_slot.is_some_and(|last| slot <= last) {
                prop_assert_eq!(&watch, &before);
            }
        }
    }
}
