//! Delivery status notifications and bounces in free text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::bounce;
use mailsonde_agent::mail::dsn::{LONGEST_DIAGNOSTIC, MOST_RECIPIENTS, Notification};

fuzz_target!(|bytes: &[u8]| {
    let bounce =
        [b"From: MAILER-DAEMON@a\r\nSubject: Undeliverable\r\n".as_slice(), bytes].concat();
    for message in [bytes, &bounce] {
        let _bounce = bounce::read(message);
        let Some(read) = Notification::of(message) else { continue };
        assert!(!read.recipients.is_empty() && read.recipients.len() <= MOST_RECIPIENTS);
        for one in &read.recipients {
            assert!(one.diagnostic.chars().count() <= LONGEST_DIAGNOSTIC);
        }
    }
});
