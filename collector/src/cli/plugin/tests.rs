use jiff::tz::TimeZone;
use mailsonde_proto::Verdict;

use super::*;
use crate::query::SiteAnswer;
use crate::query::status::samples::{failing, series, silent, status as answer, up, vantage, void};
use crate::watched::PartAnswer;

/// The exit code, and the line.
fn shown(said: &Said) -> String {
    format!("{} {}", said.status.code(), line(said))
}

#[test]
fn mail_is_as_bad_as_its_worst_vantage_point_and_unknown_is_never_ok() {
    let both = |one, other| answer(vec![vantage("coast", Some(one)), vantage("hq", Some(other))]);
    let said: String = [
        both(up(), up()),
        both(failing(), up()),
        both(silent(), up()),
        both(failing(), silent()),
        both(series([(0, void())]), series([(3, Verdict::Pass)])),
        answer(vec![]),
    ]
    .iter()
    .map(|answer| shown(&mail(answer, &TimeZone::UTC)))
    .collect();
    insta::assert_snapshot!(said, @r"");
}

#[test]
fn a_check_is_told_from_everywhere_or_from_one_vantage_point() {
    let status = answer(vec![vantage("coast", Some(failing())), vantage("hq", Some(up()))]);
    let said = [
        check(&status, "mail", None),
        check(&status, "mail", Some("hq")),
        check(&status, "mail", Some("north")),
        check(&status, "mial", None),
        check(&answer(vec![vantage("hq", Some(silent()))]), "mail", None),
    ];
    insta::assert_snapshot!(said.iter().map(shown).collect::<String>(), @r"");
}

#[test]
fn a_service_is_told_by_its_quorum() {
    let site = |site: &str, state, not_up: &[&str]| SiteAnswer {
        site: site.into(),
        state,
        not_up: not_up.iter().map(|what| (*what).to_owned()).collect(),
        checks: vec![],
    };
    let service_in = |state| ServiceAnswer {
        name: "mail-durban".into(),
        title: "Mail | Durban".into(),
        description: String::new(),
        owner: String::new(),
        state,
        down_when: "half".into(),
        sites: vec![
            site("a", Voiced::Up, &[]),
            site("b", Voiced::Down, &["mail at b: failing\n'x'=1"]),
        ],
        depends_on: vec![],
        users: None,
        incidents: vec![3],
    };
    let said: String = [Voiced::Up, Voiced::Down, Voiced::Unknown]
        .map(|state| ServicesAnswer {
            now: "2026-11-23T14:14:00Z".parse().unwrap(),
            are_defined: true,
            services: vec![service_in(state)],
        })
        .iter()
        .flat_map(|answer| [service(answer, "mail-durban"), service(answer, "mail")])
        .map(|said| shown(&said))
        .collect();
    insta::assert_snapshot!(said, @r"");
}

#[test]
fn an_agent_that_is_away_is_critical() {
    let now = "2026-11-23T14:14:00.5Z";
    let agent_with = |connected_since: Option<&str>, last_heard_at: Option<&str>| {
        serde_json::from_value::<AgentsAnswer>(serde_json::json!({
            "now": now, "revoked": [], "agents": [{
                "name": "hq", "agent_id": "0".repeat(32), "labels": {}, "address": null,
                "connected_since": connected_since, "last_heard_at": last_heard_at, "software": "",
                "checks": [], "spooled": 7, "spooled_bytes": 0, "clock_offset_us": null,
                "clock_error_us": null, "running_us": null, "assigned": 0, "has_answered": true,
                "refused_checks": [], "malformed": 0, "conflicting": 0,
                "certificate_not_after": null, "signing_key": null, "receives": [], "clones": null,
            }],
        }))
        .unwrap()
    };
    let said = [
        agent(&agent_with(Some(now), Some(now)), "hq"),
        agent(&agent_with(None, Some(now)), "hq"),
        agent(&agent_with(None, None), "hq"),
        agent(&agent_with(None, None), "qh"),
    ];
    insta::assert_snapshot!(said.iter().map(shown).collect::<String>(), @r"");
}

#[test]
fn what_is_beside_the_collector_is_a_warning_only() {
    let health_with = |healthy: bool, peer: &str| {
        let part = PartAnswer { part: "disk".into(), healthy, words: "7 MiB are free".into() };
        let now = "2026-11-23T14:14:00Z";
        serde_json::from_value::<HealthAnswer>(serde_json::json!({
            "now": now, "healthy": healthy, "parts": [part], "heartbeats": [],
            "peers": [{ "name": "cape", "state": peer, "healthy_at": null, "words": "" }],
            "vendors": { "now": now, "vendors": [] },
        }))
        .unwrap()
    };
    let said = [("healthy", true), ("silent", true), ("healthy", false)]
        .map(|(peer, healthy)| collector(&health_with(healthy, peer)));
    insta::assert_snapshot!(said.iter().map(shown).collect::<String>(), @r"");
}

#[test]
fn a_line_is_bounded() {
    let said = Said { status: Status::Ok, words: "x|".repeat(900), figures: vec!["a=1".into()] };
    let line = line(&said);
    assert!(line.chars().count() < 410 && line.matches('|').count() == 1, "{line}");
}
