use mailsonde_proto::{Cause, FaultClass, Verdict};

use super::scene::{Scene, fault};
use crate::judge::definition::{Definitions, Service};
use crate::judge::incident::{Incident, IncidentAction, Kind, Scope, Severity, State};

const THREE: [&str; 3] = ["a", "b", "c"];

fn refused() -> Verdict {
    fault("connect", FaultClass::Refused)
}

fn passes(_: &str, _: &str) -> Verdict {
    Verdict::Pass
}

fn scene() -> Scene {
    let mut scene = Scene::new(&["a@durban", "b@cape", "c@joburg"], &["mail", "dns"]);
    scene.all(&THREE, "mail", &Verdict::Pass);
    scene.all(&THREE, "dns", &Verdict::Pass);
    scene.after(30);
    scene
}

fn words(incident: &Incident) -> Vec<&str> {
    incident.timeline.iter().map(|entry| entry.what.as_str()).collect()
}

#[test]
fn one_failing_run_that_the_confirmation_denies_is_no_incident() {
    let mut scene = scene();
    scene.scheduled("a", "mail", refused());
    let wishes = scene.answer(passes);
    assert_eq!(wishes.len(), 1);
    assert_eq!(wishes[0].agents.len(), 3, "the same vantage point, and the two others");
    scene.after(600);
    assert!(scene.incidents().iter().all(|it| it.kind == Kind::Silence));
}

#[test]
fn a_branch_that_fails_alone_is_a_branch_problem() {
    let mut scene = scene();
    scene.scheduled("a", "mail", refused());
    let fails_in_durban =
        |agent: &str, _: &str| if agent == "a" { refused() } else { Verdict::Pass };
    scene.answer(fails_in_durban);
    let incident = scene.only();
    assert_eq!(incident.scope, Scope::Branch { site: "durban".into() });
    assert_eq!(incident.severity, Severity::Minor, "one of three is less than half");
    assert_eq!(incident.state, State::Open);
    assert_eq!(
        (incident.fault.phase.as_str(), incident.fault.class.as_str()),
        ("connect", "refused")
    );
    let sites: Vec<_> = incident.works_from.iter().map(String::as_str).collect();
    assert_eq!(sites, ["cape", "joburg"]);
    assert!(incident.opened_at.duration_since(incident.began_at).as_secs() <= 3);
}

#[test]
fn what_fails_from_everywhere_is_the_targets_and_one_incident() {
    let mut scene = scene();
    scene.scheduled("a", "mail", refused());
    scene.answer(|_, _| refused());
    scene.answer(|_, _| refused());
    scene.all(&["b", "c"], "mail", &refused());
    let incident = scene.only();
    assert_eq!(incident.scope, Scope::Everywhere { sites: 3 });
    assert_eq!(incident.severity, Severity::Critical);
    assert!(incident.services["mail"].was_down);

    // it is mended: a run passes, is asked for once more, and passes again
    scene.after(40);
    scene.all(&THREE, "mail", &Verdict::Pass);
    assert_eq!(scene.only().state, State::Resolved, "{:?}", words(&scene.only()));
    scene.answer(passes);
    let incident = scene.only();
    assert_eq!(incident.state, State::Verified, "{:?}", words(&incident));
    assert!(incident.places.iter().all(|place| place.verified_at.is_some()));
    assert_eq!(scene.engine.take_archive().len(), 1);
}

#[test]
fn an_incident_is_called_by_what_fails_now() {
    let mut scene = scene();
    let broke = || fault("auth", FaultClass::Refused);
    // the server ended while this run was under way
    scene.scheduled("a", "mail", broke());
    scene.answer(|_, _| refused());
    scene.answer(|_, _| refused());
    assert_eq!(scene.only().fault.phase, "auth");
    scene.after(40);
    scene.all(&THREE, "mail", &refused());
    let incident = scene.only();
    assert_eq!(incident.fault.phase, "connect");
    assert!(words(&incident).contains(&"fault"));
    // one place that recovers does not make it another
    scene.after(30);
    scene.scheduled("a", "mail", Verdict::Pass);
    scene.scheduled("b", "mail", broke());
    assert_eq!(scene.only().fault.phase, "connect");
}

#[test]
fn one_run_that_fails_otherwise_widens_no_incident() {
    let mut scene = scene();
    let fails_in_durban =
        |agent: &str, _: &str| if agent == "a" { refused() } else { Verdict::Pass };
    scene.scheduled("a", "mail", refused());
    scene.answer(fails_in_durban);
    scene.after(10);
    scene.scheduled("b", "mail", fault("auth", FaultClass::Temporary));
    scene.answer(fails_in_durban);
    assert_eq!(scene.only().scope, Scope::Branch { site: "durban".into() });
    // one that fails in the same way does
    scene.scheduled("c", "mail", refused());
    assert_eq!(scene.only().scope, Scope::Some { failing: 2, of: 3 });
}

