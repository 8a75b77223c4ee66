//! The probe `smtp` against scripted servers, for what Postfix cannot be made to do.

use mailsonde_tests::hostile::{Script, Step};

use super::probe;
use crate::agent::{hostile, in_company, lab};

/// Answers to EHLO under TLS as without it.
const AGAIN: &str = "250-hostile.test\r\n250 STARTTLS";

#[test]
fn starttls_under_tls_is_found() {
    let _company = in_company();
    let good = lab().identity(&["spare.lab.test"]).expect("a certificate");
    for (script, tls) in [
        (Script::smtp().implicit_tls(&good), "implicit"),
        (Script::smtp().starttls(&good), "starttls"),
    ] {
        let (_server, port) = hostile(script.expect("TLS").answer_at(Step::Ehlo, AGAIN));
        let seen = probe("smtp", "spare.lab.test", port, &[("tls", tls)]);
        seen.assert_pass();
        assert_eq!(seen.severe_rules(), [""; 0], "it is a notice only: {seen:#?}");
        assert_eq!(seen.evidence("smtp.starttls_after_tls"), "STARTTLS is offered under TLS");
        assert_eq!(seen.findings.len(), 1, "{seen:#?}");
    }
}

#[test]
fn passwords_without_tls_and_names_that_do_not_fit_are_found() {
    let _company = in_company();
    let plain = Script::smtp;
    for (script, rule, words) in [
        (plain(), "smtp.auth_without_tls", "AUTH PLAIN LOGIN is offered, STARTTLS is not"),
        (
            plain().answer_at(Step::Greeting, "220 gateway ESMTP"),
            "smtp.greeting_name",
            "the greeting says gateway, the answer to EHLO hostile.test",
        ),
        (
            plain().answer_at(Step::Ehlo, "250 mail"),
            "smtp.name_not_qualified",
            "the server calls itself \"mail\"",
        ),
    ] {
        let (_server, port) = hostile(script);
        let seen = probe("smtp", "spare.lab.test", port, &[("tls", "opportunistic")]);
        seen.assert_pass();
        assert_eq!(seen.evidence(rule), words, "{seen:#?}");
    }
}
