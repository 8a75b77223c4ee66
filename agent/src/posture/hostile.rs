//! Whatever bytes DNS and web servers give, no parser here panics, and what it tells stays in its bounds.
//!
//! What each property does stands in [`super::fuzzed`], which the fuzz targets call too.

use std::fmt::Write;

use proptest::prelude::*;

use super::fuzzed;

/// Texts that are near to what is meant, with anything in between.
fn near(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        2 => "[ -~]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => prop::sample::select(words).prop_map(|word| word.repeat(40).into_bytes()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

const SPF: &[&str] = &[
    "v=spf1 ",
    "v=spf1",
    " ",
    "include:",
    "redirect=",
    "exp=",
    "a",
    "mx",
    "ptr:",
    "exists:",
    "ip4:",
    "ip6:",
    "all",
    "-",
    "~",
    "?",
    "+",
    "/24",
    "//64",
    "192.0.2.1",
    "2001:db8::1",
    "%{s}",
    "%{ir}",
    "%{l1r+-}",
    "%{d2}",
    "%{p}",
    "%{H}",
    "%%",
    "%_",
    "%-",
    "%{",
    "}",
    ".a.test",
    "unknown=",
];
const TAGS: &[&str] = &[
    "v=DKIM1",
    "v=DMARC1",
    "v=TLSRPTv1",
    "v=BIMI1",
    "v=STSv1",
    ";",
    "; ",
    "=",
    "p=",
    "k=rsa",
    "k=ed25519",
    "h=sha256",
    "s=email",
    "t=y",
    "p=none",
    "sp=",
    "np=reject",
    "psd=y",
    "rua=",
    "ruf=",
    "fo=1:d:s",
    "mailto:a@b.test",
    "https://b.test/x.svg",
    ",",
    "!10m",
    "l=",
    "a=",
    "id=",
    "20260101",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA",
    "AAAA",
    "MEgCQQ",
    "IDAQAB",
];
const POLICY: &[&str] = &[
    "version: STSv1\n",
    "mode: enforce\r\n",
    "mode: ",
    "testing",
    "none",
    "mx: *.a.test\n",
    "mx: ",
    "max_age: 604800\n",
    "max_age: ",
    "99999999999",
    "\n",
    "\r",
    ":",
    "*.",
    "a.test",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn spf(text in near(SPF)) {
        fuzzed::spf(&text);
    }

    #[test]
    fn tags_of_each_kind(text in near(TAGS)) {
        fuzzed::tags(&text);
    }

    #[test]
    fn mta_sts_policy(text in near(POLICY)) {
        fuzzed::mta_sts_policy(&text);
    }

    #[test]
    fn tlsa(data in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzzed::tlsa(&data);
    }
}

#[test]
fn the_largest_records_take_no_time() {
    // DNS carries 64 KiB at most; each of these is as bad as it can be for one parser.
    let mut many = String::from("v=spf1");
    while many.len() < 60_000 {
        write!(many, " a:%{{s}}.%{{S128r.-+,/_=}}.%{{l}}.x").unwrap();
    }
    let tags = format!("v=DMARC1{}", ";a=b".repeat(16_000));
    let key = format!("v=DKIM1; p={}", "A ".repeat(30_000));
    let macros = format!("v=spf1 exists:{}.x", "%{S128r.-+,/_=}".repeat(4_000));
    let policy = format!("version: STSv1\n{}", "mx: *.a.test\n".repeat(5_000));
    let clock = mailsonde_proto::Clock::system();
    let started = clock.monotonic();
    fuzzed::spf(many.as_bytes());
    fuzzed::spf(macros.as_bytes());
    fuzzed::tags(tags.as_bytes());
    fuzzed::tags(key.as_bytes());
    fuzzed::mta_sts_policy(policy.as_bytes());
    let took = clock.monotonic().saturating_duration_since(started);
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}
