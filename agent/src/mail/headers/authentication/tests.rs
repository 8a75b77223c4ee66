use proptest::prelude::*;

use super::*;

fn short(results: &Results) -> String {
    let methods: Vec<_> = results
        .methods
        .iter()
        .map(|method| {
            let pairs: Vec<_> = method.properties.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{}={} {}", method.method, method.result, pairs.join(" ")).trim().to_owned()
        })
        .collect();
    format!("{}: {}", results.authserv_id, methods.join("; "))
}

#[test]
fn headers_as_servers_write_them() {
    for (text, expected) in [
        // RFC 8601 appendix B.
        ("example.org 1; none", "example.org: "),
        (
            "example.com; spf=pass smtp.mailfrom=example.net",
            "example.com: spf=pass smtp.mailfrom=example.net",
        ),
        (
            "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; \
             spf=pass smtp.mailfrom=example.net",
            "example.com: auth=pass smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
        ),
        (
            "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) \
             fail policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't \
             expecting it) 1362471462",
            "foo.example.net: dkim=fail policy.expired=1362471462",
        ),
        // Gmail, rspamd, Microsoft, Mimecast.
        (
            "mx.google.com; dkim=pass header.i=@a.test header.s=sel header.b=\"abc/d=\"; spf=pass \
             (google.com: domain of a@a.test designates 192.0.2.1 as permitted sender) \
             smtp.mailfrom=a@a.test; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=a.test",
            "mx.google.com: dkim=pass header.i=@a.test header.s=sel header.b=abc/d=; spf=pass \
             smtp.mailfrom=a@a.test; dmarc=pass header.from=a.test",
        ),
        (
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.test; dkim=none (message not signed) \
             header.d=none;dmarc=bestguesspass action=none header.from=a.test;compauth=pass reason=109",
            ": spf=pass smtp.mailfrom=a.test; dkim=none header.d=none; dmarc=bestguesspass action=none \
             header.from=a.test; compauth=pass",
        ),
        (
            "mx.good.test;\tdkim=fail reason=\"signature verification failed; really\" header.d=a.test",
            "mx.good.test: dkim=fail header.d=a.test",
        ),
        ("mx.good.test; dkim=", "mx.good.test: dkim="),
        ("\"quoted id\"; DKIM/1=Pass", "quoted id: dkim=pass"),
    ] {
        assert_eq!(short(&Results::of(text).unwrap()), expected, "{text}");
    }
    let results = Results::of("a; dkim=fail reason=\"x; y\" (c) header.d=b").unwrap();
    let method = results.method("dkim").unwrap();
    assert_eq!(method.reason.as_deref(), Some("x; y"));
    assert_eq!(method.comment.as_deref(), Some("c"));
    assert_eq!(method.property("header.d"), Some("b"));
}

#[test]
fn arc_has_an_instance_before() {
    let results = Results::of_arc("i=2; mx.a.test; arc=pass; spf=fail smtp.mailfrom=b").unwrap();
    assert_eq!(results.arc_instance, Some(2));
    assert_eq!(short(&results), "mx.a.test: arc=pass; spf=fail smtp.mailfrom=b");
    for text in ["", "mx.a.test; spf=pass", "i=x; a; spf=pass", "j=1; a"] {
        assert_eq!(Results::of_arc(text), None, "{text}");
    }
}

#[test]
fn only_named_servers_are_trusted() {
    let trust = Trust::new(["MX.good.test".to_owned()]);
    assert!(trust.includes("mx.good.test"));
    for id in ["", "good.test", "mx.good.test.evil.test", "mx.good.test "] {
        assert!(!trust.includes(id), "{id}");
    }
    assert!(!Trust::default().includes(""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_value_panics_and_nothing_grows(
        text in "(i=1;|a\\.test|;|dkim|=|pass|reason|header\\.d|[(\"\\\\)/.]| |[ -~]|\\PC){0,80}",
    ) {
        for results in [Results::of(&text), Results::of_arc(&text)].into_iter().flatten() {
            prop_assert!(results.methods.len() <= MOST_METHODS);
            for method in &results.methods {
                prop_assert!(method.properties.len() <= MOST_PROPERTIES);
            }
        }
    }
}
