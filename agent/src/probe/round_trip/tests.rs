//! Whole round trips through servers in memory: every outcome is told apart.

mod exchangers;
mod expectations;
mod free_text;

use std::sync::Mutex;

use mailsonde_proto::{AgentId, Cause, Epoch, RunId};
use tokio::sync::mpsc;

use super::*;
use crate::mail::mailbox::{Habits, Inbox, MailboxSettings};
use crate::mail::sandbox::{Folders, Rule, Server, endpoint};
use crate::mail::token::TokenKey;
use crate::probe::Amendment;

/// An SMTP server that delivers as it is told, an IMAP server, and a probe between them.
struct Stage {
    folders: Folders,
    probe: RoundTrip,
    key: Arc<TokenKey>,
    amendments: mpsc::Receiver<Amendment>,
    sender: mpsc::Sender<Amendment>,
    _servers: (Server, Server),
}

mod pop3;

type Delivery = fn(&Folders, String);

fn mailbox(address: &str, smtp: &Server, inbox: Inbox) -> MailboxSettings {
    MailboxSettings {
        name: address.into(),
        address: address.into(),
        smtp: endpoint(smtp.port),
        inbox,
        beside: None,
        junk_folder: None,
        hello: None,
        habits: Habits::default(),
        receives: true,
    }
}

impl Stage {
    async fn new(deliver: Delivery, has_idle: bool, expect: Expect) -> Self {
        let settings = RoundTripSettings { expect, ..RoundTripSettings::default() };
        Self::with(settings, |_, _| None, deliver, has_idle).await
    }

    async fn with(
        settings: RoundTripSettings,
        rule: Rule,
        deliver: impl Fn(&Folders, String) + Clone + Send + Sync + 'static,
        has_idle: bool,
    ) -> Self {
        let folders = Folders::new();
        let imap = Server::imap(folders.clone(), has_idle).await;
        let inbox = Inbox::Imap(endpoint(imap.port));
        let to = folders.clone();
        let smtp = Server::smtp_by(rule, move |message| deliver(&to, message)).await;
        Self::between(folders, smtp, (imap, inbox), settings)
    }

    async fn at(
        folders: Folders,
        inbox: (Server, Inbox),
        deliver: Delivery,
        expect: Expect,
    ) -> Self {
        let to = folders.clone();
        let smtp = Server::smtp(move |message| deliver(&to, message)).await;
        let settings = RoundTripSettings { expect, ..RoundTripSettings::default() };
        Self::between(folders, smtp, inbox, settings)
    }

    fn between(
        folders: Folders,
        smtp: Server,
        (server, inbox): (Server, Inbox),
        settings: RoundTripSettings,
    ) -> Self {
        let (net, clock) = (Net::new(), Clock::system());
        let mailbox = Mailbox::new(mailbox("probe@good.test", &smtp, inbox), net.clone(), clock);
        let settings = RoundTripSettings { exchanger_port: smtp.port, ..settings };
        let probe = RoundTrip::new(settings, mailbox, net, clock);
        let key = Arc::new(TokenKey::from_bytes([5; 32]));
        let (sender, amendments) = mpsc::channel(4);
        Self { folders, probe, key, amendments, sender, _servers: (smtp, server) }
    }

    async fn run(&self, intent: u64, within_ms: u64) -> Outcome {
        let clock = Clock::system();
        let run = Run {
            id: RunId { epoch: Epoch(1), intent },
            agent: AgentId([1; 16]),
            check: "sandbox".into(),
            cause: Cause::OnDemand,
            scheduled_for: clock.wall(),
            deadline: clock.monotonic() + Duration::from_millis(within_ms),
            token_key: Arc::clone(&self.key),
            amendments: self.sender.clone(),
        };
        self.probe.run(run).await
    }

    async fn amendment(&mut self) -> Amendment {
        let amendment = tokio::time::timeout(Duration::from_secs(5), self.amendments.recv());
        amendment.await.unwrap().unwrap()
    }

    async fn is_clean(&self) -> bool {
        self.probe.mailbox.shutdown().await;
        self.folders.texts(0).is_empty() && self.folders.texts(1).is_empty()
    }
}

fn deliver(folders: &Folders, message: String) {
    folders.store(0, &message);
}

/// A notification (RFC 3464) that this message was given up.
fn bounce_of(message: &str, status: &str, diagnostic: &str) -> String {
    let returned = message.split_once("\r\n\r\n").unwrap().0;
    format!(
        "From: MAILER-DAEMON@a\r\nContent-Type: multipart/report; report-type=delivery-status; \
         boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; \
         a\r\n\r\nAction: failed\r\nStatus: {status}\r\nDiagnostic-Code: smtp; {diagnostic}\r\n\r\n--b\r\n\
         Content-Type: text/rfc822-headers\r\n\r\n{returned}\r\n\r\n--b--\r\n"
    )
}

fn fact<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    let found = outcome.facts.iter().find(|fact| fact.name == name);
    found.map(|fact| fact.value.as_str()).unwrap_or_default()
}