#[test]
fn a_quick_check_that_hangs_is_confirmed_without_its_answer() {
    let mut scene = scene();
    scene.scheduled("a", "mail", fault("connect", FaultClass::Timeout));
    scene.after(5);
    let incident = scene.only();
    assert_eq!(incident.scope, Scope::OnePlace { site: "durban".into() });
    assert!(incident.opened_at.duration_since(incident.began_at).as_secs() <= 5);
}

#[test]
fn a_run_that_did_not_begin_confirms_nothing() {
    let mut scene = scene();
    scene.scheduled("a", "mail", refused());
    let wish = scene.engine.take_wishes().remove(0);
    scene.engine.not_run(wish.agents[0], "mail", scene.now);
    scene.after(20);
    assert!(scene.incidents().is_empty());
    scene.scheduled("a", "mail", refused());
    assert_eq!(scene.only().places.len(), 1);
}

#[test]
fn what_comes_back_soon_is_the_same_incident() {
    let mut scene = scene();
    let fails_in_durban =
        |agent: &str, _: &str| if agent == "a" { refused() } else { Verdict::Pass };
    for round in 0..3 {
        scene.after(30);
        scene.scheduled("a", "mail", refused());
        scene.answer(fails_in_durban);
        assert!(scene.only().is_live(), "round {round}: {:?}", words(&scene.only()));
        scene.after(30);
        for _ in 0..4 {
            scene.all(&THREE, "mail", &Verdict::Pass);
            scene.answer(passes);
            scene.after(10);
        }
        assert_eq!(scene.only().state, State::Verified, "round {round}");
    }
    let incident = scene.only();
    assert_eq!((incident.reopened, incident.kind), (2, Kind::Flapping));
}

#[test]
fn services_that_need_another_fail_because_of_it() {
    let mut scene = scene();
    let needing =
        Service { depends_on: vec!["dns".into()], ..Service::of_check("mail", "round-trip") };
    let services = vec![needing, Service::of_check("dns", "dns")];
    scene.define(Definitions { services, ..Definitions::default() });
    scene.scheduled("a", "mail", fault("resolve", FaultClass::Timeout));
    scene.scheduled("b", "mail", fault("resolve", FaultClass::Timeout));
    assert_eq!(scene.only().root.as_deref(), Some("mail"));
    scene.scheduled("c", "dns", fault("resolve", FaultClass::Refused));
    scene.answer(|_, _| fault("resolve", FaultClass::Refused));
    let incident = scene.only();
    assert_eq!(incident.root.as_deref(), Some("dns"));
    assert_eq!(incident.services["mail"].because_of.as_deref(), Some("dns"));
    assert_eq!(incident.fault.class, "refused");
}

#[test]
fn a_vantage_point_of_which_nothing_is_heard_is_told_and_is_not_down() {
    let mut scene = scene();
    scene.after(40);
    scene.all(&["b", "c"], "mail", &Verdict::Pass);
    scene.after(30);
    let incident = scene.only();
    assert_eq!((incident.kind, incident.severity), (Kind::Silence, Severity::Notice));
    assert_eq!(incident.scope, Scope::Branch { site: "durban".into() });
    assert!(incident.services.values().all(|impact| !impact.was_down));
    assert_eq!(incident.services["mail"].sites.iter().collect::<Vec<_>>(), ["durban"]);
    scene.scheduled("a", "mail", Verdict::Pass);
    assert_eq!(scene.only().state, State::Verified);
}

#[test]
fn what_failed_while_nothing_was_heard_is_the_same_trouble_and_no_news() {
    let mut scene = scene();
    scene.after(40);
    scene.all(&["b", "c"], "mail", &Verdict::Pass);
    scene.after(30);
    assert_eq!(scene.only().kind, Kind::Silence);
    // the cable is in again, and the agent sends what it kept
    for seconds in [30, 20, 10, 5] {
        scene.kept("a", "mail", seconds, fault("connect", FaultClass::Timeout));
        scene.restart();
    }
    assert!(scene.engine.take_wishes().is_empty());
    assert_eq!(scene.only().state, State::Open, "{:?}", words(&scene.only()));
    scene.after(10);
    scene.scheduled("a", "mail", Verdict::Pass);
    let incident = scene.only();
    assert_eq!((incident.state, incident.reopened), (State::Verified, 0));
}

