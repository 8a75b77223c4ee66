//! The kind `http` against the lab's web server over HTTPS: webmail, Exchange's health pages, autoconfig and
//! autodiscover, and pages that are broken in each way that it knows.

use std::collections::BTreeMap;

use mailsonde_tests::lab::Page;

use crate::agent::{Told, bounded, in_company, lab, output_of};

/// `mailsonde-agent probe http --json` in branch 1.
fn look(keys: &[(&str, &str)]) -> Told {
    let ca = lab().ca_file().display().to_string();
    let mut all = BTreeMap::from([("ca_file", ca.as_str()), ("timeout", "10s")]);
    all.extend(keys.iter().copied());
    let mut command = bounded(&[]);
    command.args(["agent", "probe", "http", "--json"]);
    for (key, value) in all {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    Told::of(output_of(&mut command))
}

#[test]
fn webmail_is_followed_to_its_sign_in_page() {
    let _company = in_company();
    let told = look(&[
        ("url", "https://webmail.good.test/"),
        ("expect_body", "Sign in"),
        ("expect_header", "content-type: ^text/html"),
        ("forbid_body", "(?i)maintenance"),
    ]);
    told.assert_pass();
    assert_eq!(told.phases(), ["redirect", "resolve", "connect", "tls", "first_byte", "body"]);
    assert_eq!(told.fact("http.url"), "https://webmail.good.test/login");
    assert_eq!(told.fact("http.status"), "200");
    assert!(told.fact("http.certificate_days").parse::<u32>().expect("days") > 14);
    assert!(told.fact("http.tls").starts_with("TLSv1.3"));
    let asked = lab().web_requests();
    assert!(asked.iter().any(|r| r.host == "webmail.good.test" && r.target == "/login"));
}

#[test]
fn what_is_wrong_with_a_page_is_told_in_its_phase() {
    let _company = in_company();
    for (path, keys, (phase, class, words)) in [
        (
            "/status/503",
            &[][..],
            ("first_byte", "temporary", "answered 503, expected is 200 to 299"),
        ),
        ("/status/404", &[], ("first_byte", "permanent", "answered 404")),
        ("/redirect/3", &[("redirects", "0")], ("first_byte", "mismatch", "answered 302")),
        ("/loop", &[], ("redirect", "protocol", "redirected more than 5 times")),
        ("/", &[("expect_body", "Welcome")], ("body", "mismatch", "does not contain \"Welcome\"")),
        ("/", &[("forbid_body", "web.lab")], ("body", "mismatch", "contains \"web.lab\"")),
        ("/delay/3000", &[("timeout", "1s")], ("first_byte", "timeout", "did not send the head")),
        ("/slow", &[("timeout", "2s")], ("body", "timeout", "did not send the body")),
    ] {
        let url = format!("https://web.lab.test{path}");
        let keys: Vec<_> =
            [("url", url.as_str())].into_iter().chain(keys.iter().copied()).collect();
        look(&keys).assert_fault(phase, class, words);
    }
    look(&[("url", "https://web.lab.test/status/503"), ("expect_status", "500-599")]).assert_pass();
    look(&[("url", "https://web.lab.test/redirect/3")]).assert_pass();
}

#[test]
fn a_page_that_never_ends_is_read_up_to_its_bound() {
    let _company = in_company();
    let told = look(&[("url", "https://web.lab.test/large/33554432"), ("max_body", "64KiB")]);
    told.assert_pass();
    assert_eq!(told.fact("http.bytes"), ">65536");
}

#[test]
fn a_server_that_thinks_is_seen_in_its_first_byte() {
    let _company = in_company();
    let told = look(&[("url", "https://web.lab.test/delay/500")]);
    told.assert_pass();
    assert!((500_000..1_500_000).contains(&told.phase("first_byte").us), "{told:#?}");
    assert!(told.phase("tls").us < 400_000, "{told:#?}");
}

#[test]
fn bad_certificates_are_faults_of_the_handshake() {
    let _company = in_company();
    for (host, words) in [
        ("expired", "it expired on"),
        ("selfsigned", "not trusted"),
        ("wrongname", "it is for other names: other.example.test"),
        ("missing", "not trusted"),
    ] {
        let url = format!("https://{host}.web.lab.test/");
        let told = look(&[("url", &url)]);
        let fault = told.assert_fault("tls", "mismatch", words);
        assert_eq!(fault.basic_code, None);
        assert_eq!(told.phases(), ["resolve", "connect"]);
    }
    let soon = look(&[("url", "https://soon.web.lab.test/"), ("fail_from", "warning")]);
    soon.assert_fault(
        "posture",
        "mismatch",
        "http.certificate_expires: the certificate expires in",
    );
}

#[test]
fn the_health_pages_of_exchange() {
    let _company = in_company();
    let told = look(&[("pages", "exchange"), ("host", "exchange.good.test")]);
    told.assert_pass();
    assert_eq!(told.fact("http.exchange.server"), "EXCHANGE.GOOD.TEST");
    assert_eq!(
        told.phases(),
        ["owa", "ecp", "ews", "mapi", "rpc", "oab", "autodiscover", "activesync"]
    );
    let sick = look(&[("pages", "exchange"), ("host", "sick.web.lab.test")]);
    sick.assert_fault("owa", "temporary", "taken this application out of service");
}

#[test]
fn servers_that_are_announced_without_tls_are_found() {
    let _company = in_company();
    let server = "<incomingServer type=\"imap\"><hostname>mail.good.test</hostname><port>143</port>\
                  <socketType>plain</socketType></incomingServer>";
    let text =
        format!("<clientConfig><emailProvider id=\"a\">{server}</emailProvider></clientConfig>");
    let page = Page::text(200, text).typed("text/xml");
    let path = "/.well-known/autoconfig/mail/config-v1.1.xml";
    lab().set_page("plainly.web.lab.test", path, page);
    let of = [
        ("pages", "autoconfig"),
        ("domain", "plainly.web.lab.test"),
        ("address", "alice@plainly.web.lab.test"),
    ];
    let told = look(&of);
    told.assert_pass();
    assert_eq!(told.fact("http.announced"), "imap:mail.good.test:143 plain");
    let strict = look(&[&of[..], &[("fail_from", "critical")]].concat());
    strict.assert_fault(
        "posture",
        "mismatch",
        "http.announced_without_tls: imap:mail.good.test:143 plain is announced to mail programs",
    );
}

#[test]
fn what_a_domain_announces_to_mail_programs() {
    let _company = in_company();
    for (pages, wrong) in
        [("autoconfig", "pop3:mail.good.test:110"), ("autodiscover", "pop3:mail.good.test:995")]
    {
        let of = [("pages", pages), ("domain", "good.test"), ("address", "alice@good.test")];
        let announced = "imap:mail.good.test:993,smtp:mail.good.test:465";
        let told = look(&[of[0], of[1], of[2], ("expect_servers", announced)]);
        told.assert_pass();
        assert!(told.fact("http.announced").contains("imap:mail.good.test:993 SSL"), "{told:#?}");
        let told = look(&[of[0], of[1], of[2], ("expect_servers", wrong)]);
        let fault = told.fault.as_ref().expect("a fault");
        assert_eq!(fault.class, "mismatch");
        assert!(fault.explanation.contains(&format!("{wrong} is not announced")), "{fault:?}");
    }
}
