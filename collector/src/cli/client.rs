//! Asks a running collector, over the socket in its folder or over the network: HTTP and JSON, bounded in size and
//! in time.

use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::remote::Remote;
use crate::api::Problem;
use crate::config::ConfigError;
use crate::folder::Folder;
use crate::http::{exchange, whole};

/// An answer takes no longer.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// A document is made within this time: the report of a month of hundreds of services.
const DOCUMENT_LIMIT: Duration = Duration::from_secs(310);
/// Bytes of an answer at most: 1,000 observations with their transcripts.
const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;

/// Bytes of one line of an answer at most: all definitions of an organisation.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;
/// An answer of many lines pauses no longer.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// Bytes of a path with its parameters at most, well below what HTTP's library refuses with less helpful words.
const MAX_PATH_BYTES: usize = 16 * 1024;
const TOO_LONG: &str = "that is longer than a collector takes: make its names and texts shorter";

const OTHER_FORM: &str = "the collector answered in another form: are both of the same version?";

/// Nobody listens on the socket.
#[derive(Debug, thiserror::Error)]
#[error("the collector is not running: start it with `mailsonde-collector --data {0} serve`")]
pub struct NotRunning(String);

/// The collector answered that it will not.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Refused {
    /// Of HTTP.
    pub status: StatusCode,
    /// Its own, and what to do.
    pub words: String,
    /// The problem as it came: JSON (RFC 9457); `None` where it had another form.
    pub problem: Option<String>,
}

/// Where a collector is asked.
#[derive(Clone, Debug)]
pub enum Collector {
    /// On this machine: the one with this folder.
    Here(Folder),
    /// Over the network.
    There(Remote),
}

impl From<&Folder> for Collector {
    fn from(folder: &Folder) -> Self {
        Self::Here(folder.clone())
    }
}

impl From<&Self> for Collector {
    fn from(collector: &Self) -> Self {
        collector.clone()
    }
}

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
pub async fn ask<T: DeserializeOwned>(
    at: impl Into<Collector>,
    path: &str,
) -> anyhow::Result<Answer<T>> {
    answered(&at.into(), Method::GET, path, Bytes::new()).await
}

/// Asks a question whose answer is a text of its own form.
///
/// # Errors
/// As [`ask`].
pub async fn ask_for_text(at: impl Into<Collector>, path: &str) -> anyhow::Result<String> {
    raw(&at.into(), Method::GET, path, Bytes::new()).await
}

/// Asks a question whose answer is bytes of a form of their own.
///
/// # Errors
/// As [`ask`].
pub async fn ask_for_bytes(at: impl Into<Collector>, path: &str) -> anyhow::Result<Bytes> {
    within(DOCUMENT_LIMIT, &at.into(), (Method::GET, path, Bytes::new())).await
}

/// Sends something to be done.
///
/// # Errors
/// As [`ask`].
pub async fn send<T: DeserializeOwned>(
    at: impl Into<Collector>,
    path: &str,
    body: &impl Serialize,
) -> anyhow::Result<Answer<T>> {
    answered(&at.into(), Method::POST, path, serde_json::to_vec(body)?.into()).await
}

/// Sends something to be done that is answered by a line at a time; each is handed on as it comes.
///
/// # Errors
/// As [`ask`]; or what `each` says of a line.
pub async fn send_for_lines<T: DeserializeOwned>(
    at: impl Into<Collector>,
    path: &str,
    body: &impl Serialize,
    mut each: impl FnMut(&str, T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let at = at.into();
    let body = serde_json::to_vec(body)?.into();
    let refused = through(&at, (Method::POST, path, body), async move |answer| {
        if answer.status() != StatusCode::OK {
            return all_of(answer).await.map(Some);
        }
        let mut body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(bytes) = frame.map_err(broke_off)?.into_data() else { continue };
            line.extend_from_slice(&bytes);
            while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                let whole: Vec<u8> = line.drain(..=end).collect();
                let raw = String::from_utf8_lossy(&whole);
                each(raw.trim_end(), serde_json::from_str(&raw).context(OTHER_FORM)?)?;
            }
        }
        Ok(None)
    });
    match refused.await? {
        Some((status, bytes)) => Err(refusal(&at, status, &bytes).into()),
        None => Ok(()),
    }
}

