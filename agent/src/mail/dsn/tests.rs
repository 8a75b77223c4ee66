use proptest::prelude::*;

use super::*;

mod samples;

use samples::{SAMPLES, Sample};

/// `address action status basic reason remote`, a line a recipient.
fn short(notification: &Notification) -> Vec<String> {
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    notification
        .recipients
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {} {}",
                or(one.address.clone()),
                one.action.as_str(),
                or(one.status.map(|code| code.to_string())),
                or(one.basic.map(|code| code.to_string())),
                one.reason.as_str(),
            )
        })
        .collect()
}

#[test]
fn every_form_is_read() {
    for Sample { name, form, message, recipients } in SAMPLES {
        let message = message.replace('\n', "\r\n");
        let read =
            Notification::of(message.as_bytes()).unwrap_or_else(|| panic!("{name}: no bounce"));
        assert_eq!(read.form, *form, "{name}");
        assert_eq!(short(&read), *recipients, "{name}: {read:#?}");
    }
}

#[test]
fn all_fields_of_a_report() {
    let sample = SAMPLES.iter().find(|sample| sample.name == "a delay").unwrap();
    let read = Notification::of(sample.message.as_bytes()).unwrap();
    assert_eq!(read.reporting_mta.as_deref(), Some("mx.good.test"));
    assert_eq!(read.envelope_id.as_deref(), Some("QQ314159"));
    assert_eq!(read.arrival_date.unwrap().to_string(), "2025-11-24T16:00:00.000000Z");
    let [recipient] = read.recipients.as_slice() else { panic!("{read:?}") };
    assert_eq!(recipient.original.as_deref(), Some("sales@good.test"));
    assert_eq!(recipient.remote_mta.as_deref(), Some("mx.slow.test"));
    assert_eq!(recipient.diagnostic, "connect to mx.slow.test[192.0.2.9]:25: Connection timed out");
    let until = recipient.will_retry_until.unwrap();
    assert_eq!(until.to_string(), "2025-11-29T16:00:00.000000Z");
    let returned = read.returned.unwrap();
    assert_eq!(returned.message_id.as_deref(), Some("mailsonde.TOKEN@good.test"));
    assert_eq!(returned.subject.as_deref(), Some("a test"));
    assert_eq!(returned.candidates, ["HEADER", "TOKEN"]);
}

#[test]
fn charsets_of_bounces() {
    let head = "From: MAILER-DAEMON@softbank.ne.jp\r\nSubject: =?ISO-2022-JP?B?GyRCMX4zSRsoQg==?= \
        Undeliverable\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=";
    let japanese =
        b"\r\n\r\n<a@softbank.ne.jp>:\r\n\x1b$BAw?.@h%a!<%k%\"%I%l%9$,8+$D$+$j$^$;$s\x1b(B\r\n";
    let message = [head.as_bytes(), b"ISO-2022-JP", japanese].concat();
    let read = Notification::of(&message).unwrap();
    assert_eq!(short(&read), ["a@softbank.ne.jp failed - - unknown_user"], "{read:?}");
    // Ящик получателя переполнен, in koi8-r and in windows-1251.
    let koi8 =
        b"\r\n\r\n<a@mail.ru>:\r\n\xf1\xdd\xc9\xcb \xd0\xcf\xcc\xd5\xde\xc1\xd4\xc5\xcc\xd1 \
        \xd0\xc5\xd2\xc5\xd0\xcf\xcc\xce\xc5\xce\r\n";
    let windows =
        b"\r\n\r\n<a@mail.ru>:\r\n\xdf\xf9\xe8\xea \xef\xee\xeb\xf3\xf7\xe0\xf2\xe5\xeb\xff \
        \xef\xe5\xf0\xe5\xef\xee\xeb\xed\xe5\xed\r\n";
    for (charset, body) in [(&b"koi8-r"[..], &koi8[..]), (b"windows-1251", windows)] {
        let message = [head.as_bytes(), charset, body].concat();
        let read = Notification::of(&message).unwrap();
        assert_eq!(short(&read), ["a@mail.ru failed - - mailbox_full"], "{read:?}");
    }
}

