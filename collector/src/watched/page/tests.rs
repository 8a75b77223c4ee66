use super::*;
use crate::query::status::samples;
use crate::query::{CheckStatus, ServiceAnswer, Spread, State};

fn status(medians: &[(&str, Option<i64>, u64)]) -> StatusAnswer {
    let mut status = samples::status(vec![samples::vantage("hq", Some(samples::up()))]);
    let check = status.vantage_points[0].checks[0].clone();
    let checks = medians.iter().map(|(kind, p50_us, runs)| CheckStatus {
        kind: (*kind).to_owned(),
        state: State::Up,
        round_trip: Spread { p50_us: *p50_us, p95_us: None, runs: *runs },
        ..check.clone()
    });
    status.vantage_points.truncate(1);
    status.vantage_points[0].checks = checks.collect();
    status
}

#[test]
fn pingdom_reads_one_word_and_one_figure() {
    for (shown, expected) in [
        (
            Shown { status: "OK", median_us: Some(96_777) },
            "<pingdom_http_custom_check><status>OK</status><response_time>96.777</response_time></pingdom_http_custom_check>\n",
        ),
        (
            Shown { status: "DOWN", median_us: None },
            "<pingdom_http_custom_check><status>DOWN</status><response_time>0.001</response_time></pingdom_http_custom_check>\n",
        ),
        (
            Shown { status: "OK", median_us: Some(i64::MAX) },
            "<pingdom_http_custom_check><status>OK</status><response_time>99999999.999</response_time></pingdom_http_custom_check>\n",
        ),
    ] {
        assert_eq!(shown.to_xml(), expected);
        assert_eq!(Shown::status_in(&shown.to_xml()), Some(shown.status));
    }
    for other in ["", "<status>OK</status>", "<html><status>OK</status></html>"] {
        assert_eq!(Shown::status_in(other), None, "{other}");
    }
}

#[test]
fn the_figure_is_the_median_of_round_trips_each_as_often_as_it_ran() {
    let mail = "round-trip";
    for (medians, expected) in [
        (&[][..], None),
        (&[(mail, None, 0)], None),
        (&[("dns", Some(5), 100)], None),
        (&[(mail, Some(300), 1)], Some(300)),
        (&[(mail, Some(300), 10), (mail, Some(100), 1), ("dns", Some(1), 90)], Some(300)),
        (&[(mail, Some(300), 1), (mail, Some(100), 2), (mail, None, 0)], Some(100)),
    ] {
        assert_eq!(median(&status(medians)), expected, "{medians:?}");
    }
}

#[test]
fn what_is_unknown_is_not_up() {
    let service = |state| ServiceAnswer {
        name: "mail".into(),
        title: "Mail".into(),
        description: String::new(),
        owner: String::new(),
        state,
        down_when: "half".into(),
        sites: vec![],
        depends_on: vec![],
        users: None,
        incidents: vec![],
    };
    let status = status(&[]);
    for (is_healthy, state, expected) in [
        (true, Voiced::Up, "OK"),
        (true, Voiced::Down, "DOWN"),
        (true, Voiced::Unknown, "UNKNOWN"),
        (false, Voiced::Up, "UNKNOWN"),
    ] {
        let now = status.now;
        let services = ServicesAnswer { now, are_defined: true, services: vec![service(state)] };
        let shown = Shown::of_service(is_healthy, &status, &services, "mail").unwrap();
        assert_eq!(shown.status, expected);
        assert_eq!(Shown::of_service(is_healthy, &status, &services, "other"), None);
    }
    assert_eq!(Shown::of_collector(true, &status).status, "OK");
    assert_eq!(Shown::of_collector(false, &status).status, "DOWN");
}

#[test]
fn only_the_whole_path_opens_it() {
    let page = Page::new("0123456789abcdef01234567", vec!["mail".into()]);
    assert!(page.is_at("0123456789abcdef01234567"));
    for guess in
        ["", "0123456789abcdef0123456", "0123456789abcdef012345678", "0123456789ABCDEF01234567"]
    {
        assert!(!page.is_at(guess), "{guess}");
    }
    assert!(page.has("mail") && !page.has("mai"));
}
