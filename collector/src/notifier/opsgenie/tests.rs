use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

/// Where each step goes, and with what.
fn told(message: &Message) -> String {
    let outward = crate::outward::Outward::new(rustls::RootCertStore::empty()).unwrap();
    let desk = Desk::new(outward, Vec::new());
    let opsgenie = Opsgenie { desk, api: "https://api.opsgenie.com".parse().unwrap() };
    let steps = steps(message).iter().map(|step| {
        let body = shown(body(message, *step).to_string().as_bytes());
        format!("{}\n{body}", opsgenie.url(message, *step))
    });
    steps.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_alert_is_created_noted_and_closed() {
    insta::assert_snapshot!(told(&opened()), @r#"
    https://api.opsgenie.com/v2/alerts
    {
      "alias": "incident-17",
      "description": "Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.\n\nAcknowledge: https://collector.example.org:7444/incidents/17/ack\nShow: https://collector.example.org:7444/incidents/17",
      "details": {
        "From where": "durban-1, durban-2; works from cape-1",
        "What the server said": "535 5.7.8 Error: authentication failed",
        "id": "incident-17-opened"
      },
      "entity": "e-mail",
      "message": "Mail in Durban is down",
      "priority": "P2",
      "source": "Mailsonde",
      "tags": ["mailsonde","major","opened"]
    }
    "#);
    insta::assert_snapshot!(told(&update()), @r#"
    https://api.opsgenie.com/v2/alerts/incident-17/notes?identifierType=alias
    {
      "note": "Mail in Durban is still down\n\ncape-1 fails too.\n\nmajor · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2",
      "source": "Mailsonde"
    }
    "#);
    insta::assert_snapshot!(told(&over()), @r#"
    https://api.opsgenie.com/v2/alerts/incident-17/close?identifierType=alias
    {
      "note": "Mail in Durban works again\n\nDown for 42 minutes.\n\nmajor · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over",
      "source": "Mailsonde"
    }
    "#);
}

#[test]
fn what_nobody_has_to_act_on_does_not_stay_open() {
    let of = |occasion, severity| Message { occasion, severity, ..opened() };
    let test = of(Occasion::Test, Severity::Major);
    assert_eq!((steps(&test), priority(&test)), (&[Step::Create, Step::Close][..], "P5"));
    assert_eq!(steps(&of(Occasion::Digest, Severity::Minor)), [Step::Create, Step::Close]);
    // what was held back and is major wakes somebody
    assert_eq!(steps(&of(Occasion::Digest, Severity::Major)), [Step::Create]);
    assert_eq!(steps(&of(Occasion::Worse, Severity::Major)), [Step::Create, Step::Note]);
}

#[test]
fn hostile_text_is_text() {
    insta::assert_snapshot!(told(&hostile()), @r#"
    https://api.opsgenie.com/v2/alerts
    {
      "alias": "incident-17",
      "description": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m\n\n# head\n> quote\n\n\nok [x](y) <b>: https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27",
      "details": {
        "<!channel> @channel @everyone <at>all</at> <users/all> *b*…": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m",
        "@here": "a\nb",
        "id": "incident-17-opened"
      },
      "entity": "e-mail",
      "message": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m…",
      "priority": "P2",
      "source": "Mailsonde",
      "tags": ["mailsonde","major","opened"]
    }
    "#);
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
