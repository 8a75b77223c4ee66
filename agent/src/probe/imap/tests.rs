//! Looks at scripted servers: what each answer means for the run.

use super::*;
use crate::mail::sandbox::{Script, Server};
use crate::probe::samples::{check, fact, run, verdict};

const ABLE: (&str, &str) =
    ("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE QUOTA\r\nTAG OK a\r\n");
const IN: (&str, &str) = ("AUTHENTICATE PLAIN", "TAG OK in\r\n");
const STATUS: (&str, &str) =
    ("STATUS INBOX", "* STATUS INBOX (MESSAGES 2 UNSEEN 1)\r\nTAG OK a\r\n");
const EXAMINE: (&str, &str) = ("EXAMINE INBOX", "* 2 EXISTS\r\nTAG OK [READ-ONLY] a\r\n");
const DATES: (&str, &str) = (
    "FETCH 1:2 INTERNALDATE",
    "* 1 FETCH (INTERNALDATE \"24-Nov-2024 16:00:00 +0000\")\r\n\
     * 2 FETCH (INTERNALDATE \"24-Nov-2025 16:00:00 +0000\")\r\nTAG OK a\r\n",
);
const FULL: (&str, &str) = (
    "GETQUOTAROOT INBOX",
    "* QUOTAROOT INBOX User\r\n* QUOTA User (STORAGE 19 20 MESSAGE 1 100)\r\nTAG OK a\r\n",
);

fn usual() -> Script {
    vec![ABLE, IN, ABLE, STATUS, EXAMINE, DATES, FULL, ("LOGOUT", "* BYE\r\nTAG OK a\r\n")]
}

async fn look(script: Script, settings: &[&str]) -> Outcome {
    let server = Server::scripted("* OK a\r\n", script).await;
    let port = format!("port={}", server.port);
    let mut pairs = vec!["host=localhost", "tls=none", &port];
    pairs.extend(settings);
    run(check(&ImapKind, &pairs).unwrap().as_ref()).await
}

const LOGIN: [&str; 2] = ["login=probe", "password=hunter2"];

#[tokio::test]
async fn a_folder_and_its_quota_are_told() {
    let outcome = look(usual(), &[&LOGIN[..], &["expect_capabilities=idle,QUOTA"]].concat()).await;
    assert_eq!(verdict(&outcome), "pass");
    let phases: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["resolve", "connect", "greeting", "auth", "select", "list", "quota"]);
    for (name, expected) in [
        ("imap.capabilities", "IMAP4REV1 AUTH=PLAIN SASL-IR IDLE QUOTA"),
        ("imap.folder", "INBOX"),
        ("imap.messages", "2"),
        ("imap.unread", "1"),
        ("imap.oldest", "2024-11-24T16:00:00.000000Z"),
        ("imap.newest", "2025-11-24T16:00:00.000000Z"),
        ("imap.quota.storage.used", "19 KiB"),
        ("imap.quota.storage.limit", "20 KiB"),
        ("imap.quota.storage.percent", "95"),
        ("imap.quota.storage.root", "User"),
        ("imap.quota.message.2.percent", "1"),
    ] {
        assert_eq!(fact(&outcome, name), expected, "{name}");
    }
    let findings: Vec<_> = outcome.findings.iter().map(|f| (f.rule.as_str(), f.severity)).collect();
    assert_eq!(findings, [("imap.quota_critical", Severity::Critical)]);
    assert!(outcome.transcript.is_empty());
}

#[tokio::test]
async fn thresholds_of_quota_are_settings() {
    for (settings, expected) in [
        (vec!["quota_critical=96%"], vec!["imap.quota_high"]),
        (vec!["quota_warn=96%", "quota_critical=97%"], vec![]),
        (vec!["quota_warn=1%"], vec!["imap.quota_critical", "imap.quota_high"]),
    ] {
        let outcome = look(usual(), &[&LOGIN[..], &settings].concat()).await;
        let rules: Vec<_> = outcome.findings.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!((verdict(&outcome).as_str(), rules), ("pass", expected), "{settings:?}");
    }
}

