//! What is expected other than an arrival in INBOX: each as it should be, and each broken.

use mailsonde_proto::FaultClass;

use super::*;
use crate::mail::message::{Attachment, Content};

const NEVER: RefusedAt =
    RefusedAt { recipient: "550 5.7.1 never\r\n", message: "554 5.7.1 spam\r\n" };

struct RefusedAt {
    recipient: &'static str,
    message: &'static str,
}

pub(super) fn nothing(_: usize, _: &str) -> Option<&'static str> {
    None
}

pub(super) fn expecting(expect: Expect) -> RoundTripSettings {
    RoundTripSettings { expect, ..RoundTripSettings::default() }
}

pub(super) fn lost(_: &Folders, _: String) {}

fn bounced(folders: &Folders, message: String) {
    folders.store(0, &bounce_of(&message, "5.1.1", "550 5.1.1 unknown"));
}

#[tokio::test]
async fn a_refusal_passes_where_it_is_expected_for_good_and_with_its_code() {
    let at_recipient: Rule = |_, line| line.starts_with("RCPT").then_some(NEVER.recipient);
    let at_message: Rule = |_, line| (line == ".").then_some(NEVER.message);
    let at_sender: Rule = |_, line| line.starts_with("MAIL").then_some("550 5.7.1 no\r\n");
    let for_now: Rule = |_, line| line.starts_with("RCPT").then_some("450 4.7.1 greylisted\r\n");
    let code = |text: &str| Some(text.parse().unwrap());
    for (rule, expect_code, expected) in [
        (at_recipient, None, "Pass"),
        (at_recipient, code("5.7.1"), "Pass"),
        (at_recipient, code("550"), "Pass"),
        (at_message, code("554"), "Pass"),
        (
            at_message,
            code("550"),
            "data: mismatch 554 5.7.1: the message was refused, as is expected, but with 554 5.7.1 instead of 550",
        ),
        (
            at_sender,
            None,
            "envelope: permanent 550 5.7.1: the server refused the sender: its policy forbids it",
        ),
        (
            for_now,
            None,
            "envelope: temporary 450 4.7.1: the server refused the recipient: it postpones senders that \
             it does not know yet (greylisting)",
        ),
    ] {
        let settings = RoundTripSettings { expect_code, ..expecting(Expect::Rejected) };
        let stage = Stage::with(settings, rule, lost, true).await;
        let outcome = stage.run(1, 3_000).await;
        assert_eq!(fault(&outcome), expected);
        if outcome.verdict == Verdict::Pass {
            let last = outcome.phases.last().unwrap();
            assert_eq!(u64::try_from(last.end_us()).unwrap(), outcome.total_us, "{outcome:?}");
            let step = fact(&outcome, "rejected.step");
            assert!(matches!(
                (step, last.name.as_str()),
                ("recipient", "envelope") | ("message", "data")
            ));
            assert!(!fact(&outcome, "rejected.reply").is_empty());
        }
        assert!(stage.is_clean().await);
    }
}

#[tokio::test]
async fn a_message_that_is_accepted_although_it_should_be_refused_is_still_watched() {
    let arrives: Delivery = deliver;
    for (deliver, expected) in [
        (arrives, "it arrived in INBOX"),
        (bounced, "it came back later (the message bounced: there is no such mailbox)"),
        (lost, "it has not arrived within 0."),
    ] {
        let stage = Stage::with(expecting(Expect::Rejected), nothing, deliver, true).await;
        let said = fault(&stage.run(1, 800).await);
        let begin =
            "data: mismatch: the server accepted the message, which it should have refused; ";
        let then = said.strip_prefix(begin).unwrap_or_else(|| panic!("{said}"));
        assert!(then.starts_with(expected), "{said}");
        assert!(stage.is_clean().await);
    }
}

#[tokio::test]
async fn what_should_have_been_refused_and_comes_late_amends_its_run() {
    static KEPT: Mutex<String> = Mutex::new(String::new());
    let keep: Delivery = |_, message| *KEPT.lock().unwrap() = message;
    let mut stage = Stage::with(expecting(Expect::Rejected), nothing, keep, true).await;
    assert!(fault(&stage.run(1, 600).await).contains("has not arrived"));
    stage.folders.store(0, &KEPT.lock().unwrap().clone());
    let amendment = stage.amendment().await;
    assert_eq!((amendment.run.intent, amendment.fault.class), (1, FaultClass::Mismatch));
    assert!(stage.is_clean().await);
}

