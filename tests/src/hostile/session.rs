//! One connection of a hostile server: lines in, answers or trouble out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{ENDLESS_MAX_BYTES, Protocol, Script, Seen, Step, Tls, Trouble, imap, pop3, smtp};

const LINE_MAX_BYTES: u64 = 64 * 1024;
const PIECE_BYTES: usize = 16 * 1024;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// How a session goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// As the protocol says.
    Well,
    /// Something else was answered: as if the step had failed.
    Refused,
}

pub(super) struct Session {
    stream: BufReader<Box<dyn Stream>>,
    pub(super) script: Script,
    seen: Arc<Seen>,
    pub(super) encrypted: bool,
}

impl Session {
    pub(super) fn new(stream: TcpStream, script: Script, seen: Arc<Seen>) -> Self {
        stream.set_nodelay(true).ok();
        Self { stream: BufReader::new(Box::new(stream)), script, seen, encrypted: false }
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        if let Tls::Implicit(_) = self.script.tls {
            self = self.handshake().await?;
        }
        match self.script.protocol {
            Protocol::Smtp => smtp::serve(self).await,
            Protocol::Imap => imap::serve(self).await,
            Protocol::Pop3 => pop3::serve(self).await,
        }
    }

    /// The next line without its end. Closed or too long is an error: both end the session.
    pub(super) async fn line(&mut self) -> io::Result<String> {
        let line = self.unseen_line().await?;
        self.seen.command(&line);
        Ok(line)
    }

    /// The same for the text of a message, which is not kept.
    pub(super) async fn unseen_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_MAX_BYTES);
        limited.read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Reads and forgets a literal.
    pub(super) async fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let mut limited = (&mut self.stream).take(bytes.min(LINE_MAX_BYTES));
        tokio::io::copy(&mut limited, &mut tokio::io::sink()).await.map(drop)
    }

    pub(super) async fn send(&mut self, text: &str) -> io::Result<()> {
        self.send_bytes(text.as_bytes()).await
    }

    async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        let sent = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.seen.sent_bytes.fetch_add(sent, Ordering::Relaxed);
        Ok(())
    }

    /// Gives the right answer of a step, or the trouble that the script has for it. The answer has its
    /// line ends; the tag is empty in SMTP.
    pub(super) async fn answer(&mut self, step: Step, tag: &str, right: &str) -> io::Result<Next> {
        match self.script.trouble(step).cloned() {
            None => {
                self.send(right).await?;
                Ok(Next::Well)
            }
            Some(Trouble::Answer(line)) => {
                self.send(&format!("{}\r\n", line.replace("{tag}", tag))).await?;
                Ok(Next::Refused)
            }
            Some(Trouble::Inject(lines)) => {
                self.send(&format!("{right}{lines}")).await?;
                Ok(Next::Well)
            }
            Some(trouble) => Err(self.spoil(&trouble).await),
        }
    }

    /// Takes over the connection with TLS; what the client had sent too early is forgotten.
    pub(super) async fn handshake(mut self) -> io::Result<Self> {
        if let Some(trouble) = self.script.trouble(Step::Handshake).cloned() {
            return Err(self.spoil(&trouble).await);
        }
        let (Tls::Upgrade(config) | Tls::Implicit(config)) = self.script.tls.clone() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let plain = self.stream.into_inner();
        let stream = TlsAcceptor::from(config).accept(plain).await?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), encrypted: true, ..self })
    }

    pub(super) fn offers_starttls(&self) -> bool {
        !self.encrypted && matches!(self.script.tls, Tls::Upgrade(_))
    }

    /// Does what the script wants to go wrong; comes back when it is over, and the session with it.
    async fn spoil(&mut self, trouble: &Trouble) -> io::Error {
        let smtp = self.script.protocol == Protocol::Smtp;
        let pop3 = self.script.protocol == Protocol::Pop3;
        let (head, piece): (&[u8], &[u8]) = match trouble {
            Trouble::Hang => return self.hang().await,
            Trouble::Close | Trouble::Answer(_) | Trouble::Inject(_) => {
                return io::ErrorKind::ConnectionAborted.into();
            }
            Trouble::EndlessLine if smtp => (b"250 ", b"a"),
            Trouble::EndlessLine if pop3 => (b"+OK ", b"a"),
            Trouble::EndlessLine => (b"* OK ", b"a"),
            Trouble::EndlessLines if smtp => (b"", b"250-and more\r\n"),
            Trouble::EndlessLines if pop3 => (b"+OK\r\n", b"1 1\r\n"),
            Trouble::EndlessLines => (b"", b"* OK and more\r\n"),
            Trouble::HugeLiteral => (b"* 1 FETCH (UID 1 BODY[] {1073741824}\r\n", b"x"),
            Trouble::Rubbish => (b"", b"\x00\xff\x80\r\x16\x03\x01{\x7f\n\r\n"),
        };
        let piece = piece.repeat(PIECE_BYTES / piece.len());
        let mut left = ENDLESS_MAX_BYTES;
        let mut sending = self.send_bytes(head).await;
        while sending.is_ok() && left > 0 {
            sending = self.send_bytes(&piece).await;
            left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        }
        sending.err().unwrap_or_else(|| io::ErrorKind::FileTooLarge.into())
    }

    /// Until the client goes.
    async fn hang(&mut self) -> io::Error {
        match tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await {
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        }
    }
}
