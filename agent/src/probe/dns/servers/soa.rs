//! The zone's SOA record and what its times mean (RFC 1035 section 3.3.13, RFC 2308).

use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SOA;
use mailsonde_proto::Severity;

use super::super::exchangers::shown;
use super::super::group::Looked;
use super::Visit;
use crate::posture::Rule;

/// A day: what expires sooner does not outlive a weekend's trouble, and is negative for longer than
/// anybody waits.
const DAY_S: i64 = 86_400;

/// Tried again less often than looked at.
const RETRY: Rule = Rule {
    name: "dns.soa.retry",
    severity: Severity::Notice,
    source: "RFC 1912 section 2.2",
    advice: "let retry be a fraction of refresh",
};
/// Secondaries give the zone up too soon.
const EXPIRE: Rule = Rule {
    name: "dns.soa.expire",
    severity: Severity::Warning,
    source: "RFC 1912 section 2.2",
    advice: "let expire be two to four weeks, and longer than refresh and retry together: after that the \
             secondaries answer no more",
};
/// "There is no such record" is kept for long.
const NEGATIVE: Rule = Rule {
    name: "dns.soa.negative_ttl",
    severity: Severity::Notice,
    source: "RFC 2308 section 5",
    advice: "let the last number of the SOA record be one to three hours: a record that is added is not \
             seen before it is over",
};

/// All of these, for the book.
pub(in crate::probe::dns) const RULES: &[&Rule] = &[&RETRY, &EXPIRE, &NEGATIVE];

pub(super) fn judge(visits: &[Visit<'_>], looked: &mut Looked) {
    let replies = visits.iter().filter(|visit| visit.is_authority()).filter_map(Visit::reply);
    let found = replies.flat_map(|reply| &reply.answers).find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa),
        _ => None,
    });
    if let Some(soa) = found {
        looked.fact("soa.primary", shown(&soa.mname));
        looked.fact("soa.contact", shown(&soa.rname));
        times(soa, looked);
    }
}

fn times(soa: &SOA, looked: &mut Looked) {
    let (refresh, retry) = (i64::from(soa.refresh), i64::from(soa.retry));
    let (expire, negative) = (i64::from(soa.expire), i64::from(soa.minimum));
    if retry >= refresh {
        looked.find(&RETRY, format!("retry is {retry} s, refresh {refresh} s"));
    }
    if expire < DAY_S || expire <= refresh.saturating_add(retry) {
        looked.find(
            &EXPIRE,
            format!("expire is {expire} s, with refresh {refresh} s and retry {retry} s"),
        );
    }
    if negative > DAY_S {
        looked.find(&NEGATIVE, format!("absent records are kept for {negative} s"));
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::super::super::tests::lines;
    use super::*;

    #[test]
    fn times_that_do_harm() {
        for (refresh, retry, expire, minimum, rules) in [
            (3_600, 600, 86_400, 5, vec![]),
            (14_400, 3_600, 1_209_600, 3_600, vec![]),
            (600, 600, 86_400, 5, vec!["dns.soa.retry"]),
            (3_600, 600, 3_600, 5, vec!["dns.soa.expire"]),
            (86_400, 7_200, 90_000, 5, vec!["dns.soa.expire"]),
            (3_600, 600, 86_400, 604_800, vec!["dns.soa.negative_ttl"]),
        ] {
            let mut looked = Looked::default();
            let soa = SOA::new(Name::root(), Name::root(), 1, refresh, retry, expire, minimum);
            times(&soa, &mut looked);
            let found: Vec<_> = looked.findings.iter().map(|f| f.rule.as_str()).collect();
            assert_eq!(found, rules, "{:?}", lines(&looked));
        }
    }
}
