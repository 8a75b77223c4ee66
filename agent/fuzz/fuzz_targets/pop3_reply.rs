//! POP3 status lines, lists and capabilities.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::pop3::{Capabilities, Reply, Stat, size, unique_id};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in &lines {
        let _read = (Reply::parse(line), Stat::parse(line), size(line));
        if let Some((_, id)) = unique_id(line) {
            assert!(!id.is_empty() && id.len() <= 128, "a unique-id without bounds");
        }
    }
    let able = Capabilities::listed(lines);
    let _mechanisms = able.parameters("SASL").map(Iterator::count);
});
