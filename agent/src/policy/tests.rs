//! Each rule, each class of addresses, as a table.

use jiff::civil::{datetime, time};

use super::*;

fn policy() -> Policy {
    let hosts = ["mail.partner.test", "*.pages.test", "api.partner.test:8443", "192.0.2.7"];
    Policy {
        hosts: hosts.map(|host| host.parse().unwrap()).to_vec(),
        domains: vec![name_of("good.test").unwrap()],
        networks: ["10.20.0.0/16", "fd00:20::/32"].map(|network| network.parse().unwrap()).to_vec(),
        ports: DEFAULT_PORTS.iter().copied().collect(),
        recipients: ["probe@good.test", "@lab.test"].map(|who| who.parse().unwrap()).to_vec(),
        kinds: Some(["tcp", "dns"].map(str::to_owned).into()),
        ..Policy::default()
    }
}

const STRANGER: Ties = Ties { is_of_host: false, is_exchanger: false, is_name_server: false };
const OF_HOST: Ties = Ties { is_of_host: true, ..STRANGER };
const EXCHANGER: Ties = Ties { is_exchanger: true, ..STRANGER };
const SERVER: Ties = Ties { is_name_server: true, ..STRANGER };

/// The rule that refuses a connection; empty where it is allowed.
fn rule(policy: &Policy, host: &str, address: &str, ties: Ties) -> &'static str {
    let address = address.parse().unwrap();
    let asked = policy.allows(&Target::Connection { host, address, ties });
    asked.err().map_or("", |refusal| refusal.rule.as_str())
}

#[test]
fn names_that_may_be_asked_about() {
    let policy = policy();
    for (name, is_led, allowed) in [
        ("good.test", false, true),
        ("GOOD.test.", false, true),
        ("mail.good.test", false, true),
        ("sel._domainkey.good.test", false, true),
        ("notgood.test", false, false),
        ("good.test.evil.test", false, false),
        ("mail.partner.test", false, true),
        ("_25._tcp.mail.partner.test", false, true),
        ("data.mail.partner.test", false, false),
        // Above what is listed: the chain of trust, and the walk of DMARC.
        ("partner.test", false, true),
        ("_dmarc.test", false, true),
        ("test", false, true),
        (".", false, true),
        ("other.partner.test", false, false),
        ("a.pages.test", false, true),
        ("pages.test", false, true),
        ("secret.evil.test", false, false),
        ("mx.evil.test", true, true),
        // The names of listed addresses, and of the networks around them.
        ("7.2.0.192.in-addr.arpa", false, true),
        ("2.0.192.in-addr.arpa", false, true),
        ("8.2.0.192.in-addr.arpa", false, false),
        ("1.0.20.10.in-addr.arpa", false, true),
        ("1.0.21.10.in-addr.arpa", false, false),
        ("data.7.2.0.192.in-addr.arpa", false, false),
    ] {
        let name = name_of(name).unwrap_or_else(Name::root);
        let asked = policy.allows(&Target::Name { name: &name, is_led });
        assert_eq!(asked.is_ok(), allowed, "{name}: {asked:?}");
    }
    // A label with a dot in it is no two labels.
    let sly = Name::from_labels(vec![b"x.good".as_slice(), b"test"]).unwrap();
    assert!(policy.allows(&Target::Name { name: &sly, is_led: false }).is_err());
}