#[test]
fn what_fails_after_it_was_heard_again_is_news() {
    let mut scene = scene();
    scene.after(70);
    scene.kept("a", "mail", 5, refused());
    scene.after(10);
    scene.scheduled("a", "mail", refused());
    scene.answer(|agent, _| if agent == "a" { refused() } else { Verdict::Pass });
    assert!(scene.incidents().iter().any(|it| it.is_live() && it.fault.phase == "connect"
        || it.places.iter().any(|place| place.check == "mail")));
}

#[test]
fn an_agent_that_cannot_judge_is_told() {
    let mut scene = scene();
    for _ in 0..3 {
        scene.void("a", "mail");
        scene.void("a", "dns");
        scene.after(5);
    }
    let incident = scene.only();
    assert_eq!((incident.kind, incident.fault.phase.as_str()), (Kind::Silence, "local_network"));
    scene.scheduled("a", "mail", Verdict::Pass);
    assert!(!scene.only().is_live());
}

#[test]
fn the_collectors_own_absence_is_nobodys_silence() {
    let mut scene = scene();
    scene.now = scene.now.plus(std::time::Duration::from_secs(3_600));
    scene.engine.started(scene.now);
    scene.after(20);
    scene.all(&THREE, "mail", &Verdict::Pass);
    scene.after(50);
    assert!(scene.incidents().is_empty(), "{:#?}", scene.incidents());
}

#[test]
fn operators_act_and_every_step_is_told() {
    let mut scene = scene();
    scene.scheduled("a", "mail", refused());
    scene.answer(|_, _| refused());
    let act = |scene: &mut Scene, action: IncidentAction| {
        scene.engine.act(&action, "ann", scene.now, None);
    };
    let note = String::from("on it");
    act(&mut scene, IncidentAction::Acknowledge { incident: 1, note });
    assert_eq!(scene.only().state, State::Acknowledged);
    act(&mut scene, IncidentAction::Resolve { incident: 1, note: "restarted".into() });
    assert_eq!(scene.only().state, State::Resolved);
    // runs do not agree
    scene.after(30);
    scene.scheduled("a", "mail", refused());
    assert_eq!(scene.only().state, State::Acknowledged);
    act(
        &mut scene,
        IncidentAction::Review { incident: 1, note: "too soon".into(), security: None },
    );
    assert_eq!(scene.only().state, State::Acknowledged);
    assert_eq!(words(&scene.only()).last(), Some(&"too late"));
    scene.after(30);
    scene.all(&THREE, "mail", &Verdict::Pass);
    scene.answer(passes);
    act(
        &mut scene,
        IncidentAction::Review { incident: 1, note: "learnt".into(), security: Some(true) },
    );
    let incident = scene.only();
    assert_eq!(incident.state, State::Reviewed);
    assert!(incident.is_security);
}

#[test]
fn late_failures_open_nothing() {
    let mut scene = scene();
    let mut observation = crate::judge::sample::observation(
        "mail",
        scene.now.minus(std::time::Duration::from_secs(600)),
        refused(),
        std::time::Duration::from_secs(1),
    );
    observation.cause = Cause::Scheduled;
    for minute in 0..5_u64 {
        observation.scheduled_for =
            scene.now.minus(std::time::Duration::from_secs(900 - minute * 60));
        let agent = scene.chronicle.agents().next().unwrap().0;
        scene.engine.observe(agent, &observation, scene.now);
    }
    assert!(scene.incidents().is_empty());
    assert!(scene.engine.take_wishes().is_empty());
}

#[test]
fn a_restart_changes_nothing() {
    let fails_in_durban =
        |agent: &str, _: &str| if agent == "a" { refused() } else { Verdict::Pass };
    let play = |restarts: bool| {
        let mut scene = scene();
        let step = |scene: &mut Scene| {
            if restarts {
                scene.restart();
            }
        };
        scene.scheduled("a", "mail", refused());
        step(&mut scene);
        // wishes do not outlive a restart: the confirmation comes by itself
        scene.after(1);
        scene.run("a", "mail", Cause::Confirmation, fails_in_durban("a", "mail"));
        step(&mut scene);
        scene.after(50);
        scene.scheduled("a", "mail", Verdict::Pass);
        step(&mut scene);
        scene.after(1);
        scene.run("a", "mail", Cause::Confirmation, Verdict::Pass);
        step(&mut scene);
        scene.after(30);
        scene.keep().clone()
    };
    let (one, other) = (play(false), play(true));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (about, value) in &one {
        assert_eq!(
            String::from_utf8_lossy(value),
            String::from_utf8_lossy(&other[about]),
            "{about:?}"
        );
    }
}
