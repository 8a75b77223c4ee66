use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

/// Where each step goes, and with what.
fn told(message: &Message) -> String {
    let outward = crate::outward::Outward::new(rustls::RootCertStore::empty()).unwrap();
    let desk = Desk::new(outward, Vec::new());
    let opsgenie = Opsgenie { desk, api: "https://api.opsgenie.com".parse().unwrap() };
    let steps = steps(message.occasion).iter().map(|step| {
        let body = shown(body(message, *step).to_string().as_bytes());
        format!("{}\n{body}", opsgenie.url(message, *step))
    });
    steps.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_alert_is_created_noted_and_closed() {
    insta::assert_snapshot!(told(&opened()), @"");
    insta::assert_snapshot!(told(&update()), @"");
    insta::assert_snapshot!(told(&over()), @"");
}

#[test]
fn what_nobody_has_to_act_on_does_not_stay_open() {
    assert_eq!(steps(Occasion::Test), [Step::Create, Step::Close]);
    assert_eq!(priority(&Message { occasion: Occasion::Test, ..opened() }), "P5");
    assert_eq!(steps(Occasion::Worse), [Step::Create, Step::Note]);
}

#[test]
fn hostile_text_is_text() {
    insta::assert_snapshot!(told(&hostile()), @"");
}

#[test]
fn all_fits() {
    let body = body(&long(), Step::Create);
    let count = |value: &Value| value.as_str().unwrap().chars().count();
    assert_eq!(count(&body["message"]), 130);
    assert!(count(&body["description"]) <= 15_000);
    let details: usize = body["details"].as_object().unwrap().values().map(count).sum();
    assert!(details <= 8_000, "{details}");
}
