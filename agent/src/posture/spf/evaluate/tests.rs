//! Each case stands in one line: address, HELO name, sender, what is to come of it.

use super::*;
use crate::dns::zone::Zone;

mod oracle;

async fn evaluated(zone: &Zone, ip: &str, helo: &str, sender: &str) -> Evaluation {
    check_host(zone, &Sender::new(ip.parse().unwrap(), helo, sender), 1_700_000_000).await
}

async fn table(zone: &str, cases: &[(&str, &str, &str, &str)]) {
    let zone = Zone::new(zone);
    for (ip, helo, sender, expected) in cases {
        let found = evaluated(&zone, ip, helo, sender).await;
        assert_eq!(found.result.as_str(), *expected, "{ip} {helo} {sender}: {}", found.why);
    }
}

/// RFC 7208 appendix A: its zone, and every example record under a name of its own.
#[tokio::test]
async fn the_rfcs_own_examples() {
    let zone = r#"
        example.com.       MX  10 mail-a.example.com.
        example.com.       MX  20 mail-b.example.com.
        example.com.       A   192.0.2.10
        example.com.       A   192.0.2.11
        amy.example.com.   A   192.0.2.65
        bob.example.com.   A   192.0.2.66
        mail-a.example.com. A  192.0.2.129
        mail-b.example.com. A  192.0.2.130
        www.example.com.   CNAME example.com.
        example.org.       MX  10 mail-c.example.org.
        mail-c.example.org. A  192.0.2.140
        10.2.0.192.in-addr.arpa. PTR example.com.
        11.2.0.192.in-addr.arpa. PTR example.com.
        65.2.0.192.in-addr.arpa. PTR amy.example.com.
        66.2.0.192.in-addr.arpa. PTR bob.example.com.
        129.2.0.192.in-addr.arpa. PTR mail-a.example.com.
        130.2.0.192.in-addr.arpa. PTR mail-b.example.com.
        140.2.0.192.in-addr.arpa. PTR mail-c.example.org.
        4.0.0.10.in-addr.arpa. PTR bob.example.com.
    "#;
    let sent = |ip| (ip, "client.test", "u@example.com");
    for (record, passes, fails) in [
        ("v=spf1 +all", vec!["192.0.2.129", "1.2.3.4"], vec![]),
        ("v=spf1 a -all", vec!["192.0.2.10", "192.0.2.11"], vec!["192.0.2.129"]),
        ("v=spf1 a:example.org -all", vec![], vec!["192.0.2.10"]),
        ("v=spf1 mx -all", vec!["192.0.2.129", "192.0.2.130"], vec!["192.0.2.10"]),
        ("v=spf1 mx:example.org -all", vec!["192.0.2.140"], vec!["192.0.2.129"]),
        ("v=spf1 mx mx:example.org -all", vec!["192.0.2.129", "192.0.2.140"], vec!["192.0.2.10"]),
        (
            "v=spf1 mx/30 mx:example.org/30 -all",
            vec!["192.0.2.131", "192.0.2.143"],
            vec!["192.0.2.132", "192.0.2.144"],
        ),
        ("v=spf1 ptr -all", vec!["192.0.2.65", "192.0.2.10"], vec!["192.0.2.140", "10.0.0.4"]),
        ("v=spf1 ip4:192.0.2.128/28 -all", vec!["192.0.2.129"], vec!["192.0.2.65"]),
    ] {
        let zone = Zone::new(&format!("{zone}\nexample.com. TXT \"{record}\""));
        for (ips, expected) in [(passes, SpfResult::Pass), (fails, SpfResult::Fail)] {
            for ip in ips {
                let (ip, helo, sender) = sent(ip);
                let found = evaluated(&zone, ip, helo, sender).await;
                assert_eq!(found.result, expected, "{record} {ip}: {}", found.why);
            }
        }
    }
}

