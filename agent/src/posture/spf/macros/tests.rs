use super::*;

const SENDER: &str = "strong-bad@email.example.com";

fn values(ip: &str) -> Values<'static> {
    Values {
        sender: SENDER,
        local_part: "strong-bad",
        sender_domain: "email.example.com",
        domain: "email.example.com",
        ip: ip.parse().unwrap(),
        validated: "mx.example.org",
        helo: "mail.example.net",
        now_s: 1_700_000_000,
    }
}

/// The examples of RFC 7208 section 7.4.
#[test]
fn the_rfcs_own_examples() {
    let four = values("192.0.2.3");
    for (text, expected) in [
        ("%{s}", SENDER),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{p}.%{h}", "mx.example.org.mail.example.net"),
        ("%%%_%-x.org", "% %20x.org"),
    ] {
        let parsed = MacroString::parse(text, Place::Domain);
        let parsed = parsed.or_else(|_| MacroString::parse(text, Place::Text)).unwrap();
        assert_eq!(parsed.expand(&four).unwrap(), expected, "{text}");
    }
    let six = MacroString::parse("%{ir}.%{v}._spf.%{d2}", Place::Domain).unwrap();
    assert_eq!(
        six.expand(&values("2001:db8::cb01")).unwrap(),
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    );
    let text = MacroString::parse("%{c} %{S} %{t}", Place::Text).unwrap();
    assert_eq!(
        text.expand(&values("2001:db8::cb01")).unwrap(),
        "2001:db8::cb01 strong-bad%40email.example.com 1700000000"
    );
}

#[test]
fn what_is_no_macro_and_no_name() {
    for text in [
        "%{x}.org", "%{d0}", "%{d2r?}", "%{}", "%{d", "%x.org", "a.org%", "%{c}.org", "%{t}",
        "museum", "a.1", "a.-b", "a.b-", "a b.org", "ö.org", "a..", "%%com", "a/b",
    ] {
        assert!(MacroString::parse(text, Place::Domain).is_err(), "{text}");
    }
    for text in ["a.b", "a.b.", "_spf.%{d}", "a.%{d1r-}", "a.co-m", "x.4a", "a.b/c.org"] {
        assert!(MacroString::parse(text, Place::Domain).is_ok(), "{text}");
    }
}

#[test]
fn a_long_name_loses_labels_from_the_left() {
    let text = format!("first.{}.example.com", vec!["a".repeat(60); 4].join("."));
    let name = MacroString::parse(&text, Place::Domain).unwrap();
    let name = name.expand_name(&values("192.0.2.3")).unwrap();
    assert!(name.len() <= 253 && name.starts_with("aaa") && name.ends_with(".example.com"));
}

#[test]
fn a_bomb_does_not_go_off() {
    let bomb = "%{s}%{S128r.-+,/_=}".repeat(3_000);
    let bomb = MacroString::parse(&bomb, Place::Text).unwrap();
    assert_eq!(bomb.expand(&values("192.0.2.3")), None);
}
