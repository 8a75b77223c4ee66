//! One connection to a mail server: bounded, recorded, and never trusted.
//!
//! A line has an end within 8 KiB and a response within 1 MiB, or it is an error at once: what a server
//! sends is never collected without a bound. All that is said goes into the transcript. Reading is
//! cancel-safe: bytes that came stay here when a waiting future is dropped.

mod dotted;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::net::Unproven;
use crate::secret::Secret;
use crate::transcript::{Direction, Transcript};

pub use dotted::Dotted;

/// The longest line that a server may send, in bytes.
pub const LONGEST_LINE: usize = 8 * 1024;
/// The longest response to one command, in bytes.
pub const LONGEST_RESPONSE: usize = 1024 * 1024;
/// Bytes read at once.
const CHUNK: usize = 4 * 1024;

/// A stream of bytes in both directions: TCP, or TLS over it.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A transcript that the conversation writes and its observer reads.
#[derive(Clone, Debug)]
pub struct Record(Arc<Mutex<Transcript>>);

impl Record {
    /// Of this transcript.
    pub fn new(transcript: Transcript) -> Self {
        Self(Arc::new(Mutex::new(transcript)))
    }

    /// Writes down what was said.
    pub fn say(&self, direction: Direction, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).say(direction, text);
    }

    /// Writes down bytes that may be anything.
    pub fn say_bytes(&self, direction: Direction, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).say_bytes(direction, bytes);
    }

    /// From now on this does not appear in it either.
    pub fn hide(&self, secret: Secret) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hide(secret);
    }

    /// A text with every known secret struck out.
    pub fn redact(&self, text: &str) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).redact(text)
    }

    /// All of it so far.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

/// One connection.
pub struct Wire {
    stream: Box<dyn Duplex>,
    incoming: BytesMut,
    outgoing: BytesMut,
    record: Record,
    is_secret: bool,
    local: Option<IpAddr>,
    /// Why no secret may be said here.
    distrust: Option<String>,
}

impl Wire {
    /// Over an open stream.
    pub fn new(stream: impl Duplex + 'static, record: Record) -> Self {
        Self {
            stream: Box::new(stream),
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            record,
            is_secret: false,
            local: None,
            distrust: None,
        }
    }

    /// Over a TLS stream whose certificate may not be accepted: where it is not, nothing secret is ever
    /// sent, and an attempt to do so is an error.
    pub fn unproven<S: Duplex + 'static>(stream: Unproven<S>, record: Record) -> Self {
        let (stream, distrust) = stream.without_secrets();
        Self { distrust, ..Self::new(stream, record) }
    }

    /// Why nothing secret may be said here; `None` when it may.
    pub fn distrust(&self) -> Option<&str> {
        self.distrust.as_deref()
    }

    /// With the address of our end.
    #[must_use]
    pub fn at(self, local: Option<IpAddr>) -> Self {
        Self { local, ..self }
    }

    /// The address of our end, where it is known.
    pub fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// Where what is said is written down.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// From now on, what is said is secret (or no longer): an authentication exchange.
    pub fn set_secret(&mut self, is_secret: bool) {
        self.is_secret = is_secret;
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// When the connection breaks, or something secret was to be sent over an unproven stream.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.queue(bytes);
        self.flush().await
    }

    /// Sends a piece of a large text, which is not written down.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn write_bulk(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.outgoing.extend_from_slice(bytes);
        self.flush().await
    }

    /// Takes bytes to be sent by the next [`Wire::flush`].
    pub fn queue(&mut self, bytes: &[u8]) {
        if self.is_secret && self.distrust.is_some() {
            return;
        }
        if self.is_secret {
            self.record.say(Direction::Client, "(secret)");
        } else {
            self.record.say_bytes(Direction::Client, bytes);
        }
        self.outgoing.extend_from_slice(bytes);
    }

    /// Sends what was queued; a dropped call is carried on by the next one.
    ///
    /// # Errors
    /// When the connection breaks, or something secret was to be sent over an unproven stream.
    pub async fn flush(&mut self) -> Result<(), WireError> {
        if let Some(why) = self.distrust.as_ref().filter(|_| self.is_secret) {
            return Err(WireError::Distrusted { why: why.clone() });
        }
        while self.outgoing.has_remaining() {
            if self.stream.write_buf(&mut self.outgoing).await? == 0 {
                return Err(WireError::Closed);
            }
        }
        self.stream.flush().await?;
        Ok(())
    }

    /// The next line without its end; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// When the connection ends, or the line has no end within [`LONGEST_LINE`].
    pub async fn line(&mut self) -> Result<String, WireError> {
        let mut searched = 0;
        loop {
            let fresh = self.incoming.get(searched..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|b| *b == b'\n') {
                let mut line = self.incoming.split_to(searched + end + 1);
                if line.len() > LONGEST_LINE {
                    return Err(WireError::LineTooLong { limit: LONGEST_LINE });
                }
                while line.last().is_some_and(|b| matches!(b, b'\r' | b'\n')) {
                    line.truncate(line.len() - 1);
                }
                let line = String::from_utf8_lossy(&line).into_owned();
                let shown = if self.is_secret { secret_line(&line) } else { &line };
                self.record.say(Direction::Server, shown);
                return Ok(line);
            }
            searched = self.incoming.len();
            if searched > LONGEST_LINE {
                return Err(WireError::LineTooLong { limit: LONGEST_LINE });
            }
            self.fill().await?;
        }
    }

    /// Whatever comes next; at least one byte.
    ///
    /// # Errors
    /// When the connection ends.
    pub async fn chunk(&mut self) -> Result<BytesMut, WireError> {
        if self.incoming.is_empty() {
            self.fill().await?;
        }
        let chunk = self.incoming.split();
        if self.is_secret {
            self.record.say(Direction::Server, secret_line(&String::from_utf8_lossy(&chunk)));
        } else {
            self.record.say_bytes(Direction::Server, &chunk);
        }
        Ok(chunk)
    }

    /// The stream itself, to begin TLS on it, and the record to go on with.
    ///
    /// # Errors
    /// When bytes came that were not asked for: they came before TLS, and would be taken for part of the
    /// session after it (RFC 3207 section 6).
    pub fn into_stream(self) -> Result<(Box<dyn Duplex>, Record), WireError> {
        if self.incoming.is_empty() {
            Ok((self.stream, self.record))
        } else {
            self.record.say_bytes(Direction::Server, &self.incoming);
            Err(WireError::BytesBeforeTls)
        }
    }

    async fn fill(&mut self) -> Result<(), WireError> {
        self.incoming.reserve(CHUNK);
        match self.stream.read_buf(&mut self.incoming).await? {
            0 => Err(WireError::Closed),
            _ => Ok(()),
        }
    }
}

