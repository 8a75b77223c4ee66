//! Vantage points to show, for tests of this and of the screens.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{
    Cause, Check, Fault, FaultClass, Observation, SettingsDigest, Verdict, VoidReason, WallTime,
};

use super::{CollectorStatus, SeriesReading, StatusAnswer, VantageReading, answer};
use crate::judge::availability::Availability;
use crate::query::Spread;
use crate::registry::Presence;

/// 2026-11-23 14:14:20 UTC.
pub(crate) const NOW: WallTime = WallTime::from_s(1_795_443_260);

/// A run of `mail`, so many minutes ago.
pub(crate) fn run(minutes_ago: u64, verdict: Verdict) -> Observation {
    let slot = NOW.minus(Duration::from_secs(minutes_ago * 60));
    Observation {
        intent: 7,
        check: "mail".into(),
        kind: "round-trip".into(),
        scheduled_for: slot,
        started_at: slot,
        clock_error_us: None,
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest::default(),
        amends: None,
        verdict,
        total_us: 24_310,
        phases: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}

/// What a wrong password looks like.
pub(crate) fn refused() -> Verdict {
    let mut fault = Fault::new("auth", FaultClass::Permanent, "the server refused the sign-in");
    fault.basic_code = Some(535);
    fault.enhanced_code = "5.7.8".parse().ok();
    fault.reply = "5.7.8 Error: authentication failed: \u{1b}[31mbad password".into();
    Verdict::Fail(fault)
}

pub(crate) fn void() -> Verdict {
    Verdict::void(VoidReason::LocalNetwork, "no route to any host")
}

pub(crate) fn check() -> Check {
    Check {
        name: "mail".into(),
        kind: "round-trip".into(),
        cadence: Duration::from_secs(60),
        timeout: Duration::from_secs(30),
        slot_offset: Duration::ZERO,
        settings_digest: SettingsDigest::default(),
    }
}

pub(crate) fn series(runs: impl IntoIterator<Item = (u64, Verdict)>) -> SeriesReading {
    let mut reading = SeriesReading {
        now: Spread { p50_us: Some(24_100), p95_us: Some(61_000), runs: 60 },
        usual: Spread { p50_us: Some(22_000), p95_us: Some(58_400), runs: 10_000 },
        day: Some(Availability { lower: 0.9993, upper: 1.0, coverage: 0.9993 }),
        ..SeriesReading::default()
    };
    for (minutes_ago, verdict) in runs {
        Arc::make_mut(&mut reading.state).observe(&run(minutes_ago, verdict));
    }
    reading
}

pub(crate) fn vantage(name: &str, reading: Option<SeriesReading>) -> VantageReading {
    let connected_since = reading.is_some().then(|| NOW.minus(Duration::from_secs(9_000)));
    VantageReading {
        name: name.into(),
        labels: [("site".into(), "Durban".into())].into(),
        presence: Presence { connected_since, last_heard: connected_since, ..Presence::default() },
        checks: reading.map(|reading| (check(), reading)).into_iter().collect(),
    }
}

pub(crate) fn up() -> SeriesReading {
    series((0..60).map(|ago| (ago, Verdict::Pass)))
}

/// Failing for 12 minutes.
pub(crate) fn failing() -> SeriesReading {
    let mut reading =
        series((0..60).map(|ago| (ago, if ago <= 12 { refused() } else { Verdict::Pass })));
    reading.day = Some(Availability { lower: 0.9901, upper: 0.9915, coverage: 0.9986 });
    reading.now = Spread { p50_us: Some(31_000), p95_us: Some(1_240_000), runs: 47 };
    reading
}

/// Nothing judged for 34 minutes.
pub(crate) fn silent() -> SeriesReading {
    let mut reading = series((34..60).map(|ago| (ago, Verdict::Pass)));
    reading.day = Some(Availability { lower: 0.9750, upper: 0.9993, coverage: 0.9757 });
    reading
}

pub(crate) fn status(vantage_points: Vec<VantageReading>) -> StatusAnswer {
    let collector = CollectorStatus {
        software: "mailsonde-collector 0.1.0".into(),
        started_at: NOW.minus(Duration::from_secs(90_000)).timestamp(),
        records_behind: 0,
    };
    answer(vantage_points, collector, NOW)
}
