//! How the mail exchangers can be reached: over IPv4, IPv6 or both, and, where the check says so,
//! whether port 25 is open.

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use mailsonde_proto::Severity;

use super::exchangers::{Exchanger, exchangers};
use super::group::{Context, Looked};
use crate::mail::failure::seconds;
use crate::posture::Rule;

/// The most addresses that are connected.
const MOST_CONNECTIONS: usize = 16;
const SMTP_PORT: u16 = 25;
/// A connection gets this long at most.
const CONNECTS_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// No exchanger has an IPv4 address: senders without IPv6 cannot deliver.
const ONLY_IPV6: Rule = Rule {
    name: "dns.reach.only_ipv6",
    severity: Severity::Warning,
    source: "RFC 3974 section 2",
    advice: "give one exchanger an IPv4 address too: many senders have no IPv6",
};
/// Port 25 of an exchanger's address does not take connections.
const CLOSED: Rule = Rule {
    name: "dns.reach.closed",
    severity: Severity::Warning,
    source: "RFC 5321 section 4.5.4.2",
    advice: "start the mail server, open port 25 in the firewall, or remove the address; a network that \
             blocks port 25 outwards looks the same, so ask from another vantage point too",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] = &[&ONLY_IPV6, &CLOSED];

/// Looks at the exchangers' addresses.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        match exchangers(context.dns, context.domain).await {
            Ok(found) => reach(context, &found, &mut looked).await,
            Err(error) => looked.unanswered(&error),
        }
        looked
    }
    .boxed()
}

async fn reach(context: &Context<'_>, found: &[Exchanger], looked: &mut Looked) {
    let mut addresses: Vec<IpAddr> = found.iter().flat_map(Exchanger::addresses).collect();
    addresses.sort();
    addresses.dedup();
    let (v4, v6) = (addresses.iter().any(IpAddr::is_ipv4), addresses.iter().any(IpAddr::is_ipv6));
    let families = match (v4, v6) {
        (true, true) => "ipv4 ipv6",
        (true, false) => "ipv4",
        (false, true) => "ipv6",
        (false, false) => "none",
    };
    looked.fact("reach.families", families);
    let is_certain = found.iter().all(|exchanger| exchanger.v4.is_ok());
    if v6 && !v4 && is_certain {
        looked.find(&ONLY_IPV6, "the exchangers have IPv6 addresses only");
    }
    if context.check.connects {
        addresses.truncate(MOST_CONNECTIONS);
        connect(context, &addresses, looked).await;
    }
}

async fn connect(context: &Context<'_>, addresses: &[IpAddr], looked: &mut Looked) {
    let within = CONNECTS_WITHIN.min(context.left());
    let tries = addresses.iter().map(async |address| {
        let began = context.clock.monotonic();
        let host = address.to_string();
        let tried = context.net.connect(&host, &[*address], SMTP_PORT, within).await;
        (address, tried.map(|_| context.clock.monotonic().duration_since(began)))
    });
    let tried = join_all(tries).await;
    let open = tried.iter().filter(|(_, tried)| tried.is_ok()).count();
    for (address, tried) in tried {
        match tried {
            Ok(took) => looked.fact(format!("reach.connect.{address}"), seconds(took)),
            // That this machine has no way there says nothing about the exchanger.
            Err(error) if error.is_local() => {
                looked.fact(format!("reach.connect.{address}"), error.to_string());
            }
            Err(error) => {
                let severity = if open == 0 { Severity::Critical } else { Severity::Warning };
                looked.find(&CLOSED.at(severity), error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, lines, looked};

    #[tokio::test]
    async fn families() {
        const ZONE: &str = "
            both.test.  MX    10 mx.both.test.
            mx.both.test. A 9.9.9.10
            mx.both.test. AAAA 2620:fe::10
            old.test. MX 10 mx.old.test.
            mx.old.test. A 9.9.9.10
            new.test. MX 10 mx.new.test.
            mx.new.test. AAAA 2620:fe::10
            none.test. MX 0 .
        ";
        for (domain, families, expected) in [
            ("both.test", "ipv4 ipv6", vec![]),
            ("old.test", "ipv4", vec![]),
            (
                "new.test",
                "ipv6",
                vec!["warning dns.reach.only_ipv6: the exchangers have IPv6 addresses only"],
            ),
            ("none.test", "none", vec![]),
        ] {
            let looked = looked(ZONE, &check(domain), super::look).await;
            assert_eq!(looked.facts[0].value, families, "{domain}");
            assert_eq!(lines(&looked), expected, "{domain}");
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_found_when_the_check_says_so() {
        const ZONE: &str = "closed.test. MX 10 mx.closed.test.\nmx.closed.test. A 127.255.255.1";
        let mut check = check("closed.test");
        assert_eq!(lines(&looked(ZONE, &check, super::look).await), Vec::<String>::new());
        check.connects = true;
        let told = lines(&looked(ZONE, &check, super::look).await);
        assert!(told[0].starts_with("critical dns.reach.closed: 127.255.255.1"), "{told:?}");
    }
}
