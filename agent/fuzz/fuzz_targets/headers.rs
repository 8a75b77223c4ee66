//! The headers of a message, and the facts that they become.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::headers::{Headers, MOST_FACTS, Trust};

fuzz_target!(|bytes: &[u8]| {
    let trust = Trust::new(["mx.good.test".to_owned()]);
    let facts = Headers::of(bytes).facts(&trust);
    assert!(facts.len() <= MOST_FACTS);
    assert!(facts.iter().all(|fact| fact.name.len() <= 128 && fact.value.len() <= 8 * 1024));
});
