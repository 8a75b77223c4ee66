//! What a domain publishes about its mail: SPF, DKIM, DMARC, MTA-STS, DANE, TLSRPT, BIMI.

use std::collections::BTreeSet;

use super::{dns, probe};
use crate::agent::{Told, in_company, lab};

const RULES: &str = "spf,dkim,dmarc,mta_sts,dane,tlsrpt,bimi";

/// The rules of a group that do not hold for a domain are these.
fn assert_rules(group: &str, domain: &str, expected: &str, more: &[(&str, &str)]) -> Told {
    let posture = dns(domain, group, more);
    let expected: BTreeSet<&str> = expected.split_whitespace().collect();
    assert_eq!(posture.rules(), expected, "{domain}: {posture:#?}");
    posture.assert_pass();
    posture
}

fn ca_file() -> String {
    lab().ca_file().display().to_string()
}

#[test]
fn a_good_domain_has_no_finding_and_every_group_is_a_phase() {
    let _company = in_company();
    let more = [("selectors", "s2048,ed"), ("ca_file", &ca_file())];
    let posture = assert_rules(RULES, "good.test", "", &more);
    for group in RULES.split(',') {
        posture.phase(&format!("dns.{group}"));
    }
    for (fact, value) in [
        ("spf.record", "v=spf1 mx -all"),
        ("spf.lookups", "1"),
        ("spf.voids", "0"),
        ("spf.tree", "good.test [1 look-up]\n  mx [1 look-up]\n  -all"),
        ("record.spf", "v=spf1 mx -all"),
        ("dkim.s2048.key", "rsa 2048 bits"),
        ("dkim.ed.key", "ed25519"),
        ("dmarc.policy", "reject"),
        ("dmarc.found_at", "_dmarc.good.test"),
        ("dmarc.alignment", "dkim strict, spf relaxed"),
        ("mta_sts.id", "20260101T000000"),
        ("mta_sts.mode", "enforce"),
        ("record.mta_sts.id", "20260101T000000"),
        ("dane.mx1.good.test.result", "matches"),
        ("bimi.logo", "https://bimi.good.test/logo.svg"),
    ] {
        assert_eq!(posture.fact(fact), value, "{fact}");
    }
    assert_eq!(posture.fact("record.mta_sts.policy.digest").len(), 64);
    let tlsa = posture.fact("dane.mx1.good.test.tlsa");
    assert_eq!(tlsa.lines().filter(|line| line.ends_with(": matches")).count(), 2, "{tlsa}");
}

#[test]
fn spf_records_that_are_broken() {
    let _company = in_company();
    for (domain, expected, costs) in [
        ("spf11.test", "spf.too_many_lookups", "11 0"),
        ("spf10.test", "spf.near_the_lookup_limit spf.void_lookup", "10 1"),
        ("spf2.test", "spf.several_records", ""),
        ("spfvoid.test", "spf.too_many_void_lookups", "4 3"),
        ("spfvoid2.test", "spf.void_lookup", "3 2"),
        ("spfloop.test", "spf.loop", "1 0"),
        ("spfall.test", "spf.pass_all", "0 0"),
        ("spfsoft.test", "", "1 0"),
        ("spfneutral.test", "spf.neutral_all", "1 0"),
        ("nospf.test", "spf.none", ""),
        ("spfbad.test", "spf.syntax", "0 0"),
        ("spftemp.test", "dns.bogus", "1 0"),
        ("spfmacro.test", "", "1 0"),
        ("spfredirect.test", "", "2 0"),
        ("spfptr.test", "spf.ptr", "1 0"),
        ("spfmx11.test", "spf.too_many_mx", "1 0"),
        ("spfnoall.test", "spf.no_all", "1 0"),
        ("spfafter.test", "spf.unreachable", "1 0"),
        ("spfwide.test", "spf.wide_network", "0 0"),
        ("spfnowhere.test", "spf.leads_nowhere", "1 0"),
        ("spfsenderid.test", "spf.sender_id", "1 0"),
        ("spf99.test", "spf.record_type_99", "1 0"),
    ] {
        let posture = assert_rules("spf", domain, expected, &[]);
        if let [lookups, voids] = costs.split(' ').collect::<Vec<_>>().as_slice() {
            assert_eq!(posture.fact("spf.lookups"), *lookups, "{domain}");
            assert_eq!(posture.fact("spf.voids"), *voids, "{domain}");
        }
    }
    let posture = dns("spf11.test", "spf", &[]);
    assert_eq!(posture.finding("spf.too_many_lookups").severity, "critical");
    assert_eq!(posture.finding("spf.too_many_lookups").source, "RFC 7208 section 4.6.4");
}

