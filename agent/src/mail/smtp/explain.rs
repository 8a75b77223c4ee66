//! What a negative reply means, for people who do not know the codes by heart.
//!
//! The enhanced code (RFC 3463, RFC 5248) says more than the basic one (RFC 5321 section 4.2.3), so it
//! is asked first.

use mailsonde_proto::EnhancedCode;

/// What the server's refusal of `what` (session, sender, recipient, message, sign-in, …) means.
pub(crate) fn words(what: &str, code: u16, enhanced: Option<EnhancedCode>, text: &str) -> String {
    let detail = enhanced.map(|code| (code.subject, code.detail));
    let lower = text.to_ascii_lowercase();
    let meaning = match (what, code, detail) {
        (_, 400..=499, _) if lower.contains("greylist") || lower.contains("graylist") => {
            "it postpones senders that it does not know yet (greylisting)"
        }
        (_, _, Some((2, 2))) | ("recipient" | "message", 552, None) => "the mailbox is full",
        (_, _, Some((2, 1))) => "the mailbox is disabled",
        (_, _, Some((1, 1))) | ("recipient", 550, None) => "there is no such mailbox",
        (_, _, Some((1, 2 | 10))) => "the recipient's domain takes no mail",
        ("sender", _, Some((1, 7 | 8))) => "it does not accept the sender's address",
        ("recipient", 554 | 454, Some((7, 1))) if lower.contains("relay") => {
            "it does not relay for this recipient"
        }
        (_, _, Some((2 | 3, 3 | 4))) | (_, 552, _) => "the message is too large for it",
        ("sign-in", _, _) if lower.contains("smtpclientauthentication is disabled") => {
            "SMTP AUTH is switched off for this mailbox or its whole tenant"
        }
        ("sign-in", 535, _) | ("sign-in", _, Some((7, 8))) => "wrong login or password",
        ("sign-in", 454, _) => "it cannot check passwords just now",
        ("sign-in", 534 | 504, _) => "it wants another way to sign in",
        (_, 530, _) | (_, _, Some((7, 0))) if lower.contains("auth") => "it wants a sign-in first",
        (_, 530, _) if lower.contains("starttls") => "it wants TLS first",
        ("session", 554, _) => "it does not talk to this address",
        (_, 421, _) => "it is not available or has too many connections",
        (_, _, Some((3, 1))) | (_, 452, _) => "its disk is full or it is out of resources",
        (_, _, Some((7, 1 | 0 | 25..=29))) => "its policy forbids it",
        (_, 400..=499, _) => "it says to try again later",
        (_, 500..=599, _) => "it says never",
        _ => "that is not a reply that belongs here",
    };
    format!("the server refused the {what}: {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_in_words() {
        for (what, code, text, meaning) in [
            ("sign-in", 535, "5.7.8 Error: authentication failed", "wrong login or password"),
            (
                "sign-in",
                535,
                "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
                "SMTP AUTH is switched off for this mailbox or its whole tenant",
            ),
            ("recipient", 552, "5.2.2 Mailbox is full", "the mailbox is full"),
            ("recipient", 452, "4.2.2 over quota", "the mailbox is full"),
            ("recipient", 550, "5.1.1 User unknown", "there is no such mailbox"),
            (
                "recipient",
                450,
                "4.7.1 Greylisted by lab",
                "it postpones senders that it does not know yet (greylisting)",
            ),
            ("recipient", 554, "5.7.1 Relay access denied", "it does not relay for this recipient"),
            ("message", 552, "5.3.4 too big", "the message is too large for it"),
            ("message", 554, "5.7.1 spam", "its policy forbids it"),
            ("session", 421, "busy", "it is not available or has too many connections"),
            ("sender", 451, "later", "it says to try again later"),
            ("message", 250, "OK", "that is not a reply that belongs here"),
        ] {
            let said = words(what, code, EnhancedCode::at_start_of(text), text);
            assert_eq!(said, format!("the server refused the {what}: {meaning}"), "{code} {text}");
        }
    }
}
