//! Conversations with scripted servers: each trouble has its own phase, class and words.

use mailsonde_proto::Clock;

use super::*;
use crate::mail::sandbox::{Script, Server, endpoint, patience};
use crate::transcript::Transcript;

const GREETING: &str = "220 a ESMTP\r\n";
const EHLO: (&str, &str) = ("EHLO", "250-a\r\n250 AUTH PLAIN\r\n");

async fn submit(greeting: &'static str, script: Script, tls: Tls) -> Result<Reply, Failure> {
    let server = Server::scripted(greeting, script).await;
    let endpoint = Endpoint { tls, ..endpoint(server.port) };
    let net = Net::new();
    let dial = dial(&net, patience(2_000));
    let record = Record::new(Transcript::start(Clock::system(), Vec::new()));
    let mut watch = Stopwatch::start(Clock::system());
    let mut session = Session::open(dial, &endpoint, None, record.clone(), &mut watch).await?;
    let address: Address = "probe@good.test".parse().unwrap();
    session.envelope(&address, &address, &mut watch).await?;
    let message: [Cow<'_, [u8]>; 2] = [b"Subject: a\r\n\r\n".into(), b".dot\r\n".into()];
    let reply = session.data(message.into_iter(), &mut watch, || {}).await?;
    let phases: Vec<_> = watch.laps().iter().map(|lap| lap.name).collect();
    assert_eq!(phases, ["resolve", "connect", "greeting", "auth", "envelope", "data"]);
    assert!(!record.text().contains("hunter2") && !record.text().contains("aHVudGVy"));
    Ok(reply)
}

#[tokio::test]
async fn a_submission_goes_through() {
    let script = vec![
        EHLO,
        ("AUTH PLAIN", "235 2.7.0 ok\r\n"),
        ("MAIL FROM:<probe@good.test>", "250 ok\r\n"),
        ("RCPT TO:<probe@good.test>", "250 ok\r\n"),
        ("DATA", "354 go\r\n"),
        ("..dot", ""),
        (".\r\n", "250 2.0.0 queued as X\r\n"),
    ];
    let reply = submit(GREETING, script, Tls::None).await.unwrap();
    assert_eq!(reply.text(), "2.0.0 queued as X");
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "a table: one case after the other")]
async fn each_trouble_has_its_own_words() {
    let endless: &'static str = Box::leak("x".repeat(20_000).into_boxed_str());
    let auth = ("AUTH", "235 ok\r\n");
    let (mail, rcpt) = (("MAIL", "250 ok\r\n"), ("RCPT", "250 ok\r\n"));
    let cases: Vec<(&'static str, Script, Tls, &str)> = vec![
        (
            "",
            vec![("x", "")],
            Tls::None,
            "greeting: timeout: the server did not send its greeting within 2 s",
        ),
        (
            endless,
            vec![],
            Tls::None,
            "greeting: protocol: the server sent a line without end: its greeting may have 8192 bytes a line",
        ),
        (
            "SSH-2.0-x\r\n",
            vec![],
            Tls::None,
            "greeting: protocol: what the server sent is not its greeting: SSH-2.0-x",
        ),
        (
            "554 5.7.1 no\r\n",
            vec![],
            Tls::None,
            "greeting: permanent 554 5.7.1: the server refused the session: it does not talk to this address",
        ),
        (
            GREETING,
            vec![("EHLO", "!")],
            Tls::None,
            "greeting: refused: the server closed the connection instead of sending the answer to EHLO",
        ),
        (
            GREETING,
            vec![EHLO],
            Tls::StartTls,
            "tls: protocol: the server does not offer STARTTLS, and without TLS nothing goes on: tls = \"starttls\" is configured",
        ),
        (
            GREETING,
            vec![("EHLO", "250-a\r\n250 STARTTLS\r\n"), ("STARTTLS", "220 go\r\n250 injected\r\n")],
            Tls::StartTls,
            "tls: protocol: the server (or somebody between) sent bytes after STARTTLS and before TLS: they would have been injected into the session",
        ),
        (
            GREETING,
            vec![("EHLO", "250-a\r\n250 STARTTLS\r\n"), ("STARTTLS", "220 go\r\n")],
            Tls::StartTls,
            "tls: timeout: the server did not send its part of the TLS handshake within 2 s",
        ),
        (
            GREETING,
            vec![("EHLO", "250 a\r\n")],
            Tls::None,
            "auth: protocol: the server offers no way to sign in that this agent knows: it offers none",
        ),
        (
            GREETING,
            vec![EHLO, ("AUTH", "535 5.7.8 no\r\n")],
            Tls::None,
            "auth: permanent 535 5.7.8: the server refused the sign-in: wrong login or password",
        ),
        (
            GREETING,
            vec![EHLO, ("AUTH", "…")],
            Tls::None,
            "auth: timeout: the server did not send the answer to AUTH within 2 s",
        ),
        (
            GREETING,
            vec![EHLO, auth, mail, ("RCPT", "552 5.2.2 full\r\n")],
            Tls::None,
            "envelope: permanent 552 5.2.2: the server refused the recipient: the mailbox is full",
        ),
        (
            GREETING,
            vec![EHLO, auth, mail, ("RCPT", "…")],
            Tls::None,
            "envelope: timeout: the server did not send the answer to RCPT TO within 2 s",
        ),
        (
            GREETING,
            vec![EHLO, auth, mail, rcpt, ("DATA", "354 go\r\n"), ("..dot", "…")],
            Tls::None,
            "data: timeout: the server did not send its acceptance of the message within 2 s",
        ),
        (
            GREETING,
            vec![EHLO, auth, mail, rcpt, ("DATA", "354 go\r\n"), ("..dot", "554 5.7.1 spam\r\n")],
            Tls::None,
            "data: permanent 554 5.7.1: the server refused the message: its policy forbids it",
        ),
    ];
    for (greeting, script, tls, expected) in cases {
        let failure = submit(greeting, script, tls).await.unwrap_err();
        assert_eq!(failure.fault.to_string(), expected);
        assert!(!failure.is_local);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart() {
    let failure = submit("220 plain text\r\n", vec![], Tls::Implicit).await.unwrap_err();
    assert_eq!(
        failure.fault.explanation,
        "the TLS handshake with localhost failed: the server did not speak TLS (is this the right port?)"
    );
}

#[test]
fn mechanisms_are_found_in_either_form() {
    let offers = ["SIZE 1", "AUTH PLAIN LOGIN", "auth=SCRAM-SHA-256", "AUTHX"].map(str::to_owned);
    assert_eq!(offered_mechanisms(&offers), ["PLAIN", "LOGIN", "SCRAM-SHA-256"]);
}
