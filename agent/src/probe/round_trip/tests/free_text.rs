//! Bounces in free text, as servers write them that know no RFC 3464.

use super::*;

/// The header block of a message.
fn head(message: &str) -> &str {
    message.split_once("\r\n\r\n").unwrap().0
}

fn message_id(message: &str) -> &str {
    message.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap()
}

fn qmail(message: &str) -> String {
    format!(
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.good.test\r\nSubject: failure notice\r\n\r\nHi. This is the \
         qmail-send program at mx.good.test.\r\n\r\n<x@far.test>:\r\nSorry, no mailbox here by that name. \
         (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n\r\nReturn-Path: \
         <probe@good.test>\r\n{}\r\n\r\nbody\r\n",
        head(message)
    )
}

/// It says to be an automatic reply to our message, too.
fn exim(message: &str) -> String {
    format!(
        "X-Failed-Recipients: x@far.test\r\nAuto-Submitted: auto-replied\r\nFrom: Mail Delivery System \
         <Mailer-Daemon@mx.good.test>\r\nIn-Reply-To: {}\r\nSubject: Mail delivery failed: returning message to \
         sender\r\n\r\nThis message was created automatically by mail delivery software.\r\n\r\nThe following \
         address(es) failed:\r\n\r\n  x@far.test\r\n    host mx.far.test [192.0.2.9]: 550 5.1.1 User \
         Unknown\r\n",
        message_id(message)
    )
}

fn gmail(message: &str) -> String {
    format!(
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nSubject: Delivery Status Notification \
         (Failure)\r\n\r\nDelivery to the following recipient failed permanently:\r\n\r\n     \
         x@far.test\r\n\r\nTechnical details of permanent failure:\r\nGoogle tried to deliver your \
         message.\r\n\r\nThe error that the other server returned was:\r\n550 5.1.1 User unknown\r\n\r\n----- \
         Original message -----\r\n\r\n{}\r\n\r\nbody\r\n",
        head(message)
    )
}

/// KDDI: a sender that nobody answers, in parts, the second of which is our message.
fn carrier(message: &str) -> String {
    format!(
        "Return-Path: <>\r\nFrom: no-reply@m.dion.ne.jp\r\nSubject: \
         =?iso-2022-jp?B?GyRCR1s/LiRHJC0kXiQ7JHMbKEI=?=\r\nContent-Type: multipart/mixed; \
         boundary=F\r\n\r\n--F\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n    Could not be delivered \
         to: <x@dion.ne.jp>\r\n    550 5.1.1 User unknown\r\n\r\n--F\r\nContent-Type: \
         message/rfc822\r\n\r\n{message}\r\n--F--\r\n"
    )
}

fn gateway(message: &str) -> String {
    format!(
        "From: Postmaster <postmaster@mx.far.test>\r\nSubject: Undeliverable: your \
         message\r\n\r\n<x@far.test>:\r\n550 5.1.1 no such user\r\n\r\n> Message-Id: {}\r\n> Subject: a\r\n",
        message_id(message)
    )
}

type Form = fn(&str) -> String;
const FORMS: [Form; 5] = [qmail, exim, gmail, carrier, gateway];

#[tokio::test]
async fn a_bounce_in_free_text_ends_its_run() {
    for form in FORMS {
        for (expect, expected) in [(Expect::Bounced, "Pass"), (Expect::Inbox, "transit: permanent")]
        {
            let back = move |folders: &Folders, message: String| folders.store(0, &form(&message));
            let settings = RoundTripSettings { expect, ..RoundTripSettings::default() };
            let stage = Stage::with(settings, |_, _| None, back, true).await;
            let outcome = stage.run(1, 3_000).await;
            assert!(fault(&outcome).starts_with(expected), "{}", form("Message-ID: <a@b>\r\n\r\n"));
            assert!(fault(&outcome).contains("no such mailbox") == (expected != "Pass"));
            assert!(stage.is_clean().await);
        }
    }
}

#[tokio::test]
async fn a_bounce_in_free_text_that_comes_late_amends_its_run() {
    for form in FORMS {
        let kept = Arc::new(Mutex::new(String::new()));
        let keep = Arc::clone(&kept);
        let deliver = move |_: &Folders, message: String| *keep.lock().unwrap() = message;
        let settings = RoundTripSettings::default();
        let mut stage = Stage::with(settings, |_, _| None, deliver, true).await;
        assert!(fault(&stage.run(1, 500).await).starts_with("arrival: timeout"));
        stage.folders.store(0, &form(&kept.lock().unwrap()));
        let amendment = stage.amendment().await;
        assert_eq!(amendment.run.intent, 1);
        let said = amendment.fault.to_string();
        assert!(said.contains("no such mailbox") && said.contains("5.1.1"), "{said}");
        assert!(stage.is_clean().await);
    }
}

#[tokio::test]
async fn what_only_looks_like_a_bounce_is_left_alone() {
    let quoting: Form = |message| {
        format!(
            "From: bob@good.test\r\nSubject: Re: failure notice\r\n\r\n> <x@far.test>: 550 5.1.1 no\r\n> \
             Message-ID: {}\r\n",
            message_id(message)
        )
    };
    let of_others: Form = |_| qmail("Message-ID: <a@good.test>\r\n\r\n");
    for form in [quoting, of_others] {
        let back = move |folders: &Folders, message: String| folders.store(0, &form(&message));
        let settings =
            RoundTripSettings { expect: Expect::Bounced, ..RoundTripSettings::default() };
        let stage = Stage::with(settings, |_, _| None, back, true).await;
        assert!(fault(&stage.run(1, 800).await).starts_with("transit: timeout"));
        stage.probe.mailbox.shutdown().await;
        assert_eq!(stage.folders.texts(0).len(), 1);
    }
}
