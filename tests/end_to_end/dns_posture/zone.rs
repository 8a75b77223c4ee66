//! MX, addresses, names, services, CAA, name servers, times and DNSSEC.

use std::collections::BTreeSet;

use mailsonde_tests::lab::Manner;

use super::{dns, probe};
use crate::agent::{in_company, lab};

const RULES: &str = "mx,reach,ptr,srv,caa,servers,ttl,dnssec";

fn assert_rules(domain: &str, expected: &[&str]) {
    let posture = dns(domain, RULES, &[]);
    let expected: BTreeSet<&str> = expected.iter().copied().collect();
    assert_eq!(posture.rules(), expected, "{domain}: {posture:#?}");
    posture.assert_pass();
}

#[test]
fn a_good_domain_has_no_finding_and_every_group_is_a_phase() {
    let _company = in_company();
    let posture = dns("good.test", RULES, &[("expect_mx", "mx1.good.test")]);
    assert!(posture.findings.is_empty(), "{posture:#?}");
    posture.assert_pass();
    let lookup = posture.phase("dns.lookup");
    assert!(lookup.start_us >= 0 && lookup.us > 0, "{lookup:?}");
    for group in RULES.split(',') {
        let phase = posture.phase(&format!("dns.{group}"));
        assert!(phase.start_us >= lookup.end_us() - 1_000, "{phase:?} after {lookup:?}");
        assert!(phase.end_us() <= posture.total_us + 1_000, "{phase:?}");
    }
    for (fact, value) in [
        ("record.mx", "10 mx1.good.test."),
        ("record.a.mx1.good.test", "198.18.0.10"),
        ("record.ns", "ns1.lab.test.\nns2.lab.test."),
        ("record.ptr.198.18.0.10", "mx1.good.test."),
        ("dnssec.status", "secure"),
        ("reach.families", "ipv4"),
        ("srv.offered", "submissions submission imaps imap pop3s pop3"),
        ("caa.at", "good.test"),
        ("dns.resolver", "198.18.0.54:53"),
    ] {
        assert_eq!(posture.fact(fact), value, "{fact}");
    }
    assert_eq!(posture.fact("record.mx.digest").len(), 64);
    for domain in ["twomx.test", "twoptr.test", "nullmx.test"] {
        assert_rules(domain, &[]);
    }
}

#[test]
fn mail_exchangers_that_are_not_there_or_not_to_be_reached() {
    let _company = in_company();
    for (domain, expected) in [
        ("dangling.test", vec!["dns.mx.dangling"]),
        ("halfdangling.test", vec!["dns.mx.dangling"]),
        ("mxcname.test", vec!["dns.mx.alias"]),
        ("nullmx2.test", vec!["dns.mx.null_with_others"]),
        ("nullmx5.test", vec!["dns.mx.null_preference"]),
        ("mxtwice.test", vec!["dns.mx.twice"]),
        ("nomx.test", vec!["dns.mx.implicit"]),
        ("nothing.test", vec!["dns.mx.none"]),
        ("privmx.test", vec!["dns.mx.special_address"]),
        ("localmx.test", vec!["dns.mx.special_address"]),
        ("mxliteral.test", vec!["dns.mx.literal"]),
        ("v6.test", vec!["dns.mx.special_address"]),
        ("v6only.test", vec!["dns.mx.special_address", "dns.reach.only_ipv6"]),
        ("noptr.test", vec!["dns.ptr.none"]),
        ("wrongptr.test", vec!["dns.ptr.mismatch"]),
    ] {
        assert_rules(domain, &expected);
    }
    let all = dns("dangling.test", "mx", &[]);
    assert!(all.findings.iter().all(|finding| finding.severity == "critical"), "{all:#?}");
    let half = dns("halfdangling.test", "mx", &[]);
    assert_eq!(half.finding("dns.mx.dangling").severity, "warning");
    assert_eq!(half.finding("dns.mx.dangling").evidence, "gone.halfdangling.test does not exist");
}

#[test]
fn port_25_is_connected_only_when_the_check_says_so() {
    let _company = in_company();
    for (domain, rules) in [
        ("good.test", vec![]),
        ("closedmx.test", vec!["dns.reach.closed"]),
        ("deadmx.test", vec!["dns.reach.closed"]),
    ] {
        assert_eq!(dns(domain, "reach", &[]).rules(), BTreeSet::new(), "{domain}");
        let posture = dns(domain, "reach", &[("connect", "true")]);
        assert_eq!(posture.rules(), rules.into_iter().collect(), "{posture:#?}");
    }
}

#[test]
fn services_authorities_and_times() {
    let _company = in_company();
    assert_rules("srvbad.test", &["dns.srv.dangling", "dns.srv.alias", "dns.srv.port"]);
    assert_rules("srvboth.test", &["dns.srv.none_with_others"]);
    assert_rules("caanone.test", &["dns.caa.nobody"]);
    assert_rules("caamalformed.test", &["dns.caa.malformed"]);
    assert_rules("caacritical.test", &["dns.caa.critical_unknown"]);
    assert_rules("shortttl.test", &["dns.ttl.short"]);
    assert_rules("longttl.test", &["dns.ttl.long"]);
}

