//! Records of tag=value: DKIM keys, DMARC, TLSRPT, BIMI, MTA-STS.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| mailsonde_agent::posture::fuzzed::tags(bytes));
