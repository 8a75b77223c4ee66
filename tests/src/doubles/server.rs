//! One double: takes requests over HTTP/1.1, looks at them, keeps them, and answers as it is told.
//!
//! Everything that a client can make grow has a bound. Absent on purpose: chunked requests.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Service;

const MAX_HEAD_BYTES: u64 = 64 << 10;
const MAX_BODY_BYTES: usize = 4 << 20;
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

/// What somebody sent.
#[derive(Clone, Debug)]
pub struct Received {
    /// Such as `POST`.
    pub method: String,
    /// With the query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Received {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// What stands after the question mark.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// A header's value; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What goes back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Beside the length.
    pub headers: Vec<(&'static str, String)>,
    /// All of it.
    pub body: String,
}

impl Reply {
    /// With this body and no headers.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

/// A running double; it ends when this is dropped.
#[derive(Debug)]
pub struct Double {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    _tasks: JoinSet<()>,
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

    /// Serves a listener that is bound already, such as one in a lab's network. Call it within a runtime.
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
        Self::open(service, listener, Some(TlsAcceptor::from(config)))
    }

    fn open(
        service: Service,
        listener: std::net::TcpListener,
        tls: Option<TlsAcceptor>,
    ) -> io::Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            service,
            answering: Mutex::new(Answering::Well),
            takes: Mutex::default(),
            received: Mutex::default(),
            complaints: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls, Arc::clone(&state)));
        Ok(Self { address, scheme, state, _tasks: tasks })
    }

    /// `http://127.0.0.1:PORT`, or https, and this path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
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

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        connections.spawn(async move {
            let served = match tls {
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &state).await,
                    Err(error) => Err(error),
                },
                None => serve(stream, &state).await,
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a client of a double has gone");
            }
        });
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

async fn serve(stream: impl Duplex, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(received) = read(&mut stream).await? {
        let answering = *locked(&state.answering);
        match answering {
            Answering::Hang => {
                state.look(&received);
                std::future::pending::<()>().await;
            }
            Answering::CutShort => {
                state.look(&received);
                let begin = "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nok";
                stream.get_mut().write_all(begin.as_bytes()).await?;
                return stream.get_mut().shutdown().await;
            }
            answering => {
                let reply = state.reply(&received, answering);
                let takes = *locked(&state.takes);
                tokio::time::sleep(takes).await;
                write(&mut stream, &reply).await?;
            }
        }
    }
    Ok(())
}

impl State {
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

async fn read(stream: &mut BufReader<impl Duplex>) -> io::Result<Option<Received>> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        let read = (&mut *stream).take(MAX_HEAD_BYTES).read_line(&mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut lines = head.lines();
    let mut request = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut received = Received { method, target, headers, body: Vec::new() };
    let length = received.header("content-length").parse::<usize>().unwrap_or_default();
    received.body = vec![0; length.min(MAX_BODY_BYTES)];
    stream.read_exact(&mut received.body).await?;
    Ok(Some(received))
}

async fn write(stream: &mut BufReader<impl Duplex>, reply: &Reply) -> io::Result<()> {
    let Reply { status, headers, body } = reply;
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} \r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.get_mut().write_all(answer.as_bytes()).await?;
    stream.get_mut().flush().await
}
