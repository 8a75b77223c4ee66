//! Mail handed to a mail exchanger, and submission: greylisting, other refusals for now, and servers that hang.

use super::expectations::{expecting, lost, nothing};
use super::*;

fn to_an_exchanger(retry_ms: u64) -> RoundTripSettings {
    RoundTripSettings {
        exchanger_of: Some("127.0.0.1".into()),
        greylist_retry: Duration::from_millis(retry_ms),
        ..expecting(Expect::Inbox)
    }
}

#[tokio::test]
async fn greylisting_is_waited_out_and_told_as_what_it_is() {
    let certain: Rule = |session, line| {
        (session < 3 && line.starts_with("RCPT")).then_some("450 4.2.0 Greylisted\r\n")
    };
    let perhaps: Rule =
        |session, line| (session < 2 && line == ".").then_some("451 4.7.1 Try again later\r\n");
    for (rule, attempts, waited_ms) in [(certain, "3", 600), (perhaps, "2", 300)] {
        let stage = Stage::with(to_an_exchanger(300), rule, deliver, true).await;
        let outcome = stage.run(1, 8_000).await;
        assert_eq!(fault(&outcome), "Pass", "{}", outcome.transcript);
        assert_eq!(fact(&outcome, "greylisted"), "true");
        assert_eq!(fact(&outcome, "greylisted.attempts"), attempts);
        let greylist = outcome.phases.iter().find(|phase| phase.name == "greylist").unwrap();
        assert_eq!(fact(&outcome, "greylisted.us"), greylist.duration_us.to_string());
        assert!(
            greylist.start_us == 0 && greylist.duration_us >= waited_ms * 1_000,
            "{greylist:?}"
        );
        let resolve = outcome.phases.iter().find(|phase| phase.name == "resolve").unwrap();
        assert_eq!(resolve.start_us, greylist.end_us(), "the last attempt follows the wait");
        let arrival = outcome.phases.iter().find(|phase| phase.name == "arrival").unwrap();
        assert_eq!(
            u64::try_from(arrival.end_us()).unwrap(),
            outcome.total_us,
            "nothing is left out"
        );
        assert!(stage.is_clean().await);
    }
}

#[tokio::test]
async fn other_refusals_for_now_and_greylisting_without_time_are_failures() {
    let trouble: Rule = |_, line| line.starts_with("RCPT").then_some("451 4.3.0 try later\r\n");
    let hint: Rule = |_, line| {
        line.starts_with("RCPT").then_some("450 4.7.1 Greylisted, come back in 00:05:00\r\n")
    };
    let always: Rule = |_, line| line.starts_with("RCPT").then_some("450 4.7.1 rejected\r\n");
    for (rule, within_ms, expected, is_greylisted) in [
        (
            trouble,
            3_000,
            "envelope: temporary 451 4.3.0: the server refused the recipient: it says to try again later",
            "",
        ),
        (
            hint,
            5_000,
            "envelope: temporary 450 4.7.1: the server refused the recipient: it postpones senders that \
             it does not know yet (greylisting); this run has no time to come back after 301 s: raise \
             its timeout",
            "",
        ),
        (
            always,
            4_000,
            "envelope: temporary 450 4.7.1: the server refused the recipient: its policy forbids it",
            "",
        ),
    ] {
        let stage = Stage::with(to_an_exchanger(400), rule, lost, true).await;
        let outcome = stage.run(1, within_ms).await;
        let said = fault(&outcome);
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(fact(&outcome, "greylisted"), is_greylisted);
        assert!(stage.is_clean().await);
    }
}

#[tokio::test]
async fn a_submission_server_is_asked_once() {
    let rule: Rule = |session, line| {
        (session < 2 && line.starts_with("RCPT")).then_some("450 4.7.1 greylisted\r\n")
    };
    let stage = Stage::with(expecting(Expect::Inbox), rule, deliver, true).await;
    let said = fault(&stage.run(1, 3_000).await);
    assert!(said.starts_with("envelope: temporary 450 4.7.1"), "{said}");
    assert!(stage.is_clean().await);
}

#[tokio::test]
async fn a_mailbox_server_that_hangs_after_the_acceptance_is_named() {
    for (command, has_idle) in [("NOOP", false), ("IDLE", true), ("NOOP", true)] {
        let hang = move |folders: &Folders, _: String| folders.hang_at(command);
        let stage = Stage::with(expecting(Expect::Inbox), nothing, hang, has_idle).await;
        let within_ms = if command == "IDLE" { 6_000 } else { 2_000 };
        let said = fault(&stage.run(1, within_ms).await);
        assert!(
            said.starts_with("arrival: timeout: the message was accepted, but was not seen within")
                && said.contains("imap.watch: timeout: the server did not send"),
            "{command}: {said}"
        );
    }
}
