//! `explain` from the bytes of a message to what is printed; within 100 ms of processor time, instruments
//! included.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::cli::explained;
use rustix::time::{ClockId, clock_gettime};

const AT_MOST: Duration = Duration::from_millis(100);

fuzz_target!(|bytes: &[u8]| {
    let began = spent();
    let told = explained(bytes);
    let took = spent().saturating_sub(began);
    assert!(took <= AT_MOST, "{took:?}");
    if let Some([words, json]) = told {
        assert!(!words.chars().any(|c| c.is_control() && c != '\n'), "{words:?}");
        assert!(!json.contains('\n') && json.starts_with("{\"kind\":"));
        assert!(words.len() <= 1 << 20 && json.len() <= 4 << 20);
    }
});

/// Of this thread: other processes take nothing of it.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}
