//! Lists that are sound, listed addresses, and lists that are of no use.

use std::net::Ipv4Addr;

use hickory_resolver::proto::rr::Name;
use mailsonde_proto::WallTime;

use super::*;
use crate::dns::zone::Zone;
use crate::net::dns::DnsSettings;

const ZONE: &str = "
    good.test.                MX  10 mx.good.test.
    mx.good.test.             A   198.18.0.10
    mx.good.test.             AAAA 2620:fe::10
    bad.test.                 MX  10 mx.bad.test.
    mx.bad.test.              A   198.18.0.66
    none.test.                MX  0 .

    2.0.0.127.bl.test.        A   127.0.0.2
    66.0.18.198.bl.test.      A   127.0.0.2
    66.0.18.198.bl.test.      A   127.0.0.10
    66.0.18.198.bl.test.      TXT \"listed: https://bl.test/198.18.0.66\"
    2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test. A 127.0.0.2
    test.dbl.test.            A   127.0.1.2
    bad.test.dbl.test.        A   127.0.1.2
    2.0.0.127.clean.test.     A   127.0.0.2
    2.0.0.127.error.test.     A   127.255.255.254
    2.0.0.127.world.test.     A   127.0.0.2
    1.0.0.127.world.test.     A   127.0.0.2
    66.0.18.198.world.test.   A   127.0.0.2
    2.0.0.127.parked.test.    A   203.0.113.80
    2.0.0.127.dead.test.      A   TIMEOUT
    2.0.0.127.nobody.test.    A   NOBODY
    2.0.0.127.late.test.      A   127.0.0.2
    66.0.18.198.late.test.    A   127.255.255.255
";

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

async fn outcome(domain: &str, lists: &[&str], ignored: &[&str]) -> Outcome {
    let ignored: Vec<Ipv4Addr> = ignored.iter().map(|code| code.parse().unwrap()).collect();
    let list = |text: &&str| List::new(name(text), text.starts_with("dbl"), ignored.clone());
    let check = DnsblCheck {
        domain: Some(name(domain)),
        addresses: Vec::new(),
        lists: lists.iter().map(list).collect(),
        dns: DnsSettings::default(),
    };
    let clock = Clock::starting_at(WallTime::from_s(0));
    let mut watch = Stopwatch::start(clock);
    let deadline = clock.monotonic() + Duration::from_secs(5);
    look(&check, &Zone::new(ZONE), (&mut watch, deadline)).await
}

fn told(outcome: &Outcome) -> (String, Vec<String>) {
    let verdict = match &outcome.verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Fail(fault) => format!("{} {}", fault.class.as_str(), fault.explanation),
        Verdict::Void { reason, detail } => format!("void {} {detail}", reason.as_str()),
    };
    let findings = outcome.findings.iter().map(|f| format!("{}: {}", f.rule, f.evidence));
    (verdict, findings.collect())
}

#[tokio::test]
async fn a_listed_address_fails_and_an_error_never_does() {
    for (domain, list, verdict, finding) in [
        ("good.test", "bl.test", "pass", ""),
        (
            "bad.test",
            "bl.test",
            "mismatch 198.18.0.66 is listed by bl.test (127.0.0.2, 127.0.0.10: listed: \
             https://bl.test/198.18.0.66)",
            "",
        ),
        ("bad.test", "clean.test", "pass", ""),
        ("good.test", "dbl.test", "pass", ""),
        ("bad.test", "dbl.test", "mismatch bad.test is listed by dbl.test (127.0.1.2)", ""),
        (
            "none.test",
            "bl.test",
            "mismatch the domain has no mail exchanger with an address to ask about",
            "",
        ),
    ] {
        let findings: Vec<_> =
            Some(finding.to_owned()).into_iter().filter(|f| !f.is_empty()).collect();
        assert_eq!(told(&outcome(domain, &[list], &[]).await), (verdict.to_owned(), findings));
    }
}

#[tokio::test]
async fn lists_that_are_of_no_use_make_the_run_void() {
    for (domain, list, verdict, finding) in [
        (
            "bad.test",
            "error.test",
            "void internal no list could be judged; error.test: it answers 127.255.255.254: the list \
             does not answer public resolvers",
            "dnsbl.list_refuses: error.test: it answers 127.255.255.254: the list does not answer \
             public resolvers",
        ),
        (
            "bad.test",
            "late.test",
            "void internal no list could be judged; late.test: it answers 127.255.255.255: too many \
             questions were put to the list",
            "dnsbl.list_refuses: late.test: it answers 127.255.255.255: too many questions were put \
             to the list",
        ),
        (
            "bad.test",
            "world.test",
            "void internal no list could be judged; world.test: it lists 127.0.0.1, which no list \
             does",
            "dnsbl.list_broken: world.test: it lists 127.0.0.1, which no list does",
        ),
        (
            "bad.test",
            "empty.test",
            "void internal no list could be judged; empty.test: it does not list its test point \
             127.0.0.2",
            "dnsbl.list_broken: empty.test: it does not list its test point 127.0.0.2",
        ),
        (
            "bad.test",
            "parked.test",
            "void internal no list could be judged; parked.test: it answers 203.0.113.80, which is no \
             answer of a list: its name has been given up",
            "dnsbl.list_broken: parked.test: it answers 203.0.113.80, which is no answer of a list: \
             its name has been given up",
        ),
        (
            "bad.test",
            "dead.test",
            "void internal no list could be judged; dead.test: no DNS server answered the question \
             for 2.0.0.127.dead.test. A in time",
            "dnsbl.list_silent: dead.test: no DNS server answered the question for \
             2.0.0.127.dead.test. A in time",
        ),
        // Our own resolver's silence is no finding about a list.
        (
            "bad.test",
            "nobody.test",
            "void local_network no DNS server answers at all: 192.0.2.53:53 answered neither the \
             question for 2.0.0.127.nobody.test. A nor one for the root's name servers (nothing came \
             in time)",
            "",
        ),
    ] {
        let findings: Vec<_> =
            Some(finding.to_owned()).into_iter().filter(|f| !f.is_empty()).collect();
        assert_eq!(told(&outcome(domain, &[list], &[]).await), (verdict.to_owned(), findings));
    }
}

#[tokio::test]
async fn one_sound_list_is_enough_to_judge() {
    let outcome = outcome("bad.test", &["error.test", "clean.test", "dead.test"], &[]).await;
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert_eq!(outcome.findings.len(), 2);
    let phases: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["dnsbl.addresses", "dnsbl.self_test", "dnsbl.lists"]);
}

#[tokio::test]
async fn a_code_that_says_something_else_is_no_listing() {
    let both = ["127.0.0.2", "127.0.0.10"];
    assert_eq!(outcome("bad.test", &["bl.test"], &both).await.verdict, Verdict::Pass);
    let one = outcome("bad.test", &["bl.test"], &both[..1]).await;
    assert!(told(&one).0.contains("(127.0.0.10: "), "{one:?}");
}

#[tokio::test]
async fn a_list_without_ipv6_judges_no_ipv6_address() {
    let outcome = outcome("good.test", &["clean.test"], &[]).await;
    let (verdict, findings) = told(&outcome);
    assert_eq!(verdict, "pass");
    assert_eq!(
        findings,
        ["dnsbl.list_broken: clean.test: it does not list its test point ::ffff:127.0.0.2"]
    );
}
