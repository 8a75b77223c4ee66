//! What a token server answers (RFC 6749 section 5): the first two bytes are the status.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::http::{Answer, url};
use mailsonde_agent::mail::oauth::answer::read;
use mailsonde_proto::WallTime;

fuzz_target!(|parts: (u16, bool, &[u8])| {
    let (status, is_whole, body) = parts;
    let answer = Answer {
        status,
        url: url("https://login.good.test/token").expect("a URL"),
        redirects: 0,
        headers: Default::default(),
        body: body.to_vec(),
        is_whole,
        tls: None,
    };
    match read(&answer, WallTime::from_s(1_700_000_000)) {
        Ok(granted) => {
            let token = granted.token.expose();
            assert!(!token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()));
        }
        Err(refused) => assert!(!refused.failure.fault.reply.contains(char::is_control)),
    }
});