#[tokio::test]
async fn a_bounce_passes_where_it_is_expected() {
    let (arrives, back, accept): (Delivery, Delivery, Rule) = (deliver, bounced, nothing);
    let refuse: Rule = |_, line| line.starts_with("RCPT").then_some(NEVER.recipient);
    let code = |text: &str| Some(text.parse().unwrap());
    for (rule, deliver, expect_code, expected) in [
        (accept, back, None, "Pass"),
        (accept, back, code("5.1.1"), "Pass"),
        (accept, back, code("550"), "Pass"),
        (
            accept,
            back,
            code("5.2.2"),
            "transit: mismatch 550 5.1.1: the message was bounced, as is expected, but with 550 5.1.1 \
             instead of 5.2.2",
        ),
        (
            accept,
            arrives,
            None,
            "arrival: mismatch: a bounce is expected, but the message arrived in INBOX",
        ),
        (
            accept,
            lost,
            None,
            "transit: timeout: a bounce is expected, but neither it nor the message came within 0.",
        ),
        (
            refuse,
            lost,
            None,
            "envelope: mismatch 550 5.7.1: a bounce is expected, but the server refused the recipient: \
             its policy forbids it",
        ),
    ] {
        let settings = RoundTripSettings { expect_code, ..expecting(Expect::Bounced) };
        let stage = Stage::with(settings, rule, deliver, true).await;
        let outcome = stage.run(1, 800).await;
        let said = fault(&outcome);
        assert!(said.starts_with(expected), "{said}");
        if said == "Pass" {
            assert_eq!(fact(&outcome, "bounce.enhanced_code"), "5.1.1");
            assert!(outcome.phases.iter().any(|phase| phase.name == "bounce"));
        }
        assert!(stage.is_clean().await);
    }
}

/// A stage whose messages are sent by another mailbox, with the folders of that one.
async fn with_a_sender(
    settings: RoundTripSettings,
    deliver: fn(&Folders, &Folders, String),
) -> (Stage, Folders, Server) {
    let senders = Folders::new();
    let back = senders.clone();
    let to = move |folders: &Folders, message| deliver(folders, &back, message);
    let mut stage = Stage::with(settings, nothing, to, true).await;
    let imap = Server::imap(senders.clone(), true).await;
    let from = mailbox("sender@good.test", &stage._servers.0, Inbox::Imap(endpoint(imap.port)));
    let from = Mailbox::new(from, Net::new(), Clock::system());
    stage.probe.settings.from_mailbox = Some(from);
    (stage, senders, imap)
}

#[tokio::test]
async fn a_bounce_to_another_sender_is_seen_there() {
    for (expect, expected) in [
        (Expect::Bounced, "Pass"),
        (
            Expect::Inbox,
            "transit: permanent 550 5.1.1: the message bounced: there is no such mailbox",
        ),
    ] {
        let (stage, senders, _imap) = with_a_sender(expecting(expect), |_, back, message| {
            assert!(message.contains("From: Mailsonde <sender@good.test>"), "{message}");
            bounced(back, message);
        })
        .await;
        assert_eq!(fault(&stage.run(1, 3_000).await), expected);
        let from = stage.probe.settings.from_mailbox.as_ref().unwrap();
        from.shutdown().await;
        assert!(stage.is_clean().await && senders.texts(0).is_empty());
    }
}

#[tokio::test]
async fn a_senders_mailbox_that_cannot_be_watched_is_told_and_in_the_way_only_of_who_needs_it() {
    for (expect, expected) in [
        (Expect::Inbox, "Pass"),
        (
            Expect::Bounced,
            "imap.greeting: temporary: the server refused the session: it is not available",
        ),
    ] {
        let mut stage = Stage::new(deliver, true, expect).await;
        let refusing = Server::scripted("* BYE closed\r\n", vec![]).await;
        let from =
            mailbox("sender@good.test", &stage._servers.0, Inbox::Imap(endpoint(refusing.port)));
        stage.probe.settings.from_mailbox = Some(Mailbox::new(from, Net::new(), Clock::system()));
        let outcome = stage.run(1, 3_000).await;
        assert!(fault(&outcome).starts_with(expected), "{}", fault(&outcome));
        if expect == Expect::Inbox {
            assert!(fact(&outcome, "from_mailbox.not_watched").contains("refused the session"));
        }
        assert!(stage.is_clean().await);
    }
}

/// An answer to this message with these headers.
fn answer_to(message: &str, headers: &str) -> String {
    let id = message.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
    format!("From: box@good.test\r\nIn-Reply-To: {id}\r\n{headers}\r\n\r\nI am away.\r\n")
}

