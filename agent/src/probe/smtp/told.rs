//! What was seen, as facts and findings.

use mailsonde_proto::{Fact, Finding, Severity, WallTime};

use super::super::tls::{judge, yes_or_no};
use super::look::Seen;
use super::rules;
use super::settings::Settings;
use crate::mail::endpoint::Tls;
use crate::mail::failure::Failure;
use crate::mail::smtp::{Offers, Reply};
use crate::posture::one_line;

/// Facts and findings, and why the certificate is not accepted.
pub(super) fn told(
    seen: &Seen,
    settings: &Settings,
    now: WallTime,
) -> ((Vec<Fact>, Vec<Finding>), Option<Failure>) {
    let mut facts = facts(seen);
    let mut findings = findings(seen, settings);
    let mut refused = None;
    if let Some(inspection) = &seen.inspection {
        let judgement = judge(inspection, &settings.terms, now);
        facts.extend(judgement.facts);
        // Between mail exchangers any certificate is better than none (RFC 7435 section 3).
        let is_opportunistic = settings.endpoint.tls == Tls::Opportunistic;
        findings.extend(judgement.findings.into_iter().map(|mut finding| {
            if is_opportunistic {
                finding.severity = Severity::Notice;
            }
            finding
        }));
        refused = judgement.failure.filter(|_| !is_opportunistic);
    }
    ((facts, findings), refused)
}

fn facts(seen: &Seen) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut say = |name: &str, value: String| facts.push(Fact::new(name, one_line(&value)));
    if let Some(greeting) = &seen.greeting {
        say("smtp.greeting", greeting.clone());
    }
    if let Some(before) = &seen.before_tls {
        say("smtp.starttls", yes_or_no(before.has("STARTTLS")).to_owned());
        say("smtp.extensions_before_tls", before.keywords().join(" "));
        say("smtp.mechanisms_before_tls", before.mechanisms().join(" "));
    }
    if let Some(offers) = seen.offers() {
        say("smtp.name", offers.name.clone());
        say("smtp.extensions", offers.keywords().join(" "));
        say("smtp.mechanisms", offers.mechanisms().join(" "));
        let limit =
            offers.size_limit().map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        say("smtp.size_limit", limit);
    }
    if seen.has_signed_in {
        say("smtp.signed_in", "yes".to_owned());
    }
    if let Some(reply) = &seen.relay {
        say("smtp.relay", answer(reply));
    }
    for (at, (recipient, reply)) in seen.recipients.iter().enumerate() {
        say(&format!("smtp.recipient.{at}"), format!("{recipient} {}", answer(reply)));
    }
    facts
}

/// `accepted: 250 2.1.5 Ok`.
fn answer(reply: &Reply) -> String {
    let word = match reply.code() {
        200..=299 => "accepted",
        400..=499 => "postponed",
        500..=599 => "refused",
        _ => "unclear",
    };
    format!("{word}: {} {}", reply.code(), reply.text())
}

fn findings(seen: &Seen, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(before) = &seen.before_tls {
        findings.extend(in_the_clear(before));
    }
    if seen.after_tls.as_ref().is_some_and(|offers| offers.has("STARTTLS")) {
        findings.push(rules::STARTTLS_TWICE.broken("STARTTLS is offered under TLS"));
    }
    if let (Some(greeting), Some(offers)) = (&seen.greeting, seen.offers()) {
        let greeted = greeting.split_whitespace().next().unwrap_or_default();
        if !greeted.eq_ignore_ascii_case(&offers.name) {
            let words = format!("the greeting says {greeted}, the answer to EHLO {}", offers.name);
            findings.push(rules::GREETING_NAME.broken(words));
        }
        let is_literal = offers.name.starts_with('[');
        if !is_literal && !offers.name.trim_end_matches('.').contains('.') {
            let words = format!("the server calls itself \"{}\"", offers.name);
            findings.push(rules::NAME_NOT_QUALIFIED.broken(words));
        }
    }
    if let Some(reply) = seen.relay.as_ref().filter(|reply| (200..300).contains(&reply.code())) {
        let to = settings.envelope.relay_to.as_deref().unwrap_or_default();
        let words = format!("RCPT TO:<{to}> without a sign-in: {} {}", reply.code(), reply.text());
        findings.push(rules::OPEN_RELAY.broken(words));
    }
    findings
}

/// What is offered where anybody on the way can read along.
fn in_the_clear(before: &Offers) -> Option<Finding> {
    let mechanisms = before.mechanisms().join(" ");
    match (before.has("STARTTLS"), mechanisms.as_str()) {
        (true, "") => None,
        (true, mechanisms) => {
            Some(rules::AUTH_BEFORE_TLS.broken(format!("AUTH {mechanisms} is offered before TLS")))
        }
        (false, "") => Some(rules::NO_STARTTLS.broken("STARTTLS is not offered")),
        (false, mechanisms) => {
            let words = format!("AUTH {mechanisms} is offered, STARTTLS is not");
            Some(rules::AUTH_WITHOUT_TLS.broken(words))
        }
    }
}
