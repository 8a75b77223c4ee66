//! The double of a chat service: looks at what came, keeps it, and answers as it is told.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;

use super::Service;
use super::http::{Manner, Received, Reply, Server};

const MAX_KEPT: usize = 1_000;
/// Where a redirect leads, and nobody should come.
const ELSEWHERE: &str = "/elsewhere";

/// How a double answers what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// As the service does.
    Well,
    /// 202 with nothing in it.
    Accepted,
    /// As the service says no within an answer that is well by its status; 403 where it has none.
    No,
    /// 400.
    BadRequest,
    /// 404.
    NotFound,
    /// 429 with `Retry-After: 7`.
    TooMany,
    /// 500.
    Broken,
    /// Takes the request and says nothing.
    Hang,
    /// 307 to another path of the same host.
    Redirect,
    /// 200, and the connection ends within the body.
    CutShort,
    /// 200 with a page of a proxy.
    Page,
}

impl Answering {
    /// Each of them.
    pub const ALL: [Self; 11] = [
        Self::Well,
        Self::Accepted,
        Self::No,
        Self::BadRequest,
        Self::NotFound,
        Self::TooMany,
        Self::Broken,
        Self::Hang,
        Self::Redirect,
        Self::CutShort,
        Self::Page,
    ];
}

/// A running double; it ends when this is dropped.
#[derive(Debug)]
pub struct Double {
    server: Server,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    service: Service,
    answering: Mutex<Answering>,
    takes: Mutex<Duration>,
    received: Mutex<Vec<Received>>,
    complaints: Mutex<Vec<String>>,
}

impl Double {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(service: Service) -> io::Result<Self> {
        Self::at(service, std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)
    }

    /// Serves a listener that is bound already, such as one in a lab's network.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn at(service: Service, listener: std::net::TcpListener) -> io::Result<Self> {
        Self::open(service, listener, None)
    }

    /// The same over TLS, on a free port of loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start_tls(service: Service, config: Arc<ServerConfig>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Self::open(service, listener, Some(config))
    }

    fn open(
        service: Service,
        listener: std::net::TcpListener,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let state = Arc::new(State {
            service,
            answering: Mutex::new(Answering::Well),
            takes: Mutex::default(),
            received: Mutex::default(),
            complaints: Mutex::default(),
        });
        let asked = Arc::clone(&state);
        let server = Server::at(listener, tls, move |received| asked.answer(received))?;
        Ok(Self { server, state })
    }

    /// `http://127.0.0.1:PORT`, or https, and this path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// Answers so from now on.
    pub fn answer(&self, answering: Answering) {
        *locked(&self.state.answering) = answering;
    }

    /// Each answer takes so long from now on; what was asked is kept before.
    pub fn take(&self, time: Duration) {
        *locked(&self.state.takes) = time;
    }

    /// What came since the last call, and was right.
    pub fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut *locked(&self.state.received))
    }

    /// What was wrong with what came, so far.
    pub fn complaints(&self) -> Vec<String> {
        locked(&self.state.complaints).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&self, received: &Received) -> Manner {
        let answering = *locked(&self.answering);
        match answering {
            Answering::Hang => {
                self.look(received);
                Manner::Hang
            }
            Answering::CutShort => {
                self.look(received);
                Manner::CutShort
            }
            answering => Manner::Reply(self.reply(received, answering), *locked(&self.takes)),
        }
    }

    /// Whether it is right; keeps it, or what is wrong with it.
    fn look(&self, received: &Received) -> bool {
        let wrong = self.service.mistakes(received);
        if wrong.is_empty() {
            let mut all = locked(&self.received);
            if all.len() < MAX_KEPT {
                all.push(received.clone());
            }
            return true;
        }
        let name = self.service.name();
        let wrong = wrong.into_iter().map(|wrong| format!("{name}: {wrong}"));
        locked(&self.complaints).extend(wrong.take(20));
        false
    }

    fn reply(&self, received: &Received, answering: Answering) -> Reply {
        if received.path() == ELSEWHERE {
            locked(&self.complaints).push("somebody followed a redirect".to_owned());
        }
        if !self.look(received) {
            return Reply::new(400, "not what this service takes");
        }
        match answering {
            Answering::Well => self.service.well(received),
            Answering::No => self.service.no(received),
            Answering::Accepted => Reply::new(202, ""),
            Answering::BadRequest => Reply::new(400, "invalid_payload"),
            Answering::NotFound => Reply::new(404, "no_service"),
            Answering::TooMany => Reply {
                headers: vec![("Retry-After", "7".to_owned())],
                ..Reply::new(429, "slow down")
            },
            Answering::Redirect => {
                Reply { headers: vec![("Location", ELSEWHERE.to_owned())], ..Reply::new(307, "") }
            }
            Answering::Page => {
                Reply::new(200, "<!DOCTYPE html><title>Sign in to the network</title>")
            }
            Answering::Broken | Answering::Hang | Answering::CutShort => {
                // what the client sent may well be said again
                Reply::new(500, format!("cannot handle {}", received.target))
            }
        }
    }
}
