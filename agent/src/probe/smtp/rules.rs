//! The rules about SMTP servers.

use mailsonde_proto::Severity::{Critical, Notice, Warning};

use crate::posture::Rule;

pub(super) const AUTH_BEFORE_TLS: Rule = Rule {
    name: "smtp.auth_before_tls",
    severity: Warning,
    source: "RFC 4954 section 4, RFC 8314 section 3.3",
    advice: "offer AUTH under TLS only (Postfix: smtpd_tls_auth_only = yes)",
};
pub(super) const AUTH_WITHOUT_TLS: Rule = Rule {
    name: "smtp.auth_without_tls",
    severity: Critical,
    source: "RFC 4954 section 4, RFC 8314 section 3",
    advice: "offer STARTTLS, and AUTH under TLS only: passwords go over the wire as they are",
};
pub(super) const NO_STARTTLS: Rule = Rule {
    name: "smtp.no_starttls",
    severity: Warning,
    source: "RFC 3207 section 4, RFC 8314 section 3.3, RFC 7435 section 3",
    advice: "give the server a certificate and offer STARTTLS: all mail is readable on its way",
};
pub(super) const STARTTLS_TWICE: Rule = Rule {
    name: "smtp.starttls_after_tls",
    severity: Notice,
    source: "RFC 3207 section 4.2",
    advice: "do not offer STARTTLS once TLS stands; a proxy in front may be why",
};
pub(super) const OPEN_RELAY: Rule = Rule {
    name: "smtp.open_relay",
    severity: Critical,
    source: "RFC 5321 section 7.9, RFC 2505 section 2.1",
    advice: "refuse recipients outside from everybody who has not signed in, at once: the address will \
             soon be listed",
};
pub(super) const GREETING_NAME: Rule = Rule {
    name: "smtp.greeting_name",
    severity: Notice,
    source: "RFC 5321 sections 4.2 and 4.3.1",
    advice: "let the greeting and the answer to EHLO begin with the same name, the server's own",
};
pub(super) const NAME_NOT_QUALIFIED: Rule = Rule {
    name: "smtp.name_not_qualified",
    severity: Notice,
    source: "RFC 5321 sections 2.3.5 and 4.1.1.1",
    advice: "give the server a fully qualified name (Postfix: myhostname)",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] = &[
    &AUTH_BEFORE_TLS,
    &AUTH_WITHOUT_TLS,
    &NO_STARTTLS,
    &STARTTLS_TWICE,
    &OPEN_RELAY,
    &GREETING_NAME,
    &NAME_NOT_QUALIFIED,
];
