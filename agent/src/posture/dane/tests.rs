use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use ring::digest::{SHA256, SHA512, digest};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::dns::zone::Zone;

/// 2026-06-01.
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_780_272_000));

struct Certificates {
    good: Vec<CertificateDer<'static>>,
    expired: Vec<CertificateDer<'static>>,
    other_name: Vec<CertificateDer<'static>>,
    other_authority: CertificateDer<'static>,
}

impl Certificates {
    fn new() -> Self {
        let authority = || {
            let mut params = CertificateParams::new(vec![]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let (ours, other) = (authority(), authority());
        let chain = |name: &str, until: i32| {
            let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
            leaf.not_before = date_time_ymd(2020, 1, 1);
            leaf.not_after = date_time_ymd(until, 1, 1);
            let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &ours).unwrap();
            vec![leaf.der().clone(), ours.der().clone()]
        };
        Self {
            good: chain("mx.a.test", 2040),
            expired: chain("mx.a.test", 2021),
            other_name: chain("mx.b.test", 2040),
            other_authority: other.der().clone(),
        }
    }
}

fn record(usage: u8, selector: u8, matching: u8, of: &CertificateDer<'_>) -> Tlsa {
    let selected = match selector {
        1 => X509Certificate::from_der(of).unwrap().1.public_key().raw.to_vec(),
        _ => of.to_vec(),
    };
    let data = match matching {
        1 => digest(&SHA256, &selected).as_ref().to_vec(),
        2 => digest(&SHA512, &selected).as_ref().to_vec(),
        _ => selected,
    };
    Tlsa { usage, selector, matching, data }
}

/// Usage, selector and matching in every combination, against good and bad chains.
#[test]
fn records_and_chains() {
    let certificates = Certificates::new();
    let Certificates { good, expired, other_name, other_authority } = &certificates;
    let names = ["mx.a.test".to_owned(), "a.test".to_owned()];
    let expected = Expected { names: &names, now: NOW };
    let matches = |tlsa: &Tlsa, chain: &[CertificateDer<'_>]| tlsa.judge(chain, &expected);
    for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let at = format!("{selector} {matching}");
        let (leaf, authority) = (&good[0], &good[1]);
        assert_eq!(matches(&record(3, selector, matching, leaf), good), Match::Yes, "3 {at}");
        assert_eq!(matches(&record(2, selector, matching, authority), good), Match::Yes, "2 {at}");
        for (tlsa, chain) in [
            (record(3, selector, matching, authority), good),
            (record(3, selector, matching, &expired[0]), good),
            (record(2, selector, matching, other_authority), good),
            // DANE-TA looks at validity and name, DANE-EE does not.
            (record(2, selector, matching, &expired[1]), expired),
            (record(2, selector, matching, &other_name[1]), other_name),
        ] {
            assert!(matches!(matches(&tlsa, chain), Match::No(_)), "{} {at}", tlsa.usage);
        }
        for chain in [expired, other_name] {
            assert_eq!(matches(&record(3, selector, matching, &chain[0]), chain), Match::Yes);
        }
        let alone = &good[..1];
        let shown = matches(&record(2, selector, matching, authority), alone);
        let is_whole = (selector, matching) == (0, 0);
        assert_eq!(shown == Match::Yes, is_whole, "an anchor that is not shown: {at}");
    }
    assert!(matches!(matches(&record(3, 1, 1, &good[0]), &[]), Match::No(_)));
    let cut = [CertificateDer::from(good[0][..20].to_vec())];
    assert!(matches!(matches(&record(3, 1, 1, &good[0]), &cut), Match::No(_)));
}

#[test]
fn records_that_nobody_uses() {
    let tlsa = |usage, selector, matching, bytes| Tlsa {
        usage,
        selector,
        matching,
        data: vec![0xab; bytes],
    };
    for (record, expected) in [
        (tlsa(3, 1, 1, 32), Ok(())),
        (tlsa(2, 0, 2, 64), Ok(())),
        (tlsa(3, 0, 0, 700), Ok(())),
        (tlsa(0, 1, 1, 32), Err(Unusable::Usage)),
        (tlsa(1, 1, 1, 32), Err(Unusable::Usage)),
        (tlsa(255, 1, 1, 32), Err(Unusable::Usage)),
        (tlsa(3, 2, 1, 32), Err(Unusable::Selector)),
        (tlsa(3, 1, 3, 32), Err(Unusable::Matching)),
        (tlsa(3, 1, 1, 31), Err(Unusable::Length)),
        (tlsa(3, 1, 2, 32), Err(Unusable::Length)),
        (tlsa(3, 0, 0, 0), Err(Unusable::Length)),
    ] {
        assert_eq!(record.usable(), expected, "{}", record.shown());
    }
}

#[test]
fn each_way_of_being_broken_has_its_finding() {
    let Certificates { good, .. } = &Certificates::new();
    let right = record(3, 1, 1, &good[0]);
    let wrong = Tlsa { data: vec![0xab; 32], ..right.clone() };
    let useless = Tlsa { usage: 1, ..right.clone() };
    let chain = || Some(Seen::Chain(good.clone()));
    let words = |text: &str| text.to_owned();
    for (tlsa, (mx, signed), seen, rules, result) in [
        (vec![], (true, true), None, "dane.none", ""),
        (vec![], (true, false), None, "", ""),
        (vec![], (false, true), None, "", ""),
        (vec![right.clone()], (true, true), chain(), "", "matches"),
        (vec![wrong.clone(), right.clone()], (true, true), chain(), "", "matches"),
        (vec![wrong.clone()], (true, true), chain(), "dane.mismatch", "does not match"),
        (vec![right.clone()], (true, false), chain(), "dane.insecure", "matches"),
        (vec![right.clone()], (false, true), chain(), "dane.insecure_domain", "matches"),
        (vec![useless.clone()], (true, true), chain(), "dane.unusable", "no usable record"),
        (vec![useless.clone(), right.clone()], (true, true), chain(), "dane.unusable", "matches"),
        (
            vec![useless, wrong],
            (true, true),
            chain(),
            "dane.unusable dane.mismatch",
            "does not match",
        ),
        (vec![right.clone()], (true, true), Some(Seen::NoTls(words("x"))), "dane.no_tls", "no TLS"),
        (vec![right], (true, true), Some(Seen::Nothing(words("x"))), "dane.not_looked_at", ""),
    ] {
        let exchanger = Exchanger {
            host: words("mx.a.test"),
            domain: words("a.test"),
            is_checked: true,
            is_secure: mx,
            tlsa,
            tlsa_is_secure: signed,
        };
        let told = examine(&exchanger, seen.as_ref(), NOW);
        assert_eq!(told.rules().join(" "), rules, "{exchanger:?}");
        assert_eq!(told.value("dane.mx.a.test.result").unwrap_or_default(), result);
        let unchecked = Exchanger { is_checked: false, ..exchanger };
        let rules = examine(&unchecked, None, NOW);
        assert!(!rules.rules().iter().any(|rule| rule.starts_with("dane.insecure")));
    }
}

#[tokio::test]
async fn records_are_read_with_their_security() {
    let zone = Zone::new(&format!(
        "_25._tcp.plain.test. TLSA 3 1 1 {0}\n; secure\n_25._tcp.mx.test. TLSA 3 1 1 {0}\n\
         _25._tcp.mx.test. TLSA 2 0 2 {0}{0}\n_25._tcp.slow.test. TLSA TIMEOUT",
        "ab".repeat(32)
    ));
    let (found, is_secure) = records(&zone, "mx.test", 25).await.unwrap();
    assert_eq!((found.len(), is_secure), (2, true));
    assert_eq!(found[0].shown(), format!("3 1 1 {}", "ab".repeat(32)));
    assert!(!records(&zone, "plain.test", 25).await.unwrap().1);
    assert!(records(&zone, "gone.test", 25).await.unwrap().0.is_empty());
    assert!(records(&zone, "slow.test", 25).await.is_err());
}
