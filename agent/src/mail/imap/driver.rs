//! Drives imap-next's state machine over a guarded wire: one command at a time, each under a deadline.

use std::time::Duration;

use imap_next::client::{Client, Error, Event, Options};
use imap_next::imap_types::command::CommandBody;
use imap_next::imap_types::response::{Code, Data, Status, StatusBody, StatusKind, Tagged};
use imap_next::{Interrupt, Io, State};
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, FaultClass};
use tokio::time::timeout;

use super::guard::Guard;
use super::name;
use crate::mail::dial::Patience;
use crate::mail::failure::Failure;
use crate::mail::wire::{LONGEST_RESPONSE, Record, Wire, WireError};

/// Untagged responses that imap-codec cannot read are skipped, up to so many a command: servers have
/// extensions. A tagged one must be readable.
const MOST_UNREADABLE: u32 = 64;

/// How many growths of the folder are told apart between two looks at it.
const MOST_NEWS: usize = 64;

/// What a server answered to one command.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Untagged data, in order.
    pub(super) data: Vec<Data<'static>>,
    /// Codes of untagged statuses and of the final one.
    pub(super) codes: Vec<Code<'static>>,
}

/// One connection in the authenticated state.
pub(super) struct Driver {
    client: Client,
    wire: Wire,
    guard: Guard,
    clock: Clock,
    last_tag: u64,
    unreadable: u32,
    exists: u32,
    news: Vec<(u32, Instant)>,
}

impl Driver {
    pub(super) fn new(wire: Wire, clock: Clock) -> Self {
        let mut options = Options::default();
        options.discard_greeting = true;
        options.crlf_relaxed = true;
        options.max_response_size = u32::try_from(LONGEST_RESPONSE).unwrap_or(u32::MAX);
        Self {
            client: Client::new(options),
            wire,
            guard: Guard::new(),
            clock,
            last_tag: 0,
            unreadable: 0,
            exists: 0,
            news: Vec::new(),
        }
    }

    pub(super) fn record(&self) -> &Record {
        self.wire.record()
    }

    /// Commands spoken so far.
    pub(super) fn commands(&self) -> u64 {
        self.last_tag
    }

    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    pub(super) fn take_news(&mut self) -> Vec<(u32, Instant)> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn keep_news(&mut self, news: Vec<(u32, Instant)>) {
        self.news = news;
    }

    pub(super) fn accept_literals_of(&mut self, bytes: usize) {
        self.guard.accept_literals_of(bytes);
    }

    pub(super) fn accept_long_lines(&mut self, long: bool) {
        self.guard.accept_long_lines(long);
    }

    /// Speaks one command and waits for its end.
    pub(super) async fn command(
        &mut self,
        patience: Patience,
        phase: &str,
        body: CommandBody<'static>,
        what: &str,
    ) -> Result<Answer, Failure> {
        let tag = self.enqueue(body)?;
        let ended = patience.wait(phase, &format!("the {what}"), self.until_tagged(&tag)).await?;
        match ended {
            Ended::Answer(answer) => Ok(answer),
            Ended::Refused(status) => Err(self.refused(phase, what, &status)),
        }
    }

    /// Waits in IDLE until something changes, `wake` is ready, or `most` is over, and ends it.
    pub(super) async fn idle(
        &mut self,
        patience: Patience,
        most: Duration,
        wake: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let tag = self.enqueue(CommandBody::Idle)?;
        let began = patience.wait(name::WATCH, "the answer to IDLE", self.until_idle()).await?;
        if let Some(status) = began {
            return Err(self.refused(name::WATCH, "IDLE", &status));
        }
        let changed = tokio::select! {
            changed = timeout(most, self.until_change()) => changed.unwrap_or(Ok(())),
            () = wake => Ok(()),
        };
        changed.map_err(|error| Failure::wire(name::WATCH, "news in IDLE", &error))?;
        self.guard.begin();
        self.client.set_idle_done();
        let deadline = self.clock.monotonic() + patience.step;
        let patience = Patience { deadline, ..patience };
        let ended = self.until_tagged(&tag);
        match patience.wait(name::WATCH, "the end of IDLE", ended).await? {
            Ended::Answer(_) => Ok(()),
            Ended::Refused(status) => Err(self.refused(name::WATCH, "IDLE", &status)),
        }
    }

    fn enqueue(&mut self, body: CommandBody<'static>) -> Result<String, Failure> {
        self.last_tag += 1;
        let tag = format!("M{}", self.last_tag);
        self.guard.begin();
        self.unreadable = 0;
        let command = body.tag(tag.clone()).ok().ok_or_else(|| super::not_a_name("tag"))?;
        self.client.enqueue_command(command);
        Ok(tag)
    }

    async fn until_tagged(&mut self, tag: &str) -> Result<Ended, WireError> {
        let mut answer = Answer::default();
        loop {
            let status = match self.event().await? {
                Event::DataReceived { data } => {
                    self.learn(&data);
                    answer.data.push(data);
                    continue;
                }
                Event::StatusReceived { status }
                | Event::CommandRejected { status, .. }
                | Event::IdleRejected { status, .. } => status,
                _ => continue,
            };
            match status {
                Status::Untagged(body) => answer.codes.extend(body.code),
                Status::Tagged(Tagged { tag: of, body }) if of.as_ref() == tag => {
                    return Ok(match body.kind {
                        StatusKind::Ok => {
                            answer.codes.extend(body.code);
                            Ended::Answer(answer)
                        }
                        StatusKind::No | StatusKind::Bad => Ended::Refused(body),
                    });
                }
                Status::Tagged(_) => {}
                // LOGOUT has its BYE before its OK; any other BYE is followed by the end.
                Status::Bye(_) => {}
            }
        }
    }

