//! What the lab does with mail besides storing it: filters, answers, quotas, greylisting, signatures.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailsonde_tests::lab::{FILTER, GREY, MAIL, RELAY, User};

use super::{PLAIN, SOON, lab, messages};
use crate::dialogue::{Dialogue, connect, encrypt, send, submission, submission_at};

const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

/// Put together here, so that no scanner takes this file away.
fn eicar() -> String {
    format!(r"X5O!P%@AP[4\PZX54(P^)7CC)7}}$EICAR-{}-FILE!$H+H*", "STANDARD-ANTIVIRUS-TEST")
}

fn attachment(name: &str, content: &[u8]) -> String {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=zz\r\n\r\n--zz\r\n\
         Content-Type: application/octet-stream\r\nContent-Disposition: attachment; \
         filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--zz--\r\n",
        STANDARD.encode(content)
    )
}

fn name_of(user: &User) -> &str {
    user.address.trim_end_matches("@good.test")
}

/// Signed in by IMAP.
fn imap(name: &str) -> Dialogue<impl std::io::Read + std::io::Write> {
    let user = lab().user(name).expect("a user");
    let stream = encrypt(lab(), connect(lab(), MAIL, 993).expect("it accepts"), "imap.good.test");
    let mut session = Dialogue::new(stream.expect("TLS stands"));
    let login = format!("LOGIN {} {}", user.address, user.password);
    assert!(session.command(&login).contains("a1 OK"));
    session
}

