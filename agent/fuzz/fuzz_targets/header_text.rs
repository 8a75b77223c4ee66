//! The text of one header: a date (RFC 5322), encoded words (RFC 2047), a sealed token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::cli::explained;
use mailsonde_agent::mail::headers::date;
use mailsonde_agent::mail::message::token_of_message_id;
use mailsonde_agent::mail::token::TokenKey;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _date = date(&text);
    let key = TokenKey::from_bytes([1; 32]);
    assert!(key.open(&text).is_err(), "a token that nobody sealed");
    if let Some(token) = token_of_message_id(&text) {
        assert!(key.open(token).is_err(), "a token that nobody sealed");
    }
    for name in ["Subject", "From", "Message-ID"] {
        let header = [name.as_bytes(), b": ", bytes, b"\r\n\r\n"].concat();
        let _told = explained(&header);
    }
});
