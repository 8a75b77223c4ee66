//! Challenges of every mechanism (RFC 4422); NONCE stands for the client's own of SCRAM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::sasl::Exchange;
use mailsonde_agent::mail::{Credential, Login};
use mailsonde_agent::secret::Secret;

fuzz_target!(|parts: (u8, &[u8], &[u8])| {
    let (which, one, two) = parts;
    let mechanism = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "LOGIN"][usize::from(which % 4)];
    let credential = Credential::Password(Secret::new("pencil".to_owned()));
    let login = Login { user: "user".to_owned(), credential };
    let mut exchange = Exchange::begin([mechanism], &login).expect("a known mechanism");
    let first = exchange.first().expect("a beginning").unwrap_or_default();
    let first = String::from_utf8_lossy(&first);
    let nonce = first.rsplit("r=").next().unwrap_or_default();
    for challenge in [one, two] {
        let challenge = String::from_utf8_lossy(challenge).replace("NONCE", nonce);
        if exchange.answer(challenge.as_bytes()).is_err() {
            return;
        }
    }
    assert!(!exchange.is_finished() || !mechanism.starts_with("SCRAM"), "a server without proof");
});
