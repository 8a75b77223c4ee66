//! Where mail for the domain goes: its MX records and what they name.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use mailsonde_proto::Severity;

use super::exchangers::{Exchanger, MOST_EXCHANGERS, exchangers, shown};
use super::group::{Context, Looked};
use super::records::RecordSet;
use crate::dns::{Answer, AskError};
use crate::policy::network::special_purpose;
use crate::posture::Rule;

/// Neither MX records nor an address.
const NONE: Rule = Rule {
    name: "dns.mx.none",
    severity: Severity::Critical,
    source: "RFC 5321 section 5.1",
    advice: "publish an MX record, or a null MX where the domain is to take no mail",
};
/// No MX records: senders take the domain's own address.
const IMPLICIT: Rule = Rule {
    name: "dns.mx.implicit",
    severity: Severity::Notice,
    source: "RFC 5321 section 5.1",
    advice: "publish an MX record that says so, or a null MX where the domain is to take no mail",
};
/// A null MX must be alone.
const NULL_WITH_OTHERS: Rule = Rule {
    name: "dns.mx.null_with_others",
    severity: Severity::Critical,
    source: "RFC 7505 section 3",
    advice: "remove the null MX, or all others",
};
/// A null MX should have preference 0.
const NULL_PREFERENCE: Rule = Rule {
    name: "dns.mx.null_preference",
    severity: Severity::Notice,
    source: "RFC 7505 section 3",
    advice: "write the null MX as \"MX 0 .\"",
};
/// A host that has no address.
const DANGLING: Rule = Rule {
    name: "dns.mx.dangling",
    severity: Severity::Warning,
    source: "RFC 5321 section 5.1",
    advice: "give the host an address, or remove the MX record; whoever can register a name that does \
             not exist gets the mail",
};
/// A host that is an alias.
const ALIAS: Rule = Rule {
    name: "dns.mx.alias",
    severity: Severity::Warning,
    source: "RFC 2181 section 10.3, RFC 5321 section 5.1",
    advice: "name the host itself in the MX record, not an alias of it",
};
/// An address where a host name belongs.
const LITERAL: Rule = Rule {
    name: "dns.mx.literal",
    severity: Severity::Critical,
    source: "RFC 1035 section 3.3.9, RFC 5321 section 5.1",
    advice: "name a host in the MX record, and give that host the address",
};
/// An address that the Internet does not reach.
const SPECIAL: Rule = Rule {
    name: "dns.mx.special_address",
    severity: Severity::Warning,
    source: "RFC 6890 section 2.2",
    advice: "publish an address that can be reached from outside, or name the network in own_networks \
             where mail only comes from inside",
};
/// The same host twice.
const TWICE: Rule = Rule {
    name: "dns.mx.twice",
    severity: Severity::Notice,
    source: "RFC 5321 section 5.1",
    advice: "keep one MX record of each host",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] = &[
    &NONE,
    &IMPLICIT,
    &NULL_WITH_OTHERS,
    &NULL_PREFERENCE,
    &DANGLING,
    &ALIAS,
    &LITERAL,
    &SPECIAL,
    &TWICE,
];

/// Looks at the MX records.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        match look_at(context, &mut looked).await {
            Ok(()) => {}
            Err(error) => looked.unanswered(&error),
        }
        looked
    }
    .boxed()
}

async fn look_at(context: &Context<'_>, looked: &mut Looked) -> Result<(), AskError> {
    let answer = context.dns.ask(context.domain, RecordType::MX).await?;
    looked.keep(RecordSet::of("mx", &answer, RecordType::MX));
    let hosts = hosts_of(&answer);
    expected(context, &hosts, looked);
    let nulls: Vec<_> = hosts.iter().filter(|(_, host)| host.is_root()).collect();
    looked.fact("mx.count", (hosts.len() - nulls.len()).to_string());
    if let Some((preference, _)) = nulls.first() {
        looked.fact("mx.null", "yes");
        if nulls.len() < hosts.len() {
            looked.find(&NULL_WITH_OTHERS, "the domain has a null MX and others beside it");
        } else if *preference != 0 {
            looked.find(&NULL_PREFERENCE, format!("its preference is {preference}"));
        }
    }
    let found = exchangers(context.dns, context.domain).await?;
    if answer.is_void(RecordType::MX) {
        match found.first() {
            None => looked.find(&NONE, "the domain has no MX record and no address"),
            Some(_) => looked.find(&IMPLICIT, "the domain has no MX record, only an address"),
        }
    }
    if hosts.len() > MOST_EXCHANGERS {
        looked.fact("mx.looked_at", MOST_EXCHANGERS.to_string());
    }
    let shown: Vec<String> = found.iter().map(Exchanger::shown).collect();
    looked.fact("mx.hosts", shown.join(" "));
    let names: BTreeSet<&String> = shown.iter().collect();
    if names.len() < shown.len() {
        looked.find(&TWICE, format!("a host stands in more than one of {}", shown.join(", ")));
    }
    targets(context, &found, looked);
    Ok(())
}

