//! Many incidents at once, and channels that do not take what they are told.

use super::desk::{Desk, IT, route, to};
use crate::judge::draft::Audience;
use crate::judge::incident::{Impact, Scope, Severity, State};
use crate::judge::routing::{Member, Recipients, Rotation, Route, Step};
use crate::judge::telling::*;

#[test]
fn a_storm_is_a_few_messages_and_a_summary_of_the_rest() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    for number in 1..=500 {
        desk.open(number, Severity::Major);
    }
    desk.after(59);
    let first = desk.told();
    assert_eq!(first.len(), 4, "{first:?}");
    let mut named: BTreeSet<u64> = (1..=4).collect();
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
    assert_eq!(over.len(), 4);
    desk.after(60);
    assert!(desk.told()[0].contains("digest: 496 more messages were held back"));
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
