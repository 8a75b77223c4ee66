use std::collections::BTreeSet;

use mailsonde_proto::SettingsDigest;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;

fn check(name: &str, cadence_s: u64, offset_s: u64) -> Check {
    Check {
        name: name.into(),
        kind: "round-trip".into(),
        cadence: Duration::from_secs(cadence_s),
        timeout: Duration::from_secs(30),
        slot_offset: Duration::from_secs(offset_s),
        settings_digest: SettingsDigest::default(),
    }
}

const fn at(s: i64) -> WallTime {
    WallTime::from_s(s)
}

fn whats(schedule: &mut Schedule, now_s: i64) -> Vec<Slot> {
    schedule.due(at(now_s)).into_iter().map(|due| due.what).collect()
}

#[test]
fn a_slot_is_run_when_it_comes_up_and_only_then() {
    let mut schedule = Schedule::new([check("mail", 60, 7)], at(1000));
    assert_eq!(schedule.next_at(at(1000)), Some(at(1027)));
    assert_eq!(whats(&mut schedule, 1026), []);
    assert_eq!(whats(&mut schedule, 1027), [Slot::Run(at(1027))]);
    assert_eq!(whats(&mut schedule, 1028), []);
    assert_eq!(schedule.next_at(at(1028)), Some(at(1087)));
    schedule.finished("mail");
    assert_eq!(whats(&mut schedule, 1088), [Slot::Run(at(1087))]);
}

#[test]
fn a_check_never_overlaps_itself() {
    let mut schedule = Schedule::new([check("mail", 60, 0)], at(0));
    assert_eq!(whats(&mut schedule, 0), [Slot::Run(at(0))]);
    assert_eq!(whats(&mut schedule, 60), [Slot::Overrun(at(60))]);
    schedule.finished("mail");
    assert_eq!(whats(&mut schedule, 120), [Slot::Run(at(120))]);
}

#[test]
fn a_host_that_slept_misses_its_slots_and_does_not_run_all_at_once() {
    let mut schedule = Schedule::new([check("mail", 60, 0), check("dns", 60, 20)], at(0));
    assert_eq!(whats(&mut schedule, 0), [Slot::Run(at(0))]);
    schedule.finished("mail");
    assert_eq!(
        whats(&mut schedule, 170),
        [
            Slot::Missed(at(20)),
            Slot::Missed(at(60)),
            Slot::Missed(at(80)),
            Slot::Missed(at(120)),
            Slot::Missed(at(140)),
        ]
    );
    assert_eq!(schedule.next_at(at(170)), Some(at(180)));
}

#[test]
fn a_run_over_which_the_host_slept_leaves_missed_slots_and_one_overrun() {
    let mut schedule = Schedule::new([check("mail", 60, 0)], at(0));
    assert_eq!(whats(&mut schedule, 0), [Slot::Run(at(0))]);
    assert_eq!(
        whats(&mut schedule, 181),
        [Slot::Missed(at(60)), Slot::Missed(at(120)), Slot::Overrun(at(180)),]
    );
}

#[test]
fn what_is_too_much_to_list_is_counted() {
    let mut schedule = Schedule::new([check("mail", 60, 0)], at(60));
    let due = whats(&mut schedule, 60 * 5_000 + 30);
    assert_eq!(due.len(), 1 + 1_000 + 1);
    let many = Slot::ManyMissed { first: at(60), last: at(60 * 3_999), slots: 3_999 };
    assert_eq!(due.first(), Some(&many));
    assert_eq!(due.get(1), Some(&Slot::Missed(at(60 * 4_000))));
    assert_eq!(due.last(), Some(&Slot::Missed(at(60 * 5_000))));
}

#[test]
fn a_clock_put_back_a_little_repeats_nothing_and_by_days_goes_on() {
    let mut schedule = Schedule::new([check("mail", 60, 0)], at(600_000));
    assert_eq!(whats(&mut schedule, 600_000), [Slot::Run(at(600_000))]);
    schedule.finished("mail");
    assert_eq!(whats(&mut schedule, 599_400), []);
    assert_eq!(schedule.next_at(at(599_400)), Some(at(600_060)));
    assert_eq!(schedule.next_at(at(60)), Some(at(60)));
    assert_eq!(whats(&mut schedule, 60), [Slot::Run(at(60))]);
}

