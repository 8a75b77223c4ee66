//! POP3 as a client (RFC 1939), with CAPA (RFC 2449), STLS (RFC 2595) and AUTH (RFC 5034).
//!
//! Each session sees the mailbox as it was when it signed in, and is the only one that has it open. No
//! password is sent without TLS unless the configuration says `tls = "none"`. What is deleted is gone when
//! QUIT is answered, and not before. Absent on purpose: pipelining, which would hide one phase in another,
//! APOP, which needs the password in clear at the server, and UTF8 (RFC 6856).

mod reply;
mod sign_in;

use std::time::Duration;

use mailsonde_proto::Fact;

use super::dial::{Dial, Patience, PhaseNames, tls_facts};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::wire::{Dotted, LONGEST_RESPONSE, Record, Wire, WireError};
use crate::net::Net;
use crate::stopwatch::Stopwatch;

pub use reply::{Capabilities, Reply, Stat, size, unique_id};

/// Phases of a POP3 session in which a run looks for its message.
pub mod name {
    /// Look-up.
    pub const RESOLVE: &str = "pop3.resolve";
    /// TCP connection.
    pub const CONNECT: &str = "pop3.connect";
    /// TLS handshake, with STLS before it where there is one.
    pub const TLS: &str = "pop3.tls";
    /// The server's greeting and what it can do.
    pub const GREETING: &str = "pop3.greeting";
    /// An access token is had from a token server.
    pub const TOKEN: &str = "pop3.token";
    /// Sign-in, in which the server opens and locks the mailbox.
    pub const AUTH: &str = "pop3.auth";
    /// The list of messages, and those in it that were not known.
    pub const LIST: &str = "pop3.list";
}

const PHASES: PhaseNames = PhaseNames {
    resolve: name::RESOLVE,
    connect: name::CONNECT,
    tls: name::TLS,
    greeting: name::GREETING,
    token: name::TOKEN,
    auth: name::AUTH,
};

/// The most bytes of a message's header that are kept.
pub const LONGEST_HEADER: usize = 64 * 1024;
/// What a message may have more on the wire than in the list: dots that are doubled, and miscounts.
const WIRE_ROOM: usize = 256 * 1024;
/// Lines of a message that is too large to be read as a whole.
const LINES_OF_LARGE: u32 = 100;
/// How long a farewell may take that nothing depends on.
const QUIT_WITHIN: Duration = Duration::from_secs(1);

/// Dials for POP3, to look into a mailbox.
pub fn dial(net: &Net, patience: Patience) -> Dial<'_> {
    Dial { net, patience, names: PHASES }
}

/// One signed-in session.
pub struct Session {
    talk: Talk,
    capabilities: Capabilities,
    facts: Vec<Fact>,
}

impl Session {
    /// Opens a session up to and with the sign-in: resolve, connect, tls, greeting, auth. Where nobody signs
    /// in, it ends with what the server can do. What is `known` of it is not asked again.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub async fn open(
        dial: Dial<'_>,
        endpoint: &Endpoint,
        known: Option<Capabilities>,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<Self, Failure> {
        let (wire, tls) = dial.open(endpoint, record, watch).await?;
        let talk = Talk { wire, patience: dial.patience, commands: 0 };
        let entered = sign_in::enter(dial, endpoint, (talk, known), watch).await?;
        let mut facts = entered.facts;
        if let Some(tls) = tls.or(entered.tls) {
            facts.extend(tls_facts("pop3", &tls, dial.patience.clock.wall()));
        }
        Ok(Self { talk: entered.talk, capabilities: entered.capabilities, facts })
    }

    /// What was learnt on the way.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What the server can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Where the conversation is written down.
    pub fn record(&self) -> &Record {
        self.talk.wire.record()
    }

    /// Commands spoken so far.
    pub fn commands(&self) -> u64 {
        self.talk.commands
    }

