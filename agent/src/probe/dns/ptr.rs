//! Reverse names of the mail exchangers' addresses, and whether they lead back (forward-confirmed
//! reverse DNS). Exchangers often send too, and receivers turn away senders without.

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, join_all};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use mailsonde_proto::Severity;

use super::exchangers::{Exchanger, exchangers, shown};
use super::group::{Context, Looked};
use super::records::RecordSet;
use crate::dns::{Answer, AskError};
use crate::policy::network::special_purpose;
use crate::posture::Rule;

/// The most addresses whose names are looked up.
const MOST_ADDRESSES: usize = 16;
/// The most names of one address that are followed back.
const MOST_NAMES: usize = 4;

/// An address without a name.
const NONE: Rule = Rule {
    name: "dns.ptr.none",
    severity: Severity::Warning,
    source: "RFC 1912 section 2.1",
    advice: "ask whoever gave you the address for a PTR record with the server's own name",
};
/// No name of an address has that address.
const MISMATCH: Rule = Rule {
    name: "dns.ptr.mismatch",
    severity: Severity::Warning,
    source: "RFC 1912 section 2.1",
    advice: "let the PTR record name a host that has this very address",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] = &[&NONE, &MISMATCH];

/// Looks at the names of the exchangers' addresses.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        match exchangers(context.dns, context.domain).await {
            Ok(found) => {
                let mut addresses: Vec<IpAddr> =
                    found.iter().flat_map(Exchanger::addresses).collect();
                // Of an address that nobody reaches, what resolvers answer is their own invention
                // (RFC 6303 section 4); that it is such an address the MX rules tell.
                let is_own = |each: &IpAddr| {
                    context.check.own_networks.iter().any(|own| own.contains(*each))
                };
                addresses.retain(|each| special_purpose(*each).is_none() || is_own(each));
                addresses.sort();
                addresses.dedup();
                if addresses.len() > MOST_ADDRESSES {
                    looked.fact("ptr.looked_at", MOST_ADDRESSES.to_string());
                }
                addresses.truncate(MOST_ADDRESSES);
                let told = join_all(addresses.iter().map(|each| reverse(context, *each))).await;
                for (address, told) in addresses.into_iter().zip(told) {
                    judge(address, told, &mut looked);
                }
            }
            Err(error) => looked.unanswered(&error),
        }
        looked
    }
    .boxed()
}

/// The names of one address.
struct Reverse {
    answer: Answer,
    /// Each name, and whether it leads back, where that could be told.
    names: Vec<(Name, Result<bool, AskError>)>,
}

async fn reverse(context: &Context<'_>, address: IpAddr) -> Result<Reverse, AskError> {
    let answer = context.dns.ask(&Name::from(address), RecordType::PTR).await?;
    let names: Vec<Name> = answer
        .data(RecordType::PTR)
        .filter_map(|data| match data {
            RData::PTR(name) => Some(name.0.to_lowercase()),
            _ => None,
        })
        .take(MOST_NAMES)
        .collect();
    let forward = names.into_iter().map(async |name| {
        let (v4, v6) =
            join(context.dns.ask(&name, RecordType::A), context.dns.ask(&name, RecordType::AAAA))
                .await;
        let has = |told: &Result<Answer, AskError>| {
            let answer = told.as_ref().ok();
            answer.is_some_and(|a| a.answers.iter().any(|r| r.data.ip_addr() == Some(address)))
        };
        let leads_back = match (has(&v4) || has(&v6), v4, v6) {
            (true, ..) => Ok(true),
            (false, Err(error), _) | (false, _, Err(error)) => Err(error),
            (false, Ok(_), Ok(_)) => Ok(false),
        };
        (name, leads_back)
    });
    let names = join_all(forward).await;
    Ok(Reverse { answer, names })
}

fn judge(address: IpAddr, told: Result<Reverse, AskError>, looked: &mut Looked) {
    let Reverse { answer, names } = match told {
        Ok(reverse) => reverse,
        Err(error) => return looked.unanswered(&error),
    };
    looked.keep(RecordSet::of(format!("ptr.{address}"), &answer, RecordType::PTR));
    let shown_names: Vec<String> = names.iter().map(|(name, _)| shown(name)).collect();
    if names.is_empty() {
        looked.find(&NONE, format!("{address} has no name"));
        return;
    }
    looked.fact(format!("ptr.{address}"), shown_names.join(" "));
    if names.iter().any(|(_, leads_back)| *leads_back == Ok(true)) {
        return;
    }
    match names.into_iter().find_map(|(_, leads_back)| leads_back.err()) {
        Some(error) => looked.unanswered(&error),
        None => {
            let names = shown_names.join(", ");
            looked.find(&MISMATCH, format!("{address} is called {names}, which is elsewhere"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, findings};

    #[tokio::test]
    async fn each_mistake_has_its_finding() {
        const ZONE: &str = "
            good.test.   MX 10 mx.good.test.
            mx.good.test. A 9.9.9.1
            1.9.9.9.in-addr.arpa. PTR mx.good.test.
            none.test.   MX 10 mx.none.test.
            mx.none.test. A 9.9.9.2
            wrong.test.  MX 10 mx.wrong.test.
            mx.wrong.test. A 9.9.9.3
            3.9.9.9.in-addr.arpa. PTR mx.good.test.
            two.test.    MX 10 mx.two.test.
            mx.two.test. A 9.9.9.4
            4.9.9.9.in-addr.arpa. PTR mx.good.test.
            4.9.9.9.in-addr.arpa. PTR mx.two.test.
            six.test.    MX 10 mx.six.test.
            mx.six.test. AAAA 2620:fe::10
            0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.e.f.0.0.0.2.6.2.ip6.arpa. PTR mx.six.test.
            local.test.  MX 10 mx.local.test.
            mx.local.test. A 10.1.2.3
            dark.test.   MX 10 mx.dark.test.
            mx.dark.test. A 9.9.9.5
            5.9.9.9.in-addr.arpa. PTR gone.dark.test.
            gone.dark.test. A TIMEOUT
        ";
        for (domain, expected) in [
            ("good.test", vec![]),
            ("none.test", vec!["warning dns.ptr.none: 9.9.9.2 has no name"]),
            (
                "wrong.test",
                vec![
                    "warning dns.ptr.mismatch: 9.9.9.3 is called mx.good.test, which is elsewhere",
                ],
            ),
            ("two.test", vec![]),
            ("six.test", vec![]),
            ("local.test", vec![]),
            (
                "dark.test",
                vec![
                    "warning dns.unanswered: no DNS server answered the question for \
                     gone.dark.test. A in time",
                ],
            ),
        ] {
            let told = findings(ZONE, &check(domain), super::look).await;
            assert_eq!(told, expected, "{domain}");
        }
    }
}
