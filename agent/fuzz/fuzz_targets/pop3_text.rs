//! A text of POP3, however its bytes are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::wire::Dotted;

fuzz_target!(|parts: (&[u8], &[u8])| {
    let (a, b) = parts;
    let (mut whole, mut cut) = (Dotted::new(1024), Dotted::new(1024));
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let at_once = whole.take(&[a, b].concat(), &mut one).is_ok();
    let in_parts = match cut.take(a, &mut two) {
        Ok(None) => cut.take(b, &mut two).is_ok(),
        ended => ended.is_ok(),
    };
    assert_eq!((at_once, &one), (in_parts, &two));
    assert!(one.len() <= 1024);
});
