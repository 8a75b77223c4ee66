use std::collections::{BTreeMap, HashMap};

use mailsonde_proto::AgentId;

use super::text::{Dialect, Text};
use super::*;
use crate::query::State as CheckState;
use crate::query::status::samples::NOW;
use crate::query::{CheckStatus, CollectorStatus, Spread, VantageStatus};

fn check(name: &str, state: CheckState) -> CheckStatus {
    CheckStatus {
        check: name.into(),
        kind: "round-trip".into(),
        cadence_us: 60_000_000,
        state,
        since: None,
        last_run_at: Some(NOW.timestamp()),
        last_round_trip_us: Some(24_310),
        round_trip: Spread::default(),
        usual_round_trip: Spread::default(),
        availability_24h: None,
        failures_in_a_row: 0,
        last_fault: None,
        last_void: None,
    }
}

fn agent_called(name: &str, id: AgentId) -> crate::query::AgentAnswer {
    let now = NOW.timestamp();
    serde_json::from_value(serde_json::json!({
        "name": name, "agent_id": id.to_string(), "labels": {}, "connected_since": now,
        "address": null, "last_heard_at": now, "software": "", "checks": [], "spooled": 0,
        "spooled_bytes": 0, "clock_offset_us": null, "clock_error_us": null,
        "running_us": null, "assigned": 0, "has_answered": true, "refused_checks": [],
        "malformed": 0, "conflicting": 0, "certificate_not_after": null,
        "signing_key": null, "receives": [], "clones": null,
    }))
    .unwrap()
}

fn health() -> HealthAnswer {
    serde_json::from_value(serde_json::json!({
        "now": NOW.timestamp(), "healthy": true, "parts": [], "heartbeats": [], "peers": [],
        "vendors": { "now": NOW.timestamp(), "vendors": [] },
    }))
    .unwrap()
}

/// So many checks at each of so many vantage points.
fn reading(agents: usize, checks: usize, length: usize) -> Reading {
    let now = NOW.timestamp();
    let mut answer = AgentsAnswer { now, agents: Vec::new(), revoked: Vec::new() };
    let (mut vantage_points, mut counted) = (Vec::new(), HashMap::new());
    for agent in 0..agents {
        let id = AgentId(u128::try_from(agent).unwrap().to_le_bytes());
        let name = format!("{agent:0>length$}");
        let states = [CheckState::Up, CheckState::Failing, CheckState::Unknown];
        let checks: Vec<_> = (0..checks)
            .map(|n| check(&format!("{n:0>length$}"), states[n % states.len()]))
            .collect();
        for check in &checks {
            let one = Counted { passed: 3, sum_us: 72_930, within: [0; 12], ..Counted::default() };
            counted.insert(SeriesId::of(id, &check.check), one);
        }
        answer.agents.push(agent_called(&name, id));
        vantage_points.push(VantageStatus {
            name,
            labels: BTreeMap::new(),
            connected: true,
            last_heard_at: None,
            lost_since: None,
            state: CheckState::Up,
            since: None,
            checks,
        });
    }
    let collector = CollectorStatus { software: String::new(), started_at: now, records_behind: 0 };
    Reading {
        status: StatusAnswer {
            now,
            state: CheckState::Up,
            working: agents,
            vantage_points,
            collector,
        },
        services: ServicesAnswer { now, are_defined: true, services: Vec::new() },
        objectives: ObjectivesAnswer {
            now,
            time_zone: "UTC".into(),
            objectives: Vec::new(),
            of_incidents: Vec::new(),
        },
        agents: answer,
        health: health(),
        disk_free_bytes: Some(1 << 30),
        waiting: BTreeMap::new(),
        counted: (NOW, counted, 0),
        viewers: 0,
    }
}

fn written(reading: Reading, dialect: Dialect) -> String {
    let mut text = Text::new(dialect, 1.5);
    reading.tell(&mut text);
    text.finish()
}

#[test]
fn unknown_is_never_up() {
    let text = written(reading(1, 3, 1), Dialect::Open);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.starts_with("mailsonde_check_up{") || line.starts_with("mailsonde_check_known{")
        })
        .collect();
    assert_eq!(
        lines,
        [
            r#"mailsonde_check_up{vantage_point="0",check="0"} 1"#,
            r#"mailsonde_check_up{vantage_point="0",check="1"} 0"#,
            r#"mailsonde_check_up{vantage_point="0",check="2"} 0"#,
            r#"mailsonde_check_known{vantage_point="0",check="0"} 1"#,
            r#"mailsonde_check_known{vantage_point="0",check="1"} 1"#,
            r#"mailsonde_check_known{vantage_point="0",check="2"} 0"#,
        ]
    );
}

#[test]
fn the_text_is_bounded_however_many_series_there_are() {
    for (agents, checks, length, is_each, left_out) in [
        // 1,000 series, with names as people give them: each has its histogram
        (100, 10, 14, true, false),
        (1_000, 10, 14, false, true),
        (2_000, 20, 64, false, true),
    ] {
        let text = written(reading(agents, checks, length), Dialect::Open);
        assert!(text.len() < 5 * 1_024 * 1_024, "{agents} {checks} {length}: {}", text.len());
        let is_one = text.contains("mailsonde_round_trip_seconds_count{vantage_point=\"\"");
        assert_eq!(!is_one, is_each, "{agents} {checks}");
        assert_eq!(!text.contains("mailsonde_series_left_out 0\n"), left_out, "{agents} {checks}");
    }
}
