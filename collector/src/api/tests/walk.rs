//! Every line of the table is asked by everybody there is, over HTTPS: a new line is walked without a word here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use mailsonde_proto::AgentId;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::Running;
use crate::access::{ApiTokenWish, Password, SESSION_IDLE, SESSION_LIFE, UserChange, UserWish};
use crate::api::{Endpoint, endpoints, path};
use crate::control::{Author, Role};
use crate::identity::{Authority, PrivateKey, PublicKey};
use crate::query::status::samples::NOW;

/// Everybody who might ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Nobody,
    /// Something that has the form of a token.
    Guesser,
    Session(Role),
    ApiToken(Role),
    /// A session of an administrator that is idle for too long.
    Idle,
    /// The same, used until its life was over.
    Over,
    /// A session of an administrator who has another password since.
    OldPassword,
    /// An administrator's API token, revoked.
    Revoked,
    /// An agent, by its certificate.
    Agent,
    /// The same, with its enrolment token's secret as if it were one of ours.
    AgentWithToken,
}

const ASKERS: [Asker; 14] = [
    Asker::Nobody,
    Asker::Guesser,
    Asker::Session(Role::Viewer),
    Asker::Session(Role::Operator),
    Asker::Session(Role::Admin),
    Asker::ApiToken(Role::Viewer),
    Asker::ApiToken(Role::Operator),
    Asker::ApiToken(Role::Admin),
    Asker::Idle,
    Asker::Over,
    Asker::OldPassword,
    Asker::Revoked,
    Asker::Agent,
    Asker::AgentWithToken,
];

impl Asker {
    fn role(self) -> Option<Role> {
        match self {
            Self::Session(role) | Self::ApiToken(role) => Some(role),
            _ => None,
        }
    }

    /// What is shown; made anew for each question, because some questions end it.
    fn token(self, running: &Running) -> Option<String> {
        let access = &running.access;
        let a_minute = Duration::from_secs(60);
        match self {
            Self::Nobody | Self::Agent => None,
            Self::Guesser => Some(format!("mss1_{}", "0".repeat(64))),
            Self::AgentWithToken => Some(format!("mst1_{}", "0".repeat(64))),
            Self::Session(role) => Some(access.begun_at(role.as_str(), NOW)),
            Self::Idle => Some(access.begun_at("admin", NOW.minus(SESSION_IDLE))),
            Self::Over => {
                let token = access.begun_at("admin", NOW.minus(SESSION_LIFE).minus(a_minute));
                access.principal(&token, "127.0.0.1:1".parse().unwrap());
                Some(token)
            }
            Self::OldPassword => {
                let token = access.begun_at("admin", NOW);
                let changed = UserChange::Password(password());
                access.change_user("admin", changed, root()).unwrap();
                Some(token)
            }
            Self::ApiToken(role) => Some(api_token(running, role)),
            Self::Revoked => {
                let token = api_token(running, Role::Admin);
                access.revoke_api_token("walker", root()).unwrap();
                Some(token)
            }
        }
    }
}

fn root() -> Author {
    Author { who: "uid 0 (root)".into(), from: "operators.sock".into() }
}

fn password() -> Password {
    Password::new("correct horse battery".into())
}

fn api_token(running: &Running, role: Role) -> String {
    running.access.revoke_api_token("walker", root()).ok();
    let wish = ApiTokenWish { name: "walker".into(), role, ttl_s: 60 };
    running.access.make_api_token(wish, root()).unwrap().token
}

/// TLS towards the collector, with an agent's certificate to show if anybody wants it.
pub(super) fn tls(authority: &Authority, as_agent: bool) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    if !as_agent {
        return TlsConnector::from(Arc::new(builder.with_no_client_auth()));
    }
    let key = PrivateKey::generate().unwrap();
    let public = PublicKey::of_request(&key.request().unwrap()).unwrap();
    let validity = (NOW, Duration::from_secs(3_600));
    let issued = authority.issue_agent(AgentId::random(), &public, validity).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.to_pem().as_bytes()).unwrap();
    let config = builder.with_client_auth_cert(vec![issued.der], key).unwrap();
    TlsConnector::from(Arc::new(config))
}

/// Asks with nothing but `null` to say; the status of the answer, and all of it.
async fn ask(
    tls: &TlsConnector,
    address: SocketAddr,
    question: (&str, &str),
    token: Option<&str>,
) -> (StatusCode, String) {
    say(tls, address, question, token, "null").await
}

async fn say(
    tls: &TlsConnector,
    address: SocketAddr,
    (method, path): (&str, &str),
    token: Option<&str>,
    body: &str,
) -> (StatusCode, String) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tls.connect(name, from_anywhere(address).await).await.unwrap();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{}\r\n{body}",
        body.len(),
        token.unwrap_or_default()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while stream.read_buf(&mut answer).await.is_ok_and(|count| count > 0) {
        let is_begun = String::from_utf8_lossy(&answer).contains("\r\n\r\n");
        // what never ends is not waited for
        if is_begun && String::from_utf8_lossy(&answer).contains("text/event-stream") {
            break;
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// From another address each time: one host alone would soon have asked too much.
async fn from_anywhere(address: SocketAddr) -> TcpStream {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let host = NEXT.fetch_add(1, Ordering::Relaxed);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 1, host], 0))).unwrap();
    socket.connect(address).await.unwrap()
}