#[tokio::test]
async fn an_automatic_reply_must_or_must_not_come() {
    type Back = fn(&Folders, &Folders, String);
    let answered: Back = |folders, back, message| {
        assert!(!message.contains("Auto-Submitted"), "{message}");
        folders.store(0, &message);
        back.store(0, &answer_to(&message, "Auto-Submitted: auto-replied"));
    };
    let by_hand: Back = |folders, back, message| {
        folders.store(0, &message);
        back.store(0, &answer_to(&message, "Subject: Re: your test"));
    };
    let silent: Back = |folders, _, message| folders.store(0, &message);
    for (deliver, is_required, expected, left) in [
        (answered, true, "Pass", 0),
        (
            answered,
            false,
            "auto_reply: mismatch: the message was answered automatically, which it must not be: by \
             box@good.test (auto-replied)",
            0,
        ),
        (
            silent,
            true,
            "auto_reply: timeout: the message arrived, but was not answered automatically within 0.5 s",
            0,
        ),
        (silent, false, "Pass", 0),
        (
            by_hand,
            true,
            "auto_reply: timeout: the message arrived, but was not answered automatically within 0.5 s",
            1,
        ),
    ] {
        let auto_reply = Some(AutoReply { is_required, within: Duration::from_millis(500) });
        let content = Arc::new(Content { invites_replies: true, ..Content::default() });
        let settings = RoundTripSettings { auto_reply, content, ..expecting(Expect::Inbox) };
        let (stage, senders, _imap) = with_a_sender(settings, deliver).await;
        let outcome = stage.run(1, 3_000).await;
        assert_eq!(fault(&outcome), expected);
        if is_required && expected == "Pass" {
            assert_eq!(fact(&outcome, "auto_reply.kind"), "auto-replied");
            let arrival = outcome.phases.iter().find(|phase| phase.name == "arrival").unwrap();
            assert_eq!(u64::try_from(arrival.end_us()).unwrap(), outcome.total_us);
        }
        stage.probe.settings.from_mailbox.as_ref().unwrap().shutdown().await;
        assert_eq!(senders.texts(0).len(), left, "only a machine's reply to ours is removed");
        assert!(stage.is_clean().await);
    }
}

#[tokio::test]
async fn a_filter_files_into_the_folder_that_is_expected() {
    let filed: Delivery = |folders, message| folders.store(2, &message);
    let junk: Delivery = |folders, message| folders.store(1, &message);
    let arrives: Delivery = deliver;
    for (deliver, has_idle, expected) in [
        (filed, true, "Pass"),
        (filed, false, "Pass"),
        (
            arrives,
            true,
            "arrival: mismatch: the message was not filed into Filtered/Lab, as is expected: it arrived \
             in INBOX",
        ),
        (
            junk,
            true,
            "arrival: mismatch: the message was not filed into Filtered/Lab, as is expected: it arrived \
             in Spamverdacht",
        ),
    ] {
        let folder = Some("Filtered/Lab".into());
        let settings = RoundTripSettings { folder, ..expecting(Expect::Folder) };
        let stage = Stage::with(settings, nothing, deliver, has_idle).await;
        // The first time the folder comes to be with the message.
        for intent in 1..3 {
            let outcome = stage.run(intent, 5_000).await;
            assert_eq!(fault(&outcome), expected);
            if expected == "Pass" {
                assert_eq!(fact(&outcome, "arrival.place"), "folder");
                assert!(fact(&outcome, "arrival.commands").parse::<u64>().unwrap() <= 100);
            }
        }
        assert!(stage.is_clean().await && stage.folders.texts(2).is_empty());
    }
}

fn with_an_attachment(bytes: u64) -> RoundTripSettings {
    let (name, media_type) = ("a.bin".into(), "application/octet-stream".into());
    let attachment = Some(Attachment { bytes, name, media_type });
    let content = Arc::new(Content { attachment, ..Content::default() });
    RoundTripSettings { content, ..expecting(Expect::Inbox) }
}

#[tokio::test]
async fn a_large_attachment_is_verified_piece_by_piece() {
    let arrives: Delivery = deliver;
    let altered: Delivery = |folders, message| {
        let mut bytes = message.into_bytes();
        let at = bytes.len() / 2;
        let letter = bytes[at..].iter_mut().find(|byte| byte.is_ascii_alphanumeric()).unwrap();
        *letter = if *letter == b'A' { b'B' } else { b'A' };
        folders.store(0, &String::from_utf8(bytes).unwrap());
    };
    let removed: Delivery = |folders, message| {
        let boundary = message.split_once("boundary=\"").unwrap().1.split_once('"').unwrap().0;
        let parts: Vec<_> = message.split(&format!("--{boundary}")).collect();
        let note = "\r\n\r\nThe attachment was removed.\r\n";
        folders.store(0, &[parts[0], parts[1], note, parts[3]].join(&format!("--{boundary}")));
    };
    for (deliver, expected) in [
        (arrives, "Pass"),
        (
            altered,
            "arrival: mismatch: the attachment was altered on its way: its SHA-256 is another",
        ),
        (
            removed,
            "arrival: mismatch: the attachment was removed on its way: the message came without it",
        ),
    ] {
        let stage = Stage::with(with_an_attachment(1_000_000), nothing, deliver, true).await;
        let outcome = stage.run(1, 30_000).await;
        assert_eq!(fault(&outcome), expected);
        assert_eq!(fact(&outcome, "attachment.bytes"), "1000000");
        assert_eq!(fact(&outcome, "attachment.sha256").len(), 64);
        assert!(stage.is_clean().await);
    }
}
