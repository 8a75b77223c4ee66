//! Asks a running collector over its socket: HTTP and JSON, bounded in size and in time.

use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::api::ErrorAnswer;
use crate::config::ConfigError;
use crate::folder::Folder;

/// An answer takes no longer.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// Bytes of an answer at most: 1,000 observations with their transcripts.
const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;

const OTHER_FORM: &str = "the collector answered in another form: are both of the same version?";

/// Nobody listens on the socket.
#[derive(Debug, thiserror::Error)]
#[error("the collector is not running: start it with `mailsonde-collector --data {0} serve`")]
pub struct NotRunning(String);

/// An answer: as it came, and as it was understood.
pub struct Answer<T> {
    /// JSON.
    pub raw: String,
    /// What it says.
    pub value: T,
}

/// Asks a question.
///
/// # Errors
/// [`NotRunning`] when nobody listens; the collector's own words when it refuses.
pub async fn ask<T: DeserializeOwned>(folder: &Folder, path: &str) -> anyhow::Result<Answer<T>> {
    exchange(folder, Method::GET, path, Bytes::new()).await
}

/// Sends something to be done.
///
/// # Errors
/// As [`ask`].
pub async fn send<T: DeserializeOwned>(
    folder: &Folder,
    path: &str,
    body: &impl Serialize,
) -> anyhow::Result<Answer<T>> {
    exchange(folder, Method::POST, path, serde_json::to_vec(body)?.into()).await
}

/// Sends something to be done that is answered by a line at a time; each is handed on as it comes.
///
/// # Errors
/// As [`ask`]; or what `each` says of a line.
pub async fn send_for_lines<T: DeserializeOwned>(
    folder: &Folder,
    path: &str,
    body: &impl Serialize,
    mut each: impl FnMut(&str, T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stream = connect(folder).await?;
    let request = request(Method::POST, path, serde_json::to_vec(body)?.into())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let mut body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| anyhow!("the answer broke off: {error}"))?;
            let Ok(bytes) = frame.into_data() else { continue };
            line.extend_from_slice(&bytes);
            while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                let whole: Vec<u8> = line.drain(..=end).collect();
                let raw = String::from_utf8_lossy(&whole);
                let read = serde_json::from_str(&raw);
                each(raw.trim_end(), read.context(OTHER_FORM)?)?;
            }
        }
        if status != StatusCode::OK {
            let raw = String::from_utf8_lossy(&line).into_owned();
            bail!("{}", refusal(raw));
        }
        Ok(())
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        outcome = &mut exchange => outcome,
        ended = &mut connection => {
            ended.context("the collector ended the connection")?;
            exchange.await
        }
    }
}

/// A word as one segment of a path (RFC 3986 section 3.3).
pub fn segment(word: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    word.bytes().map(escaped).collect()
}

async fn exchange<T: DeserializeOwned>(
    folder: &Folder,
    method: Method,
    path: &str,
    body: Bytes,
) -> anyhow::Result<Answer<T>> {
    let stream = connect(folder).await?;
    let request = request(method, path, body)?;
    let (status, bytes) = tokio::time::timeout(TIME_LIMIT, speak(stream, request))
        .await
        .ok()
        .ok_or_else(|| {
            let seconds = TIME_LIMIT.as_secs();
            anyhow!("the collector did not answer within {seconds} s: see its own log")
        })??;
    let raw = String::from_utf8_lossy(&bytes).into_owned();
    if status != StatusCode::OK {
        bail!("{}", refusal(raw));
    }
    let value = serde_json::from_str(&raw).context(OTHER_FORM)?;
    Ok(Answer { raw, value })
}

fn request(method: Method, path: &str, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
    let request = Request::builder().method(method).uri(path).header("host", "collector");
    Ok(request.header("content-type", "application/json").body(Full::new(body))?)
}

/// What the collector says when it refuses.
fn refusal(raw: String) -> String {
    serde_json::from_str(&raw).map_or(raw, |ErrorAnswer { error }| error)
}

async fn connect(folder: &Folder) -> anyhow::Result<UnixStream> {
    let path = folder.operators_socket()?;
    match UnixStream::connect(&path).await {
        Ok(stream) => Ok(stream),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                if !folder.config().exists() {
                    return Err(ConfigError::Missing(folder.clone()).into());
                }
                Err(NotRunning(folder.path().display().to_string()).into())
            }
            io::ErrorKind::PermissionDenied => bail!(
                "only the collector's own user may ask it: try again with sudo ({} is not yours)",
                path.display()
            ),
            _ => Err(error).with_context(|| format!("cannot connect to {}", path.display())),
        },
    }
}

async fn speak(
    stream: UnixStream,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        match body.collect().await {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) => Err(anyhow!("the collector's answer broke off: {error}")),
        }
    };
    // The connection moves the bytes; when the exchange is over, nobody needs it any more.
    tokio::pin!(exchange, connection);
    tokio::select! {
        outcome = &mut exchange => outcome,
        ended = &mut connection => {
            ended.context("the collector ended the connection")?;
            exchange.await
        }
    }
}
