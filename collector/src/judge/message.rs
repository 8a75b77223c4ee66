//! A message to people, without any channel's markup: what `notifier` makes a payload of.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incident::Severity;

/// What one channel is to say at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The same at every attempt and after every restart; no other message has it. 64 characters of `a-z 0-9 -` at most.
    pub id: String,
    /// What it goes on with, such as `incident-17`: messages of one conversation belong together, in order.
    pub conversation: String,
    /// Why it is sent.
    pub occasion: Occasion,
    /// How bad what it is about is.
    pub severity: Severity,
    /// When what it tells happened.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// Some lines of plain text.
    pub text: String,
    /// What is told in short, in order.
    pub fields: Vec<Field>,
    /// Where to go from it.
    pub links: Vec<Link>,
}

/// Why a message is sent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// An incident was opened, or came back.
    Opened,
    /// It is worse than was told.
    Worse,
    /// Nobody has acknowledged it.
    Escalated,
    /// Somebody takes care of it.
    Acknowledged,
    /// How it goes on.
    Update,
    /// It is over: what the incident began is to be closed.
    Over,
    /// What was held back, in one.
    Digest,
    /// A channel does not work, told through another.
    Trouble,
    /// An operator tries the channel.
    Test,
    /// The weekly sign of life.
    Canary,
}

impl Occasion {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worse => "worse",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Update => "update",
            Self::Over => "over",
            Self::Digest => "digest",
            Self::Trouble => "trouble",
            Self::Test => "test",
            Self::Canary => "canary",
        }
    }
}

/// A name and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    /// Such as `From where`.
    pub name: String,
    /// Plain text.
    pub value: String,
}

/// A way on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// What a button says, such as `Acknowledge`.
    pub label: String,
    /// `https://…`
    pub url: String,
}
