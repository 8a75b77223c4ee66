use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_notification() {
    insta::assert_snapshot!(shown(payload(&opened(), "mail").to_string().as_bytes()), @r#"
    {
      "actions": [
        {"action":"view","label":"Acknowledge","url":"https://collector.example.org:7444/incidents/17/ack"},
        {"action":"view","label":"Show","url":"https://collector.example.org:7444/incidents/17"}
      ],
      "message": "Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.\nFrom where: durban-1, durban-2; works from cape-1\nWhat the server said: 535 5.7.8 Error: authentication failed\nmajor · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
      "priority": 4,
      "sequence_id": "incident-17",
      "tags": ["rotating_light","opened"],
      "title": "Mail in Durban is down",
      "topic": "mail"
    }
    "#);
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(payload(&update(), "mail").to_string().as_bytes()), @r#"
    {
      "actions": [],
      "message": "cape-1 fails too.\nmajor · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2",
      "priority": 3,
      "sequence_id": "incident-17",
      "tags": ["rotating_light","update"],
      "title": "Mail in Durban is still down",
      "topic": "mail"
    }
    "#);
    insta::assert_snapshot!(shown(payload(&over(), "mail").to_string().as_bytes()), @r#"
    {
      "actions": [],
      "message": "Down for 42 minutes.\nImpact: 120 users\nmajor · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over",
      "priority": 3,
      "sequence_id": "incident-17",
      "tags": ["white_check_mark","over"],
      "title": "Mail in Durban works again",
      "topic": "mail"
    }
    "#);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(payload(&hostile(), "mail").to_string().as_bytes()), @r#"
    {
      "actions": [{"action":"view","label":"ok [x](y) <b>","url":"https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27"}],
      "message": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m\n\n# head\n> quote\n<!channel> @channel @everyone <at>all</at> <users/all> *b…: <!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m\n@here: a\nb\nmajor · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
      "priority": 4,
      "sequence_id": "incident-17",
      "tags": ["rotating_light","opened"],
      "title": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m second line",
      "topic": "mail"
    }
    "#);
}

#[test]
fn all_fits() {
    let payload = payload(&long(), "mail");
    let bytes = payload["message"].as_str().unwrap().len();
    assert!((3_000..=4_096).contains(&bytes), "{bytes}");
    assert!(payload.to_string().len() < 16 << 10);
}