/// Waits for a message that holds these words.
fn wait_for(user: &User, mailbox: &str, words: &str) -> String {
    for _ in 0..500 {
        if let Some(text) = messages(user, mailbox, words).into_iter().next() {
            return text;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nothing with {words} came to {}", user.address);
}

#[test]
fn dangerous_and_large_mail_is_refused_after_its_text() {
    let user = lab().claim_user().expect("a user");
    let mut session = submission(lab(), &user);
    let large = format!("\r\n{}", format!("{}\r\n", "x".repeat(998)).repeat(5300));
    for (what, text, start) in [
        ("GTUBE", format!("\r\n{GTUBE}"), "550 5.7.1 lab: spam"),
        ("EICAR", format!("\r\n{}", eicar()), "550 5.7.1 lab: malware"),
        ("EICAR attached", attachment("a.txt", eicar().as_bytes()), "550 5.7.1 lab: malware"),
        ("a program", attachment("setup.exe", b"MZ"), "550 5.7.1 lab: attachments"),
        ("5.3 MB", large, "552 5.3.4 "),
    ] {
        let reply = send(&mut session, &user.address, &user.address, &text).expect_err(what);
        assert!(reply.starts_with(start), "{what}: {reply}");
    }
    let harmless = attachment("setup.exe.txt", b"MZ");
    send(&mut session, &user.address, &user.address, &harmless).expect("a text is not");
}

#[test]
fn sieve_files_and_answers() {
    let user = lab().claim_user().expect("a user");
    let name = name_of(&user);
    let mut session = submission(lab(), &user);
    let mut to = |to: &str, extra: &str| {
        send(&mut session, &user.address, to, extra).expect("it is accepted")
    };
    let filed = to(&user.address, "Subject: LAB-FILED please\r\n\r\nhello");
    let listed = to(&format!("list-{name}@good.test"), PLAIN);
    let tagged = to(&format!("{name}+tag@good.test"), PLAIN);
    let answered = to(&format!("away-{name}@good.test"), "Subject: are you there\r\n\r\nhello");
    let automatic = "Subject: a machine\r\nAuto-Submitted: auto-generated\r\n\r\nhello";
    let unanswered = to("away@good.test", automatic);
    assert_eq!(lab().wait_for_delivery(&filed, SOON).expect("filed").mailbox, "Filed");
    assert_eq!(lab().wait_for_delivery(&tagged, SOON).expect("tagged").user, user.address);
    lab().wait_for_delivery(&listed, SOON).expect("listed");
    let mut receivers: Vec<String> = Vec::new();
    for _ in 0..500 {
        receivers =
            lab().mail_log().deliveries_of(&listed).iter().map(|d| d.user.clone()).collect();
        if receivers.len() >= 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    receivers.sort_unstable();
    assert_eq!(receivers, ["bob@good.test", &user.address]);
    let answer = wait_for(&user, "", &format!("In-Reply-To: <{answered}>"));
    assert!(answer.contains("Auto-Submitted: auto-replied"), "{answer}");
    assert_eq!(messages(&user, "", &format!("Message-ID: <{answered}>")).len(), 1, "and it came");
    lab().wait_for_delivery(&unanswered, SOON).expect("it comes to away");
    // the other answer was given meanwhile, and this one would have been as quick
    assert!(messages(&user, "", &format!("In-Reply-To: <{unanswered}>")).is_empty());
}

#[test]
fn mailboxes_are_nearly_full_and_unwatched() {
    let quota = imap("nearly").command("GETQUOTAROOT INBOX");
    let words: Vec<&str> = quota.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "(STORAGE").expect("a quota of storage");
    let used: u64 = words[at + 1].parse().expect("a number");
    assert_eq!(words[at + 2], "100)");
    assert!((95..98).contains(&used), "{quota}");

    let mut session = imap("stuck");
    assert!(session.command("SELECT INBOX").contains("* 3 EXISTS"));
    let day: String = session.command("FETCH 1 INTERNALDATE");
    let older = session.command("SEARCH OLDER 172800");
    assert!(older.contains("* SEARCH 1\r\n"), "{older} {day}");
    assert!(session.command("SELECT Outgoing").contains("* 2 EXISTS"));
    assert!(session.command("SEARCH OLDER 10000").contains("* SEARCH 1 2\r\n"));
}

#[test]
fn an_open_relay_takes_mail_for_strangers_and_others_do_not() {
    for (host, start) in [(RELAY, "250 2.1.5 "), (MAIL, "554 5.7.1 ")] {
        let mut session = Dialogue::new(connect(lab(), host, 25).expect("it accepts"));
        session.reply();
        session.say("EHLO b1.lab.test");
        session.say("MAIL FROM:<a@elsewhere.test>");
        let reply = session.say("RCPT TO:<b@elsewhere.test>");
        assert!(reply.starts_with(start), "{host}: {reply}");
    }
}

#[test]
fn greylisting_lets_the_second_try_pass() {
    lab().start_greylisting(Duration::from_secs(2)).expect("postgrey starts");
    let user = lab().claim_user().expect("a user");
    let to = format!("{}@grey.test", name_of(&user));
    let mut session = Dialogue::new(connect(lab(), GREY, 25).expect("it accepts"));
    session.reply();
    session.say("EHLO b1.lab.test");
    let first = send(&mut session, "a@elsewhere.test", &to, PLAIN).expect_err("not at once");
    assert!(first.starts_with("450 4.2.0 ") && first.contains("Greylisted"), "{first}");
    // Postfix ends a session after 20 errors: fewer tries than that
    for _ in 0..18 {
        std::thread::sleep(Duration::from_millis(500));
        if let Ok(id) = send(&mut session, "a@elsewhere.test", &to, PLAIN) {
            let delivery = lab().wait_for_delivery(&id, SOON).expect("it arrives");
            assert_eq!(delivery.user, user.address);
            return;
        }
    }
    panic!("refused for nine seconds");
}

#[test]
fn the_filter_signs_what_goes_out_and_judges_what_comes_in() {
    lab().start_filter().expect("rspamd starts");
    let user = lab().claim_user().expect("a user");
    let to = format!("{}@filter.test", name_of(&user));
    let mut session = submission_at(lab(), &user, FILTER, "mx.filter.test");
    let mut results = |from: &str| {
        let id = send(
            &mut session,
            from,
            &to,
            "Subject: hello\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n\r\nhello",
        )
        .expect("it is accepted");
        lab().wait_for_delivery(&id, SOON).expect("it arrives");
        let text = messages(&user, "", &id).into_iter().next().expect("the message");
        let head = text.split("\n\n").next().expect("a head").replace("\n\t", " ");
        assert!(head.contains("\nDKIM-Signature: "), "{head}");
        let line = head.lines().find(|line| line.starts_with("Authentication-Results: "));
        line.unwrap_or_else(|| panic!("no results in {head}")).to_owned()
    };
    for (from, words) in [
        (
            "a@good.test",
            &["mx.filter.test;", "dkim=pass", "s2048", "header.s=ed", "spf=pass", "dmarc=pass"][..],
        ),
        ("a@sender.test", &["dkim=pass", "spf=pass", "dmarc=pass"]),
        // another selector than DNS has
        ("a@nospf.test", &["dkim=", "header.s=nothere", "spf=none"]),
        ("a@dkim.test", &["dkim=pass", "header.s=s1024"]),
    ] {
        let line = results(from);
        for word in words {
            assert!(line.contains(word), "{word} in {line}");
        }
    }
}

#[test]
fn the_filter_knows_spam_forgery_and_malware() {
    lab().start_filter().expect("rspamd starts");
    let user = lab().claim_user().expect("a user");
    let to = format!("{}@filter.test", name_of(&user));
    let mut session = Dialogue::new(connect(lab(), FILTER, 25).expect("it accepts"));
    session.reply();
    session.say("EHLO b1.lab.test");
    let forged = send(&mut session, "a@good.test", &to, PLAIN).expect("it is accepted");
    lab().wait_for_delivery(&forged, SOON).expect("it arrives");
    let text = messages(&user, "", &forged).concat();
    assert!(text.contains("spf=fail") && text.contains("dmarc=fail"), "{text}");
    let refused = [
        ("GTUBE", format!("Subject: a\r\n\r\n{GTUBE}"), "554 5.7.1 "),
        (
            "EICAR",
            attachment("a.txt", format!("xy{}", eicar()).as_bytes()),
            "554 5.7.1 lab: malware",
        ),
    ];
    for (what, text, start) in refused {
        let reply = send(&mut session, "a@elsewhere.test", &to, &text).expect_err(what);
        assert!(reply.starts_with(start), "{what}: {reply}");
    }
    let spam = format!("Subject: b\r\n\r\nY{}", &GTUBE[1..]);
    let spam = send(&mut session, "a@elsewhere.test", &to, &spam).expect("it is accepted");
    assert_eq!(lab().wait_for_delivery(&spam, SOON).expect("spam").mailbox, "Junk");
}
