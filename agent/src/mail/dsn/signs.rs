//! By which of its headers a message may be a notification, before anything else of it is read.
//!
//! A report says so itself (RFC 6522); a bounce in free text is known by who writes it, or by a subject that
//! bounces have where a machine wrote it. Ordinary mail that quotes a bounce is not taken for one, nor is an
//! automatic answer. What passes may still turn out to be none.

use super::form::{begins_as_bounce, decoded_subject, is_bounce_subject};
use crate::mail::headers::block::Block;

/// Who writes bounces and nothing else, by the beginning of the name or the address.
const DAEMONS: [&str; 4] =
    ["mailer-daemon", "mailer.daemon", "mail delivery s", "microsoftexchange"];
/// Who writes bounces, and is a person as well.
const ROLES: [&str; 4] =
    ["postmaster", "administrator", "system administrator", "mail administrator"];
/// How the subjects of automatic replies begin.
const ANSWERS: [&str; 10] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "out of office",
    "automatische antwort",
    "abwesenheit",
    "réponse automatique",
    "автоответ",
    "自動応答",
];
/// What list software writes (RFC 2919, Mailman): its notices are about a list's mail and its members, and what
/// comes by a list is somebody's letter.
const LISTS: [&str; 4] = ["List-Id", "X-Mailman-Version", "X-BeenThere", "X-List-Administrivia"];
/// Senders that nobody answers: what some carriers send their bounces as.
const NOBODY: [&str; 5] = ["noreply", "no-reply", "no_reply", "donotreply", "do-not-reply"];

pub(super) fn may_be_one(block: &Block<'_>) -> bool {
    let lower = |name: &str| block.first(name).unwrap_or_default().trim().to_ascii_lowercase();
    let content_type = lower("Content-Type");
    let is_report = content_type.starts_with("multipart/report")
        && !content_type.contains("disposition-notification")
        && !content_type.contains("feedback-report");
    let has = |name: &str| block.first(name).is_some();
    if is_report {
        return true;
    }
    if LISTS.iter().any(|field| has(field)) {
        return false;
    }
    let from = lower("From");
    let auto_submitted = lower("Auto-Submitted");
    let has_subject = || is_bounce_subject(&decoded_subject(block).to_lowercase());
    let is_daemon = is_from(&from, &DAEMONS);
    let is_role = is_from(&from, &ROLES);
    if is_answer(block, &auto_submitted) {
        // Postfix and exim call their bounces auto-replied as well. An answer of a person's mailbox comes
        // with a null sender, too (RFC 3834 section 3.1.2).
        return match has("In-Reply-To") {
            true => is_daemon && (has_subject() || has("X-Failed-Recipients")),
            false => is_daemon || (is_role && begins_so(block)),
        };
    }
    let is_null = lower("Return-Path") == "<>";
    if is_role && !is_daemon {
        let is_machine = is_null || auto_submitted.starts_with("auto-generated");
        let is_reply = has("In-Reply-To") || has("References");
        return is_machine || (!is_reply && begins_so(block));
    }
    let is_nobody = NOBODY.iter().any(|nobody| from.contains(nobody));
    let is_machine = is_null || auto_submitted.starts_with("auto-") || is_nobody;
    // A ticket is written by a machine as well, and quotes the bounce that it is about. exim's field says who
    // failed; whoever writes it is a machine, or nobody we know.
    is_daemon
        || (is_machine && !has("References") && begins_so(block))
        || (is_machine && has("X-Failed-Recipients"))
}

fn begins_so(block: &Block<'_>) -> bool {
    begins_as_bounce(&decoded_subject(block).to_lowercase())
}

/// Whether one of these begins the name or the address of From; in lower case.
fn is_from(from: &str, senders: &[&str]) -> bool {
    let (name, address) = from.rsplit_once('<').unwrap_or((from, from));
    // `MAILER-DAEMON@mx.test (Mail Delivery System)`
    let comment = from.split_once('(').map_or("", |(_, comment)| comment);
    let comment = if name == address { comment } else { "" };
    let texts = [name.trim_start_matches(['"', ' ']), address, comment];
    senders.iter().any(|sender| texts.iter().any(|text| text.starts_with(sender)))
}