    /// How many messages there are, and how large they are (RFC 1939 section 5).
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn stat(&mut self, phase: &str) -> Result<Stat, Failure> {
        let awaited = "the answer to STAT";
        let text = self.talk.ask(phase, "STAT", awaited).await?;
        let text = text.map_err(|text| reply::refused(phase, "count of messages", &text))?;
        Stat::parse(&text)
            .ok_or_else(|| Failure::wire(phase, awaited, &reply::not_pop3(&format!("+OK {text}"))))
    }

    /// Each message's number and unique-id (RFC 1939 section 7).
    ///
    /// # Errors
    /// When the server refuses or does not answer, or its answer is no such list.
    pub async fn unique_ids(&mut self, phase: &str) -> Result<Vec<(u32, String)>, Failure> {
        self.talk.list(phase, "UIDL", "list of unique-ids", unique_id).await
    }

    /// Each message's number and size in bytes (RFC 1939 section 5).
    ///
    /// # Errors
    /// When the server refuses or does not answer, or its answer is no such list.
    pub async fn sizes(&mut self, phase: &str) -> Result<Vec<(u32, u64)>, Failure> {
        self.talk.list(phase, "LIST", "list of messages", size).await
    }

    /// One message's size in bytes (RFC 1939 section 5).
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn size(&mut self, phase: &str, number: u32) -> Result<u64, Failure> {
        let awaited = "the size of a message";
        let text = self.talk.ask(phase, &format!("LIST {number}"), awaited).await?;
        let text = text.map_err(|text| reply::refused(phase, "size of a message", &text))?;
        let size = size(&text).filter(|(of, _)| *of == number).map(|(_, bytes)| bytes);
        size.ok_or_else(|| Failure::wire(phase, awaited, &reply::not_pop3(&format!("+OK {text}"))))
    }

    /// A message's header, up to [`LONGEST_HEADER`]; where TOP (RFC 1939 section 7) is missing, out of the
    /// whole message.
    ///
    /// # Errors
    /// When the server refuses or does not answer, or sends more than a response may have.
    pub async fn header(&mut self, phase: &str, number: u32) -> Result<Vec<u8>, Failure> {
        let command = match self.capabilities.may_have("TOP") {
            true => format!("TOP {number} 0"),
            false => format!("RETR {number}"),
        };
        let mut header = Vec::new();
        let keep = |piece: &[u8]| {
            let room = LONGEST_HEADER.saturating_sub(header.len());
            header.extend_from_slice(piece.get(..room).unwrap_or(piece));
        };
        let what = ("header of a message", LONGEST_RESPONSE);
        self.talk.text(phase, &command, what, keep).await?;
        Ok(header)
    }

    /// A message of this size in bytes, piece by piece; of one that is larger than `most` the beginning.
    /// Whether it was all of it.
    ///
    /// # Errors
    /// When the server refuses or does not answer, or sends more than it announced.
    pub async fn message(
        &mut self,
        phase: &str,
        (number, bytes): (u32, u64),
        most: u64,
        take: impl FnMut(&[u8]),
    ) -> Result<bool, Failure> {
        let is_large = bytes > most;
        let command = match is_large {
            true => format!("TOP {number} {LINES_OF_LARGE}"),
            false => format!("RETR {number}"),
        };
        let limit = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(WIRE_ROOM);
        let what = ("message", limit.max(LONGEST_RESPONSE));
        self.talk.text(phase, &command, what, take).await?;
        Ok(!is_large)
    }

    /// What is begun is brought to its end: the deadline of whoever opened the session counts no longer.
    pub fn see_through(&mut self) {
        let Patience { clock, step, .. } = self.talk.patience;
        self.talk.patience.deadline = clock.monotonic() + step;
    }

    /// Marks a message to be removed by [`Session::quit`] (RFC 1939 section 5).
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn delete(&mut self, phase: &str, number: u32) -> Result<(), Failure> {
        let deleted = self.talk.ask(phase, &format!("DELE {number}"), "the answer to DELE").await?;
        deleted.map(drop).map_err(|text| reply::refused(phase, "removal of a message", &text))
    }

