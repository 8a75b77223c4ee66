//! What comes back is the same trouble only where it was, and as what it was; what was kept and comes late is judged
//! whole.

use std::time::Duration;

use mailsonde_proto::{Cause, FaultClass, Verdict};

use super::scene::{Scene, fault};
use crate::judge::definition::{Definitions, Service};
use crate::judge::incident::{IncidentAction, Kind, Scope, Severity, State};
use crate::judge::planned::{PlannedAction, Scope as Touches, WindowPlan};

const ALL: [&str; 3] = ["a", "b", "c"];

fn refused() -> Verdict {
    fault("connect", FaultClass::Refused)
}

fn scene(checks: &[&str]) -> Scene {
    let mut scene = Scene::new(&["a@1", "b@2", "c@3"], checks);
    for check in checks {
        scene.all(&ALL, check, &Verdict::Pass);
    }
    scene.after(30);
    scene
}

/// An outage of a check from everywhere, which somebody takes on, and its end.
fn over(scene: &mut Scene, check: &str) {
    scene.all(&ALL, check, &refused());
    let number = scene.incidents().last().unwrap().number;
    let ack = IncidentAction::Acknowledge { incident: number, note: String::new() };
    scene.engine.act(&ack, "ann", scene.now, None);
    for verdict in
        [refused(), refused(), refused(), refused(), refused(), Verdict::Pass, Verdict::Pass]
    {
        scene.after(40);
        scene.all(&ALL, check, &verdict);
    }
    let last = scene.incidents().pop().unwrap();
    assert_eq!(last.state, State::Verified);
}

#[test]
fn a_branch_that_fails_otherwise_afterwards_is_an_incident_of_its_own() {
    let mut scene = scene(&["mail"]);
    over(&mut scene, "mail");
    let busy = || fault("hello", FaultClass::Temporary);
    scene.after(20);
    scene.scheduled("a", "mail", busy());
    scene.answer(|agent, _| if agent == "a" { busy() } else { Verdict::Pass });
    let all = scene.incidents();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].state, State::Verified);
    assert_eq!((all[1].state, &all[1].scope), (State::Open, &Scope::Branch { site: "1".into() }));
    assert_eq!(all[1].fault.phase, "hello");
}

#[test]
fn what_comes_back_is_to_be_taken_on_again_and_looked_at_anew() {
    let mut scene = scene(&["mail"]);
    over(&mut scene, "mail");
    scene.after(20);
    scene.scheduled("b", "mail", refused());
    scene.answer(|agent, _| if agent == "b" { refused() } else { Verdict::Pass });
    let incident = scene.only();
    assert_eq!((incident.state, incident.reopened), (State::Open, 1));
    assert_eq!(incident.scope, Scope::Branch { site: "2".into() });
    assert_eq!(incident.severity, Severity::Critical, "at worst");
}

#[test]
fn two_outages_that_lasted_and_a_run_that_was_denied_are_no_flapping() {
    let mut scene = scene(&["mail"]);
    over(&mut scene, "mail");
    over(&mut scene, "mail");
    scene.after(60);
    let before = scene.incidents();
    scene.scheduled("a", "mail", refused());
    scene.answer(|_, _| Verdict::Pass);
    assert_eq!(scene.incidents(), before);
}

#[test]
fn an_outage_that_came_and_went_while_nobody_listened_is_no_incident() {
    let mut scene = scene(&["mail"]);
    // the collector was away, and came back
    scene.now = scene.now.plus(Duration::from_secs(40));
    scene.engine.started(scene.now);
    assert_eq!(scene.incidents(), [], "and nobody is silent by that");
    for agent in ALL {
        scene.kept(agent, "mail", 38, Verdict::Pass);
        scene.kept(agent, "mail", 30, refused());
        scene.kept(agent, "mail", 20, refused());
        scene.kept(agent, "mail", 10, Verdict::Pass);
    }
    assert_eq!(scene.incidents(), []);
    // one that is not over is confirmed by the run that was asked for
    scene.after(30);
    scene.engine.take_wishes();
    scene.kept("a", "mail", 25, refused());
    scene.kept("a", "mail", 15, refused());
    assert_eq!(scene.incidents(), []);
    scene.answer(|_, _| refused());
    assert_eq!(scene.only().state, State::Open);
}

