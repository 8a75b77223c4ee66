//! What the property tests and the fuzz targets do with bytes from outside: every parser of this folder
//! reads them, and what it makes of them is checked against its bounds.

use std::net::Ipv4Addr;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::dane::{Expected, Match, Tlsa};
use super::spf::macros::{MOST_EXPANDED, MacroString, Place, Values};
use super::spf::record::{Meaning, Mechanism};
use super::{bimi, dkim, dmarc, mta_sts, name_of, spf, tlsrpt};

/// An SPF record, and every macro in it expanded.
pub fn spf(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let sender = "strong-bad+box@a-rather-long-name.with.many.labels.email.example.com";
    let values = Values {
        sender,
        local_part: "strong-bad+box",
        sender_domain: "a-rather-long-name.with.many.labels.email.example.com",
        domain: "example.com",
        ip: Ipv4Addr::new(192, 0, 2, 3).into(),
        validated: "mx.example.org",
        helo: "mail.example.net",
        now_s: 1_700_000_000,
    };
    let check = |of: &MacroString| {
        if let Some(text) = of.expand(&values) {
            assert!(text.len() <= MOST_EXPANDED);
        }
        if let Some(name) = of.expand_name(&values) {
            assert!(name.len() <= 253);
            name_of(&name);
        }
    };
    if let Ok(text) = MacroString::parse(&text, Place::Text) {
        check(&text);
    }
    let Ok(record) = spf::record::Record::parse(&text) else { return };
    for term in &record.terms {
        assert!(term.text.len() <= 300);
        match &term.meaning {
            Meaning::Redirect(of) | Meaning::Explanation(of) => check(of),
            Meaning::Directive(_, Mechanism::Include(of) | Mechanism::Exists(of)) => check(of),
            Meaning::Directive(
                _,
                Mechanism::A(Some(of), _) | Mechanism::Mx(Some(of), _) | Mechanism::Ptr(Some(of)),
            ) => check(of),
            _ => {}
        }
    }
}

/// A record of `tag=value`, as each kind reads it.
pub fn tags(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(key) = dkim::Key::parse(&text) {
        assert!(key.hashes.len() <= 16 && key.services.len() <= 16 && key.to_string().len() < 200);
    }
    if let Some(record) = dmarc::Record::parse(&text) {
        assert!(record.rua.len() <= 10 && record.ruf.len() <= 10 && record.mistakes.len() <= 100);
        assert!(record.mistakes.iter().all(|mistake| mistake.len() <= 400));
    }
    if let Ok(addresses) = tlsrpt::addresses(&text) {
        assert!(addresses.len() <= 10 && addresses.iter().all(|address| address.len() <= 1_000));
    }
    if let Ok(record) = bimi::Record::parse(&text) {
        assert!(record.logo.len() <= 2_000 && record.certificate.len() <= 2_000);
    }
    if let Ok(id) = mta_sts::id_of(&text) {
        assert!(id.len() <= 32);
    }
}

/// A policy of MTA-STS.
pub fn mta_sts_policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match mta_sts::Policy::parse(&text) {
        Ok(policy) => {
            assert!(policy.patterns.len() <= 100);
            assert!(policy.patterns.iter().all(|pattern| pattern.len() <= 255));
            policy.names("mail.a.test");
            policy.unused(&["mail.a.test".to_owned()]);
        }
        Err(why) => assert!(why.len() <= 300),
    }
}

/// The data of a TLSA record, and the rest as a certificate.
pub fn tlsa(bytes: &[u8]) {
    let Some(([usage, selector, matching, length], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let (data, certificate) = rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]));
    let [usage, selector, matching] = [usage % 5, selector % 3, matching % 4];
    let tlsa = Tlsa { usage, selector, matching, data: data.to_vec() };
    assert!(tlsa.shown().len() <= 150);
    let chain = [CertificateDer::from(certificate.to_vec()), CertificateDer::from(data.to_vec())];
    let names = ["mx.a.test".to_owned()];
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_780_272_000));
    let found = tlsa.judge(&chain, &Expected { names: &names, now });
    if let Match::No(why) = found {
        assert!(why.len() <= 1_000);
    }
}
