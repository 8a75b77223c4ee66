//! The gate before real sockets: what is refused is never connected, and what is allowed is.

use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, OpCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, NS, TXT};
use hickory_resolver::proto::rr::{RData, Record};
use proptest::prelude::*;

use super::*;
use crate::policy::{HostRule, Network, network};

const SOON: Duration = Duration::from_secs(2);

fn name(text: &str) -> Name {
    name_of(text).unwrap_or_else(Name::root)
}

fn policy(hosts: &[&str], domains: &[&str], networks: &[&str]) -> Policy {
    Policy {
        hosts: hosts.iter().map(|host| host.parse::<HostRule>().unwrap()).collect(),
        domains: domains.iter().map(|domain| name(domain)).collect(),
        networks: networks.iter().map(|network| network.parse::<Network>().unwrap()).collect(),
        ports: crate::policy::DEFAULT_PORTS.iter().copied().collect(),
        ..Policy::default()
    }
}

fn under(policy: Policy) -> Net {
    Net::under(policy, Clock::system())
}

fn answer(records: &[(&str, RData)]) -> Message {
    let mut message = Message::new(1, MessageType::Response, OpCode::Query);
    for (owner, data) in records {
        message.add_answer(Record::from_rdata(name(owner), 60, data.clone()));
    }
    message
}

fn a(a: u8, b: u8, c: u8, d: u8) -> RData {
    RData::A(A(Ipv4Addr::new(a, b, c, d)))
}

fn rule<T>(asked: Result<T, Refusal>) -> &'static str {
    asked.err().map_or("", |refusal| refusal.rule.as_str())
}

fn open(net: &Net, host: &str, address: &str) -> &'static str {
    rule(net.may_open(host, address.parse().unwrap()))
}

#[tokio::test]
async fn without_a_policy_all_is_open_and_nothing_is_learnt() {
    let net = Net::new();
    assert_eq!(open(&net, "anything", "127.0.0.1:1"), "");
    assert!(net.may_look_up("any.thing", 1_000_000).is_ok());
    assert!(net.may_mail("anybody@any.test", u64::MAX).is_ok());
    net.learn_addresses("any.test", &["9.9.9.9".parse().unwrap()]);
    net.set_policy(Some(policy(&["any.test"], &[], &[])));
    assert_eq!(open(&net, "any.test", "9.9.9.9:25"), "targets.networks");
}

#[tokio::test]
async fn a_refused_address_is_not_connected() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let net = under(policy(&["mail.test", &format!("127.0.0.1:{port}")], &["good.test"], &[]));
    let home: [IpAddr; 1] = ["127.0.0.1".parse().unwrap()];
    // A name that leads home: as told by DNS, and as said by somebody.
    net.learn_for_tests("mail.test", &home);
    for host in ["mail.test", "mail.good.test", "evil.test"] {
        let error = net.connect(host, &home, port, SOON).await.unwrap_err();
        assert!(matches!(&error, NetError::Forbidden(r) if r.rule == Rule::Networks), "{error}");
    }
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "somebody connected");
    // The listed address itself, beside one that is not.
    let both = ["127.0.0.2".parse().unwrap(), home[0]];
    net.connect("127.0.0.1", &both, port, SOON).await.unwrap();
    listener.accept().await.unwrap();
}

#[tokio::test]
async fn names_that_are_not_listed_are_not_asked_about() {
    let net = under(policy(&["mail.test"], &[], &[]));
    for host in ["evil.test", "2130706433", "0x7f.1", "127.1", "data.mail.test", "x y"] {
        let error = net.resolve(host, SOON).await.unwrap_err();
        assert!(
            matches!(&error, NetError::Forbidden(r) if r.rule == Rule::Hosts),
            "{host}: {error}"
        );
    }
    let error = net.mail_exchangers("evil.test", SOON).await.unwrap_err();
    assert!(matches!(error, NetError::Forbidden(_)), "{error}");
    // Nobody is asked about these; they are refused when they are connected.
    assert!(net.resolve("127.0.0.1", SOON).await.is_ok());
    assert!(net.resolve("localhost", SOON).await.is_ok());
    let error = net.connect_tls(
        ("localhost", 443),
        "localhost",
        crate::net::TlsTrust::anybody().client_config().unwrap(),
        SOON,
    );
    assert!(matches!(error.await.unwrap_err(), NetError::Forbidden(_)));
}