#[tokio::test]
async fn records_and_domains() {
    let long = "a".repeat(64);
    table(
        r#"
        none.test.   TXT "something else"
        two.test.    TXT "v=spf1 -all"
        two.test.    TXT "v=spf1 +all"
        old.test.    TXT "v=spf10"
        old.test.    TXT "v=spf1 +all"
        parts.test.  TXT "v=spf1 ip4:192.0." "2.1 -all"
        bad.test.    TXT "v=spf1 +all moo"
        slow.test.   TXT TIMEOUT
        fails.test.  TXT SERVFAIL
        empty.test.  TXT "v=spf1"
        mapped.test. TXT "v=spf1 ip4:192.0.2.1 -all"
        utf8.test.   TXT "v=spf1 a:ö.test -all"
        "#,
        &[
            ("192.0.2.1", "h", "u@none.test", "none"),
            ("192.0.2.1", "h", "u@gone.test", "none"),
            ("192.0.2.1", "h", "u@localhost", "none"),
            ("192.0.2.1", "h", &format!("u@{long}.test"), "none"),
            ("192.0.2.1", "h", "u@a..test", "none"),
            ("192.0.2.1", "h", "u@", "none"),
            ("192.0.2.1", "h", "u@two.test", "permerror"),
            ("192.0.2.1", "h", "u@old.test", "pass"),
            ("192.0.2.1", "h", "u@parts.test", "pass"),
            ("192.0.2.2", "h", "u@parts.test", "fail"),
            // A mistake counts although the term before it would match.
            ("192.0.2.1", "h", "u@bad.test", "permerror"),
            ("192.0.2.1", "h", "u@utf8.test", "permerror"),
            ("192.0.2.1", "h", "u@slow.test", "temperror"),
            ("192.0.2.1", "h", "u@fails.test", "temperror"),
            ("192.0.2.1", "h", "u@empty.test", "neutral"),
            ("::ffff:192.0.2.1", "h", "u@mapped.test", "pass"),
            // The HELO name is judged where the sender is empty.
            ("192.0.2.1", "mapped.test", "", "pass"),
            ("192.0.2.9", "mapped.test", "", "fail"),
        ],
    )
    .await;
}

#[tokio::test]
async fn include_and_redirect() {
    table(
        r#"
        pass.test.     TXT "v=spf1 +all"
        fail.test.     TXT "v=spf1 -all"
        soft.test.     TXT "v=spf1 ~all"
        neutral.test.  TXT "v=spf1 ?all"
        perm.test.     TXT "v=spf1 moo"
        temp.test.     TXT SERVFAIL
        ipass.test.    TXT "v=spf1 ~include:pass.test -all"
        ifail.test.    TXT "v=spf1 include:fail.test ?all"
        isoft.test.    TXT "v=spf1 include:soft.test -all"
        ineutral.test. TXT "v=spf1 include:neutral.test -all"
        iperm.test.    TXT "v=spf1 include:perm.test +all"
        itemp.test.    TXT "v=spf1 include:temp.test +all"
        inone.test.    TXT "v=spf1 include:gone.test +all"
        before.test.   TXT "v=spf1 ip4:192.0.2.1 include:gone.test -all"
        rpass.test.    TXT "v=spf1 redirect=pass.test"
        rsoft.test.    TXT "v=spf1 redirect=soft.test ip4:192.0.2.1"
        rnone.test.    TXT "v=spf1 redirect=gone.test"
        rtemp.test.    TXT "v=spf1 redirect=temp.test"
        rall.test.     TXT "v=spf1 redirect=pass.test -all"
        loop.test.     TXT "v=spf1 include:loop.test -all"
        rloop.test.    TXT "v=spf1 redirect=rloop.test"
        macro.test.    TXT "v=spf1 include:%{l}.test -all"
        "#,
        &[
            ("192.0.2.1", "h", "u@ipass.test", "softfail"),
            ("192.0.2.1", "h", "u@ifail.test", "neutral"),
            ("192.0.2.1", "h", "u@isoft.test", "fail"),
            ("192.0.2.1", "h", "u@ineutral.test", "fail"),
            ("192.0.2.1", "h", "u@iperm.test", "permerror"),
            ("192.0.2.1", "h", "u@itemp.test", "temperror"),
            ("192.0.2.1", "h", "u@inone.test", "permerror"),
            ("192.0.2.1", "h", "u@before.test", "pass"),
            ("192.0.2.2", "h", "u@before.test", "permerror"),
            ("192.0.2.1", "h", "u@rpass.test", "pass"),
            ("192.0.2.1", "h", "u@rsoft.test", "pass"),
            ("192.0.2.2", "h", "u@rsoft.test", "softfail"),
            ("192.0.2.1", "h", "u@rnone.test", "permerror"),
            ("192.0.2.1", "h", "u@rtemp.test", "temperror"),
            ("192.0.2.1", "h", "u@rall.test", "fail"),
            ("192.0.2.1", "h", "u@loop.test", "permerror"),
            ("192.0.2.1", "h", "u@rloop.test", "permerror"),
            ("192.0.2.1", "h", "pass@macro.test", "pass"),
            ("192.0.2.1", "h", "fail@macro.test", "fail"),
            ("192.0.2.1", "h", "nobody@macro.test", "permerror"),
        ],
    )
    .await;
}