#[test]
fn spf_of_one_sender() {
    let _company = in_company();
    for (ip, domain, result, costs) in [
        ("198.18.0.10", "good.test", "pass", "1 0"),
        ("198.18.1.2", "good.test", "fail", "1 0"),
        ("fd00:1ab::10", "good.test", "fail", "1 1"),
        ("203.0.113.3", "spf10.test", "pass", "6 0"),
        ("192.0.2.1", "spf10.test", "fail", "10 1"),
        ("203.0.113.10", "spf11.test", "pass", "10 0"),
        ("203.0.113.11", "spf11.test", "permerror", "11 0"),
        ("198.18.0.10", "spf2.test", "permerror", "0 0"),
        ("198.18.0.10", "spfvoid.test", "permerror", "3 3"),
        ("198.18.0.10", "spfvoid2.test", "pass", "3 2"),
        ("198.18.0.10", "spfloop.test", "permerror", "11 0"),
        ("192.0.2.1", "spfall.test", "pass", "0 0"),
        ("192.0.2.1", "spfsoft.test", "softfail", "1 0"),
        ("192.0.2.1", "spfneutral.test", "neutral", "1 0"),
        ("192.0.2.1", "nospf.test", "none", "0 0"),
        ("198.18.0.10", "spfbad.test", "permerror", "0 0"),
        ("198.18.0.10", "spftemp.test", "temperror", "1 0"),
        ("198.18.0.10", "spfmacro.test", "pass", "1 0"),
        ("198.18.0.11", "spfmacro.test", "fail", "1 1"),
        ("198.18.0.10", "spfredirect.test", "pass", "2 0"),
        ("198.18.0.10", "spfptr.test", "pass", "1 0"),
        ("198.18.0.10", "spfmx11.test", "permerror", "1 0"),
        ("192.0.2.1", "spfnoall.test", "neutral", "1 0"),
        ("192.0.2.1", "spfafter.test", "fail", "1 0"),
        ("198.18.0.10", "spfnowhere.test", "permerror", "1 0"),
    ] {
        let sender = format!("u@{domain}");
        let settings = [("ip", ip), ("sender", &sender), ("helo", "h.test"), ("expect", result)];
        let posture = probe("spf", &settings);
        posture.assert_pass();
        assert_eq!(posture.fact("spf.result"), result, "{ip} {domain}");
        let found =
            ["spf.lookups", "spf.voids"].map(|fact| posture.fact(fact).to_owned()).join(" ");
        assert_eq!(found, costs, "{ip} {domain}: {posture:#?}");
        assert!(posture.phase("spf.evaluate").us > 0);
        assert!(posture.fact("spf.tree").starts_with(&format!("{domain}: {result}")));
    }
}

#[test]
fn spf_that_is_not_as_expected_fails() {
    let _company = in_company();
    let posture = probe("spf", &[("ip", "192.0.2.1"), ("sender", "u@good.test")]);
    let words =
        "SPF says fail, where pass is expected: \"-all\" in the record of good.test matches";
    posture.assert_fault("spf.evaluate", "mismatch", words);
    let posture = probe("spf", &[("ip", "192.0.2.1"), ("sender", "u@spftemp.test")]);
    posture.assert_fault("spf.evaluate", "temporary", "SPF says temperror");
    // Without a sender, the HELO name is judged.
    let posture = probe("spf", &[("ip", "198.18.0.10"), ("helo", "mx1.good.test")]);
    posture.assert_pass();
    assert_eq!(posture.fact("spf.domain"), "mx1.good.test");
}

