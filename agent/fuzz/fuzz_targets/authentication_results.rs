//! Authentication-Results, plain and of an ARC set, and DKIM-Signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::headers::authentication::Results;
use mailsonde_agent::mail::headers::signature::Signature;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for results in [Results::of(&text), Results::of_arc(&text)].into_iter().flatten() {
        let _line = results.line();
    }
    let _signature = Signature::of(&text);
});
