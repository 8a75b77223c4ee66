//! Whole runs against scripted servers; those under TLS are in the end-to-end tests.

use super::super::trial::{configured, fact, rules, run, verdict};
use super::*;
use crate::mail::sandbox::{Script, Server};

const EHLO: &str = "250-mx.good.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n";

async fn probe(greeting: &'static str, script: Script, more: &[&str]) -> Outcome {
    let server = Server::scripted(greeting, script).await;
    let mut settings = vec!["host=localhost".to_owned(), format!("port={}", server.port)];
    if !more.iter().any(|setting| setting.starts_with("tls=")) {
        settings.push("tls=none".to_owned());
    }
    settings.extend(more.iter().map(|setting| (*setting).to_owned()));
    run(&SmtpKind, &settings).await
}

fn plain() -> Script {
    vec![("EHLO", EHLO), ("QUIT", "221 bye\r\n")]
}

#[tokio::test]
async fn what_a_server_offers_is_told() {
    let outcome = probe("220 mx.good.test ESMTP\r\n", plain(), &[]).await;
    assert_eq!(verdict(&outcome), "pass", "{}", outcome.transcript);
    for (name, value) in [
        ("smtp.greeting", "mx.good.test ESMTP"),
        ("smtp.name", "mx.good.test"),
        ("smtp.extensions", "PIPELINING SIZE 8BITMIME"),
        ("smtp.size_limit", "1000000"),
        ("smtp.starttls", "no"),
        ("smtp.mechanisms", ""),
    ] {
        assert_eq!(fact(&outcome, name), value, "{name}");
    }
    assert_eq!(rules(&outcome), ["smtp.no_starttls Warning"]);
}

#[tokio::test]
async fn expectations_make_a_fault_of_what_is_a_fact() {
    for (setting, expected) in [
        ("expect_greeting=^mx\\.good", "pass"),
        (
            "expect_greeting=Exchange",
            "greeting: mismatch: the greeting \"mx.good.test ESMTP\" does",
        ),
        ("expect_name=MX.good.test", "pass"),
        ("expect_name=other.test", "the server calls itself mx.good.test, expected is other.test"),
        ("expect_extensions=pipelining,8BITMIME", "pass"),
        (
            "expect_extensions=PIPELINING,DSN,CHUNKING",
            "DSN is not offered; CHUNKING is not offered",
        ),
        ("forbid_extensions=CHUNKING", "pass"),
        ("forbid_extensions=SIZE", "SIZE is offered"),
        ("expect_size_min=500kB", "pass"),
        (
            "expect_size_min=25MiB",
            "messages may have 1000000 bytes, expected are 26214400 at least",
        ),
        ("expect_starttls=false", "pass"),
        ("expect_starttls=true", "STARTTLS is not offered"),
        ("expect_auth=PLAIN", "auth: mismatch: AUTH PLAIN is not offered"),
        ("tls=starttls", "tls: protocol: the server does not offer STARTTLS"),
        ("tls=opportunistic", "pass"),
    ] {
        let outcome = probe("220 mx.good.test ESMTP\r\n", plain(), &[setting]).await;
        assert!(verdict(&outcome).contains(expected), "{setting}: {}", verdict(&outcome));
    }
}

#[tokio::test]
async fn auth_in_the_clear_is_a_finding_and_can_fail_the_run() {
    let with_tls = "250-mx.good.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n";
    let without = "250-mx.good.test\r\n250 AUTH PLAIN\r\n";
    for (ehlo, found) in
        [(with_tls, "smtp.auth_before_tls Warning"), (without, "smtp.auth_without_tls Critical")]
    {
        let script = || vec![("EHLO", ehlo), ("QUIT", "221 bye\r\n")];
        let outcome = probe("220 mx.good.test\r\n", script(), &[]).await;
        assert_eq!((verdict(&outcome).as_str(), rules(&outcome)), ("pass", vec![found.to_owned()]));
        let strict = &["forbid_auth_before_tls=true"];
        let outcome = probe("220 mx.good.test\r\n", script(), strict).await;
        assert!(verdict(&outcome).starts_with("auth: mismatch: AUTH PLAIN"), "{outcome:?}");
        let outcome = probe("220 mx.good.test\r\n", script(), &["forbid_auth=plain"]).await;
        assert!(verdict(&outcome).contains("AUTH PLAIN is offered"));
    }
}

