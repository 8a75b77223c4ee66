//! The probes `tls`, `smtp` and `tcp` against real Postfix, Dovecot and OpenSSL: good ones, and one for each
//! way of being broken that their findings know.

mod chains;
mod openssl;
mod scripted;

use mailsonde_tests::hostile::Script;

use crate::agent::{Told, bounded, hostile, in_company, lab, output_of};

const PASSWORD: &str = "PROBE_PASSWORD";

/// `mailsonde-agent probe KIND --json` in branch 1 with these settings, and the lab's authority where
/// there is no other.
#[track_caller]
fn probe(kind: &str, host: &str, port: u16, more: &[(&str, &str)]) -> Told {
    let mut command = bounded(&[]);
    command.args(["agent", "probe", kind, "--json"]).env(PASSWORD, "probe");
    let ca = lab().ca_file().display().to_string();
    let port = port.to_string();
    let mut settings = vec![("host", host), ("port", &port), ("timeout", "60s")];
    let has_tls = kind != "tcp" || more.contains(&("tls", "true"));
    if has_tls && !more.iter().any(|(key, _)| *key == "ca_file") {
        settings.push(("ca_file", &ca));
    }
    settings.extend(more);
    for (key, value) in settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    Told::of(output_of(&mut command))
}

const GOOD: &str = "mail.good.test";
const BAD: &str = "mail.badcert.test";

#[test]
fn tls_of_good_servers_passes_on_every_port() {
    let _company = in_company();
    for (port, starttls) in [
        (465, "no"),
        (993, "no"),
        (995, "no"),
        (587, "yes"),
        (25, "yes"),
        (143, "yes"),
        (110, "yes"),
    ] {
        let seen = probe("tls", GOOD, port, &[("scan", "versions")]);
        seen.assert_pass();
        // Where TLS is opportunistic, Postfix takes all versions that OpenSSL has: better than no TLS.
        let rules: &[&str] = if port == 25 { &["tls.old_version warning"] } else { &[] };
        assert_eq!(seen.severe_rules(), rules, "{port}: {seen:#?}");
        assert_eq!(seen.fact("tls.starttls"), starttls, "{port}");
        assert_eq!(seen.fact("tls.version"), "TLSv1.3");
        assert_eq!(seen.fact("tls.accepted"), "yes");
        assert!(seen.fact("tls.names").contains(GOOD));
        assert!(seen.fact("tls.certificate_days").parse::<i64>().expect("days") > 1_000);
        assert_eq!(seen.fact("tls.scan"), "complete");
        assert!(seen.fact("tls.versions").ends_with("TLSv1.2 TLSv1.3"), "{seen:#?}");
        let mut names: Vec<_> = seen.phases.iter().map(|phase| phase.name.as_str()).collect();
        names.retain(|name| *name != "greeting");
        assert_eq!(names, ["resolve", "connect", "tls", "scan"]);
        let has_greeting = seen.phases.iter().any(|phase| phase.name == "greeting");
        assert_eq!(has_greeting, starttls == "yes");
    }
}

