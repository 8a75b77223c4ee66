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

fn explained(message: &str) -> Explained {
    let read = Read::from(message.as_bytes(), 1 << 20).unwrap();
    Explained::of(&read, Trust::new(["mx.good.test".to_owned()]))
}

#[test]
fn a_message_for_people() {
    insta::assert_snapshot!(words(&explained(MESSAGE), &PLAIN), @"");
}

#[test]
fn a_bounce_for_people() {
    insta::assert_snapshot!(words(&explained(BOUNCE), &PLAIN), @"");
}

#[test]
fn a_message_as_json() {
    let value: serde_json::Value =
        serde_json::from_str(&json(&explained(MESSAGE)).unwrap()).unwrap();
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
    let value: serde_json::Value =
        serde_json::from_str(&json(&explained(BOUNCE)).unwrap()).unwrap();
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
