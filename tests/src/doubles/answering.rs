//! A small HTTP/1.1 server that answers each question as it is told, and keeps nothing open.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of a question at most.
const MAX_BYTES: usize = 1 << 20;
/// A question comes within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Such as `GET`.
    pub(super) method: String,
    /// The path with its parameters.
    pub(super) target: String,
    /// In the order in which they came, their names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// All of it.
    pub(super) body: String,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// Such as 200.
    pub(super) status: u16,
    /// Beside those of the connection.
    pub(super) headers: Vec<(String, String)>,
    /// All of it.
    pub(super) body: String,
}

/// A running server; dropping it ends it.
pub(super) struct Answering {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Question {
    /// The first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The path without its parameters.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

impl Reply {
    /// A status and a text.
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The same with one more header.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl Answering {
    /// Starts one.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn start(
        answer: impl Fn(&Question) -> Reply + Send + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, is_over) = (listener.local_addr()?, Arc::<AtomicBool>::default());
        let over = is_over.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                exchange(stream, &answer).ok();
            }
        });
        Ok(Self { address, is_over, thread: Some(thread) })
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // it waits for whoever comes next
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn exchange(mut stream: TcpStream, answer: &dyn Fn(&Question) -> Reply) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let Some(question) = read(&mut stream)? else { return Ok(()) };
    let Reply { status, headers, body } = answer(&question);
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let body = if question.method == "HEAD" || status == 304 { "" } else { &body };
    write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n{body}"
    )?;
    stream.flush()
}

fn read(stream: &mut impl Read) -> std::io::Result<Option<Question>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4_096];
    while bytes.len() < MAX_BYTES {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend(part.iter().take(count));
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (words.next(), words.next());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let question = Question {
            method: method.unwrap_or_default(),
            target: target.unwrap_or_default(),
            headers,
            body: body.to_owned(),
        };
        let length = question.header("content-length").and_then(|length| length.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(Some(question));
        }
    }
    Ok(None)
}
