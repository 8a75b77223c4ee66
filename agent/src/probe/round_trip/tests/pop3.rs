//! Round trips whose message is looked for by POP3.

use super::*;
use crate::mail::mailbox::SessionPace;

async fn stage(deliver: Delivery) -> Stage {
    let folders = Folders::new();
    let server = Server::pop3(folders.clone()).await;
    let inbox = Inbox::Pop3(endpoint(server.port), SessionPace { per_minute: 600, ..pace() });
    Stage::at(folders, (server, inbox), deliver, Expect::Inbox).await
}

fn pace() -> SessionPace {
    SessionPace { shortest: Duration::from_millis(20), ..SessionPace::default() }
}

#[tokio::test]
async fn a_message_that_arrives_passes_and_is_removed_and_others_stay() {
    let stage = stage(deliver).await;
    stage.folders.store(0, "Subject: lunch?\r\n\r\nAt noon\r\n");
    for intent in 0..3 {
        let outcome = stage.run(intent, 5_000).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", fault(&outcome));
        let phase = |name: &str| outcome.phases.iter().find(|p| p.name == name).unwrap();
        assert!(phase("pop3.auth").start_us < 0, "a session of its own, before the submission");
        assert!(phase("pop3.list").duration_us > 0);
        let arrival = phase("arrival");
        assert!(arrival.uncertainty_us > 0, "a session shows the past: {arrival:?}");
        assert!(
            outcome.phases.iter().all(|phase| phase.name != "transit"),
            "no date to tell it by"
        );
        let fact =
            |name: &str| outcome.facts.iter().find(|f| f.name == name).unwrap().value.clone();
        assert_eq!(fact("pop3.junk_folder"), "not watched: POP3 shows INBOX only");
        assert_eq!(fact("pop3.folder"), "INBOX");
        assert!(fact("pop3.uid").starts_with('u') && fact("arrival.commands") != "0");
        assert!(outcome.findings.is_empty());
    }
    stage.probe.mailbox.shutdown().await;
    assert_eq!(stage.folders.texts(0).len(), 1, "lunch stays");
}

#[tokio::test]
async fn outcomes_are_told_apart_by_pop3_too() {
    let twice: Delivery = |folders, message| {
        folders.store(0, &message);
        folders.store(0, &message);
    };
    let altered: Delivery = |folders, message| folders.store(0, &message.replace("safe", "unsafe"));
    let bounced: Delivery = |folders, message| {
        let returned = message.split_once("\r\n\r\n").unwrap().0;
        let attached = format!("{}\r\n", "x".repeat(70)).repeat(5_000);
        folders.store(
            0,
            &format!(
                "From: MAILER-DAEMON@a\r\nContent-Type: multipart/report; \
                 report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: \
                 message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\nAction: failed\r\nStatus: \
                 5.2.2\r\nDiagnostic-Code: smtp; 552 5.2.2 quota\r\n\r\n--b\r\nContent-Type: \
                 message/rfc822\r\n\r\n{returned}\r\n\r\n{attached}\r\n--b--\r\n"
            ),
        );
    };
    for (deliver, expected) in [
        (bounced, "transit: permanent 552 5.2.2: the message bounced: the mailbox is full"),
        (twice, "arrival: mismatch: the message arrived twice: in INBOX and INBOX"),
        (
            altered,
            "arrival: mismatch: the message was altered on its way: its body is not the one that was sent",
        ),
    ] {
        let stage = stage(deliver).await;
        assert_eq!(fault(&stage.run(1, 5_000).await), expected);
        assert!(stage.is_clean().await, "{expected}");
    }
}

#[tokio::test]
async fn a_late_message_amends_its_run_when_the_next_one_looks() {
    static KEPT: Mutex<String> = Mutex::new(String::new());
    let mut stage = stage(|_, message| *KEPT.lock().unwrap() = message).await;
    let said = fault(&stage.run(1, 700).await);
    assert!(said.starts_with("arrival: timeout: the message was accepted, but did not"), "{said}");
    stage.folders.store(0, &KEPT.lock().unwrap());
    assert!(fault(&stage.run(2, 700).await).starts_with("arrival: timeout"));
    let amendment = stage.amendment().await;
    assert_eq!(amendment.run.intent, 1);
    assert!(amendment.fault.explanation.starts_with("the message arrived late: it came to INBOX"));
    assert!(amendment.phases[0].uncertainty_us > 0, "{amendment:?}");
    assert!(stage.is_clean().await);
}

#[tokio::test]
async fn forged_and_foreign_messages_stay_and_strays_go() {
    let forge: Delivery = |folders, message| {
        let at = message.find("X-Mailsonde-Token: ").unwrap() + 150;
        let mut forged = message.replace("Message-ID", "X-Old-ID");
        forged.replace_range(at - 10..at - 6, "AAAA");
        folders.store(0, &forged);
        folders.store(0, &message);
    };
    let stage = stage(forge).await;
    let sealed = |key: &TokenKey| {
        let run = RunId { epoch: Epoch(1), intent: 99 };
        let draft = Draft { run, ..stage.probe.draft(run_of(run, &stage)) }.seal(key);
        String::from_utf8(draft.chunks().flat_map(|piece| piece.into_owned()).collect()).unwrap()
    };
    stage.folders.store(0, &sealed(&stage.key));
    stage.folders.store(0, &sealed(&TokenKey::from_bytes([6; 32])));
    let outcome = stage.run(1, 5_000).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", fault(&outcome));
    assert_eq!(outcome.findings[0].rule, "mailbox.forged_token");
    stage.probe.mailbox.shutdown().await;
    assert_eq!(stage.folders.texts(0).len(), 2, "the forged one and another agent's");
}

#[tokio::test]
async fn twenty_at_once_share_the_sessions() {
    let stage = Arc::new(stage(deliver).await);
    let mut runs = tokio::task::JoinSet::new();
    for intent in 0..20 {
        let stage = Arc::clone(&stage);
        runs.spawn(async move { stage.run(intent, 8_000).await });
    }
    while let Some(outcome) = runs.join_next().await {
        let outcome = outcome.unwrap();
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", fault(&outcome));
    }
    assert!(stage.probe.mailbox.commands() <= 20 * 100, "{}", stage.probe.mailbox.commands());
    assert!(stage.is_clean().await);
}

#[tokio::test]
async fn a_mailbox_that_lets_nobody_in_gets_no_message() {
    let greeting = "+OK\r\n";
    for (script, expected) in [
        (
            vec![("CAPA", "+OK\r\nUIDL\r\nSASL PLAIN\r\n.\r\n"), ("AUTH", "-ERR [AUTH] no\r\n")],
            "pop3.auth: permanent: the server refused the sign-in: wrong login or password",
        ),
        (
            vec![("CAPA", "+OK\r\nUIDL\r\nSASL PLAIN\r\n.\r\n"), ("AUTH", "-ERR [IN-USE] no\r\n")],
            "pop3.auth: temporary: the server refused the sign-in: another session has the mailbox open",
        ),
    ] {
        let server = Server::scripted(greeting, script).await;
        let inbox = Inbox::Pop3(endpoint(server.port), pace());
        let silent: Delivery = |_, _| panic!("nothing may be sent");
        let stage = Stage::at(Folders::new(), (server, inbox), silent, Expect::Inbox).await;
        let outcome = stage.run(1, 4_000).await;
        assert_eq!(fault(&outcome), expected);
        assert!(outcome.transcript.contains("S: -ERR"), "{}", outcome.transcript);
        stage.probe.mailbox.shutdown().await;
    }
}