#[test]
fn each_bad_certificate_has_its_rule() {
    let _company = in_company();
    for (port, words, rule) in [
        (465, "it expired on 2020-01-31", "tls.certificate_expired critical"),
        (993, "it expired on 2020-01-31", "tls.certificate_expired critical"),
        (995, "it expired on 2020-01-31", "tls.certificate_expired critical"),
        (25, "it expired on 2020-01-31", "tls.certificate_expired critical"),
        (143, "it expired on 2020-01-31", "tls.certificate_expired critical"),
        (110, "it expired on 2020-01-31", "tls.certificate_expired critical"),
        (466, "not trusted here (or by itself)", "tls.self_signed critical"),
        (467, "it is for other names: other.example.test", "tls.name_mismatch critical"),
        (468, "", "tls.certificate_expires_soon critical"),
        (469, "it is not valid before 2048-01-01", "tls.certificate_not_yet_valid critical"),
        (470, "it expired on 2020-01-31", "tls.certificate_expired critical"),
        (471, "not trusted here", "tls.chain_incomplete critical"),
        (472, "", ""),
    ] {
        let seen = probe("tls", BAD, port, &[("scan", "none")]);
        if words.is_empty() {
            seen.assert_pass();
        } else {
            seen.assert_fault("tls", "mismatch", words);
        }
        assert_eq!(seen.severe_rules().join(", "), rule, "{port}: {seen:#?}");
        let seen = probe("tls", BAD, port, &[("scan", "none"), ("accept", "any")]);
        seen.assert_pass();
        assert_eq!(seen.severe_rules().join(", "), rule, "{port}: what is wrong stays a finding");
    }
    let seen = probe("tls", BAD, 470, &[("scan", "none")]);
    assert!(seen.evidence("tls.certificate_expired").contains("Intermediate CA"), "{seen:#?}");
    assert_eq!(seen.fact("tls.chain"), "2");
    assert!(seen.fact("tls.chain_days").starts_with('-'));
    let seen = probe("tls", BAD, 471, &[("scan", "none")]);
    assert!(seen.evidence("tls.chain_incomplete").contains("Intermediate CA"), "{seen:#?}");
    let seen = probe("tls", BAD, 466, &[("scan", "none"), ("accept", "self-signed")]);
    seen.assert_pass();
    let soon = [("scan", "none"), ("warn_before", "1d"), ("critical_before", "1d")];
    assert_eq!(probe("tls", BAD, 468, &soon).severe_rules(), [""; 0]);
    let seen = probe("tls", BAD, 468, &[("scan", "none"), ("fail_from", "critical")]);
    seen.assert_fault("posture", "mismatch", "tls.certificate_expires_soon");
}

#[test]
fn old_versions_are_found_where_no_library_speaks_them() {
    let _company = in_company();
    for (port, version) in [(473, "TLSv1.0"), (474, "TLSv1.1")] {
        let seen = probe("tls", BAD, port, &[("scan", "versions")]);
        let words = format!("the server accepts nothing newer than {version}");
        seen.assert_fault("tls", "protocol", &words);
        assert_eq!(seen.fact("tls.versions"), version, "{seen:#?}");
        assert!(seen.severe_rules().contains(&"tls.old_version warning".to_owned()), "{seen:#?}");
        assert!(seen.evidence("tls.old_version").ends_with(version));
    }
    let seen = probe("tls", BAD, 475, &[("scan", "versions")]);
    seen.assert_pass();
    assert_eq!(seen.fact("tls.versions"), "TLSv1.2");
    assert_eq!(seen.evidence("tls.no_version_1_3"), "the server does not accept TLSv1.3");
    let least = [("scan", "versions"), ("expect_version_min", "1.3")];
    probe("tls", BAD, 475, &least).assert_fault("tls", "mismatch", "accepts TLSv1.2");
    probe("tls", "tls13.web.lab.test", 443, &least).assert_pass();
}

#[test]
fn smtp_of_good_servers_is_told() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    let login = [("login", user.address.as_str()), ("password_env", PASSWORD)];
    for (port, tls) in [(587, "starttls"), (465, "implicit")] {
        let more =
            [&[("tls", tls), ("expect_auth", "PLAIN"), ("expect_size_min", "5MiB")], &login[..]];
        let seen = probe("smtp", GOOD, port, &more.concat());
        seen.assert_pass();
        assert_eq!(seen.severe_rules(), [""; 0], "{seen:#?}");
        assert_eq!(seen.fact("smtp.signed_in"), "yes");
        assert_eq!(seen.fact("smtp.name"), "mx1.good.test");
        assert_eq!(seen.fact("smtp.size_limit"), "5242880");
        assert_eq!(seen.fact("tls.accepted"), "yes");
        let mut names: Vec<_> = seen.phases.iter().map(|phase| phase.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["auth", "connect", "greeting", "resolve", "tls"]);
    }
    let mx = [
        ("tls", "starttls"),
        ("expect_greeting", "^mx1\\.good\\.test ESMTP"),
        ("expect_extensions", "STARTTLS,8BITMIME,PIPELINING"),
        ("forbid_extensions", "ETRN2"),
        ("expect_starttls", "true"),
        ("forbid_auth_before_tls", "true"),
        ("relay_to", "somebody@elsewhere.test"),
        ("recipient", "alice@good.test"),
        ("refused_recipient", "nosuch@good.test"),
    ];
    let seen = probe("smtp", "mx1.good.test", 25, &mx);
    seen.assert_pass();
    assert!(seen.fact("smtp.relay").starts_with("refused: 554 5.7.1"), "{seen:#?}");
    assert!(seen.fact("smtp.recipient.0").starts_with("alice@good.test accepted: 250"));
    assert!(seen.fact("smtp.recipient.1").starts_with("nosuch@good.test refused: 550 5.1.1"));
}