#[test]
fn addresses_that_may_be_connected() {
    let policy = policy();
    for (host, address, ties, expected) in [
        // A listed host, at an address that DNS told for it.
        ("mail.partner.test", "9.9.9.9:587", OF_HOST, ""),
        ("Mail.Partner.TEST.", "9.9.9.9:587", OF_HOST, ""),
        ("mail.partner.test", "[2620:fe::fe]:993", OF_HOST, ""),
        ("mx1.good.test", "9.9.9.9:25", OF_HOST, ""),
        ("a.pages.test", "9.9.9.9:443", OF_HOST, ""),
        ("pages.test", "9.9.9.9:443", OF_HOST, "targets.hosts"),
        ("evil.test", "9.9.9.9:443", OF_HOST, "targets.hosts"),
        // The same name, and an address of somebody's choice.
        ("mail.partner.test", "9.9.9.9:587", STRANGER, "targets.networks"),
        // Ports.
        ("mail.partner.test", "9.9.9.9:6379", OF_HOST, "targets.ports"),
        ("api.partner.test", "9.9.9.9:8443", OF_HOST, ""),
        ("mail.partner.test", "9.9.9.9:8443", OF_HOST, "targets.ports"),
        // Literals and networks.
        ("192.0.2.7", "192.0.2.7:25", STRANGER, ""),
        ("192.0.2.8", "192.0.2.8:25", STRANGER, "targets.networks"),
        ("9.9.9.9", "9.9.9.9:25", STRANGER, "targets.hosts"),
        ("10.20.3.4", "10.20.3.4:25", STRANGER, ""),
        ("10.21.3.4", "10.21.3.4:25", STRANGER, "targets.networks"),
        ("fd00:20::1", "[fd00:20::1]:25", STRANGER, ""),
        ("::ffff:10.20.3.4", "[::ffff:10.20.3.4]:25", STRANGER, ""),
        ("mail.partner.test", "10.20.3.4:25", OF_HOST, ""),
        // Parts that a listed domain gives: at their ports only.
        ("mx.elsewhere.test", "9.9.9.9:25", EXCHANGER, ""),
        ("mx.elsewhere.test", "9.9.9.9:587", EXCHANGER, "targets.hosts"),
        ("9.9.9.9", "9.9.9.9:25", EXCHANGER, ""),
        ("9.9.9.9", "9.9.9.9:53", SERVER, ""),
        ("9.9.9.9", "9.9.9.9:25", SERVER, "targets.hosts"),
        ("mx.elsewhere.test", "10.1.2.3:25", EXCHANGER, "targets.networks"),
        ("9.9.9.9", "127.0.0.1:53", SERVER, "targets.networks"),
    ] {
        assert_eq!(rule(&policy, host, address, ties), expected, "{host} {address} {ties:?}");
    }
}

#[test]
fn a_public_name_at_an_address_that_the_internet_does_not_reach_is_refused() {
    let policy = policy();
    for address in [
        "0.0.0.0:25",
        "10.0.0.1:25",
        "100.64.0.1:25",
        "127.0.0.1:25",
        "127.8.8.8:25",
        "169.254.169.254:80",
        "172.16.0.1:25",
        "192.168.1.1:25",
        "192.0.0.8:25",
        "198.18.0.10:25",
        "203.0.113.5:25",
        "224.0.0.251:25",
        "240.0.0.1:25",
        "255.255.255.255:25",
        "[::]:25",
        "[::1]:25",
        "[::7f00:1]:25",
        "[::ffff:127.0.0.1]:25",
        "[::ffff:10.0.0.1]:25",
        "[64:ff9b::10.0.0.1]:25",
        "[64:ff9b:1::1]:25",
        "[2002:a00:1::1]:25",
        "[2001::1]:25",
        "[fc00::1]:25",
        "[fe80::1]:25",
        "[fec0::1]:25",
        "[ff02::1]:25",
    ] {
        for ties in [OF_HOST, EXCHANGER, SERVER] {
            let told = rule(&policy, "mail.good.test", address, ties);
            assert_eq!(told, "targets.networks", "{address} {ties:?}");
        }
    }
    let words = policy.allows(&Target::Connection {
        host: "mail.good.test",
        address: "10.0.0.1:25".parse().unwrap(),
        ties: OF_HOST,
    });
    assert_eq!(
        words.unwrap_err().to_string(),
        "targets.networks: mail.good.test is 10.0.0.1 (private use, RFC 1918), and no listed network has \
         that address"
    );
}

#[test]
fn a_host_of_the_agents_own_configuration_may_be_inside_and_never_at_home() {
    let own = |text: &str| HostRule { is_own: true, ..text.parse().unwrap() };
    let policy = Policy {
        hosts: vec![own("mail.corp.test:587"), own("127.0.0.1:25")],
        domains: vec![name_of("corp.test").unwrap()],
        ports: DEFAULT_PORTS.iter().copied().collect(),
        ..Policy::default()
    };
    for (host, address, expected) in [
        ("mail.corp.test", "10.0.0.1:587", ""),
        ("mail.corp.test", "[fd00::1]:587", ""),
        ("mail.corp.test", "127.0.0.1:587", "targets.networks"),
        ("mail.corp.test", "169.254.169.254:80", "targets.networks"),
        ("mail.corp.test", "[::1]:587", "targets.networks"),
        // Whoever runs the domain can make names below it.
        ("other.corp.test", "10.0.0.1:587", "targets.networks"),
        ("127.0.0.1", "127.0.0.1:25", ""),
        ("127.0.0.2", "127.0.0.2:25", "targets.networks"),
        // A name that leads to a listed address is not that address.
        ("mail.corp.test", "127.0.0.1:25", "targets.networks"),
        ("evil.test", "127.0.0.1:25", "targets.networks"),
    ] {
        assert_eq!(rule(&policy, host, address, OF_HOST), expected, "{host} {address}");
    }
}

