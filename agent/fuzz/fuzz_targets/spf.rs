//! SPF records and their macros.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| mailsonde_agent::posture::fuzzed::spf(bytes));