#[tokio::test]
async fn names_that_do_not_fit_are_findings() {
    let outcome = probe("220 gateway ESMTP\r\n", plain(), &[]).await;
    assert_eq!(rules(&outcome), ["smtp.greeting_name Notice", "smtp.no_starttls Warning"]);
    let script = vec![("EHLO", "250 mail\r\n"), ("QUIT", "221 bye\r\n")];
    let outcome = probe("220 mail\r\n", script, &[]).await;
    assert_eq!(rules(&outcome), ["smtp.name_not_qualified Notice", "smtp.no_starttls Warning"]);
}

fn asking(answer: &'static str) -> Script {
    vec![
        ("EHLO", EHLO),
        ("MAIL FROM:<>", "250 2.1.0 Ok\r\n"),
        ("RCPT TO:<", answer),
        ("RSET", "250 2.0.0 Ok\r\n"),
        ("QUIT", "221 bye\r\n"),
    ]
}

#[tokio::test]
async fn an_open_relay_is_found_without_handing_in_a_message() {
    let greeting = "220 mx.good.test ESMTP\r\n";
    let relay = &["relay_to=somebody@elsewhere.example"];
    let outcome = probe(greeting, asking("250 2.1.5 Ok\r\n"), relay).await;
    assert!(verdict(&outcome).starts_with("envelope: mismatch 250: the server relays for anybody"));
    assert!(rules(&outcome).contains(&"smtp.open_relay Critical".to_owned()));
    assert!(outcome.transcript.contains("RSET") && !outcome.transcript.contains("DATA"));
    for (answer, told) in [
        ("554 5.7.1 Relay access denied\r\n", "refused: 554 5.7.1 Relay access denied"),
        ("450 4.2.0 Greylisted\r\n", "postponed: 450 4.2.0 Greylisted"),
    ] {
        let outcome = probe(greeting, asking(answer), relay).await;
        assert_eq!(verdict(&outcome), "pass", "{}", outcome.transcript);
        assert_eq!(fact(&outcome, "smtp.relay"), told);
        assert_eq!(rules(&outcome), ["smtp.no_starttls Warning"]);
    }
}

#[tokio::test]
async fn recipients_are_taken_or_refused_as_expected() {
    let greeting = "220 mx.good.test ESMTP\r\n";
    for (setting, answer, expected) in [
        ("recipient=a@good.test", "250 ok\r\n", "pass"),
        ("recipient=a@good.test", "550 5.1.1 unknown\r\n", "envelope: permanent 550 5.1.1"),
        ("recipient=a@good.test", "450 4.2.0 later\r\n", "envelope: temporary 450 4.2.0"),
        ("refused_recipient=a@good.test", "550 5.1.1 unknown\r\n", "pass"),
        (
            "refused_recipient=a@good.test",
            "250 ok\r\n",
            "mismatch 250: the server takes mail for a@",
        ),
    ] {
        let outcome = probe(greeting, asking(answer), &[setting]).await;
        assert!(verdict(&outcome).contains(expected), "{setting}: {}", verdict(&outcome));
    }
}

#[test]
fn mistakes_are_told() {
    let wrong = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        configured(&SmtpKind, &settings).err().unwrap_or_default().join("; ")
    };
    assert!(wrong(&[]).contains("host is missing"));
    for (setting, words) in [
        ("relay_to=nobody", "must be a mail address such as \"probe@example.org\", not \"nobody\""),
        (
            "recipient=b\u{fc}ro@good.test",
            "takes SMTPUTF8 (RFC 6531), and Mailsonde does not speak it",
        ),
        ("from=a@b..c", "there is nothing between two of its dots"),
        ("hello=x y", "or an address like \"[192.0.2.1]\", not \"x y\": a name consists of"),
        ("hello=192.0.2.1", "that is an address, and a domain is wanted"),
        ("accept=ay", "must be one of"),
        ("every=5s", "every is not known here: use \"accept\", \"ca_file\","),
    ] {
        let told = wrong(&["host=a", setting]);
        assert!(told.contains(words), "{setting}: {told}");
    }
    assert_eq!(wrong(&["host=a", "hello=[192.0.2.1]", "from=a@[192.0.2.1]"]), "");
    assert!(wrong(&["host=a", "expect_greeting=["]).contains("not a regular expression"));
    assert!(wrong(&["host=a", "tls=implicit", "expect_starttls=true"]).contains("makes no sense"));
    assert_eq!(wrong(&["host=a", "port=25", "tls=opportunistic"]), "");
}
