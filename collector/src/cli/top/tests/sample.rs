//! A fleet of three, one of which fails, as a collector tells it.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::model::{Answered, Model};
use super::super::sheet::Series;
use crate::judge::diagnosis::diagnose;
use crate::judge::incident::sample::outage;
use crate::query::{
    IncidentAnswer, IncidentsAnswer, ObservationAnswer, ObservationsAnswer, ServicesAnswer,
    StatusAnswer,
};

const NOW: &str = "2026-11-23T14:14:20Z";

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The check that fails.
pub(super) fn series() -> Series {
    Series { vantage_point: "branch-coast".into(), check: "mail".into() }
}

/// Everything of it is known.
pub(super) fn known() -> Model {
    let now = NOW.parse().unwrap();
    let mut model = Model::new("https://collector.test:7444".into(), jiff::tz::TimeZone::UTC, now);
    model.take(Answered::Status(status()));
    model.take(Answered::Services(services()));
    model.take(Answered::Incidents(incidents()));
    model.take(Answered::Past(runs()));
    let incident = outage();
    let diagnosis = diagnose(&incident);
    let answer = IncidentAnswer { now, silenced_by: None, incident, diagnosis, actions: vec![] };
    model.take(Answered::Incident(Box::new(answer)));
    model
}

fn check(name: &str, kind: &str, state: &str, p50_us: u64) -> Value {
    let fault = json!({
        "at": "2026-11-23T14:14:00Z", "phase": "auth", "class": "permanent", "basic_code": 535,
        "enhanced_code": "5.7.8", "reply": "5.7.8 Error: authentication failed",
        "explanation": "the server refused the sign-in",
    });
    let is_failing = state == "failing";
    json!({
        "check": name, "kind": kind, "cadence_us": 60_000_000, "state": state,
        "since": "2026-11-23T14:02:00Z", "last_run_at": "2026-11-23T14:14:00Z",
        "last_round_trip_us": p50_us,
        "round_trip": { "p50_us": p50_us, "p95_us": p50_us * 2, "runs": 15 },
        "usual_round_trip": { "p50_us": 240_000, "p95_us": 500_000, "runs": 400 },
        "availability_24h": { "lower": 0.9993, "upper": 1.0, "coverage": 0.9993 },
        "failures_in_a_row": if is_failing { 12 } else { 0 },
        "last_fault": is_failing.then_some(fault), "last_void": null,
    })
}

fn vantage(name: &str, state: &str, checks: &[Value]) -> Value {
    json!({
        "name": name, "labels": {}, "connected": true, "last_heard_at": NOW, "lost_since": null,
        "state": state, "since": "2026-11-23T14:02:00Z", "checks": checks,
    })
}

/// branch-coast fails, branch-hills is slow, all is well at hq.
pub(super) fn status() -> StatusAnswer {
    let mx = check("mx", "dns", "up", 4_200);
    read(json!({
        "now": NOW, "state": "failing", "working": 2,
        "vantage_points": [
            vantage("branch-coast", "failing", &[check("mail", "round-trip", "failing", 251_000), mx]),
            vantage("branch-hills", "up", &[check("mail", "round-trip", "up", 1_240_000)]),
            vantage("hq", "up", &[check("mail", "round-trip", "up", 198_000)]),
        ],
        "collector": {
            "software": "mailsonde-collector 0.1.0", "started_at": "2026-11-01T00:00:00Z",
            "records_behind": 0,
        },
    }))
}

