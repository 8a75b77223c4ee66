use std::cell::RefCell;

use reqwest::StatusCode;

use super::super::health::PartAnswer;
use super::*;

fn examined(trouble: Option<&str>) -> Examined {
    let part = |part: &str, trouble: Option<&str>| PartAnswer {
        part: part.into(),
        healthy: trouble.is_none(),
        words: trouble.unwrap_or("fine").into(),
    };
    Examined { parts: vec![part("pipeline", None), part("journal", trouble)] }
}

#[test]
fn what_is_sent_depends_on_who_hears_it() {
    use HeartbeatKind::{Generic, Healthchecks, UptimeRobot};
    let url = "https://hc.example/ping/0f1e?create=1";
    for (kind, trouble, expected) in [
        (Healthchecks, None, Some(("POST", url, "healthy"))),
        (
            Healthchecks,
            Some("cannot be written"),
            Some((
                "POST",
                "https://hc.example/ping/0f1e/fail?create=1",
                "journal: cannot be written\n",
            )),
        ),
        (UptimeRobot, None, Some(("GET", url, ""))),
        (UptimeRobot, Some("x"), None),
        (Generic, None, Some(("GET", url, ""))),
        (Generic, Some("x"), None),
    ] {
        let sign = sign(kind, &Url::parse(url).unwrap(), &examined(trouble));
        let shown =
            sign.map(|Sign { method, url, body }| (method.to_string(), url.to_string(), body));
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(shown, expected, "{kind:?} {trouble:?}");
    }
}

#[test]
fn whoever_waits_for_a_period_hears_within_it() {
    let period = Duration::from_secs(60);
    assert_eq!(jittered(period, [0]), period);
    assert_eq!(jittered(period, [255]), Duration::from_secs(54));
}

fn answer(status: u16, body: &str, retry_after_s: Option<u64>) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after: retry_after_s.map(Duration::from_secs),
        body: body.into(),
    }
}

/// What became of it, and after how many seconds each attempt was made.
async fn delivered(
    kind: HeartbeatKind,
    period_s: u64,
    answers: Vec<Result<Answer, OutwardError>>,
) -> (Result<String, String>, Vec<u64>) {
    let clock = Clock::system();
    let (begun, attempts) = (clock.monotonic(), RefCell::new(Vec::new()));
    let answers = RefCell::new(answers.into_iter());
    let attempt = || {
        attempts.borrow_mut().push((clock.monotonic() - begun).as_secs());
        let answer = answers.borrow_mut().next().unwrap_or(Err(OutwardError::Timeout));
        async move { answer }
    };
    let taken = deliver(attempt, kind, Duration::from_secs(period_s)).await;
    (taken, attempts.into_inner())
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_again_within_its_period_while_that_may_help() {
    use HeartbeatKind::{Generic, Healthchecks};
    let ok = || Ok(answer(200, "OK", None));
    let err = |words: &str| Err(words.to_owned());
    for (kind, period, answers, expected, attempts) in [
        (Generic, 60, vec![ok()], Ok("200 OK".to_owned()), vec![0]),
        (Generic, 60, vec![Ok(answer(204, "", None))], Ok("204".to_owned()), vec![0]),
        (
            Generic,
            60,
            vec![Err(OutwardError::Timeout), Ok(answer(503, "", None)), ok()],
            Ok("200 OK".to_owned()),
            vec![0, 2, 7],
        ),
        // it says itself when
        (
            Generic,
            60,
            vec![Ok(answer(429, "", Some(20))), ok()],
            Ok("200 OK".to_owned()),
            vec![0, 20],
        ),
        (Generic, 60, vec![Ok(answer(429, "", Some(600)))], err("answered 429"), vec![0]),
        // it will not be otherwise
        (Generic, 60, vec![Ok(answer(404, "no", None))], err("answered 404 no"), vec![0]),
        (Generic, 60, vec![Ok(answer(301, "", None))], err("answered 301"), vec![0]),
        (Generic, 60, vec![], err("no answer within 15 s"), vec![0, 2, 7, 22]),
        // the next period begins
        (Generic, 5, vec![], err("no answer within 15 s"), vec![0, 2]),
        // told beside a 200
        (
            Healthchecks,
            60,
            vec![Ok(answer(200, "OK (not found)", None))],
            err("answered 200 OK (not found)"),
            vec![0],
        ),
        (
            Healthchecks,
            60,
            vec![Ok(answer(200, "OK (rate limited)", None))],
            err("answered 200 OK (rate limited)"),
            vec![0],
        ),
    ] {
        let shown = format!("{kind:?} {answers:?}");
        assert_eq!(delivered(kind, period, answers).await, (expected, attempts), "{shown}");
    }
}

#[test]
fn what_does_not_get_through_is_shown_until_it_does() {
    let config = HeartbeatConfig {
        name: "hc".into(),
        kind: HeartbeatKind::Healthchecks,
        url: crate::config::SecretPlace::Variable("X".into()),
        every: Duration::from_secs(60),
        authority: None,
    };
    let outward = Outward::new(rustls::RootCertStore::empty()).unwrap();
    let url = Url::parse("https://hc.example/secret").unwrap();
    let heartbeat = Heartbeat::new(config, url, outward, Clock::system());
    heartbeat.note(Err("cannot connect".into()), true);
    heartbeat.note(Err("no answer".into()), true);
    let shown = heartbeat.answer();
    assert_eq!((shown.last_sent_at, shown.words.as_str()), (None, "no answer"));
    assert!(shown.failing_since.is_some());
    heartbeat.note(Ok("200 OK".into()), false);
    let shown = heartbeat.answer();
    assert_eq!((shown.failing_since, shown.last_said.as_deref()), (None, Some("unhealthy")));
    assert!(!serde_json::to_string(&shown).unwrap().contains("secret"));
}
