//! Recognises a bounce of a test message: a notification that returns our headers, or at least our
//! Message-ID, and what it says as the fault of the run.
//!
//! Absent on purpose: the reading of notifications (`dsn`).

use mailsonde_proto::FaultClass;

use super::dsn::{self, Notification, Reason, Recipient};
use super::failure::Failure;
use super::headers::block::Block;
use super::message::token_of_message_id;

/// The most Message-IDs that are looked at of those that a bounce says to answer.
const MOST_ANSWERED: usize = 20;

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// Texts that may be the token of the message it is about.
    pub candidates: Vec<String>,
    /// What happened.
    pub action: Action,
    /// Why, as the fault of the run that sent the message.
    pub failure: Failure,
}

/// What became of a message (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was given up.
    Failed,
    /// It is still being tried: not final.
    Delayed,
    /// It was delivered, relayed or expanded: no trouble at all.
    Fine,
}

/// Reads a notification; `None` when it is none.
pub fn read(bytes: &[u8]) -> Option<Bounce> {
    let notification = Notification::of(bytes)?;
    let worst = notification.worst()?;
    let action = match worst.action {
        dsn::Action::Delayed => Action::Delayed,
        dsn::Action::Delivered | dsn::Action::Relayed | dsn::Action::Expanded => Action::Fine,
        // Unknown is never fine.
        dsn::Action::Failed | dsn::Action::Unknown => Action::Failed,
    };
    let failure = failure(worst, action);
    let returned = notification.returned.map(|returned| returned.candidates);
    let mut candidates = returned.unwrap_or_default();
    // A bounce that returns nothing may still say which message it answers.
    let block = Block::of(bytes);
    for ids in ["In-Reply-To", "References"].into_iter().filter_map(|name| block.first(name)) {
        let answered = ids.split_whitespace().filter_map(token_of_message_id);
        candidates.extend(answered.take(MOST_ANSWERED).map(str::to_owned));
    }
    Some(Bounce { candidates, action, failure })
}

fn failure(recipient: &Recipient, action: Action) -> Failure {
    let (class, words) = match action {
        Action::Delayed => (
            FaultClass::Temporary,
            "the message is delayed: a server on its way cannot hand it on yet".to_owned(),
        ),
        Action::Failed | Action::Fine => {
            (FaultClass::Permanent, format!("the message bounced: {}", why(recipient.reason)))
        }
    };
    let reply = recipient.diagnostic.clone();
    Failure::new("transit", class, words).with_reply(recipient.basic, recipient.status, reply)
}