fn fault(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Fail(fault) => fault.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_that_arrives_passes_and_is_removed() {
    let stage = Stage::new(deliver, true, Expect::Inbox).await;
    for intent in 0..3 {
        let outcome = stage.run(intent, 5_000).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.transcript);
        let names: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names.contains(&"imap.connect"), intent == 0, "kept connections are used again");
        let own: Vec<_> = outcome.phases.iter().filter(|p| p.start_us >= 0).collect();
        let chain: Vec<_> = own.iter().filter(|p| p.name != "transit").collect();
        assert_eq!(chain[0].start_us, 0);
        assert!(chain.windows(2).all(|two| two[0].end_us() == two[1].start_us), "{chain:?}");
        let ends = chain.iter().map(|phase| phase.end_us()).max().unwrap();
        assert_eq!(u64::try_from(ends).unwrap(), outcome.total_us);
        let fact =
            |name: &str| outcome.facts.iter().find(|f| f.name == name).unwrap().value.clone();
        assert_eq!(fact("smtp.queued"), "2.0.0 queued as 1");
        assert_eq!(fact("imap.junk_folder"), "Spamverdacht");
        assert!(fact("arrival.commands").parse::<u64>().unwrap() <= 100);
        assert!(outcome.transcript.is_empty() && outcome.findings.is_empty());
    }
    assert!(stage.is_clean().await);
}

#[tokio::test]
async fn outcomes_are_told_apart() {
    let junk: Delivery = |folders, message| folders.store(1, &message);
    let altered: Delivery = |folders, message| folders.store(0, &message.replace("safe", "unsafe"));
    let twice: Delivery = |folders, message| {
        folders.store(0, &message);
        folders.store(1, &message);
    };
    let bounced: Delivery = |folders, message| {
        folders.store(0, &bounce_of(&message, "5.2.2", "552 5.2.2 quota"));
    };
    for (deliver, expect, expected) in [
        (
            junk,
            Expect::Inbox,
            "arrival: mismatch: the message was filed as junk: it arrived in Spamverdacht",
        ),
        (junk, Expect::Junk, "Pass"),
        (junk, Expect::Anywhere, "Pass"),
        (
            deliver,
            Expect::Junk,
            "arrival: mismatch: the message was not filed as junk, as is expected: it arrived in INBOX",
        ),
        (
            altered,
            Expect::Inbox,
            "arrival: mismatch: the message was altered on its way: its body is not the one that was sent",
        ),
        (
            bounced,
            Expect::Inbox,
            "transit: permanent 552 5.2.2: the message bounced: the mailbox is full",
        ),
    ] {
        let stage = Stage::new(deliver, true, expect).await;
        assert_eq!(fault(&stage.run(1, 5_000).await), expected);
        assert!(stage.is_clean().await, "{expected}");
    }
    let stage = Stage::new(twice, false, Expect::Inbox).await;
    let said = fault(&stage.run(1, 5_000).await);
    assert!(said.starts_with("arrival: mismatch: the message arrived twice: in "), "{said}");
    assert!(stage.is_clean().await);
}

#[tokio::test]
async fn a_late_message_amends_its_run_and_passes_none() {
    static KEPT: Mutex<String> = Mutex::new(String::new());
    for has_idle in [true, false] {
        let keep: Delivery = |_, message| *KEPT.lock().unwrap() = message;
        let mut stage = Stage::new(keep, has_idle, Expect::Inbox).await;
        let outcome = stage.run(1, 600).await;
        let said = fault(&outcome);
        assert!(
            said.starts_with("arrival: timeout: the message was accepted, but did not arrive"),
            "{said}"
        );
        assert!(outcome.transcript.contains("C: DATA"), "{}", outcome.transcript);
        let message = KEPT.lock().unwrap().clone();
        stage.folders.store(0, &message);
        if !has_idle {
            // Nobody waits any more: another run makes the watcher look.
            assert!(fault(&stage.run(2, 600).await).starts_with("arrival: timeout"));
        }
        let amendment = stage.amendment().await;
        assert_eq!(amendment.run.intent, 1);
        let said = amendment.fault.to_string();
        assert!(
            said.starts_with("arrival: mismatch: the message arrived late: it came to INBOX"),
            "{said}"
        );
        assert_eq!(amendment.phases[0].name, "arrival");
        if has_idle {
            stage.folders.store(1, &message);
            let said = stage.amendment().await.fault.explanation;
            assert_eq!(said, "the message arrived twice: another copy came to Spamverdacht");
        }
        assert!(stage.is_clean().await);
    }
}

#[tokio::test]
async fn a_forged_token_is_left_alone_and_reported() {
    let forge: Delivery = |folders, message| {
        let at = message.find("X-Mailsonde-Token: ").unwrap() + 150;
        let mut forged = message.replace("Message-ID", "X-Old-ID");
        forged.replace_range(at - 10..at - 6, "AAAA");
        folders.store(0, &forged);
        folders.store(0, &message);
    };
    let stage = Stage::new(forge, true, Expect::Inbox).await;
    let outcome = stage.run(1, 5_000).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", fault(&outcome));
    assert_eq!(outcome.findings[0].rule, "mailbox.forged_token");
    stage.probe.mailbox.shutdown().await;
    assert_eq!(stage.folders.texts(0).len(), 1, "only ours was removed");
}

