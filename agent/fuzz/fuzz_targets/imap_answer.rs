//! What an IMAP server says: lines, literals, quota, states of folders, descriptions of messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::imap::heard;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = heard(bytes) {
        assert!(read <= bytes.len());
    }
});
