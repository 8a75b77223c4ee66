//! Fixed runs for snapshots.

use mailsonde_proto::{
    EnhancedCode, Epoch, Fact, Fault, FaultClass, Finding, Phase, RunId, Severity, Verdict,
    VoidReason, WallTime,
};

use super::Seen;
use crate::probe::{Amendment, Outcome};

pub(crate) fn phase(name: &str, start_us: i64, duration_us: i64, uncertainty_us: u64) -> Phase {
    Phase { name: name.into(), start_us, duration_us, uncertainty_us }
}

fn fact(name: &str, value: &str) -> Fact {
    Fact { name: name.into(), value: value.into() }
}

fn seen(verdict: Verdict, total_us: u64, phases: Vec<Phase>) -> Seen {
    Seen {
        check: "mail".into(),
        kind: "round-trip".into(),
        started_at: WallTime::from_ns(1_764_000_000_000_123_000),
        outcome: Outcome {
            verdict,
            total_us,
            phases,
            facts: Vec::new(),
            findings: Vec::new(),
            transcript: String::new(),
        },
        amendments: Vec::new(),
    }
}

pub(super) fn pass() -> Seen {
    let phases = vec![
        phase("imap.connect", -61_000, 300, 0),
        phase("imap.auth", -58_200, 7_310, 0),
        phase("resolve", 0, 420, 0),
        phase("connect", 420, 180, 0),
        phase("greeting", 600, 2_100, 0),
        phase("tls", 2_700, 3_900, 0),
        phase("auth", 6_600, 4_200, 0),
        phase("envelope", 10_800, 1_050, 0),
        phase("data", 11_850, 5_600, 0),
        phase("transit", 17_450, -450_000, 1_000_000),
        phase("arrival", 17_450, 6_650, 1_200),
    ];
    let mut seen = seen(Verdict::Pass, 24_100, phases);
    // A transit by whole seconds would stretch the axis to a second: as the server tells it.
    seen.outcome.phases[9] = phase("transit", 17_450, -1_450, 500_000);
    seen.outcome.facts =
        vec![fact("smtp.greeting", "mx.good.test ESMTP"), fact("tls.version", "TLS 1.3")];
    seen.amendments.push(Amendment {
        run: RunId { epoch: Epoch(1), intent: 1 },
        fault: Fault::new("arrival", FaultClass::Mismatch, "the message came 72 s late"),
        phases: Vec::new(),
        facts: Vec::new(),
        is_found: false,
    });
    seen
}

pub(super) fn refused_sign_in() -> Seen {
    let fault = Fault {
        basic_code: Some(535),
        enhanced_code: Some(EnhancedCode { class: 5, subject: 7, detail: 8 }),
        reply: "5.7.8 Error: authentication failed:\r\n \x1b[31m(reason unavailable)".into(),
        ..Fault::new("auth", FaultClass::Permanent, "the server refused the sign-in")
    };
    let phases = vec![
        phase("resolve", 0, 420, 0),
        phase("connect", 420, 180, 0),
        phase("tls", 600, 3_900, 0),
        phase("auth", 4_500, 2_004_200, 0),
    ];
    let mut seen = seen(Verdict::Fail(fault), 2_008_700, phases);
    seen.outcome.transcript =
        "S: 220 mx.good.test ESMTP\nC: AUTH PLAIN (secret)\nS: 535 5.7.8 Error: \x07no\n".into();
    seen.outcome.findings.push(Finding {
        rule: "tls.certificate_expires_soon".into(),
        severity: Severity::Warning,
        evidence: "the certificate ends in 6 days".into(),
        source: "RFC 5280 section 4.1.2.5".into(),
        advice: "renew it".into(),
    });
    seen
}

pub(super) fn void() -> Seen {
    let detail = "this machine has no route to any network";
    seen(Verdict::void(VoidReason::LocalNetwork, detail), 310, Vec::new())
}
