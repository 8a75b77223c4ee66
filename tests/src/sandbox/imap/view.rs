//! An open mailbox as one client knows it: which message has which number.
//!
//! The numbers change only when the client is told, so the view keeps what was told and
//! `catch_up` gives the difference to what is true now.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use imap_next::imap_types::core::Vec1;
use imap_next::imap_types::fetch::MessageDataItem;
use imap_next::imap_types::flag::{Flag, FlagFetch};
use imap_next::imap_types::response::Data;
use imap_next::imap_types::sequence::{Sequence, SequenceSet};
use tokio::sync::watch;

use crate::sandbox::mailbox::Mailbox;
use crate::sandbox::message::{Flags, Message};

pub(super) struct View {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) read_only: bool,
    /// Sequence number n is row n - 1.
    rows: Vec<Row>,
    /// UIDs that are `\Recent` in this session.
    recent: BTreeSet<u32>,
    changes: watch::Receiver<u64>,
    /// Messages are gone that the client could not be told of yet.
    owes_expunges: bool,
}

#[derive(Clone, Copy)]
struct Row {
    uid: u32,
    flags: Flags,
}

/// A message by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) number: NonZeroU32,
    pub(super) uid: u32,
}

impl View {
    /// Opens a mailbox as it is now; the first to look, unless reading only, has its recent ones.
    pub(super) fn open(mailbox: Arc<Mailbox>, read_only: bool) -> Self {
        let changes = mailbox.changes();
        let mut view = Self {
            mailbox,
            read_only,
            rows: Vec::new(),
            recent: BTreeSet::new(),
            changes,
            owes_expunges: false,
        };
        view.compare(true);
        view
    }

