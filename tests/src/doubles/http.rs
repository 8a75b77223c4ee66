//! The HTTP/1.1 server behind every double: takes requests, asks what to answer, and answers so, or goes wrong as it is
//! told.
//!
//! It has a thread and a runtime of its own, so that tests with and without one can start it. Everything that a client can
//! make grow has a bound. Absent on purpose: chunked requests.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

const MAX_HEAD_BYTES: u64 = 64 << 10;
const MAX_BODY_BYTES: usize = 4 << 20;

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

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
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

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub(super) enum Manner {
    /// So, after a while.
    Reply(Reply, Duration),
    /// Not at all; the connection stays.
    Hang,
    /// 200, and the connection ends within the body.
    CutShort,
}

/// What is asked for each request.
type Answer = dyn Fn(&Received) -> Manner + Send + Sync;

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    over: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one on a free port of loopback.
    pub(super) fn start(
        answer: impl Fn(&Received) -> Manner + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::at(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, None, answer)
    }

    /// Serves a listener that is bound already; over TLS, where there is a configuration.
    pub(super) fn at(
        listener: std::net::TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Received) -> Manner + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        listener.set_nonblocking(true)?;
        let (address, over) = (listener.local_addr()?, CancellationToken::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, tls, answer) = (over.clone(), tls.map(TlsAcceptor::from), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            runtime.block_on(end.run_until_cancelled(accept(listener, tls, answer)));
        });
        Ok(Self { address, scheme, over, thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`, or https.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

async fn accept(listener: std::net::TcpListener, tls: Option<TlsAcceptor>, answer: Arc<Answer>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        let (tls, answer) = (tls.clone(), Arc::clone(&answer));
        connections.spawn(async move {
            let served = match tls {
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &*answer).await,
                    Err(error) => Err(error),
                },
                None => serve(stream, &*answer).await,
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a client of a double has gone");
            }
        });
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

async fn serve(stream: impl Duplex, answer: &Answer) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(received) = read(&mut stream).await? {
        match answer(&received) {
            Manner::Hang => std::future::pending::<()>().await,
            Manner::CutShort => {
                let begin = "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nok";
                stream.get_mut().write_all(begin.as_bytes()).await?;
                return stream.get_mut().shutdown().await;
            }
            Manner::Reply(reply, after) => {
                tokio::time::sleep(after).await;
                write(&mut stream, &reply, &received.method).await?;
            }
        }
    }
    Ok(())
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

async fn write(stream: &mut BufReader<impl Duplex>, reply: &Reply, method: &str) -> io::Result<()> {
    let Reply { status, headers, body } = reply;
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let body = if method == "HEAD" || *status == 304 { "" } else { body };
    let answer = format!("HTTP/1.1 {status} \r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.get_mut().write_all(answer.as_bytes()).await?;
    stream.get_mut().flush().await
}