#[test]
fn other_mail_is_no_bounce() {
    for message in [
        "",
        "Subject: Returned mail\r\n\r\n<a@b.test>: 550 no",
        "From: a@b.test\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program\r\n",
        "Return-Path: <>\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <a@b>\r\nSubject: Undeliverable? No, \
         on holiday\r\n\r\nback on Monday",
        "From: postmaster@b.test\r\nReturn-Path: <>\r\nSubject: Hi\r\n\r\n> Hi. This is the qmail-send program\r\n",
        "From: postmaster@b.test\r\nSubject: Welcome\r\n\r\nhello a@b.test",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/disposition-notification\r\n\r\nDisposition: x\r\n--b--\r\n",
    ] {
        assert_eq!(Notification::of(message.as_bytes()), None, "{message}");
    }
}

#[test]
fn recipients_and_texts_are_bounded() {
    let mut status = "Reporting-MTA: dns; a\r\n\r\n".to_owned();
    for number in 0..300 {
        let fields = format!(
            "Final-Recipient: rfc822; a{number}@b.test\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 {}\r\n\r\n",
            "x".repeat(2_000)
        );
        status.push_str(&fields);
    }
    let message = format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: \
         message/delivery-status\r\n\r\n{status}--b--\r\n"
    );
    let read = Notification::of(message.as_bytes()).unwrap();
    assert_eq!(read.recipients.len(), MOST_RECIPIENTS);
    assert!(read.left_out > 0);
    assert!(read.recipients.iter().all(|one| one.diagnostic.len() <= LONGEST_DIAGNOSTIC));
}

#[test]
fn codes_are_not_any_digits() {
    for (text, expected) in [
        ("550 5.1.1 no", "550 5.1.1"),
        ("550-5.1.1 no", "550 5.1.1"),
        ("host a [192.0.2.1]: 450 later", "450 -"),
        ("#550 5.4.4 X; y ##", "550 5.4.4"),
        ("returned '554 5.7.1 no'", "554 5.7.1"),
        ("(reason: 550 5.1.1 <a@b>... User unknown)", "550 5.1.1"),
        ("Sorry, no mailbox here. (#5.1.1)", "- 5.1.1"),
        ("try again in 500 seconds", "- -"),
        ("250 2.0.0 Ok", "- -"),
    ] {
        let (basic, enhanced) = codes(text);
        let basic = basic.map_or("-".to_owned(), |code| code.to_string());
        let enhanced = enhanced.map_or("-".to_owned(), |code| code.to_string());
        assert_eq!(format!("{basic} {enhanced}"), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _read = Notification::of(&bytes);
        let bounce = [b"From: MAILER-DAEMON@a\r\nSubject: Undeliverable\r\n".as_slice(), &bytes].concat();
        let _read = Notification::of(&bounce);
    }

    #[test]
    fn no_damage_panics(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..24),
        cut in any::<prop::sample::Index>(),
    ) {
        let sample = which.get(SAMPLES);
        let mut bytes = sample.message.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Some(read) = Notification::of(&bytes) {
            prop_assert!(!read.recipients.is_empty() && read.recipients.len() <= MOST_RECIPIENTS);
            for one in &read.recipients {
                prop_assert!(one.diagnostic.chars().count() <= LONGEST_DIAGNOSTIC);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_charset_panics(
        body in prop::collection::vec(any::<u8>(), 0..60),
        encoding in prop::sample::select(vec!["7bit", "base64", "quoted-printable"]),
        charset in prop::sample::select(vec![
            "iso-2022-jp", "shift_jis", "euc-jp", "koi8-r", "gb18030", "utf-16", "utf-7",
        ]),
        escape in prop::sample::select(vec!["", "\x1b$B", "\x1b(I", "\x1b$@", "+"]),
    ) {
        let head = format!(
            "From: MAILER-DAEMON@a\r\nSubject: Undeliverable\r\nContent-Type: text/plain; \
             charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{escape}"
        );
        if let Some(read) = Notification::of(&[head.as_bytes(), &body].concat()) {
            for one in &read.recipients {
                prop_assert!(one.diagnostic.chars().count() <= LONGEST_DIAGNOSTIC);
            }
        }
    }
}
