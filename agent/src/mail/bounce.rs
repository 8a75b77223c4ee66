//! Recognises a bounce of a test message: a delivery status notification (RFC 3464) that returns our
//! headers, or at least our Message-ID.
//!
//! Absent on purpose: bounces in free text. What is not a `multipart/report` is not recognised, rather
//! than guessed.

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use mailsonde_proto::{EnhancedCode, FaultClass};

use super::failure::Failure;
use super::message::{TOKEN_HEADER, token_of_message_id};

/// The most parts and the most tokens that are looked at.
const MOST_PARTS: usize = 32;
const MOST_CANDIDATES: usize = 8;
/// The longest reply that is kept, in characters.
const LONGEST_REPLY: usize = 1_000;

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

/// Whether a message's headers look like those of a notification, so that it is worth reading whole.
pub fn looks_like_one(content_type: &str) -> bool {
    let lower = content_type.to_ascii_lowercase();
    lower.trim_start().starts_with("multipart/report") && lower.contains("delivery-status")
}

/// Reads a notification; `None` when it is none.
pub fn read(bytes: &[u8]) -> Option<Bounce> {
    let message = MessageParser::default().parse(bytes)?;
    let content_type = message.content_type()?;
    let is_report = content_type.ctype().eq_ignore_ascii_case("multipart")
        && content_type.subtype().is_some_and(|s| s.eq_ignore_ascii_case("report"));
    if !is_report {
        return None;
    }
    let mut status = None;
    let mut candidates = Vec::new();
    for part in message.parts.iter().take(MOST_PARTS) {
        let subtype = part.content_type().and_then(|t| t.subtype()).unwrap_or_default();
        if subtype.eq_ignore_ascii_case("delivery-status") {
            status = status.or_else(|| Some(text_of(&part.body)));
        } else if let PartType::Message(returned) = &part.body {
            candidates_of(returned, &mut candidates);
        } else if subtype.eq_ignore_ascii_case("rfc822-headers") {
            let headers = text_of(&part.body);
            if let Some(returned) = MessageParser::default().parse_headers(headers.as_bytes()) {
                candidates_of(&returned, &mut candidates);
            }
        }
    }
    let status = Status::of(&status?);
    Some(Bounce { candidates, action: status.action(), failure: status.failure() })
}

fn text_of(body: &PartType<'_>) -> String {
    match body {
        PartType::Text(text) | PartType::Html(text) => text.to_string(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        PartType::Message(message) => String::from_utf8_lossy(message.raw_message()).into_owned(),
        PartType::Multipart(_) => String::new(),
    }
}

fn candidates_of(returned: &Message<'_>, candidates: &mut Vec<String>) {
    let header = returned.header_raw(TOKEN_HEADER).map(|text| text.trim().to_owned());
    let id = returned.message_id().and_then(token_of_message_id).map(str::to_owned);
    for candidate in [header, id].into_iter().flatten() {
        if candidates.len() < MOST_CANDIDATES && !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
}

/// The fields of the recipient that fared worst.
#[derive(Debug, Default)]
struct Status {
    action: String,
    status: Option<EnhancedCode>,
    diagnostic: String,
}

impl Status {
    /// Fields in groups that empty lines part: the message's, then one of each recipient's
    /// (RFC 3464 section 2.1).
    fn of(text: &str) -> Self {
        let mut worst = Self::default();
        let unified = text.replace("\r\n", "\n");
        for group in unified.split("\n\n") {
            let mut status = Self::default();
            for field in unfolded(group) {
                let Some((name, value)) = field.split_once(':') else { continue };
                let value = value.trim();
                match name.trim().to_ascii_lowercase().as_str() {
                    "action" => status.action = value.to_ascii_lowercase(),
                    "status" => status.status = EnhancedCode::at_start_of(value),
                    "diagnostic-code" => status.diagnostic = value.to_owned(),
                    _ => {}
                }
            }
            if !status.action.is_empty() && (worst.action.is_empty() || status.is_failed()) {
                worst = status;
            }
        }
        worst
    }

    fn is_failed(&self) -> bool {
        self.action == "failed"
    }

    fn action(&self) -> Action {
        match self.action.as_str() {
            "delayed" => Action::Delayed,
            "delivered" | "relayed" | "expanded" => Action::Fine,
            _ => Action::Failed,
        }
    }

    fn failure(&self) -> Failure {
        // `smtp; 550 5.1.1 <x@y> User unknown`
        let reply = self.diagnostic.split_once(';').map_or("", |(_, reply)| reply).trim();
        let (basic, enhanced) = codes(reply);
        let enhanced = self.status.or(enhanced);
        let is_temporary = self.action() == Action::Delayed;
        let class = if is_temporary { FaultClass::Temporary } else { FaultClass::Permanent };
        let words = match enhanced.map(|code| (code.subject, code.detail)) {
            _ if is_temporary => {
                "the message is delayed: a server on its way cannot hand it on yet"
            }
            Some((2, 2)) => "the message bounced: the mailbox is full",
            Some((1, 1)) => "the message bounced: there is no such mailbox",
            Some((1, 2 | 10) | (4, 4)) => "the message bounced: its domain takes no mail",
            Some((4, 7)) => {
                "the message bounced: a server on its way gave up after trying for long"
            }
            Some((7, _)) => "the message bounced: the policy of a server on its way forbids it",
            _ => "the message bounced: a server on its way refused it after it had been accepted",
        };
        let reply = reply.chars().take(LONGEST_REPLY).collect();
        Failure::new("transit", class, words).with_reply(basic, enhanced, reply)
    }
}

fn unfolded(group: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for line in group.lines() {
        match fields.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => {
                field.push(' ');
                field.push_str(line.trim());
            }
            _ => fields.push(line.to_owned()),
        }
    }
    fields
}

fn codes(reply: &str) -> (Option<u16>, Option<EnhancedCode>) {
    let mut words = reply.split([' ', '-']).filter(|word| !word.is_empty());
    let basic = words.next().filter(|w| w.len() == 3).and_then(|w| w.parse().ok());
    let basic = basic.filter(|code| (200..600).contains(code));
    (basic, words.next().and_then(|word| word.parse().ok()))
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
        assert!(looks_like_one(
            " multipart/report; report-type=\"delivery-status\";\r\n\tboundary=b"
        ));
        assert!(!looks_like_one("multipart/report; report-type=disposition-notification"));
    }

    proptest! {
        #[test]
        fn nothing_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..1500),
            status in "(Action|Status|Diagnostic-Code|: |;|\r\n|[ -~]|5\\.[0-9.]{0,4}){0,60}",
        ) {
            let _read = read(&bytes);
            let _read = read(dsn(&status, HEADERS).as_bytes());
            let _read = read(&[dsn(FAILED, HEADERS).as_bytes(), &bytes].concat());
        }
    }
}
