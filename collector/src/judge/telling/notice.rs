//! A notice: one message to one channel, and what became of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::draft::Audience;
use crate::judge::message::Message;

/// Characters of a channel's name in an id at most.
const MOST_OF_NAME: usize = 32;

/// One message to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// From 1, in the order in which they were made.
    pub number: u64,
    /// The name of its channel.
    pub channel: String,
    /// For whom it is written.
    #[serde(default)]
    pub audience: Audience,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// What came after it told more before its turn came.
    Superseded,
}

/// What became of a notice, as it stands in the control journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
        (channel, audience): (String, Audience),
        not_before: Timestamp,
        message: Message,
    ) -> Self {
        Self {
            number,
            channel,
            audience,
            not_before,
            message,
            fate: None,
            attempts: 0,
            settled_at: None,
        }
    }
}

impl Message {
    /// The number of the incident that it is about, where it is about one.
    pub fn incident(&self) -> Option<u64> {
        self.conversation.strip_prefix("incident-")?.parse().ok()
    }
}

/// A channel's name for an id: no two names are one.
pub(super) fn short(channel: &str) -> String {
    let is_plain = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-');
    if channel.len() <= MOST_OF_NAME && channel.chars().all(is_plain) {
        return channel.to_owned();
    }
    let kept = |letter: char| if is_plain(letter) { letter } else { '-' };
    let lower = channel.chars().take(MOST_OF_NAME - 9).map(|letter| letter.to_ascii_lowercase());
    let name: String = lower.map(kept).collect();
    format!("{name}-{:08x}", crc32c::crc32c(channel.as_bytes()))
}
