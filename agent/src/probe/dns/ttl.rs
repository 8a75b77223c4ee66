//! How long others keep what the domain says: too short loads and slows, too long keeps a mistake.
//!
//! The name servers are asked, because a resolver counts down.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use hickory_resolver::proto::rr::{Name, RecordType};
use mailsonde_proto::Severity;

use super::authority::{ask, zone_of};
use super::group::{Context, Looked};
use crate::dns::Question;
use crate::posture::Rule;

/// Below this, everybody asks again for nearly every mail.
const SHORTEST_S: u32 = 60;
/// Above this, a mistake or a move lasts for longer than a week.
const LONGEST_S: u32 = 7 * 86_400;

/// Too short.
const SHORT: Rule = Rule {
    name: "dns.ttl.short",
    severity: Severity::Notice,
    source: "RFC 1912 section 2.2",
    advice: "let it be an hour to a day; shorten it only before a change",
};
/// Too long.
const LONG: Rule = Rule {
    name: "dns.ttl.long",
    severity: Severity::Notice,
    source: "RFC 1912 section 2.2, RFC 8767 section 4",
    advice: "let it be a day or less, so that a change reaches everybody within a day",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] = &[&SHORT, &LONG];

/// Looks at the times to live.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        match zone_of(context).await {
            Ok(zone) => {
                let addresses: Vec<_> =
                    zone.servers.iter().flat_map(|server| server.addresses.clone()).collect();
                let sets: [(&Name, RecordType); 4] = [
                    (context.domain, RecordType::MX),
                    (context.domain, RecordType::TXT),
                    (&zone.name, RecordType::NS),
                    (&zone.name, RecordType::SOA),
                ];
                let told = sets.map(|(name, kind)| ttl_s(context, &addresses, name, kind));
                let told = join_all(told).await;
                for ((_, kind), ttl_s) in sets.into_iter().zip(told) {
                    if let Some(ttl_s) = ttl_s {
                        judge(kind, ttl_s, &mut looked);
                    }
                }
            }
            Err(error) => looked.unanswered(&error),
        }
        looked
    }
    .boxed()
}

/// What the first server that answers says.
async fn ttl_s(
    context: &Context<'_>,
    addresses: &[std::net::IpAddr],
    name: &Name,
    kind: RecordType,
) -> Option<u32> {
    for address in addresses {
        let question = Question::to_authority(name.clone(), kind);
        let Ok(reply) = ask(context, *address, &question).await else { continue };
        if reply.is_authoritative {
            let records = reply.answers.iter().filter(|record| record.record_type() == kind);
            return records.map(|record| record.ttl).min();
        }
    }
    None
}

fn judge(kind: RecordType, ttl_s: u32, looked: &mut Looked) {
    looked.fact(format!("ttl.{}", kind.to_string().to_lowercase()), format!("{ttl_s} s"));
    if ttl_s < SHORTEST_S {
        looked.find(&SHORT, format!("the {kind} records are kept for {ttl_s} s"));
    }
    if ttl_s > LONGEST_S {
        looked.find(&LONG, format!("the {kind} records are kept for {} days", ttl_s / 86_400));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use super::*;

    #[test]
    fn bounds() {
        for (ttl_s, expected) in [
            (5, Some("notice dns.ttl.short: the MX records are kept for 5 s")),
            (60, None),
            (604_800, None),
            (2_592_000, Some("notice dns.ttl.long: the MX records are kept for 30 days")),
        ] {
            let mut looked = Looked::default();
            judge(RecordType::MX, ttl_s, &mut looked);
            assert_eq!(lines(&looked).first().map(String::as_str), expected);
            assert_eq!(looked.facts[0].value, format!("{ttl_s} s"));
        }
    }
}
