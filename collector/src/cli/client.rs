//! Asks a running collector, over the socket in its folder or over the network: HTTP and JSON, bounded in size and
//! in time.

use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::remote::Remote;
use crate::api::ErrorAnswer;
use crate::config::ConfigError;
use crate::folder::Folder;
use crate::http::exchange;

/// An answer takes no longer.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// Bytes of an answer at most: 1,000 observations with their transcripts.
const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;

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

async fn answered<T: DeserializeOwned>(
    at: &Collector,
    method: Method,
    path: &str,
    body: Bytes,
) -> anyhow::Result<Answer<T>> {
    let request =
        Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
    let asking = async {
        match at {
            Collector::Here(folder) => {
                let request = request.header(HOST, "collector").body(Full::new(body))?;
                anyhow::Ok(exchange(connect(folder).await?, request, MAX_ANSWER_BYTES).await?)
            }
            Collector::There(remote) => {
                let mut request = request.header(HOST, remote.url().authority());
                if let Some(token) = remote.authorization() {
                    request = request.header(AUTHORIZATION, token);
                }
                let request = request.body(Full::new(body))?;
                Ok(exchange(remote.connect().await?, request, MAX_ANSWER_BYTES).await?)
            }
        }
    };
    let (status, bytes) =
        tokio::time::timeout(TIME_LIMIT, asking).await.ok().ok_or_else(|| {
            let seconds = TIME_LIMIT.as_secs();
            anyhow!("the collector did not answer within {seconds} s: see its own log")
        })??;
    let raw = String::from_utf8_lossy(&bytes).into_owned();
    if status != StatusCode::OK {
        let words = serde_json::from_str(&raw).map_or(raw, |ErrorAnswer { error }| error);
        return Err(Refused { status, words: in_words(at, status, words) }.into());
    }
    let value = serde_json::from_str(&raw)
        .context("the collector answered in another form: are both of the same version?")?;
    Ok(Answer { raw, value })
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
