//! Restarts, signs of life, and what people read.

use super::desk::{Desk, IT, route};
use super::passed_on::{escalating, rotation};
use crate::judge::draft::Audience;
use crate::judge::incident::{Impact, Scope, Severity};
use crate::judge::routing::Route;
use crate::judge::telling::*;

#[test]
fn a_restart_changes_nothing() {
    let scenario = |restarts: bool| {
        let mut rows = BTreeMap::new();
        let mut desk = Desk::new(vec![Route { updates_s: Some(600), ..escalating() }]);
        desk.definitions.rotations = vec![rotation()];
        let mut told = Vec::new();
        for step in 0..80 {
            match step {
                1..=6 => desk.open(step, Severity::Major),
                20 => desk.acknowledge(2),
                30 => desk.change(3, |it, _| it.severity = Severity::Critical),
                50 => desk.end(1),
                _ => {}
            }
            if restarts {
                desk.restart(&mut rows);
            }
            desk.after(7);
            told.extend(desk.told());
        }
        told
    };
    let told = scenario(false);
    assert!(told.len() > 15, "{told:#?}");
    assert_eq!(scenario(true), told);
}

#[test]
fn every_channel_gives_a_sign_of_life_on_monday_morning() {
    let mut desk = Desk::new(vec![escalating(), route("more", &["chat"])]);
    desk.definitions.rotations = vec![rotation()];
    desk.definitions.is_without_canary = false;
    desk.after(3_599);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(60);
    let life = |who: &str| format!("{who}: canary: Mailsonde can reach you here");
    let channels = ["boss", "chat", "ops", "phone-ann", "phone-ben"];
    assert_eq!(desk.told(), channels.map(life));
    desk.after(6 * 86_400);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(86_400);
    assert_eq!(desk.told(), channels.map(life));
}

