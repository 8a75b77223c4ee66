//! Incidents for tests.

use jiff::Timestamp;

use super::{
    Changed, Entry, FaultBrief, Impact, Incident, Kind, Place, Scope, Severity, Similar, State,
};
use crate::judge::watch::Confirmed;

/// So many hours after 1970-01-01 UTC.
pub(crate) fn hour(hours: i64) -> Timestamp {
    Timestamp::from_second(hours * 3_600).unwrap()
}

/// An outage that was opened and mended in these hours.
pub(crate) fn incident(number: u64, opened: i64, resolved: Option<i64>) -> Incident {
    Incident {
        number,
        kind: Kind::Outage,
        state: if resolved.is_some() { State::Verified } else { State::Open },
        severity: Severity::Major,
        scope: Scope::Everywhere { sites: 3 },
        began_at: hour(opened),
        opened_at: hour(opened),
        confirmed_by: None,
        acknowledged_at: None,
        resolved_at: resolved.map(hour),
        verified_at: resolved.map(hour),
        reviewed_at: None,
        ended_at: resolved.map(hour),
        fault: FaultBrief::default(),
        root: None,
        checks: ["mail".to_owned()].into(),
        services: [].into(),
        places: Vec::new(),
        more_places: 0,
        works_from: [].into(),
        changes: Vec::new(),
        similar: Vec::new(),
        vendors: Vec::new(),
        reopened: 0,
        is_security: false,
        merged_into: None,
        timeline: Vec::new(),
        more_entries: 0,
        estimate: None,
        figures: None,
    }
}

/// A minute of 2026-11-23, from noon UTC on, when [`outage`] was.
pub(crate) fn minute(minute: i64, second: i64) -> Timestamp {
    let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    Timestamp::from_second(noon.as_second() + minute * 60 + second).unwrap()
}

fn told(at: Timestamp, what: &str, words: &str, by: Option<&str>) -> Entry {
    Entry { at, what: what.into(), words: words.into(), by: by.map(str::to_owned) }
}

fn impact() -> Impact {
    Impact {
        title: "Mail in KwaZulu".into(),
        sites: ["durban".to_owned(), "richards-bay".to_owned()].into(),
        was_down: true,
        users: Some(120),
        because_of: None,
    }
}

/// An outage as they are: two of three sites, taken on after three minutes; not over yet. Its server's words are hostile.
pub(crate) fn outage() -> Incident {
    let fault = FaultBrief {
        phase: "smtp.greeting".into(),
        class: "temporary".into(),
        code: "421 4.3.2".into(),
        reply: "<script>alert(1)</script> [x](javascript:alert(1)) `a` | b".into(),
        explanation: "the server is not available".into(),
    };
    let place = |site: &str, second| Place {
        vantage_point: format!("{site}-1"),
        site: site.into(),
        check: "mail".into(),
        since: minute(2, second),
        fault: fault.clone(),
        passed_at: None,
        verified_at: None,
    };
    let fails = |site: &str| format!("mail fails from {site}-1: {}", fault.in_words());
    Incident {
        state: State::Acknowledged,
        scope: Scope::Some { failing: 2, of: 3 },
        began_at: minute(2, 0),
        opened_at: minute(2, 9),
        confirmed_by: Some(Confirmed::Elsewhere),
        acknowledged_at: Some(minute(5, 0)),
        resolved_at: None,
        verified_at: None,
        ended_at: None,
        services: [("mail-kzn".to_owned(), impact())].into(),
        places: vec![place("durban", 0), place("richards-bay", 4)],
        works_from: ["cape".to_owned()].into(),
        changes: vec![Changed {
            at: minute(-9, 0),
            what: "smtp.greeting".into(),
            from: "Postfix".into(),
            to: "<b>Postfix</b>".into(),
            check: "mail".into(),
            seen_from: "durban-1".into(),
        }],
        similar: vec![Similar {
            number: 3,
            opened_at: minute(-20_000, 0),
            lasted_s: Some(1_500),
            note: "the disk was full".into(),
        }],
        timeline: vec![
            told(minute(2, 9), "opened", "another vantage point fails too", None),
            told(minute(2, 9), "fails", &fails("durban"), None),
            told(minute(2, 10), "fails", &fails("richards-bay"), None),
            told(minute(2, 11), "scope", "fails from 2 of 3 sites", None),
            told(minute(5, 0), "acknowledged", "on it | <b>now</b>", Some("user ann")),
        ],
        fault: fault.clone(),
        ..incident(7, 1, None)
    }
}

/// The same once it is over.
pub(crate) fn outage_over() -> Incident {
    let mut it = outage();
    for place in &mut it.places {
        (place.passed_at, place.verified_at) = (Some(minute(36, 0)), Some(minute(38, 0)));
    }
    (it.state, it.resolved_at) = (State::Verified, Some(minute(36, 2)));
    (it.verified_at, it.ended_at) = (Some(minute(38, 1)), Some(minute(36, 0)));
    it.timeline.extend([
        told(minute(30, 0), "noted", "the disk is full again\n# not a heading", Some("user ann")),
        told(minute(36, 1), "passes", "mail from durban-1", None),
        told(minute(36, 2), "passes", "mail from richards-bay-1", None),
        told(minute(36, 2), "resolved", "runs pass from everywhere again", None),
        told(
            minute(38, 1),
            "verified",
            "passing runs from every vantage point that had failed",
            None,
        ),
    ]);
    it
}
