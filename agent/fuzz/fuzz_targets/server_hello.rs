//! The answer to a ClientHello written by hand.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::net::tls::hello::{Answer, MOST_BYTES};

fuzz_target!(|bytes: &[u8]| {
    let read = Answer::read(bytes);
    assert!(bytes.len() <= MOST_BYTES || read != Ok(None), "more is asked for without end");
});
