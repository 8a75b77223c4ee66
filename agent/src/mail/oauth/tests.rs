use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use mailsonde_proto::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::http::stand_in::{Asked, Said, Web, answer};
use crate::mail::sandbox::patience;

const KEY_FILE: &str = include_str!("tests/service_account.json");
const PUBLIC: &[u8] = include_bytes!("tests/public.pem");

fn client(by_header: bool) -> Client {
    let secret = Some(Secret::new("hunter 2&".into()));
    Client { id: "the=client".into(), secret, by_header }
}

fn source(web: &Web, grant: Grant) -> TokenSource {
    let url = crate::http::url(&web.url("/token")).unwrap();
    let settings = TokenSettings { url, grant, scope: "mail.all".into(), mechanism: None };
    TokenSource::new(settings, TlsTrust::native())
}

fn by_client(web: &Web) -> TokenSource {
    source(web, Grant::ClientCredentials(client(false)))
}

/// An answer with a token for so many seconds.
fn granted(token: &str, seconds: u64) -> Said {
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds});
    answer("200 OK", "application/json", &body.to_string())
}

async fn ready(source: &TokenSource) -> Result<bool, String> {
    let asked = source.ready(&Net::new(), patience(400)).await;
    asked.map_err(|failure| failure.fault.to_string())
}

fn current(source: &TokenSource) -> Option<String> {
    source.current().map(|token| token.expose().to_owned())
}

/// A server that gives `t1`, `t2`, … for so many seconds each.
async fn counting(seconds: u64) -> Web {
    let given = AtomicUsize::new(0);
    Web::start(move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
        granted(&format!("t{number}"), seconds)
    })
    .await
}

#[tokio::test]
async fn a_client_asks_by_form_or_by_header() {
    let web = counting(3600).await;
    let by_form = by_client(&web);
    assert_eq!(ready(&by_form).await, Ok(true));
    assert_eq!(current(&by_form).as_deref(), Some("t1"));
    let by_header = source(&web, Grant::ClientCredentials(client(true)));
    assert_eq!(ready(&by_header).await, Ok(true));
    let asked = web.asked();
    for (name, value) in [
        ("grant_type", "client_credentials"),
        ("client_id", "the=client"),
        ("client_secret", "hunter 2&"),
        ("scope", "mail.all"),
    ] {
        assert_eq!(asked[0].field(name).as_deref(), Some(value));
    }
    assert_eq!(asked[1].field("client_secret"), None);
    // the%3Dclient:hunter+2%26
    let basic = "authorization: Basic dGhlJTNEY2xpZW50Omh1bnRlcisyJTI2\r\n";
    assert!(asked[1].head.contains(basic), "{}", asked[1].head);
}

#[tokio::test]
async fn a_service_account_signs_for_a_user() {
    let web = counting(3600).await;
    let key = ServiceKey::parse(KEY_FILE).unwrap();
    assert_eq!(key.token_url(), Some("https://oauth2.googleapis.com/token"));
    let source = source(&web, Grant::ServiceAccount { key, subject: "probe@good.test".into() });
    assert_eq!(ready(&source).await, Ok(true));
    let asked = &web.asked()[0];
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    assert_eq!(asked.field("grant_type").as_deref(), Some(grant));
    assert_eq!(asked.field("scope"), None);
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[web.url("/token")]);
    let key = DecodingKey::from_rsa_pem(PUBLIC).unwrap();
    let jwt = decode::<Value>(&asked.field("assertion").unwrap(), &key, &rules).unwrap();
    assert_eq!(jwt.header.kid.as_deref(), Some("made-for-tests"));
    let claim = |name: &str| jwt.claims[name].as_str().unwrap().to_owned();
    assert_eq!(claim("iss"), "probe@mailsonde-tests.iam.gserviceaccount.com");
    assert_eq!((claim("sub").as_str(), claim("scope").as_str()), ("probe@good.test", "mail.all"));
    let lifetime = jwt.claims["exp"].as_i64().unwrap() - jwt.claims["iat"].as_i64().unwrap();
    assert!((1..=3600).contains(&lifetime), "{lifetime}");
}

#[test]
fn key_files() {
    let with = |key: &str, value: &str| {
        let mut file: Value = serde_json::from_str(KEY_FILE).unwrap();
        file[key] = value.into();
        ServiceKey::parse(&file.to_string()).err()
    };
    assert_eq!(with("project_id", "another"), None);
    assert_eq!(with("type", "authorized_user"), Some(NotAKey::Kind));
    assert_eq!(with("private_key", "no key"), Some(NotAKey::Key));
    assert_eq!(ServiceKey::parse("{}").err(), Some(NotAKey::Form));
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_is_used_from_then_on() {
    let web = Web::start(|asked: &Asked| {
        let next = format!("{}+", asked.field("refresh_token").unwrap());
        let body = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 0, "refresh_token": next});
        answer("200 OK", "application/json", &body.to_string())
    })
    .await;
    let grant = Grant::RefreshToken { client: client(false), token: Secret::new("r".into()) };
    let source = source(&web, grant);
    for _ in 0..3 {
        assert_eq!(ready(&source).await, Ok(true));
    }
    let used: Vec<_> =
        web.asked().iter().map(|asked| asked.field("refresh_token").unwrap()).collect();
    assert_eq!(used, ["r", "r+", "r++"]);
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_it_expires() {
    let web = counting(2).await;
    let source = by_client(&web);
    assert_eq!(ready(&source).await, Ok(true));
    for _ in 0..5 {
        assert_eq!(ready(&source).await, Ok(false));
    }
    assert_eq!(web.asked().len(), 1);
    // Good for 2 s, renewed after 1.6 s.
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    assert_eq!(ready(&source).await, Ok(true));
    assert_eq!(current(&source).as_deref(), Some("t2"));
}