#[tokio::test]
async fn addresses_mx_ptr_and_exists() {
    table(
        r#"
        a.test.       TXT  "v=spf1 a:%{d}/24//64 -all"
        a.test.       A    192.0.2.1
        a.test.       AAAA 2001:db8::1
        mx.test.      TXT  "v=spf1 mx -all"
        mx.test.      MX   10 a.test.
        mx.test.      MX   20 .
        none.test.    TXT  "v=spf1 a mx -all"
        servfail.test. TXT "v=spf1 a:slow.test +all"
        slow.test.    A    TIMEOUT
        ptr.test.     TXT  "v=spf1 ptr -all"
        x.ptr.test.   A    192.0.2.1
        1.2.0.192.in-addr.arpa. PTR liar.ptr.test.
        1.2.0.192.in-addr.arpa. PTR x.ptr.test.
        liar.ptr.test. A   192.0.2.77
        9.2.0.192.in-addr.arpa. PTR SERVFAIL
        notptr.test.  TXT  "v=spf1 ptr:tr.test -all"
        ex.test.      TXT  "v=spf1 exists:%{ir}.%{l1r+-}.%{v}._x.%{d} -all"
        1.2.0.192.jo.in-addr._x.ex.test. A 127.0.0.2
        p.test.       TXT  "v=spf1 exists:%{p}.ok.test -all"
        x.ptr.test.ok.test.   A 127.0.0.2
        unknown.ok.test.      A 127.0.0.2
        long.test.    TXT  "v=spf1 a:%{l}..test -all"
        "#,
        &[
            ("192.0.2.200", "h", "u@a.test", "pass"),
            ("192.0.3.1", "h", "u@a.test", "fail"),
            ("2001:db8::ffff", "h", "u@a.test", "pass"),
            ("2001:db8:1::1", "h", "u@a.test", "fail"),
            ("192.0.2.1", "h", "u@mx.test", "pass"),
            ("192.0.2.2", "h", "u@mx.test", "fail"),
            ("2001:db8::1", "h", "u@mx.test", "pass"),
            ("192.0.2.1", "h", "u@none.test", "fail"),
            ("192.0.2.1", "h", "u@servfail.test", "temperror"),
            // An A record that is slow is not asked for by an IPv6 client.
            ("2001:db8::1", "h", "u@servfail.test", "pass"),
            ("192.0.2.1", "h", "u@ptr.test", "pass"),
            ("192.0.2.77", "h", "u@ptr.test", "fail"),
            ("192.0.2.9", "h", "u@ptr.test", "fail"),
            ("192.0.2.1", "h", "u@notptr.test", "fail"),
            ("192.0.2.1", "h", "jo+box@ex.test", "pass"),
            ("192.0.2.1", "h", "ann@ex.test", "fail"),
            ("192.0.2.1", "h", "u@p.test", "pass"),
            ("192.0.2.3", "h", "u@p.test", "pass"),
            // A name that cannot be is asked nobody, and matches nobody.
            ("192.0.2.1", "h", "u@long.test", "fail"),
        ],
    )
    .await;
}