/// A reason in words for people.
const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownUser => "there is no such mailbox",
        Reason::MailboxFull => "the mailbox is full",
        Reason::TooLarge => "it is too large for a server on its way",
        Reason::Policy => "the policy of a server on its way forbids it",
        Reason::Spam => "a server on its way takes it for spam",
        Reason::BlockedAddress => "the address that it came from is blocked",
        Reason::Greylisted => "a server on its way wanted it to come again later",
        Reason::Dns => "its domain cannot be found",
        Reason::Tls => "a server on its way could not agree on TLS",
        Reason::Expired => "a server on its way gave up after trying for long",
        Reason::RelayDenied => "a server on its way does not relay it",
        Reason::Suspended => "the mailbox is switched off",
        Reason::RateLimited => "there were too many messages or connections at once",
        Reason::Authentication => "it was not authenticated as a server on its way wants",
        Reason::ContentRejected => "a server on its way does not take its content",
        Reason::Loop => "it went in circles",
        Reason::Moved => "the mailbox has moved",
        Reason::NotAccepting => "its domain takes no mail",
        Reason::Network => "the next server could not be reached",
        Reason::System => "a server on its way has trouble of its own",
        Reason::Unknown => "a server on its way refused it after it had been accepted",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dsn(status: &str, returned: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx.test\r\nTo: probe@good.test\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nI am sorry.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n\
             --b\r\n{returned}\r\n--b--\r\n"
        )
    }

    const FAILED: &str = "Reporting-MTA: dns; mx.test\r\nArrival-Date: Mon, 24 Nov 2025 16:00:00 +0000\r\n\r\n\
        Final-Recipient: rfc822; x@bounce.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\
        Diagnostic-Code: smtp; 550 5.1.1 <x@bounce.test>: Recipient\r\n    address rejected\r\n";
    const HEADERS: &str = "Content-Type: text/rfc822-headers\r\n\r\nSubject: a\r\n\
        X-Mailsonde-Token: TOKENa\r\nMessage-ID: <mailsonde.TOKENb@good.test>\r\n";

    #[test]
    fn a_failure_has_codes_and_the_remote_words() {
        let bounce = read(dsn(FAILED, HEADERS).as_bytes()).unwrap();
        assert_eq!(bounce.candidates, ["TOKENa", "TOKENb"]);
        assert_eq!(bounce.action, Action::Failed);
        let fault = bounce.failure.fault;
        assert_eq!(fault.basic_code, Some(550));
        assert_eq!(fault.enhanced_code.unwrap().to_string(), "5.1.1");
        assert_eq!(fault.reply, "550 5.1.1 <x@bounce.test>: Recipient address rejected");
        assert_eq!(fault.explanation, "the message bounced: there is no such mailbox");
    }

    #[test]
    fn the_whole_message_may_be_returned() {
        let returned = "Content-Type: message/rfc822\r\n\r\nX-Mailsonde-Token: T\r\nSubject: a\r\n\r\nbody\r\n";
        assert_eq!(read(dsn(FAILED, returned).as_bytes()).unwrap().candidates, ["T"]);
    }

    #[test]
    fn a_bounce_in_free_text_is_known_by_whatever_it_says_of_the_message() {
        let id = "<mailsonde.TOKEN@good.test>";
        for (headers, body) in [
            (
                "",
                format!(
                    "--- Below this line is a copy of the message.\r\n\r\nMessage-ID: {id}\r\n"
                ),
            ),
            (
                "",
                format!(
                    "--- Below this line is a copy of the message.\r\n\r\nMessage-ID:\r\n {id}\r\n"
                ),
            ),
            ("", "----- Original message -----\r\n\r\nX-Mailsonde-Token: TOKEN\r\n".to_owned()),
            ("", format!("Your message:\r\n> Message-Id: {id}\r\n> Subject: a\r\n")),
            ("", format!("(Message-ID {id} to <x@far.test>)\r\n")),
            ("References: <a@b>\r\n <mailsonde.TOKEN@good.test>\r\n", String::new()),
            ("In-Reply-To: <mailsonde.TOKEN@good.test>\r\n", String::new()),
        ] {
            let bounce = format!(
                "From: MAILER-DAEMON@a.test\r\nSubject: failure notice\r\n{headers}\r\nHi. This is the \
                 qmail-send program.\r\n\r\n<x@far.test>:\r\n550 5.1.1 no\r\n\r\n{body}"
            );
            let read = read(bounce.as_bytes()).unwrap();
            assert_eq!(read.candidates.first().map(String::as_str), Some("TOKEN"), "{bounce}");
            assert_eq!(read.failure.fault.enhanced_code.unwrap().to_string(), "5.1.1");
        }
    }

    #[test]
    fn actions_are_told_apart() {
        for (action, expected) in [
            ("delayed", Action::Delayed),
            ("Failed", Action::Failed),
            ("relayed", Action::Fine),
            ("delivered", Action::Fine),
        ] {
            let bounce = read(dsn(&FAILED.replace("failed", action), HEADERS).as_bytes()).unwrap();
            assert_eq!(bounce.action, expected, "{action}");
        }
    }

    #[test]
    fn other_mail_is_no_bounce() {
        for text in [
            "",
            "Subject: a\r\n\r\nbody",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn nothing_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            status in "(Action|Status|Diagnostic-Code|: |;|\r\n|[ -~]|5\\.[0-9.]{0,4}){0,20}",
        ) {
            let _read = read(&bytes);
            let _read = read(dsn(&status, HEADERS).as_bytes());
            let _read = read(&[dsn(FAILED, HEADERS).as_bytes(), &bytes].concat());
        }
    }
}
