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
