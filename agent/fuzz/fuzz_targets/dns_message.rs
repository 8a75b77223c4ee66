//! DNS messages as any server may send them, and their records as they are kept.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::dns::message;
use mailsonde_agent::probe::record_line;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = message::read(bytes) {
        let reply = message::reply(read, Duration::ZERO);
        let records = reply.answers.len() + reply.authorities.len() + reply.additionals.len();
        assert!(records <= message::MOST_RECORDS, "more records than are read");
        for record in reply.answers.iter().chain(&reply.authorities).chain(&reply.additionals) {
            let line = record_line(&record.data);
            assert!(
                !line.contains(char::is_control),
                "a record that steers the terminal: {line:?}"
            );
        }
        assert!(reply.extended.iter().all(|error| error.to_string().len() < 2_000));
    }
});
