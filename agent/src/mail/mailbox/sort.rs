//! Tells from a message's headers whose it is.

use mail_parser::MessageParser;

use crate::mail::bounce;
use crate::mail::message::{TOKEN_HEADER, token_of_message_id};
use crate::mail::token::{NotOurToken, Token, TokenKey};

/// Whose a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sorted {
    /// Ours: the seal is right.
    Ours(Token),
    /// It claims to be ours, and the seal is wrong. It is left alone.
    Forged,
    /// A notification that may be about one of ours.
    Notification,
    /// Somebody else's; it is left alone, and not read.
    Foreign,
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
    match message.header_raw("Content-Type") {
        Some(content_type) if bounce::looks_like_one(content_type) => Sorted::Notification,
        _ => Sorted::Foreign,
    }
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
            (String::new(), &Sorted::Foreign),
        ] {
            assert_eq!(&sort(headers.as_bytes(), &key), expected, "{headers}");
        }
    }

    proptest! {
        #[test]
        fn no_headers_panic(headers in prop::collection::vec(any::<u8>(), 0..500)) {
            let sorted = sort(&headers, &TokenKey::from_bytes([1; 32]));
            prop_assert!(!matches!(sorted, Sorted::Ours(_)));
        }
    }
}