    /// Waits until the mailbox has changed since the last look.
    pub(super) async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending().await
        }
        // Waiting counts as having looked; `catch_up` has yet to look.
        self.changes.mark_changed();
    }

    /// What the client must be told; EXPUNGE only where it may be.
    pub(super) fn catch_up(&mut self, expunges: bool) -> Vec<Data<'static>> {
        let stale = self.changes.has_changed().unwrap_or_default();
        let owing = expunges && self.owes_expunges;
        if stale || owing { self.compare(expunges) } else { Vec::new() }
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn recent_len(&self) -> u32 {
        let here = self.rows.iter().filter(|row| self.recent.contains(&row.uid));
        u32::try_from(here.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(&uid)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Numbered> {
        (1..).zip(&self.rows).filter_map(|(number, row)| {
            Some(Numbered { number: NonZeroU32::new(number)?, uid: row.uid })
        })
    }

    /// The messages of a set of numbers, or of UIDs; those that are not there are left out.
    pub(super) fn chosen(&self, set: &SequenceSet, by_uid: bool) -> Vec<Numbered> {
        self.all().filter(|message| self.takes(set, *message, by_uid)).collect()
    }

    /// Whether a set of numbers, or of UIDs, takes this message.
    pub(super) fn takes(&self, set: &SequenceSet, message: Numbered, by_uid: bool) -> bool {
        let largest = if by_uid { self.rows.last().map_or(1, |row| row.uid) } else { self.len() };
        let largest = NonZeroU32::new(largest).unwrap_or(NonZeroU32::MIN);
        let wanted = if by_uid { message.uid } else { message.number.get() };
        set.0.as_ref().iter().any(|sequence| match sequence {
            Sequence::Single(one) => one.expand(largest).get() == wanted,
            Sequence::Range(one, other) => {
                let (one, other) = (one.expand(largest).get(), other.expand(largest).get());
                (one.min(other)..=one.max(other)).contains(&wanted)
            }
        })
    }

    /// The client knows of these flags already: its own STORE told it, or it asked for silence.
    pub(super) fn knows_flags(&mut self, message: Numbered, flags: Flags) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.uid == message.uid) {
            row.flags = flags;
        }
    }

    pub(super) fn flags_item(&self, uid: u32, flags: Flags) -> MessageDataItem<'static> {
        let recent = self.is_recent(uid).then_some(FlagFetch::Recent);
        let flags = names(flags).into_iter().map(FlagFetch::Flag);
        MessageDataItem::Flags(flags.chain(recent).collect())
    }

    fn compare(&mut self, expunges: bool) -> Vec<Data<'static>> {
        // Marked as seen before looking, so that a change in between is looked at again.
        self.changes.mark_unchanged();
        let messages = self.mailbox.messages();
        let mut told = self.tell_expunged(&messages, expunges);
        self.tell_flags(&messages, &mut told);

        let last_known = self.rows.last().map_or(0, |row| row.uid);
        let fresh: Vec<Row> = messages
            .iter()
            .filter(|message| message.uid > last_known)
            .map(|message| Row { uid: message.uid, flags: message.flags })
            .collect();
        if !fresh.is_empty() {
            let unclaimed = self.mailbox.first_unclaimed_uid(!self.read_only);
            self.recent.extend(fresh.iter().map(|row| row.uid).filter(|uid| *uid >= unclaimed));
            self.rows.extend(fresh);
            told.push(Data::Exists(self.len()));
            told.push(Data::Recent(self.recent_len()));
        }
        told
    }

    fn tell_expunged(&mut self, messages: &[Message], now: bool) -> Vec<Data<'static>> {
        let here: BTreeSet<u32> = messages.iter().map(|message| message.uid).collect();
        let gone = |row: &Row| !here.contains(&row.uid);
        if !now {
            self.owes_expunges = self.rows.iter().any(gone);
            return Vec::new();
        }
        self.owes_expunges = false;
        let mut told = Vec::new();
        let mut number = 1;
        self.rows.retain(|row| {
            if !gone(row) {
                number += 1;
                return true;
            }
            // The same number again: those behind have moved up by the EXPUNGE before.
            told.extend(NonZeroU32::new(number).map(Data::Expunge));
            false
        });
        self.recent.retain(|uid| here.contains(uid));
        told
    }

    fn tell_flags(&mut self, messages: &[Message], told: &mut Vec<Data<'static>>) {
        let changed: Vec<(Numbered, Flags)> = self
            .all()
            .zip(&self.rows)
            .filter_map(|(numbered, row)| {
                let at = messages.binary_search_by_key(&row.uid, |message| message.uid).ok()?;
                let flags = messages.get(at)?.flags;
                (flags != row.flags).then_some((numbered, flags))
            })
            .collect();
        for (numbered, flags) in changed {
            self.knows_flags(numbered, flags);
            told.push(self.flags_changed(numbered, flags));
        }
    }

    /// The FETCH response that tells of new flags.
    pub(super) fn flags_changed(&self, message: Numbered, flags: Flags) -> Data<'static> {
        let uid = NonZeroU32::new(message.uid).unwrap_or(NonZeroU32::MIN);
        let items = vec![MessageDataItem::Uid(uid), self.flags_item(message.uid, flags)];
        Data::Fetch { seq: message.number, items: Vec1::unvalidated(items) }
    }
}

const NAMED: [(Flags, Flag<'static>); 5] = [
    (Flags::ANSWERED, Flag::Answered),
    (Flags::FLAGGED, Flag::Flagged),
    (Flags::DELETED, Flag::Deleted),
    (Flags::SEEN, Flag::Seen),
    (Flags::DRAFT, Flag::Draft),
];

/// The flags that are set, by name.
pub(super) fn names(flags: Flags) -> Vec<Flag<'static>> {
    NAMED.into_iter().filter(|(bit, _)| flags.has(*bit)).map(|(_, flag)| flag).collect()
}

/// All flags that can be set.
pub(super) fn all_names() -> Vec<Flag<'static>> {
    NAMED.into_iter().map(|(_, flag)| flag).collect()
}

/// Flags from their names; keywords are not kept here, as PERMANENTFLAGS says.
pub(super) fn from_names(names: &[Flag<'_>]) -> Flags {
    let bits = NAMED.into_iter().filter(|(_, flag)| names.contains(flag)).map(|(bit, _)| bit);
    bits.fold(Flags::default(), Flags::with)
}