    /// Until IDLE is accepted; a status when it is refused.
    async fn until_idle(&mut self) -> Result<Option<StatusBody<'static>>, WireError> {
        loop {
            match self.event().await? {
                Event::IdleAccepted { .. } => return Ok(None),
                Event::DataReceived { data } => self.learn(&data),
                Event::IdleRejected { status: Status::Tagged(tagged), .. } => {
                    return Ok(Some(tagged.body));
                }
                _ => {}
            }
        }
    }

    /// Until the folder has more messages, or the server says goodbye.
    async fn until_change(&mut self) -> Result<(), WireError> {
        loop {
            match self.event().await? {
                Event::DataReceived { data } => {
                    self.learn(&data);
                    self.guard.begin();
                    if matches!(data, Data::Exists(_)) {
                        return Ok(());
                    }
                }
                Event::StatusReceived { status: Status::Bye(_) } => return Err(WireError::Closed),
                // `* OK Still here` every two minutes.
                _ => self.guard.begin(),
            }
        }
    }

    fn learn(&mut self, data: &Data<'_>) {
        match data {
            Data::Exists(count) => {
                if *count > self.exists {
                    // Beyond the bound the last one is moved on: seen too late rather than too early.
                    if self.news.len() >= MOST_NEWS {
                        self.news.pop();
                    }
                    self.news.push((*count, self.clock.monotonic()));
                }
                self.exists = *count;
            }
            Data::Expunge(number) => {
                self.exists = self.exists.saturating_sub(1);
                for (count, _) in self.news.iter_mut().filter(|(count, _)| *count >= number.get()) {
                    *count -= 1;
                }
            }
            _ => {}
        }
    }

    /// The next event; cancel-safe, for nothing is lost between two awaits.
    async fn event(&mut self) -> Result<Event, WireError> {
        loop {
            match self.client.next() {
                Ok(event) => {
                    self.wire.flush().await?;
                    return Ok(event);
                }
                Err(Interrupt::Io(Io::Output(bytes))) => self.wire.queue(&bytes),
                Err(Interrupt::Io(Io::NeedMoreInput)) => {
                    self.wire.flush().await?;
                    let chunk = self.wire.chunk().await?;
                    self.guard.check(&chunk)?;
                    self.client.enqueue_input(&chunk);
                }
                Err(Interrupt::Error(error)) => self.unreadable(error)?,
            }
        }
    }

    fn unreadable(&mut self, error: Error) -> Result<(), WireError> {
        let said = match &error {
            Error::ExpectedCrlfGotLf { discarded_bytes }
            | Error::MalformedMessage { discarded_bytes } => discarded_bytes.declassify(),
            Error::ResponseTooLong { .. } => {
                return Err(WireError::ResponseTooLong { limit: LONGEST_RESPONSE });
            }
        };
        self.unreadable += 1;
        if said.starts_with(b"* ") && self.unreadable <= MOST_UNREADABLE {
            return Ok(());
        }
        let said = String::from_utf8_lossy(said.get(..80).unwrap_or(said));
        Err(WireError::NotTheProtocol { said: said.trim_end().escape_default().to_string() })
    }

    /// A server's NO or BAD. RFC 5530 has the codes that say that it will pass.
    fn refused(&self, phase: &str, what: &str, status: &StatusBody<'_>) -> Failure {
        let code = status.code.as_ref().map(|code| format!("{code:?}")).unwrap_or_default();
        let reply = self.record().redact(status.text.inner());
        let passing = ["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN"];
        let class = match status.kind {
            StatusKind::Bad => FaultClass::Protocol,
            _ if passing.iter().any(|word| code.to_ascii_uppercase().contains(word)) => {
                FaultClass::Temporary
            }
            _ => FaultClass::Permanent,
        };
        let words = format!("the server refused the {what}");
        Failure::new(phase, class, words).with_reply(None, None, reply)
    }
}

/// Reads bytes as a session would, up to their end or the first that is refused: how many of the answers
/// in them could be read. For tests of what no server may achieve.
///
/// # Errors
/// What is refused.
pub fn heard(bytes: &[u8]) -> Result<usize, WireError> {
    let mut options = Options::default();
    options.discard_greeting = true;
    options.crlf_relaxed = true;
    options.max_response_size = u32::try_from(LONGEST_RESPONSE).unwrap_or(u32::MAX);
    let (mut client, mut guard, mut read) = (Client::new(options), Guard::new(), 0);
    guard.check(bytes)?;
    client.enqueue_input(bytes);
    loop {
        match client.next() {
            Ok(Event::DataReceived { data }) => {
                super::look::read_all(&data);
                drop(super::found::described(data.clone()));
                drop(super::found::body(data));
                read += 1;
            }
            Ok(_) => read += 1,
            Err(Interrupt::Io(_)) => return Ok(read),
            // Each of these takes bytes away, so that there is an end.
            Err(Interrupt::Error(_)) => {}
        }
    }
}

enum Ended {
    Answer(Answer),
    Refused(StatusBody<'static>),
}
