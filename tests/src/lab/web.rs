//! The lab's web server, at [`super::WEB`]: HTTPS at 443, by virtual host, and HTTP at 80.
//!
//! It lives in the tests' own process, on threads inside the mail host's network. What it has: the policies
//! of MTA-STS (of good.test and of each `sts….test`), autoconfig, autodiscover, webmail and Exchange's
//! healthcheck pages of good.test, endpoints of `*.web.lab.test` whose TLS is bad in one way each (see
//! `web/hosts.rs`), pages at `web.lab.test` that answer as they are asked (see `web/pages.rs`), and a
//! token endpoint at `https://login.lab.test/token` (see `web/token.rs`). Tests add pages with
//! [`super::Lab::set_page`] and read what was asked with [`super::Lab::web_requests`].

mod hosts;
mod http;
mod pages;
pub(super) mod token;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::LazyConfigAcceptor;

pub use self::pages::Page;

use super::{Lab, LabError, WEB};
use crate::certificates::Authority;
use crate::network::{Backstage, Network};

const CONNECTIONS_MAX: usize = 256;
const CONNECTION_LASTS: Duration = Duration::from_secs(120);
const REQUESTS_KEPT_MAX: usize = 10_000;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// In lower case, without the port.
    pub host: String,
    /// With the query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

impl Request {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }
}

/// What the connections share.
struct State {
    by_name: BTreeMap<String, Arc<ServerConfig>>,
    otherwise: Arc<ServerConfig>,
    pages: Mutex<BTreeMap<(String, String), Page>>,
    requests: Mutex<Vec<Request>>,
    desk: token::Desk,
}

pub(super) struct Web {
    state: Arc<State>,
    _encrypted: Backstage,
    _plain: Backstage,
}

impl Web {
    pub(super) fn start(network: &Network, authority: &Authority) -> Result<Self, LabError> {
        let (by_name, otherwise) = hosts::configs(authority)?;
        let state = Arc::new(State {
            by_name,
            otherwise,
            pages: Mutex::new(pages::standard()),
            requests: Mutex::default(),
            desk: token::Desk::default(),
        });
        let open = |port, encrypted| {
            let state = Arc::clone(&state);
            let serve = move |listener| serve(listener, state, encrypted);
            let started = Backstage::start(network, SocketAddr::from((WEB, port)), serve);
            started.map(|(backstage, _)| backstage).map_err(LabError::io("start the web server"))
        };
        let encrypted = open(443, true)?;
        let plain = open(80, false)?;
        Ok(Self { state, _encrypted: encrypted, _plain: plain })
    }
}

impl Lab {
    /// Puts a page at the web server, or another one in its place; `host` in lower case, `path` without a
    /// query. Certificates are there for the hosts of good.test, `mta-sts.drift.test` and `*.web.lab.test`.
    pub fn set_page(&self, host: &str, path: &str, page: Page) {
        self.web.state.pages().insert((host.to_owned(), path.to_owned()), page);
    }

    /// What the web server was asked so far, by everybody.
    pub fn web_requests(&self) -> Vec<Request> {
        self.web.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token for a mailbox that Dovecot takes by XOAUTH2 and OAUTHBEARER; with a negative lifetime, one
    /// that has expired.
    pub fn access_token(&self, address: &str, lifetime_s: i64) -> String {
        token::signed(address, lifetime_s)
    }

    /// The private key (PKCS #8, PEM) of the service account that the token endpoint knows.
    pub const fn service_account_key(&self) -> &'static str {
        include_str!("templates/service_account.key")
    }
}

impl State {
    fn pages(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: Request, encrypted: bool) -> Page {
        let key = (request.host.clone(), request.path().to_owned());
        let page = self.pages().get(&key).cloned();
        let page = page
            .or_else(|| self.desk.answer(&request, encrypted))
            .or_else(|| pages::on_demand(&request))
            .unwrap_or_else(|| Page::text(404, "not found\n"));
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() < REQUESTS_KEPT_MAX {
            requests.push(request);
        }
        page
    }
}

async fn serve(listener: TcpListener, state: Arc<State>, encrypted: bool) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let session = converse(stream, &state, encrypted);
            drop(tokio::time::timeout(CONNECTION_LASTS, Box::pin(session)).await);
        });
    }
}

async fn converse(stream: TcpStream, state: &State, encrypted: bool) -> std::io::Result<()> {
    let answer = |request| state.answer(request, encrypted);
    if !encrypted {
        return http::exchange(stream, answer).await;
    }
    let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let name = hello.client_hello().server_name().map(str::to_lowercase);
    let config = name.and_then(|name| state.by_name.get(&name)).unwrap_or(&state.otherwise);
    http::exchange(hello.into_stream(Arc::clone(config)).await?, answer).await
}
