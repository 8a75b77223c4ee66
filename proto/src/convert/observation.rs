//! Observations, to and from bytes.

use bytes::Bytes;
use prost::Message;

use super::Malformed;
use super::limits::{self, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use crate::check::SettingsDigest;
use crate::fault::{Fault, FaultClass};
use crate::observation::{Cause, Fact, Finding, Observation, RunId, Severity, Verdict, VoidReason};
use crate::phase::Phase;
use crate::time::WallTime;
use crate::vantage::Epoch;
use crate::wire;

/// Reads one observation as an agent sent it and as the journal holds it.
///
/// # Errors
/// When the bytes are no observation or go beyond a limit.
pub fn observation_from_bytes(bytes: &[u8]) -> Result<Observation, Malformed> {
    if bytes.len() > limits::MAX_OBSERVATION_BYTES {
        let limit = limits::MAX_OBSERVATION_BYTES;
        return Err(Malformed::TooMuch { what: "an observation", limit });
    }
    let sent = wire::Observation::decode(bytes).map_err(|error| Malformed::NotAMessage {
        what: "observation",
        detail: error.to_string(),
    })?;
    Observation::try_from(sent)
}

/// Writes one observation as it is sent and stored.
pub fn observation_to_bytes(observation: &Observation) -> Bytes {
    wire::Observation::from(observation).encode_to_vec().into()
}

impl TryFrom<wire::Observation> for Observation {
    type Error = Malformed;

    fn try_from(sent: wire::Observation) -> Result<Self, Malformed> {
        limits::count("phases", sent.phases.len(), limits::MAX_PHASES)?;
        limits::count("facts", sent.facts.len(), limits::MAX_FACTS)?;
        limits::count("findings", sent.findings.len(), limits::MAX_FINDINGS)?;
        Ok(Self {
            intent: sent.intent,
            check: limits::name("the check's name", sent.check)?,
            kind: limits::name("the check's kind", sent.kind)?,
            scheduled_for: wall_time("scheduled_for", sent.scheduled_for_ns)?,
            started_at: wall_time("started_at", sent.started_at_ns)?,
            clock_error_us: Some(sent.clock_error_us).filter(|&us| us > 0),
            cause: match wire::Cause::try_from(sent.cause) {
                Ok(wire::Cause::Scheduled) => Cause::Scheduled,
                Ok(wire::Cause::Confirmation) => Cause::Confirmation,
                Ok(wire::Cause::OnDemand) => Cause::OnDemand,
                Ok(wire::Cause::Unspecified) | Err(_) => Cause::Unknown,
            },
            settings_digest: digest(&sent.settings_digest)?,
            amends: sent.amends.map(|run| RunId { epoch: Epoch(run.epoch), intent: run.intent }),
            verdict: verdict(sent.verdict)?,
            total_us: sent.total_us,
            phases: sent.phases.into_iter().map(phase).collect::<Result<_, _>>()?,
            facts: sent.facts.into_iter().map(fact).collect::<Result<_, _>>()?,
            findings: sent.findings.into_iter().map(finding).collect::<Result<_, _>>()?,
            transcript: limits::text(
                "the transcript",
                sent.transcript,
                limits::MAX_TRANSCRIPT_BYTES,
            )?,
        })
    }
}

pub(super) fn digest(bytes: &[u8]) -> Result<SettingsDigest, Malformed> {
    if bytes.is_empty() {
        return Ok(SettingsDigest::default());
    }
    bytes
        .try_into()
        .map(SettingsDigest)
        .ok()
        .ok_or(Malformed::Form { what: "the settings' digest", form: "16 bytes" })
}

fn wall_time(what: &'static str, ns: u64) -> Result<WallTime, Malformed> {
    let form = "a time between 1970 and 2262";
    i64::try_from(ns).map(WallTime::from_ns).ok().ok_or(Malformed::Form { what, form })
}

/// A verdict that is missing, or of a kind we do not know, is void: unknown is never up.
fn verdict(sent: Option<wire::Verdict>) -> Result<Verdict, Malformed> {
    use wire::verdict::Is;
    match sent.and_then(|verdict| verdict.is) {
        Some(Is::Pass(wire::Pass {})) => Ok(Verdict::Pass),
        Some(Is::Fail(fault)) => Ok(Verdict::Fail(fault_of(fault)?)),
        Some(Is::Void(void)) => Ok(Verdict::Void {
            reason: void_reason(void.reason),
            detail: limits::text("a void's detail", void.detail, MAX_TEXT_BYTES)?,
        }),
        None => Ok(Verdict::void(VoidReason::Unknown, "a verdict that this version does not know")),
    }
}

fn fault_of(sent: wire::Fault) -> Result<Fault, Malformed> {
    let class = match wire::FaultClass::try_from(sent.class) {
        Ok(wire::FaultClass::Temporary) => FaultClass::Temporary,
        Ok(wire::FaultClass::Permanent) => FaultClass::Permanent,
        Ok(wire::FaultClass::Timeout) => FaultClass::Timeout,
        Ok(wire::FaultClass::Refused) => FaultClass::Refused,
        Ok(wire::FaultClass::Protocol) => FaultClass::Protocol,
        Ok(wire::FaultClass::Mismatch) => FaultClass::Mismatch,
        Ok(wire::FaultClass::Unspecified) | Err(_) => FaultClass::Unknown,
    };
    Ok(Fault {
        phase: limits::text("a fault's phase", sent.phase, MAX_NAME_BYTES)?,
        class,
        basic_code: u16::try_from(sent.basic_code).ok().filter(|&code| code > 0),
        enhanced_code: sent.enhanced_code.parse().ok(),
        reply: limits::text("a server's reply", sent.reply, MAX_TEXT_BYTES)?,
        explanation: limits::text("a fault's explanation", sent.explanation, MAX_TEXT_BYTES)?,
    })
}

fn void_reason(reason: i32) -> VoidReason {
    use wire::VoidReason as Sent;
    match Sent::try_from(reason) {
        Ok(Sent::Interrupted) => VoidReason::Interrupted,
        Ok(Sent::Missed) => VoidReason::Missed,
        Ok(Sent::Paused) => VoidReason::Paused,
        Ok(Sent::Overrun) => VoidReason::Overrun,
        Ok(Sent::LocalNetwork) => VoidReason::LocalNetwork,
        Ok(Sent::LocalClock) => VoidReason::LocalClock,
        Ok(Sent::LocalDisk) => VoidReason::LocalDisk,
        Ok(Sent::Policy) => VoidReason::Policy,
        Ok(Sent::Internal) => VoidReason::Internal,
        Ok(Sent::Peer) => VoidReason::Peer,
        Ok(Sent::Unspecified) | Err(_) => VoidReason::Unknown,
    }
}

fn phase(sent: wire::Phase) -> Result<Phase, Malformed> {
    if sent.name.is_empty() {
        return Err(Malformed::Missing("a phase's name"));
    }
    Ok(Phase {
        name: limits::text("a phase's name", sent.name, MAX_NAME_BYTES)?,
        start_us: sent.start_us,
        duration_us: sent.duration_us,
        uncertainty_us: sent.uncertainty_us,
    })
}

fn fact(sent: wire::Fact) -> Result<Fact, Malformed> {
    Ok(Fact {
        name: limits::text("a fact's name", sent.name, MAX_NAME_BYTES)?,
        value: limits::text("a fact's value", sent.value, MAX_TEXT_BYTES)?,
    })
}

fn finding(sent: wire::Finding) -> Result<Finding, Malformed> {
    let severity = match wire::Severity::try_from(sent.severity) {
        Ok(wire::Severity::Notice) => Severity::Notice,
        Ok(wire::Severity::Warning) => Severity::Warning,
        Ok(wire::Severity::Critical) => Severity::Critical,
        Ok(wire::Severity::Unspecified) | Err(_) => Severity::Unknown,
    };
    Ok(Finding {
        rule: limits::text("a finding's rule", sent.rule, MAX_NAME_BYTES)?,
        severity,
        evidence: limits::text("a finding's evidence", sent.evidence, MAX_TEXT_BYTES)?,
        source: limits::text("a finding's source", sent.source, MAX_TEXT_BYTES)?,
        advice: limits::text("a finding's advice", sent.advice, MAX_TEXT_BYTES)?,
    })
}

impl From<&Observation> for wire::Observation {
    fn from(o: &Observation) -> Self {
        Self {
            intent: o.intent,
            check: o.check.clone(),
            kind: o.kind.clone(),
            scheduled_for_ns: u64::try_from(o.scheduled_for.as_ns()).unwrap_or(0),
            started_at_ns: u64::try_from(o.started_at.as_ns()).unwrap_or(0),
            clock_error_us: o.clock_error_us.unwrap_or(0),
            cause: i32::from(match o.cause {
                Cause::Scheduled => wire::Cause::Scheduled,
                Cause::Confirmation => wire::Cause::Confirmation,
                Cause::OnDemand => wire::Cause::OnDemand,
                Cause::Unknown => wire::Cause::Unspecified,
            }),
            settings_digest: o.settings_digest.0.to_vec(),
            amends: o.amends.map(|run| wire::RunId { epoch: run.epoch.0, intent: run.intent }),
            verdict: Some(wire::Verdict { is: Some(verdict_to_wire(&o.verdict)) }),
            total_us: o.total_us,
            phases: o.phases.iter().map(phase_to_wire).collect(),
            facts: o.facts.iter().map(fact_to_wire).collect(),
            findings: o.findings.iter().map(finding_to_wire).collect(),
            transcript: cut(&o.transcript, limits::MAX_TRANSCRIPT_BYTES),
        }
    }
}

fn verdict_to_wire(verdict: &Verdict) -> wire::verdict::Is {
    use wire::verdict::Is;
    match verdict {
        Verdict::Pass => Is::Pass(wire::Pass {}),
        Verdict::Fail(fault) => Is::Fail(wire::Fault {
            phase: cut(&fault.phase, MAX_NAME_BYTES),
            class: i32::from(match fault.class {
                FaultClass::Temporary => wire::FaultClass::Temporary,
                FaultClass::Permanent => wire::FaultClass::Permanent,
                FaultClass::Timeout => wire::FaultClass::Timeout,
                FaultClass::Refused => wire::FaultClass::Refused,
                FaultClass::Protocol => wire::FaultClass::Protocol,
                FaultClass::Mismatch => wire::FaultClass::Mismatch,
                FaultClass::Unknown => wire::FaultClass::Unspecified,
            }),
            basic_code: fault.basic_code.map_or(0, u32::from),
            enhanced_code: fault.enhanced_code.map(|code| code.to_string()).unwrap_or_default(),
            reply: cut(&fault.reply, MAX_TEXT_BYTES),
            explanation: cut(&fault.explanation, MAX_TEXT_BYTES),
        }),
        Verdict::Void { reason, detail } => Is::Void(wire::Void {
            reason: i32::from(void_reason_to_wire(*reason)),
            detail: cut(detail, MAX_TEXT_BYTES),
        }),
    }
}

fn void_reason_to_wire(reason: VoidReason) -> wire::VoidReason {
    match reason {
        VoidReason::Interrupted => wire::VoidReason::Interrupted,
        VoidReason::Missed => wire::VoidReason::Missed,
        VoidReason::Paused => wire::VoidReason::Paused,
        VoidReason::Overrun => wire::VoidReason::Overrun,
        VoidReason::LocalNetwork => wire::VoidReason::LocalNetwork,
        VoidReason::LocalClock => wire::VoidReason::LocalClock,
        VoidReason::LocalDisk => wire::VoidReason::LocalDisk,
        VoidReason::Policy => wire::VoidReason::Policy,
        VoidReason::Internal => wire::VoidReason::Internal,
        VoidReason::Peer => wire::VoidReason::Peer,
        VoidReason::Unknown => wire::VoidReason::Unspecified,
    }
}

fn phase_to_wire(phase: &Phase) -> wire::Phase {
    wire::Phase {
        name: cut(&phase.name, MAX_NAME_BYTES),
        start_us: phase.start_us,
        duration_us: phase.duration_us,
        uncertainty_us: phase.uncertainty_us,
    }
}

fn fact_to_wire(fact: &Fact) -> wire::Fact {
    wire::Fact { name: cut(&fact.name, MAX_NAME_BYTES), value: cut(&fact.value, MAX_TEXT_BYTES) }
}

fn finding_to_wire(finding: &Finding) -> wire::Finding {
    wire::Finding {
        rule: cut(&finding.rule, MAX_NAME_BYTES),
        severity: i32::from(match finding.severity {
            Severity::Notice => wire::Severity::Notice,
            Severity::Warning => wire::Severity::Warning,
            Severity::Critical => wire::Severity::Critical,
            Severity::Unknown => wire::Severity::Unspecified,
        }),
        evidence: cut(&finding.evidence, MAX_TEXT_BYTES),
        source: cut(&finding.source, MAX_TEXT_BYTES),
        advice: cut(&finding.advice, MAX_TEXT_BYTES),
    }
}

/// A sender cuts what its peer would refuse, so that a long reply never costs a whole observation.
fn cut(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn observation(verdict: Verdict) -> Observation {
        Observation {
            intent: 7,
            check: "mail".into(),
            kind: "round-trip".into(),
            scheduled_for: WallTime::from_s(1_764_000_000),
            started_at: WallTime::from_s(1_764_000_001),
            clock_error_us: Some(1_500),
            cause: Cause::Scheduled,
            settings_digest: SettingsDigest::of("a = 1"),
            amends: Some(RunId { epoch: Epoch(9), intent: 3 }),
            verdict,
            total_us: 24_100,
            phases: vec![Phase {
                name: "transit".into(),
                start_us: 8_000,
                duration_us: -12,
                uncertainty_us: 500_000,
            }],
            facts: vec![Fact { name: "smtp.greeting".into(), value: "220 ready".into() }],
            findings: vec![Finding {
                rule: "tls.expires_soon".into(),
                severity: Severity::Warning,
                evidence: "3 days".into(),
                source: "RFC 5280 section 4.1.2.5".into(),
                advice: "renew it".into(),
            }],
            transcript: "C: QUIT".into(),
        }
    }

    #[test]
    fn every_verdict_survives_the_wire() {
        let fault = Fault {
            phase: "auth".into(),
            class: FaultClass::Permanent,
            basic_code: Some(535),
            enhanced_code: "5.7.8".parse().ok(),
            reply: "535 5.7.8 no".into(),
            explanation: "the server refused the sign-in".into(),
        };
        for verdict in [
            Verdict::Pass,
            Verdict::Fail(fault),
            Verdict::void(VoidReason::LocalDisk, "no space left"),
        ] {
            let sent = observation(verdict);
            assert_eq!(observation_from_bytes(&observation_to_bytes(&sent)), Ok(sent));
        }
    }

    #[test]
    fn what_a_newer_agent_says_is_read_as_unknown() {
        let mut sent = wire::Observation::from(&observation(Verdict::Pass));
        sent.cause = 99;
        sent.verdict = Some(wire::Verdict { is: None });
        let mut bytes = sent.encode_to_vec();
        bytes.extend([0xfa, 0x3f, 0x02, 0x01, 0x02]); // field 1023, two bytes
        let read = observation_from_bytes(&bytes).unwrap();
        assert_eq!(read.cause, Cause::Unknown);
        assert_eq!(read.verdict.as_str(), "void");
    }

    #[test]
    fn what_goes_beyond_a_limit_is_refused_with_its_name() {
        let check = |change: &dyn Fn(&mut wire::Observation), expected: &str| {
            let mut sent = wire::Observation::from(&observation(Verdict::Pass));
            change(&mut sent);
            let refused = observation_from_bytes(&sent.encode_to_vec()).unwrap_err().to_string();
            assert_eq!(refused, expected);
        };
        check(
            &|o| o.check.clear(),
            "the check's name is not 1 to 64 characters of a-z A-Z 0-9 . _ -",
        );
        check(&|o| o.phases = vec![o.phases[0].clone(); 65], "phases is beyond its limit of 64");
        check(&|o| o.phases[0].name.clear(), "a phase's name is missing");
        check(
            &|o| o.transcript = "x".repeat(65_537),
            "the transcript is beyond its limit of 65536",
        );
        check(&|o| o.started_at_ns = u64::MAX, "started_at is not a time between 1970 and 2262");
    }

    #[test]
    fn a_sender_cuts_between_characters() {
        for (text, limit, expected) in
            [("häh", 2, "h"), ("häh", 3, "hä"), ("h", 9, "h"), ("", 0, "")]
        {
            assert_eq!(cut(text, limit), expected, "{text} {limit}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _read = observation_from_bytes(&bytes);
        }

        #[test]
        fn no_flipped_byte_makes_it_panic(at in 0_usize..256, to in any::<u8>()) {
            let mut bytes = observation_to_bytes(&observation(Verdict::Pass)).to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            let _read = observation_from_bytes(&bytes);
        }
    }
}
