//! One request and its answer on an open stream. hyper reads HTTP; this drives it, within bounds.
//!
//! hyper's connection is driven beside whatever is awaited of it, in the same task: when the run is
//! dropped, nothing goes on behind its back.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Fuse, FusedFuture};
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::SET_COOKIE;
use hyper_util::rt::TokioIo;
use mailsonde_proto::FaultClass;
use tokio::time::timeout;

use super::{Answer, Fetch, MOST_HEAD, MOST_HEADERS, Request};
use crate::mail::dial::Patience;
use crate::mail::failure::Failure;
use crate::mail::wire::{Duplex, Record};
use crate::stopwatch::Stopwatch;
use crate::transcript::Direction;

const HEAD: &str = "the head of its answer";
const BODY: &str = "the body of its answer";

/// Sends the request and reads the answer; the body only where `reads_body` says so of its status.
pub(super) async fn exchange(
    terms: &Fetch<'_>,
    (stream, record): (Box<dyn Duplex>, &Record),
    request: &Request,
    watch: &mut Stopwatch,
    reads_body: impl Fn(u16) -> bool,
) -> Result<Answer, Failure> {
    let (first_byte, body) = (terms.names.first_byte, terms.names.body);
    let Some(asked) = request.to_hyper() else {
        let words = format!("{} cannot be asked for by HTTP", request.url);
        return Err(Failure::new(first_byte, FaultClass::Protocol, words));
    };
    record.say(Direction::Client, &format!("{} {}", request.method, request.url));
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MOST_HEAD).max_header_size(MOST_HEAD).max_headers(MOST_HEADERS);
    let opened = builder.handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|error| broken(first_byte, HEAD, &error))?;
    let mut connection = pin!(connection.fuse());
    let sent = beside(connection.as_mut(), sender.send_request(asked));
    let answer = in_time(terms.patience, (first_byte, HEAD), sent).await?;
    watch.lap(first_byte);
    write_down(record, &answer);
    let (head, mut incoming) = answer.into_parts();
    let mut told = Answer {
        status: head.status.as_u16(),
        url: request.url.clone(),
        redirects: 0,
        headers: head.headers,
        body: Vec::new(),
        is_whole: true,
        tls: None,
    };
    if !reads_body(told.status) {
        told.is_whole = false;
        return Ok(told);
    }
    while told.is_whole {
        let frame = beside(connection.as_mut(), next_bytes(&mut incoming));
        let Some(bytes) = in_time(terms.patience, (body, BODY), frame).await? else { break };
        let room = terms.most_body.saturating_sub(told.body.len());
        told.is_whole = bytes.len() <= room;
        told.body.extend(bytes.iter().take(room));
    }
    watch.lap(body);
    Ok(told)
}

/// Waits for what is `wanted` of a connection, and drives the connection meanwhile.
async fn beside<T>(
    mut connection: Pin<&mut Fuse<impl Future<Output = hyper::Result<()>>>>,
    wanted: impl Future<Output = T>,
) -> T {
    let mut wanted = pin!(wanted);
    loop {
        tokio::select! {
            biased;
            done = &mut wanted => return done,
            // How it ended, whoever waits for something of it is told.
            _ended = &mut connection, if !connection.is_terminated() => {}
        }
    }
}

/// The next bytes of a body; trailers are left out.
async fn next_bytes(incoming: &mut Incoming) -> hyper::Result<Option<Bytes>> {
    while let Some(frame) = incoming.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

async fn in_time<T>(
    patience: Patience,
    (phase, awaited): (&str, &str),
    step: impl Future<Output = hyper::Result<T>>,
) -> Result<T, Failure> {
    let within = patience.next();
    match timeout(within, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(broken(phase, awaited, &error)),
        Err(_) => Err(Failure::timeout(phase, awaited, within)),
    }
}

fn write_down(record: &Record, answer: &Response<Incoming>) {
    record.say(Direction::Server, &format!("{:?} {}", answer.version(), answer.status()));
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        // A cookie can be a key to a session.
        let shown = if name == SET_COOKIE { "(secret)" } else { &*value };
        record.say(Direction::Server, &format!("{name}: {shown}"));
    }
}

/// What went wrong with an exchange, in words.
fn broken(phase: &str, awaited: &str, error: &hyper::Error) -> Failure {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let kind = io.map(io::Error::kind);
    let (class, words) = if error.is_parse_too_large() {
        let words = format!(
            "{awaited} goes beyond its bounds of {MOST_HEAD} bytes and {MOST_HEADERS} header fields"
        );
        (FaultClass::Protocol, words)
    } else if error.is_parse()
        || matches!(kind, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
    {
        (FaultClass::Protocol, format!("what the server sent as {awaited} is not HTTP: {error}"))
    } else if let Some(broken) = io.filter(|io| io.kind() != io::ErrorKind::UnexpectedEof) {
        let words = format!("the connection broke while {awaited} was awaited: {broken}");
        (FaultClass::Refused, words)
    } else {
        let words = format!("the server closed the connection before the end of {awaited}");
        (FaultClass::Refused, words)
    };
    Failure::new(phase, class, words)
}
