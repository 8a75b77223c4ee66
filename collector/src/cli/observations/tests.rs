//! Observations as lines, and questions as paths.

use clap::Parser;
use jiff::Timestamp;

use super::{ObservationsArguments, question, shown};
use crate::cli::terminal::plain;
use crate::query::observations::{FindingAnswer, PhaseAnswer};
use crate::query::{FaultAnswer, ObservationAnswer, ObservationsAnswer, VoidAnswer};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn pass() -> ObservationAnswer {
    let phase = |name: &str, duration_us| PhaseAnswer {
        name: name.into(),
        start_us: 0,
        duration_us,
        uncertainty_us: 0,
    };
    ObservationAnswer {
        agent: "hq".into(),
        epoch: "00000000000000ab".into(),
        sequence: 17,
        intent: 9,
        check: "mail".into(),
        kind: "round-trip".into(),
        scheduled_for: at("2026-11-23T14:14:00Z"),
        started_at: at("2026-11-23T14:14:00Z"),
        received_at: at("2026-11-23T14:14:01Z"),
        cause: "scheduled".into(),
        amends: None,
        verdict: "pass".into(),
        fault: None,
        void: None,
        total_us: 24_310,
        phases: vec![phase("connect", 900), phase("arrival", 12_400), phase("transit", -200)],
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}

#[test]
fn each_verdict_has_its_words() {
    let fault = FaultAnswer {
        at: at("2026-11-23T14:13:00Z"),
        phase: "auth".into(),
        class: "permanent".into(),
        basic_code: Some(535),
        enhanced_code: Some("5.7.8".into()),
        reply: "5.7.8 Error: \u{1b}[2Jno".into(),
        explanation: "the server refused the sign-in".into(),
    };
    let failed = ObservationAnswer {
        scheduled_for: at("2026-11-23T14:13:00Z"),
        verdict: "fail".into(),
        fault: Some(fault),
        findings: vec![FindingAnswer {
            rule: "tls.certificate_expires_soon".into(),
            severity: "warning".into(),
            evidence: String::new(),
            source: String::new(),
            advice: String::new(),
        }],
        ..pass()
    };
    let void = ObservationAnswer {
        scheduled_for: at("2026-11-22T23:59:00Z"),
        verdict: "void".into(),
        cause: "on_demand".into(),
        amends: Some(("00000000000000ab".into(), 8)),
        void: Some(VoidAnswer {
            at: at("2026-11-22T23:59:00Z"),
            reason: "local_network".into(),
            detail: "no route to any host".into(),
        }),
        total_us: 0,
        ..pass()
    };
    let answer = ObservationsAnswer {
        observations: vec![pass(), failed, void],
        looked_back_to: Some(at("2026-11-20T08:00:00Z")),
    };
    let now = at("2026-11-23T14:14:20Z");
    insta::assert_snapshot!(shown(&answer, now, &plain(120)), @r"
        slot             vantage point  check  verdict  took   what it found
        14:14:00         hq             mail   pass     24 ms  arrival took 12 ms
        14:13:00         hq             mail   fail     24 ms  auth: the server refused the sign-in (permanent, 535 5.7.8);
                                                               found tls.certificate_expires_soon
        Nov 22 23:59:00  hq             mail   void      0 µs  tells more about run 8; on demand; local network: no route to any
                                                               host

        looked back to Nov 20 08:00:00 only: ask again with --since or --agent
        ");
    let nothing = ObservationsAnswer { observations: vec![], looked_back_to: None };
    insta::assert_snapshot!(shown(&nothing, now, &plain(120)), @r"there is no such observation");
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: ObservationsArguments,
}

#[test]
fn what_is_asked_stands_in_the_path() {
    let line = ["x", "--check", "a b&c", "--verdict", "fail", "--since", "2026-11-23T14:00Z"];
    let line = Line::try_parse_from(line).unwrap();
    insta::assert_snapshot!(question(&line.arguments), @r"/api/v1/observations?check=a%20b%26c&limit=20&since=2026-11-23T14%3A00%3A00Z&verdict=fail");
    for wrong in [["x", "--limit", "0"], ["x", "--since", "soon"], ["x", "--verdict", "up"]] {
        assert!(Line::try_parse_from(wrong).is_err(), "{wrong:?}");
    }
}
