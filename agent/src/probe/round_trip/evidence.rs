//! What the message that arrived says of its way, read when all that is timed is over.

use std::time::Duration;

use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fact};
use tokio::time::timeout_at;

use crate::mail::headers::block::Block;
use crate::mail::headers::{Headers, Trust};
use crate::mail::mailbox::Arrived;
use crate::mail::verify::{self, verify};
use crate::net::dns::{DnsSettings, Validation};
use crate::net::{Net, noting};
use crate::policy::name_of;
use crate::posture::spf;

/// How long our own verification may ask DNS: the run is over but for it.
const VERIFY_WITHIN: Duration = Duration::from_secs(5);

/// Headers in which the last server wrote to whom it delivered, and those with the address before aliases.
/// None of them is of a standard (Delivered-To was registered by RFC 9228 as an experiment).
const DELIVERED_TO: [&str; 2] = ["Delivered-To", "X-Delivered-To"];
const ORIGINAL_TO: [&str; 3] = ["X-Original-To", "Envelope-To", "X-Envelope-To"];
/// The longest address that is kept, in characters.
const LONGEST: usize = 320;

/// The headers as facts: to whom it was delivered, its hops, and what servers on its way found.
pub(super) fn of(arrived: &Arrived, trust: &Trust) -> Vec<Fact> {
    let block = Block::of(&arrived.headers);
    let named = |fact: &str, names: &[&str]| {
        let value = names.iter().find_map(|name| block.first(name))?;
        Some(Fact::new(fact, value.chars().take(LONGEST).collect::<String>()))
    };
    let delivered = named("arrival.delivered_to", &DELIVERED_TO);
    let original = named("arrival.original_to", &ORIGINAL_TO);
    let mut facts: Vec<_> = delivered.into_iter().chain(original).collect();
    facts.extend(Headers::of(&arrived.headers).facts(trust));
    facts
}

/// Our own verification of DKIM, SPF, DMARC and ARC as facts. `receivers` are the servers, or the domain,
/// of whoever receives. It is done before the run's deadline, and bounded besides.
pub(super) async fn verified(
    net: &Net,
    arrived: &Arrived,
    receivers: &[String],
    (clock, deadline): (Clock, Instant),
) -> Vec<Fact> {
    let skipped = |why: &str| vec![Fact::new("verify.skipped", why)];
    let Some(message) = &arrived.whole else {
        return skipped("the message is large, or was not given whole");
    };
    let resolver = match net.resolver() {
        Ok(resolver) => resolver,
        Err(error) => return skipped(&error.to_string()),
    };
    let deadline = (clock.monotonic() + VERIFY_WITHIN).min(deadline);
    if net.has_policy() {
        // A refusal here is told by the verification itself.
        let (_late, _refusal) =
            noting(timeout_at(deadline, follow_spf(net, receivers, (clock, deadline)))).await;
    }
    let arrived = verify::Arrived { message, is_whole: true, receivers };
    verify((net, resolver), arrived, deadline).await.facts()
}

/// Policy lets only what an answer led to be asked about, and the library that verifies does not tell us its
/// answers: so we follow the records of our own domains first, and learn whom they name.
async fn follow_spf(net: &Net, domains: &[String], (clock, deadline): (Clock, Instant)) {
    let settings = DnsSettings { validation: Validation::Off, ..DnsSettings::default() };
    let Ok(dns) = net.dns(&settings, clock, deadline) else { return };
    for domain in domains {
        if let Some(domain) = name_of(domain) {
            spf::examine(&dns, &domain).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_facts() {
        let headers = "Delivered-To: box@good.test\r\nX-Original-To: alias@good.test\r\n\
            Received: from a.test (a.test [192.0.2.1])\r\n\tby mx.good.test (Postfix) with ESMTPS id 4\r\n\
            \tfor <alias@good.test>; Mon, 24 Nov 2025 16:00:01 +0000\r\n\
            Authentication-Results: mx.good.test; spf=pass smtp.mailfrom=a.test\r\n\
            Authentication-Results: liar.test; dkim=pass header.d=bank.test\r\n";
        let arrived = Arrived { headers: headers.into(), whole: None };
        let facts = of(&arrived, &Trust::new(["mx.good.test".to_owned()]));
        let fact =
            |name: &str| facts.iter().find(|fact| fact.name == name).map(|f| f.value.as_str());
        assert_eq!(fact("arrival.delivered_to"), Some("box@good.test"));
        assert_eq!(fact("arrival.original_to"), Some("alias@good.test"));
        assert!(fact("hop.1").unwrap().starts_with("mx.good.test <- "), "{facts:?}");
        assert!(fact("authentication.spf").unwrap().contains("pass"), "{facts:?}");
        assert_eq!(fact("authentication.dkim"), None, "nobody trusts liar.test: {facts:?}");
        assert!(of(&Arrived::default(), &Trust::default()).is_empty());
    }
}