/// Whether it is an automatic answer, by its headers or its subject.
fn is_answer(block: &Block<'_>, auto_submitted: &str) -> bool {
    let has = |name: &str| block.first(name).is_some();
    let precedence = block.first("Precedence").unwrap_or_default();
    let is_replied =
        auto_submitted.starts_with("auto-replied") && !auto_submitted.contains("(failure");
    is_replied
        || precedence.trim().eq_ignore_ascii_case("auto_reply")
        || has("X-Autoreply")
        || has("X-Autorespond")
        || {
            let subject = decoded_subject(block).to_lowercase();
            ANSWERS.iter().any(|answer| subject.trim().starts_with(answer))
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_reading() {
        for (headers, expected) in [
            ("Content-Type: multipart/report;\r\n report-type=delivery-status", true),
            ("content-type:  Multipart/Report; boundary=b", true),
            ("Content-Type: multipart/report; report-type=disposition-notification", false),
            ("Content-Type: multipart/report; report-type=feedback-report", false),
            // qmail, Postfix, exim, Gmail, Exchange, sendmail
            ("From: MAILER-DAEMON@a.test\r\nSubject: failure notice", true),
            ("From: MAILER-DAEMON@a.test (Mail Delivery System)", true),
            (
                "From: Mail Delivery System <Mailer-Daemon@a.test>\r\nAuto-Submitted: auto-replied",
                true,
            ),
            ("From: a@a.test\r\nX-Failed-Recipients: x@b.test", false),
            ("From: MAILER-DAEMON@a.test\r\nX-Failed-Recipients: x@b.test", true),
            ("Return-Path: <>\r\nFrom: a@a.test\r\nX-Failed-Recipients: x@b.test", true),
            ("From: Mail Delivery Subsystem <x@a.test>", true),
            ("From: \"Microsoft Exchange\" <MicrosoftExchange329e@a.test>", true),
            ("From: Postmaster@ezweb.ne.jp\r\nSubject: Mail System Error - Returned Mail", true),
            // Carriers that nobody answers, and what only its envelope or its subject gives away.
            ("From: no-reply@m.dion.ne.jp\r\nSubject: Undelivered mail", true),
            ("From: no-reply@shop.test\r\nSubject: Your order", false),
            ("Return-Path: <>\r\nFrom: x@a.test\r\nSubject: Undeliverable: hello", true),
            ("Return-Path: <>\r\nFrom: x@a.test\r\nSubject: hello", false),
            ("Return-Path: <x@a.test>\r\nFrom: x@a.test\r\nSubject: Undeliverable: hello", false),
            ("Auto-Submitted: auto-generated\r\nSubject: =?utf-8?q?Unzustellbar=3A_hallo?=", true),
            (
                "Auto-Submitted: auto-replied (failure)\r\nSubject: \
                 =?utf-8?B?44Oh44O844Or44KS6YWN5L+h44Gn44GN44G+44Gb44KT?=",
                true,
            ),
            ("Auto-Submitted: auto-generated\r\nSubject: cron", false),
            ("Auto-Submitted: no\r\nSubject: failure notice", false),
            // Answers are none, whatever they say.
            (
                "Return-Path: <>\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <a@b>\r\nSubject: \
                 Undeliverable? No, on holiday",
                false,
            ),
            (
                "From: postmaster@a.test\r\nX-Autoreply: yes\r\nIn-Reply-To: <a@b>\r\nSubject: hi",
                false,
            ),
            (
                "From: MAILER-DAEMON@a.test\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <a@b>\r\n\
                 Subject: Delivery Status Notification (Failure)",
                true,
            ),
            ("", false),
        ] {
            check(headers, expected);
        }
    }

    fn check(headers: &str, expected: bool) {
        let headers = format!("{headers}\r\n\r\n");
        assert_eq!(may_be_one(&Block::of(headers.as_bytes())), expected, "{headers}");
    }

    #[test]
    fn persons_and_their_machines_answer() {
        for (headers, expected) in [
            ("From: a@b.test\r\nSubject: Re: failure notice", false),
            (
                "From: c@a.test\r\nReturn-Path: <>\r\nAuto-Submitted: auto-replied\r\nSubject: Automatic \
                 reply: Undeliverable: your mail",
                false,
            ),
            (
                "From: c@a.test\r\nReturn-Path: <>\r\nAuto-Submitted: auto-replied\r\nSubject: \
                 Undeliverable: I am away",
                false,
            ),
            ("Return-Path: <>\r\nSubject: Automatic reply: Undeliverable: hello", false),
            // Persons.
            (
                "From: Postmaster <postmaster@a.test>\r\nIn-Reply-To: <1@b>\r\nSubject: Re: failure notice",
                false,
            ),
            (
                "From: Postmaster <postmaster@a.test>\r\nSubject: Why was your mail undeliverable",
                false,
            ),
            (
                "From: System Administrator <root@a.test>\r\nSubject: How to read a delivery failure",
                false,
            ),
            (
                "From: Mail Administrator <x@a.test>\r\nSubject: Warning: message store maintenance",
                false,
            ),
            (
                "From: \"IT (mailer-daemon questions)\" <help@a.test>\r\nSubject: Re: mail delivery failed",
                false,
            ),
            // Tickets, and list software.
            ("From: noreply@help.test\r\nSubject: [Ticket 4711] Undeliverable: hello", false),
            (
                "From: Help <noreply@help.test>\r\nReferences: <1@a.test>\r\nSubject: Undeliverable: hello",
                false,
            ),
            (
                "From: desk@help.test\r\nAuto-Submitted: auto-generated\r\nSubject: Re: failure notice",
                false,
            ),
            (
                "From: mailman@lists.test\r\nReturn-Path: <>\r\nX-Mailman-Version: 2.1.39\r\nSubject: \
                 Undeliverable posts",
                false,
            ),
            (
                "From: MAILER-DAEMON@a.test\r\nList-Id: <team.lists.test>\r\nSubject: failure notice",
                false,
            ),
            ("From: postmaster@a.test\r\nReturn-Path: <>", true),
            ("From: postmaster@a.test\r\nAuto-Submitted: auto-generated", true),
            ("From: postmaster@a.test\r\nSubject: hello", false),
            ("From: System Administrator\r\nSubject: Unzustellbar: Hallo", true),
        ] {
            check(headers, expected);
        }
    }
}
