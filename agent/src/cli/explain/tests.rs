use proptest::prelude::*;

use super::*;

const PLAIN: Terminal = Terminal { width: 90, colours: false };

const MESSAGE: &str = "Return-Path: <a@a.test>\r\n\
Received: from mx.good.test ([192.0.2.1]) by mail.good.test with LMTP id 9; Mon, 24 Nov 2025 16:00:09 +0000\r\n\
Authentication-Results: mx.good.test; dkim=pass header.d=a.test header.s=sel\r\n\
Received: from relay.a.test (relay.a.test [192.0.2.9]) (using TLSv1.3 with cipher X (256/256 bits)) by \
mx.good.test (Postfix) with ESMTPS id 4; Mon, 24 Nov 2025 16:00:10 +0000\r\n\
Received: from pc.a.test by relay.a.test with ESMTPSA; Mon, 24 Nov 2025 17:00:02 +0100\r\n\
Message-ID: <1@a.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nFrom: A <a@a.test>\r\nTo: box@good.test\r\n\r\nhello\r\n";

const BOUNCE: &str = "From: MAILER-DAEMON@mx.good.test\r\nSubject: Undelivered Mail Returned to Sender\r\n\
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: \
message/delivery-status\r\n\r\nReporting-MTA: dns; mx.good.test\r\n\r\nFinal-Recipient: rfc822; \
x@far.test\r\nAction: failed\r\nStatus: 5.2.2\r\nRemote-MTA: dns; mx.far.test\r\nDiagnostic-Code: smtp; 552 \
5.2.2 \x1b[31mfull\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: a test\r\nMessage-ID: \
<2@good.test>\r\n\r\n--b--\r\n";

fn told(message: &str) -> Explained {
    let read = Read::from(message.as_bytes(), 1 << 20).unwrap();
    Explained::of(&read, Trust::new(["mx.good.test".to_owned()]))
}

#[test]
fn a_message_for_people() {
    insta::assert_snapshot!(words(&told(MESSAGE), &PLAIN), @r#"
    MESSAGE  Grüße
      Message-ID  <1@a.test>
      From        A <a@a.test>
      To          box@good.test

      hop 1   relay.a.test <- pc.a.test ESMTPSA TLS
      hop 2   mx.good.test <- relay.a.test ESMTPS TLSv1.3 +8s
      hop 3   mail.good.test <- mx.good.test LMTP -1s (before the hop before: clocks differ)

      1 relay.a.test      0 µs  0 µs              █
      2 mx.good.test      0 µs  8.00 s ± 1.00 s   ████████████████████████████████████████
      3 mail.good.test  8.00 s  -1.00 s ± 1.00 s                                ░░░░░░░░░░
                                                  0 µs ──────────────────────────── 8.00 s
      ± and ░ the end is known to within this
      by the servers' own clocks, in whole seconds; the lowest hops are whatever the sender wrote

      authentication.dkim  pass (a.test, sel)
    "#);
}

#[test]
fn a_bounce_for_people() {
    insta::assert_snapshot!(words(&told(BOUNCE), &PLAIN), @r#"
    BOUNCE  Undelivered Mail Returned to Sender
      From        MAILER-DAEMON@mx.good.test

      failed  x@far.test: mailbox full (552 5.2.2)
          by the word of: mx.far.test
          it says: 552 5.2.2 ·[31mfull
      written as: a delivery status notification (RFC 3464)
      written by: mx.good.test
      about: a test (2@good.test)
    "#);
}

#[test]
fn a_message_as_json() {
    let value: serde_json::Value = serde_json::from_str(&json(&told(MESSAGE)).unwrap()).unwrap();
    assert_eq!(value["kind"], "message");
    assert_eq!(value["recipients"], serde_json::json!([]));
    assert_eq!(value["hops"][1]["by"], "mx.good.test");
    assert_eq!(value["hops"][1]["tls"]["version"], "TLSv1.3");
    assert_eq!(value["hops"][2]["delay_us"], -1_000_000);
    assert_eq!(value["authentication"][0]["trusted"], true);
    assert_eq!(value["authentication"][0]["results"][0]["properties"]["header.d"], "a.test");
    assert_eq!(value["gateways"], serde_json::json!([]));
    assert_eq!(value["message"]["subject"], "Grüße");
}

#[test]
fn a_bounce_as_json() {
    let value: serde_json::Value = serde_json::from_str(&json(&told(BOUNCE)).unwrap()).unwrap();
    assert_eq!(value["kind"], "bounce");
    let recipient = &value["recipients"][0];
    for (key, expected) in [
        ("address", "x@far.test"),
        ("action", "failed"),
        ("status", "5.2.2"),
        ("reason", "mailbox_full"),
        ("diagnostic", "552 5.2.2 \u{1b}[31mfull"),
    ] {
        assert_eq!(recipient[key], expected, "{key}");
    }
    assert_eq!(value["bounce"]["returned"]["message_id"], "2@good.test");
}

/// Messages that are nearly good: pieces of good ones in any order, and what is none.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 18] = [
        MESSAGE,
        BOUNCE,
        "Subject: =?iso-2022-jp?B?GyRC?= =?utf-8?q?=ff=?=\r\n",
        "From: MAILER-DAEMON@a\r\nSubject: Undeliverable\r\n",
        "Received: from a ([192.0.2.1]) by b; Mon, 24 Nov 2025 16:00:00 +0000\r\n",
        "Received: (((\\\r\n",
        "Authentication-Results: mx.good.test; dkim=fail (a) reason=\"b\" header.d=c\r\n",
        "DKIM-Signature: d=a; s=b; h=a:b\r\n",
        "X-Spam-Status: Yes, score=99.9e9 required=5\r\n",
        "Date: 24 Nov 99999 99:99:99 +9999\r\n",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n",
        "Content-Type: text/plain; charset=utf-7\r\n",
        "Content-Type: message/delivery-status\r\n\r\nAction: delayed\r\nFinal-Recipient: ;\r\n\r\n",
        "\r\n--b\r\n",
        "\r\n--b--\r\n",
        "<x@far.test>: host b said: 550 5.1.1\r\n",
        "\r\n",
        "\u{202e}\x1b[2J",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(PIECES.as_slice()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..16),
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_message_panics_or_steers_the_terminal(message in messages()) {
        if let Some([words, json]) = explained(&message) {
            prop_assert!(!words.chars().any(|c| c.is_control() && c != '\n'), "{words:?}");
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
            prop_assert!(words.len() < 256 * 1024 && json.len() < 1024 * 1024);
        }
    }
}
