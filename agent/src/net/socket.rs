//! A TCP stream that acknowledges at once.
//!
//! A server that writes twice in a row without `TCP_NODELAY` (Postfix after a TLS 1.3 handshake: session
//! tickets, then the answer to EHLO) waits for our acknowledgement before the second write, and Linux
//! delays that by 40 ms when we have nothing to send. Those 40 ms would be the probe's own, shown as the
//! server's. So whenever there is nothing to read, what is unacknowledged is acknowledged.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::policy::Permit;

/// A connected TCP stream, with its place among those that policy lets be open at once.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    _place: Option<Permit>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, place: Option<Permit>) -> Self {
        Self { stream, _place: place }
    }

    /// The address of our end.
    ///
    /// # Errors
    /// When the socket is no longer connected.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// When the socket is no longer connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = self.stream.set_quickack(true) {
            tracing::trace!(%error, "no quick acknowledgement");
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            self.acknowledge();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