fn hosts_of(answer: &Answer) -> Vec<(u16, Name)> {
    let pairs = answer.data(RecordType::MX).filter_map(|data| match data {
        RData::MX(mx) => Some((mx.preference, mx.exchange.to_lowercase())),
        _ => None,
    });
    pairs.collect()
}

/// `expect_mx`: these hosts and no other, in any order and with any preference.
fn expected(context: &Context<'_>, hosts: &[(u16, Name)], looked: &mut Looked) {
    let expected = &context.check.expect_mx;
    let found: BTreeSet<String> = hosts.iter().map(|(_, host)| shown(host)).collect();
    if !expected.is_empty() && found != *expected {
        let list = |set: &BTreeSet<String>| match set.len() {
            0 => "none".to_owned(),
            _ => set.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        let words =
            format!("the MX hosts are {}, where {} is expected", list(&found), list(expected));
        looked.unexpected("dns.mx", words);
    }
}

/// What the records name.
fn targets(context: &Context<'_>, found: &[Exchanger], looked: &mut Looked) {
    let (mut dangling, mut outside, mut addresses) = (Vec::new(), Vec::new(), 0);
    for exchanger in found {
        let host = exchanger.shown();
        if let Ok(address) = host.parse::<std::net::IpAddr>() {
            looked.find(&LITERAL, format!("an MX record names {address}, which is no host name"));
            continue;
        }
        for (kind, told) in [(RecordType::A, &exchanger.v4), (RecordType::AAAA, &exchanger.v6)] {
            match told {
                Ok(answer) => {
                    let key = format!("{}.{host}", kind.to_string().to_lowercase());
                    looked.keep(RecordSet::of(key, answer, kind));
                }
                Err(error) => looked.unanswered(error),
            }
        }
        if let Some(target) = alias_of(exchanger) {
            looked.find(&ALIAS, format!("{host} is an alias of {}", shown(&target)));
        }
        if exchanger.has_no_address() {
            let is_gone = [&exchanger.v4, &exchanger.v6]
                .into_iter()
                .any(|told| told.as_ref().is_ok_and(Answer::is_nx_domain));
            dangling.push(format!(
                "{host} {}",
                if is_gone { "does not exist" } else { "has no address" }
            ));
        }
        for address in exchanger.addresses() {
            addresses += 1;
            let is_own = context.check.own_networks.iter().any(|own| own.contains(address));
            if let (Some(purpose), false) = (special_purpose(address), is_own) {
                outside.push(format!("{host} has the address {address} ({purpose})"));
            }
        }
    }
    let severity =
        |bad: usize, all: usize| if bad == all { Severity::Critical } else { Severity::Warning };
    for words in &dangling {
        looked.find(&DANGLING.at(severity(dangling.len(), found.len())), words);
    }
    for words in &outside {
        looked.find(&SPECIAL.at(severity(outside.len(), addresses)), words);
    }
}

/// What the exchanger's host name is an alias of, if it is one.
fn alias_of(exchanger: &Exchanger) -> Option<Name> {
    let told = [&exchanger.v4, &exchanger.v6].into_iter().flatten();
    told.flat_map(|answer| &answer.answers).find_map(|record| match &record.data {
        RData::CNAME(target) if record.name.to_lowercase() == exchanger.host => {
            Some(target.0.clone())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, findings};

    const ZONE: &str = r"
        good.test.        MX    10 mail.good.test.
        good.test.        MX    20 mail2.good.test.
        mail.good.test.   A     9.9.9.10
        mail2.good.test.  AAAA  2620:fe::10
        gone.test.        MX    10 mx.gone.test.
        half.test.        MX    10 mx.half.test.
        half.test.        MX    20 mail.good.test.
        mx.half.test.     TXT   here
        alias.test.       MX    10 www.alias.test.
        www.alias.test.   CNAME mail.good.test.
        null.test.        MX    0 .
        null5.test.       MX    5 .
        nullplus.test.    MX    0 .
        nullplus.test.    MX    10 mail.good.test.
        private.test.     MX    10 mx.private.test.
        mx.private.test.  A     10.1.2.3
        literal.test.     MX    10 9.9.9.10.
        implicit.test.    A     9.9.9.10
        nothing.test.     TXT   here
        twice.test.       MX    10 mail.good.test.
        twice.test.       MX    20 mail.good.test.
        broken.test.      MX    SERVFAIL
        bogus.test.       MX    BOGUS
    ";

    #[tokio::test]
    async fn each_mistake_has_its_finding() {
        for (domain, expected) in [
            ("good.test", vec![]),
            ("gone.test", vec!["critical dns.mx.dangling: mx.gone.test does not exist"]),
            ("half.test", vec!["warning dns.mx.dangling: mx.half.test has no address"]),
            (
                "alias.test",
                vec!["warning dns.mx.alias: www.alias.test is an alias of mail.good.test"],
            ),
            ("null.test", vec![]),
            ("null5.test", vec!["notice dns.mx.null_preference: its preference is 5"]),
            (
                "nullplus.test",
                vec![
                    "critical dns.mx.null_with_others: the domain has a null MX and others beside it",
                ],
            ),
            (
                "private.test",
                vec![
                    "critical dns.mx.special_address: mx.private.test has the address 10.1.2.3 \
                     (private use, RFC 1918)",
                ],
            ),
            (
                "literal.test",
                vec!["critical dns.mx.literal: an MX record names 9.9.9.10, which is no host name"],
            ),
            (
                "implicit.test",
                vec!["notice dns.mx.implicit: the domain has no MX record, only an address"],
            ),
            (
                "nothing.test",
                vec!["critical dns.mx.none: the domain has no MX record and no address"],
            ),
            (
                "twice.test",
                vec![
                    "notice dns.mx.twice: a host stands in more than one of mail.good.test, \
                     mail.good.test",
                ],
            ),
            (
                "broken.test",
                vec![
                    "warning dns.unanswered: the DNS server answered SERVFAIL to the question for \
                     broken.test. MX",
                ],
            ),
            (
                "bogus.test",
                vec![
                    "critical dns.bogus: the answer for bogus.test. MX is bogus: DNSSEC proves it \
                     wrong",
                ],
            ),
        ] {
            let told = findings(ZONE, &check(domain), super::look).await;
            assert_eq!(told, expected, "{domain}");
        }
    }

    #[tokio::test]
    async fn own_networks_may_be_private() {
        let mut check = check("private.test");
        check.own_networks.push("10.0.0.0/8".parse().unwrap());
        assert_eq!(findings(ZONE, &check, super::look).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_expectation_that_does_not_hold_fails_the_run() {
        for (expected, words) in [
            (vec!["mail.good.test", "mail2.good.test"], None),
            (
                vec!["mail.good.test"],
                Some(
                    "the MX hosts are mail.good.test, mail2.good.test, where mail.good.test is \
                     expected",
                ),
            ),
        ] {
            let mut check = check("good.test");
            check.expect_mx = expected.into_iter().map(ToOwned::to_owned).collect();
            let looked = super::super::tests::looked(ZONE, &check, super::look).await;
            let told = looked.faults.first().map(|failure| failure.fault.explanation.as_str());
            assert_eq!(told, words);
        }
    }

    #[tokio::test]
    async fn record_sets_are_kept() {
        let looked = super::super::tests::looked(ZONE, &check("good.test"), super::look).await;
        let facts: Vec<_> = looked.records.iter().map(|set| set.facts(100)[0].clone()).collect();
        let texts: Vec<_> = facts.iter().map(|f| format!("{} = {}", f.name, f.value)).collect();
        assert_eq!(
            texts,
            [
                "record.mx = 10 mail.good.test.\n20 mail2.good.test.",
                "record.a.mail.good.test = 9.9.9.10",
                "record.aaaa.mail.good.test = (none)",
                "record.a.mail2.good.test = (none)",
                "record.aaaa.mail2.good.test = 2620:fe::10",
            ]
        );
    }
}
