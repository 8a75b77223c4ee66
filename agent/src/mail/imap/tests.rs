//! Conversations with scripted servers: each trouble has its own phase, class and words.

use mailsonde_proto::Clock;

use super::*;
use crate::mail::endpoint::Tls;
use crate::mail::sandbox::{Script, Server, endpoint, patience};
use crate::transcript::Transcript;

const GREETING: &str = "* OK a\r\n";
const ABLE: (&str, &str) =
    ("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE\r\nTAG OK a\r\n");
const IN: (&str, &str) = ("AUTHENTICATE PLAIN", "TAG OK in\r\n");
const SELECTED: (&str, &str) = (
    "SELECT",
    "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] v\r\n* OK [UIDNEXT 9] n\r\nTAG OK [READ-WRITE] s\r\n",
);

async fn open(
    greeting: &'static str,
    script: Script,
    tls: Tls,
) -> Result<(Session, Server), Failure> {
    let server = Server::scripted(greeting, script).await;
    let endpoint = Endpoint { tls, ..endpoint(server.port) };
    let net = Net::new();
    let record = Record::new(Transcript::start(Clock::system(), Vec::new()));
    let mut watch = Stopwatch::start(Clock::system());
    let opened =
        Session::open(dial(&net, patience(2_000)), &endpoint, record.clone(), &mut watch).await;
    assert!(!record.text().contains("hunter2") && !record.text().contains("aHVudGVy"));
    Ok((opened?, server))
}

async fn described(answer: &'static str) -> Result<Vec<Described>, Failure> {
    let script = vec![ABLE, IN, ABLE, SELECTED, ("UID FETCH", answer)];
    let (mut session, _server) = open(GREETING, script, Tls::None).await?;
    let selected = session.select("INBOX").await?;
    assert_eq!(selected, Selected { uid_validity: 5, uid_next: 9 });
    assert!(session.has("IDLE") && !session.has_news());
    session.keep();
    session.describe("9:*").await
}

#[tokio::test]
async fn a_description_is_read() {
    let found = described(
        "* 4 EXISTS\r\n* 4 FETCH (UID 9 INTERNALDATE \"24-Nov-2025 16:00:01 +0000\" RFC822.SIZE 700 \
         BODY[HEADER.FIELDS (X)] {8}\r\nA: b\r\n\r\n)\r\nTAG OK done\r\n",
    );
    let stored = Some(mailsonde_proto::WallTime::from_s(1_764_000_001));
    let headers = b"A: b\r\n\r\n".to_vec();
    let expected = Described { sequence: 4, uid: 9, stored, size: 700, headers };
    assert_eq!(found.await.unwrap(), [expected]);
}

#[tokio::test]
async fn what_imap_codec_cannot_read_is_skipped_when_it_is_untagged() {
    let found =
        described("* XWEIRD (((\r\n* 4 FETCH (UID 9 RFC822.SIZE 7)\r\nTAG OK done\r\n").await;
    assert_eq!(found.unwrap()[0].uid, 9);
}