#[test]
fn dkim_keys() {
    let _company = in_company();
    for (selector, expected, key) in [
        ("s2048", "", "rsa 2048 bits"),
        ("strict", "", "rsa 2048 bits"),
        ("alias", "", "rsa 2048 bits"),
        ("s1024", "dkim.key_weak", "rsa 1024 bits"),
        ("s512", "dkim.key_unusable", "rsa 512 bits"),
        ("s8192", "dkim.key_too_large", "rsa 8192 bits"),
        ("ed", "dkim.only_ed25519", "ed25519"),
        ("revoked", "dkim.revoked", "revoked"),
        ("testing", "dkim.testing", "rsa 2048 bits, testing"),
        ("malformed", "dkim.malformed", ""),
        ("nokey", "dkim.malformed", ""),
        ("rubbish", "dkim.malformed", ""),
        ("unknown", "dkim.unknown_key_type", "unknown type dsa"),
        ("nomail", "dkim.not_for_mail", "rsa 2048 bits"),
        ("sha1", "dkim.no_usable_hash", "rsa 2048 bits"),
        ("two", "dkim.several_records", ""),
        ("dangling", "dkim.missing", ""),
        ("nothere", "dkim.missing", ""),
    ] {
        let posture = assert_rules("dkim", "dkim.test", expected, &[("selectors", selector)]);
        if !key.is_empty() {
            assert_eq!(posture.fact(&format!("dkim.{selector}.key")), key);
        }
    }
}

#[test]
fn dmarc_policies() {
    let _company = in_company();
    for (domain, expected, found_at, policy) in [
        ("dmarcnone.test", "dmarc.policy_none dmarc.no_reports", "dmarcnone.test", "none"),
        ("dmarc2.test", "dmarc.several_records", "", ""),
        ("nodmarc.test", "dmarc.none", "", ""),
        ("dmarcbad.test", "dmarc.not_a_record", "", ""),
        ("dmarcpolicy.test", "dmarc.syntax dmarc.no_policy", "dmarcpolicy.test", "none"),
        ("dmarctest.test", "dmarc.testing dmarc.no_reports", "dmarctest.test", "reject"),
        ("dmarcold.test", "dmarc.removed_tags dmarc.no_reports", "dmarcold.test", "quarantine"),
        ("dmarcext.test", "", "dmarcext.test", "reject"),
        ("dmarcstranger.test", "dmarc.reports_not_authorized", "dmarcstranger.test", "reject"),
        ("tree.test", "dmarc.subdomains_weaker dmarc.no_reports", "tree.test", "reject"),
        ("x.tree.test", "dmarc.subdomains_weaker dmarc.no_reports", "tree.test", "quarantine"),
        ("a.b.tree.test", "dmarc.policy_none dmarc.no_reports", "a.b.tree.test", "none"),
        (
            "a.b.c.d.e.f.g.h.i.tree.test",
            "dmarc.subdomains_weaker dmarc.no_reports",
            "tree.test",
            "quarantine",
        ),
        (
            "psd.test",
            "dmarc.public_suffix dmarc.subdomains_weaker dmarc.no_reports",
            "psd.test",
            "reject",
        ),
        ("org.psd.test", "dmarc.subdomains_weaker dmarc.no_reports", "psd.test", "quarantine"),
        ("own.psd.test", "dmarc.policy_none dmarc.no_reports", "own.psd.test", "none"),
        ("mail.stop.deep.psd.test", "dmarc.no_reports", "stop.deep.psd.test", "quarantine"),
    ] {
        let posture = assert_rules("dmarc", domain, expected, &[]);
        if !found_at.is_empty() {
            assert_eq!(posture.fact("dmarc.found_at"), format!("_dmarc.{found_at}"));
            assert_eq!(posture.fact("dmarc.policy"), policy, "{domain}");
        }
    }
}

#[test]
fn the_tree_walk_finds_organisations() {
    let _company = in_company();
    for (domain, organization, questions) in [
        ("good.test", "good.test", "2"),
        ("x.tree.test", "tree.test", "3"),
        ("a.b.tree.test", "tree.test", "4"),
        // Eight questions, however long the name is.
        ("a.b.c.d.e.f.g.h.i.tree.test", "tree.test", "8"),
        ("mail.org.psd.test", "org.psd.test", "3"),
        ("mail.own.psd.test", "own.psd.test", "3"),
        ("mail.stop.deep.psd.test", "stop.deep.psd.test", "2"),
    ] {
        let posture = dns(domain, "dmarc", &[]);
        assert_eq!(posture.fact("dmarc.organizational_domain"), organization, "{domain}");
        assert_eq!(posture.fact("dmarc.questions"), questions, "{domain}");
    }
}