/// Durban is down because of the coast; the Cape is up.
pub(super) fn services() -> ServicesAnswer {
    let member = |vantage: &str, check: &str, state: &str| json!({ "vantage_point": vantage, "check": check, "state": state });
    let coast = [member("branch-coast", "mail", "failing"), member("branch-coast", "mx", "up")];
    read(json!({
        "now": NOW, "are_defined": true,
        "services": [
            {
                "name": "mail-durban", "title": "Mail in Durban 郵便", "description": "", "owner": "ann",
                "state": "down", "down_when": "any",
                "sites": [
                    {
                        "site": "coast", "state": "down",
                        "not_up": ["mail at branch-coast: failing"], "checks": coast,
                    },
                    {
                        "site": "hills", "state": "up", "not_up": [],
                        "checks": [member("branch-hills", "mail", "up")],
                    },
                ],
                "depends_on": [], "users": 120, "incidents": [7],
            },
            {
                "name": "mail-cape", "title": "Mail in Cape Town", "description": "", "owner": "ben",
                "state": "up", "down_when": "half",
                "sites": [
                    {
                        "site": "hq", "state": "up", "not_up": [],
                        "checks": [member("hq", "mail", "up")],
                    },
                ],
                "depends_on": [], "users": null, "incidents": [],
            },
        ],
    }))
}

/// One that is open and one that is over.
pub(super) fn incidents() -> IncidentsAnswer {
    let line = |number: u64, state: &str, resolved_at: Option<&str>| {
        json!({
            "number": number, "kind": "outage", "state": state, "severity": "major",
            "began_at": "2026-11-23T14:02:00Z", "opened_at": "2026-11-23T14:02:03Z",
            "resolved_at": resolved_at, "headline": "mail: auth: permanent: 535 5.7.8 authentication failed",
            "scope": "fails from 1 of 3 sites", "services": ["mail-durban"], "sites": 1,
            "users": 120, "merged_into": null, "silenced_by": null,
        })
    };
    let no_times = json!({ "count": 0, "median_s": null, "longest_s": null });
    read(json!({
        "now": NOW, "more": 0,
        "incidents": [line(7, "open", None), line(6, "verified", Some("2026-11-23T14:10:00Z"))],
        "kpi": {
            "opened": 2, "unresolved": 1, "security": 0, "to_detect": no_times,
            "to_acknowledge": no_times, "to_resolve": no_times, "resolved_in_24h": 1,
            "resolved_in_48h": 1, "undecided_24h": 0, "undecided_48h": 0,
        },
    }))
}

/// A run of the check that fails.
pub(super) fn run(slot: &str, verdict: &str) -> ObservationAnswer {
    let phase = |name: &str, start_us: i64, duration_us: i64| {
        json!({
            "name": name, "start_us": start_us, "duration_us": duration_us, "uncertainty_us": 0,
        })
    };
    let fault = json!({
        "at": slot, "phase": "auth", "class": "permanent", "basic_code": 535,
        "enhanced_code": "5.7.8", "reply": "5.7.8 Error: authentication failed",
        "explanation": "the server refused the sign-in",
    });
    let is_fail = verdict == "fail";
    read(json!({
        "agent": "branch-coast", "epoch": "0badc0de0badc0de",
        "sequence": slot.bytes().fold(7_u64, |sum, byte| sum * 31 % 99_991 + u64::from(byte)),
        "intent": 4, "check": "mail", "kind": "round-trip", "scheduled_for": slot,
        "started_at": slot, "received_at": slot, "cause": "scheduled", "amends": null,
        "verdict": verdict, "fault": is_fail.then_some(fault), "void": null, "total_us": 251_000,
        "phases": [
            phase("resolve", 0, 1_200), phase("connect", 1_200, 20_300),
            phase("tls", 21_500, 61_000), phase("auth", 82_500, 168_500),
        ],
        "facts": [{ "name": "smtp.greeting", "value": "220 mail.coast.test ESMTP" }],
        "findings": [],
        "transcript": if is_fail { "S: 220 mail.coast.test ESMTP\nC: AUTH PLAIN (hidden)\nS: 535 5.7.8 Error" } else { "" },
    }))
}

/// The newest first.
pub(super) fn runs() -> ObservationsAnswer {
    let slots = [
        ("2026-11-23T14:14:00Z", "fail"),
        ("2026-11-23T14:13:00Z", "fail"),
        ("2026-11-23T14:12:00Z", "void"),
        ("2026-11-23T14:01:00Z", "pass"),
        ("2026-11-23T14:00:00Z", "pass"),
    ];
    let observations = slots.map(|(slot, verdict)| run(slot, verdict)).to_vec();
    ObservationsAnswer { observations, looked_back_to: None }
}
