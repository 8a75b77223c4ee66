//! A mailbox as it is configured: where mail for it is handed in, and where and by what it is read.

use std::time::Duration;

use super::SessionPace;
use crate::mail::endpoint::Endpoint;

/// One mailbox, as configured.
#[derive(Clone, Debug)]
pub struct MailboxSettings {
    /// By which checks name it.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Where mail is submitted.
    pub smtp: Endpoint,
    /// Where a round trip sees its message arrive.
    pub inbox: Inbox,
    /// Where it can be read as well.
    pub beside: Option<Inbox>,
    /// The junk folder's name; `None` asks the server (RFC 6154).
    pub junk_folder: Option<String>,
    /// The name for EHLO; `None` says the address of the connection.
    pub hello: Option<String>,
    /// What its provider is known to do.
    pub habits: Habits,
    /// Whether mail of other agents may arrive in it.
    pub receives: bool,
}

/// What a provider is known to do with a mailbox; nothing, where nobody is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// The junk folder, where neither the configuration nor the server says.
    pub junk_folder: Option<String>,
    /// The folder for what was sent, where the server does not say.
    pub sent_folder: Option<String>,
    /// Whether test messages are removed from that folder, into which the server copies what is submitted.
    pub clean_sent: bool,
    /// At most so many messages are accepted in such a time.
    pub most_messages: Option<(u32, Duration)>,
}

/// Where a mailbox is read, and by what.
#[derive(Clone, Debug)]
pub enum Inbox {
    /// By IMAP: watched on connections that are kept.
    Imap(Endpoint),
    /// By POP3: looked into again and again, each time by a session of its own.
    Pop3(Endpoint, SessionPace),
}

impl Inbox {
    /// The server.
    pub const fn server(&self) -> &Endpoint {
        match self {
            Self::Imap(server) | Self::Pop3(server, _) => server,
        }
    }

    /// The protocol's name, as facts and phases begin with it.
    pub const fn protocol(&self) -> &'static str {
        match self {
            Self::Imap(_) => "imap",
            Self::Pop3(..) => "pop3",
        }
    }
}

impl MailboxSettings {
    /// Why no junk folder is watched, where there is none to be watched.
    pub(super) fn no_junk_folder(&self) -> &'static str {
        match self.inbox {
            Inbox::Imap(_) => "none",
            Inbox::Pop3(..) => "not watched: POP3 shows INBOX only",
        }
    }

    /// Where it is read by IMAP, if it is.
    pub fn imap(&self) -> Option<&Endpoint> {
        self.inboxes().find(|inbox| matches!(inbox, Inbox::Imap(_))).map(Inbox::server)
    }

    /// Where it is read by POP3, if it is.
    pub fn pop3(&self) -> Option<&Endpoint> {
        self.inboxes().find(|inbox| matches!(inbox, Inbox::Pop3(..))).map(Inbox::server)
    }

    /// Every server that it is read at.
    pub fn inboxes(&self) -> impl Iterator<Item = &Inbox> {
        std::iter::once(&self.inbox).chain(&self.beside)
    }
}