/// What may be shown of a server's part of an authentication: a final word, but no challenge.
fn secret_line(line: &str) -> &str {
    let is_challenge =
        (line.starts_with('+') && !line.starts_with("+OK")) || line.starts_with("334");
    if is_challenge { "(challenge)" } else { line }
}

/// What can go wrong with bytes.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[source] io::Error),
    /// A line without an end.
    #[error("a line is longer than {limit} bytes")]
    LineTooLong {
        /// In bytes.
        limit: usize,
    },
    /// A response without an end.
    #[error("a response is longer than {limit} bytes")]
    ResponseTooLong {
        /// In bytes.
        limit: usize,
    },
    /// An announced literal that is larger than what was asked for.
    #[error("a literal of {announced} bytes is announced, {limit} are accepted")]
    LiteralTooLong {
        /// In bytes, as announced.
        announced: u64,
        /// In bytes.
        limit: usize,
    },
    /// Bytes between the STARTTLS answer and the handshake.
    #[error("bytes came before the TLS handshake")]
    BytesBeforeTls,
    /// A secret was to be said to somebody who is not trusted.
    #[error("nothing secret is said here: {why}")]
    Distrusted {
        /// What is wrong with the certificate.
        why: String,
    },
    /// Something that is not the protocol.
    #[error("this is not the protocol: {said}")]
    NotTheProtocol {
        /// The beginning of what was said.
        said: String,
    },
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Servers that close a TLS connection without saying so (RFC 8446 section 6.1).
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::secret::Secret;

    fn wire() -> (Wire, DuplexStream) {
        let (ours, theirs) = duplex(1 << 20);
        let secrets = vec![Secret::new("hunter2".into())];
        (Wire::new(ours, Record::new(Transcript::start(Clock::system(), secrets))), theirs)
    }

    #[tokio::test]
    async fn lines_end_in_crlf_or_lf() {
        let (mut wire, mut server) = wire();
        server.write_all(b"220 a\r\n250 b\nrest\xff\r\n").await.unwrap();
        for expected in ["220 a", "250 b", "rest\u{fffd}"] {
            assert_eq!(wire.line().await.unwrap(), expected);
        }
        drop(server);
        assert!(matches!(wire.line().await, Err(WireError::Closed)));
    }

    #[tokio::test]
    async fn an_endless_line_is_an_error_before_it_is_collected() {
        let (mut wire, mut server) = wire();
        server.write_all(&vec![b'x'; 100_000]).await.unwrap();
        assert!(matches!(wire.line().await, Err(WireError::LineTooLong { .. })));
        assert!(wire.incoming.len() < 2 * LONGEST_LINE + CHUNK);
    }

    #[tokio::test]
    async fn bytes_before_tls_are_refused() {
        let (mut wire, mut server) = wire();
        server.write_all(b"220 go\r\n250 injected\r\n").await.unwrap();
        wire.line().await.unwrap();
        assert!(matches!(wire.into_stream(), Err(WireError::BytesBeforeTls)));
    }

    #[tokio::test]
    async fn an_authentication_leaves_no_trace() {
        let (mut wire, mut server) = wire();
        server.write_all(b"334 cj1hYmM=\r\n535 hunter2 is wrong\r\n").await.unwrap();
        wire.set_secret(true);
        wire.write(b"AUTH PLAIN aHVudGVyMg==\r\n").await.unwrap();
        wire.line().await.unwrap();
        wire.line().await.unwrap();
        let text = wire.record().text();
        assert!(
            text.contains("S: (challenge)") && text.contains("535 (secret) is wrong"),
            "{text}"
        );
        assert!(
            !text.contains("aHVu") && !text.contains("cj1") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
