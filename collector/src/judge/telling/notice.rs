//! A notice: one message to one channel, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::judge::message::Message;

/// One message to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// From 1, in the order in which they were made.
    pub number: u64,
    /// The name of its channel.
    pub channel: String,
    /// It is not sent before: a channel is not to be flooded.
    pub not_before: Timestamp,
    /// What it says.
    pub message: Message,
    /// What became of it; `None` while it is to be sent.
    pub fate: Option<Fate>,
    /// How often it was tried.
    pub attempts: u32,
    /// When its fate was known.
    pub settled_at: Option<Timestamp>,
}

/// What became of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The channel took it.
    Sent {
        /// By which the next message of its conversation is joined to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handle: Option<String>,
        /// The service showed that it is there, and did not only accept it.
        is_confirmed: bool,
        /// What came back, in short.
        said: String,
    },
    /// It was given up.
    Failed {
        /// What the channel said last.
        why: String,
    },
}

/// What became of a notice, as it stands in the control journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// The message's id.
    pub id: String,
    /// What became of it.
    pub fate: Fate,
    /// How often it was tried.
    pub attempts: u32,
    /// The channel that is to tell that it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

impl Notice {
    pub(super) fn new(
        number: u64,
        channel: String,
        not_before: Timestamp,
        message: Message,
    ) -> Self {
        Self { number, channel, not_before, message, fate: None, attempts: 0, settled_at: None }
    }
}

impl Message {
    /// The number of the incident that it is about, where it is about one.
    pub fn incident(&self) -> Option<u64> {
        self.conversation.strip_prefix("incident-")?.parse().ok()
    }
}

/// At most 32 characters of a channel's name, for an id.
pub(super) fn short(channel: &str) -> String {
    let kept = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    channel.chars().take(32).map(|letter| kept(letter).to_ascii_lowercase()).collect()
}
