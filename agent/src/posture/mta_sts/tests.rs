use std::time::Duration;

use mailsonde_proto::Clock;

use super::*;
use crate::dns::zone::Zone;
use crate::http::stand_in::{Said, Web, answer};
use crate::mail::sandbox::patience;
use crate::net::Net;
use crate::transcript::Transcript;

const GOOD: &str = "version: STSv1\nmode: enforce\nmx: m1.a.test\nmx: m2.a.test\nmax_age: 604800\n";

async fn found(records: &str, said: Said) -> Told {
    let (web, trust) = Web::start_tls("mta-sts.a.test", move |asked| {
        assert_eq!(asked.target(), "/.well-known/mta-sts.txt");
        said.clone()
    })
    .await;
    let net = Net::new();
    let fetch = Fetch::new(&net, patience(2_000), &trust);
    let record = Record::new(Transcript::start(Clock::system(), Vec::new()));
    let zone = Zone::new(&format!("{records}\nmta-sts.a.test. A 127.0.0.1"));
    let exchangers = ["m1.a.test".to_owned(), "m2.a.test".to_owned()];
    let domain = name_of("a.test").unwrap();
    examine(&zone, &domain, &exchangers, (&fetch, web.address.port()), &record).await
}

const RECORD: &str = "_mta-sts.a.test. TXT \"v=STSv1; id=20260101T000000;\"";

#[tokio::test]
async fn each_policy_has_its_findings() {
    let text = |body: &str| answer("200 OK", "text/plain; charset=utf-8", body);
    for (said, rules) in [
        (text(GOOD), ""),
        (text(&GOOD.replace('\n', "\r\n")), ""),
        (text(&GOOD.replace("m1.a", "*.a").replace("mx: m2.a.test\n", "")), ""),
        (text(&GOOD.replace("mx: m2.a.test\n", "")), "mta_sts.mx_left_out"),
        (text(&GOOD.replace("m2", "m3")), "mta_sts.mx_left_out mta_sts.pattern_unused"),
        (text(&GOOD.replace("enforce", "testing")), "mta_sts.testing"),
        (
            text(&GOOD.replace("enforce", "testing").replace("mx: m2.a.test\n", "")),
            "mta_sts.testing mta_sts.mx_left_out_in_testing",
        ),
        (text(&GOOD.replace("enforce", "none")), "mta_sts.mode_none"),
        (text(&GOOD.replace("604800", "300")), "mta_sts.max_age_short"),
        (text(&GOOD.replace("604800", "31557601")), "mta_sts.max_age_too_long"),
        (text(&GOOD.replace("604800", "31557600")), ""),
        (text("version: STSv1\n"), "mta_sts.policy_syntax"),
        (text(&format!("{GOOD}{}", "x: y\n".repeat(20_000))), "mta_sts.policy_too_large"),
        (answer("200 OK", "text/html", GOOD), "mta_sts.policy_media_type"),
        (answer("404 Not Found", "text/plain", GOOD), "mta_sts.policy_status"),
        (answer("204 No Content", "text/plain", GOOD), "mta_sts.policy_status"),
        (
            Said::Bytes(
                b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".to_vec(),
            ),
            "mta_sts.policy_redirect",
        ),
        (Said::Bytes(b"rubbish\r\n".to_vec()), "mta_sts.policy_unreachable"),
        (Said::Late(Duration::from_secs(9), Vec::new()), "mta_sts.policy_unreachable"),
    ] {
        let words = format!("{said:?}");
        let told = found(RECORD, said).await;
        assert_eq!(told.rules().join(" "), rules, "{words:.300}: {:?}", told.findings);
        assert_eq!(told.value("mta_sts.id"), Some("20260101T000000"));
    }
}

#[tokio::test]
async fn each_record_has_its_findings() {
    let id = |id: &str| format!("_mta-sts.a.test. TXT \"v=STSv1; id={id}\"");
    for (records, rules) in [
        (String::new(), "mta_sts.none"),
        ("_mta-sts.a.test. TXT \"v=STSv2; id=1\"".to_owned(), "mta_sts.none"),
        (format!("{}\n{}", id("1"), id("2")), "mta_sts.several_records"),
        (id(""), "mta_sts.syntax"),
        (id("2026-01-01"), "mta_sts.syntax"),
        (id(&"1".repeat(33)), "mta_sts.syntax"),
        (id(&"1".repeat(32)), ""),
        ("_mta-sts.a.test. TXT \"v=STSv1\"".to_owned(), "mta_sts.syntax"),
        ("_mta-sts.a.test. TXT TIMEOUT".to_owned(), "unanswered"),
    ] {
        let told = found(&records, answer("200 OK", "text/plain", GOOD)).await;
        assert_eq!(told.rules().join(" "), rules, "{records}");
    }
}

#[tokio::test]
async fn a_certificate_must_be_good_and_a_host_must_be_there() {
    let (web, trust) =
        Web::start_tls("other.a.test", |_| answer("200 OK", "text/plain", GOOD)).await;
    let net = Net::new();
    let record = Record::new(Transcript::start(Clock::system(), Vec::new()));
    let domain = name_of("a.test").unwrap();
    for (address, port, rules) in [
        ("mta-sts.a.test. A 127.0.0.1", web.address.port(), "mta_sts.policy_certificate"),
        ("mta-sts.a.test. A 127.0.0.1", 1, "mta_sts.policy_unreachable"),
        ("mta-sts.a.test. TXT x", web.address.port(), "mta_sts.no_policy_host"),
        ("mta-sts.a.test. A SERVFAIL", web.address.port(), "unanswered"),
    ] {
        let zone = Zone::new(&format!("{RECORD}\n{address}"));
        let fetch = Fetch::new(&net, patience(2_000), &trust);
        let told = examine(&zone, &domain, &[], (&fetch, port), &record).await;
        assert_eq!(told.rules().join(" "), rules, "{:?}", told.findings);
    }
}
