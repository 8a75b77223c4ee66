use super::super::trial::{configured, fact, run, verdict};
use super::*;
use crate::mail::sandbox::Server;

async fn probe(server: &Server, more: &[&str]) -> Outcome {
    let mut settings = vec!["host=localhost".to_owned(), format!("port={}", server.port)];
    settings.extend(more.iter().map(|setting| (*setting).to_owned()));
    run(&TcpKind, &settings).await
}

#[tokio::test]
async fn what_is_said_is_a_fact_and_can_be_expected() {
    let script = || vec![("NOOP", "OK done\r\n")];
    let server = Server::scripted("IMPLEMENTATION ready\r\n", script()).await;
    let outcome = probe(&server, &["wait=5s"]).await;
    assert_eq!(verdict(&outcome), "pass");
    assert_eq!(fact(&outcome, "tcp.banner"), "IMPLEMENTATION ready");
    let more = ["expect_banner=^IMPL.*ready", "send=NOOP", "expect_answer=^OK"];
    let outcome = probe(&server, &more).await;
    assert_eq!(verdict(&outcome), "pass", "{}", outcome.transcript);
    assert_eq!(fact(&outcome, "tcp.answer"), "OK done");
    let phases: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["resolve", "connect", "banner", "answer"]);
}

#[tokio::test]
async fn what_is_not_as_expected_fails_in_its_phase() {
    let server = Server::scripted("SSH-2.0-x\r\n", vec![("", "!")]).await;
    let outcome = probe(&server, &["expect_banner=^220", "send=x"]).await;
    assert!(verdict(&outcome).starts_with("banner: mismatch: the server said \"SSH-2.0-x\""));
    let silent = Server::scripted("", vec![]).await;
    assert_eq!(verdict(&probe(&silent, &["wait=50ms"]).await), "pass");
    let loud = Server::scripted(Box::leak("x".repeat(100_000).into_boxed_str()), vec![]).await;
    let outcome = probe(&loud, &["expect_banner=y"]).await;
    assert!(verdict(&outcome).contains("and on and on"), "{}", verdict(&outcome));
    let port = silent.port;
    drop(silent);
    let settings = ["host=localhost".to_owned(), format!("port={port}")];
    let outcome = run(&TcpKind, &settings).await;
    assert!(verdict(&outcome).starts_with("connect: refused"), "{}", verdict(&outcome));
}

#[test]
fn mistakes_are_told() {
    let wrong = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        configured(&TcpKind, &settings).err().unwrap_or_default().join("; ")
    };
    assert!(wrong(&["host=a"]).contains("port is missing"));
    assert!(wrong(&["host=a", "port=1", "expect_banner=("]).contains("not a regular expression"));
    assert!(wrong(&["host=a", "port=1", "expect_answer=x"]).contains("needs send"));
    for (host, words) in [
        ("a..b", "there is nothing between two of its dots"),
        ("[::1]", "leave the brackets out: \"::1\""),
        ("a:25", "the port has a key of its own"),
    ] {
        let told = wrong(&[&format!("host={host}"), "port=1"]);
        assert!(told.contains(words) && told.contains(host), "{told}");
    }
    // Keys of TLS are known, and mean something only with it.
    for key in ["accept=any", "pin=x", "warn_before=9d", "critical_before=1d"] {
        let told = wrong(&["host=a", "port=1", key]);
        assert_eq!(told, "means something only with tls = true: add that, or leave it out");
    }
    let told = wrong(&["host=a", "port=1", "colour=red"]);
    assert!(told.contains("use \"accept\", ") && told.contains("\"warn_before\""), "{told}");
}

#[test]
fn what_is_sent_is_one_line() {
    let with = |send: &str| {
        configured(&TcpKind, &["host=a".into(), "port=25".into(), format!("send={send}")])
    };
    assert!(with("QUIT").is_ok());
    for send in ["HELO a\rMAIL FROM:<>", "a\u{b}b"] {
        let told = with(send).err().unwrap();
        assert!(told[0].contains("one line") || told[0].contains("without control"), "{told:?}");
    }
}