#[test]
fn tls_reports_and_logos() {
    let _company = in_company();
    for (group, domain, expected) in [
        ("tlsrpt", "tlsrpt2.test", "tlsrpt.several_records"),
        ("tlsrpt", "tlsrptnorua.test", "tlsrpt.syntax"),
        ("tlsrpt", "tlsrptbad.test", "tlsrpt.syntax"),
        ("tlsrpt", "nospf.test", "tlsrpt.none"),
        ("tlsrpt", "nullmx.test", ""),
        ("bimi", "bimibad.test", "bimi.syntax"),
        ("bimi", "bimi2.test", "bimi.several_records"),
        ("bimi", "bimipolicy.test", "bimi.dmarc_not_enforced"),
        ("bimi", "nospf.test", ""),
    ] {
        assert_rules(group, domain, expected, &[]);
    }
}

#[test]
fn mta_sts_policies() {
    let _company = in_company();
    let ca_file = ca_file();
    for (domain, expected) in [
        ("stsmx.test", "mta_sts.mx_left_out"),
        ("ststesting.test", "mta_sts.testing"),
        ("ststestmx.test", "mta_sts.testing mta_sts.mx_left_out_in_testing"),
        ("stsunused.test", "mta_sts.pattern_unused"),
        ("stsnone.test", "mta_sts.mode_none"),
        ("stswild.test", ""),
        ("stsage.test", "mta_sts.max_age_too_long"),
        ("stsshort.test", "mta_sts.max_age_short"),
        ("stsnoage.test", "mta_sts.policy_syntax"),
        ("stsredir.test", "mta_sts.policy_redirect"),
        ("sts404.test", "mta_sts.policy_status"),
        ("stshtml.test", "mta_sts.policy_media_type"),
        ("stswrongcert.test", "mta_sts.policy_certificate"),
        ("stsexpired.test", "mta_sts.policy_certificate"),
        ("stsself.test", "mta_sts.policy_certificate"),
        ("stslarge.test", "mta_sts.policy_too_large"),
        ("stsnohost.test", "mta_sts.no_policy_host"),
        ("stsnorecord.test", "mta_sts.none"),
        ("sts2.test", "mta_sts.several_records"),
        ("stsid.test", "mta_sts.syntax"),
        ("stsclosed.test", "mta_sts.policy_unreachable"),
        ("nullmx.test", ""),
    ] {
        assert_rules("mta_sts", domain, expected, &[("ca_file", &ca_file)]);
    }
    let posture = dns("stsmx.test", "mta_sts", &[("ca_file", &ca_file)]);
    let finding = posture.finding("mta_sts.mx_left_out");
    assert_eq!(finding.severity, "critical");
    assert!(finding.evidence.contains("mx2.good.test is an MX"), "{finding:?}");
}

#[test]
fn tlsa_records_beside_the_certificates_that_are_shown() {
    let _company = in_company();
    for (domain, expected, result) in [
        ("danebad.test", "dane.mismatch", "does not match"),
        ("danerollover.test", "", "matches"),
        ("danepkix.test", "dane.unusable", ""),
        ("daneunsigned.test", "dane.insecure", "matches"),
        ("danenotls.test", "dane.no_tls", "no TLS"),
        // DANE-EE does not look at the validity.
        ("daneexpired.test", "", "matches"),
        ("danedark.test", "dane.not_looked_at", ""),
        ("relay.test", "dane.none", ""),
        ("unsigned.test", "dane.insecure_domain", ""),
        ("nullmx.test", "", ""),
    ] {
        let posture = assert_rules("dane", domain, expected, &[]);
        if !result.is_empty() {
            assert_eq!(posture.fact(&format!("dane.mx.{domain}.result")), result);
        }
    }
    let unseen = dns("danedark.test", "dane", &[]);
    let evidence = &unseen.finding("dane.not_looked_at").evidence;
    assert!(
        evidence.starts_with("mx.danedark.test: ") && evidence.contains("refused"),
        "{evidence}"
    );
    let posture = dns("danebad.test", "dane", &[]);
    assert_eq!(posture.finding("dane.mismatch").severity, "critical");
}

#[test]
fn dane_ta_follows_the_chain_to_the_authority_in_dns() {
    let _company = in_company();
    let posture = assert_rules("dane", "daneta.test", "", &[]);
    for (host, record) in [("mx1.good.test", "2 1 1"), ("mx.daneta.test", "2 0 1")] {
        assert_eq!(posture.fact(&format!("dane.{host}.result")), "matches");
        let tlsa = posture.fact(&format!("dane.{host}.tlsa"));
        let line = tlsa.lines().find(|line| line.starts_with(record));
        assert!(line.is_some_and(|line| line.ends_with(": matches")), "{tlsa}");
    }
}