#[test]
fn name_servers_that_are_lame_silent_alone_old_or_of_two_minds() {
    let _company = in_company();
    for (domain, expected, evidence) in [
        (
            "lame.test",
            vec!["dns.servers.lame"],
            "ns2.lab.test (198.18.0.55) answers without authority",
        ),
        ("deafns.test", vec!["dns.servers.silent"], "deaf.lab.test (198.18.0.99): no DNS server"),
        ("onens.test", vec!["dns.servers.single"], "ns1.lab.test is the only name server"),
        (
            "differs.test",
            vec!["dns.servers.answers_differ", "dns.servers.serial_differs"],
            "at ns1.lab.test (198.18.0.53)",
        ),
        ("nsgone.test", vec!["dns.servers.unresolved"], "gone.lab.test has no address"),
        ("onehost.test", vec!["dns.servers.one_place"], "all have the address 198.18.0.53"),
        (
            "parentns.test",
            vec!["dns.servers.parent_differs"],
            "the parent names ns2.lab.test, the zone itself ns2.lab.test, ns3.lab.test",
        ),
        ("soaretry.test", vec!["dns.soa.retry"], "retry is 600 s, refresh 600 s"),
        ("soaexpire.test", vec!["dns.soa.expire"], "expire is 3600 s, with refresh 3600 s"),
        ("soanegative.test", vec!["dns.soa.negative_ttl"], "are kept for 604800 s"),
    ] {
        let posture = dns(domain, "servers", &[]);
        assert_eq!(posture.rules(), expected.iter().copied().collect(), "{posture:#?}");
        let told = &posture.finding(expected[0]).evidence;
        assert!(told.contains(evidence), "{told}");
    }
}

#[test]
fn name_servers_in_one_network_are_told_unless_it_is_private() {
    let _company = in_company();
    assert_eq!(dns("good.test", "servers", &[]).rules(), BTreeSet::new());
    let outside = probe("dns", &[("domain", "good.test"), ("rules", "servers")]);
    assert_eq!(outside.rules(), ["dns.servers.one_place"].into(), "{outside:#?}");
    let finding = outside.finding("dns.servers.one_place");
    assert_eq!(finding.evidence, "all name servers are in 198.18.0.0/24");
    assert_eq!(finding.severity, "notice");
}

#[test]
fn a_name_server_from_before_edns() {
    let _company = in_company();
    let started = (0..100).find_map(|_| {
        let started = lab().start_name_server(Manner::NoEdns);
        // Somebody else may have it for a moment.
        started.inspect_err(|_| std::thread::sleep(std::time::Duration::from_millis(200))).ok()
    });
    let _server = started.expect("the old name server starts");
    let old = dns("noedns.test", "servers", &[]);
    let rules = ["dns.servers.no_edns", "dns.servers.no_tcp", "dns.servers.single"];
    assert_eq!(old.rules(), rules.into(), "{old:#?}");
    assert_eq!(
        old.finding("dns.servers.no_edns").evidence,
        "old.lab.test (198.18.0.57) answers FORMERR to EDNS",
        "{old:#?}"
    );
}

#[test]
fn secure_insecure_and_bogus_are_told_apart() {
    let _company = in_company();
    for (domain, status, rules) in [
        ("good.test", "secure", vec![]),
        ("unsigned.test", "insecure", vec![]),
        ("island.test", "insecure", vec!["dns.dnssec.no_ds"]),
        ("ending.test", "secure", vec!["dns.dnssec.ends_soon"]),
        ("sha1.test", "secure", vec!["dns.dnssec.weak_algorithm"]),
    ] {
        let posture = dns(domain, "dnssec", &[]);
        assert_eq!(posture.fact("dnssec.status"), status, "{posture:#?}");
        assert_eq!(posture.rules(), rules.into_iter().collect(), "{posture:#?}");
        let expect = if status == "secure" { "insecure" } else { "secure" };
        let wrong = dns(domain, "dnssec", &[("expect_dnssec", expect)]);
        wrong.assert_fault("dns.dnssec", "mismatch", "is expected");
    }
    for (domain, rule, ede) in [
        ("expired.test", "dns.dnssec.expired", "EDE 7, signature expired"),
        ("bogus.test", "dns.dnssec.ds_mismatch", "EDE 9, DNSKEY missing"),
    ] {
        let posture = dns(domain, "dnssec", &[]);
        assert_eq!(posture.fact("dnssec.status"), "bogus", "{posture:#?}");
        let finding = posture.finding(rule);
        assert!(finding.evidence.starts_with(ede), "{finding:#?}");
        assert_eq!(finding.severity, "critical");
        posture.assert_fault("dns.lookup", "mismatch", ede);
    }
    let expired = dns("expired.test", "dnssec", &[]);
    assert!(expired.finding("dns.dnssec.expired").evidence.contains("the name server's signature"));
}