    /// Ends the session; only now is removed what was marked (RFC 1939 section 6).
    ///
    /// # Errors
    /// When the server did not remove it, or it is not known.
    pub async fn quit(mut self, phase: &str) -> Result<u64, Failure> {
        let ended = self.talk.ask(phase, "QUIT", "the answer to QUIT").await?;
        ended.map(drop).map_err(|text| reply::refused(phase, "end of the session", &text))?;
        Ok(self.talk.commands)
    }

    /// Takes leave of a server from which nothing is wanted any more; whatever it answers, or not.
    pub async fn leave(mut self) {
        self.talk.patience.step = self.talk.patience.step.min(QUIT_WITHIN);
        if self.quit("quit").await.is_err() {
            tracing::debug!("no farewell");
        }
    }
}

/// Commands and their answers.
struct Talk {
    wire: Wire,
    patience: Patience,
    commands: u64,
}

impl Talk {
    /// One command and its status: what follows `+OK`, or what follows `-ERR`.
    async fn ask(
        &mut self,
        phase: &str,
        command: &str,
        awaited: &str,
    ) -> Result<Result<String, String>, Failure> {
        self.say(phase, command, awaited).await?;
        match self.reply(phase, awaited).await? {
            Reply::Ok(text) => Ok(Ok(text)),
            Reply::Err(text) => Ok(Err(text)),
            Reply::Challenge(text) => {
                Err(Failure::wire(phase, awaited, &reply::not_pop3(&format!("+ {text}"))))
            }
        }
    }

    /// One command whose answer is a list.
    async fn list<T>(
        &mut self,
        phase: &str,
        command: &str,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        let awaited = format!("the {what}");
        let status = self.ask(phase, command, &awaited).await?;
        status.map_err(|text| reply::refused(phase, what, &text))?;
        let lines = read_list(&mut self.wire, read);
        self.patience.wait(phase, &awaited, lines).await
    }

    /// One command whose answer is a text of limited size; each piece of it has a step of its own.
    async fn text(
        &mut self,
        phase: &str,
        command: &str,
        (what, limit): (&str, usize),
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let awaited = format!("the {what}");
        let status = self.ask(phase, command, &awaited).await?;
        status.map_err(|text| reply::refused(phase, what, &text))?;
        let (mut dotted, mut piece) = (Dotted::new(limit), Vec::new());
        loop {
            piece.clear();
            let next = self.wire.piece(&mut dotted, &mut piece);
            let is_last = self.patience.wait(phase, &awaited, next).await?;
            take(&piece);
            if is_last {
                return Ok(());
            }
        }
    }

    async fn say(&mut self, phase: &str, command: &str, awaited: &str) -> Result<(), Failure> {
        self.commands += 1;
        let line = format!("{command}\r\n");
        self.patience.wait(phase, awaited, self.wire.write(line.as_bytes())).await
    }

    async fn reply(&mut self, phase: &str, awaited: &str) -> Result<Reply, Failure> {
        let line = self.patience.wait(phase, awaited, self.wire.line()).await?;
        let line = self.wire.record().redact(&line);
        Reply::parse(&line).ok_or_else(|| Failure::wire(phase, awaited, &reply::not_pop3(&line)))
    }
}

/// Lines up to the one with a dot (RFC 1939 section 3), of [`LONGEST_RESPONSE`] in all.
async fn read_list<T>(
    wire: &mut Wire,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, WireError> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    loop {
        let line = wire.line().await?;
        if line == "." {
            return Ok(items);
        }
        bytes += line.len() + 2;
        if bytes > LONGEST_RESPONSE {
            return Err(WireError::ResponseTooLong { limit: LONGEST_RESPONSE });
        }
        let line = line.strip_prefix('.').unwrap_or(&line);
        items.push(read(line).ok_or_else(|| reply::not_pop3(line))?);
    }
}

#[cfg(test)]
mod tests;