#[tokio::test]
async fn answers_lead_to_what_a_listed_domain_uses() {
    let net = under(policy(&["list.test"], &["good.test"], &[]));
    let asked = |text: &str| rule(net.may_ask(&name(text), 1));
    assert_eq!(asked("mx.provider.test"), "targets.hosts");
    let mx = RData::MX(MX::new(10, name("mx.provider.test")));
    net.learn((&name("good.test"), RecordType::MX), &answer(&[("good.test", mx.clone())]));
    assert_eq!(asked("mx.provider.test"), "");
    assert_eq!(asked("_25._tcp.mx.provider.test"), "");
    assert_eq!(asked("provider.test"), "", "its chain of trust");
    assert_eq!(asked("other.provider.test"), "targets.hosts");
    assert_eq!(asked("data.mx.provider.test"), "targets.hosts");
    assert_eq!(open(&net, "mx.provider.test", "9.9.9.9:25"), "targets.hosts");
    let alias = RData::CNAME(CNAME(name("a.provider.test")));
    let records = [("mx.provider.test", alias), ("a.provider.test", a(9, 9, 9, 9))];
    net.learn((&name("mx.provider.test"), RecordType::A), &answer(&records));
    assert_eq!(open(&net, "mx.provider.test", "9.9.9.9:25"), "");
    assert_eq!(open(&net, "9.9.9.9", "9.9.9.9:25"), "");
    assert_eq!(open(&net, "mx.provider.test", "9.9.9.9:587"), "targets.hosts");
    assert_eq!(open(&net, "mx.provider.test", "9.9.9.8:25"), "targets.hosts");
    assert_eq!(asked("9.9.9.9.in-addr.arpa"), "");
    assert_eq!(asked("8.9.9.9.in-addr.arpa"), "targets.hosts");
    // What is only led to leads on to names, and gives nobody a part.
    let further = RData::MX(MX::new(10, name("mx.further.test")));
    net.learn((&name("a.provider.test"), RecordType::MX), &answer(&[("a.provider.test", further)]));
    net.learn(
        (&name("mx.further.test"), RecordType::A),
        &answer(&[("mx.further.test", a(9, 9, 9, 7))]),
    );
    assert_eq!(asked("mx.further.test"), "");
    assert_eq!(open(&net, "mx.further.test", "9.9.9.7:25"), "targets.hosts");
    // SPF records name others, and build names below them.
    let spf =
        TXT::new(vec!["v=spf1 include:spf.host.test exists:%{i}.x.macro.test -all".to_owned()]);
    net.learn((&name("good.test"), RecordType::TXT), &answer(&[("good.test", RData::TXT(spf))]));
    assert_eq!(asked("spf.host.test"), "");
    assert_eq!(asked("192.0.2.1.x.macro.test"), "");
    assert_eq!(asked("macro.test"), "");
    assert_eq!(asked("1.macro.test"), "targets.hosts");
}

#[tokio::test]
async fn name_servers_are_asked_where_a_listed_domain_or_one_above_it_names_them() {
    let net = under(policy(&[], &["good.test"], &[]));
    let query = |address: &str| rule(net.may_query(address.parse().unwrap(), false));
    for (zone, host, last) in [("test", "ns.root.test", 1), ("good.test", "ns.good.test", 2)] {
        let ns = RData::NS(NS(name(host)));
        net.learn((&name(zone), RecordType::NS), &answer(&[(zone, ns)]));
        let glue = answer(&[(host, a(9, 9, 9, last))]);
        net.learn((&name(host), RecordType::A), &glue);
        assert_eq!(query(&format!("9.9.9.{last}:53")), "", "{zone}");
    }
    assert_eq!(query("9.9.9.1:5353"), "targets.hosts");
    assert_eq!(query("9.9.9.3:53"), "targets.hosts");
    // A referral brings addresses along; those of others are not learnt.
    let mut referral = answer(&[]);
    let ns = RData::NS(NS(name("ns9.good.test")));
    referral.add_authority(Record::from_rdata(name("good.test"), 60, ns));
    for (owner, last) in [("ns9.good.test", 9), ("evil.test", 66)] {
        referral.add_additional(Record::from_rdata(name(owner), 60, a(9, 9, 9, last)));
    }
    net.learn((&name("good.test"), RecordType::NS), &referral);
    assert_eq!(query("9.9.9.9:53"), "");
    assert_eq!(query("9.9.9.66:53"), "targets.hosts");
    // And one that leads home leads nowhere.
    net.learn(
        (&name("ns.good.test"), RecordType::A),
        &answer(&[("ns.good.test", a(127, 0, 0, 1))]),
    );
    assert_eq!(query("127.0.0.1:53"), "targets.networks");
}

