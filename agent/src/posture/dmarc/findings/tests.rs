use mailsonde_proto::Severity;

use super::*;
use crate::dns::zone::Zone;
use crate::posture::name_of;

async fn found(zone: &str, domain: &str) -> (Told, Enforcement) {
    examine(&Zone::new(zone), &name_of(domain).unwrap()).await
}

/// One line a case: the record of a.test, which rules do not hold, and what the policy comes to.
#[tokio::test]
async fn each_way_of_being_broken_has_its_finding() {
    for (record, rules, policy) in [
        ("v=DMARC1; p=reject; rua=mailto:r@a.test", "", "reject"),
        ("v=DMARC1; p=quarantine; rua=mailto:r@sub.a.test", "", "quarantine"),
        ("v=DMARC1; p=quarantine; sp=reject; np=reject; rua=mailto:r@a.test", "", "quarantine"),
        ("v=DMARC1; p=none; rua=mailto:r@a.test", "dmarc.policy_none", "none"),
        ("v=DMARC1; rua=mailto:r@a.test", "dmarc.no_policy", "none"),
        ("v=DMARC1; p=deny; rua=mailto:r@a.test", "dmarc.syntax dmarc.no_policy", "none"),
        ("v=DMARC1; p=reject; sp=none; rua=mailto:r@a.test", "dmarc.subdomains_weaker", "reject"),
        (
            "v=DMARC1; p=reject; sp=reject; np=quarantine; rua=mailto:r@a.test",
            "dmarc.subdomains_weaker",
            "reject",
        ),
        ("v=DMARC1; p=reject; t=y; rua=mailto:r@a.test", "dmarc.testing", "quarantine"),
        ("v=DMARC1; p=reject", "dmarc.no_reports", "reject"),
        ("v=DMARC1; p=reject; rua=r@a.test", "dmarc.syntax dmarc.no_reports", "reject"),
        ("v=DMARC1; p=reject; pct=100; rua=mailto:r@a.test", "dmarc.removed_tags", "reject"),
        ("v=DMARC1; p=reject; moo=1; rua=mailto:r@a.test", "", "reject"),
        ("v=DMARC1; p=reject; rua=mailto:r@yes.test", "", "reject"),
        ("v=DMARC1; p=reject; rua=mailto:r@no.test", "dmarc.reports_not_authorized", "reject"),
        (
            "v=DMARC1; p=reject; rua=mailto:r@a.test; ruf=mailto:r@no.test",
            "dmarc.reports_not_authorized",
            "reject",
        ),
        ("v=DMARC1; p=reject; psd=y; rua=mailto:r@a.test", "dmarc.public_suffix", "reject"),
        ("v=dmarc1; p=reject", "dmarc.not_a_record", "none"),
        ("p=reject; v=DMARC1", "dmarc.not_a_record", "none"),
        ("v=spf1 -all", "dmarc.none", "none"),
    ] {
        let zone = format!(
            "_dmarc.a.test. TXT \"{record}\"\n\
             a.test._report._dmarc.yes.test. TXT \"v=DMARC1\"\n\
             a.test._report._dmarc.no.test. TXT \"v=spf1\""
        );
        let (told, enforcement) = found(&zone, "a.test").await;
        assert_eq!(told.rules().join(" "), rules, "{record}: {:?}", told.findings);
        assert_eq!(enforcement.domain.as_str(), policy, "{record}");
    }
}

#[tokio::test]
async fn what_counts_for_a_subdomain_stands_above() {
    let zone = "
        _dmarc.a.test. TXT \"v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:r@a.test\"
        x.a.test.      A   192.0.2.1
    ";
    for (domain, policy) in
        [("a.test", "reject"), ("x.a.test", "quarantine"), ("y.a.test", "reject")]
    {
        let (told, _) = found(zone, domain).await;
        assert_eq!(told.value("dmarc.policy"), Some(policy), "{domain}");
        assert_eq!(told.value("dmarc.found_at"), Some("_dmarc.a.test"));
        assert_eq!(told.value("dmarc.organizational_domain"), Some("a.test"));
        assert_eq!(told.rules(), ["dmarc.subdomains_weaker"]);
    }
}

#[tokio::test]
async fn subdomains_without_protection_are_worse_than_less_protected_ones() {
    for (tags, severity) in [
        ("p=reject; sp=quarantine", Severity::Notice),
        ("p=reject; np=none", Severity::Warning),
        ("p=quarantine; sp=none", Severity::Warning),
    ] {
        let zone = format!("_dmarc.a.test. TXT \"v=DMARC1; {tags}; rua=mailto:r@a.test\"");
        let (told, _) = found(&zone, "a.test").await;
        assert_eq!(told.findings[0].severity, severity, "{tags}");
    }
}

#[tokio::test]
async fn below_a_public_suffix_psd_is_right() {
    let zone = "_dmarc.psd.test. TXT \"v=DMARC1; p=reject; psd=y; rua=mailto:r@psd.test\"";
    let (told, _) = found(&format!("{zone}\norg.psd.test. A 192.0.2.1"), "org.psd.test").await;
    // The suffix' reports are not the organisation's, and go where the record stands.
    assert!(!told.rules().contains(&"dmarc.public_suffix"), "{:?}", told.findings);
    assert_eq!(told.value("dmarc.organizational_domain"), Some("org.psd.test"));
    assert_eq!(told.value("dmarc.policy"), Some("reject"));
}

#[tokio::test]
async fn two_records_count_as_none_and_a_silent_server_leaves_nothing_known() {
    let zone = "_dmarc.a.test. TXT \"v=DMARC1; p=none\"\n_dmarc.a.test. TXT \"v=DMARC1; p=reject\"";
    let (told, enforcement) = found(zone, "a.test").await;
    assert_eq!(told.rules(), ["dmarc.several_records"]);
    assert_eq!(enforcement, Enforcement::NOTHING);
    let (told, _) = found("_dmarc.a.test. TXT SERVFAIL", "a.test").await;
    assert_eq!(told.rules(), ["unanswered"]);
    let zone = "_dmarc.a.test. TXT \"v=DMARC1; p=reject; rua=mailto:r@b.test\"\n\
                a.test._report._dmarc.b.test. TXT TIMEOUT";
    assert_eq!(found(zone, "a.test").await.0.rules(), ["unanswered"]);
}