#[tokio::test]
async fn what_is_expected_and_is_not_so_fails_the_run_after_all_is_told() {
    for (settings, expected) in [
        (
            vec!["max_messages=1"],
            "list: mismatch: the folder is not as expected: it has 2 messages, at most 1 are expected",
        ),
        (
            vec!["max_unread=0", "min_messages=3"],
            "list: mismatch: the folder is not as expected: it has 2 messages, at least 3 are expected; \
             1 are unread, at most 0 are expected",
        ),
        (
            vec!["expect_capabilities=IDLE,NOTIFY,MOVE"],
            "greeting: mismatch: the server does not offer NOTIFY, MOVE, as is expected",
        ),
    ] {
        let outcome = look(usual(), &[&LOGIN[..], &settings].concat()).await;
        assert_eq!(verdict(&outcome), expected);
        assert_eq!(fact(&outcome, "imap.quota.storage.percent"), "95", "all is told");
        assert!(!outcome.transcript.is_empty() && !outcome.transcript.contains("hunter2"));
    }
    let outcome = look(usual(), &[&LOGIN[..], &["max_age=1d", "max_newest_age=1h"]].concat()).await;
    let told = verdict(&outcome);
    assert!(
        told.contains("its oldest message is ") && told.contains("its newest message is "),
        "{told}"
    );
}

#[tokio::test]
async fn each_trouble_has_its_phase() {
    for (script, expected) in [
        (
            vec![ABLE, ("AUTHENTICATE", "TAG NO [AUTHENTICATIONFAILED] no\r\n")],
            "auth: permanent: the server refused the sign-in: wrong login or password",
        ),
        (
            vec![
                ABLE,
                IN,
                ABLE,
                ("STATUS", "TAG NO [NONEXISTENT] no\r\n"),
                ("EXAMINE", "TAG NO [NONEXISTENT] no\r\n"),
            ],
            "select: permanent: the server refused the selection of INBOX",
        ),
        (
            vec![ABLE, IN, ABLE, STATUS, EXAMINE, ("FETCH", "!")],
            "list: refused: the server closed the connection instead of sending the dates of messages",
        ),
        (
            vec![ABLE, IN, ABLE, STATUS, EXAMINE, DATES, ("GETQUOTAROOT", "* QUOTA {999999}\r\n")],
            "quota: protocol: the server announced a literal of 999999 bytes in the quota, where at most 65536 are accepted",
        ),
    ] {
        let outcome = look(script, &LOGIN).await;
        assert_eq!(verdict(&outcome), expected);
        assert!(
            fact(&outcome, "imap.capabilities").starts_with("IMAP4")
                || expected.starts_with("auth")
        );
    }
}

#[tokio::test]
async fn without_a_login_only_the_server_is_looked_at() {
    let outcome = look(vec![ABLE], &[]).await;
    assert_eq!(verdict(&outcome), "pass");
    assert!(outcome.phases.iter().all(|phase| phase.name != "auth"));
    assert_eq!(fact(&outcome, "imap.messages"), "");
}

#[test]
fn mistakes_in_settings() {
    let here = ["host=localhost", "tls=none"];
    for (settings, expected) in [
        (vec!["login=probe"], "the password is missing: without it nobody signs in"),
        (
            vec!["max_messages=1"],
            "login is missing: without it nobody signs in at localhost, and max_messages cannot be looked at",
        ),
        (vec!["quota_warn=99%"], "quota_warn is above quota_critical"),
        (vec!["quota_warn=80"], "needs its sign: write \"80%\""),
        (vec!["quota_warn=0%"], "must be from \"1%\" to \"100%\""),
        (vec!["max_mesages=1"], "max_mesages is not known here, did you mean \"max_messages\"?"),
    ] {
        let told = check(&ImapKind, &[&here[..], &settings].concat()).err().unwrap_or_default();
        assert!(told.contains(expected), "{settings:?}: {told}");
    }
}
