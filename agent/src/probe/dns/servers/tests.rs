//! Name servers that are asked directly answer from tables.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::super::tests::{check, lines, looked_at};
use super::*;
use crate::dns::AskServer;
use crate::dns::zone::Zone as Text;

const ZONE: &str = "
    good.test. NS ns1.test.
    good.test. NS ns2.test.
    good.test. MX 10 mx.good.test.
    ns1.test. A 9.9.1.1
    ns2.test. A 9.9.2.2
    near.test. NS ns1.test.
    near.test. NS ns3.test.
    ns3.test. A 9.9.1.3
    one.test. NS ns1.test.
    gone.test. NS ns1.test.
    gone.test. NS ns2.test.
    gone.test. NS ns9.test.
    same.test. NS ns1.test.
    same.test. NS ns1b.test.
    ns1b.test. A 9.9.1.1
    test. NS ns0.test.
    ns0.test. A 9.9.0.1
";

/// How a server is.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Good,
    Other,
    Refuses,
    NoAuthority,
    NoEdns,
    NoTcp,
    Silent,
    /// Of the zone above, which names ns1 and ns8.
    Parent,
}

/// Each address's manner; others are good.
struct Table(BTreeMap<IpAddr, Manner>);

impl AskServer for Table {
    fn ask_server<'a>(
        &'a self,
        server: SocketAddr,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Reply, AskError>> {
        let manner = self.0.get(&server.ip()).copied().unwrap_or(Manner::Good);
        async move { reply(manner, question) }.boxed()
    }
}

fn reply(manner: Manner, question: &Question) -> Result<Reply, AskError> {
    let timeout = || AskError::Timeout { name: question.name.to_string() };
    match manner {
        Manner::Silent => return Err(timeout()),
        Manner::NoTcp if question.over_tcp => return Err(timeout()),
        _ => {}
    }
    let other = manner == Manner::Other;
    let is_parent = manner == Manner::Parent;
    let zone = question.name.to_ascii();
    let text = match question.kind {
        RecordType::SOA => {
            let serial = if other { 1 } else { 2 };
            format!("{zone} SOA ns1.test. admin.test. {serial} 3600 600 1209600 300")
        }
        RecordType::MX => format!("{zone} MX 10 {}.", if other { "old" } else { "mx" }),
        _ => String::new(),
    };
    let answer = Text::new(&text).ask_now(&question.name, question.kind);
    let code = match manner {
        Manner::Refuses => ResponseCode::Refused,
        Manner::NoEdns if question.has_edns => ResponseCode::FormErr,
        _ => ResponseCode::NoError,
    };
    let said = code == ResponseCode::NoError;
    Ok(Reply {
        code,
        is_authoritative: said && manner != Manner::NoAuthority && !is_parent,
        is_truncated: false,
        recurses: false,
        is_authentic: false,
        edns: (question.has_edns && manner != Manner::NoEdns).then_some((0, 1232)),
        answers: if said { answer } else { Vec::new() },
        authorities: if is_parent { referral(&question.name) } else { Vec::new() },
        additionals: Vec::new(),
        extended: Vec::new(),
        took: Duration::ZERO,
    })
}

fn referral(zone: &Name) -> Vec<hickory_resolver::proto::rr::Record> {
    let text = format!("{zone} NS ns1.test.\n{zone} NS ns8.test.");
    Text::new(&text).ask_now(zone, RecordType::NS)
}

#[tokio::test]
async fn the_parent_names_the_same_servers() {
    assert_eq!(
        found("good.test", &[("9.9.0.1", Manner::Parent)]).await,
        [
            "warning dns.servers.parent_differs: the parent names ns1.test, ns8.test, the zone itself \
             ns1.test, ns2.test"
        ]
    );
}

async fn found(domain: &str, manners: &[(&str, Manner)]) -> Vec<String> {
    let table = manners.iter().map(|(address, manner)| (address.parse().unwrap(), *manner));
    let table = Table(table.collect());
    lines(&looked_at((&Text::new(ZONE), &table), &check(domain), look).await)
}

#[tokio::test]
async fn each_mistake_has_its_finding() {
    let second = |manner| vec![("9.9.2.2", manner)];
    for (domain, manners, expected) in [
        ("good.test", vec![], vec![]),
        (
            "good.test",
            second(Manner::Other),
            vec![
                "notice dns.servers.serial_differs: the serial is 1 at ns2.test (9.9.2.2); 2 at \
                 ns1.test (9.9.1.1)",
                "warning dns.servers.answers_differ: MX is 10 mx. at ns1.test (9.9.1.1); 10 old. at \
                 ns2.test (9.9.2.2)",
            ],
        ),
        (
            "good.test",
            second(Manner::Refuses),
            vec!["warning dns.servers.lame: ns2.test (9.9.2.2) answers REFUSED"],
        ),
        (
            "good.test",
            second(Manner::NoAuthority),
            vec!["warning dns.servers.lame: ns2.test (9.9.2.2) answers without authority (AA)"],
        ),
        (
            "good.test",
            second(Manner::NoEdns),
            vec!["warning dns.servers.no_edns: ns2.test (9.9.2.2) answers FORMERR to EDNS"],
        ),
        (
            "good.test",
            second(Manner::NoTcp),
            vec![
                "warning dns.servers.no_tcp: ns2.test (9.9.2.2): no DNS server answered the question \
                 for good.test. in time",
            ],
        ),
        (
            "good.test",
            second(Manner::Silent),
            vec![
                "warning dns.servers.silent: ns2.test (9.9.2.2): no DNS server answered the question \
                 for good.test. in time",
            ],
        ),
    ] {
        assert_eq!(found(domain, &manners).await, expected, "{domain}");
    }
}

#[tokio::test]
async fn servers_are_several_and_apart() {
    for (domain, manners, expected) in [
        ("one.test", vec![], vec!["warning dns.servers.single: ns1.test is the only name server"]),
        (
            "one.test",
            vec![("9.9.1.1", Manner::Refuses)],
            vec![
                "warning dns.servers.single: ns1.test is the only name server",
                "critical dns.servers.lame: ns1.test (9.9.1.1) answers REFUSED",
            ],
        ),
        (
            "near.test",
            vec![],
            vec!["notice dns.servers.one_place: all name servers are in 9.9.1.0/24"],
        ),
        ("same.test", vec![], vec!["warning dns.servers.one_place: all have the address 9.9.1.1"]),
        ("gone.test", vec![], vec!["warning dns.servers.unresolved: ns9.test has no address"]),
    ] {
        assert_eq!(found(domain, &manners).await, expected, "{domain}");
    }
}

#[tokio::test]
async fn name_servers_that_are_not_expected_fail_the_run() {
    let mut check = check("good.test");
    check.expect_ns = ["ns1.test".to_owned()].into();
    let table = Table(BTreeMap::new());
    let looked = looked_at((&Text::new(ZONE), &table), &check, look).await;
    assert_eq!(
        looked.faults[0].fault.explanation,
        "the name servers are ns1.test, ns2.test, where ns1.test is expected"
    );
}