#[test]
fn what_is_told_can_be_read() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.change(1, |it, _| {
        it.works_from = ["paarl".to_owned()].into();
        it.scope = Scope::Some { failing: 2, of: 3 };
        let failed = |site: &str| crate::judge::incident::Place {
            vantage_point: site.into(),
            site: site.into(),
            check: "mail".into(),
            since: it.began_at,
            fault: it.fault.clone(),
            passed_at: None,
            verified_at: None,
        };
        it.places = vec![failed("durban"), failed("george")];
        it.fault.code = "535 5.7.8".into();
        it.fault.reply = "authentication failed".into();
        it.fault.explanation = "the server refused the sign-in".into();
        let impact =
            Impact { title: "Mail in Durban".into(), users: Some(120), ..Impact::default() };
        it.services = [("svc-1".to_owned(), impact)].into();
    });
    desk.after(2);
    let shown = |desk: &Desk| {
        let message = desk.teller.pending()[0].notice.message.clone();
        let fields = message.fields.iter().map(|it| format!("{}: {}\n", it.name, it.value));
        format!("{}\n{}\n{}", message.title, message.text, fields.collect::<String>())
    };
    insta::assert_snapshot!(shown(&desk), @r#"
        Mail in Durban: auth: refused: 535 5.7.8: the server refused the sign-in ("authentication failed")
        It fails in auth, as refused: the network says no
        Nothing that targets tell of themselves changed in the day before
        Next: see whether the directory or identity provider answers
        Incident: #1, major
        From where: fails from 2 of 3 sites
        Since: 2026-11-30 08:00:00 UTC
        Services: Mail in Durban
        Works from: paarl
        People: 120 behind these services
        "#);
    desk.told();
    desk.after(700);
    desk.end(1);
    insta::assert_snapshot!(shown(&desk), @r#"
    Over after 11 min 42 s: Mail in Durban: auth: refused: 535 5.7.8: the server refused the sign-in ("authentication failed")
    verified: passing runs from every vantage point that had failed
    Incident: #1, major
    From where: fails from 2 of 3 sites
    Since: 2026-11-30 08:00:00 UTC
    Services: Mail in Durban
    People: 120 behind these services
    "#);
}

#[test]
fn who_does_not_run_mail_is_told_in_their_words_and_by_operators_templates() {
    let users = Route { audience: Audience::Users, updates_s: Some(3_600), ..route("u", &["u"]) };
    let mut desk = Desk::new(vec![users, route("t", &["t"])]);
    let own = "OWN {{ headline }}\nlook at the manual".to_owned();
    desk.definitions.templates = [("technical-first.txt".to_owned(), own)].into();
    desk.open(1, Severity::Major);
    desk.after(2);
    let pending = desk.teller.pending();
    let message = |channel: &str| {
        let found = pending.iter().find(|it| it.notice.channel == channel);
        found.unwrap().notice.message.clone()
    };
    let (users, technical) = (message("u"), message("t"));
    assert!(users.fields.is_empty() && !users.text.contains("refused"), "{users:?}");
    assert!(users.text.contains("09:00"), "when the next word comes: {}", users.text);
    assert!(technical.title.starts_with("OWN ") && technical.text == "look at the manual\n");
}

#[test]
fn who_was_told_by_a_route_that_is_gone_hears_the_end() {
    let mut desk = Desk::new(vec![route("old", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(2);
    desk.told();
    desk.definitions.routes = vec![route("new", &["desk"])];
    desk.after(120);
    assert_eq!(desk.told(), [format!("desk: opened: {IT}")]);
    desk.end(1);
    let told = desk.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|it| it.starts_with("ops: over")), "{told:?}");
}

#[test]
fn two_routes_to_one_channel_tell_once() {
    let mut desk = Desk::new(vec![route("one", &["ops"]), route("two", &["ops", "desk"])]);
    desk.open(1, Severity::Major);
    desk.after(2);
    assert_eq!(desk.told().len(), 2);
    desk.end(1);
    assert_eq!(desk.told().len(), 2);
}

#[test]
fn what_became_of_a_message_may_be_read_before_it_is_made() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    let fate = Fate::Sent { handle: None, is_confirmed: true, said: "ok".into() };
    let notified = Notified { id: "1-1-ops".into(), fate, attempts: 1, instead: None };
    let now = desk.now;
    desk.teller.notified(&notified, now);
    let mut rows = BTreeMap::new();
    desk.restart(&mut rows);
    desk.open(1, Severity::Major);
    desk.after(2);
    assert_eq!(desk.told(), [""; 0], "it was sent");
}

#[test]
fn a_restart_hears_nothing_earlier_than_it_is_due() {
    let told = |restarts: bool| {
        let mut desk = Desk::new(vec![escalating()]);
        desk.definitions.rotations = vec![rotation()];
        desk.open(1, Severity::Major);
        desk.after(2);
        desk.told();
        desk.is_silenced = true;
        desk.after(302);
        desk.is_silenced = false;
        // a moment at which nothing is due
        if restarts {
            let mut rows = BTreeMap::new();
            desk.restart(&mut rows);
        }
        desk.after(10);
        desk.told()
    };
    assert_eq!(told(true), told(false));
}

#[test]
fn what_turns_out_to_be_part_of_more_is_no_all_clear() {
    let users = Route { audience: Audience::Users, ..route("u", &["u"]) };
    let mut desk = Desk::new(vec![users, route("t", &["t"])]);
    desk.open(1, Severity::Major);
    desk.after(2);
    desk.told();
    desk.change(1, |it, _| it.merged_into = Some(7));
    assert_eq!(desk.told(), [format!("t: over after h2: Part of incident 7: {IT}")]);
}

#[test]
fn what_was_sent_before_it_was_superseded_was_sent() {
    let mut desk = Desk::new(vec![Route { updates_s: Some(600), ..route("all", &["ops"]) }]);
    desk.open(1, Severity::Major);
    desk.after(610);
    let update = desk.teller.pending().last().unwrap().notice.message.id.clone();
    desk.end(1);
    desk.after(1);
    let fate = |desk: &Desk| {
        let mut notices = desk.teller.notices.values();
        notices.find(|it| it.message.id == update).and_then(|it| it.fate.clone())
    };
    assert_eq!(fate(&desk), Some(Fate::Superseded));
    let sent = Fate::Sent { handle: None, is_confirmed: true, said: "ok".into() };
    let told = Notified { id: update.clone(), fate: sent.clone(), attempts: 1, instead: None };
    let at = desk.now;
    desk.teller.notified(&told, at);
    assert_eq!(fate(&desk), Some(sent));
    let failed = Fate::Failed { why: "no".into() };
    desk.teller.notified(&Notified { fate: failed, ..told }, at);
    assert!(matches!(fate(&desk), Some(Fate::Sent { .. })), "what was sent stays sent");
}
