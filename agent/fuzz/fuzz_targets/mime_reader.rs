//! A message that arrived, read piece by piece: the same however it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::message::{Body, LONGEST_HEADERS, Reader};

fuzz_target!(|parts: (u16, &[u8])| {
    let (cut, bytes) = parts;
    let read = |pieces: &[&[u8]]| {
        let mut reader = Reader::new();
        for piece in pieces {
            reader.feed(piece);
        }
        reader.finish(true)
    };
    let (one, two) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let whole = read(&[bytes]);
    assert_eq!(whole, read(&[one, two]));
    assert!(whole.headers.len() <= LONGEST_HEADERS + 2);
    assert_ne!(whole.judge([0; 16], None), Body::Same);
});
