//! One incident from its first message to its last.

use super::desk::{Desk, IT, route};
use crate::judge::incident::{Scope, Severity};
use crate::judge::routing::Route;

#[test]
fn an_incident_is_told_once_when_it_has_settled_and_once_when_it_is_over() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(1);
    assert_eq!(desk.told(), [""; 0], "it may still grow");
    desk.change(1, |it, at| it.tell(at, "joined", "another site"));
    desk.after(1);
    assert_eq!(desk.told(), [format!("ops: opened: {IT}")]);
    desk.after(600);
    desk.change(1, |it, at| it.tell(at, "noted", "somebody looks"));
    assert_eq!(desk.told(), [""; 0]);
    desk.end(1);
    assert_eq!(desk.told(), [format!("ops: over after h1: Over after 10 min 2 s: {IT}")]);
    desk.after(7_200);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn what_others_have_yet_to_tell_is_waited_for_a_little_longer() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.change(1, |it, _| it.scope = Scope::Some { failing: 2, of: 2 });
    desk.after(3);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(1);
    assert_eq!(desk.told().len(), 1);
}

#[test]
fn what_is_over_before_it_was_told_is_not_told() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(1);
    desk.end(1);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn worse_is_told_after_a_while_and_better_is_not() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Minor);
    desk.change(1, |it, _| it.scope = Scope::Branch { site: "durban".into() });
    desk.after(2);
    assert_eq!(desk.told().len(), 1);
    desk.change(1, |it, _| it.severity = Severity::Critical);
    desk.after(29);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(1);
    assert_eq!(desk.told(), [format!("ops: worse after h1: Worse: {IT}")]);
    desk.change(1, |it, _| it.scope = Scope::Everywhere { sites: 9 });
    desk.after(30);
    assert_eq!(desk.told(), [format!("ops: worse after h1: Worse: {IT}")]);
    desk.change(1, |it, _| it.scope = Scope::Some { failing: 2, of: 9 });
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn a_route_has_its_severity_its_hours_and_its_silence() {
    let weekly =
        vec![crate::judge::definition::Stretch { weekday: 0, from_minute: 540, until_minute: 600 }];
    let hours = crate::judge::definition::BusinessHours { weekly, holidays: Vec::new() };
    let major = Route { severity: Severity::Major, ..route("major", &["boss"]) };
    let nine = Route { hours: Some(hours), ..route("nine", &["desk"]) };
    let mut desk = Desk::new(vec![major, nine]);
    desk.open(1, Severity::Minor);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0], "it is 8:10, and minor");
    desk.change(1, |it, _| it.severity = Severity::Major);
    desk.after(2);
    assert_eq!(desk.told(), [format!("boss: opened: {IT}")]);
    desk.after(3_000);
    assert_eq!(desk.told(), [format!("desk: opened: {IT}")], "it is live at nine");
    desk.is_silenced = true;
    desk.change(1, |it, _| it.severity = Severity::Critical);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
    desk.open(2, Severity::Critical);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
    desk.end(1);
    desk.end(2);
    let over = |channel: &str| format!("{channel}: over after h");
    let told = desk.told();
    assert_eq!(told.len(), 2, "who was told hears that it is over, silence or not: {told:?}");
    assert!(told[0].starts_with(&over("boss")) && told[1].starts_with(&over("desk")));
}
