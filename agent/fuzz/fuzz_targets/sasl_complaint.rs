//! Why a server refuses a token: the challenge of OAUTHBEARER (RFC 7628 section 3.2.2) and XOAUTH2.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::sasl::bearer::Complaint;

fuzz_target!(|bytes: &[u8]| {
    let words = Complaint::read(bytes).words();
    assert!(words.chars().count() < 1_000 && !words.contains(char::is_control));
});