#[tokio::test]
async fn strays_of_a_crash_are_told_and_removed_and_other_mail_stays() {
    let mut stage = Stage::new(deliver, true, Expect::Inbox).await;
    let sealed = |key: &TokenKey, epoch| {
        let run = RunId { epoch: Epoch(epoch), intent: 99 };
        let draft = Draft { run, ..stage.probe.draft(run_of(run, &stage)) }.seal(key);
        String::from_utf8(draft.chunks().flat_map(|piece| piece.into_owned()).collect()).unwrap()
    };
    let others = sealed(&TokenKey::from_bytes([6; 32]), 1);
    stage.folders.store(0, &sealed(&stage.key, 1));
    stage.folders.store(1, &sealed(&stage.key, 1));
    stage.folders.store(0, &others);
    stage.folders.store(0, "Subject: lunch?\r\n\r\nAt noon\r\n");
    assert_eq!(stage.run(100, 5_000).await.verdict, Verdict::Pass);
    stage.probe.mailbox.shutdown().await;
    assert_eq!(stage.folders.texts(0).len(), 2, "another agent's and somebody's own");
    assert!(stage.folders.texts(1).is_empty());
    for _ in 0..2 {
        let amendment = stage.amendment().await;
        assert_eq!((amendment.run.intent, amendment.is_found), (99, true));
    }
}

fn run_of(id: RunId, stage: &Stage) -> &'static Run {
    Box::leak(Box::new(Run {
        id,
        agent: AgentId([1; 16]),
        check: "sandbox".into(),
        cause: Cause::OnDemand,
        scheduled_for: Clock::system().wall(),
        deadline: Clock::system().monotonic(),
        token_key: Arc::clone(&stage.key),
        amendments: stage.sender.clone(),
    }))
}

#[tokio::test]
async fn fifty_at_once_share_one_mailbox() {
    let stage = Arc::new(Stage::new(deliver, true, Expect::Inbox).await);
    let mut runs = tokio::task::JoinSet::new();
    for intent in 0..50 {
        let stage = Arc::clone(&stage);
        runs.spawn(async move { stage.run(intent, 8_000).await });
    }
    while let Some(outcome) = runs.join_next().await {
        let outcome = outcome.unwrap();
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", fault(&outcome));
    }
    assert!(stage.probe.mailbox.commands() <= 50 * 100, "{}", stage.probe.mailbox.commands());
    assert!(stage.is_clean().await);
}

#[tokio::test]
async fn a_strangers_endless_subject_is_in_nobodys_way() {
    let stage = Stage::new(deliver, true, Expect::Inbox).await;
    let subject = "x".repeat(100_000);
    stage.folders.store(0, &format!("From: a@b\r\nSubject: {subject}\r\n\r\nhello\r\n"));
    let outcome = stage.run(1, 5_000).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.transcript);
}

#[tokio::test]
async fn a_connection_that_breaks_in_mid_run_loses_no_arrival() {
    let stage = Arc::new(Stage::new(|_, _| (), true, Expect::Inbox).await);
    let sealed = Arc::new(Mutex::new(String::new()));
    let keep = Arc::clone(&sealed);
    let smtp = Server::smtp(move |message| *keep.lock().unwrap() = message).await;
    let mut settings = stage.probe.mailbox.settings().clone();
    settings.smtp = endpoint(smtp.port);
    let dying = Server::imap(Folders::new(), true).await;
    let front = Server::relay([dying.port, settings.inbox.server().port].to_vec()).await;
    settings.inbox = Inbox::Imap(endpoint(front.port));
    let (net, clock) = (Net::new(), Clock::system());
    let mailbox = Mailbox::new(settings, net.clone(), clock);
    let probe = RoundTrip::new(RoundTripSettings::default(), mailbox, net, clock);
    let second = Stage {
        folders: stage.folders.clone(),
        probe,
        key: Arc::clone(&stage.key),
        amendments: mpsc::channel(1).1,
        sender: stage.sender.clone(),
        _servers: (smtp, front),
    };
    let breaking = async {
        while sealed.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(dying);
        stage.folders.store(0, &sealed.lock().unwrap());
    };
    let (outcome, ()) = tokio::join!(second.run(1, 8_000), breaking);
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", fault(&outcome));
    assert!(second.is_clean().await);
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_watched_gets_no_message() {
    let mut stage = Stage::new(|_, _| panic!("nothing may be sent"), true, Expect::Inbox).await;
    let refusing = Server::scripted("* BYE closed\r\n", vec![]).await;
    let mut settings = stage.probe.mailbox.settings().clone();
    settings.inbox = Inbox::Imap(endpoint(refusing.port));
    stage.probe.mailbox = Mailbox::new(settings, Net::new(), Clock::system());
    let outcome = stage.run(1, 3_000).await;
    assert_eq!(
        fault(&outcome),
        "imap.greeting: temporary: the server refused the session: it is not available or has too \
         many connections"
    );
    assert!(outcome.transcript.contains("S: * BYE closed"), "{}", outcome.transcript);
    stage.probe.mailbox.shutdown().await;
}
