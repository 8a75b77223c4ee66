//! What was expected, held against what was seen.

use mailsonde_proto::FaultClass;
use mailsonde_proto::phase::name;

use super::look::Seen;
use super::settings::{Expect, Settings};
use crate::mail::failure::Failure;
use crate::mail::smtp::Offers;

/// Whether everything is as expected; the first phase in which something is not, with all that is not.
pub(super) fn met(seen: &Seen, settings: &Settings) -> Result<(), Failure> {
    let expect = &settings.expect;
    let nothing = Offers::default();
    let before = seen.before_tls.as_ref().unwrap_or(&nothing);
    let offers = seen.offers().unwrap_or(&nothing);
    for (phase, amiss) in [
        (name::GREETING, greeting(seen, expect, before, offers)),
        (name::AUTH, auth(expect, before, offers)),
    ] {
        if !amiss.is_empty() {
            return Err(Failure::new(phase, FaultClass::Mismatch, amiss.join("; ")));
        }
    }
    recipients(seen, settings)
}

fn greeting(seen: &Seen, expect: &Expect, before: &Offers, offers: &Offers) -> Vec<String> {
    let mut amiss = Vec::new();
    let said = seen.greeting.as_deref().unwrap_or_default();
    if let Some(expected) = expect.greeting.as_ref().filter(|expected| !expected.is_match(said)) {
        amiss.push(format!("the greeting \"{said}\" does not match {expected}"));
    }
    if let Some(name) = expect.name.as_ref().filter(|name| !name.eq_ignore_ascii_case(&offers.name))
    {
        amiss.push(format!("the server calls itself {}, expected is {name}", offers.name));
    }
    match expect.starttls {
        Some(true) if !before.has("STARTTLS") => {
            amiss.push("STARTTLS is not offered".to_owned());
        }
        Some(false) if before.has("STARTTLS") => amiss.push("STARTTLS is offered".to_owned()),
        _ => {}
    }
    let is_offered = |word: &String| before.has(word) || offers.has(word);
    for missing in expect.extensions.iter().filter(|word| !is_offered(word)) {
        amiss.push(format!("{missing} is not offered"));
    }
    for present in expect.no_extensions.iter().filter(|word| is_offered(word)) {
        amiss.push(format!("{present} is offered"));
    }
    if let Some(limit) = offers.size_limit().filter(|limit| *limit < expect.size_min) {
        amiss.push(format!(
            "messages may have {limit} bytes, expected are {} at least",
            expect.size_min
        ));
    }
    amiss
}

fn auth(expect: &Expect, before: &Offers, offers: &Offers) -> Vec<String> {
    let mut amiss = Vec::new();
    let (early, late) = (before.mechanisms(), offers.mechanisms());
    for missing in expect.auth.iter().filter(|word| !late.contains(word)) {
        amiss.push(format!("AUTH {missing} is not offered"));
    }
    for present in expect.no_auth.iter().filter(|word| late.contains(word) || early.contains(word))
    {
        amiss.push(format!("AUTH {present} is offered"));
    }
    if expect.no_auth_before_tls && !early.is_empty() {
        amiss.push(format!("AUTH {} is offered before TLS", early.join(" ")));
    }
    amiss
}

fn recipients(seen: &Seen, settings: &Settings) -> Result<(), Failure> {
    let envelope = &settings.envelope;
    if let Some(reply) = seen.relay.as_ref().filter(|reply| (200..300).contains(&reply.code())) {
        let to = envelope.relay_to.as_deref().unwrap_or_default();
        let words = format!("the server relays for anybody: it takes mail for {to}");
        let failure = Failure::new(name::ENVELOPE, FaultClass::Mismatch, words);
        return Err(failure.with_reply(Some(reply.code()), None, reply.text()));
    }
    for (recipient, reply) in &seen.recipients {
        let is_taken = (200..300).contains(&reply.code());
        if envelope.taken.contains(recipient) {
            reply.clone().expect_2xx("recipient")?;
        } else if is_taken {
            let words = format!("the server takes mail for {recipient}, which it must refuse");
            let failure = Failure::new(name::ENVELOPE, FaultClass::Mismatch, words);
            return Err(failure.with_reply(Some(reply.code()), None, reply.text()));
        }
    }
    Ok(())
}