#[test]
fn a_resolver_that_does_not_validate_is_not_needed_for_it() {
    let _company = in_company();
    // Knot itself answers for the lab's zones, and validates nothing.
    let asked = |domain, more: &[(&str, &str)]| {
        let settings = [("resolver", "198.18.0.53"), ("domain", domain), ("rules", "dnssec")];
        probe("dns", &[settings.as_slice(), more].concat())
    };
    assert_eq!(asked("good.test", &[]).fact("dnssec.status"), "secure");
    assert_eq!(asked("unsigned.test", &[]).fact("dnssec.status"), "insecure");
    for (domain, rule) in
        [("expired.test", "dns.dnssec.expired"), ("bogus.test", "dns.dnssec.ds_mismatch")]
    {
        let posture = asked(domain, &[]);
        assert_eq!(posture.fact("dnssec.status"), "bogus", "{posture:#?}");
        posture.finding(rule);
    }
    let off = asked("expired.test", &[("dnssec", "off")]);
    assert_eq!(off.fact("dnssec.status"), "unchecked");
    off.assert_pass();
}

#[test]
fn records_that_were_altered_after_they_were_signed_are_bogus() {
    let _company = in_company();
    let posture = dns("tampered.test", "mx,dnssec", &[]);
    assert_eq!(posture.fact("dnssec.status"), "bogus", "{posture:#?}");
    assert_eq!(posture.rules(), ["dns.dnssec.bogus"].into(), "{posture:#?}");
    // Its MX records were not: the run fails only where the check asks for it.
    posture.assert_pass();
    let strict = dns("tampered.test", "dnssec", &[("expect_dnssec", "secure")]);
    strict.assert_fault("dns.dnssec", "mismatch", "the domain is bogus");
}

#[test]
fn a_resolver_that_keeps_signatures_or_keys_to_itself_leaves_it_open() {
    let _company = in_company();
    for (manner, status, rule) in [
        (Manner::NoSignatures, "unchecked", "dns.dnssec.unchecked"),
        (Manner::NoKeys, "indeterminate", "dns.dnssec.indeterminate"),
    ] {
        let server = lab().start_name_server(manner).expect("it starts");
        let posture = dns("good.test", "dnssec", &[("resolver", &server.address().to_string())]);
        assert_eq!(posture.fact("dnssec.status"), status, "{posture:#?}");
        assert_eq!(posture.rules(), [rule].into(), "{posture:#?}");
        match manner {
            Manner::NoKeys => {
                let words = "the DNS server answered SERVFAIL to ";
                let evidence = &posture.finding(rule).evidence;
                assert!(evidence.contains(words) && evidence.ends_with(" DNSKEY"), "{evidence}");
                posture.assert_fault("dns.lookup", "temporary", words);
            }
            _ => posture.assert_pass(),
        }
    }
}

#[test]
fn what_nobody_answers_or_not_in_time_is_told() {
    let _company = in_company();
    let half = dns("halfsilent.test", "mx", &[]);
    assert_eq!(half.rules(), ["dns.unanswered"].into(), "{half:#?}");
    assert!(half.finding("dns.unanswered").evidence.contains("mx.silent.test"), "{half:#?}");
    half.assert_pass();
    let patient = [("timeout", "3s"), ("question_timeout", "20s")];
    let late = dns("deafns.test", "mx,servers", &patient);
    assert_eq!(late.rules(), ["dns.unfinished"].into(), "{late:#?}");
    let words = "the rules servers were not done in time";
    assert_eq!(late.finding("dns.unfinished").evidence, words);
    late.assert_pass();
    assert!(late.total_us < 3_000_000, "{late:#?}");
}

#[test]
fn a_domain_that_is_not_there_or_not_as_expected_fails() {
    let _company = in_company();
    let gone = dns("nodomain-here.test", RULES, &[]);
    gone.assert_fault("dns.lookup", "refused", "does not exist in DNS");
    let other = dns("good.test", "mx", &[("expect_mx", "mx1.good.test,mx2.good.test")]);
    other.assert_fault("dns.mx", "mismatch", "the MX hosts are mx1.good.test");
    let servers = dns("good.test", "servers", &[("expect_ns", "ns1.lab.test")]);
    servers.assert_fault("dns.servers", "mismatch", "ns1.lab.test, ns2.lab.test");
}

#[test]
fn the_next_resolver_answers_when_the_first_does_not() {
    let _company = in_company();
    let both = ("resolver", "198.18.0.1,198.18.0.54");
    let posture = dns("good.test", "mx", &[both]);
    posture.assert_pass();
    assert_eq!(posture.fact("dns.resolver"), "198.18.0.1:53 198.18.0.54:53");
    let none = dns("good.test", "mx", &[("resolver", "198.18.0.99"), ("question_timeout", "1s")]);
    none.assert_fault("resolve", "timeout", "no DNS server answers at all");
}
