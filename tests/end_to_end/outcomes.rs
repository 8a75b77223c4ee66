//! Every outcome of a round trip, told apart on real servers.

use std::time::Duration;

use mailsonde_agent::mail::token::{Token, TokenKey};
use mailsonde_proto::{AgentId, Epoch, RunId};
use mailsonde_tests::lab::User;

use crate::agent::{Config, Told, in_company, lab, name_of, somebody};
use crate::dialogue::{send, submission};

const SOON: Duration = Duration::from_secs(10);
/// Of those processes that must recognise each other's messages.
const KEY: u8 = 7;
const EPOCH: &str = "4711";

/// The files of a user's INBOX, as text.
fn inbox(user: &User) -> Vec<String> {
    let maildir = lab().folder().join(format!("mail/good.test/{}/Maildir", name_of(user)));
    let read = |part: &str| std::fs::read_dir(maildir.join(part)).into_iter().flatten().flatten();
    let paths = read("new").chain(read("cur")).map(|entry| entry.path());
    paths.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

fn assert_phases(told: &Told, names: &[&str]) {
    let submission = told.phases.iter().filter(|phase| !phase.name.starts_with("imap."));
    let found: Vec<&str> = submission.map(|phase| phase.name.as_str()).collect();
    assert_eq!(found, names, "{told:#?}");
}

#[test]
fn a_message_passes_by_each_way_of_submission() {
    let _company = in_company();
    let (user, settings) = somebody();
    let told = settings.probe();
    told.assert_pass();
    assert_eq!(told.fact("smtp.auth"), "SCRAM-SHA-256");
    assert_phases(
        &told,
        &[
            "resolve", "connect", "greeting", "tls", "auth", "envelope", "data", "transit",
            "arrival",
        ],
    );
    let told = settings.clone().with("smtp.tls", "implicit").probe();
    told.assert_pass();
    assert_phases(
        &told,
        &[
            "resolve", "connect", "tls", "greeting", "auth", "envelope", "data", "transit",
            "arrival",
        ],
    );
    let told = settings.clone().with("mx", "good.test").probe();
    told.assert_pass();
    assert_eq!(told.fact("smtp.exchanger"), "mx1.good.test");
    assert_phases(
        &told,
        &["resolve", "connect", "greeting", "tls", "envelope", "data", "transit", "arrival"],
    );
    let told = settings.clone().with("imap.tls", "starttls").probe();
    told.assert_pass();
    assert_eq!(told.fact("imap.folder"), "INBOX");
    assert_eq!(inbox(&user), Vec::<String>::new(), "all of them are removed");
}

#[test]
fn each_mechanism_of_authentication_signs_in() {
    let _company = in_company();
    let (_, settings) = somebody();
    for (port, mechanism) in [(1587, "PLAIN"), (2587, "LOGIN"), (587, "SCRAM-SHA-256")] {
        let told = settings.clone().with("smtp.port", port).probe();
        told.assert_pass();
        assert_eq!(told.fact("smtp.auth"), mechanism);
    }
}

#[test]
fn a_refused_recipient_is_told_with_the_servers_codes() {
    let _company = in_company();
    let (_, settings) = somebody();
    for (to, class, codes, words) in [
        ("reject@good.test", "permanent", (550, "5.7.1"), "its policy forbids it"),
        ("tempfail@good.test", "temporary", (451, "4.3.0"), "it says to try again later"),
        ("nosuch@good.test", "permanent", (550, "5.1.1"), "there is no such mailbox"),
    ] {
        let told = settings.clone().with("to", to).probe();
        let words = format!("the server refused the recipient: {words}");
        let fault = told.assert_fault("envelope", class, &words);
        let seen = (fault.basic_code, fault.enhanced_code.as_deref());
        assert_eq!(seen, (Some(codes.0), Some(codes.1)), "{told:#?}");
    }
}

#[test]
fn a_full_mailbox_refuses_at_the_exchanger_and_bounces_behind_the_submission() {
    let _company = in_company();
    let (_, settings) = somebody();
    let settings = settings.with("to", "full@good.test");
    let told = settings.clone().with("mx", "good.test").probe();
    let words = "the server refused the recipient: the mailbox is full";
    let fault = told.assert_fault("envelope", "permanent", words);
    assert_eq!(fault.basic_code, Some(552));
    let told = settings.probe();
    let fault =
        told.assert_fault("transit", "permanent", "the message bounced: the mailbox is full");
    assert_eq!(fault.enhanced_code.as_deref(), Some("5.2.2"), "{told:#?}");
}

#[test]
fn a_bounce_gives_its_reason_as_the_fault() {
    let _company = in_company();
    let (user, settings) = somebody();
    let told = settings.with("to", "x@bounce.test").probe();
    let fault =
        told.assert_fault("transit", "permanent", "the message bounced: there is no such mailbox");
    assert_eq!(fault.enhanced_code.as_deref(), Some("5.1.1"), "{told:#?}");
    assert_eq!(inbox(&user), Vec::<String>::new(), "the notification is removed");
}

#[test]
fn a_message_that_does_not_come_in_time_is_missed() {
    let _company = in_company();
    let (user, settings) = somebody();
    let to = format!("discard-{}@good.test", name_of(&user));
    let told = settings.with("to", to).with("timeout", "3s").probe();
    let words = "the message was accepted, but did not arrive within";
    told.assert_fault("arrival", "timeout", words);
    assert!(told.fact("smtp.queued").contains("queued as"), "{told:#?}");
    assert!((2_500_000..3_100_000).contains(&told.total_us), "{told:#?}");
}

#[test]
fn junk_is_a_mismatch_unless_it_is_expected() {
    let _company = in_company();
    let (_, settings) = somebody();
    // the check's name stands in the subject, which the lab's filter looks at
    for (expect, passes) in [("inbox", false), ("junk", true), ("anywhere", true)] {
        let config = Config::one("LAB-SPAM", settings.clone().with("expect", expect));
        let told = config.round_trips(&[]).told.remove(0);
        assert_eq!(told.fact("imap.folder"), "Junk");
        if passes {
            told.assert_pass();
        } else {
            told.assert_fault("arrival", "mismatch", "filed as junk: it arrived in Junk");
        }
    }
    let told = settings.with("expect", "junk").probe();
    told.assert_fault("arrival", "mismatch", "not filed as junk");
}

#[test]
fn a_second_copy_and_a_changed_body_are_mismatches() {
    let _company = in_company();
    let (user, settings) = somebody();
    let to = format!("dup-{}@good.test", name_of(&user));
    let told = settings.clone().with("to", to).with("settle", "3s").probe();
    told.assert_fault("arrival", "mismatch", "the message arrived twice: in INBOX and INBOX");

    // the check's name stands in the body too, where Postfix replaces the line
    let config = Config::one("LAB-CORRUPT-ME", settings);
    let told = config.round_trips(&[]).told.remove(0);
    told.assert_fault("arrival", "mismatch", "the message was altered on its way");
    assert_eq!(inbox(&user), Vec::<String>::new(), "all of them are removed");
}

#[test]
fn a_late_message_amends_its_run_and_makes_it_no_pass() {
    let _company = in_company();
    let (user, settings) = somebody();
    let to = format!("hold-{}@good.test", name_of(&user));
    let config = Config::one("mail", settings.with("to", to).with("timeout", "2s"));
    let mut agent = config.start(&["--linger-ms", "6000"]);
    let told = agent.told();
    told.assert_fault("arrival", "timeout", "did not arrive within");
    lab().release_held(told.fact("message_id")).expect("it is released");
    let rest = agent.rest();
    assert!(rest.told.is_empty(), "the run is told once: {rest:#?}");
    let [amendment] = rest.amendments.as_slice() else { panic!("one amendment: {rest:#?}") };
    assert_eq!(amendment.amends, 1);
    assert_eq!(
        (amendment.fault.phase.as_str(), amendment.fault.class.as_str()),
        ("arrival", "mismatch")
    );
    assert!(amendment.fault.explanation.contains("the message arrived late"), "{amendment:#?}");
    assert_eq!(amendment.fact("arrival.place"), Some("inbox"));
    assert_eq!(inbox(&user), Vec::<String>::new(), "it is removed after it was told");
}

#[test]
fn strays_of_a_killed_agent_go_at_the_next_start_and_nobody_elses_mail() {
    let _company = in_company();
    let (user, settings) = somebody();
    let to = format!("hold-{}@good.test", name_of(&user));
    let key = KEY.to_string();
    let identity = ["--key", &key, "--epoch", EPOCH];

    // an agent is killed while its message is on the way, which arrives then
    let config = Config::one("mail", settings.clone().with("to", &to));
    let mut killed = config.start(&identity);
    let stray = queued_by(&user);
    killed.kill();
    lab().release_held(&stray).expect("it is released");
    lab().wait_for_delivery(&stray, SOON).expect("it is stored");

    // somebody else's mail, and one with a forged token that names our key
    let forged = forged_token(&user);
    let mut session = submission(lab(), &user);
    for extra in ["Subject: foreign\r\n\r\nhello", &format!("X-Mailsonde-Token: {forged}\r\n\r\n")]
    {
        let id = send(&mut session, &user.address, &user.address, extra).expect("it is accepted");
        lab().wait_for_delivery(&id, SOON).expect("it is stored");
    }
    assert_eq!(inbox(&user).len(), 3);

    let next = Config::one("mail", settings).round_trips(&identity);
    next.told[0].assert_pass();
    let [amendment] = next.amendments.as_slice() else { panic!("the stray is told: {next:#?}") };
    assert!(amendment.fault.explanation.contains("the agent had been restarted"), "{amendment:#?}");
    let left = inbox(&user);
    assert_eq!(left.len(), 2, "{left:#?}");
    assert!(left.iter().all(|text| !text.contains(&stray)), "the stray is gone");
    assert!(left.iter().any(|text| text.contains("Subject: foreign")), "{left:#?}");
    assert!(left.iter().any(|text| text.contains(&forged)), "{left:#?}");
}

#[test]
fn a_forged_token_makes_no_arrival_but_a_finding() {
    let _company = in_company();
    let (user, settings) = somebody();
    let to = format!("hold-{}@good.test", name_of(&user));
    let key = KEY.to_string();
    let config = Config::one("mail", settings.with("to", &to).with("timeout", "4s"));
    let mut agent = config.start(&["--key", &key, "--epoch", EPOCH]);
    let held = queued_by(&user);
    let extra = format!("X-Mailsonde-Token: {}\r\n\r\nin its stead", forged_token(&user));
    send(&mut submission(lab(), &user), &user.address, &user.address, &extra).expect("accepted");
    let told = agent.told();
    told.assert_fault("arrival", "timeout", "did not arrive within");
    assert_eq!(told.fact("mailbox.forged_tokens"), "1");
    let rest = agent.rest();
    assert!(rest.findings.iter().any(|line| line.contains("mailbox.forged_token")), "{rest:#?}");
    assert!(rest.amendments.is_empty(), "{rest:#?}");
    assert_eq!(inbox(&user).len(), 1, "the forged message stays");
    assert!(lab().mail_log().delivery_of(&held).is_none());
}

/// A token that names the right key, epoch and run, sealed by nobody.
fn forged_token(user: &User) -> String {
    let key = TokenKey::from_bytes([KEY; 32]);
    let run = RunId { epoch: Epoch(EPOCH.parse().expect("a number")), intent: 1 };
    let token = Token::new(AgentId::default(), run, &user.address, [0; 16]);
    let mut sealed = key.seal(&token);
    let last = if sealed.ends_with('A') { "Q" } else { "A" };
    sealed.replace_range(sealed.len() - 1.., last);
    // a change of padding bits alone would be no change
    sealed.replace_range(100..104, if sealed[100..104] == *"AAAA" { "BBBB" } else { "AAAA" });
    sealed
}

/// Waits until Postfix has the first message of this user in its queue; its Message-ID.
fn queued_by(user: &User) -> String {
    let signed_in = format!("sasl_username={}", user.address);
    for _ in 0..1000 {
        let log = lab().mail_log();
        let id = log.with(&signed_in).find_map(|entry| {
            // "mx1/submission/smtpd[81]: 4cXYZ: client=…, sasl_username=…"
            let queue_id = entry.text.split_once(": client=")?.0.rsplit_once(' ')?.1;
            let wanted = format!("{queue_id}: message-id=<");
            let line = log.with(&wanted).next()?.text.clone();
            Some(line.rsplit_once('<')?.1.trim_end_matches('>').to_owned())
        });
        if let Some(id) = id {
            return id;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing of {} is in the queue", user.address);
}
