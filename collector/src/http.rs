//! One exchange of HTTP/1.1 over a stream that somebody else opened and bounds in time.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The other end does not speak HTTP as we do, or went away.
    #[error("the connection broke: {0}")]
    Connection(#[from] hyper::Error),
    /// The body broke off, or was too large.
    #[error("the answer broke off: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

/// Asks, and has the answer taken as it comes.
///
/// # Errors
/// When there is none; or what `take` says.
pub(crate) async fn exchange<T, E: From<hyper::Error>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, E>,
) -> Result<T, E> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move { take(sender.send_request(request).await?).await };
    // The connection moves the bytes; when the exchange is over, nobody needs it any more.
    tokio::pin!(exchange, connection);
    tokio::select! {
        outcome = &mut exchange => outcome,
        // Whether that came to an answer, the exchange knows: many end a connection without TLS's farewell.
        _ended = &mut connection => exchange.await,
    }
}

/// A whole answer of at most so many bytes.
///
/// # Errors
/// When it breaks off, or is larger.
pub(crate) async fn whole(
    answer: Response<Incoming>,
    max_bytes: usize,
) -> Result<(StatusCode, Bytes), HttpError> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), max_bytes).collect().await;
    Ok((status, body.map_err(HttpError::Body)?.to_bytes()))
}
