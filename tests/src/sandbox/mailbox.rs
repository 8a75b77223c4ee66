//! A mailbox in memory: UIDs that only grow, bounded in messages and bytes, with a change notice.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mailsonde_proto::WallTime;
use tokio::sync::watch;

use super::Limits;
use super::message::{Flags, Message};

/// The mailbox is at its limit of messages or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MailboxFull;

/// Shared by all sessions that have it open, and by delivery.
pub(super) struct Mailbox {
    limits: Limits,
    uid_validity: u32,
    contents: Mutex<Contents>,
    /// Counts changes; sessions look again when it moves.
    version: watch::Sender<u64>,
}

struct Contents {
    messages: BTreeMap<u32, Message>,
    bytes: usize,
    next_uid: u32,
    /// Messages from this UID on are recent for the next session that looks for itself.
    first_unclaimed_uid: u32,
}

impl Mailbox {
    pub(super) fn new(limits: Limits, now: WallTime) -> Self {
        // In memory nothing survives a restart, so the time of start is a UIDVALIDITY that grows.
        let uid_validity = u32::try_from(now.as_ns() / 1_000_000_000).unwrap_or(1).max(1);
        let contents =
            Contents { messages: BTreeMap::new(), bytes: 0, next_uid: 1, first_unclaimed_uid: 1 };
        Self {
            limits,
            uid_validity,
            contents: Mutex::new(contents),
            version: watch::Sender::new(0),
        }
    }

    pub(super) fn uid_validity(&self) -> u32 {
        self.uid_validity
    }

    pub(super) fn next_uid(&self) -> u32 {
        self.contents().next_uid
    }

    /// Counts changes from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Whether a message of this size would still fit.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.contents().fits(bytes, self.limits)
    }

    pub(super) fn store(&self, content: Bytes, stored_at: WallTime) -> Result<(), MailboxFull> {
        {
            let mut contents = self.contents();
            if !contents.fits(content.len(), self.limits) {
                return Err(MailboxFull);
            }
            let uid = contents.next_uid;
            contents.next_uid = uid.saturating_add(1);
            contents.bytes += content.len();
            let message = Message { uid, flags: Flags::default(), stored_at, content };
            contents.messages.insert(uid, message);
        }
        self.announce();
        Ok(())
    }

    /// All messages, lowest UID first; their bytes are shared, not copied.
    pub(super) fn messages(&self) -> Vec<Message> {
        self.contents().messages.values().cloned().collect()
    }

    pub(super) fn message(&self, uid: u32) -> Option<Message> {
        self.contents().messages.get(&uid).cloned()
    }

    /// UIDs from this one on have been seen by no session; `claim` makes them the caller's.
    pub(super) fn first_unclaimed_uid(&self, claim: bool) -> u32 {
        let mut contents = self.contents();
        let first = contents.first_unclaimed_uid;
        if claim {
            contents.first_unclaimed_uid = contents.next_uid;
        }
        first
    }

    /// Changes a message's flags; gives the new ones, or nothing when the message is gone.
    pub(super) fn set_flags(&self, uid: u32, change: impl Fn(Flags) -> Flags) -> Option<Flags> {
        let (before, after) = {
            let mut contents = self.contents();
            let message = contents.messages.get_mut(&uid)?;
            let before = message.flags;
            message.flags = change(before);
            (before, message.flags)
        };
        if before != after {
            self.announce();
        }
        Some(after)
    }

    /// Removes messages flagged `\Deleted` whose UID `chosen` takes.
    pub(super) fn expunge(&self, chosen: impl Fn(u32) -> bool) {
        let removed = {
            let mut contents = self.contents();
            let before = contents.messages.len();
            contents
                .messages
                .retain(|uid, message| !(message.flags.has(Flags::DELETED) && chosen(*uid)));
            contents.bytes = contents.messages.values().map(|message| message.content.len()).sum();
            before - contents.messages.len()
        };
        if removed > 0 {
            self.announce();
        }
    }

    fn announce(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn fits(&self, bytes: usize, limits: Limits) -> bool {
        self.messages.len() < limits.mailbox_messages
            && self.bytes.saturating_add(bytes) <= limits.mailbox_bytes
            && self.next_uid < u32::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_bounded_in_messages_and_bytes() {
        let limits = Limits { mailbox_messages: 3, mailbox_bytes: 10, ..Limits::default() };
        let mailbox = Mailbox::new(limits, WallTime::from_s(5));
        let store =
            |content: &'static str| mailbox.store(Bytes::from(content), WallTime::default());
        assert_eq!(store("12345"), Ok(()));
        assert_eq!(store("123456"), Err(MailboxFull));
        assert_eq!(store("12345"), Ok(()));
        assert_eq!(store("1"), Err(MailboxFull));
        mailbox.set_flags(1, |flags| flags.with(Flags::DELETED));
        mailbox.expunge(|_uid| true);
        assert_eq!(store("1"), Ok(()));
        assert_eq!(store("1"), Ok(()));
        assert_eq!(store("1"), Err(MailboxFull));
        let uids: Vec<u32> = mailbox.messages().iter().map(|message| message.uid).collect();
        assert_eq!(uids, [2, 3, 4]);
    }
}
