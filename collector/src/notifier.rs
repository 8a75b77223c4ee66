//! Channels: where messages to people go, one file a kind and one line in `read.rs`.
//!
//! A channel makes a payload of a [`Message`], in its service's published format and limits, sends it once and says
//! what came of it. Invariants: every exchange is bounded in time and size; text of servers and agents is literal in
//! every channel, so that it can neither call anybody nor dress up; every payload carries the message's id, which is
//! the same at every attempt; secrets stand in no log, error or outcome; a service is believed only where it says what
//! it says when it took the message. Absent on purpose: queues, attempts and their pace, and who is told what.

mod parcel;
mod read;
mod source;

mod command;
mod discord;
mod email;
mod google_chat;
mod mattermost;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod slack;
mod teams;
mod telegram;
mod webhook;
mod zoom;

mod body;
mod desk;
mod text;

#[cfg(test)]
mod samples;
#[cfg(test)]
pub(crate) mod tests;

pub use email::EMAIL;
pub use parcel::Parcel;
#[cfg(test)]
pub(crate) use read::kinds;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Mistake;
use crate::folder::Folder;
use crate::judge::message::Message;
use crate::outward::TIME_LIMIT;

/// The folder's name in the collector's folder.
pub const FOLDER: &str = "channels.d";
/// Channels in all files at most.
pub const MAX_CHANNELS: usize = 200;
/// Bytes of a [`Handle`] at most.
pub const MAX_HANDLE_BYTES: usize = 512;

/// What a channel is to send.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// What to say.
    pub message: &'a Message,
    /// What the channel gave back for this conversation's first message, to go on in its thread or to change it.
    pub earlier: Option<&'a Handle>,
}

/// By what a channel finds a message again: its own words, of [`MAX_HANDLE_BYTES`] at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle(pub String);

impl Handle {
    /// `None` where it is longer than anybody's ids are.
    fn of(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (1..=MAX_HANDLE_BYTES).contains(&text.len()).then_some(Self(text))
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service took it.
    Sent {
        /// By what to go on in its conversation, where the service gave any: that of the first message is to be kept.
        handle: Option<Handle>,
        /// The service showed that it is there; otherwise it only said that it accepted it.
        confirmed: bool,
        /// What it said, in short; no secrets.
        said: String,
    },
    /// It is worth another attempt.
    Later {
        /// Not before this is over, where the service said so.
        after: Option<Duration>,
        /// What went wrong; no secrets.
        why: String,
        /// People may have it already.
        may_have_arrived: bool,
    },
    /// Another attempt would fare the same: an operator must act.
    Refused {
        /// What went wrong and what to do; no secrets.
        why: String,
    },
}

impl Outcome {
    /// The same where an earlier step of the same message was taken already.
    fn halfway(self) -> Self {
        match self {
            Self::Later { after, why, .. } => Self::Later { after, why, may_have_arrived: true },
            other => other,
        }
    }
}

/// Where messages can go.
pub trait Channel: Send + Sync + Debug {
    /// Sends one message, once. Dropping the future ends the attempt; what came of it is unknown then.
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome>;

    /// Sends a mail that is no message, once; `None` where it is no channel of mail.
    fn carry<'a>(&'a self, _parcel: &'a Parcel) -> Option<BoxFuture<'a, Outcome>> {
        None
    }

    /// Such as `slack`.
    fn kind(&self) -> &'static str;

    /// Where it goes, for people: a host, an address or a program; never a secret.
    fn destination(&self) -> String;
}

/// A channel as the files define it.
#[derive(Clone, Debug)]
pub struct Named {
    /// By what routes name it.
    pub name: String,
    /// Where it goes.
    pub channel: Arc<dyn Channel>,
    /// The channel that tells when this one does not work.
    pub instead: Option<String>,
    /// Nothing is sent where it is not.
    pub is_enabled: bool,
}

/// The channels of all files, in their order.
#[derive(Clone, Debug, Default)]
pub struct Channels(Vec<Named>);

impl Channels {
    /// Reads every `*.toml` of `channels.d`, by name; a folder that is not there defines none. `relays_watched` names
    /// the check that watches a host, where there is one: a mail relay must not be watched by ourselves.
    ///
    /// # Errors
    /// Every mistake, in the order of files and lines.
    pub fn read(
        folder: &Folder,
        relays_watched: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Mistake>> {
        Self::read_within(folder, relays_watched, TIME_LIMIT)
    }

    /// The same, with another limit of time for an exchange over HTTP.
    ///
    /// # Errors
    /// Every mistake, in the order of files and lines.
    pub fn read_within(
        folder: &Folder,
        relays_watched: &dyn Fn(&str) -> Option<String>,
        limit: Duration,
    ) -> Result<Self, Vec<Mistake>> {
        let (found, mistakes) = read::channels(folder, relays_watched, limit);
        if mistakes.is_empty() { Ok(Self(found)) } else { Err(mistakes) }
    }

    /// Those that are right, and every mistake of the rest: one that is wrong silences no other.
    pub fn read_right(
        folder: &Folder,
        relays_watched: &dyn Fn(&str) -> Option<String>,
    ) -> (Self, Vec<Mistake>) {
        let (found, mistakes) = read::channels(folder, relays_watched, TIME_LIMIT);
        (Self(found), mistakes)
    }

    /// These.
    pub fn of(channels: impl IntoIterator<Item = Named>) -> Self {
        Self(channels.into_iter().collect())
    }

    /// The channel of this name.
    pub fn get(&self, name: &str) -> Option<&Named> {
        self.0.iter().find(|named| named.name == name)
    }

    /// All of them, in the order of files and lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Named> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'c> IntoIterator for &'c Channels {
    type Item = &'c Named;
    type IntoIter = std::slice::Iter<'c, Named>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
