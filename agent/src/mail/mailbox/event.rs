//! What happens to a test message.

use std::fmt;
use std::sync::Arc;

use mailsonde_proto::WallTime;
use mailsonde_proto::time::Instant;

use crate::mail::failure::Failure;
use crate::mail::message::Body;

/// Where a message can turn up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// INBOX.
    Inbox,
    /// The junk folder.
    Junk,
    /// A folder that a check names, because a filter files its message there.
    Folder,
}

impl Place {
    /// In facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Junk => "junk",
            Self::Folder => "folder",
        }
    }
}

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was seen.
    Arrived(Arrival),
    /// It came back.
    Bounced(Bounced),
    /// Something answered it.
    Replied(Reply),
}

/// A message of ours, seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// By what it was seen: `imap` or `pop3`.
    pub protocol: &'static str,
    /// In which kind of folder.
    pub place: Place,
    /// The folder's name.
    pub folder: String,
    /// Its UID there, or its unique-id in POP3.
    pub uid: String,
    /// When it was first seen.
    pub first_seen: Instant,
    /// When it was last seen to be absent.
    pub last_absent: Instant,
    /// When it was stored, by the server's clock, in whole seconds.
    pub stored: Option<WallTime>,
    /// In bytes, as stored.
    pub bytes: u32,
    /// What became of its content.
    pub body: Body,
    /// What it says.
    pub message: Arc<Arrived>,
}

/// A message as it arrived.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Its header block, as far as it is read.
    pub headers: Vec<u8>,
    /// All of it, unless it is large or was not given whole.
    pub whole: Option<Vec<u8>>,
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrived({} bytes of headers)", self.headers.len())
    }
}

/// A notification that a message of ours was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounced {
    /// Why, as the fault of the run.
    pub failure: Failure,
    /// In which folder.
    pub folder: String,
    /// When it was first seen.
    pub first_seen: Instant,
}

/// An automatic reply that provably answers a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it says about itself, such as `auto-replied (vacation)` (RFC 3834 section 5).
    pub kind: String,
    /// Who sent it, as far as its header says.
    pub from: String,
    /// In which folder.
    pub folder: String,
    /// When it was first seen.
    pub first_seen: Instant,
}
