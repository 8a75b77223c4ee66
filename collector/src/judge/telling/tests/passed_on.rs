//! What nobody takes on, how it goes on, and what comes back.

use super::desk::{Desk, IT, route, to};
use crate::judge::incident::{Severity, State};
use crate::judge::routing::{Member, Recipients, Rotation, Route, Step};

pub(super) fn escalating() -> Route {
    let on_call = Recipients { channels: Vec::new(), on_call: vec!["mail".into()] };
    let steps = vec![
        Step { after_s: 300, to: on_call, repeat_s: Some(120), times: 2 },
        Step { after_s: 900, to: to(&["boss"]), repeat_s: None, times: 0 },
    ];
    Route { steps, ..route("all", &["ops"]) }
}

pub(super) fn rotation() -> Rotation {
    let member = |name: &str| Member { name: name.into(), channel: format!("phone-{name}") };
    Rotation {
        name: "mail".into(),
        members: vec![member("ann"), member("ben")],
        from: "2026-11-30T08:06:00".parse().unwrap(),
        shift_s: 3_600,
        overrides: Vec::new(),
    }
}

#[test]
fn what_nobody_takes_on_goes_on_to_the_next() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.definitions.rotations = vec![rotation()];
    desk.open(1, Severity::Major);
    desk.after(2);
    assert_eq!(desk.told().len(), 1);
    let nobody = |who: &str| format!("{who}: escalated: Nobody has taken this on: {IT}");
    desk.after(299);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(1);
    assert_eq!(desk.told(), [nobody("phone-ann")]);
    for _ in 0..2 {
        desk.after(119);
        assert_eq!(desk.told(), [""; 0]);
        desk.after(1);
        assert_eq!(desk.told(), [nobody("phone-ann").replace("escalated", "escalated after h2")]);
    }
    desk.after(359);
    assert_eq!(desk.told(), [""; 0], "twice more, and then no more");
    desk.after(1);
    assert_eq!(desk.told(), [nobody("boss")]);
    desk.after(30);
    desk.acknowledge(1);
    let taken = desk.told();
    assert_eq!(taken.len(), 3, "{taken:?}");
    assert_eq!(taken[0], format!("ops: acknowledged after h1: ann takes care of this: {IT}"));
    desk.after(7_200);
    assert_eq!(desk.told(), [""; 0]);
    desk.end(1);
    assert_eq!(desk.told().len(), 3);
}

#[test]
fn who_takes_it_on_stops_the_escalation() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.definitions.rotations = vec![rotation()];
    desk.open(1, Severity::Major);
    desk.after(200);
    desk.acknowledge(1);
    assert_eq!(desk.told().len(), 2);
    desk.after(7_200);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn how_it_goes_on_is_told_at_the_route_s_pace() {
    let mut desk = Desk::new(vec![Route { updates_s: Some(1_800), ..route("all", &["ops"]) }]);
    desk.open(1, Severity::Major);
    desk.after(2);
    desk.told();
    desk.after(1_799);
    assert_eq!(desk.told(), [""; 0]);
    desk.change(1, |it, at| it.tell_of(at, "noted", "a disk was swapped".into(), Some("ann")));
    desk.after(1);
    let pending = desk.teller.pending();
    let text = &pending[0].notice.message.text;
    assert!(text.contains("noted by ann: a disk was swapped"), "{text}");
    assert!(!text.contains("confirmed from elsewhere"), "that was told before: {text}");
    assert_eq!(desk.told(), [format!("ops: update after h1: Still: {IT}")]);
    desk.after(1_800);
    let text = desk.teller.pending()[0].notice.message.text.clone();
    assert!(text.contains("Nothing has changed"), "{text}");
}

#[test]
fn what_comes_back_is_news() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(5);
    desk.end(1);
    desk.told();
    desk.after(300);
    desk.change(1, |it, _| {
        (it.state, it.reopened) = (State::Open, 1);
        (it.resolved_at, it.verified_at, it.ended_at) = (None, None, None);
    });
    desk.after(2);
    assert_eq!(desk.told(), [format!("ops: opened after h1: Back again: {IT}")]);
    desk.end(1);
    assert_eq!(desk.told().len(), 1);
}
