//! Remembers how a connection broke: what HTTP/2 and gRPC say of it afterwards has lost the reason.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What broke a connection, once something has.
pub(crate) type Testimony = Arc<OnceLock<String>>;

/// A stream whose first error is remembered.
pub(super) struct Witness<S> {
    stream: S,
    testimony: Testimony,
    /// A write failed, and the reading side has not said why yet.
    failed: Option<io::Error>,
}

impl<S> Witness<S> {
    pub(super) fn new(stream: S) -> (Self, Testimony) {
        let testimony = Testimony::default();
        (Self { stream, testimony: testimony.clone(), failed: None }, testimony)
    }

    fn heard<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled {
            self.testimony.get_or_init(|| error.to_string());
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Witness<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        self.heard(polled)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Witness<S> {
    /// A peer that refuses us says why and closes: when a write finds the connection closed, the reason
    /// stands where the next read looks. The write's failure waits for that; an end or an error is sure
    /// to come to the reading side of a closed connection.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let failed = match (polled, self.failed.take()) {
            (Poll::Ready(Err(error)), _) | (Poll::Pending, Some(error)) => error,
            (polled, _) => return polled,
        };
        loop {
            let mut bytes = [0; 256];
            let mut rest = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(cx, &mut rest) {
                Poll::Pending => {
                    self.failed = Some(failed);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) if !rest.filled().is_empty() => {}
                Poll::Ready(Ok(())) => break,
                Poll::Ready(Err(reason)) => {
                    self.testimony.get_or_init(|| reason.to_string());
                    break;
                }
            }
        }
        self.heard(Poll::Ready(Err(failed)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Witness<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
