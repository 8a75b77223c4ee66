//! IMAP as a client (RFC 3501, RFC 9051), as far as a watcher needs it.
//!
//! The session is opened and signed in line by line; from then on imap-next's state machine reads and
//! writes, fed through a guard that bounds every line, literal and response before a byte is kept.
//! Messages are only peeked at. Absent on purpose: anything that changes a message of somebody else.

mod driver;
mod folders;
mod found;
mod guard;
mod look;
mod sign_in;

use std::num::NonZeroU32;
use std::time::Duration;

use imap_next::imap_types::command::CommandBody;
use imap_next::imap_types::core::{AString, Vec1};
use imap_next::imap_types::fetch::{MessageDataItemName, Section};
use imap_next::imap_types::flag::{Flag, StoreResponse, StoreType};
use imap_next::imap_types::mailbox::Mailbox as Folder;
use imap_next::imap_types::response::{Code, Data};
use imap_next::imap_types::search::SearchKey;
use imap_next::imap_types::sequence::SequenceSet;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Fact, FaultClass};

use super::dial::{Dial, Patience, PhaseNames, tls_facts};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::wire::Record;
use crate::net::Net;
use crate::stopwatch::Stopwatch;
use driver::{Answer, Driver};

pub use driver::heard;
pub use found::Described;
pub use look::{FolderStatus, Quota};

/// Phases of an IMAP connection that had to be made for a run.
pub mod name {
    /// Look-up.
    pub const RESOLVE: &str = "imap.resolve";
    /// TCP connection.
    pub const CONNECT: &str = "imap.connect";
    /// TLS handshake, with STARTTLS before it where there is one.
    pub const TLS: &str = "imap.tls";
    /// The server's greeting and what it can do.
    pub const GREETING: &str = "imap.greeting";
    /// An access token is had from a token server.
    pub const TOKEN: &str = "imap.token";
    /// Sign-in.
    pub const AUTH: &str = "imap.auth";
    /// Selection of the folder, and the search for strays.
    pub const SELECT: &str = "imap.select";
    /// Watching, fetching and cleaning up.
    pub const WATCH: &str = "imap.watch";
}

const PHASES: PhaseNames = PhaseNames {
    resolve: name::RESOLVE,
    connect: name::CONNECT,
    tls: name::TLS,
    greeting: name::GREETING,
    token: name::TOKEN,
    auth: name::AUTH,
};

/// Bytes of those headers of one message at most: a stranger's may be of any length, and a literal has its bound.
const MOST_HEADERS: NonZeroU32 = NonZeroU32::new(16 * 1024).unwrap();
/// Headers that are asked for: those that make a message ours, a bounce of ours, or an answer to ours.
const HEADERS: [&str; 13] = [
    super::message::TOKEN_HEADER,
    "Message-ID",
    "Content-Type",
    "Auto-Submitted",
    "Precedence",
    "X-Autoreply",
    "X-Autorespond",
    "X-Failed-Recipients",
    "In-Reply-To",
    "References",
    "From",
    "Subject",
    "Return-Path",
];
/// The most messages whose headers are asked for at once.
pub const MOST_MESSAGES: usize = 200;
/// Dials for IMAP, to watch a mailbox.
pub fn dial(net: &Net, patience: Patience) -> Dial<'_> {
    Dial { net, patience, names: PHASES }
}

/// What a selected folder says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// UIDs of another validity are other messages.
    pub uid_validity: u32,
    /// The UID that the next message gets.
    pub uid_next: u32,
}

/// One signed-in session.
pub struct Session {
    driver: Driver,
    capabilities: Vec<String>,
    facts: Vec<Fact>,
    patience: Patience,
    phase: &'static str,
    is_kept: bool,
}

impl Session {
    /// Opens a session up to and with the sign-in.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub async fn open(
        dial: Dial<'_>,
        endpoint: &Endpoint,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<Self, Failure> {
        let (wire, tls) = dial.open(endpoint, record, watch).await?;
        let entered = sign_in::enter(dial, endpoint, wire, watch).await?;
        let mut facts = Vec::new();
        if let Some(tls) = tls.or(entered.tls) {
            facts.extend(tls_facts("imap", &tls, dial.patience.clock.wall()));
        }
        Ok(Self {
            driver: Driver::new(entered.wire, dial.patience.clock),
            capabilities: entered.capabilities,
            facts,
            patience: dial.patience,
            phase: name::SELECT,
            is_kept: false,
        })
    }

