//! One JSON object for one run. Its keys are an interface: they may be added to, never changed.

use mailsonde_proto::{Fault, Verdict};
use serde::Serialize;

use super::Seen;

#[derive(Serialize)]
struct Report<'a> {
    check: &'a str,
    kind: &'a str,
    verdict: &'static str,
    fault: Option<FaultReport<'a>>,
    /// Only where the verdict is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    void: Option<VoidReport<'a>>,
    started_at: String,
    total_us: u64,
    phases: Vec<PhaseReport<'a>>,
    facts: Vec<FactReport<'a>>,
    findings: Vec<FindingReport<'a>>,
}

#[derive(Serialize)]
struct FaultReport<'a> {
    phase: &'a str,
    class: &'static str,
    basic_code: Option<u16>,
    enhanced_code: Option<String>,
    reply: &'a str,
    explanation: &'a str,
}

#[derive(Serialize)]
struct VoidReport<'a> {
    reason: &'static str,
    detail: &'a str,
}

#[derive(Serialize)]
struct PhaseReport<'a> {
    name: &'a str,
    us: i64,
    start_us: i64,
    uncertainty_us: u64,
}

#[derive(Serialize)]
struct FactReport<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct FindingReport<'a> {
    rule: &'a str,
    severity: &'static str,
    evidence: &'a str,
    source: &'a str,
    advice: &'a str,
}

/// The run as one line of JSON.
///
/// # Errors
/// When it cannot be made, which a value of texts and numbers never meets.
pub(crate) fn json(seen: &Seen) -> anyhow::Result<String> {
    let outcome = &seen.outcome;
    let (fault, void) = match &outcome.verdict {
        Verdict::Pass => (None, None),
        Verdict::Fail(fault) => (Some(FaultReport::of(fault)), None),
        Verdict::Void { reason, detail } => {
            (None, Some(VoidReport { reason: reason.as_str(), detail }))
        }
    };
    let report = Report {
        check: &seen.check,
        kind: &seen.kind,
        verdict: outcome.verdict.as_str(),
        fault,
        void,
        started_at: seen.started_at.to_string(),
        total_us: outcome.total_us,
        phases: outcome
            .phases
            .iter()
            .map(|phase| PhaseReport {
                name: &phase.name,
                us: phase.duration_us,
                start_us: phase.start_us,
                uncertainty_us: phase.uncertainty_us,
            })
            .collect(),
        facts: outcome
            .facts
            .iter()
            .map(|fact| FactReport { name: &fact.name, value: &fact.value })
            .collect(),
        findings: outcome
            .findings
            .iter()
            .map(|finding| FindingReport {
                rule: &finding.rule,
                severity: finding.severity.as_str(),
                evidence: &finding.evidence,
                source: &finding.source,
                advice: &finding.advice,
            })
            .collect(),
    };
    Ok(serde_json::to_string(&report)?)
}

impl<'a> FaultReport<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self {
            phase: &fault.phase,
            class: fault.class.as_str(),
            basic_code: fault.basic_code,
            enhanced_code: fault.enhanced_code.map(|code| code.to_string()),
            reply: &fault.reply,
            explanation: &fault.explanation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_pass_a_fail_and_a_void() {
        insta::assert_snapshot!(json(&samples::pass()).unwrap(), @r#"{"check":"mail","kind":"round-trip","verdict":"pass","fault":null,"started_at":"2025-11-24T16:00:00.000123Z","total_us":24100,"phases":[{"name":"imap.connect","us":300,"start_us":-61000,"uncertainty_us":0},{"name":"imap.auth","us":7310,"start_us":-58200,"uncertainty_us":0},{"name":"resolve","us":420,"start_us":0,"uncertainty_us":0},{"name":"connect","us":180,"start_us":420,"uncertainty_us":0},{"name":"greeting","us":2100,"start_us":600,"uncertainty_us":0},{"name":"tls","us":3900,"start_us":2700,"uncertainty_us":0},{"name":"auth","us":4200,"start_us":6600,"uncertainty_us":0},{"name":"envelope","us":1050,"start_us":10800,"uncertainty_us":0},{"name":"data","us":5600,"start_us":11850,"uncertainty_us":0},{"name":"transit","us":-1450,"start_us":17450,"uncertainty_us":500000},{"name":"arrival","us":6650,"start_us":17450,"uncertainty_us":1200}],"facts":[{"name":"smtp.greeting","value":"mx.good.test ESMTP"},{"name":"tls.version","value":"TLS 1.3"}],"findings":[]}"#);
        insta::assert_snapshot!(json(&samples::refused_sign_in()).unwrap(), @r#"{"check":"mail","kind":"round-trip","verdict":"fail","fault":{"phase":"auth","class":"permanent","basic_code":535,"enhanced_code":"5.7.8","reply":"5.7.8 Error: authentication failed:\r\n \u001b[31m(reason unavailable)","explanation":"the server refused the sign-in"},"started_at":"2025-11-24T16:00:00.000123Z","total_us":2008700,"phases":[{"name":"resolve","us":420,"start_us":0,"uncertainty_us":0},{"name":"connect","us":180,"start_us":420,"uncertainty_us":0},{"name":"tls","us":3900,"start_us":600,"uncertainty_us":0},{"name":"auth","us":2004200,"start_us":4500,"uncertainty_us":0}],"facts":[],"findings":[{"rule":"tls.certificate_expires_soon","severity":"warning","evidence":"the certificate ends in 6 days","source":"RFC 5280 section 4.1.2.5","advice":"renew it"}]}"#);
        insta::assert_snapshot!(json(&samples::void()).unwrap(), @r#"{"check":"mail","kind":"round-trip","verdict":"void","fault":null,"void":{"reason":"local_network","detail":"this machine has no route to any network"},"started_at":"2025-11-24T16:00:00.000123Z","total_us":310,"phases":[],"facts":[],"findings":[]}"#);
    }
}
