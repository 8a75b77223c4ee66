//! What a check of the kind `round-trip` can be told.

mod list;
mod peer;
mod read;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{EnhancedCode, Fault};

use crate::mail::headers::Trust;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::Content;
use crate::mail::smtp::MX_PORT;
use crate::peers::Peer;

pub(super) use list::SETTINGS;
pub(super) use read::read;

const DEFAULT_SETTLE: Duration = Duration::from_millis(200);
const DEFAULT_GREYLIST_RETRY: Duration = Duration::from_secs(60);
const DEFAULT_AUTO_REPLY_WITHIN: Duration = Duration::from_secs(30);

/// What is to become of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It arrives in INBOX; the junk folder is a mismatch.
    Inbox,
    /// It arrives in the junk folder; INBOX is a mismatch.
    Junk,
    /// It arrives in either.
    Anywhere,
    /// It arrives in the folder that the check names; anywhere else is a mismatch.
    Folder,
    /// The server refuses it for good, at RCPT or DATA.
    Rejected,
    /// It is accepted and comes back.
    Bounced,
}

/// The code with which a message is to be refused, or to bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedCode {
    /// The basic one (RFC 5321 section 4.2).
    Basic(u16),
    /// The enhanced one (RFC 3463).
    Enhanced(EnhancedCode),
}

impl ExpectedCode {
    /// Whether the server's reply in the fault has this code.
    pub fn is_of(self, fault: &Fault) -> bool {
        match self {
            Self::Basic(code) => fault.basic_code == Some(code),
            Self::Enhanced(code) => fault.enhanced_code == Some(code),
        }
    }
}

impl fmt::Display for ExpectedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic(code) => write!(f, "{code}"),
            Self::Enhanced(code) => write!(f, "{code}"),
        }
    }
}

impl FromStr for ExpectedCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let basic = text.parse().ok().filter(|code| (500..=599).contains(code));
        let enhanced = || text.parse().ok().filter(|code: &EnhancedCode| code.class == 5);
        basic.map(Self::Basic).or_else(|| enhanced().map(Self::Enhanced)).ok_or_else(|| {
            format!("must be a permanent code such as \"550\" or \"5.7.1\", not \"{text}\"")
        })
    }
}

/// Whether an automatic reply is to come, and how long it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoReply {
    /// It must come; else it must not.
    pub is_required: bool,
    /// From the acceptance of the message on.
    pub within: Duration,
}

/// The settings of one check.
#[derive(Clone)]
pub struct RoundTripSettings {
    /// The recipient, where it is not the mailbox's own address.
    pub via: Option<String>,
    /// Whose server and address send the message, where it is not the mailbox itself.
    pub from_mailbox: Option<Arc<Mailbox>>,
    /// What the message says.
    pub content: Arc<Content>,
    /// How long a second copy is waited for.
    pub settle: Duration,
    /// The domain whose mail exchanger gets the message directly, on port 25 and without a sign-in.
    pub exchanger_of: Option<String>,
    /// The port of mail exchangers.
    pub exchanger_port: u16,
    /// When a mail exchanger that greylists is asked again, unless it says so itself.
    pub greylist_retry: Duration,
    /// What is to become of the message.
    pub expect: Expect,
    /// With which code it is to be refused or to bounce.
    pub expect_code: Option<ExpectedCode>,
    /// The folder of [`Expect::Folder`].
    pub folder: Option<Arc<str>>,
    /// Whether it is to be answered.
    pub auto_reply: Option<AutoReply>,
    /// Whose Authentication-Results count.
    pub trust: Trust,
    /// Whether what arrives is verified here too: DKIM, SPF, DMARC.
    pub verify: bool,
    /// The other agent in whose mailbox it is to arrive.
    pub peer: Option<Peer>,
}

impl Default for RoundTripSettings {
    fn default() -> Self {
        Self {
            via: None,
            from_mailbox: None,
            content: Arc::default(),
            settle: DEFAULT_SETTLE,
            exchanger_of: None,
            exchanger_port: MX_PORT,
            greylist_retry: DEFAULT_GREYLIST_RETRY,
            expect: Expect::Inbox,
            expect_code: None,
            folder: None,
            auto_reply: None,
            trust: Trust::default(),
            verify: false,
            peer: None,
        }
    }
}

#[cfg(test)]
mod tests;
