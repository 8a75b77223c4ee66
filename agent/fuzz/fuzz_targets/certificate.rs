//! Certificates as a server presents them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::net::Certificate;

fuzz_target!(|bytes: &[u8]| {
    if let Some(certificate) = Certificate::read(bytes) {
        let _words = (certificate.key.is_weak(), certificate.is_weakly_signed());
    }
});