#[test]
fn a_new_configuration_keeps_what_runs() {
    let mut schedule = Schedule::new([check("a", 60, 0), check("b", 60, 0)], at(0));
    assert_eq!(schedule.due(at(0)).len(), 2);
    schedule.replace_checks([check("a", 30, 0), check("c", 60, 0)], at(10));
    assert_eq!(schedule.running(), 2, "a and b");
    assert_eq!(schedule.check("b"), None);
    assert_eq!(whats(&mut schedule, 30), [Slot::Overrun(at(30))]);
    schedule.finished("b");
    schedule.finished("a");
    assert_eq!(schedule.running(), 0);
    let names: Vec<_> = schedule.due(at(60)).into_iter().map(|due| due.check).collect();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn a_check_that_comes_back_while_its_run_is_under_way_does_not_overlap() {
    let mut schedule = Schedule::new([check("a", 60, 0)], at(0));
    assert_eq!(schedule.due(at(0)).len(), 1);
    schedule.replace_checks([], at(10));
    schedule.replace_checks([check("a", 60, 0)], at(20));
    assert_eq!(whats(&mut schedule, 60), [Slot::Overrun(at(60))]);
}

/// One move of a loop: time goes on (or back a little), then perhaps the run ends.
fn moves() -> impl Strategy<Value = Vec<(i64, bool)>> {
    prop::collection::vec((-2_000_i64..200_000, any::<bool>()), 1..60)
}

proptest! {
    #[test]
    fn every_slot_comes_out_exactly_once(
        cadence_ms in 10_u64..100_000,
        offset_ms in 0_u64..100_000,
        moves in moves(),
    ) {
        let mut check = check("mail", 0, 0);
        check.cadence = Duration::from_millis(cadence_ms);
        check.slot_offset = Duration::from_millis(offset_ms % cadence_ms);
        let start = at(1_000_000);
        let mut schedule = Schedule::new([check.clone()], start);
        let (mut now, mut latest, mut running) = (start, start, false);
        let (mut out, mut counted) = (BTreeSet::new(), 0);
        for (step_ms, ends) in moves {
            now = WallTime::from_ns(now.as_ns() + step_ms * 1_000_000);
            latest = latest.max(now);
            let promised = schedule.next_at(now);
            let due = schedule.due(now);
            prop_assert_eq!(promised.is_some_and(|next| next <= now), !due.is_empty());
            for due in &due {
                match due.what {
                    Slot::ManyMissed { first, last, slots } => {
                        prop_assert_eq!(check.slots_between(first, last) + 1, slots);
                        counted += slots;
                        continue;
                    }
                    Slot::Run(_) => {
                        prop_assert!(!running, "two runs at once");
                        running = true;
                    }
                    Slot::Overrun(_) => prop_assert!(running),
                    Slot::Missed(_) => {}
                }
                let slot = due.what.first();
                prop_assert!(slot <= now && slot >= start);
                prop_assert_eq!(check.slot_at_or_after(slot), slot, "on the grid");
                prop_assert!(out.insert(slot), "out twice");
            }
            prop_assert!(due.is_sorted_by_key(|due| due.what.first()));
            prop_assert!(due.len() <= 1_002);
            if ends {
                schedule.finished("mail");
                running = false;
            }
        }
        let slots = check.slots_between(start, WallTime::from_ns(latest.as_ns() + 1));
        prop_assert_eq!(u64::try_from(out.len()).unwrap() + counted, slots);
    }

    #[test]
    fn no_time_makes_it_panic(
        cadence_us in 0_u64..u64::MAX / 4, offset_us in any::<u64>(), nows in prop::collection::vec(any::<i64>(), 1..5),
    ) {
        let mut check = check("mail", 0, 0);
        check.cadence = Duration::from_micros(cadence_us);
        check.slot_offset = Duration::from_micros(offset_us);
        let mut schedule = Schedule::new([check], at(0));
        for now in nows {
            let now = WallTime::from_ns(now);
            schedule.next_at(now);
            schedule.due(now);
        }
    }
}
