//! A stapled OCSP response, about a certificate in front of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::net::Certificate;
use mailsonde_agent::net::tls::staple::Staple;

fuzz_target!(|parts: (&[u8], &[u8])| {
    let (staple, certificate) = parts;
    let own = Certificate::read(OWN).expect("a certificate");
    let read = Certificate::read(certificate);
    let about = read.as_ref().unwrap_or(&own);
    let _read = Staple::read(staple, about, None);
    let _read = Staple::read(staple, about, Some(&own));
});

/// A self-signed certificate, so that the signature is looked at too.
const OWN: &[u8] = include_bytes!("own.der");
