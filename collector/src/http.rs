//! One bounded exchange of HTTP/1.1 over a stream that somebody else opened and bounds in time.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
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

/// Asks, and reads an answer of at most so many bytes.
///
/// # Errors
/// When there is none, or it is larger.
pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<(StatusCode, Bytes), HttpError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let answer: Response<_> = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), max_bytes).collect().await;
        Ok((status, body.map_err(HttpError::Body)?.to_bytes()))
    };
    // The connection moves the bytes; when the exchange is over, nobody needs it any more.
    tokio::pin!(exchange, connection);
    tokio::select! {
        outcome = &mut exchange => outcome,
        // Whether that came to an answer, the exchange knows: many end a connection without TLS's farewell.
        _ended = &mut connection => exchange.await,
    }
}
