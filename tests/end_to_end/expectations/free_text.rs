//! Bounces in free text, put into the mailbox of the sender over real servers, end the runs that they are about.

use std::path::PathBuf;
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_tests::lab::{MAIL, User};

use super::Pair;
use crate::agent::{in_company, lab, name_of};
use crate::dialogue::{Dialogue, connect};

/// Makes a bounce of a message that was sent.
type Form = fn(&str) -> String;

fn head(message: &str) -> &str {
    message.split_once("\r\n\r\n").expect("an end of the headers").0
}

fn message_id(message: &str) -> &str {
    message.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("a Message-ID")
}

fn qmail(message: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.far.test\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at \
         mx.far.test.\r\nI'm afraid I wasn't able to deliver your message to the following addresses.\r\n\r\n\
         <x@far.test>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of \
         the message.\r\n\r\n{}\r\n",
        head(message)
    )
}

fn exim(message: &str) -> String {
    format!(
        "X-Failed-Recipients: x@far.test\r\nAuto-Submitted: auto-replied\r\nFrom: Mail Delivery System \
         <Mailer-Daemon@mx.far.test>\r\nReferences: {}\r\nSubject: Mail delivery failed: returning message to \
         sender\r\n\r\nThis message was created automatically by mail delivery software.\r\n\r\nThe following \
         address(es) failed:\r\n\r\n  x@far.test\r\n    host mx.far.test [192.0.2.9]: 552 5.2.2 Mailbox \
         full\r\n",
        message_id(message)
    )
}

fn carrier(message: &str) -> String {
    format!(
        "From: no-reply@m.dion.ne.jp\r\nSubject: =?iso-2022-jp?B?GyRCR1s/LiRHJC0kXiQ7JHMbKEI=?=\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=F\r\n\r\n--F\r\nContent-Type: text/plain; \
         charset=iso-2022-jp\r\n\r\n    Could not be delivered to: <x@dion.ne.jp>\r\n    As their mailbox is \
         full.\r\n\r\n--F\r\nContent-Type: message/rfc822\r\n\r\n{}\r\n\r\n--F--\r\n",
        head(message)
    )
}

fn gateway(message: &str) -> String {
    format!(
        "From: postmaster@mx.far.test\r\nSubject: Undeliverable: your message\r\n\r\n<x@far.test>:\r\n550 5.7.1 \
         Spam message rejected\r\n\r\n> Message-Id: {}\r\n> Subject: a\r\n",
        message_id(message)
    )
}

/// A person who quotes what came back to somebody: no bounce.
fn person(message: &str) -> String {
    format!(
        "From: bob@elsewhere.test\r\nSubject: Re: failure notice\r\n\r\n> <x@far.test>:\r\n> 550 5.1.1 no\r\n> \
         Message-Id: {}\r\n",
        message_id(message)
    )
}

/// Name, sender on the envelope, form.
const FORMS: [(&str, &str, Form); 5] = [
    ("qmail", "", qmail),
    ("exim", "", exim),
    ("carrier", "", carrier),
    ("gateway", "", gateway),
    ("person", "bob@elsewhere.test", person),
];

fn maildir(user: &User) -> PathBuf {
    lab().folder().join(format!("mail/good.test/{}/Maildir", name_of(user)))
}

/// The message with these words in its subject that lies in a mailbox, with CRLF line ends.
fn lying(user: &User, words: &str) -> Option<String> {
    let entries = std::fs::read_dir(maildir(user).join("new")).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let text = texts.into_iter().find(|text| text.contains(&format!("Subject: {words}")))?;
    Some(text.replace("\r\n", "\n").replace('\n', "\r\n"))
}

/// As a strange mail exchanger brings it, on port 25.
fn bring(bounce: &str, from: &str, to: &User) {
    let mut session = Dialogue::new(connect(lab(), MAIL, 25).expect("port 25 accepts"));
    assert!(session.reply().starts_with("220 "));
    let to = &to.address;
    for line in
        ["EHLO b1.lab.test", &format!("MAIL FROM:<{from}>"), &format!("RCPT TO:<{to}>"), "DATA"]
    {
        let reply = session.say(line);
        assert!(reply.starts_with(['2', '3']), "{line}: {reply}");
    }
    let reply = session.say(&format!("To: <{to}>\r\n{bounce}\r\n."));
    assert!(reply.starts_with("250 "), "{reply}");
}

/// Answers each message that comes to `far` with the bounce that its subject names, until all are answered.
fn bounce_all(far: &User, to: &User) {
    let began = Clock::system().monotonic();
    let mut left = FORMS.to_vec();
    while !left.is_empty() && began.elapsed() < Duration::from_secs(60) {
        left.retain(|(name, from, form)| match lying(far, &format!("free text {name}")) {
            Some(message) => {
                bring(&form(&message), from, to);
                false
            }
            None => true,
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(
        left.is_empty(),
        "{} never came",
        left.iter().map(|(name, ..)| *name).collect::<String>()
    );
}

#[test]
fn a_bounce_in_free_text_ends_its_run() {
    let _company = in_company();
    let pair = Pair::new();
    let far = lab().claim_user().expect("a user");
    let settings = |name: &str, more: &str| {
        format!(
            "via = \"{}\"\nfrom_mailbox = \"sender\"\nsubject = \"free text {name}\"\n{more}",
            far.address
        )
    };
    let expecting = |name, code: &str| {
        settings(name, &format!("expect = \"bounced\"\nexpect_code = \"{code}\"\n"))
    };
    let checks = [
        ("qmail", expecting("qmail", "5.1.1")),
        ("exim", expecting("exim", "552")),
        ("carrier", settings("carrier", "expect = \"bounced\"\n")),
        ("gateway", settings("gateway", "")),
        ("person", settings("person", "expect = \"bounced\"\ntimeout = \"9s\"\n")),
    ];
    let checks: Vec<_> = checks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let told = std::thread::scope(|scope| {
        scope.spawn(|| bounce_all(&far, &pair.sender));
        pair.accept(&checks).1
    });
    for name in ["qmail", "exim", "carrier"] {
        told[name].assert_pass();
    }
    assert_eq!(told["exim"].fact("bounce.enhanced_code"), "5.2.2");
    let words = "the message bounced: a server on its way takes it for spam";
    told["gateway"].assert_fault("transit", "permanent", words);
    told["person"].assert_fault("transit", "timeout", "neither it nor the message came within");
    let left = ["new", "cur"].map(|part| {
        std::fs::read_dir(maildir(&pair.sender).join(part)).into_iter().flatten().count()
    });
    assert_eq!(left.iter().sum::<usize>(), 1, "only what the person wrote is left");
}
