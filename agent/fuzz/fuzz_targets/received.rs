//! One Received header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::headers::{Hop, date};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _date = date(&text);
    if let Some(hop) = Hop::of(&text) {
        assert!(hop.client().is_none_or(|client| client.chars().count() <= 255));
    }
});
