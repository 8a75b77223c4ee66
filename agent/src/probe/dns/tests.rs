//! What the groups' tests share: a zone's text, one group, its findings as lines.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::Name;

use super::*;
use crate::dns::zone::Zone;
use crate::dns::{AskServer, Question, Reply};
use group::Context;

/// A check of a domain with its defaults.
pub(in crate::probe) fn check(domain: &str) -> DnsCheck {
    DnsCheck::of(Name::from_ascii(format!("{domain}.")).unwrap())
}

/// Asked directly, nobody answers.
struct Nobody;

impl AskServer for Nobody {
    fn ask_server<'a>(
        &'a self,
        _: SocketAddr,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Reply, AskError>> {
        async { Err(AskError::Timeout { name: question.name.to_string() }) }.boxed()
    }
}

/// What a group finds in a zone.
pub(in crate::probe) async fn looked(
    zone: &str,
    check: &DnsCheck,
    look: for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Looked>,
) -> Looked {
    looked_at((&Zone::new(zone), &Nobody), check, look).await
}

/// What a group finds when these answer.
pub(in crate::probe) async fn looked_at(
    (zone, servers): (&Zone, &dyn AskServer),
    check: &DnsCheck,
    look: for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Looked>,
) -> Looked {
    let clock = Clock::system();
    let net = Net::new();
    let context = Context {
        domain: &check.domain,
        check,
        dns: zone,
        servers,
        net: &net,
        clock,
        deadline: clock.monotonic() + Duration::from_secs(10),
    };
    look(&context).await
}

/// Its findings: `severity rule: evidence`.
pub(in crate::probe) async fn findings(
    zone: &str,
    check: &DnsCheck,
    look: for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Looked>,
) -> Vec<String> {
    lines(&looked(zone, check, look).await)
}

/// Findings as lines.
pub(in crate::probe) fn lines(looked: &Looked) -> Vec<String> {
    let line = |finding: &mailsonde_proto::Finding| {
        format!("{} {}: {}", finding.severity.as_str(), finding.rule, finding.evidence)
    };
    looked.findings.iter().map(line).collect()
}

#[test]
fn a_domain_is_a_name() {
    let wrong = |domain: &str, key: &str| {
        let settings = ["domain=good.test".replace("good.test", domain), key.to_owned()];
        let read = super::super::trial::configured(&DnsKind, &settings);
        read.err().unwrap_or_default().join("; ")
    };
    let usual = "rules=mx";
    for (domain, key, words) in [
        ("good.test", usual, ""),
        ("1.2.3.4", usual, "not \"1.2.3.4\": that is an address, and a domain is wanted"),
        ("a..b", usual, "there is nothing between two of its dots"),
        ("1.2.3", usual, "no domain ends in a number"),
        ("good.test", "expect_mx=mx..test", "there is nothing between two of its dots"),
        ("good.test", "host=a", "host is not known here"),
    ] {
        let told = wrong(domain, key);
        assert!(
            told.contains(words) && told.is_empty() == words.is_empty(),
            "{domain} {key}: {told}"
        );
    }
}

#[test]
fn most_parts_without_an_answer_are_no_look() {
    let clock = Clock::system();
    let parts =
        |answered: usize, unanswered: usize| -> Vec<(&'static Group, Lap, Option<Looked>)> {
            let at = clock.monotonic();
            let groups = check("a.test").groups.into_iter().take(answered + unanswered);
            let part = |(number, group): (usize, &'static Group)| {
                let mut looked = Looked::default();
                if number >= answered {
                    looked.unanswered(&AskError::Timeout { name: "a.test. A".into() });
                }
                (group, Lap { name: group.phase, from: at, to: at }, Some(looked))
            };
            groups.enumerate().map(part).collect()
        };
    for (answered, unanswered, is_told) in
        [(8, 0, false), (4, 4, false), (3, 5, true), (0, 8, true), (0, 3, false), (1, 3, true)]
    {
        let told = mostly_unanswered(&parts(answered, unanswered));
        assert_eq!(told.is_some(), is_told, "{answered} {unanswered}");
    }
}
