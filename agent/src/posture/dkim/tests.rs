use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::dns::zone::Zone;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1) with a modulus of so many bits.
fn rsa(bits: usize) -> String {
    let length = |bytes: &[u8]| {
        let count = bytes.len();
        match count {
            0..128 => vec![u8::try_from(count).unwrap()],
            128..256 => vec![0x81, u8::try_from(count).unwrap()],
            _ => [&[0x82], u16::try_from(count).unwrap().to_be_bytes().as_slice()].concat(),
        }
    };
    let tlv = |tag: u8, bytes: &[u8]| [&[tag], length(bytes).as_slice(), bytes].concat();
    let modulus = [&[0, 0x80 | 0x35], vec![0x5b; bits / 8 - 1].as_slice()].concat();
    let key = tlv(0x30, &[tlv(2, &modulus), tlv(2, &[1, 0, 1])].concat());
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    let algorithm = tlv(0x30, &[tlv(6, &oid), tlv(5, &[])].concat());
    let bits = tlv(3, &[&[0], key.as_slice()].concat());
    STANDARD.encode(tlv(0x30, &[algorithm, bits].concat()))
}

/// The RSAPublicKey alone, without the info around it.
fn bare(info: &str) -> String {
    let der = STANDARD.decode(info).unwrap();
    let at = der.windows(4).rposition(|four| four == [0x03, 0x82, 1, 0x0f]).unwrap();
    STANDARD.encode(&der[at + 5..])
}

fn ed25519() -> String {
    let random = ring::rand::SystemRandom::new();
    let pair = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    STANDARD.encode(pair.public_key())
}

fn quoted(text: &str) -> String {
    let chunks: Vec<_> = text.as_bytes().chunks(200).collect();
    let strings = chunks.iter().map(|chunk| format!("\"{}\"", String::from_utf8_lossy(chunk)));
    strings.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_way_of_being_broken_has_its_finding() {
    let good = rsa(2048);
    for (record, rules, key) in [
        (format!("v=DKIM1; k=rsa; p={good}"), "", "rsa 2048 bits"),
        (format!("k=rsa; h=sha256:sha1; s=email; t=s; n=x; g=*; p={good}"), "", "rsa 2048 bits"),
        (format!("p={}", good.replace('A', "A ")), "", "rsa 2048 bits"),
        (format!("p={}", bare(&good)), "", "rsa 2048 bits"),
        (format!("p={}", rsa(4096)), "", "rsa 4096 bits"),
        (format!("p={}", rsa(512)), "dkim.key_unusable", "rsa 512 bits"),
        (format!("p={}", rsa(1016)), "dkim.key_unusable", "rsa 1016 bits"),
        (format!("p={}", rsa(1024)), "dkim.key_weak", "rsa 1024 bits"),
        (format!("p={}", rsa(8192)), "dkim.key_too_large", "rsa 8192 bits"),
        (format!("v=DKIM1; k=ed25519; p={}", ed25519()), "dkim.only_ed25519", "ed25519"),
        ("v=DKIM1; p=".to_owned(), "dkim.revoked", "revoked"),
        (format!("v=DKIM1; t=s:y; p={good}"), "dkim.testing", "rsa 2048 bits, testing"),
        (format!("h=sha1; p={good}"), "dkim.no_usable_hash", "rsa 2048 bits"),
        (format!("s=tlsrpt; p={good}"), "dkim.not_for_mail", "rsa 2048 bits"),
        (format!("k=dsa; p={good}"), "dkim.unknown_key_type", "unknown type dsa"),
        ("v=DKIM1; k=rsa".to_owned(), "dkim.malformed", ""),
        (format!("v=DKIM2; p={good}"), "dkim.malformed", ""),
        (format!("k=rsa; v=DKIM1; p={good}"), "dkim.malformed", ""),
        (format!("p={}", good.get(..200).unwrap()), "dkim.malformed", ""),
        (format!("p={}", good.get(..201).unwrap()), "dkim.malformed", ""),
        ("p=%%%".to_owned(), "dkim.malformed", ""),
        (format!("k=ed25519; p={good}"), "dkim.malformed", ""),
        (format!("p={good}; p={good}"), "dkim.malformed", ""),
    ] {
        let zone = Zone::new(&format!("s._domainkey.a.test. TXT {}", quoted(&record)));
        let told = examine(&zone, &name_of("a.test").unwrap(), &["s".to_owned()]).await;
        assert_eq!(told.rules().join(" "), rules, "{record}: {:?}", told.findings);
        assert_eq!(told.value("dkim.s.key").unwrap_or_default(), key, "{record}");
    }
}

#[tokio::test]
async fn selectors() {
    let good = quoted(&format!("p={}", rsa(2048)));
    let zone = Zone::new(&format!(
        "s._domainkey.a.test. TXT {good}\n\
         two._domainkey.a.test. TXT {good}\n\
         two._domainkey.a.test. TXT \"p=\"\n\
         alias._domainkey.a.test. CNAME s._domainkey.a.test.\n\
         slow._domainkey.a.test. TXT TIMEOUT\n\
         ed._domainkey.a.test. TXT \"k=ed25519; p={}\"",
        ed25519()
    ));
    let long = "x".repeat(64);
    for (selectors, rules) in [
        (vec![], ""),
        (vec!["s", "alias"], ""),
        (vec!["gone"], "dkim.missing"),
        (vec![long.as_str()], "dkim.missing"),
        (vec!["two"], "dkim.several_records"),
        (vec!["slow"], "unanswered"),
        (vec!["ed"], "dkim.only_ed25519"),
        (vec!["ed", "s"], ""),
    ] {
        let given: Vec<String> = selectors.iter().map(ToString::to_string).collect();
        let told = examine(&zone, &name_of("a.test").unwrap(), &given).await;
        assert_eq!(told.rules().join(" "), rules, "{selectors:?}");
    }
}
