//! DNS lists: a listed address, and lists that are of no use.

use super::probe;
use crate::agent::{Told, in_company};

fn asked(domain: &str, lists: &str) -> Told {
    probe("dnsbl", &[("domain", domain), ("lists", lists)])
}

#[test]
fn a_listed_address_fails_with_list_and_reason() {
    let _company = in_company();
    asked("good.test", "dnsbl.test,dnsblclean.test").assert_pass();
    let words = "198.18.0.66 is listed by dnsbl.test (127.0.0.2, 127.0.0.10: listed: \
                 https://dnsbl.test/198.18.0.66)";
    asked("badcert.test", "dnsbl.test").assert_fault("dnsbl.lists", "mismatch", words);
    let given = probe("dnsbl", &[("addresses", "198.18.0.10"), ("lists", "dnsblmx.test")]);
    given.assert_fault("dnsbl.lists", "mismatch", "(127.0.0.4: exploited)");
    let domain = probe("dnsbl", &[("domain", "badcert.test"), ("domain_lists", "dnsbl.test")]);
    domain.assert_fault("dnsbl.lists", "mismatch", "badcert.test is listed by dnsbl.test");
}

#[test]
fn a_list_that_is_of_no_use_is_never_a_listing() {
    let _company = in_company();
    for (list, rule, words) in [
        ("dnsblerror.test", "dnsbl.list_refuses", "127.255.255.254"),
        ("dnsblworld.test", "dnsbl.list_broken", "it lists 127.0.0.1"),
        ("dnsblempty.test", "dnsbl.list_broken", "it does not list its test point 127.0.0.2"),
        ("dnsblparked.test", "dnsbl.list_broken", "198.18.0.80"),
        ("silent.test", "dnsbl.list_silent", ".silent.test"),
        ("nodnsbl.test", "dnsbl.list_broken", "it does not list its test point 127.0.0.2"),
    ] {
        let alone = asked("badcert.test", list);
        let void = alone.void.as_ref().unwrap_or_else(|| panic!("not void: {alone:#?}"));
        assert_eq!(void.reason, "internal");
        assert!(void.detail.contains(words), "{void:?}");
        assert!(alone.finding(rule).evidence.contains(words), "{alone:#?}");
        // Beside a sound list it is only a finding.
        let beside = asked("good.test", &format!("{list},dnsbl.test"));
        beside.assert_pass();
        beside.finding(rule);
    }
}
