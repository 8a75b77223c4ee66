//! The lab itself: what its documentation promises, seen with a client of a few lines.

mod dns;
mod mail;
mod web;

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use mailsonde_tests::lab::{self, BAD_ENDPOINTS, Lab, LabError, MAIL, User};

use crate::dialogue::{Dialogue, connect, encrypt, send, submission};

const SOON: Duration = Duration::from_secs(10);
const PLAIN: &str = "Subject: hello\r\n\r\nhello";

fn lab() -> &'static Lab {
    lab::shared().expect("the shared lab")
}

/// A session at port 25, without a login.
fn exchanger() -> Dialogue<TcpStream> {
    let mut session = Dialogue::new(connect(lab(), MAIL, 25).expect("port 25 accepts"));
    assert!(session.reply().starts_with("220 "));
    session.say("EHLO b1.lab.test");
    session
}

/// The text of every message in a mailbox that contains some words.
fn messages(user: &User, mailbox: &str, words: &str) -> Vec<String> {
    let name = user.address.trim_end_matches("@good.test");
    let maildir = lab().folder().join(format!("mail/good.test/{name}/Maildir")).join(mailbox);
    let read = |part: &str| std::fs::read_dir(maildir.join(part)).into_iter().flatten().flatten();
    let paths: Vec<PathBuf> = read("new").chain(read("cur")).map(|entry| entry.path()).collect();
    let texts = paths.into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
    texts.filter(|text| text.contains(words)).collect()
}

