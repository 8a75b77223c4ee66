//! Why a message came back, in a fixed vocabulary: by the enhanced code where it tells (RFC 3463, RFC
//! 5248's registry, Microsoft's 5.7.5xx and up), by known words where it does not.

use mailsonde_proto::EnhancedCode;

mod words;

mod names;

/// Why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No such mailbox.
    UnknownUser,
    /// The mailbox or its quota is full.
    MailboxFull,
    /// The message is larger than somebody takes.
    TooLarge,
    /// A rule of the receiving side.
    Policy,
    /// Taken for spam.
    Spam,
    /// The sending address is on a list, or of bad reputation.
    BlockedAddress,
    /// Refused at first, to be taken later (RFC 6647).
    Greylisted,
    /// A domain that does not exist or cannot be looked up.
    Dns,
    /// TLS is missing or bad.
    Tls,
    /// Tried for too long.
    Expired,
    /// The server does not relay for the sender.
    RelayDenied,
    /// The mailbox exists and is switched off.
    Suspended,
    /// Too many messages, recipients or connections.
    RateLimited,
    /// SPF, DKIM, DMARC, or a sign-in that is missing.
    Authentication,
    /// A virus, an attachment, a form that is not taken.
    ContentRejected,
    /// The message went in circles.
    Loop,
    /// The mailbox has moved away.
    Moved,
    /// The domain takes no mail at all (RFC 7505), or not now.
    NotAccepting,
    /// The remote server could not be reached, or left.
    Network,
    /// A server's own trouble.
    System,
    /// Neither code nor words tell.
    #[default]
    Unknown,
}

impl Reason {
    /// Its word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::MailboxFull => "mailbox_full",
            Self::TooLarge => "too_large",
            Self::Policy => "policy",
            Self::Spam => "spam",
            Self::BlockedAddress => "blocked_address",
            Self::Greylisted => "greylisted",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Expired => "expired",
            Self::RelayDenied => "relay_denied",
            Self::Suspended => "suspended",
            Self::RateLimited => "rate_limited",
            Self::Authentication => "authentication",
            Self::ContentRejected => "content_rejected",
            Self::Loop => "loop",
            Self::Moved => "moved",
            Self::NotAccepting => "not_accepting",
            Self::Network => "network",
            Self::System => "system",
            Self::Unknown => "unknown",
        }
    }

    /// By the Status field, by the code in the reply, by the reply's words; the first that tells. A code
    /// that only names its class or subject (5.0.0, 5.7.1) is asked last.
    pub fn of(status: Option<EnhancedCode>, said: Option<EnhancedCode>, text: &str) -> Self {
        let codes = || [status, said].into_iter().flatten();
        codes()
            .find_map(by_code)
            .or_else(|| words::reason(text))
            .or_else(|| codes().find_map(by_subject))
            .unwrap_or_default()
    }
}

/// What a code tells that means one thing.
fn by_code(code: EnhancedCode) -> Option<Reason> {
    Some(match (code.subject, code.detail) {
        // RFC 3463 section 3.2: addressing.
        (1, 1 | 3) => Reason::UnknownUser,
        (1, 2) => Reason::Dns,
        (1, 6) => Reason::Moved,
        // Section 3.3: mailbox.
        (2, 1) => Reason::Suspended,
        (2, 2) => Reason::MailboxFull,
        (2, 3) | (3, 4) => Reason::TooLarge,
        // Sections 3.4 and 3.5: system, network. 4.7 is also written for what still waits.
        (4, 3 | 4) => Reason::Dns,
        (4, 6) => Reason::Loop,
        (4, 7) => Reason::Expired,
        (5, 3) => Reason::RateLimited,
        // Section 3.8 and RFC 4954 section 6, RFC 7372, RFC 8616, RFC 8689, RFC 7505.
        (7, 8 | 9 | 20..=24 | 26 | 29) => Reason::Authentication,
        (7, 10 | 11 | 30) => Reason::Tls,
        (7, 13) => Reason::Suspended,
        (7, 25) => Reason::Dns,
        (7, 28) => Reason::RateLimited,
        // Exchange Online: 'Email non-delivery reports and SMTP errors in Exchange Online'.
        (1, 90) | (2, 122) => Reason::RateLimited,
        (4, 14) => Reason::Loop,
        (4, 310..=312) => Reason::Dns,
        (7, 54 | 64) => Reason::RelayDenied,
        (7, 509) => Reason::Authentication,
        (7, 511 | 606..=649 | 703 | 708) => Reason::BlockedAddress,
        _ => return None,
    })
}

/// What a code's subject tells where nothing tells more.
fn by_subject(code: EnhancedCode) -> Option<Reason> {
    Some(match (code.subject, code.detail) {
        // Null MX (RFC 7505 section 4.2); Exchange writes it for an unknown user, with words.
        (1, 10) => Reason::NotAccepting,
        (3, 2) => Reason::NotAccepting,
        (3, _) => Reason::System,
        (4, 1 | 2) => Reason::Network,
        (6, _) => Reason::ContentRejected,
        (7, _) => Reason::Policy,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_first_words_second() {
        for (status, text, expected) in [
            ("5.1.1", "550 anything", "unknown_user"),
            ("5.2.2", "user unknown", "mailbox_full"),
            ("5.0.0", "550 5.1.1 no", "unknown_user"),
            ("5.0.0", "552 mailbox is full", "mailbox_full"),
            ("5.7.1", "554 5.7.1 Spam message rejected", "spam"),
            ("5.7.1", "554 5.7.1 <a@b>: Relay access denied", "relay_denied"),
            (
                "5.7.1",
                "554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org",
                "blocked_address",
            ),
            ("5.7.1", "554 5.7.1 no", "policy"),
            ("5.7.606", "Access denied, banned sending IP", "blocked_address"),
            ("4.7.1", "450 4.7.1 Greylisted, come back", "greylisted"),
            ("4.4.1", "connect to a: Connection timed out", "network"),
            ("4.4.7", "delivery time expired", "expired"),
            ("5.1.10", "556 Domain does not accept mail (nullMX)", "not_accepting"),
            ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", "unknown_user"),
            ("5.1.10", "", "not_accepting"),
            ("5.7.26", "", "authentication"),
            ("5.0.0", "", "unknown"),
            ("", "", "unknown"),
            ("", "hello", "unknown"),
        ] {
            let reason = Reason::of(status.parse().ok(), super::super::codes(text).1, text);
            assert_eq!(reason.as_str(), expected, "{status} {text}");
        }
    }
}
