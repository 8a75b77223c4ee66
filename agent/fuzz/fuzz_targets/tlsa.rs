//! TLSA records and certificates beside them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| mailsonde_agent::posture::fuzzed::tlsa(bytes));
