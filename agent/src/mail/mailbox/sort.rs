//! Tells from a message's headers whose it is.

use mail_parser::{Message, MessageParser};

use crate::mail::dsn;
use crate::mail::message::{TOKEN_HEADER, token_of_message_id};
use crate::mail::token::{NotOurToken, Senders, SignedToken, Token, TokenKey};

/// How many Message-IDs of a reply are looked at.
const MOST_IDS: usize = 100;
/// Characters of a reply's words about itself that are kept.
const LONGEST_WORDS: usize = 200;

/// Whose a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sorted {
    /// Ours: the seal is right.
    Ours(Token),
    /// It claims to be ours, and the seal is wrong. It is left alone.
    Forged,
    /// A notification that may be about one of ours.
    Notification,
    /// An automatic reply to the message with this token.
    Reply(Token, Automatic),
    /// Somebody else's; it is left alone, and not read.
    Foreign,
}

/// What an automatic reply says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Automatic {
    /// Such as `auto-replied (vacation)`.
    pub(super) kind: String,
    /// Its From.
    pub(super) from: String,
}

/// Sorts a message by those of its headers that were asked for.
pub(super) fn sort(headers: &[u8], key: &TokenKey) -> Sorted {
    let Some(message) = MessageParser::default().parse_headers(headers) else {
        return Sorted::Foreign;
    };
    if let Some(sealed) = message.header_raw(TOKEN_HEADER) {
        return match key.open(sealed) {
            Ok(token) => Sorted::Ours(token),
            Err(NotOurToken::Forged | NotOurToken::Malformed) => Sorted::Forged,
            Err(NotOurToken::OtherKey | NotOurToken::OtherVersion(_)) => Sorted::Foreign,
        };
    }
    // A server on the way may strip headers that it does not know.
    let id = message.message_id().and_then(token_of_message_id);
    if let Some(Ok(token)) = id.map(|sealed| key.open(sealed)) {
        return Sorted::Ours(token);
    }
    if dsn::may_be_one(headers) {
        return Sorted::Notification;
    }
    automatic(&message)
        .and_then(|reply| Some(Sorted::Reply(answered(&message, key)?, reply)))
        .unwrap_or(Sorted::Foreign)
}

/// What a message says that one of these senders signed.
pub(super) fn signed_by(headers: &[u8], senders: &Senders) -> Option<SignedToken> {
    let message = MessageParser::default().parse_headers(headers)?;
    let in_header = message.header_raw(TOKEN_HEADER);
    let text = in_header.or_else(|| message.message_id().and_then(token_of_message_id))?;
    senders.open(text).ok()
}

/// What an automatic reply says about itself (RFC 3834 section 5; before it, responders had words of their
/// own); `None` when it is none, such as somebody's answer by hand.
fn automatic(message: &Message<'_>) -> Option<Automatic> {
    let header = |name| message.header_raw(name).map(str::trim).filter(|text| !text.is_empty());
    let is_automatic = |value: &&str| value.to_ascii_lowercase().starts_with("auto-");
    let old = ["X-Autoreply", "X-Autorespond", "Precedence"].into_iter().find_map(|name| {
        let value = header(name)?;
        let says = name != "Precedence" || value.eq_ignore_ascii_case("auto_reply");
        says.then(|| format!("{name}: {value}"))
    });
    let said = header("Auto-Submitted");
    let kind = match said {
        Some(_) => said.filter(is_automatic).map(str::to_owned),
        None => old,
    };
    let shorten = |text: &str| {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().take(LONGEST_WORDS).collect::<String>()
    };
    let from = shorten(header("From").unwrap_or_default());
    kind.map(|kind| Automatic { kind: shorten(&kind), from })
}