#[test]
fn servers_that_may_be_asked() {
    let policy = policy();
    for (address, ties, is_ours, allowed) in [
        ("127.0.0.53:53", STRANGER, true, true),
        ("127.0.0.53:53", STRANGER, false, false),
        ("9.9.9.9:53", STRANGER, false, false),
        ("9.9.9.9:53", SERVER, false, true),
        ("9.9.9.9:5353", SERVER, false, false),
        ("10.20.0.53:53", STRANGER, false, true),
        ("10.20.0.53:5353", STRANGER, false, false),
        ("192.0.2.7:53", STRANGER, false, true),
    ] {
        let address = address.parse().unwrap();
        let asked = policy.allows(&Target::Server { address, ties, is_ours });
        assert_eq!(asked.is_ok(), allowed, "{address} {ties:?} {is_ours}");
    }
}

#[test]
fn recipients_kinds_sizes_and_hours() {
    let mut policy = policy();
    for (recipient, allowed) in [
        ("probe@good.test", true),
        ("probe@GOOD.test", true),
        ("Probe@good.test", false),
        ("probe+x@good.test", false),
        ("anybody@lab.test", true),
        ("anybody@x.lab.test", false),
        ("victim@elsewhere.test", false),
        ("probe@good.test@elsewhere.test", false),
        ("nobody", false),
    ] {
        assert_eq!(policy.allows(&Target::Recipient(recipient)).is_ok(), allowed, "{recipient}");
    }
    assert!(policy.allows(&Target::Kind("tcp")).is_ok());
    assert_eq!(policy.allows(&Target::Kind("http")).unwrap_err().rule, Rule::Kinds);
    policy.kinds = None;
    assert!(policy.allows(&Target::Kind("http")).is_ok());
    assert!(policy.allows(&Target::Message(64 << 20)).is_ok());
    let refusal = policy.allows(&Target::Message((64 << 20) + 1)).unwrap_err();
    assert_eq!(refusal.rule, Rule::MessageSize);
    policy.quiet.push(Quiet { days: Vec::new(), from: time(22, 0, 0, 0), to: time(6, 0, 0, 0) });
    let at = |hour| policy.allows(&Target::Time(datetime(2026, 11, 24, hour, 0, 0, 0)));
    assert!(at(12).is_ok());
    assert_eq!(
        at(23).unwrap_err().to_string(),
        "quiet: no run begins from 22:00 to 06:00 on every day"
    );
}

#[test]
fn a_policy_in_words() {
    insta::assert_snapshot!(policy().to_string(), @r"
    hosts       mail.partner.test, *.pages.test, api.partner.test:8443, 192.0.2.7
    domains     good.test
    networks    10.20.0.0/16, fd00:20::/32
    ports       25, 80, 110, 143, 443, 465, 587, 993, 995, 4190
    recipients  probe@good.test, @lab.test
    kinds       dns, tcp
    rates       60 mails a minute, 64.0 MiB a mail, 256.0 MiB of mail a minute, 512 connections at once, 200 DNS questions a second
    quiet       none
    senders     none
    ");
}

#[test]
fn hosts_and_recipients_as_they_are_written() {
    for (text, shown) in [
        ("Mail.Example.org", Some("mail.example.org")),
        ("mail.example.org.", Some("mail.example.org")),
        ("*.example.org", Some("*.example.org")),
        ("mail.example.org:2525", Some("mail.example.org:2525")),
        ("bücher.example", Some("xn--bcher-kva.example")),
        ("2001:db8::7", Some("2001:db8::7")),
        ("[2001:db8::7]:2525", Some("[2001:db8::7]:2525")),
        ("[2001:db8::7]", Some("2001:db8::7")),
        ("192.0.2.7:25", Some("192.0.2.7:25")),
        ("", None),
        (".", None),
        ("*", None),
        ("*.", None),
        ("a.*.b", None),
        ("mail.example.org:0", None),
        ("mail.example.org:x", None),
        ("https://mail.example.org", None),
        ("10.0.0.0/8", None),
        ("mail example", None),
    ] {
        let read = text.parse::<HostRule>().map(|rule| rule.to_string());
        assert_eq!(read.ok().as_deref(), shown, "{text}");
    }
    for (text, ok) in
        [("a@b.test", true), ("@b.test", true), ("b.test", false), ("a@", false), ("a b@c", false)]
    {
        assert_eq!(text.parse::<Recipient>().is_ok(), ok, "{text}");
    }
}
