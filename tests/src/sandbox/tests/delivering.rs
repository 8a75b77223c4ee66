//! Submission and what becomes of it.

use std::time::Duration;

use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::commands::Data as DataCommand;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::client::{has_code, secure, smtp_as_bob, submit, text};
use super::{ALICE, BOB, PASSWORD, Reader, message, options, soon, start};
use crate::sandbox::{Delay, Flaky, SandboxOptions};

#[tokio::test]
async fn a_message_arrives_with_the_trace_of_its_way() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    running.send(ALICE, &message("hello", "body\r\n")).await;
    reader.wait_for(1).await;
    let stored = text(&reader.fetch("1", "BODY.PEEK[]").await);
    assert!(stored.starts_with(&format!("Return-Path: <{BOB}>\r\nDelivered-To: {ALICE}\r\nR")));
    assert_eq!(stored.matches("Received: from ").count(), 2, "{stored}");
    assert!(stored.contains("Received: from client.test ([127.0.0.1])\r\n\tby mx.test "));
    assert!(stored.ends_with("Subject: hello\r\n\r\nbody\r\n"), "{stored}");
}

#[tokio::test]
async fn lines_that_start_with_dots_arrive_as_they_were() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    let body = ".\r\n..\r\n.hidden\r\nend.\r\n";
    running.send(ALICE, &message("dots", body)).await;
    reader.wait_for(1).await;
    assert_eq!(text(&reader.fetch("1", "BODY.PEEK[TEXT]").await), body);
}

#[tokio::test]
async fn a_big_message_arrives_whole_and_a_bigger_one_is_refused() {
    let mut small = options();
    small.limits.message_bytes = 3 << 20;
    let running = start(small).await;
    let mut reader = running.reader("INBOX").await;
    let body = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(40_000);
    running.send(ALICE, &message("big", &body)).await;
    reader.wait_for(1).await;
    assert!(text(&reader.fetch("1", "BODY.PEEK[TEXT]").await) == body);

    let refused = submit(&running.sandbox, ALICE, body.repeat(2).as_bytes()).await.unwrap_err();
    assert!(format!("{refused:?}").contains("5.3.4"), "{refused:?}");
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_are_told_by_their_codes() {
    let running = start(options()).await;
    let refused = submit(&running.sandbox, "nobody@sandbox.test", b"\r\n").await.unwrap_err();
    assert!(format!("{refused:?}").contains("5.1.1"), "{refused:?}");

    let smtp = smtp_as_bob(&running.sandbox, Mechanism::Login, "wrong").await;
    let refused = smtp.err().unwrap();
    assert!(format!("{refused:?}").contains("5.7.8"), "{refused:?}");

    let mut reader = Reader::connect(&running.sandbox).await;
    let refused = reader.sign_in(ALICE, "wrong").await.unwrap_err();
    assert!(has_code(&refused, "AUTHENTICATIONFAILED"), "{refused:?}");
    reader.sign_in(ALICE, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn auth_login_works_and_data_needs_a_recipient() {
    let running = start(options()).await;
    let mut smtp = smtp_as_bob(&running.sandbox, Mechanism::Login, PASSWORD).await.unwrap();
    let refused = smtp.command(DataCommand).await.unwrap_err();
    assert!(format!("{refused:?}").contains("5.5.1"), "{refused:?}");
}

#[tokio::test]
async fn starttls_drops_what_came_before_the_handshake() {
    let running = start(options()).await;
    let socket = TcpStream::connect(running.sandbox.addresses().smtp).await.unwrap();
    let mut clear = BufReader::new(socket);
    let mut line = String::new();
    clear.read_line(&mut line).await.unwrap();
    clear.write_all(b"EHLO client.test\r\n").await.unwrap();
    let mut offered = String::new();
    while !offered.contains("\r\n250 ") || !offered.ends_with("\r\n") {
        clear.read_line(&mut offered).await.unwrap();
    }
    assert!(offered.contains("STARTTLS") && !offered.contains("AUTH"), "{offered}");
    clear.write_all(b"STARTTLS\r\nEHLO injected.test\r\n").await.unwrap();
    line.clear();
    clear.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("220 2.0.0"), "{line}");

    let mut tls = BufReader::new(secure(&running.sandbox, clear.into_inner()).await.unwrap());
    tls.write_all(b"MAIL FROM:<>\r\n").await.unwrap();
    tls.flush().await.unwrap();
    line.clear();
    soon(tls.read_line(&mut line)).await.unwrap();
    assert!(line.starts_with("503 5.5.1"), "the injected EHLO was heard: {line}");
}

#[tokio::test]
async fn faults_happen_as_often_as_asked_and_are_counted() {
    let flaky = Flaky { refuse_recipient: 1.0, ..Flaky::default() };
    let running = start(SandboxOptions { flaky, ..options() }).await;
    let refused = submit(&running.sandbox, ALICE, b"\r\n").await.unwrap_err();
    assert!(refused.is_transient() && format!("{refused:?}").contains("4.3.2"), "{refused:?}");
    assert_eq!(running.sandbox.tally().refused_recipients, 1);

    let flaky = Flaky { lost: 1.0, ..Flaky::default() };
    let running = start(SandboxOptions { flaky, ..options() }).await;
    running.send(ALICE, &message("lost", "")).await;
    let tally = running.sandbox.tally();
    assert_eq!((tally.accepted, tally.lost, tally.delivered), (1, 1, 0));

    let flaky = Flaky { refuse_sign_in: 1.0, ..Flaky::default() };
    let running = start(SandboxOptions { flaky, ..options() }).await;
    let refused = smtp_as_bob(&running.sandbox, Mechanism::Plain, PASSWORD).await.err().unwrap();
    assert!(format!("{refused:?}").contains("4.7.0"), "{refused:?}");
    let refused = Reader::connect(&running.sandbox).await.sign_in(ALICE, PASSWORD).await;
    assert!(has_code(&refused.unwrap_err(), "UNAVAILABLE"));
    assert_eq!(running.sandbox.tally().refused_sign_ins, 2);
}

#[tokio::test]
async fn junk_and_late_messages_go_where_and_when_they_should() {
    let flaky = Flaky { junk: 1.0, ..Flaky::default() };
    let running = start(SandboxOptions { flaky, ..options() }).await;
    let mut junk = running.reader("Junk").await;
    running.send(ALICE, &message("spam", "")).await;
    junk.wait_for(1).await;
    assert_eq!(junk.search("HEADER X-Spam-Flag YES").await, [1]);

    let delay = Delay::from_millis(150, 0);
    let late_by = Duration::from_millis(150);
    let flaky = Flaky { late: 1.0, late_by, ..Flaky::default() };
    let running = start(SandboxOptions { flaky, delivery_delay: delay, ..options() }).await;
    let mut inbox = running.reader("INBOX").await;
    running.send(ALICE, &message("late", "")).await;
    let accepted = running.sandbox.house.clock.monotonic();
    inbox.wait_for(1).await;
    assert!(running.sandbox.house.clock.monotonic() - accepted > Duration::from_millis(250));
}

#[tokio::test]
async fn a_full_mailbox_is_refused_at_its_recipient() {
    let mut small = options();
    small.limits.mailbox_messages = 1;
    let running = start(small).await;
    let mut reader = running.reader("INBOX").await;
    running.send(ALICE, &message("first", "")).await;
    reader.wait_for(1).await;
    let refused = submit(&running.sandbox, ALICE, b"\r\n").await.unwrap_err();
    assert!(format!("{refused:?}").contains("4.2.2"), "{refused:?}");
}
