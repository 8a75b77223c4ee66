//! The lab's names: what its zones promise, asked with `kdig` from a branch.

use std::net::Ipv4Addr;
use std::time::Duration;

use mailsonde_tests::lab::{
    Host, Lab, Manner, NAME_SERVER, NAME_SERVER_2, OLD_NAME_SERVER, RESOLVER,
};
use ring::digest::{SHA256, digest};

use super::lab;
use crate::dialogue::{Dialogue, connect, encrypt};

/// What a server says, as `kdig` prints it.
fn ask(lab: &Lab, server: Ipv4Addr, words: &str) -> String {
    let mut command = lab.command(Host::Branch(1), "kdig");
    command.arg(format!("@{server}")).args(words.split(' '));
    let output = command.output().expect("kdig runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The resolver's answer, sorted and without anything else.
fn records(name: &str, kind: &str) -> Vec<String> {
    let answer = ask(lab(), RESOLVER, &format!("+short {name} {kind}"));
    let mut records: Vec<String> = answer.lines().map(|line| line.trim_end().to_owned()).collect();
    records.sort_unstable();
    records
}

#[test]
fn the_resolver_tells_secure_insecure_and_bogus_apart() {
    let ask = |name: &str| ask(lab(), RESOLVER, &format!("+dnssec {name} A"));
    for name in ["mail.good.test", "mx.danebad.test", "lame.test", "ending.test", "sha1.test"] {
        let good = ask(name);
        assert!(good.contains("Flags: qr rd ra ad;"), "{good}");
        assert!(good.contains("198.18.0.10"), "{good}");
    }
    for name in ["unsigned.test", "island.test", "parentns.test"] {
        let insecure = ask(name);
        assert!(insecure.contains("Flags: qr rd ra;"), "{insecure}");
        assert!(insecure.contains("198.18.0.10"), "{insecure}");
    }
    // RFC 8914 sections 4.7, 4.8 and 4.10: the code says which of both; a resolver that has found the zone
    // bogus before, for another test, only says 6
    for (name, code) in [("mail.expired.test", "EDE: 7 "), ("mail.bogus.test", "EDE: 9 ")] {
        let bogus = ask(name);
        assert!(bogus.contains("status: SERVFAIL") && !bogus.contains("198.18.0.10"), "{bogus}");
        assert!(bogus.contains(code) || bogus.contains("EDE: 6 "), "{bogus}");
    }
    let nothing = ask("nodnsbl.test");
    assert!(nothing.contains("Flags: qr rd ra ad;") && nothing.contains("NXDOMAIN"), "{nothing}");

    let names = lab().command(Host::Branch(1), "getent").args(["hosts", "mail.good.test"]).output();
    let names = String::from_utf8_lossy(&names.expect("getent runs").stdout).into_owned();
    assert!(names.starts_with("198.18.0.10 "), "{names}");
}

#[test]
fn the_trust_anchor_is_the_key_of_the_root() {
    let anchor = std::fs::read_to_string(lab().trust_anchor()).expect("it is there");
    let served = ask(lab(), NAME_SERVER, "+noall +answer . DNSKEY");
    let key = |text: &str| text.split_whitespace().last().map(str::to_owned);
    assert!(anchor.starts_with(". IN DNSKEY 257 3 13 "), "{anchor}");
    assert_eq!(key(&anchor), key(&served));
}

#[test]
fn name_servers_agree_where_they_should() {
    let soa = |server, zone: &str| ask(lab(), server, &format!("+short {zone} SOA"));
    for zone in ["good.test", "expired.test", "spf11.test", "test", "18.198.in-addr.arpa", "."] {
        let first = soa(NAME_SERVER, zone);
        assert!(!first.is_empty(), "{zone}");
        assert_eq!(first, soa(NAME_SERVER_2, zone), "{zone}");
    }
    assert_ne!(soa(NAME_SERVER, "differs.test"), soa(NAME_SERVER_2, "differs.test"));
    assert_ne!(
        ask(lab(), NAME_SERVER, "+short differs.test A"),
        ask(lab(), NAME_SERVER_2, "+short differs.test A")
    );
    let lame = ask(lab(), NAME_SERVER_2, "+norec lame.test SOA");
    assert!(lame.contains("Flags: qr; ") && lame.contains("ANSWER: 0;"), "no aa: {lame}");
    let parent = ask(lab(), NAME_SERVER, "+norec parentns.test NS");
    assert!(
        parent.contains("Flags: qr; ") && parent.contains("ANSWER: 0;"),
        "a referral: {parent}"
    );
    assert_eq!(records("parentns.test", "NS"), ["ns2.lab.test.", "ns3.lab.test."]);
    assert_eq!(records("lame.test", "NS"), ["ns1.lab.test.", "ns2.lab.test."]);
    assert_eq!(records("onens.test", "NS"), ["ns1.lab.test."]);
}

#[test]
fn an_old_name_server_knows_no_edns() {
    let _server = lab().start_name_server(Manner::NoEdns).expect("it starts");
    let old = ask(lab(), OLD_NAME_SERVER, "+edns noedns.test A");
    assert!(old.contains("status: FORMERR"), "{old}");
    let old = ask(lab(), OLD_NAME_SERVER, "+noedns noedns.test A");
    assert!(old.contains("status: NOERROR") && old.contains("198.18.0.10"), "{old}");
    assert_eq!(records("noedns.test", "A"), ["198.18.0.10"]);
}

#[test]
fn a_zone_changes_while_it_is_served() {
    // some name of its own: other tests read drift.test as it was
    let name = "changing.drift.test";
    assert_eq!(records(name, "TXT"), [""; 0]);
    let line = format!("add {name}. 1 TXT before");
    lab().update_zone("drift.test", &[&line]).expect("it is added");
    for server in [NAME_SERVER, NAME_SERVER_2] {
        assert_eq!(ask(lab(), server, &format!("+short {name} TXT")), "\"before\"\n");
    }
    let lines = [format!("del {name}. TXT"), format!("add {name}. 1 TXT after")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lab().update_zone("drift.test", &lines).expect("it is changed");
    let signed = ask(lab(), NAME_SERVER_2, &format!("+dnssec {name} TXT"));
    assert!(signed.contains("after") && signed.contains("RRSIG"), "{signed}");
    // what was not there is remembered for two seconds
    for _ in 0..100 {
        if records(name, "TXT") == ["\"after\""] {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the resolver says {:?}", records(name, "TXT"));
}

#[test]
fn each_broken_domain_is_broken_as_it_says() {
    for (name, kind, expected) in [
        ("dangling.test", "MX", "10 gone.dangling.test. 20 mx.nodomain-here.test."),
        ("gone.dangling.test", "A", ""),
        ("cname.mxcname.test", "CNAME", "mx1.good.test."),
        ("nullmx.test", "MX", "0 ."),
        ("mxliteral.test", "MX", "10 198.18.0.10."),
        ("mx.privmx.test", "A", "10.1.2.3"),
        ("nomx.test", "MX", ""),
        ("spf2.test", "TXT", "\"v=spf1 a ~all\" \"v=spf1 mx -all\""),
        ("n1.spfvoid.test", "A", ""),
        ("spfmacro.test", "TXT", "\"v=spf1 exists:%{ir}.%{v}.ok.%{d} -all\""),
        ("_dmarc.dmarc2.test", "TXT", "\"v=DMARC1; p=none\" \"v=DMARC1; p=reject\""),
        ("dmarcext.test._report._dmarc.reports.test", "TXT", "\"v=DMARC1\""),
        ("dmarcstranger.test._report._dmarc.strangers.test", "TXT", ""),
        ("revoked._domainkey.dkim.test", "TXT", "\"v=DKIM1; k=rsa; p=\""),
        ("_imaps._tcp.srvbad.test", "SRV", "0 1 993 gone.srvbad.test."),
        ("caanone.test", "CAA", "0 issue \";\""),
        ("10.0.18.198.in-addr.arpa", "PTR", "mx1.good.test."),
        ("68.0.18.198.in-addr.arpa", "PTR", ""),
        ("69.0.18.198.in-addr.arpa", "PTR", "mx1.good.test."),
        ("66.0.18.198.dnsbl.test", "A", "127.0.0.10 127.0.0.2"),
        ("2.0.0.127.dnsbl.test", "A", "127.0.0.2"),
        ("1.0.0.127.dnsbl.test", "A", ""),
        ("10.0.18.198.dnsbl.test", "A", ""),
        ("10.0.18.198.dnsblerror.test", "A", "127.255.255.254"),
        ("1.0.0.127.dnsblworld.test", "A", "127.0.0.2"),
    ] {
        assert_eq!(records(name, kind).join(" "), expected, "{name} {kind}");
    }
    let terms = records("spf11.test", "TXT").concat().matches("include:").count();
    assert_eq!(terms, 11);
    for (selector, bits) in [("s512", 512), ("s1024", 1024), ("s2048", 2048), ("s8192", 8192)] {
        let record = records(&format!("{selector}._domainkey.dkim.test"), "TXT").concat();
        let key = record.replace("\" \"", "").replace('"', "");
        let base64 = key.rsplit_once("p=").expect("a key").1.to_owned();
        // a SubjectPublicKeyInfo is longer than its modulus by 30 to 38 bytes
        let bytes = base64.trim_end_matches('=').len() * 3 / 4;
        assert!((bits / 8 + 30..=bits / 8 + 38).contains(&bytes), "{selector}: {bytes}");
    }
}

#[test]
fn tlsa_records_are_those_of_the_certificate_that_is_shown() {
    let mx = "mx1.good.test";
    let mut session = Dialogue::new(connect(lab(), super::MAIL, 25).expect("port 25 accepts"));
    session.reply();
    assert!(session.say("EHLO b1.lab.test").contains("STARTTLS"));
    assert!(session.say("STARTTLS").starts_with("220 "));
    let session = encrypt(lab(), session.into_inner(), mx).expect("TLS stands");
    let chain = session.conn.peer_certificates().expect("a chain").to_vec();
    assert_eq!(chain.len(), 2, "the authority goes along");
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).expect("a certificate");
    let hex = |bytes: &[u8]| {
        let digest = digest(&SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<String>()
    };
    let digest = |record: String| record.replace(' ', "").chars().skip(3).collect::<String>();
    let shown = |name: &str| records(name, "TLSA").into_iter().map(digest).collect::<Vec<_>>();
    let key = hex(leaf.tbs_certificate.subject_pki.raw);
    assert!(shown(&format!("_25._tcp.{mx}")).contains(&key));
    assert!(shown("_25._tcp.mx.danerollover.test").contains(&key));
    assert!(!shown("_25._tcp.mx.danebad.test").contains(&key));
    assert_eq!(shown("_25._tcp.mx.daneta.test"), [hex(&chain[1])]);
}
