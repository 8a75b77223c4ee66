//! SMTP replies, what EHLO offers, and the words that explain a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::smtp::{Offers, Reply};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Some(reply) = Reply::parse("greeting", &text) {
        let _offers = Offers::read(reply.lines());
        let _fault = reply.fault("session");
    }
});