/// The token of the message that this one says to answer.
fn answered(message: &Message<'_>, key: &TokenKey) -> Option<Token> {
    let named =
        ["In-Reply-To", "References"].into_iter().filter_map(|name| message.header_raw(name));
    let ids = named.flat_map(str::split_whitespace).take(MOST_IDS);
    ids.filter_map(token_of_message_id).find_map(|sealed| key.open(sealed).ok())
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::{AgentId, Epoch, RunId};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_told_apart_by_their_headers() {
        let key = TokenKey::from_bytes([1; 32]);
        let run = RunId { epoch: Epoch(1), intent: 2 };
        let token = Token::new(AgentId([0; 16]), run, "a@b.test", [0; 16]);
        let sealed = key.seal(&token);
        let others = TokenKey::from_bytes([2; 32]).seal(&token);
        let mut broken = sealed.clone();
        broken.replace_range(100..104, "AAAA");
        let ours = Sorted::Ours(token);
        for (headers, expected) in [
            (format!("X-Mailsonde-Token: {sealed}\r\n\r\n"), &ours),
            (format!("x-mailsonde-token:\r\n {sealed}\r\n\r\n"), &ours),
            (format!("Message-ID: <mailsonde.{sealed}@b.test>\r\n\r\n"), &ours),
            (format!("X-Mailsonde-Token: {others}\r\n\r\n"), &Sorted::Foreign),
            (format!("X-Mailsonde-Token: {broken}\r\n\r\n"), &Sorted::Forged),
            ("X-Mailsonde-Token: hello\r\n\r\n".to_owned(), &Sorted::Forged),
            ("Message-ID: <a@b>\r\n\r\n".to_owned(), &Sorted::Foreign),
            (
                "Content-Type: multipart/report;\r\n report-type=delivery-status\r\n\r\n"
                    .to_owned(),
                &Sorted::Notification,
            ),
            // Bounces in free text; what else may be one stands in `dsn::signs`.
            (
                "From: MAILER-DAEMON@a.test\r\nSubject: failure notice\r\n\r\n".to_owned(),
                &Sorted::Notification,
            ),
            (
                format!(
                    "From: Mailer-Daemon@a.test\r\nX-Failed-Recipients: x@b.test\r\nAuto-Submitted: \
                     auto-replied\r\nIn-Reply-To: <mailsonde.{sealed}@b.test>\r\n\r\n"
                ),
                &Sorted::Notification,
            ),
            (
                "From: bob@a.test\r\nSubject: Re: failure notice\r\n\r\n".to_owned(),
                &Sorted::Foreign,
            ),
            (String::new(), &Sorted::Foreign),
        ] {
            assert_eq!(&sort(headers.as_bytes(), &key), expected, "{headers}");
        }
    }

    #[test]
    fn only_a_machines_answer_to_ours_is_an_automatic_reply() {
        let key = TokenKey::from_bytes([1; 32]);
        let run = RunId { epoch: Epoch(1), intent: 2 };
        let token = Token::new(AgentId([0; 16]), run, "a@b.test", [0; 16]);
        let id = format!("<mailsonde.{}@b.test>", key.seal(&token));
        let others = format!("<mailsonde.{}@b.test>", TokenKey::from_bytes([2; 32]).seal(&token));
        for (headers, kind) in [
            (
                format!("Auto-Submitted: auto-replied (vacation)\r\nIn-Reply-To: {id}"),
                "auto-replied (vacation)",
            ),
            (
                format!("Auto-Submitted: auto-generated\r\nReferences: <a@b>\r\n {id}"),
                "auto-generated",
            ),
            (format!("X-Autoreply: yes\r\nIn-Reply-To: {id}"), "X-Autoreply: yes"),
            (format!("Precedence: auto_reply\r\nReferences: {id}"), "Precedence: auto_reply"),
            // by hand
            (format!("In-Reply-To: {id}"), ""),
            (format!("Auto-Submitted: no\r\nX-Autoreply: yes\r\nIn-Reply-To: {id}"), ""),
            (format!("Precedence: bulk\r\nIn-Reply-To: {id}"), ""),
            // to somebody else
            (format!("Auto-Submitted: auto-replied\r\nIn-Reply-To: {others}"), ""),
            ("Auto-Submitted: auto-replied\r\nIn-Reply-To: <a@b>".to_owned(), ""),
            ("Auto-Submitted: auto-replied".to_owned(), ""),
        ] {
            let headers = format!("From: Box\r\n <box@b.test>\r\n{headers}\r\n\r\n");
            let expected = match kind {
                "" => Sorted::Foreign,
                kind => {
                    let (kind, from) = (kind.to_owned(), "Box <box@b.test>".to_owned());
                    Sorted::Reply(token.clone(), Automatic { kind, from })
                }
            };
            assert_eq!(sort(headers.as_bytes(), &key), expected, "{headers}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_headers_panic(
            headers in "(From: |Subject: |Auto-Submitted: auto-|Return-Path: <>|References: |Message-ID: <mailsonde\\.|X-Mailsonde-Token: |=\\?utf-8\\?[qb]\\?|\\?=|multipart/report|Content-Type: |\r\n|\n| |\\PC|[ -~]){0,24}",
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let headers = [headers.as_bytes(), &bytes].concat();
            let sorted = sort(&headers, &TokenKey::from_bytes([1; 32]));
            prop_assert!(!matches!(sorted, Sorted::Ours(_) | Sorted::Reply(..)));
        }
    }
}