#[tokio::test]
async fn a_token_is_used_to_its_end_when_it_cannot_be_renewed() {
    let given = AtomicUsize::new(0);
    let web = Web::start(move |_| match given.fetch_add(1, Ordering::SeqCst) {
        0 => granted("t1", 2),
        _ => answer("503 Busy", "text/plain", ""),
    })
    .await;
    let source = by_client(&web);
    assert_eq!(ready(&source).await, Ok(true));
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    assert_eq!(ready(&source).await, Ok(true));
    assert_eq!(current(&source).as_deref(), Some("t1"));
    tokio::time::sleep(Duration::from_millis(400)).await;
    let failed = ready(&source).await.unwrap_err();
    assert!(failed.contains("token: temporary 503"), "{failed}");
    assert_eq!(current(&source), None);
}

#[tokio::test]
async fn whoever_wants_one_at_the_same_time_gets_the_same() {
    for (status, is_ok) in [("200 OK", true), ("500 Broken", false)] {
        let body = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 60});
        let Said::Bytes(bytes) = answer(status, "application/json", &body.to_string()) else {
            panic!("not bytes");
        };
        let late = Said::Late(Duration::from_millis(100), bytes);
        let web = Web::start(move |_| late.clone()).await;
        let source = Arc::new(by_client(&web));
        let mut runs = JoinSet::new();
        for _ in 0..20 {
            let source = Arc::clone(&source);
            runs.spawn(async move { ready(&source).await });
        }
        while let Some(run) = runs.join_next().await {
            assert_eq!(run.unwrap().is_ok(), is_ok);
        }
        assert_eq!(web.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_left_alone() {
    let busy = "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    let given = AtomicUsize::new(0);
    let web = Web::start(move |_| match given.fetch_add(1, Ordering::SeqCst) {
        0 => Said::Bytes(busy.as_bytes().to_vec()),
        _ => granted("t", 60),
    })
    .await;
    let source = by_client(&web);
    let first = ready(&source).await.unwrap_err();
    assert_eq!(first, "token: temporary 429: 127.0.0.1 gave no token: it was asked too often");
    let again = ready(&source).await.unwrap_err();
    assert!(again.contains("it said when to come back, and is not asked again"), "{again}");
    assert_eq!(web.asked().len(), 1);
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(ready(&source).await, Ok(true));
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_a_fault_of_the_token() {
    for (said, words) in [
        (
            answer("200 OK", "text/html", "<html>welcome</html>"),
            "token: protocol 200: 127.0.0.1 gave no token: its answer is no token of OAuth 2",
        ),
        (
            answer("200 OK", "application/json", &format!("\"{}\"", "x".repeat(100_000))),
            "token: protocol 200: 127.0.0.1 gave no token: its answer is too large to be a token",
        ),
        (
            Said::Bytes(b"nonsense\r\n\r\n".to_vec()),
            "token: protocol: no token could be had from 127.0.0.1: first_byte: protocol",
        ),
        (
            Said::Stalled(b"HTTP/1.1 200 OK\r\n".to_vec()),
            "token: timeout: no token could be had from 127.0.0.1: first_byte: timeout",
        ),
        (Said::Dripping(Duration::from_millis(100), vec![b'H'; 100]), "token: timeout"),
        (
            Said::Bytes(b"HTTP/1.1 302 Go\r\nLocation: /\r\n\r\n".to_vec()),
            "token: protocol 302: 127.0.0.1 gave no token: it redirects",
        ),
        (Said::Bytes(Vec::new()), "token: refused: no token could be had from 127.0.0.1"),
    ] {
        let web = Web::start(move |_| said.clone()).await;
        let failed = ready(&by_client(&web)).await.unwrap_err();
        assert!(failed.starts_with(words), "{failed}");
    }
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_by_the_next_run() {
    let web = counting(3600).await;
    let source = by_client(&web);
    ready(&source).await.unwrap();
    let token = source.current().unwrap();
    let now = Clock::system().monotonic();
    assert!(source.drop_token(&token, now).is_some());
    assert!(source.drop_token(&token, now).is_none());
    assert_eq!(ready(&source).await, Ok(true));
    assert_eq!(current(&source).as_deref(), Some("t2"));
    assert!(source.drop_token(&token, now).is_none(), "an older one leaves the newer one alone");
    assert_eq!(current(&source).as_deref(), Some("t2"));
}

#[tokio::test]
async fn a_server_that_repeats_secrets_does_not_make_them_known() {
    let web = Web::start(|asked| {
        let body = json!({"error": "invalid_client", "error_description":
            format!("no such secret: {}", asked.field("client_secret").unwrap())});
        answer("401 No", "application/json", &body.to_string())
    })
    .await;
    let source = by_client(&web);
    let failure = source.ready(&Net::new(), patience(400)).await.unwrap_err();
    assert_eq!(failure.fault.reply, "invalid_client: no such secret: (secret)");
    let shown = format!("{failure:?} {source:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[tokio::test]
async fn debug_shows_no_token() {
    let web = counting(3600).await;
    let source = by_client(&web);
    ready(&source).await.unwrap();
    assert!(!format!("{source:?}").contains("t1"));
    let key = ServiceKey::parse(KEY_FILE).unwrap();
    let grant = Grant::ServiceAccount { key, subject: "a@b".into() };
    assert!(!format!("{:?}", self::source(&web, grant)).contains("PRIVATE"));
}
