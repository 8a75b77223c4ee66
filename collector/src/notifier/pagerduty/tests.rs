use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

fn told(message: &Message) -> String {
    let actions = actions(message).iter();
    let events = actions.map(|action| shown(&event(message, action, &Secret::new("KEY".into()))));
    events.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_incident_is_triggered_acknowledged_and_resolved() {
    insta::assert_snapshot!(told(&opened()), @r#"
    {
      "client": "Mailsonde",
      "dedup_key": "incident-17",
      "event_action": "trigger",
      "links": [
        {"href":"https://collector.example.org:7444/incidents/17/ack","text":"Acknowledge"},
        {"href":"https://collector.example.org:7444/incidents/17","text":"Show"}
      ],
      "payload": {
        "class": "opened",
        "component": "e-mail",
        "custom_details": {
          "From where": "durban-1, durban-2; works from cape-1",
          "What the server said": "535 5.7.8 Error: authentication failed",
          "id": "incident-17-opened",
          "text": "Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2."
        },
        "severity": "error",
        "source": "mailsonde",
        "summary": "Mail in Durban is down",
        "timestamp": "2026-11-29T10:00:00Z"
      },
      "routing_key": "KEY"
    }
    "#);
    let acknowledged = Message { occasion: Occasion::Acknowledged, ..update() };
    insta::assert_snapshot!(told(&acknowledged), @r#"{"dedup_key":"incident-17","event_action":"acknowledge","routing_key":"KEY"}"#);
    insta::assert_snapshot!(told(&over()), @r#"{"dedup_key":"incident-17","event_action":"resolve","routing_key":"KEY"}"#);
}

#[test]
fn an_update_triggers_the_same_alert() {
    insta::assert_snapshot!(told(&update()), @r#"
    {
      "client": "Mailsonde",
      "dedup_key": "incident-17",
      "event_action": "trigger",
      "links": [],
      "payload": {
        "class": "update",
        "component": "e-mail",
        "custom_details": {"id":"incident-17-update-2","text":"cape-1 fails too."},
        "severity": "error",
        "source": "mailsonde",
        "summary": "Mail in Durban is still down",
        "timestamp": "2026-11-29T10:20:00Z"
      },
      "routing_key": "KEY"
    }
    "#);
}

#[test]
fn what_nobody_has_to_act_on_does_not_stay_open() {
    let digest = Message { occasion: Occasion::Digest, severity: Severity::Minor, ..opened() };
    assert_eq!(actions(&digest), ["trigger", "resolve"]);
    // what was held back and is major wakes somebody
    let major = Message { severity: Severity::Major, ..digest };
    assert_eq!((actions(&major), severity(&major)), (&["trigger"][..], "error"));
    for occasion in [Occasion::Test, Occasion::Canary] {
        let message = Message { occasion, ..opened() };
        assert_eq!(actions(&message), ["trigger", "resolve"]);
        assert_eq!(severity(&message), "info");
    }
}

#[test]
fn hostile_text_is_text() {
    insta::assert_snapshot!(shown(&event(&hostile(), "trigger", &Secret::new("KEY".into()))), @r#"
    {
      "client": "Mailsonde",
      "dedup_key": "incident-17",
      "event_action": "trigger",
      "links": [{"href":"https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27","text":"ok [x](y) <b>"}],
      "payload": {
        "class": "opened",
        "component": "e-mail",
        "custom_details": {
          "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><s…": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m",
          "@here": "a\nb",
          "id": "incident-17-opened",
          "text": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m\n\n# head\n> quote"
        },
        "severity": "error",
        "source": "mailsonde",
        "summary": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m second line",
        "timestamp": "2026-11-29T10:00:00Z"
      },
      "routing_key": "KEY"
    }
    "#);
}

#[test]
fn all_fits() {
    let bytes = event(&long(), "trigger", &Secret::new("KEY".into()));
    assert!((20_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