    /// What is spoken from now on belongs to this phase.
    pub fn enter(&mut self, phase: &'static str) {
        self.phase = phase;
    }

    /// From now on it outlives the run that opened it: each step has a deadline of its own.
    pub fn keep(&mut self) {
        self.is_kept = true;
        self.phase = name::WATCH;
    }

    /// What was learnt on the way.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Where the conversation is written down.
    pub fn record(&self) -> &Record {
        self.driver.record()
    }

    /// Whether the server has a capability, such as `IDLE`.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|c| c == capability)
    }

    /// Whether the folder has grown since [`Session::take_news`].
    pub fn has_news(&self) -> bool {
        self.driver.has_news()
    }

    /// Each growth of the folder since the last call: to how many messages, and when that was seen.
    pub fn take_news(&mut self) -> Vec<(u32, Instant)> {
        self.driver.take_news()
    }

    /// Puts news back that is not dealt with yet.
    pub fn keep_news(&mut self, news: Vec<(u32, Instant)>) {
        self.driver.keep_news(news);
    }

    /// Commands spoken so far.
    pub fn commands(&self) -> u64 {
        self.driver.commands()
    }

    /// Selects a folder.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn select(&mut self, folder: &str) -> Result<Selected, Failure> {
        let mailbox = Folder::try_from(folder.to_owned());
        let mailbox = mailbox.ok().ok_or_else(|| not_a_name("folder"))?;
        let body = CommandBody::Select { mailbox };
        let answer = self.command(body, &format!("selection of {folder}")).await?;
        let mut selected = Selected { uid_validity: 0, uid_next: 0 };
        for code in &answer.codes {
            match code {
                Code::UidValidity(validity) => selected.uid_validity = validity.get(),
                Code::UidNext(next) => selected.uid_next = next.get(),
                _ => {}
            }
        }
        // What the folder holds already is no news.
        self.driver.take_news();
        Ok(selected)
    }

    /// UIDs of messages that carry our header, whoever's token is in it.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn search_tokens(&mut self) -> Result<Vec<u32>, Failure> {
        let header = text(super::message::TOKEN_HEADER)?;
        self.search(SearchKey::Header(header, text("")?), "search for test messages").await
    }

    /// Looks whether anything has changed.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn noop(&mut self) -> Result<(), Failure> {
        self.command(CommandBody::Noop, "answer to NOOP").await.map(drop)
    }

    /// Descriptions of the messages of `set`, such as `17:*`.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn describe(&mut self, set: &str) -> Result<Vec<Described>, Failure> {
        let headers = HEADERS.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let headers = Vec1::try_from(headers).ok().ok_or_else(|| not_a_name("header"))?;
        let items = vec![
            MessageDataItemName::Uid,
            MessageDataItemName::InternalDate,
            MessageDataItemName::Rfc822Size,
            MessageDataItemName::BodyExt {
                section: Some(Section::HeaderFields(None, headers)),
                partial: Some((0, MOST_HEADERS)),
                peek: true,
            },
        ];
        let body = fetch(set, items)?;
        let answer = self.command(body, "description of messages").await?;
        Ok(answer.data.into_iter().filter_map(found::described).collect())
    }

    /// The first `most` bytes of each message of `set`, by UID.
    ///
    /// # Errors
    /// When the server refuses, does not answer, or sends more than was asked for.
    pub async fn read(&mut self, set: &str, most: usize) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
        self.read_from(set, 0, most).await
    }

    /// At most `most` bytes of each message of `set` from the byte `from` on, by UID. Only for this answer
    /// so long a literal is accepted.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_from(
        &mut self,
        set: &str,
        from: u32,
        most: usize,
    ) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
        let bytes = u32::try_from(most).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        let partial = Some((from, bytes));
        let items = vec![
            MessageDataItemName::Uid,
            MessageDataItemName::BodyExt { section: None, partial, peek: true },
        ];
        let body = fetch(set, items)?;
        self.driver.accept_literals_of(most);
        let answer = self.command(body, "messages").await;
        self.driver.accept_literals_of(guard::LONGEST_LITERAL);
        Ok(answer?.data.into_iter().filter_map(found::body).collect())
    }

    /// Removes these messages and no other. Without UIDPLUS (RFC 4315) a plain EXPUNGE would also remove
    /// what somebody else marked, so it is only spoken when nobody did; the messages stay marked else.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn remove(&mut self, uids: &[u32]) -> Result<(), Failure> {
        let Some(set) = uid_set(uids) else { return Ok(()) };
        let flags = vec![Flag::Deleted];
        let store =
            CommandBody::store(sequence(&set)?, StoreType::Add, StoreResponse::Silent, flags, true);
        let store = store.ok().ok_or_else(|| not_a_name("set"))?;
        self.command(store, "removal of test messages").await?;
        let expunge = if self.has("UIDPLUS") {
            CommandBody::ExpungeUid { sequence_set: sequence(&set)? }
        } else {
            let marked = self.search(SearchKey::Deleted, "search for marked messages").await?;
            if marked.iter().any(|uid| !uids.contains(uid)) {
                return Ok(());
            }
            CommandBody::Expunge
        };
        self.command(expunge, "removal of test messages").await.map(drop)
    }

    /// Waits in IDLE (RFC 2177) until something changes, `wake` is ready, or `most` is over. It is
    /// cancel-safe as a whole only in so far as the session must be dropped when it is dropped.
    ///
    /// # Errors
    /// When the server refuses, hangs up, or does not end it when it should.
    pub async fn idle(
        &mut self,
        most: Duration,
        wake: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let patience = self.patience();
        self.driver.idle(patience, most, wake).await
    }

    /// Takes leave.
    pub async fn logout(mut self) {
        if self.command(CommandBody::Logout, "farewell").await.is_err() {
            tracing::debug!("no farewell");
        }
    }

    async fn search(&mut self, key: SearchKey<'static>, what: &str) -> Result<Vec<u32>, Failure> {
        let body = CommandBody::search(None, Vec1::from(key), true);
        self.driver.accept_long_lines(true);
        let answer = self.command(body, what).await;
        self.driver.accept_long_lines(false);
        let uids = answer?.data.into_iter().filter_map(|data| match data {
            Data::Search(uids) => Some(uids),
            _ => None,
        });
        Ok(uids.flatten().map(NonZeroU32::get).collect())
    }

    async fn command(&mut self, body: CommandBody<'static>, what: &str) -> Result<Answer, Failure> {
        let patience = self.patience();
        self.driver.command(patience, self.phase, body, what).await
    }

    fn patience(&self) -> Patience {
        let Patience { clock, step, .. } = self.patience;
        let deadline = if self.is_kept { clock.monotonic() + step } else { self.patience.deadline };
        Patience { deadline, ..self.patience }
    }
}

/// UIDs as a set, in order; `None` when there are none.
pub fn uid_set(uids: &[u32]) -> Option<String> {
    let mut sorted = uids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let texts: Vec<_> = sorted.iter().map(u32::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

fn fetch(
    set: &str,
    items: Vec<MessageDataItemName<'static>>,
) -> Result<CommandBody<'static>, Failure> {
    CommandBody::fetch(sequence(set)?, items, true).ok().ok_or_else(|| not_a_name("set"))
}

fn sequence(set: &str) -> Result<SequenceSet, Failure> {
    SequenceSet::try_from(set).ok().ok_or_else(|| not_a_name("set"))
}

fn text(text: &str) -> Result<AString<'static>, Failure> {
    AString::try_from(text.to_owned()).ok().ok_or_else(|| not_a_name("text"))
}

fn not_a_name(what: &str) -> Failure {
    let words = format!("the {what} cannot be written in IMAP");
    Failure::new(name::SELECT, FaultClass::Protocol, words)
}

#[cfg(test)]
mod tests;
