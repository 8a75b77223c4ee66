//! DNS messages as any server may send them.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::dns::message;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = message::read(bytes) {
        let reply = message::reply(read, Duration::ZERO);
        let records = reply.answers.len() + reply.authorities.len() + reply.additionals.len();
        assert!(records <= message::MOST_RECORDS, "more records than are read");
        assert!(reply.extended.iter().all(|error| error.to_string().len() < 2_000));
    }
});
