use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

fn told(message: &Message) -> String {
    let actions = actions(message.occasion).iter();
    let events = actions.map(|action| shown(&event(message, action, &Secret::new("KEY".into()))));
    events.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_incident_is_triggered_acknowledged_and_resolved() {
    insta::assert_snapshot!(told(&opened()), @"");
    let acknowledged = Message { occasion: Occasion::Acknowledged, ..update() };
    insta::assert_snapshot!(told(&acknowledged), @"");
    insta::assert_snapshot!(told(&over()), @"");
}

#[test]
fn an_update_triggers_the_same_alert() {
    insta::assert_snapshot!(told(&update()), @"");
}

#[test]
fn what_nobody_has_to_act_on_does_not_stay_open() {
    for occasion in [Occasion::Test, Occasion::Digest, Occasion::Canary] {
        assert_eq!(actions(occasion), ["trigger", "resolve"]);
        assert_eq!(severity(&Message { occasion, ..opened() }), "info");
    }
}

#[test]
fn hostile_text_is_text() {
    insta::assert_snapshot!(shown(&event(&hostile(), "trigger", &Secret::new("KEY".into()))), @"");
}

#[test]
fn all_fits() {
    let bytes = event(&long(), "trigger", &Secret::new("KEY".into()));
    assert!((20_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
