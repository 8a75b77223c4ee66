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
    insta::assert_snapshot!(said, @r"
    0 MAILSONDE OK - mail works from 2 of 2 vantage points | working=2;;;0;2
    2 MAILSONDE CRITICAL - mail FAILS from coast since 14:02 (12 min): auth: the server refused the sign-in (permanent, 535 5.7.8); works from 1 of 2 | working=1;;;0;2
    3 MAILSONDE UNKNOWN - mail works from 1 of 2 vantage points; nothing judged from coast since 13:40 (34 min), although its agent is connected | working=1;;;0;2
    2 MAILSONDE CRITICAL - mail FAILS from coast since 14:02 (12 min): auth: the server refused the sign-in (permanent, 535 5.7.8); works from 0 of 2; nothing judged from hq since 13:40 (34 min), although its agent is connected | working=0;;;0;2
    3 MAILSONDE UNKNOWN - nobody knows whether mail works; late: hq since 14:11 (3 min), although its agent is connected; nothing judged from coast yet (local network: no route to any host) | working=0;;;0;2
    3 MAILSONDE UNKNOWN - no agent has been enrolled yet: `mailsonde-collector token create` | working=0;;;0;0
    ");
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
    insta::assert_snapshot!(said.iter().map(shown).collect::<String>(), @r"
    2 MAILSONDE CRITICAL - mail passes at 1 of 2 vantage points; coast: failing (auth: the server refused the sign-in (permanent, 535 5.7.8)) | passing=1;;;0;2 p95=1.240000s;;;0;
    0 MAILSONDE OK - mail passes at 1 of 1 vantage points | passing=1;;;0;1 p95=0.061000s;;;0;
    3 MAILSONDE UNKNOWN - no check is called mail at north: there is mail
    3 MAILSONDE UNKNOWN - no check is called mial: there is mail
    3 MAILSONDE UNKNOWN - mail passes at 0 of 1 vantage points; hq: unknown | passing=0;;;0;1 p95=0.061000s;;;0;
    ");
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
    insta::assert_snapshot!(said, @r"
    0 MAILSONDE OK - Mail / Durban is up; 1 of 2 sites are up: mail at b: failing 'x'=1 | sites_up=1;;;0;2 incidents=1;;;0;
    3 MAILSONDE UNKNOWN - no service is called mail: there is mail-durban
    2 MAILSONDE CRITICAL - Mail / Durban is down; 1 of 2 sites are up: mail at b: failing 'x'=1 | sites_up=1;;;0;2 incidents=1;;;0;
    3 MAILSONDE UNKNOWN - no service is called mail: there is mail-durban
    3 MAILSONDE UNKNOWN - Mail / Durban is unknown; 1 of 2 sites are up: mail at b: failing 'x'=1 | sites_up=1;;;0;2 incidents=1;;;0;
    3 MAILSONDE UNKNOWN - no service is called mail: there is mail-durban
    ");
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
    insta::assert_snapshot!(said.iter().map(shown).collect::<String>(), @r"
    0 MAILSONDE OK - hq is connected since 2026-11-23T14:14:00Z | spooled=7;;;0;
    2 MAILSONDE CRITICAL - nothing is heard of hq since 2026-11-23T14:14:00Z | spooled=7;;;0;
    2 MAILSONDE CRITICAL - hq was not here since the collector's start | spooled=7;;;0;
    3 MAILSONDE UNKNOWN - no agent is called qh: there is hq
    ");
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
    insta::assert_snapshot!(said.iter().map(shown).collect::<String>(), @r"
    0 MAILSONDE OK - the collector is healthy
    1 MAILSONDE WARNING - the collector is healthy, and something beside it is not: `health` says what
    2 MAILSONDE CRITICAL - the collector is not healthy: disk: 7 MiB are free
    ");
}

#[test]
fn a_line_is_bounded() {
    let said = Said { status: Status::Ok, words: "x|".repeat(900), figures: vec!["a=1".into()] };
    let line = line(&said);
    assert!(line.chars().count() < 410 && line.matches('|').count() == 1, "{line}");
}