#[tokio::test(start_paused = true)]
async fn what_was_learnt_is_forgotten() {
    let net = under(policy(&["mail.test"], &[], &[]));
    net.learn_for_tests("mail.test", &["9.9.9.9".parse().unwrap()]);
    assert_eq!(open(&net, "mail.test", "9.9.9.9:25"), "");
    tokio::time::advance(Duration::from_secs(700)).await;
    assert_eq!(open(&net, "mail.test", "9.9.9.9:25"), "", "the span before");
    tokio::time::advance(Duration::from_secs(700)).await;
    assert_eq!(open(&net, "mail.test", "9.9.9.9:25"), "targets.networks");
    // However much is learnt, it is bounded, and the newest is there.
    for number in 0..50_000_u32 {
        let host = format!("h{number}.mail.test");
        net.learn_for_tests(&host, &[Ipv4Addr::from(number + (9 << 24)).into()]);
    }
    assert!(net.gate.learnt().size() < 100_000);
}

#[tokio::test(start_paused = true)]
async fn rates_are_shared_and_refuse_at_once() {
    let mut bound = policy(&["mail.test"], &[], &["127.0.0.0/8"]);
    bound.recipients = vec!["a@b.test".parse().unwrap()];
    bound.rates.mails_a_minute = 2;
    bound.rates.connections = 1;
    bound.rates.dns_questions_a_second = 1;
    let net = under(bound.clone());
    let beside = net.beside();
    beside.set_policy(Some(bound));
    assert_eq!(rule(net.may_mail("c@b.test", 1)), "recipients");
    assert_eq!(rule(net.may_mail("a@b.test", 1 << 40)), "rates.message_size");
    assert_eq!(rule(net.may_mail("a@b.test", 1)), "");
    assert_eq!(rule(beside.may_mail("a@b.test", 1)), "");
    assert_eq!(rule(net.may_mail("a@b.test", 1)), "rates.mails_a_minute");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(rule(net.may_mail("a@b.test", 1)), "");
    assert_eq!(rule(net.may_look_up("mail.test", 10)), "");
    assert_eq!(rule(beside.may_look_up("mail.test", 1)), "rates.dns_questions_a_second");
    let place = net.place().unwrap();
    assert_eq!(rule(beside.place()), "rates.connections");
    drop(place);
    assert!(beside.place().is_ok());
}

#[tokio::test]
async fn connections_count_until_they_are_closed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut bound = policy(&[], &[], &["127.0.0.0/8"]);
    bound.ports.insert(port);
    bound.rates.connections = 1;
    let (net, home) = (under(bound), ["127.0.0.1".parse().unwrap()]);
    let first = net.connect("127.0.0.1", &home, port, SOON).await.unwrap();
    let error = net.connect("127.0.0.1", &home, port, SOON).await.unwrap_err();
    assert!(error.to_string().contains("rates.connections: 1 connections are open"), "{error}");
    drop(first);
    net.connect("127.0.0.1", &home, port, SOON).await.unwrap();
}

