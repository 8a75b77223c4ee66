use super::super::samples::{hostile, long, opened, shown};
use super::super::text::one_line;
use super::*;

#[test]
fn the_body_as_documented() {
    insta::assert_snapshot!(shown(&body(&opened())), @r#"
    {
      "data": {
        "conversation": "incident-17",
        "fields": [
          {"name":"From where","value":"durban-1, durban-2; works from cape-1"},
          {"name":"What the server said","value":"535 5.7.8 Error: authentication failed"}
        ],
        "id": "incident-17-opened",
        "links": [
          {"label":"Acknowledge","url":"https://collector.example.org:7444/incidents/17/ack"},
          {"label":"Show","url":"https://collector.example.org:7444/incidents/17"}
        ],
        "occasion": "opened",
        "severity": "major",
        "text": "Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.",
        "title": "Mail in Durban is down"
      },
      "timestamp": "2026-11-29T10:00:00Z",
      "type": "mailsonde.opened",
      "version": 1
    }
    "#);
}

#[test]
fn hostile_text_is_json() {
    let told: serde_json::Value = serde_json::from_slice(&body(&hostile())).unwrap();
    assert_eq!(told["data"]["title"], one_line(&hostile().title));
    assert!(body(&long()).len() <= 64 << 10);
}

/// The example of the specification: msg_p5jXN8AQM9LWM0D4loKWxJek.
#[test]
fn the_signature_is_that_of_the_specification() {
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let message = Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(), ..opened() };
    let now = WallTime::from_s(1_614_265_330);
    let headers = headers(&message, br#"{"test": 2432232314}"#, &key, now).unwrap();
    let value = |name| headers[name].to_str().unwrap();
    assert_eq!(value("webhook-id"), message.id);
    assert_eq!(value("webhook-timestamp"), "1614265330");
    assert_eq!(value("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