#[test]
fn what_is_wrong_with_an_smtp_server_is_found() {
    let _company = in_company();
    let relay = [("tls", "opportunistic"), ("relay_to", "somebody@elsewhere.test")];
    let seen = probe("smtp", "mx.relay.test", 25, &relay);
    seen.assert_fault("envelope", "mismatch", "the server relays for anybody");
    assert_eq!(seen.severe_rules(), ["smtp.open_relay critical"], "{seen:#?}");

    let seen = probe("smtp", BAD, 587, &[("tls", "opportunistic")]);
    seen.assert_pass();
    assert_eq!(seen.severe_rules(), ["smtp.no_starttls warning"], "{seen:#?}");
    let seen = probe("smtp", BAD, 587, &[]);
    seen.assert_fault("tls", "protocol", "does not offer STARTTLS");

    let seen = probe("smtp", BAD, 466, &[("tls", "implicit")]);
    seen.assert_fault("tls", "mismatch", "not trusted here");
    assert_eq!(seen.severe_rules(), ["tls.self_signed critical"]);
}

#[test]
fn auth_before_tls_is_found_and_no_password_follows_a_bad_certificate() {
    let _company = in_company();
    let login = [("login", "alice@good.test"), ("password_env", PASSWORD)];
    let good = lab().identity(&["spare.lab.test"]).expect("a certificate");
    let (server, port) = hostile(Script::smtp().starttls(&good).expect("TLS"));
    let seen = probe("smtp", "spare.lab.test", port, &login);
    seen.assert_pass();
    assert_eq!(seen.severe_rules(), ["smtp.auth_before_tls warning"], "{seen:#?}");
    assert_eq!(seen.evidence("smtp.auth_before_tls"), "AUTH PLAIN LOGIN is offered before TLS");
    assert!(server.commands().iter().any(|command| command.starts_with("AUTH ")));

    let bad = lab().identity(&["elsewhere.lab.test"]).expect("a certificate");
    for (script, tls) in [
        (Script::smtp().starttls(&bad).expect("TLS"), "starttls"),
        (Script::smtp().implicit_tls(&bad).expect("TLS"), "implicit"),
    ] {
        let (server, port) = hostile(script);
        for accept in ["trusted", "any"] {
            let more = [&login[..], &[("tls", tls), ("accept", accept)]].concat();
            let seen = probe("smtp", "spare.lab.test", port, &more);
            let phase = if accept == "trusted" { "tls" } else { "auth" };
            seen.assert_fault(phase, "mismatch", "it is for other names: elsewhere.lab.test");
            assert!(
                seen.severe_rules().contains(&"tls.name_mismatch critical".to_owned()),
                "{seen:#?}"
            );
        }
        let commands = server.commands();
        assert!(commands.iter().any(|command| command.starts_with("EHLO")), "{commands:?}");
        assert!(!commands.iter().any(|command| command.starts_with("AUTH")), "{commands:?}");
    }
}

#[test]
fn tcp_reads_what_a_port_says() {
    let _company = in_company();
    let seen = probe(
        "tcp",
        GOOD,
        25,
        &[
            ("expect_banner", "^220 mx1\\.good\\.test"),
            ("send", "NOOP"),
            ("expect_answer", "^250 2\\.0\\.0"),
        ],
    );
    seen.assert_pass();
    assert!(seen.fact("tcp.banner").starts_with("220 mx1.good.test ESMTP"), "{seen:#?}");
    let seen = probe("tcp", GOOD, 993, &[("tls", "true"), ("expect_banner", "^\\* OK")]);
    seen.assert_pass();
    assert_eq!(seen.fact("tls.accepted"), "yes");
    let seen = probe("tcp", BAD, 993, &[("tls", "true"), ("expect_banner", "^\\* OK")]);
    seen.assert_fault("tls", "mismatch", "expired");
    let seen = probe("tcp", GOOD, 25, &[("expect_banner", "^SSH")]);
    seen.assert_fault("banner", "mismatch", "that does not match ^SSH");
    probe("tcp", GOOD, 2, &[]).assert_fault("connect", "refused", "nothing listens on that port");
    probe("tcp", GOOD, 465, &[("wait", "100ms")]).assert_pass();
}
