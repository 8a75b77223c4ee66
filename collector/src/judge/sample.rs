//! Observations for tests.

use std::time::Duration;

use mailsonde_proto::time::{as_signed_us, as_us};
use mailsonde_proto::{Cause, Observation, Phase, SettingsDigest, Verdict, WallTime};

/// The phases of a round trip.
pub(crate) const PHASES: [&str; 9] =
    ["resolve", "connect", "tls", "greeting", "auth", "envelope", "data", "transit", "arrival"];

/// A scheduled run with the nine phases of a round trip, each a tenth of the total.
pub(crate) fn observation(
    check: &str,
    slot: WallTime,
    verdict: Verdict,
    total: Duration,
) -> Observation {
    let phases = (0_u32..).zip(PHASES).map(|(index, name)| Phase {
        name: name.into(),
        start_us: as_signed_us(total / 10 * index),
        duration_us: as_signed_us(total / 10),
        uncertainty_us: 0,
    });
    Observation {
        intent: 1,
        check: check.into(),
        kind: "round-trip".into(),
        scheduled_for: slot,
        started_at: slot,
        clock_error_us: None,
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest::default(),
        amends: None,
        verdict,
        total_us: as_us(total),
        phases: phases.collect(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}