async fn prepared() -> Running {
    let running = Running::start().await;
    for role in Role::ALL {
        let (name, password) = (role.to_string(), Some(password()));
        let wish = UserWish { name, role, password, subject: None };
        running.access.add_user(wish, root()).unwrap();
    }
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_table_is_open_to_its_roles_and_to_nobody_else() {
    let running = prepared().await;
    let authority = &running.enrolment.authorities.current();
    let (plain, as_agent) = (tls(authority, false), tls(authority, true));
    let mut walked = 0;
    for Endpoint { method, path, least } in endpoints() {
        let path = path::with(path, "00000000");
        for asker in ASKERS {
            let token = asker.token(&running);
            let is_agent = matches!(asker, Asker::Agent | Asker::AgentWithToken);
            let tls = if is_agent { &as_agent } else { &plain };
            let question = (method.as_str(), path.as_str());
            let (status, answer) = ask(tls, running.address, question, token.as_deref()).await;
            let expected = match (asker.role(), least) {
                (_, None) => None,
                // a page leads to where one signs in
                (None, Some(_)) if !path.starts_with("/api/") && path != "/metrics" => {
                    Some(StatusCode::SEE_OTHER)
                }
                (None, Some(_)) => Some(StatusCode::UNAUTHORIZED),
                (Some(role), Some(least)) if role < least => Some(StatusCode::FORBIDDEN),
                (Some(_), Some(_)) => None,
            };
            let shown = format!("{method} {path} by {asker:?}: {answer}");
            match expected {
                Some(expected) => assert_eq!(status, expected, "{shown}"),
                // it was let through, whatever it then made of `null`
                None => {
                    assert!(
                        matches!(status.as_u16(), 200 | 303 | 400 | 404 | 409 | 415 | 422),
                        "{shown}"
                    )
                }
            }
            walked += 1;
        }
    }
    assert_eq!(walked, endpoints().len() * ASKERS.len());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_table_is_refused_before_it_is_missed() {
    let running = prepared().await;
    let tls = tls(&running.enrolment.authorities.current(), false);
    for (question, token, expected) in [
        (("GET", "/nothing"), None, 401),
        (("GET", "/api/v1/nothing"), None, 401),
        (("DELETE", path::USERS), None, 401),
        (("GET", "/api/v1/nothing"), Some(Role::Viewer), 404),
        (("DELETE", path::USERS), Some(Role::Viewer), 404),
        (("GET", "/api/v1/%75sers"), None, 401),
        (("GET", "/api/v1//users"), None, 401),
        (("POST", path::STATUS), Some(Role::Viewer), 404),
        // a HEAD is a GET without its answer
        (("HEAD", path::USERS), Some(Role::Viewer), 403),
        (("HEAD", path::USERS), Some(Role::Admin), 200),
    ] {
        let token = token.map(|role| running.access.begun_at(role.as_str(), NOW));
        let (status, answer) = ask(&tls, running.address, question, token.as_deref()).await;
        assert_eq!(status.as_u16(), expected, "{question:?} {answer}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_says_what_is_missing() {
    let running = prepared().await;
    let tls = tls(&running.enrolment.authorities.current(), false);
    let viewer = running.access.begun_at("viewer", NOW);
    for (token, head, words) in [
        (None, "www-authenticate: Bearer", "you are not signed in"),
        (Some("mss1_x"), "www-authenticate: Bearer", "your session has ended"),
        (Some(viewer.as_str()), "cache-control: no-store", "needs the role admin; you are viewer"),
    ] {
        let (_, answer) = ask(&tls, running.address, ("GET", path::AUDIT), token).await;
        assert!(answer.contains(head) && answer.contains(words), "{answer}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_administrator_sees_and_ends_their_own_sessions_alone() {
    let running = prepared().await;
    let tls = tls(&running.enrolment.authorities.current(), false);
    let [viewer, operator, admin] =
        Role::ALL.map(|role| running.access.begun_at(role.as_str(), NOW));
    let id = |token: &str| {
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        hex::encode(&digest.as_ref()[..4])
    };
    let (of_viewer, of_operator) = (id(&viewer), id(&operator));
    let list = ("GET", path::SESSIONS);
    let (_, seen) = ask(&tls, running.address, list, Some(&viewer)).await;
    assert!(seen.contains(&of_viewer) && !seen.contains(&of_operator), "{seen}");
    let (_, seen) = ask(&tls, running.address, list, Some(&admin)).await;
    assert!(seen.contains(&of_viewer) && seen.contains(&of_operator), "{seen}");
    let end = |id: &str| path::with(path::SESSION_END, id);
    for (token, id, expected) in [
        (&viewer, &of_operator, 404),
        (&viewer, &of_viewer, 200),
        (&viewer, &of_viewer, 401),
        (&admin, &of_operator, 200),
        (&operator, &of_operator, 401),
    ] {
        let question = ("POST", &*end(id));
        let (status, answer) = ask(&tls, running.address, question, Some(token)).await;
        assert_eq!(status.as_u16(), expected, "{answer}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_to_wait_is_told_for_how_long() {
    let running = prepared().await;
    let tls = tls(&running.enrolment.authorities.current(), false);
    let mut statuses = Vec::new();
    let body = r#"{"user": "viewer", "password": "quite another"}"#;
    let told = loop {
        let question = ("POST", path::LOGIN);
        let (status, answer) = say(&tls, running.address, question, None, body).await;
        if status != StatusCode::UNAUTHORIZED {
            break answer;
        }
        statuses.push(status);
        assert!(statuses.len() < 20, "nobody has to wait");
    };
    assert!(statuses.len() >= 4, "{statuses:?} {told}");
    let waits = told.lines().find_map(|line| line.strip_prefix("retry-after: "));
    let waits = waits.unwrap().parse::<u64>().unwrap();
    assert!(told.starts_with("HTTP/1.1 429 ") && (1..=60).contains(&waits), "{told}");
    running.stop().await;
}
