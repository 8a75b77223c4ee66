//! What holds whatever is done.

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use proptest::prelude::*;

use super::{after, at, cancelled, daily, definitions, ended, extended, is_covered, plan};
use crate::judge::planned::{Planned, PlannedAction, WindowPlan};

/// Something that is done, a few minutes after what was done before.
fn doing() -> impl Strategy<Value = (i64, PlannedAction)> {
    let window = 1..4_u64;
    let action = prop_oneof![
        (-30..90_i64, 1..60_u64)
            .prop_map(|(from, length)| PlannedAction::Window(plan(from, length))),
        (0..90_i64, 1..60_u64)
            .prop_map(|(from, length)| PlannedAction::Window(daily(from, length))),
        (window.clone(), -20..200_i64).prop_map(|(window, until)| extended(window, until)),
        window.clone().prop_map(ended),
        window.prop_map(cancelled),
    ];
    (0..40_i64, action)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whether a minute was covered is decided when it is over: nothing that is done later changes it.
    #[test]
    fn nothing_changes_what_was_covered(doings in prop::collection::vec(doing(), 1..12)) {
        let mut now = 0;
        let mut history = Vec::new();
        for (later, action) in doings {
            now += later;
            history.push((now, shifted(action, now)));
        }
        let whole = after(&history);
        for minute in -20..now {
            let known: Vec<_> =
                history.iter().filter(|(at, _)| *at <= minute).cloned().collect();
            prop_assert_eq!(
                is_covered(&after(&known), minute), is_covered(&whole, minute), "{} {:?}", minute, history
            );
        }
    }

    /// However often what is checked is applied, times of a window stand in order and apart.
    #[test]
    fn times_stand_in_order(doings in prop::collection::vec(doing(), 1..12)) {
        let mut planned = Planned::default();
        let mut now = 0;
        for (later, action) in doings {
            now += later;
            let action = shifted(action, now);
            let checked = planned.check(at(now), &action, &definitions());
            let before = planned.clone();
            planned.apply(at(now), &action);
            if let Ok(number) = checked {
                prop_assert!(planned.window(number).is_some());
                prop_assert!(planned != before);
            }
            for window in planned.windows() {
                let times = window.times();
                prop_assert!(times.iter().all(|time| time.from <= time.until));
                prop_assert!(times.windows(2).all(|pair| pair[0].until <= pair[1].from));
            }
        }
    }
}

/// The same, as seen from `now`.
fn shifted(action: PlannedAction, now: i64) -> PlannedAction {
    let by = |at: Timestamp| WallTime::from_ns(WallTime::from(at).as_ns() + now * 60_000_000_000);
    match action {
        PlannedAction::Window(plan) => {
            PlannedAction::Window(WindowPlan { from: by(plan.from).timestamp(), ..plan })
        }
        PlannedAction::WindowExtended { window, until, by: who } => {
            PlannedAction::WindowExtended { window, until: by(until).timestamp(), by: who }
        }
        other => other,
    }
}
