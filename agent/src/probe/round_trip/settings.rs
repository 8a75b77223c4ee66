//! What a check of the kind `round-trip` can be told.

use std::sync::Arc;
use std::time::Duration;

use lettre::Address;

use super::super::{Section, Setting, Surroundings};
use crate::config::server::known_mailbox;
use crate::mail::mailbox::{Inbox, Mailbox};
use crate::mail::message::LARGEST_BODY;
use crate::mail::smtp::MX_PORT;

const DEFAULT_SETTLE: Duration = Duration::from_millis(200);
const LONGEST_SETTLE: Duration = Duration::from_secs(60);

/// Where the message is to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// In INBOX; the junk folder is a mismatch.
    Inbox,
    /// In the junk folder; INBOX is a mismatch.
    Junk,
    /// In either.
    Anywhere,
}

/// The settings of one check.
#[derive(Clone)]
pub struct RoundTripSettings {
    /// The recipient, where it is not the mailbox's own address.
    pub to: Option<String>,
    /// Whose server and address send the message, where it is not the mailbox itself.
    pub from_mailbox: Option<Arc<Mailbox>>,
    /// The least bytes of the message's body.
    pub size: usize,
    /// How long a second copy is waited for.
    pub settle: Duration,
    /// The domain whose mail exchanger gets the message directly, on port 25 and without a sign-in.
    pub exchanger_of: Option<String>,
    /// The port of mail exchangers.
    pub exchanger_port: u16,
    /// Where the message is to arrive.
    pub expect: Expect,
}

impl Default for RoundTripSettings {
    fn default() -> Self {
        Self {
            to: None,
            from_mailbox: None,
            size: 0,
            settle: DEFAULT_SETTLE,
            exchanger_of: None,
            exchanger_port: MX_PORT,
            expect: Expect::Inbox,
        }
    }
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "mailbox",
        form: "name of a mailbox",
        default: None,
        help: "the mailbox that sends the message and in which it must arrive",
    },
    Setting {
        name: "to",
        form: "address",
        default: Some("the mailbox's address"),
        help: "another recipient whose mail arrives in the mailbox, such as an alias",
    },
    Setting {
        name: "from_mailbox",
        form: "name of a mailbox",
        default: Some("mailbox"),
        help: "another mailbox, through whose server and with whose address the message is sent",
    },
    Setting {
        name: "mx",
        form: "domain",
        default: Some("\"\""),
        help: "hand the message to this domain's mail exchanger on port 25, without a sign-in",
    },
    Setting {
        name: "size",
        form: "size",
        default: Some("0B"),
        help: "the least size of the message's body, up to 512KiB",
    },
    Setting {
        name: "settle",
        form: "duration",
        default: Some("200ms"),
        help: "how long a second copy is waited for after the first has arrived",
    },
    Setting {
        name: "expect",
        form: "\"inbox\" | \"junk\" | \"anywhere\"",
        default: Some("inbox"),
        help: "where the message must arrive; anywhere else is a failure",
    },
];

/// Reads the settings of a check; all mistakes are reported to the section.
pub(super) fn read(
    section: &mut Section<'_>,
    surroundings: &Surroundings,
) -> Option<(RoundTripSettings, Arc<Mailbox>)> {
    let name = section.required_text("mailbox");
    let mailbox = name.and_then(|name| known_mailbox(section, surroundings, "mailbox", &name));
    let from = section.text("from_mailbox");
    let from_mailbox =
        from.and_then(|name| known_mailbox(section, surroundings, "from_mailbox", &name));
    let to = section.text("to");
    if to.as_ref().is_some_and(|to| to.parse::<Address>().is_err()) {
        section.mistake("to", "this is not an e-mail address".to_owned());
    }
    let exchanger_of = section.text("mx").filter(|domain| !domain.is_empty());
    let size = usize::try_from(section.size("size", 0)).unwrap_or(usize::MAX);
    if size > LARGEST_BODY {
        section.mistake("size", "a test message has at most 512KiB".to_owned());
    }
    let settle = section.duration("settle", DEFAULT_SETTLE);
    if settle > LONGEST_SETTLE {
        section.mistake("settle", "a second copy is waited for 60s at most".to_owned());
    }
    let words = [("inbox", Expect::Inbox), ("junk", Expect::Junk), ("anywhere", Expect::Anywhere)];
    let expect = section.choice("expect", &words, Expect::Inbox);
    let is_pop3 = |mailbox: &Arc<Mailbox>| matches!(mailbox.settings().inbox, Inbox::Pop3(..));
    if expect == Expect::Junk && mailbox.as_ref().is_some_and(is_pop3) {
        let words = "POP3 does not show the junk folder: give the mailbox an [imap] table";
        section.mistake("expect", words.to_owned());
    }
    let exchanger_port = MX_PORT;
    let mailbox = mailbox.filter(|_| section.is_clean())?;
    let settings =
        RoundTripSettings { to, from_mailbox, size, settle, exchanger_of, exchanger_port, expect };
    Some((settings, mailbox))
}
