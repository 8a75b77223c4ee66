//! From where something fails is told as far as it is known, and what an incident is called goes with what still fails.

use mailsonde_proto::{FaultClass, Verdict};

use super::scene::{Scene, fault};
use crate::judge::definition::{Definitions, Service};
use crate::judge::diagnosis::diagnose;
use crate::judge::incident::{Scope, Severity, State};

fn refused() -> Verdict {
    fault("connect", FaultClass::Refused)
}

#[test]
fn everywhere_is_said_when_everybody_has_told() {
    let agents = ["a@1", "b@2", "c@3", "d@4", "e@5", "f@6"];
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut scene = Scene::new(&agents, &["mail"]);
    scene.all(&names, "mail", &Verdict::Pass);
    scene.after(30);
    scene.scheduled("a", "mail", refused());
    scene.answer(|_, _| refused());
    // three others were asked; the other two have their runs yet to come
    let incident = scene.only();
    assert_eq!(incident.scope, Scope::Some { failing: 4, of: 4 });
    assert_eq!(incident.wherefrom(), "fails from 4 sites; others have yet to tell");
    assert_eq!(incident.severity, Severity::Major);
    scene.all(&["e", "f"], "mail", &refused());
    let incident = scene.only();
    assert_eq!(incident.scope, Scope::Everywhere { sites: 6 });
    assert_eq!(incident.severity, Severity::Critical);
}

#[test]
fn who_could_have_told_and_did_not_is_not_waited_for() {
    let mut scene = Scene::new(&["a@1", "b@2", "c@3"], &["mail"]);
    scene.all(&["a", "b", "c"], "mail", &Verdict::Pass);
    scene.after(30);
    scene.void("c", "mail");
    scene.all(&["a", "b"], "mail", &refused());
    assert_eq!(scene.only().scope, Scope::Everywhere { sites: 2 });
}

#[test]
fn one_of_two_vantage_points_at_a_site_is_told_by_its_name() {
    let mut scene = Scene::new(&["one@north", "two@north", "c@south"], &["mail"]);
    scene.all(&["one", "two", "c"], "mail", &Verdict::Pass);
    scene.after(30);
    scene.scheduled("one", "mail", refused());
    scene.answer(|agent, _| if agent == "one" { refused() } else { Verdict::Pass });
    scene.scheduled("two", "mail", Verdict::Pass);
    scene.scheduled("one", "mail", refused());
    let incident = scene.only();
    assert_eq!(incident.scope, Scope::Branch { site: "one".into() });
    let works: Vec<&str> = incident.works_from.iter().map(String::as_str).collect();
    assert_eq!(works, ["south", "two"]);
}

#[test]
fn what_still_fails_when_the_cause_is_mended_has_a_cause_of_its_own() {
    let mut scene = Scene::new(&["a@1", "b@2"], &["directory", "portal"]);
    let service = |check: &str, needs: &[&str]| Service {
        depends_on: needs.iter().map(|need| (*need).to_owned()).collect(),
        ..Service::of_check(check, "")
    };
    let services = vec![service("directory", &[]), service("portal", &["directory"])];
    scene.define(Definitions { services, ..Definitions::default() });
    for check in ["directory", "portal"] {
        scene.all(&["a", "b"], check, &Verdict::Pass);
    }
    scene.after(30);
    scene.all(&["a", "b"], "directory", &refused());
    let hangs = fault("banner", FaultClass::Timeout);
    scene.all(&["a", "b"], "portal", &hangs);
    let incident = scene.only();
    assert_eq!(incident.root.as_deref(), Some("directory"));
    assert_eq!(incident.services["portal"].because_of.as_deref(), Some("directory"));
    for _ in 0..2 {
        scene.after(30);
        scene.all(&["a", "b"], "directory", &Verdict::Pass);
        scene.all(&["a", "b"], "portal", &hangs);
    }
    let incident = scene.only();
    assert_eq!(incident.state, State::Open);
    assert_eq!(incident.root.as_deref(), Some("portal"));
    assert_eq!(incident.services["portal"].because_of, None);
    assert_eq!(incident.headline(), "portal: banner: timeout: as the scenario wants");
    let told = diagnose(&incident);
    let said: Vec<&str> = told.sentences.iter().map(|it| it.words.as_str()).collect();
    assert!(!said.iter().any(|words| words.contains("cannot work without")), "{said:?}");
    let told = incident.timeline.iter().filter(|entry| entry.what == "cause").count();
    assert_eq!(told, 1);
    for _ in 0..2 {
        scene.after(30);
        scene.all(&["a", "b"], "portal", &Verdict::Pass);
    }
    assert_eq!(scene.only().state, State::Verified);
}

#[test]
fn what_is_not_to_run_any_more_has_not_passed() {
    let mut scene = Scene::new(&["a@1", "b@2"], &["mail"]);
    scene.all(&["a", "b"], "mail", &Verdict::Pass);
    scene.after(30);
    scene.scheduled("b", "mail", refused());
    scene.answer(|agent, _| if agent == "b" { refused() } else { Verdict::Pass });
    assert_eq!(scene.only().scope, Scope::Branch { site: "2".into() });
    scene.withdraw("b");
    let incident = scene.only();
    assert_eq!(incident.state, State::Verified);
    let words: Vec<&str> = incident.timeline.iter().map(|entry| entry.words.as_str()).collect();
    assert!(words.iter().any(|words| words.contains("not to run any more")), "{words:?}");
    assert!(words.iter().any(|words| words.contains("no run has shown that it works")));
    assert!(!words.iter().any(|words| words.contains("pass")), "{words:?}");
}
