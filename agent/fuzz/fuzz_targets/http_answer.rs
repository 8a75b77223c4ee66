//! An answer of HTTP, through hyper: the first byte is the most of a body that is kept.
#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::http::{MOST_HEADERS, heard};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

fuzz_target!(|parts: (u8, &[u8])| {
    let (most, bytes) = (usize::from(parts.0), parts.1);
    let made = || Builder::new_current_thread().enable_time().build().expect("a runtime");
    let answer = RUNTIME.with(|runtime| runtime.get_or_init(made).block_on(heard(bytes, most)));
    if let Ok(answer) = answer {
        assert!(answer.body.len() <= most && answer.headers.len() <= MOST_HEADERS);
        assert!((100..1_000).contains(&answer.status));
    }
});