#[test]
fn what_an_agent_kept_is_history_to_its_end() {
    let mut scene = scene(&["mail"]);
    let others = |scene: &mut Scene| scene.all(&["b", "c"], "mail", &Verdict::Pass);
    scene.after(50);
    others(&mut scene);
    scene.after(50);
    others(&mut scene);
    assert_eq!(scene.only().kind, Kind::Silence);
    for (seconds, verdict) in [(70, Verdict::Pass), (60, refused()), (50, refused())] {
        scene.kept("a", "mail", seconds, verdict);
    }
    scene.answer(|_, _| Verdict::Pass);
    assert_eq!(scene.only().kind, Kind::Silence);
}

#[test]
fn what_fails_under_maintenance_does_not_work() {
    let mut scene = scene(&["mail"]);
    let plan = WindowPlan {
        title: "new line".into(),
        announcement: String::new(),
        scope: Touches { on: Some("site=1".into()), ..Touches::default() },
        from: scene.now.timestamp(),
        length_s: 3_600,
        every: None,
        time_zone: "UTC".into(),
        acceptance: Vec::new(),
        by: "ann".into(),
    };
    scene.plan(&PlannedAction::Window(plan));
    scene.scheduled("a", "mail", refused());
    scene.after(10);
    scene.all(&["b", "c"], "mail", &refused());
    scene.scheduled("a", "mail", refused());
    let incident = scene.only();
    assert!(incident.works_from.is_empty(), "{:?}", incident.works_from);
}

#[test]
fn a_check_that_works_where_the_incident_is_has_another_cause() {
    let mut scene = scene(&["mail", "local"]);
    let all = Service {
        checks: vec!["mail".into(), "local".into()],
        ..Service::of_check("all", "round-trip")
    };
    scene.define(Definitions { services: vec![all], ..Definitions::default() });
    let busy = fault("greeting", FaultClass::Temporary);
    scene.all(&ALL, "mail", &busy);
    scene.all(&["b", "c"], "local", &Verdict::Pass);
    scene.scheduled("a", "local", refused());
    scene.run("a", "local", Cause::Confirmation, refused());
    let told = scene.incidents();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[1].scope, Scope::Branch { site: "1".into() });
}

#[test]
fn an_acknowledgement_of_before_it_came_back_counts_no_more() {
    let mut scene = scene(&["mail"]);
    over(&mut scene, "mail");
    scene.after(20);
    scene.scheduled("b", "mail", refused());
    scene.answer(|agent, _| if agent == "b" { refused() } else { Verdict::Pass });
    assert_eq!(scene.only().state, State::Open);
    // mended for one run, and failing again
    scene.after(40);
    scene.all(&ALL, "mail", &Verdict::Pass);
    assert_eq!(scene.only().state, State::Resolved);
    scene.after(40);
    scene.all(&ALL, "mail", &refused());
    let incident = scene.only();
    assert_eq!((incident.state, incident.reopened), (State::Open, 1), "{:#?}", incident.timeline);
    let ack = IncidentAction::Acknowledge { incident: 1, note: String::new() };
    scene.engine.act(&ack, "ann", scene.now, None);
    scene.after(40);
    scene.all(&ALL, "mail", &Verdict::Pass);
    scene.after(40);
    scene.all(&ALL, "mail", &refused());
    assert_eq!(scene.only().state, State::Acknowledged);
}

#[test]
fn whom_nobody_hears_does_not_fail() {
    let mut scene = scene(&["mail"]);
    scene.scheduled("a", "mail", refused());
    scene.answer(|agent, _| if agent == "a" { refused() } else { Verdict::Pass });
    assert_eq!(scene.only().scope, Scope::Branch { site: "1".into() });
    // nothing is heard of it any more, and then the others fail
    scene.after(50);
    scene.all(&["b", "c"], "mail", &Verdict::Pass);
    scene.after(50);
    scene.all(&["b", "c"], "mail", &refused());
    let outage = scene.incidents().into_iter().find(|it| it.kind != Kind::Silence).unwrap();
    assert_eq!(outage.scope, Scope::Everywhere { sites: 2 }, "{:#?}", outage.timeline);
}