/// Waits for a message about another one; its text.
fn bounce_of(user: &User, message_id: &str) -> String {
    for _ in 0..500 {
        let found = messages(user, "", &format!("Message-ID: <{message_id}>"));
        if let Some(text) = found.into_iter().find(|text| text.contains("report-type=delivery")) {
            return text;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no bounce of {message_id} came to {}", user.address);
}

#[test]
fn a_mail_is_stored_and_both_logs_say_when() {
    let user = lab().claim_user().expect("a user");
    let id = send(&mut submission(lab(), &user), &user.address, &user.address, PLAIN)
        .expect("it is accepted");
    let delivery = lab().wait_for_delivery(&id, SOON).expect("it is stored");
    assert_eq!((delivery.user, delivery.mailbox), (user.address, "INBOX".to_owned()));
    let log = lab().mail_log();
    let queued = log.queued_at(&id).expect("Postfix says so");
    assert_eq!(log.delivery_of(&id), Some(delivery.at));
    let took_us = delivery.at.signed_us_since(queued);
    assert!((-1_000_000..5_000_000).contains(&took_us), "{took_us} us from queue to mailbox");
    let is_finer = [delivery.at, queued].iter().any(|at| at.as_us() % 1_000 != 0);
    assert!(is_finer, "whole milliseconds: {} {}", delivery.at, queued);

    let none = lab().wait_for_delivery("nobody@b1.lab.test", Duration::from_millis(50));
    assert!(matches!(none, Err(LabError::TooLate { .. })), "{none:?}");
}

#[test]
fn recipients_are_refused_with_their_codes() {
    let user = lab().claim_user().expect("a user");
    let mut session = submission(lab(), &user);
    for (to, start) in [
        ("reject@good.test", "550 5.7.1 "),
        ("tempfail@good.test", "451 4.3.0 "),
        ("nosuch@good.test", "550 5.1.1 "),
    ] {
        let reply = send(&mut session, &user.address, to, PLAIN).expect_err("it is refused");
        assert!(reply.starts_with(start), "{to}: {reply}");
    }
    let mut session = exchanger();
    for (to, start) in [
        ("full@good.test", "552 5.2.2 "),
        ("nosuch@good.test", "550 5.1.1 "),
        ("someone@elsewhere.test", "554 5.7.1 "),
    ] {
        let reply = send(&mut session, "x@elsewhere.test", to, PLAIN).expect_err("it is refused");
        assert!(reply.starts_with(start), "{to}: {reply}");
    }
    send(&mut session, "x@elsewhere.test", &user.address, PLAIN).expect("others are not");
}

#[test]
fn accepted_mail_bounces_with_a_delivery_status() {
    let user = lab().claim_user().expect("a user");
    let mut session = submission(lab(), &user);
    for (to, status) in [("x@bounce.test", "Status: 5.1.1"), ("full@good.test", "Status: 5.2.2")] {
        let id = send(&mut session, &user.address, to, PLAIN).expect("it is accepted");
        let bounce = bounce_of(&user, &id);
        assert!(bounce.contains(status), "{bounce}");
        assert_eq!(lab().mail_log().delivery_of(&id), None);
    }
}

#[test]
fn special_mail_takes_its_special_way() {
    let user = lab().claim_user().expect("a user");
    let name = user.address.trim_end_matches("@good.test");
    let mut session = submission(lab(), &user);
    let mut to = |to: &str, extra: &str| {
        send(&mut session, &user.address, to, extra).expect("it is accepted")
    };
    let spam = to(&user.address, "Subject: LAB-SPAM\r\n\r\nbuy");
    let altered = to(
        &user.address,
        "X-Lab-Strip: gone\r\nX-Lab-Keep: kept\r\n\r\nLAB-CORRUPT-ME please\r\nand not me",
    );
    let twice = to(&format!("dup-{name}@good.test"), PLAIN);
    let forwarded = to(&format!("fwd-{name}@good.test"), PLAIN);
    let held = to(&format!("hold-{name}@good.test"), PLAIN);
    let lost = to(&format!("discard-{name}@good.test"), PLAIN);

    assert_eq!(lab().wait_for_delivery(&spam, SOON).expect("spam").mailbox, "Junk");
    assert_eq!(lab().wait_for_delivery(&forwarded, SOON).expect("forwarded").user, user.address);
    lab().wait_for_delivery(&altered, SOON).expect("altered");
    let texts = messages(&user, "", &altered);
    assert!(texts[0].contains("\ncorrupted by the lab\nand not me"), "{}", texts[0]);
    assert!(texts[0].contains("X-Lab-Keep") && !texts[0].contains("X-Lab-Strip"), "{}", texts[0]);

    lab().wait_for_delivery(&twice, SOON).expect("twice");
    for _ in 0..500 {
        if lab().mail_log().deliveries_of(&twice).len() >= 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(messages(&user, "", &twice).len(), 2);

    assert_eq!(lab().mail_log().delivery_of(&held), None);
    lab().release_held(&held).expect("it is released");
    lab().wait_for_delivery(&held, SOON).expect("held mail comes after its release");
    assert_eq!(lab().mail_log().delivery_of(&lost), None);
}

#[test]
fn certificates_are_good_where_they_should_be_and_bad_where_not() {
    let shake = |host, port, name| {
        let stream = connect(lab(), host, port).expect("it accepts");
        encrypt(lab(), stream, name).map(drop).map_err(|error| error.to_string())
    };
    for port in [465, 993, 995] {
        assert_eq!(shake(MAIL, port, "mail.good.test"), Ok(()), "{port}");
    }
    for (port, words) in
        [(465, "expired"), (466, "UnknownIssuer"), (467, "not valid for name"), (993, "expired")]
    {
        let error = shake(BAD_ENDPOINTS, port, "mail.badcert.test").expect_err("it must fail");
        assert!(error.contains(words), "{port}: {error}");
    }
    let mut session = Dialogue::new(connect(lab(), BAD_ENDPOINTS, 587).expect("it accepts"));
    session.reply();
    let capabilities = session.say("EHLO b1.lab.test");
    assert!(!capabilities.contains("STARTTLS") && !capabilities.contains("AUTH"), "{capabilities}");
}

#[test]
fn dovecot_offers_what_agents_use_and_counts_their_commands() {
    let user = lab().claim_user().expect("a user");
    let name = user.address.trim_end_matches("@good.test");
    lab().record_imap(name).expect("recording starts");
    let mut session = Dialogue::new(connect(lab(), MAIL, 143).expect("IMAP accepts"));
    session.reply();
    assert!(session.command("STARTTLS").starts_with("a1 OK"));
    let stream = encrypt(lab(), session.into_inner(), "imap.good.test").expect("TLS stands");
    let mut session = Dialogue::new(stream);
    let capabilities = session.command("CAPABILITY");
    for word in ["AUTH=SCRAM-SHA-256", "AUTH=PLAIN", "AUTH=LOGIN", "IDLE"] {
        assert!(capabilities.contains(word), "{capabilities}");
    }
    let login = |password: &str| format!("LOGIN {} {password}", user.address);
    assert!(session.command(&login("wrong")).contains("a1 NO"));
    assert!(session.command(&login(&user.password)).contains("a1 OK"));
    assert!(session.command("LIST (SPECIAL-USE) \"\" *").contains("\\Junk"));
    assert_eq!(lab().imap_commands(name), 1);
    session.command("NOOP");
    assert_eq!(lab().imap_commands(name), 2);
}
