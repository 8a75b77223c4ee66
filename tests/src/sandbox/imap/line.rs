//! Joins imap-next's server state to a connection: bounded input, output sent as it is made.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use imap_next::imap_types::core::{Text, Vec1};
use imap_next::imap_types::response::{
    Capability, Code, CommandContinuationRequest, Data, Greeting, GreetingKind, Status,
};
use imap_next::server::{Error, Event, Options, ResponseHandle, Server};
use imap_next::{Interrupt, Io, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sandbox::listen::Wire;

/// Nothing that a test client sends is longer; APPEND is not offered.
const LONGEST_LITERAL: u32 = 16 << 10;
const LONGEST_COMMAND: u32 = 64 << 10;
/// Output is sent on when this much has come together, so that FETCH does not pile up.
const SEND_FROM: usize = 32 << 10;
const READ_AT_ONCE: usize = 8 << 10;
/// A client that does not read its responses for so long is gone.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);

/// What comes from the client.
pub(super) enum Input {
    Event(Event),
    /// A line that is no command, as it came.
    Malformed(Vec<u8>),
    Closed,
}

/// A connection that speaks IMAP.
pub(super) struct Line {
    server: Server,
    wire: Wire,
    output: BytesMut,
    input: Box<[u8]>,
}

impl Line {
    /// A new connection, with its greeting to be sent first.
    pub(super) fn new(wire: Wire, capabilities: Vec1<Capability<'static>>) -> Self {
        let greeting = Greeting {
            kind: GreetingKind::Ok,
            code: Some(Code::Capability(capabilities)),
            text: Text::unvalidated("Mailsonde sandbox"),
        };
        let mut options = Options::default();
        options.crlf_relaxed = true;
        options.max_literal_size = LONGEST_LITERAL;
        options.max_command_size = LONGEST_COMMAND;
        Self {
            server: Server::new(options, greeting),
            wire,
            output: BytesMut::new(),
            input: vec![0; READ_AT_ONCE].into_boxed_slice(),
        }
    }

    /// The same connection after STARTTLS, where no greeting is sent (RFC 3501 section 6.2.1).
    pub(super) fn after_starttls(wire: Wire) -> Self {
        let mut line = Self::new(wire, Vec1::from(Capability::Imap4Rev1));
        // imap-next always starts with a greeting: let it, and keep the bytes from the wire.
        while !matches!(line.server.next(), Ok(_) | Err(Interrupt::Io(Io::NeedMoreInput))) {}
        line
    }

    /// Takes the connection out, for a handshake.
    pub(super) fn take_wire(&mut self) -> Wire {
        std::mem::replace(&mut self.wire, Box::new(tokio::io::empty()))
    }

    /// The next input. Safe to drop while waiting: nothing read or written is lost.
    pub(super) async fn next(&mut self) -> io::Result<Input> {
        loop {
            match self.server.next() {
                Ok(Event::GreetingSent { .. } | Event::ResponseSent { .. }) => {}
                Ok(event) => return Ok(Input::Event(event)),
                Err(Interrupt::Io(Io::Output(bytes))) => self.output.extend_from_slice(&bytes),
                Err(Interrupt::Io(Io::NeedMoreInput)) => {
                    self.flush().await?;
                    let read = self.wire.read(&mut self.input).await?;
                    let Some(bytes) = self.input.get(..read).filter(|bytes| !bytes.is_empty())
                    else {
                        return Ok(Input::Closed);
                    };
                    self.server.enqueue_input(bytes);
                }
                Err(Interrupt::Error(Error::MalformedMessage { discarded_bytes })) => {
                    return Ok(Input::Malformed(discarded_bytes.declassify().to_vec()));
                }
                // imap-next has refused the literal itself; the client may go on.
                Err(Interrupt::Error(Error::LiteralTooLong { .. })) => {}
                Err(Interrupt::Error(error)) => return Err(io::Error::other(error)),
            }
        }
    }

    pub(super) async fn data(&mut self, data: Data<'static>) -> io::Result<()> {
        let handle = self.server.enqueue_data(data);
        self.send(handle).await
    }

    pub(super) async fn status(&mut self, status: Status<'static>) -> io::Result<()> {
        let handle = self.server.enqueue_status(status);
        self.send(handle).await
    }

    pub(super) async fn challenge(
        &mut self,
        request: CommandContinuationRequest<'static>,
    ) -> io::Result<()> {
        let handle = self.server.authenticate_continue(request).or(Err(out_of_order()))?;
        self.send(handle).await
    }

    pub(super) async fn finish_authenticate(&mut self, status: Status<'static>) -> io::Result<()> {
        let handle = self.server.authenticate_finish(status).or(Err(out_of_order()))?;
        self.send(handle).await
    }

    pub(super) async fn accept_idle(
        &mut self,
        request: CommandContinuationRequest<'static>,
    ) -> io::Result<()> {
        let handle = self.server.idle_accept(request).or(Err(out_of_order()))?;
        self.send(handle).await
    }

    pub(super) async fn reject_idle(&mut self, status: Status<'static>) -> io::Result<()> {
        let handle = self.server.idle_reject(status).or(Err(out_of_order()))?;
        self.send(handle).await
    }

    /// Writes what is waiting. Safe to drop in the middle: what was written is forgotten at once.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let sent = async {
            while self.output.has_remaining() {
                self.wire.write_buf(&mut self.output).await?;
            }
            self.wire.flush().await
        };
        tokio::time::timeout(SEND_TIMEOUT, sent).await?
    }

    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.wire.shutdown().await
    }

    async fn send(&mut self, handle: ResponseHandle) -> io::Result<()> {
        loop {
            match self.server.next() {
                Err(Interrupt::Io(Io::Output(bytes))) => self.output.extend_from_slice(&bytes),
                Ok(Event::ResponseSent { handle: sent, .. }) if sent == handle => break,
                Ok(Event::ResponseSent { .. } | Event::GreetingSent { .. }) => {}
                // imap-next sends all that is queued before it looks at input again.
                Ok(_) | Err(_) => return Err(out_of_order()),
            }
        }
        if self.output.len() >= SEND_FROM {
            self.flush().await?;
        }
        Ok(())
    }
}

fn out_of_order() -> io::Error {
    io::Error::other("the protocol state does not allow this response now")
}