#[tokio::test]
async fn limits() {
    let chain = |count: u32| {
        let terms: String = (1..=count).map(|n| format!("include:i{n}.test ")).collect();
        format!("c{count}.test. TXT \"v=spf1 {terms}\" \"+all\"\n")
    };
    let records = (1..=11).map(|n| format!("i{n}.test. TXT \"v=spf1 ip4:10.0.0.{n} -all\"\n"));
    let mx = |count: u32| {
        let hosts = (1..=count).map(|n| format!("m{count}.test. MX {n} h{n}.test.\n"));
        format!("m{count}.test. TXT \"v=spf1 mx -all\"\n{}", hosts.collect::<String>())
    };
    let hosts = (1..=11).map(|n| format!("h{n}.test. A 192.0.2.{n}\n"));
    let pointers = (1..=12).map(|n| format!("9.2.0.192.in-addr.arpa. PTR p{n}.ptr.test.\n"));
    let pointed = (1..=12).map(|n| {
        let ip = if n == 12 { 9 } else { 100 + n };
        format!("p{n}.ptr.test. A 192.0.2.{ip}\n")
    });
    let zone = [
        chain(10),
        chain(11),
        mx(10),
        mx(11),
        records.collect(),
        hosts.collect(),
        pointers.collect(),
        pointed.collect(),
        "v2.test. TXT \"v=spf1 a:x1.test exists:x2.test +all\"\n".to_owned(),
        "v3.test. TXT \"v=spf1 a:x1.test exists:x2.test mx:x3.test +all\"\n".to_owned(),
        "ptr.test. TXT \"v=spf1 ptr -all\"\n".to_owned(),
        "bomb.test. TXT \"v=spf1 exists:".to_owned() + &"%{s}%{h}%{o}".repeat(20) + "\"\n",
    ];
    let long = format!("u@{}bomb.test", "x.".repeat(100));
    let zone = zone.concat()
        + &format!(
            "{}bomb.test. TXT \"v=spf1 exists:{}.test\"",
            "x.".repeat(100),
            "%{s}".repeat(50)
        );
    table(
        &zone,
        &[
            ("192.0.2.1", "h", "u@c10.test", "pass"),
            ("192.0.2.1", "h", "u@c11.test", "permerror"),
            // The term that matches comes before the one that is too much.
            ("10.0.0.10", "h", "u@c11.test", "pass"),
            ("192.0.2.10", "h", "u@m10.test", "pass"),
            ("192.0.2.10", "h", "u@m11.test", "permerror"),
            ("192.0.2.1", "h", "u@v2.test", "pass"),
            ("192.0.2.1", "h", "u@v3.test", "permerror"),
            // Only the first ten pointers count: the twelfth would match.
            ("192.0.2.9", "h", "u@ptr.test", "fail"),
            ("192.0.2.9", "h", &long, "permerror"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_tree_and_its_costs_come_with_the_result() {
    let zone = Zone::new(
        r#"
        a.test.  TXT "v=spf1 a:gone.test include:b.test mx -all"
        b.test.  TXT "v=spf1 ip4:192.0.2.7 exists:%{i}.x.test ~all"
        a.test.  MX  10 m.a.test.
        m.a.test. A  192.0.2.1
        "#,
    );
    let found = evaluated(&zone, "192.0.2.1", "h", "u@a.test").await;
    assert_eq!(found.why, "\"mx\" in the record of a.test matches");
    insta::assert_snapshot!(found.tree.render(), @"
    a.test: pass [4 look-ups, 2 void]
      a:gone.test: no match [1 look-up, 1 void]
      include:b.test: no match [2 look-ups, 1 void]
        ip4:192.0.2.7: no match
        exists:%{i}.x.test: no match [1 look-up, 1 void]
        ~all: match
      mx: match [1 look-up]
    ");
}

#[tokio::test]
async fn a_failing_sender_is_told_why() {
    let zone = Zone::new(
        r#"
        a.test.      TXT "v=spf1 include:b.test -all exp=why.%{d}"
        b.test.      TXT "v=spf1 -all exp=wrong.test"
        why.a.test.  TXT "%{i} is not one of %{d}'s %{s}"
        wrong.test.  TXT "never"
        two.test.    TXT "v=spf1 -all exp=x.two.test"
        x.two.test.  TXT "one"
        x.two.test.  TXT "two"
        r.test.      TXT "v=spf1 redirect=a.test exp=wrong.test"
        "#,
    );
    let explained = async |sender| evaluated(&zone, "192.0.2.1", "h", sender).await.explanation;
    let why = Some("192.0.2.1 is not one of a.test's u@a.test".to_owned());
    assert_eq!(explained("u@a.test").await, why);
    assert_eq!(explained("u@two.test").await, None);
    let why = explained("u@r.test").await;
    assert_eq!(why, Some("192.0.2.1 is not one of a.test's u@r.test".to_owned()));
}
