//! Bounces in free text: the first two bytes choose the form and the charset, the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::bounce;
use mailsonde_agent::mail::dsn::{LONGEST_DIAGNOSTIC, MOST_RECIPIENTS, Notification, may_be_one};

/// Each is known by words that only its form uses.
const FORMS: [&str; 10] = [
    "",
    "This message was created automatically by mail delivery software.\r\n",
    "Hi. This is the qmail-send program at a.\r\n",
    "Sorry, we were unable to deliver your message to the following address.\r\n",
    "Delivery to the following recipient failed permanently:\r\n\r\nTechnical details of permanent failure:\r\n",
    "did not reach the following recipient(s):\r\n",
    "Diagnostic information for administrators:\r\n",
    "----- Transcript of session follows -----\r\n",
    "This is the mail system at host a.\r\n",
    "The user(s) account is temporarily over quota.\r\n",
];
const KINDS: [&str; 8] = [
    "text/plain; charset=utf-8",
    "text/plain; charset=iso-2022-jp",
    "text/plain; charset=shift_jis",
    "text/plain; charset=koi8-r",
    "text/plain; charset=windows-1251\r\nContent-Transfer-Encoding: quoted-printable",
    "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64",
    "text/html; charset=utf-8",
    "multipart/mixed; boundary=b",
];

fuzz_target!(|parts: (u8, u8, &[u8])| {
    let (form, kind, text) = parts;
    let form = FORMS[usize::from(form) % FORMS.len()];
    let kind = KINDS[usize::from(kind) % KINDS.len()];
    let from =
        if form.starts_with("The user") { "Postmaster@ezweb.ne.jp" } else { "MAILER-DAEMON@a" };
    let head = format!("From: {from}\r\nSubject: Undeliverable\r\nContent-Type: {kind}\r\n\r\n");
    let message = [head.as_bytes(), form.as_bytes(), text].concat();
    assert!(may_be_one(&message));
    let bounce = bounce::read(&message).expect("a bounce");
    assert!(bounce.candidates.len() <= 28);
    let read = Notification::of(&message).expect("a bounce");
    assert!(!read.recipients.is_empty() && read.recipients.len() <= MOST_RECIPIENTS);
    for one in &read.recipients {
        assert!(one.diagnostic.chars().count() <= LONGEST_DIAGNOSTIC);
        assert!(one.address.as_ref().is_none_or(|address| address.len() <= 320));
    }
});
