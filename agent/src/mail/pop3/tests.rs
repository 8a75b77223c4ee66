//! Conversations with scripted servers: each trouble has its own phase, class and words.

use mailsonde_proto::Clock;

use super::*;
use crate::mail::endpoint::Tls;
use crate::mail::sandbox::{Script, Server, endpoint, patience};
use crate::transcript::Transcript;

const GREETING: &str = "+OK ready\r\n";
const ABLE: (&str, &str) =
    ("CAPA", "+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN LOGIN\r\nUSER\r\nIMPLEMENTATION x\r\n.\r\n");
const IN: (&str, &str) = ("AUTH PLAIN", "+OK in\r\n");

async fn open(
    greeting: &'static str,
    script: Script,
    tls: Tls,
) -> Result<(Session, Server, Stopwatch), Failure> {
    let server = Server::scripted(greeting, script).await;
    let endpoint = Endpoint { tls, ..endpoint(server.port) };
    let net = Net::new();
    let record = Record::new(Transcript::start(Clock::system(), Vec::new()));
    let mut watch = Stopwatch::start(Clock::system());
    let dial = dial(&net, patience(2_000));
    let opened = Session::open(dial, &endpoint, None, record.clone(), &mut watch).await;
    assert!(!record.text().contains("hunter2") && !record.text().contains("aHVudGVy"));
    Ok((opened?, server, watch))
}

async fn listed(answers: Script) -> Result<Vec<(u32, String)>, Failure> {
    let script = [vec![ABLE, IN], answers].concat();
    let (mut session, _server, _) = open(GREETING, script, Tls::None).await?;
    session.unique_ids("pop3.list").await
}

#[tokio::test]
async fn a_session_goes_through() {
    let script = vec![
        ABLE,
        IN,
        ("STAT", "+OK 2 320\r\n"),
        ("UIDL", "+OK\r\n1 aaa\r\n2 bbb\r\n.\r\n"),
        ("LIST", "+OK 2 messages\r\n1 120\r\n2 200\r\n.\r\n"),
        ("TOP 2 0", "+OK\r\nSubject: a\r\n..dot\r\n\r\n.\r\n"),
        ("RETR 2", "+OK\r\nSubject: a\r\n\r\nb\r\n.\r\n"),
        ("TOP 1 100", "+OK\r\nSubject: a\r\n\r\nb\r\n.\r\n"),
        ("DELE 2", "+OK\r\n"),
        ("QUIT", "+OK bye\r\n"),
    ];
    let (mut session, _server, watch) = open(GREETING, script, Tls::None).await.unwrap();
    let phases: Vec<_> = watch.laps().iter().map(|lap| lap.name).collect();
    assert_eq!(phases, [name::RESOLVE, name::CONNECT, name::GREETING, name::AUTH]);
    let facts: Vec<_> = session.facts().iter().map(|f| format!("{}={}", f.name, f.value)).collect();
    assert_eq!(facts, ["pop3.greeting=ready", "pop3.auth=PLAIN"]);
    assert_eq!(session.stat("p").await.unwrap(), Stat { messages: 2, bytes: 320 });
    let ids = session.unique_ids("p").await.unwrap();
    assert_eq!(ids, [(1, "aaa".to_owned()), (2, "bbb".to_owned())]);
    assert_eq!(session.sizes("p").await.unwrap(), [(1, 120), (2, 200)]);
    assert_eq!(session.header("p", 2).await.unwrap(), b"Subject: a\r\n.dot\r\n\r\n");
    let mut read = Vec::new();
    let take = |piece: &[u8]| read.extend_from_slice(piece);
    assert!(session.message("p", (2, 200), 1_000, take).await.unwrap(), "whole");
    assert_eq!(read, b"Subject: a\r\n\r\nb\r\n");
    assert!(!session.message("p", (1, 9_999), 1_000, |_| {}).await.unwrap(), "the beginning");
    session.delete("p", 2).await.unwrap();
    assert!(!session.record().text().contains("Subject"), "letters stay out of the transcript");
    assert_eq!(session.quit("p").await.unwrap(), 10);
}

#[tokio::test]
async fn an_old_server_is_signed_in_to_by_user_and_pass() {
    let script = vec![
        ("CAPA", "-ERR unknown command\r\n"),
        ("USER probe", "+OK\r\n"),
        ("PASS hunter2", "+OK\r\n"),
    ];
    let (session, _server, _) = open(GREETING, script, Tls::None).await.unwrap();
    assert!(!session.capabilities().is_known() && session.capabilities().may_have("TOP"));
}

#[tokio::test]
async fn a_server_without_top_is_asked_for_whole_messages() {
    let script = vec![
        ("CAPA", "+OK\r\nUIDL\r\nUSER\r\n.\r\n"),
        ("USER", "+OK\r\n"),
        ("PASS", "+OK\r\n"),
        ("RETR 1", "+OK\r\nA: b\r\n\r\n.\r\n"),
    ];
    let (mut session, _server, _) = open(GREETING, script, Tls::None).await.unwrap();
    assert_eq!(session.header("p", 1).await.unwrap(), b"A: b\r\n\r\n");
}

