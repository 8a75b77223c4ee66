//! SEARCH (RFC 3501 section 6.4.4): which messages of the open mailbox match.

use std::num::NonZeroU32;

use imap_next::imap_types::datetime::NaiveDate;
use imap_next::imap_types::search::SearchKey;

use super::view::{Numbered, View};
use crate::sandbox::message::{Flags, Message, contains};

/// One criterion.
pub(super) type Key = SearchKey<'static>;

/// Numbers, or UIDs, of the messages that match all criteria.
pub(super) fn search(view: &View, criteria: &[Key], by_uid: bool) -> Vec<NonZeroU32> {
    let messages = view.mailbox.messages();
    let mut found = Vec::new();
    for numbered in view.all() {
        let at = messages.binary_search_by_key(&numbered.uid, |message| message.uid);
        let Some(message) = at.ok().and_then(|at| messages.get(at)) else { continue };
        let candidate = Candidate { view, numbered, message };
        if criteria.iter().all(|key| candidate.matches(key)) {
            let uid = NonZeroU32::new(numbered.uid);
            found.extend(if by_uid { uid } else { Some(numbered.number) });
        }
    }
    found
}

struct Candidate<'a> {
    view: &'a View,
    numbered: Numbered,
    message: &'a Message,
}

impl Candidate<'_> {
    fn matches(&self, key: &Key) -> bool {
        match key {
            SearchKey::And(keys) => keys.as_ref().iter().all(|key| self.matches(key)),
            SearchKey::Or(one, other) => self.matches(one) || self.matches(other),
            SearchKey::Not(key) => !self.matches(key),
            SearchKey::All => true,
            SearchKey::SequenceSet(set) => self.view.takes(set, self.numbered, false),
            SearchKey::Uid(set) => self.view.takes(set, self.numbered, true),
            SearchKey::Larger(size) => self.size() > u64::from(*size),
            SearchKey::Smaller(size) => self.size() < u64::from(*size),
            _ => self.matches_flag(key).or_else(|| self.matches_text(key)).unwrap_or_else(|| {
                // What is left are dates and extensions that are not offered.
                self.matches_date(key)
            }),
        }
    }

    fn matches_flag(&self, key: &Key) -> Option<bool> {
        let has = |flag| self.message.flags.has(flag);
        let recent = self.view.is_recent(self.numbered.uid);
        Some(match key {
            SearchKey::Answered => has(Flags::ANSWERED),
            SearchKey::Deleted => has(Flags::DELETED),
            SearchKey::Draft => has(Flags::DRAFT),
            SearchKey::Flagged => has(Flags::FLAGGED),
            SearchKey::Seen => has(Flags::SEEN),
            SearchKey::Unanswered => !has(Flags::ANSWERED),
            SearchKey::Undeleted => !has(Flags::DELETED),
            SearchKey::Undraft => !has(Flags::DRAFT),
            SearchKey::Unflagged => !has(Flags::FLAGGED),
            SearchKey::Unseen => !has(Flags::SEEN),
            SearchKey::Recent => recent,
            SearchKey::New => recent && !has(Flags::SEEN),
            SearchKey::Old => !recent,
            SearchKey::Keyword(_) => false,
            SearchKey::Unkeyword(_) => true,
            _ => return None,
        })
    }

    fn matches_text(&self, key: &Key) -> Option<bool> {
        let message = self.message;
        Some(match key {
            SearchKey::Header(name, text) => message.header_has(name.as_ref(), text.as_ref()),
            SearchKey::Bcc(text) => message.header_has(b"Bcc", text.as_ref()),
            SearchKey::Cc(text) => message.header_has(b"Cc", text.as_ref()),
            SearchKey::From(text) => message.header_has(b"From", text.as_ref()),
            SearchKey::Subject(text) => message.header_has(b"Subject", text.as_ref()),
            SearchKey::To(text) => message.header_has(b"To", text.as_ref()),
            SearchKey::Body(text) => contains(&message.text(), text.as_ref()),
            SearchKey::Text(text) => contains(&message.content, text.as_ref()),
            _ => return None,
        })
    }

    /// SENTSINCE and its like look at the day of storing, too: in a sandbox they are the same.
    fn matches_date(&self, key: &Key) -> bool {
        let stored = self.message.stored_at.timestamp().strftime("%Y-%m-%d").to_string();
        let day = |date: &NaiveDate| date.as_ref().to_string();
        match key {
            SearchKey::Since(date) | SearchKey::SentSince(date) => stored >= day(date),
            SearchKey::Before(date) | SearchKey::SentBefore(date) => stored < day(date),
            SearchKey::On(date) | SearchKey::SentOn(date) => stored == day(date),
            _ => false,
        }
    }

    fn size(&self) -> u64 {
        u64::try_from(self.message.content.len()).unwrap_or(u64::MAX)
    }
}
