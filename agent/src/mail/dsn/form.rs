//! Bounces that are no RFC 3464: which server wrote them, and what they say.
//!
//! Each form is known by words that only it uses. What has a bounce's sender and subject and no known
//! form is read for addresses and codes alone.

use mail_parser::{HeaderName, MessageParser};

use super::parts::Parts;
use super::plain::recipients;
use super::returned::own_text;
use super::{Action, Notification, Reason, Recipient, address, codes};
use crate::mail::headers::block::Block;

/// How much of a text is searched for the line that tells why, in bytes.
const LONGEST_TELLING: usize = 64 * 1024;

/// What is looked at.
struct Bounce<'a> {
    block: &'a Block<'a>,
    /// The text for people, without the message that is returned.
    text: &'a str,
    /// The same in lower case.
    lower: String,
    /// Decoded, in lower case.
    subject: String,
}

/// A form: its name, how it is known, how it is read.
struct Form {
    name: &'static str,
    is: fn(&Bounce<'_>) -> bool,
    read: fn(&Bounce<'_>) -> Vec<Recipient>,
}

const FORMS: [Form; 8] = [
    Form { name: "exim", is: is_exim, read: exim },
    Form { name: "qmail", is: |b| b.says("this is the qmail"), read: all },
    Form {
        name: "yahoo",
        is: |b| b.says("sorry, we were unable to deliver your message"),
        read: all,
    },
    Form { name: "gmail", is: is_gmail, read: gmail },
    Form { name: "exchange", is: is_exchange, read: exchange },
    Form { name: "au", is: is_au, read: au },
    Form { name: "sendmail", is: |b| b.says("----- transcript of session follows"), read: all },
    Form { name: "postfix", is: is_postfix, read: all },
];

/// Reads a bounce in any of the known forms, or in an unknown one.
pub(super) fn read(block: &Block<'_>, parts: &Parts<'_>) -> Option<Notification> {
    let text = own_text(&parts.text());
    let subject = decoded_subject(block).to_lowercase();
    let bounce = Bounce { block, text: &text, lower: text.to_lowercase(), subject };
    let form = FORMS.iter().find(|form| (form.is)(&bounce));
    let is_bounce = form.is_some()
        || is_bounce_subject(&bounce.subject)
        || block.first("X-Failed-Recipients").is_some();
    if !is_bounce {
        return None;
    }
    let mut recipients = form.map_or_else(|| all(&bounce), |form| (form.read)(&bounce));
    if recipients.is_empty() {
        recipients = bounce.failed_recipients();
    }
    if recipients.is_empty() {
        // It names nobody.
        recipients.push(Recipient::default());
    }
    if let [only] = recipients.as_mut_slice()
        && only.diagnostic.is_empty()
    {
        only.diagnostic = bounce.telling_line();
    }
    let is_delay = bounce.is_delay();
    for recipient in &mut recipients {
        recipient.action = if is_delay { Action::Delayed } else { Action::Failed };
    }
    let form = form.map_or("unknown", |form| form.name);
    Some(Notification { form, recipients, ..Notification::default() })
}

/// Whether a subject in lower case is one that bounces have.
pub(super) fn is_bounce_subject(subject: &str) -> bool {
    BOUNCE_SUBJECTS.iter().any(|word| subject.contains(word)) || is_warning_subject(subject)
}

/// Whether a subject in lower case begins as those of bounces do. People write of bounces, too.
pub(super) fn begins_as_bounce(subject: &str) -> bool {
    const BEFORE: [&str; 8] = [
        "mail ",
        "message ",
        "your message ",
        "email ",
        "письмо ",
        "сообщение ",
        "メールを",
        "メール ",
    ];
    let subject = subject.trim();
    let rest = BEFORE.iter().find_map(|before| subject.strip_prefix(before)).unwrap_or(subject);
    let begins = |word: &&str| subject.starts_with(*word) || rest.starts_with(*word);
    BOUNCE_SUBJECTS.iter().any(begins) || is_warning_subject(subject)
}

/// exim: `Warning: message 1vNZ-1 delayed 24 hours`; not `Warning: message store maintenance`.
fn is_warning_subject(subject: &str) -> bool {
    subject.starts_with("warning: message") && subject.contains("delayed")
}

const BOUNCE_SUBJECTS: [&str; 25] = [
    "undeliver",
    "delivery status notification",
    "returned mail",
    "failure notice",
    "delivery failure",
    "delivery failed",
    "delivery error",
    "delivery problem",
    "mail failure",
    "returned to sender",
    "mail system error",
    "could not be delivered",
    "not delivered",
    "nondeliver",
    "non-deliver",
    "delivery delayed",
    "delayed mail",
    "warning: could not send message",
    "message frozen",
    "unzustellbar",
    "non remis",
    "не доставлен",
    "недоставлен",
    "配信できません",
    "送信できません",
];

/// The subject as people read it.
pub(super) fn decoded_subject(block: &Block<'_>) -> String {
    let Some(subject) = block.first("Subject") else { return String::new() };
    let header = format!("Subject: {subject}\r\n\r\n");
    let parser = MessageParser::new().header_text(HeaderName::Subject);
    let parsed = parser.parse_headers(header.as_bytes());
    parsed.and_then(|message| message.subject().map(str::to_owned)).unwrap_or(subject)
}

impl Bounce<'_> {
    fn says(&self, words: &str) -> bool {
        self.lower.contains(words)
    }

    fn is_delay(&self) -> bool {
        const WORDS: [&str; 8] = [
            "this is a warning message only",
            "has not yet been delivered",
            "has been delayed",
            "you do not need to resend your message",
            "no action is required on your part",
            "will be retried for",
            "could not send message for past",
            "your message has been enqueued and undeliverable for",
        ];
        const SUBJECTS: [&str; 4] = [
            "delayed",
            "warning: could not send",
            "delivery status notification (delay)",
            "(delay)",
        ];
        SUBJECTS.iter().any(|words| self.subject.contains(words))
            || WORDS.iter().any(|words| self.says(words))
    }

    /// exim's header, which others write as well.
    fn failed_recipients(&self) -> Vec<Recipient> {
        let values = self.block.all("X-Failed-Recipients").take(20);
        let mut found: Vec<Recipient> = Vec::new();
        for value in values {
            for address in value.split(',').filter_map(address).take(super::MOST_RECIPIENTS) {
                found.push(Recipient { address: Some(address), ..Recipient::default() });
            }
        }
        found
    }

    /// The first line that holds a code or known words, with the line after it; empty where none does.
    fn telling_line(&self) -> String {
        let mut lines = self.text.lines().take(500).map(str::trim).filter(|line| !line.is_empty());
        // Beyond that much stands what it is about, not what it says.
        let mut left = LONGEST_TELLING;
        while let Some(line) = lines.next().filter(|_| left > 0) {
            left = left.saturating_sub(line.len());
            let line: String = line.chars().take(500).collect();
            let (basic, enhanced) = codes(&line);
            let is_telling = Reason::of(None, enhanced, &line) != Reason::Unknown;
            if is_telling || enhanced.is_some() || (basic.is_some() && line.contains("said")) {
                let next: String = lines.next().unwrap_or_default().chars().take(500).collect();
                return format!("{line} {next}");
            }
        }
        String::new()
    }
}

fn all(bounce: &Bounce<'_>) -> Vec<Recipient> {
    recipients(bounce.text)
}

fn is_exim(bounce: &Bounce<'_>) -> bool {
    bounce.says("this message was created automatically by mail delivery software")
        || (bounce.block.first("X-Failed-Recipients").is_some()
            && bounce.says("could not be delivered to one or more of its"))
}

/// What follows `The following address(es) failed:`; before it may stand the sender's address.
fn exim(bounce: &Bounce<'_>) -> Vec<Recipient> {
    const MARKS: [&str; 4] = [
        "address(es) failed:",
        "has not yet been delivered is:",
        "has not yet been delivered are:",
        "the following address(es) have yet to be delivered:",
    ];
    let after = MARKS.iter().find_map(|mark| bounce.text.split_once(mark)).map(|(_, after)| after);
    recipients(after.unwrap_or(bounce.text))
}

fn is_gmail(bounce: &Bounce<'_>) -> bool {
    bounce.says("delivery to the following recipient")
        && (bounce.says("technical details of") || bounce.says("google tried to deliver"))
}

/// The address stands alone, and the server's words follow `returned was:` at the end of a paragraph.
fn gmail(bounce: &Bounce<'_>) -> Vec<Recipient> {
    let (addresses, details) =
        bounce.text.split_once("Technical details of").unwrap_or((bounce.text, bounce.text));
    // One space of the folded line, wherever it was folded.
    let details = details.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = details.split_once("returned was:").map_or(details.as_str(), |(_, said)| said);
    let said = said.trim().trim_start_matches("permanent failure:").trim();
    let mut found = recipients(addresses);
    for recipient in &mut found {
        recipient.diagnostic = said.to_owned();
    }
    found
}

fn is_exchange(bounce: &Bounce<'_>) -> bool {
    bounce.says("did not reach the following recipient(s):")
        || bounce.says("diagnostic information for administrators:")
        || bounce.says("informations de diagnostic pour les administrateurs")
        || bounce.says("diagnoseinformationen für administratoren")
        || bounce.says("folgende(r) empfaenger kann/koennen nicht erreicht werden:")
        || bounce.says("folgende(r) empfänger kann/können nicht erreicht werden:")
}

fn exchange(bounce: &Bounce<'_>) -> Vec<Recipient> {
    const MARKS: [&str; 6] = [
        "did not reach the following recipient(s):",
        "Diagnostic information for administrators:",
        "Informations de diagnostic pour les administrateurs",
        "Diagnoseinformationen für Administratoren",
        "Folgende(r) Empfaenger kann/koennen nicht erreicht werden:",
        "Folgende(r) Empfänger kann/können nicht erreicht werden:",
    ];
    let after = MARKS.iter().find_map(|mark| bounce.text.split_once(mark)).map(|(_, after)| after);
    let mut found = recipients(after.unwrap_or(bounce.text));
    for recipient in &mut found {
        // The MTS-ID names servers and says nothing; the code in parentheses does.
        if let Some((_, said)) = recipient.diagnostic.split_once("MSEXCH:") {
            recipient.diagnostic = format!("MSEXCH:{said}");
        }
    }
    found
}

fn is_au(bounce: &Bounce<'_>) -> bool {
    let from = bounce.block.first("From").unwrap_or_default().to_ascii_lowercase();
    let is_from = ["ezweb.ne.jp", "au.com", "dion.ne.jp", "auone-net.jp"];
    is_from.iter().any(|domain| from.contains(domain))
}

/// au says why before the address: `The user(s) account is temporarily over quota.`
fn au(bounce: &Bounce<'_>) -> Vec<Recipient> {
    let mut found = recipients(bounce.text);
    let why = bounce.text.lines().map(str::trim).find(|line| {
        ["The user(s) account", "Your message was not delivered within", "As the"]
            .iter()
            .any(|start| line.starts_with(start))
    });
    for recipient in found.iter_mut().filter(|recipient| recipient.diagnostic.is_empty()) {
        recipient.diagnostic = why.unwrap_or_default().to_owned();
    }
    found
}

fn is_postfix(bounce: &Bounce<'_>) -> bool {
    bounce.says("this is the postfix program at host")
        || bounce.says("this is the mail system at host")
}