#[tokio::test]
async fn a_hostile_answer_is_a_fault_at_once() {
    let endless: &'static str =
        Box::leak(format!("+OK\r\n{}", "x".repeat(20_000)).into_boxed_str());
    let flood: &'static str =
        Box::leak(format!("+OK\r\n{}", "1 aaa\r\n".repeat(200_000)).into_boxed_str());
    for (answer, expected) in [
        (
            endless,
            "pop3.list: protocol: the server sent a line without end: the list of unique-ids may have 8192 bytes a line",
        ),
        (
            flood,
            "pop3.list: protocol: the server sent more than 1048576 bytes as the list of unique-ids",
        ),
        (
            "+OK\r\n1 aaa\r\nwhat\r\n",
            "pop3.list: protocol: what the server sent is not the list of unique-ids: what",
        ),
        (
            "-ERR no\r\n",
            "pop3.list: permanent: the server refused the list of unique-ids: it says no",
        ),
        (
            "+ what\r\n",
            "pop3.list: protocol: what the server sent is not the list of unique-ids: + what",
        ),
        (
            "!",
            "pop3.list: refused: the server closed the connection instead of sending the list of unique-ids",
        ),
        ("…", "pop3.list: timeout: the server did not send the list of unique-ids within 2 s"),
        (
            "+OK\r\n1 aaa\r\n",
            "pop3.list: timeout: the server did not send the list of unique-ids within 2 s",
        ),
    ] {
        assert_eq!(listed(vec![("UIDL", answer)]).await.unwrap_err().fault.to_string(), expected);
    }
}

#[tokio::test]
async fn a_letter_without_end_is_a_fault_and_one_with_long_lines_is_none() {
    let long = format!("+OK\r\nA: {}\r\n\r\n.\r\n", "x".repeat(200_000));
    let endless = format!("+OK\r\n{}", "A: b\r\n".repeat(200_000));
    for (answer, expected) in [
        (long, Ok(LONGEST_HEADER)),
        (
            endless,
            Err("p: protocol: the server sent more than 1048576 bytes as the header of a message"),
        ),
    ] {
        let answer: &'static str = Box::leak(answer.into_boxed_str());
        let script = vec![ABLE, IN, ("TOP 1 0", answer)];
        let (mut session, _server, _) = open(GREETING, script, Tls::None).await.unwrap();
        let read = session.header("p", 1).await;
        let read = read.map(|header| header.len()).map_err(|failure| failure.fault.to_string());
        assert_eq!(read, expected.map_err(str::to_owned));
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "a table: one case after the other")]
async fn each_trouble_before_it_has_its_own_words() {
    let tls_able = ("CAPA", "+OK\r\nSTLS\r\n.\r\n");
    let login_only = ("CAPA", "+OK\r\nUSER\r\n.\r\n");
    let flood: &'static str =
        Box::leak(format!("+OK\r\n{}", "X-A\r\n".repeat(100)).into_boxed_str());
    for (greeting, script, tls, expected) in [
        (
            "",
            vec![],
            Tls::None,
            "pop3.greeting: timeout: the server did not send its greeting within 2 s",
        ),
        (
            "-ERR full\r\n",
            vec![],
            Tls::None,
            "pop3.greeting: temporary: the server refused the session: it is not available or has too many connections",
        ),
        (
            "* OK imap\r\n",
            vec![],
            Tls::None,
            "pop3.greeting: protocol: what the server sent is not a POP3 greeting: * OK imap",
        ),
        (
            GREETING,
            vec![("CAPA", flood)],
            Tls::None,
            "pop3.greeting: protocol: the server sent more than 32768 bytes as the list of capabilities",
        ),
        (
            GREETING,
            vec![ABLE],
            Tls::StartTls,
            "pop3.tls: protocol: the server does not offer STLS, and without TLS nothing goes on: tls = \"starttls\" is configured",
        ),
        (
            GREETING,
            vec![tls_able, ("STLS", "+OK go\r\n+OK injected\r\n")],
            Tls::StartTls,
            "pop3.tls: protocol: the server (or somebody between) sent bytes after STARTTLS and before TLS: they would have been injected into the session",
        ),
        (
            GREETING,
            vec![tls_able],
            Tls::None,
            "pop3.auth: protocol: the server offers no way to sign in that this agent knows: it offers none",
        ),
        (
            GREETING,
            vec![ABLE, ("AUTH", "-ERR [AUTH] no\r\n")],
            Tls::None,
            "pop3.auth: permanent: the server refused the sign-in: wrong login or password",
        ),
        (
            GREETING,
            vec![ABLE, ("AUTH", "-ERR [IN-USE] no\r\n")],
            Tls::None,
            "pop3.auth: temporary: the server refused the sign-in: another session has the mailbox open",
        ),
        (
            GREETING,
            vec![ABLE, ("AUTH", "…")],
            Tls::None,
            "pop3.auth: timeout: the server did not send the answer to the sign-in within 2 s",
        ),
        (
            GREETING,
            vec![login_only, ("USER", "+OK\r\n"), ("PASS hunter2", "-ERR no\r\n")],
            Tls::None,
            "pop3.auth: permanent: the server refused the sign-in: wrong login or password, most likely",
        ),
    ] {
        let failure = open(greeting, script, tls).await.err().unwrap();
        assert_eq!(failure.fault.to_string(), expected);
    }
}
