//! SMTP replies, what EHLO offers, and the words that explain a refusal, with the wait that greylisting asks for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::smtp::{Offers, Reply};
use mailsonde_agent::probe::asked_to_wait;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Some(reply) = Reply::parse("greeting", &text) {
        let _offers = Offers::read(reply.lines());
        let wait = asked_to_wait(&reply.fault("session").fault);
        assert!(wait.is_none_or(|wait| (1..=1_800).contains(&wait.as_secs())));
    }
});
