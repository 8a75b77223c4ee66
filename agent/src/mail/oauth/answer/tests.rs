use hyper::header::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;

const NOW_S: i64 = 1_700_000_000;

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        url: crate::http::url("https://login.good.test/token").unwrap(),
        redirects: 0,
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
        is_whole: true,
        tls: None,
    }
}

fn now() -> WallTime {
    WallTime::from_s(NOW_S)
}

#[test]
fn tokens() {
    let whole = r#"{"access_token":"aB1-._~+/==","token_type":"bearer","expires_in":3599,"ext":1}"#;
    let Ok(granted) = read(&answer(200, whole), now()) else { panic!("no token") };
    assert_eq!(granted.token.expose(), "aB1-._~+/==");
    assert_eq!(granted.lifetime, Some(Duration::from_secs(3599)));
    assert!(granted.refresh_token.is_none());
    for (expires_in, lifetime) in
        [(r#""60""#, Some(60)), ("0", Some(0)), ("-5", None), ("null", None), ("1.5", None)]
    {
        let body = whole.replace("3599", expires_in);
        let granted = read(&answer(200, &body), now()).ok().unwrap();
        assert_eq!(granted.lifetime, lifetime.map(Duration::from_secs), "{expires_in}");
    }
    let replaced = whole.replace("\"ext\":1", "\"refresh_token\":\"r2\"");
    let granted = read(&answer(200, &replaced), now()).ok().unwrap();
    assert_eq!(granted.refresh_token.unwrap().expose(), "r2");
}

#[test]
fn what_is_no_token_is_a_breach_of_the_protocol() {
    let long = "x".repeat(LONGEST_TOKEN + 1);
    for token in ["", "=", "a b", "a\\u0001b", "ä", "a\\r\\nb", &long] {
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#);
        let refused = read(&answer(200, &body), now()).err().unwrap();
        assert_eq!(refused.failure.fault.class, FaultClass::Protocol, "{token}");
    }
    for body in [
        "",
        "hello",
        "{}",
        "[]",
        r#"{"access_token":"a"}"#,
        r#"{"access_token":"a","token_type":"mac"}"#,
    ] {
        let refused = read(&answer(200, body), now()).err().unwrap();
        assert_eq!(refused.failure.fault.class, FaultClass::Protocol, "{body}");
    }
    let large = Answer { is_whole: false, ..answer(200, "{") };
    let refused = read(&large, now()).err().unwrap();
    assert!(refused.failure.fault.explanation.contains("too large"));
}

#[test]
fn refusals_in_words() {
    let error =
        |error: &str, more: &str| format!(r#"{{"error":"{error}","error_description":"{more}"}}"#);
    for (status, body, expected) in [
        (
            401,
            error("invalid_client", "AADSTS7000215: Invalid client secret provided."),
            "token: permanent 401: the client secret is wrong (AADSTS7000215)",
        ),
        (
            401,
            error("invalid_client", "AADSTS7000222: The provided client secret keys are expired."),
            "token: permanent 401: the client secret has expired: make a new one (AADSTS7000222)",
        ),
        (
            400,
            error("unauthorized_client", "AADSTS999999: Something new."),
            "token: permanent 400: it refused (AADSTS999999)",
        ),
        (
            400,
            error("invalid_grant", "Token has been expired or revoked."),
            "token: permanent 400: what it was asked with is wrong, has expired, was revoked, or is another client's",
        ),
        (
            400,
            error(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            ),
            "token: permanent 400: the assertion's time is wrong: see this machine's clock",
        ),
        (
            400,
            error("temporarily_unavailable", ""),
            "token: temporary 400: it does not work just now",
        ),
        (400, "<html>".to_owned(), "token: permanent 400: it refused, and did not say why"),
        (
            404,
            String::new(),
            "token: permanent 404: there is no token endpoint there: see token_url",
        ),
        (429, String::new(), "token: temporary 429: it was asked too often"),
        (503, "{}".to_owned(), "token: temporary 503: it does not work just now"),
        (302, String::new(), "token: protocol 302: it redirects, which no token server does"),
        (
            204,
            String::new(),
            "token: protocol 204: its answer is not one of OAuth 2 (RFC 6749 section 5)",
        ),
    ] {
        let refused = read(&answer(status, &body), now()).err().unwrap();
        assert_eq!(refused.failure.fault.to_string(), expected);
    }
    let body = error("invalid_client", "AADSTS7000215: Invalid.\\r\\nTrace ID: 1");
    let refused = read(&answer(401, &body), now()).err().unwrap();
    assert_eq!(refused.failure.fault.reply, "invalid_client: AADSTS7000215: Invalid.  Trace ID: 1");
}

#[test]
fn when_to_come_back() {
    for (value, expected) in [
        ("120", Some(120)),
        (" 0 ", Some(0)),
        ("Tue, 14 Nov 2023 22:14:20 GMT", Some(60)),
        ("Tue, 14 Nov 2023 22:12:20 GMT", Some(0)),
        ("soon", None),
        ("-1", None),
        ("", None),
    ] {
        let mut answer = answer(429, "");
        answer.headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        let refused = read(&answer, now()).err().unwrap();
        assert_eq!(refused.retry_after, expected.map(Duration::from_secs), "{value}");
    }
}

/// JSON that is nearly an answer, and bytes that are not.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("\"Bearer\"".to_owned()),
        Just("\"invalid_grant\"".to_owned()),
        Just("99999999999999999999999".to_owned()),
        "\"[ -~]{0,30}\"",
        "\"AADSTS[0-9]{0,9}:.{0,20}\"",
        "[0-9]{1,20}",
        Just("null".to_owned()),
        Just("{\"a\":[1]}".to_owned()),
    ];
    let key = prop::sample::select(vec![
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "error",
        "error_description",
        "x",
    ]);
    let object = prop::collection::vec((key, value), 0..6).prop_map(|fields| {
        let fields: Vec<_> =
            fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    });
    prop_oneof![3 => object, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_answer_panics_or_is_kept_beyond_its_bounds(
        status in prop_oneof![Just(200_u16), Just(400), 100..600_u16],
        body in bodies(),
        retry_after in "[ -~]{0,30}",
    ) {
        let mut answer = Answer { body, ..answer(status, "") };
        answer.headers.insert(RETRY_AFTER, HeaderValue::from_str(&retry_after).unwrap());
        match read(&answer, now()) {
            Ok(granted) => {
                prop_assert_eq!(status, 200);
                let token = granted.token.expose();
                prop_assert!(!token.is_empty() && token.len() <= LONGEST_TOKEN);
                prop_assert!(token.bytes().all(|b| b.is_ascii_graphic()));
            }
            Err(Refused { failure, .. }) => {
                prop_assert_eq!(failure.fault.phase.as_str(), "token");
                prop_assert!(failure.fault.reply.chars().count() <= MOST_WORDS);
                prop_assert!(!failure.fault.reply.contains(char::is_control));
            }
        }
    }
}
