use super::super::tests::{check, findings, looked};

const ZONE: &str = r#"
    good.test.              MX  10 mail.good.test.
    mail.good.test.         A   9.9.9.10
    good.test.              TXT "v=spf1 mx -all"
    good.test.              TXT "another text"
    _dmarc.good.test.       TXT "v=DMARC1; p=reject; rua=mailto:r@good.test"
    _smtp._tls.good.test.   TXT "v=TLSRPTv1; rua=mailto:r@good.test"
    default._bimi.good.test. TXT "v=BIMI1; l=https://good.test/l.svg"
    s._domainkey.good.test. TXT "v=DKIM1; p="
    null.test.              MX  0 .
    silent.test.            MX  10 mail.good.test.
    silent.test.            TXT SERVFAIL
    _dmarc.silent.test.     TXT BOGUS
    _25._tcp.mail.plain.test. TLSA TIMEOUT
    plain.test.             MX  10 mail.plain.test.
    mail.plain.test.        A   9.9.9.10
"#;

#[tokio::test]
async fn the_libraries_findings_become_the_groups() {
    let cases: [(&str, super::Look, Vec<&str>); 14] = [
        ("good.test", super::spf, vec![]),
        ("good.test", super::dmarc, vec![]),
        ("good.test", super::tlsrpt, vec![]),
        ("good.test", super::bimi, vec![]),
        ("good.test", super::dkim, vec!["dkim.revoked"]),
        ("good.test", super::mta_sts, vec!["mta_sts.none"]),
        ("good.test", super::dane::look, vec![]),
        // Nobody delivers where a null MX says that nothing is taken.
        ("null.test", super::tlsrpt, vec![]),
        ("null.test", super::mta_sts, vec![]),
        ("null.test", super::dane::look, vec![]),
        ("null.test", super::spf, vec!["spf.none"]),
        ("silent.test", super::spf, vec!["dns.unanswered"]),
        ("silent.test", super::dmarc, vec!["dns.bogus"]),
        ("plain.test", super::dane::look, vec!["dns.unanswered"]),
    ];
    for (domain, look, expected) in cases {
        let mut check = check(domain);
        check.selectors = vec!["s".to_owned()];
        let told = findings(ZONE, &check, look).await;
        let rules: Vec<_> = told.iter().filter_map(|line| line.split([' ', ':']).nth(1)).collect();
        assert_eq!(rules, expected, "{domain}: {told:?}");
    }
}

#[tokio::test]
async fn records_are_kept_with_their_digests() {
    let mut kept = Vec::new();
    let mut check = check("good.test");
    check.selectors = vec!["s".to_owned()];
    let looks: [super::Look; 5] =
        [super::spf, super::dkim, super::dmarc, super::tlsrpt, super::bimi];
    for look in looks {
        for records in looked(ZONE, &check, look).await.records {
            let [text, digest] = records.facts(100);
            assert_eq!(digest.value.len(), 64);
            kept.push(format!("{}={}", text.name, text.value));
        }
    }
    assert_eq!(
        kept,
        [
            "record.spf=v=spf1 mx -all",
            "record.dkim.s=v=DKIM1; p=",
            "record.dmarc=v=DMARC1; p=reject; rua=mailto:r@good.test",
            "record.tlsrpt=v=TLSRPTv1; rua=mailto:r@good.test",
            "record.bimi=v=BIMI1; l=https://good.test/l.svg",
        ]
    );
}
