//! A budget that is spent too fast is told once, and only where its time counts.

use super::scene::{Scene, fault};
use crate::judge::definition::{
    BusinessHours, Definitions, Objective, Service, Share, Sli, Stretch, Window,
};
use crate::judge::incident::{Incident, Kind, State};
use crate::judge::planned::{PlannedAction, Scope as Touches, WindowPlan};
use mailsonde_proto::{FaultClass, Verdict};

const ALL: [&str; 3] = ["a", "b", "c"];

/// A service of one check with one objective; the scene's first day is a Monday.
fn scene(sli: Sli, in_hours: bool, weekday: u8) -> Scene {
    let mut scene = Scene::new(&["a@1", "b@2", "c@3"], &["mail"]);
    let objective = Objective {
        name: "it".into(),
        sli,
        target: Share::from_ppm(999_000),
        window: Window::Rolling { days: 30 },
        in_hours,
    };
    let weekly = vec![Stretch { weekday, from_minute: 0, until_minute: 1_440 }];
    let service = Service {
        objectives: vec![objective],
        hours: Some(BusinessHours { weekly, holidays: Vec::new() }),
        ..Service::of_check("mail", "round-trip")
    };
    scene.define(Definitions { services: vec![service], ..Definitions::default() });
    scene
}

/// Runs that pass take 150 ms: more than they may.
const QUICK: Sli = Sli::Latency { within_us: 100_000 };

fn slow(scene: &mut Scene, minutes: u32) {
    for _ in 0..minutes {
        scene.after(57);
        scene.all(&ALL, "mail", &Verdict::Pass);
    }
}

fn burning(scene: &Scene) -> Vec<Incident> {
    scene.incidents().into_iter().filter(|it| it.kind == Kind::Burn).collect()
}

#[test]
fn what_is_slow_for_long_spends_the_budget() {
    for (in_hours, weekday) in [(true, 0), (false, 6)] {
        let mut scene = scene(QUICK, in_hours, weekday);
        slow(&mut scene, 70);
        let told = burning(&scene);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].headline().contains("it is spent more than 14.4 times as fast"));
    }
}

#[test]
fn outside_of_its_hours_nothing_is_spent() {
    let mut scene = scene(QUICK, true, 6);
    slow(&mut scene, 70);
    assert_eq!(burning(&scene), []);
}

#[test]
fn what_is_planned_spends_nothing() {
    let mut scene = scene(QUICK, false, 0);
    let plan = WindowPlan {
        title: "disks".into(),
        announcement: String::new(),
        scope: Touches { services: vec!["mail".into()], ..Touches::default() },
        from: scene.now.timestamp(),
        length_s: 2 * 3_600,
        every: None,
        time_zone: "UTC".into(),
        acceptance: Vec::new(),
        by: "ann".into(),
    };
    scene.plan(&PlannedAction::Window(plan));
    slow(&mut scene, 70);
    assert_eq!(burning(&scene), []);
}

#[test]
fn what_an_outage_has_spent_is_not_told_again_after_it() {
    let mut scene = scene(Sli::Uptime, false, 0);
    slow(&mut scene, 5);
    for minute in 0..40 {
        scene.after(57);
        let verdict =
            if minute < 12 { fault("connect", FaultClass::Refused) } else { Verdict::Pass };
        scene.all(&ALL, "mail", &verdict);
    }
    let all = scene.incidents();
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!((all[0].kind, all[0].state), (Kind::Outage, State::Verified));
}
