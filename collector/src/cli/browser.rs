//! A browser comes back from an OpenID provider: one small listener on this machine, for as long as that takes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Nobody waits longer for a browser.
const PATIENCE: Duration = Duration::from_secs(600);
/// A question is there by then.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of a question's head at most.
const MAX_HEAD_BYTES: u64 = 16 * 1024;

/// Where the browser comes back to.
pub(super) struct Return {
    listener: TcpListener,
    address: SocketAddr,
}

impl Return {
    /// Listens on this machine alone.
    pub(super) async fn listen() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("cannot listen for the browser on this machine")?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// As the provider is told (RFC 8252 section 7.3).
    pub(super) fn uri(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Waits for the code that belongs to this state.
    pub(super) async fn code(self, state: &str) -> anyhow::Result<String> {
        let waiting = async {
            loop {
                let (stream, _) = self.listener.accept().await?;
                if let Some(answer) = one(stream, state).await {
                    return answer;
                }
            }
        };
        let minutes = PATIENCE.as_secs() / 60;
        let came = tokio::time::timeout(PATIENCE, waiting).await.ok();
        came.with_context(|| format!("no browser came back within {minutes} minutes"))?
    }
}

/// What one connection brought; `None` for anything but the browser that is waited for.
async fn one(mut stream: TcpStream, state: &str) -> Option<anyhow::Result<String>> {
    let head = tokio::time::timeout(HEAD_LIMIT, head(&mut stream)).await.ok()??;
    let brought = brought(&head, state);
    let (status, words) = match &brought {
        None => ("404 Not Found", "There is nothing here."),
        Some(Ok(_)) => ("200 OK", "You can close this page and go back to the terminal."),
        Some(Err(_)) => ("200 OK", "That did not work: the terminal says why."),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{words}",
        words.len()
    );
    // The browser may have gone: what it brought counts.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
    brought
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut stream = stream.take(MAX_HEAD_BYTES);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

/// RFC 6749 sections 4.1.2 and 4.1.2.1.
fn brought(head: &str, state: &str) -> Option<anyhow::Result<String>> {
    let target = head.strip_prefix("GET ")?.split(' ').next()?;
    let url = Url::parse("http://localhost").ok()?.join(target).ok()?;
    let value = |key: &str| {
        let mut pairs = url.query_pairs();
        pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
    };
    if value("state").as_deref() != Some(state) {
        return None;
    }
    Some(match (value("code"), value("error")) {
        (Some(code), _) => Ok(code),
        (None, error) => refused(&error.unwrap_or_default(), value("error_description")),
    })
}

fn refused(error: &str, description: Option<String>) -> anyhow::Result<String> {
    let description = description.map(|it| format!(" ({it})")).unwrap_or_default();
    let words = super::terminal::printable(&format!("{error}{description}"));
    bail!("the OpenID provider did not let you in: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_browser_that_is_waited_for_brings_a_code() {
        for (head, expected) in [
            ("GET /?code=c%2B1&state=s HTTP/1.1\r\n\r\n", Some(Ok("c+1"))),
            ("GET /?state=s&code=c HTTP/1.1\r\n\r\n", Some(Ok("c"))),
            (
                "GET /?state=s&error=access_denied&error_description=no%0a HTTP/1.1",
                Some(Err("(no")),
            ),
            ("GET /?state=s HTTP/1.1\r\n\r\n", Some(Err("did not let you in"))),
            ("GET /?code=c&state=other HTTP/1.1\r\n\r\n", None),
            ("GET /?code=c HTTP/1.1\r\n\r\n", None),
            ("GET /favicon.ico HTTP/1.1\r\n\r\n", None),
            ("POST /?code=c&state=s HTTP/1.1\r\n\r\n", None),
            ("", None),
        ] {
            let found = brought(head, "s").map(|it| it.map_err(|error| error.to_string()));
            match (&found, expected) {
                (None, None) => {}
                (Some(Ok(code)), Some(Ok(expected))) => assert_eq!(code, expected),
                (Some(Err(error)), Some(Err(words))) => assert!(error.contains(words), "{error}"),
                _ => panic!("{head}: {found:?}"),
            }
        }
    }
}
