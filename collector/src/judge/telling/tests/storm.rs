//! Many incidents at once, and channels that do not take what they are told.

use super::desk::{Desk, IT, route};
use crate::judge::incident::Severity;
use crate::judge::telling::*;

#[test]
fn a_storm_is_a_few_messages_and_a_summary_of_the_rest() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    for number in 1..=500 {
        desk.open(number, Severity::Major);
    }
    desk.after(59);
    let first = desk.told();
    assert_eq!(first.len(), 5, "{first:?}");
    let mut named: BTreeSet<u64> = (1..=5).collect();
    let mut messages = 0;
    for minute in 1..=10 {
        desk.after(60);
        let pending = desk.teller.pending();
        assert!(pending.len() <= 5, "minute {minute}: {}", pending.len());
        messages += pending.len();
        for Waiting { notice, .. } in &pending {
            assert_eq!(notice.message.occasion, Occasion::Digest);
            assert!(notice.message.text.len() <= 1_700, "{}", notice.message.text.len());
            let numbers = notice.message.text.split('#').skip(1);
            named.extend(numbers.map(|it| it.split(' ').next().unwrap().parse::<u64>().unwrap()));
        }
        desk.told();
    }
    assert_eq!(named, (1..=500).collect(), "in {messages} summaries");
    // of what only a summary told, only a summary tells that it is over
    (1..=500).for_each(|number| desk.end(number));
    let over = desk.told();
    assert_eq!(over.len(), 5);
    desk.after(60);
    assert!(desk.told()[0].contains("digest: 495 more messages were held back"));
}

#[test]
fn a_message_that_a_channel_does_not_take_is_told_by_another() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(2);
    let id = desk.teller.pending()[0].notice.message.id.clone();
    let fate = Fate::Failed { why: "404: no_service".into() };
    let instead = Some("mail".to_owned());
    let notified = Notified { id, fate, attempts: 1, instead };
    desk.teller.notified(&notified, desk.now);
    // heard twice, it is done once
    desk.teller.notified(&notified, desk.now);
    let pending = desk.teller.pending();
    assert_eq!(pending.len(), 1);
    assert!(pending[0].notice.message.text.contains("404: no_service"));
    assert_eq!(desk.told(), [format!("mail: trouble: Not told by ops: {IT}")]);
}

#[test]
fn what_is_worse_is_not_put_off_by_what_can_wait() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    for number in 1..=6 {
        desk.open(number, Severity::Minor);
    }
    desk.after(3);
    assert_eq!(desk.told().len(), 4);
    desk.open(7, Severity::Critical);
    desk.after(2);
    assert_eq!(desk.told(), ["ops: opened: svc-7: auth: refused"]);
}

#[test]
fn what_is_over_before_anybody_heard_of_it_is_told_as_that() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    for number in 1..=6 {
        desk.open(number, Severity::Minor);
    }
    desk.after(20);
    desk.told();
    desk.end(6);
    desk.after(60);
    let pending = desk.teller.pending();
    let text = &pending[0].notice.message.text;
    assert!(text.contains("1 opened, auth: refused (outage): #5"), "{text}");
    assert!(text.contains("1 over, auth: refused (outage): #6"), "{text}");
}

#[test]
fn what_waits_for_its_turn_is_told_by_what_comes_after_it() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    // the hour is full
    for number in 1..=31 {
        desk.open(number, Severity::Minor);
        desk.after(17);
        desk.told();
    }
    for number in 1..=2 {
        desk.change(number, |it, _| it.severity = Severity::Critical);
    }
    desk.after(31);
    let waits = desk.teller.pending();
    let of = |number: u64| {
        let found = waits.iter().find(|it| it.notice.message.incident() == Some(number));
        found.unwrap().notice.clone()
    };
    assert!(WallTime::from(of(1).not_before) <= desk.now, "one more than thirty");
    assert_eq!(of(2).message.occasion, Occasion::Worse);
    assert!(WallTime::from(of(2).not_before) > desk.now);
    desk.end(2);
    let left = desk.teller.pending();
    let left = left.iter().filter(|it| it.notice.message.incident() == Some(2));
    let left: Vec<Occasion> = left.map(|it| it.notice.message.occasion).collect();
    assert_eq!(left, [Occasion::Over]);
}

#[test]
fn no_update_is_queued_where_there_is_no_room() {
    let minutely = Route { updates_s: Some(60), ..route("all", &["ops"]) };
    let mut desk = Desk::new(vec![minutely]);
    desk.open(1, Severity::Major);
    let mut told = 0;
    for _ in 0..240 {
        desk.after(60);
        let waits = desk.teller.pending().into_iter();
        assert!(waits.clone().all(|it| WallTime::from(it.notice.not_before) <= desk.now));
        told += desk.told().len();
    }
    assert!((100..=124).contains(&told), "thirty an hour, and not {told} in four");
    desk.end(1);
    assert_eq!(desk.told().len(), 1, "and its end comes at once");
}

#[test]
fn names_that_look_alike_are_two_channels() {
    let mut desk = Desk::new(vec![route("all", &["ops.mail", "ops-mail", "OPS-MAIL"])]);
    desk.open(1, Severity::Major);
    desk.after(2);
    let ids: BTreeSet<String> =
        desk.teller.pending().into_iter().map(|it| it.notice.message.id).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids.contains("1-1-ops-mail"), "{ids:?}");
}
