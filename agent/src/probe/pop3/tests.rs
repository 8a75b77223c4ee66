//! Looks at scripted servers: what each answer means for the run.

use proptest::prelude::*;

use super::*;
use crate::mail::sandbox::{Script, Server};
use crate::probe::samples::{check, fact, run, verdict};

const ABLE: (&str, &str) = ("CAPA", "+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN LOGIN\r\n.\r\n");
const IN: (&str, &str) = ("AUTH PLAIN", "+OK in\r\n");
const STAT: (&str, &str) = ("STAT", "+OK 2 320\r\n");
const FIRST: (&str, &str) = (
    "TOP 1 0",
    "+OK\r\nReceived: by a; Sun, 24 Nov 2024 16:00:00 +0000\r\n\
     Received: by b; Sun, 24 Nov 2024 15:00:00 +0000\r\nDate: Sun, 24 Nov 2024 14:00:00 +0000\r\n\r\n.\r\n",
);
const SECOND: (&str, &str) =
    ("TOP 2 0", "+OK\r\nDate: Mon, 24 Nov 2025 16:00:00 +0000\r\n\r\n.\r\n");

fn usual() -> Script {
    vec![ABLE, IN, STAT, FIRST, SECOND, ("QUIT", "+OK\r\n")]
}

async fn look(script: Script, settings: &[&str]) -> Outcome {
    let server = Server::scripted("+OK ready\r\n", script).await;
    let port = format!("port={}", server.port);
    let mut pairs = vec!["host=localhost", "tls=none", &port];
    pairs.extend(settings);
    run(check(&Pop3Kind, &pairs).unwrap().as_ref()).await
}

const LOGIN: [&str; 2] = ["login=probe", "password=hunter2"];

#[tokio::test]
async fn a_mailbox_is_told() {
    let settings = [&LOGIN[..], &["expect_capabilities=uidl,SASL login"]].concat();
    let outcome = look(usual(), &settings).await;
    assert_eq!(verdict(&outcome), "pass");
    let phases: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["resolve", "connect", "greeting", "auth", "list"]);
    for (name, expected) in [
        ("pop3.greeting", "ready"),
        ("pop3.auth", "PLAIN"),
        ("pop3.capabilities", "TOP, UIDL, SASL PLAIN LOGIN"),
        ("pop3.messages", "2"),
        ("pop3.bytes", "320"),
        ("pop3.oldest", "2024-11-24T16:00:00.000000Z"),
        ("pop3.newest", "2025-11-24T16:00:00.000000Z"),
        ("pop3.dates_read", ""),
    ] {
        assert_eq!(fact(&outcome, name), expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_expected_and_is_not_so_fails_the_run() {
    for (settings, expected) in [
        (
            vec!["max_messages=1"],
            "list: mismatch: the folder is not as expected: it has 2 messages, at most 1 are expected",
        ),
        (
            vec!["expect_capabilities=STLS,SASL XOAUTH2,TOP"],
            "greeting: mismatch: the server does not offer STLS, SASL XOAUTH2, as is expected",
        ),
    ] {
        let outcome = look(usual(), &[&LOGIN[..], &settings].concat()).await;
        assert_eq!(verdict(&outcome), expected);
    }
    let outcome = look(usual(), &[&LOGIN[..], &["max_age=1d"]].concat()).await;
    assert!(verdict(&outcome).contains("its oldest message is "), "{}", verdict(&outcome));
}

#[tokio::test]
async fn each_trouble_has_its_phase() {
    for (script, expected) in [
        (
            vec![ABLE, ("AUTH", "-ERR [AUTH] no\r\n")],
            "auth: permanent: the server refused the sign-in: wrong login or password",
        ),
        (
            vec![ABLE, IN, ("STAT", "+OK many\r\n")],
            "list: protocol: what the server sent is not the answer to STAT: +OK many",
        ),
        (
            vec![ABLE, IN, STAT, ("TOP 1", "-ERR no\r\n")],
            "list: permanent: the server refused the header of a message: it says no",
        ),
        (
            vec![ABLE, IN, STAT, ("TOP 1", "!")],
            "list: refused: the server closed the connection instead of sending the header of a message",
        ),
    ] {
        assert_eq!(verdict(&look(script, &LOGIN).await), expected);
    }
}

#[tokio::test]
async fn of_many_messages_the_first_and_the_last_ones_are_looked_at() {
    let mut script = vec![ABLE, IN, ("STAT", "+OK 1000 320\r\n")];
    let answer = "+OK\r\nDate: Mon, 24 Nov 2025 16:00:00 +0000\r\n\r\n.\r\n";
    let numbers = ["TOP 1 ", "TOP 10 ", "TOP 991 ", "TOP 1000 "];
    for number in 0..20 {
        let word = match number {
            0 => numbers[0],
            9 => numbers[1],
            10 => numbers[2],
            19 => numbers[3],
            _ => "TOP",
        };
        script.push((word, answer));
    }
    let outcome = look(script, &LOGIN).await;
    assert_eq!(verdict(&outcome), "pass");
    assert_eq!(fact(&outcome, "pop3.dates_read"), "20 of 1000");
}

#[tokio::test]
async fn without_a_login_only_the_server_is_looked_at() {
    let outcome = look(vec![ABLE], &[]).await;
    assert_eq!(verdict(&outcome), "pass");
    assert_eq!(fact(&outcome, "pop3.messages"), "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_header_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        date in "(Mon, )?[0-9]{1,4} (Nov|Foo) [0-9]{1,6} [0-9:]{0,9} [+-][0-9]{0,6}",
    ) {
        let _date = date_of(&bytes);
        let text = format!("Received: by a;\r\n {date}\r\nDate: {date}\r\n\r\n");
        let _date = date_of(text.as_bytes());
    }
}