/// Asks for something that is answered by lines, as many as there are; each is handed on as it comes.
///
/// # Errors
/// As [`ask`]; or what `each` says of a line.
pub async fn ask_for_lines(
    at: impl Into<Collector>,
    path: &str,
    mut each: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let at = at.into();
    let refused = through(&at, (Method::GET, path, Bytes::new()), async move |answer| {
        if answer.status() != StatusCode::OK {
            return all_of(answer).await.map(Some);
        }
        let mut body = answer.into_body();
        let mut left = Vec::new();
        loop {
            let frame = tokio::time::timeout(SILENCE_LIMIT, body.frame()).await.ok();
            let Some(frame) = frame.context("the collector's answer stopped: see its own log")?
            else {
                break;
            };
            let frame = frame.map_err(|error| broke_off(error.into()))?;
            let Ok(bytes) = frame.into_data() else { continue };
            left.extend_from_slice(&bytes);
            let mut rest = left.as_slice();
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let (line, after) = rest.split_at(end);
                each(&String::from_utf8_lossy(line))?;
                rest = after.get(1..).unwrap_or_default();
            }
            left = rest.to_vec();
            if left.len() > MAX_LINE_BYTES {
                bail!("{OTHER_FORM}");
            }
        }
        Ok(None)
    });
    match refused.await? {
        Some((status, bytes)) => Err(refusal(&at, status, &bytes).into()),
        None => Ok(()),
    }
}

async fn answered<T: DeserializeOwned>(
    at: &Collector,
    method: Method,
    path: &str,
    body: Bytes,
) -> anyhow::Result<Answer<T>> {
    let raw = raw(at, method, path, body).await?;
    let value = serde_json::from_str(&raw).context(OTHER_FORM)?;
    Ok(Answer { raw, value })
}

async fn raw(at: &Collector, method: Method, path: &str, body: Bytes) -> anyhow::Result<String> {
    let bytes = bytes(at, method, path, body).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn bytes(at: &Collector, method: Method, path: &str, body: Bytes) -> anyhow::Result<Bytes> {
    within(TIME_LIMIT, at, (method, path, body)).await
}

async fn within(
    limit: Duration,
    at: &Collector,
    asked: (Method, &str, Bytes),
) -> anyhow::Result<Bytes> {
    let asking = through(at, asked, all_of);
    let (status, bytes) = tokio::time::timeout(limit, asking).await.ok().ok_or_else(|| {
        let seconds = limit.as_secs();
        anyhow!("the collector did not answer within {seconds} s: see its own log")
    })??;
    if status != StatusCode::OK {
        return Err(refusal(at, status, &bytes).into());
    }
    Ok(bytes)
}

/// Asks, and has the answer taken.
async fn through<T>(
    at: &Collector,
    (method, path, body): (Method, &str, Bytes),
    take: impl AsyncFnOnce(Response<Incoming>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if path.len() > MAX_PATH_BYTES {
        bail!(TOO_LONG);
    }
    let request =
        Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
    match at {
        Collector::Here(folder) => {
            let request = request.header(HOST, "collector").body(Full::new(body))?;
            exchange(connect(folder).await?, request, take).await
        }
        Collector::There(remote) => {
            let mut request = request.header(HOST, remote.url().authority());
            if let Some(token) = remote.authorization() {
                request = request.header(AUTHORIZATION, token);
            }
            exchange(remote.connect().await?, request.body(Full::new(body))?, take).await
        }
    }
}

/// An answer that is taken at once.
async fn all_of(answer: Response<Incoming>) -> anyhow::Result<(StatusCode, Bytes)> {
    Ok(whole(answer, MAX_ANSWER_BYTES).await?)
}

fn broke_off(error: Box<dyn std::error::Error + Send + Sync>) -> anyhow::Error {
    anyhow!("the collector's answer broke off: {error}")
}

fn refusal(at: &Collector, status: StatusCode, bytes: &[u8]) -> Refused {
    let raw = String::from_utf8_lossy(bytes).into_owned();
    let problem = serde_json::from_str::<Problem>(&raw).ok();
    let words = match status {
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => TOO_LONG.to_owned(),
        _ => problem.as_ref().map_or(raw.clone(), |problem| problem.detail.clone()),
    };
    let problem = problem.map(|_| raw);
    Refused { status, words: in_words(at, status, words), problem }
}

/// The collector's words, and what to do when it does not know us.
fn in_words(at: &Collector, status: StatusCode, words: String) -> String {
    match at {
        Collector::There(remote)
            if status == StatusCode::UNAUTHORIZED && remote.authorization().is_some() =>
        {
            format!("{words}: `mailsonde-collector login --url {}`", remote.url())
        }
        _ => words,
    }
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