#[tokio::test]
async fn the_first_refusal_of_a_run_is_noted_whatever_the_run_makes_of_it() {
    let net = under(policy(&[], &[], &[]));
    let run = async {
        assert!(net.resolve("evil.test", SOON).await.is_err());
        assert!(net.connect("127.0.0.1", &["127.0.0.1".parse().unwrap()], 1, SOON).await.is_err());
        "pass"
    };
    let (outcome, refusal) = noting(run).await;
    assert_eq!((outcome, refusal.unwrap().rule), ("pass", Rule::Hosts));
    assert_eq!(noting(async { 1 }).await, (1, None));
}

/// What a hostile DNS or collector could come up with.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let special = prop::sample::select(vec![
        "127.0.0.1",
        "10.0.0.1",
        "10.20.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "::ffff:10.20.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a14:1",
        "2002:7f00:1::",
        "ff02::1",
        "0.0.0.0",
        "9.9.9.9",
        "2620:fe::fe",
    ]);
    prop_oneof![
        special.prop_map(|text| text.parse().unwrap()),
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

fn hosts() -> impl Strategy<Value = String> {
    let known = [
        "good.test",
        "mail.good.test",
        "evil.test",
        "mail.test",
        "127.0.0.1",
        "localhost",
        "x.mail.test",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        "[a-z0-9.]{1,12}",
        addresses().prop_map(|address| address.to_string()),
    ]
}

proptest! {
    /// Whatever names are said to have which addresses, and whatever parts answers give them: what may be
    /// opened is public or in a listed network, at a port of the policy or of its part.
    #[test]
    fn nothing_outside_the_policy_is_ever_opened(
        lies in prop::collection::vec((hosts(), addresses(), any::<bool>()), 0..8),
        tries in prop::collection::vec((hosts(), addresses(), any::<u16>()), 1..16),
    ) {
        let bound = policy(&["mail.test"], &["good.test"], &["10.20.0.0/16"]);
        let net = under(bound.clone());
        for (host, address, is_exchanger) in &lies {
            net.learn_addresses(host, &[*address]);
            if *is_exchanger {
                let exchanger = MailExchanger { preference: 1, host: host.clone() };
                net.learn_exchangers("good.test", &[exchanger]);
                net.learn_addresses(host, &[*address]);
            }
        }
        let told = |host: &str, ip: IpAddr| lies.iter().any(|(of, address, _)| {
            address.to_canonical() == ip && (name_of(of) == name_of(host) || of == host)
        });
        // Whose exchanger it is said to be, all whose addresses are.
        let exchangers: Vec<_> =
            lies.iter().filter(|(_, _, is)| *is).map(|(host, ..)| name_of(host)).collect();
        let is_exchanger = |ip: IpAddr| {
            lies.iter().any(|(host, address, _)| {
                address.to_canonical() == ip && exchangers.contains(&name_of(host))
            })
        };
        let known = lies.iter().map(|(host, address, _)| (host.clone(), *address, 25));
        for (host, address, port) in tries.iter().cloned().chain(known) {
            for port in [port, 25, 443] {
                if net.may_open(&host, SocketAddr::new(address, port)).is_err() {
                    continue;
                }
                let ip = address.to_canonical();
                let is_listed = "10.20.0.0/16".parse::<Network>().unwrap().contains(ip);
                prop_assert!(is_listed || network::special_purpose(ip).is_none(), "{host} {ip}");
                let named = name_of(&host).is_some_and(|host| bound.names(&host));
                let led = port == 25 && is_exchanger(ip);
                prop_assert!(is_listed || (named && told(&host, ip)) || led, "{host} {ip}:{port}");
                prop_assert!(bound.ports.contains(&port), "{port}");
            }
        }
    }

    /// A name that is not listed, and that no answer led to, is never asked about.
    #[test]
    fn no_name_outside_the_policy_is_ever_asked_about(labels in prop::collection::vec("[a-z0-9_-]{1,9}", 1..5)) {
        let bound = policy(&["mail.test"], &["good.test"], &[]);
        let net = under(bound.clone());
        let Some(asked) = name_of(&labels.join(".")) else { return Ok(()) };
        let allowed = net.may_ask(&asked, 1).is_ok();
        let bare = crate::policy::bare(&asked);
        let listed = bound.names(&bare) || bare == name("test") || bare.is_root();
        prop_assert_eq!(allowed, listed, "{}", asked);
    }
}
