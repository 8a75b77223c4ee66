//! By which of its headers a message may be a notification, before anything else of it is read.
//!
//! A report says so itself (RFC 6522); a bounce in free text is known by who writes it, or by a subject that
//! bounces have where a machine wrote it. Ordinary mail that quotes a bounce is not taken for one, nor is an
//! automatic answer. What passes may still turn out to be none.

use super::form::{decoded_subject, is_bounce_subject};
use crate::mail::headers::block::Block;

/// Who writes bounces and little else, by a part of From.
const SENDERS: [&str; 7] = [
    "mailer-daemon",
    "postmaster",
    "mail delivery s",
    "system administrator",
    "mail administrator",
    "mailer.daemon",
    "microsoftexchange",
];
/// Senders that nobody answers: what some carriers send their bounces as.
const NOBODY: [&str; 5] = ["noreply", "no-reply", "no_reply", "donotreply", "do-not-reply"];

pub(super) fn may_be_one(block: &Block<'_>) -> bool {
    let lower = |name: &str| block.first(name).unwrap_or_default().trim().to_ascii_lowercase();
    let content_type = lower("Content-Type");
    let is_report = content_type.starts_with("multipart/report")
        && !content_type.contains("disposition-notification")
        && !content_type.contains("feedback-report");
    if is_report || block.first("X-Failed-Recipients").is_some() {
        return true;
    }
    let from = lower("From");
    let auto_submitted = lower("Auto-Submitted");
    let has_subject = || is_bounce_subject(&decoded_subject(block).to_lowercase());
    // An answer of a person's mailbox comes with a null sender, too (RFC 3834 section 3.1.2).
    let is_answer = block.first("In-Reply-To").is_some()
        && (auto_submitted.starts_with("auto-replied")
            || lower("Precedence") == "auto_reply"
            || ["X-Autoreply", "X-Autorespond"].iter().any(|name| block.first(name).is_some()));
    if is_answer {
        return from.contains("mailer-daemon") && has_subject();
    }
    let is_machine = lower("Return-Path") == "<>"
        || auto_submitted.starts_with("auto-")
        || NOBODY.iter().any(|nobody| from.contains(nobody));
    SENDERS.iter().any(|sender| from.contains(sender)) || (is_machine && has_subject())
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
            ("From: a@a.test\r\nX-Failed-Recipients: x@b.test", true),
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
            ("From: a@b.test\r\nSubject: Re: failure notice", false),
            ("", false),
        ] {
            let headers = format!("{headers}\r\n\r\n");
            assert_eq!(may_be_one(&Block::of(headers.as_bytes())), expected, "{headers}");
        }
    }
}