#[tokio::test]
async fn a_hostile_answer_is_a_fault_at_once() {
    let endless: &'static str = Box::leak(format!("* {}", "x".repeat(20_000)).into_boxed_str());
    let flood: &'static str = Box::leak("* 4 EXISTS\r\n".repeat(100_000).into_boxed_str());
    for (answer, expected) in [
        (
            "* 4 FETCH (BODY[] {1073741824}\r\n",
            "imap.watch: protocol: the server announced a literal of 1073741824 bytes in the description of messages, where at most 65536 are accepted",
        ),
        (
            endless,
            "imap.watch: protocol: the server sent a line without end: the description of messages may have 8192 bytes a line",
        ),
        (
            flood,
            "imap.watch: protocol: the server sent more than 1048576 bytes as the description of messages",
        ),
        (
            "TAG NO [UNAVAILABLE] disk\r\n",
            "imap.watch: temporary: the server refused the description of messages",
        ),
        (
            "!",
            "imap.watch: refused: the server closed the connection instead of sending the description of messages",
        ),
        (
            "…",
            "imap.watch: timeout: the server did not send the description of messages within 2 s",
        ),
    ] {
        assert_eq!(described(answer).await.unwrap_err().fault.to_string(), expected);
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "a table: one case after the other")]
async fn each_trouble_before_it_has_its_own_words() {
    let tls_able = ("CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nTAG OK a\r\n");
    let login_only = ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK a\r\n");
    for (greeting, script, tls, expected) in [
        (
            "",
            vec![],
            Tls::None,
            "imap.greeting: timeout: the server did not send its greeting within 2 s",
        ),
        (
            "* BYE full\r\n",
            vec![],
            Tls::None,
            "imap.greeting: temporary: the server refused the session: it is not available or has too many connections",
        ),
        (
            "220 smtp\r\n",
            vec![],
            Tls::None,
            "imap.greeting: protocol: what the server sent is not an IMAP greeting: 220 smtp",
        ),
        (
            GREETING,
            vec![ABLE],
            Tls::StartTls,
            "imap.tls: protocol: the server does not offer STARTTLS, and without TLS nothing goes on: tls = \"starttls\" is configured",
        ),
        (
            GREETING,
            vec![tls_able, ("STARTTLS", "TAG OK go\r\n* OK injected\r\n")],
            Tls::StartTls,
            "imap.tls: protocol: the server (or somebody between) sent bytes after STARTTLS and before TLS: they would have been injected into the session",
        ),
        (
            GREETING,
            vec![tls_able],
            Tls::None,
            "imap.auth: protocol: the server offers no way to sign in that this agent knows: it offers none",
        ),
        (
            GREETING,
            vec![ABLE, ("AUTHENTICATE", "TAG NO [AUTHENTICATIONFAILED] no\r\n")],
            Tls::None,
            "imap.auth: permanent: the server refused the sign-in: wrong login or password",
        ),
        (
            GREETING,
            vec![ABLE, ("AUTHENTICATE", "…")],
            Tls::None,
            "imap.auth: timeout: the server did not send the answer to the sign-in within 2 s",
        ),
        (
            GREETING,
            vec![login_only, ("LOGIN \"probe\" \"hunter2\"", "TAG NO [UNAVAILABLE] no\r\n")],
            Tls::None,
            "imap.auth: temporary: the server refused the sign-in: it cannot check passwords just now",
        ),
    ] {
        let failure = open(greeting, script, tls).await.err().unwrap();
        assert_eq!(failure.fault.to_string(), expected);
    }
}

#[tokio::test]
async fn without_uidplus_nothing_is_expunged_that_somebody_else_marked() {
    for (marked, expunged) in [("* SEARCH 9 4\r\n", false), ("* SEARCH 9\r\n", true)] {
        let marked: &'static str = Box::leak(format!("{marked}TAG OK a\r\n").into_boxed_str());
        let script = vec![
            ABLE,
            IN,
            ABLE,
            ("UID STORE 9 +FLAGS.SILENT (\\Deleted)", "TAG OK a\r\n"),
            ("UID SEARCH DELETED", marked),
            ("EXPUNGE", "* 1 EXPUNGE\r\nTAG OK a\r\n"),
        ];
        let (mut session, _server) = open(GREETING, script, Tls::None).await.unwrap();
        session.remove(&[9]).await.unwrap();
        assert_eq!(session.record().text().contains("EXPUNGE\n"), expunged, "{marked}");
    }
}

#[tokio::test]
async fn idle_ends_when_something_comes_or_somebody_calls() {
    let script = vec![
        ABLE,
        IN,
        ABLE,
        ("IDLE", "+ idling\r\n* OK still here\r\n* 1 EXISTS\r\n"),
        ("DONE", "M1 OK a\r\n"),
        ("IDLE", "+ idling\r\n"),
        ("DONE", "M2 OK a\r\n"),
        ("IDLE", "TAG NO no\r\n"),
    ];
    let (mut session, _server) = open(GREETING, script, Tls::None).await.unwrap();
    session.idle(Duration::from_secs(9), std::future::pending()).await.unwrap();
    let counts: Vec<_> = session.take_news().into_iter().map(|(count, _)| count).collect();
    assert_eq!(counts, [1]);
    session.idle(Duration::from_secs(9), std::future::ready(())).await.unwrap();
    let refused = session.idle(Duration::from_secs(9), std::future::pending()).await.unwrap_err();
    assert_eq!(refused.fault.explanation, "the server refused the IDLE");
}
