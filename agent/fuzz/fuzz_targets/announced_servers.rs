//! Documents of autoconfig and autodiscover.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::probe::announced;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(servers) = announced(bytes) {
        assert!(servers.len() <= 16 && servers.iter().all(|server| server.len() < 8 * 1024));
    }
});
