//! Commands on the open mailbox: SELECT, SEARCH, FETCH, STORE, EXPUNGE, CLOSE.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;

use imap_next::imap_types::command::CommandBody;
use imap_next::imap_types::core::{Charset, Vec1};
use imap_next::imap_types::fetch::MacroOrMessageDataItemNames;
use imap_next::imap_types::flag::{FlagPerm, StoreResponse, StoreType};
use imap_next::imap_types::mailbox::Mailbox as Name;
use imap_next::imap_types::response::{Code, Data};
use imap_next::imap_types::sequence::SequenceSet;

use super::view::{self, View};
use super::{Answer, Session, fetch, list, search};
use crate::sandbox::accounts::Account;
use crate::sandbox::message::Flags;

/// What STORE is asked for.
struct StoreWish {
    kind: StoreType,
    response: StoreResponse,
    flags: Flags,
    by_uid: bool,
}

impl Session {
    pub(super) async fn select(
        &mut self,
        account: &Account,
        name: &Name<'_>,
        read_only: bool,
    ) -> io::Result<Answer> {
        // A failed SELECT leaves nothing selected (RFC 3501 section 6.3.1).
        self.view = None;
        let Some(mailbox) = list::open(account, name) else {
            return Ok(list::no_such_mailbox());
        };
        let view = View::open(Arc::clone(mailbox), read_only);
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let uid_validity = Code::UidValidity(at_least_one(mailbox.uid_validity()));
        let uid_next = Code::UidNext(at_least_one(mailbox.next_uid()));
        let permanent = match read_only {
            true => Vec::new(),
            false => view::all_names().into_iter().map(FlagPerm::Flag).collect(),
        };
        self.line.data(Data::Flags(view::all_names())).await?;
        self.line.data(Data::Exists(view.len())).await?;
        self.line.data(Data::Recent(view.recent_len())).await?;
        for (code, words) in [
            (uid_validity, "these UIDs hold while the sandbox runs"),
            (uid_next, "the next message's UID"),
            (Code::PermanentFlags(permanent), "flags that are kept"),
        ] {
            self.line.status(Answer::ok(words).with(code).untagged()).await?;
        }
        self.view = Some(view);
        let code = if read_only { Code::ReadOnly } else { Code::ReadWrite };
        Ok(Answer::ok("mailbox is open").with(code))
    }

    pub(super) async fn selected_command(
        &mut self,
        command: CommandBody<'static>,
    ) -> io::Result<Answer> {
        let Some(view) = &self.view else {
            self.mistakes += 1;
            return Ok(Answer::bad("not known, or SELECT a mailbox first"));
        };
        match command {
            CommandBody::Search { charset, criteria, uid } => {
                self.search(charset, criteria, uid).await
            }
            CommandBody::Fetch { sequence_set, macro_or_item_names, uid } => {
                self.fetch(&sequence_set, macro_or_item_names, uid).await
            }
            CommandBody::Store { sequence_set, kind, response, flags, uid } => {
                let wish =
                    StoreWish { kind, response, flags: view::from_names(&flags), by_uid: uid };
                self.store(&sequence_set, wish).await
            }
            CommandBody::Expunge if view.read_only => Ok(read_only()),
            CommandBody::Expunge => {
                view.mailbox.expunge(|_uid| true);
                Ok(Answer::ok("expunged"))
            }
            CommandBody::ExpungeUid { .. } if view.read_only => Ok(read_only()),
            CommandBody::ExpungeUid { sequence_set } => {
                let chosen = view.chosen(&sequence_set, true);
                view.mailbox.expunge(|uid| chosen.iter().any(|message| message.uid == uid));
                Ok(Answer::ok("expunged"))
            }
            CommandBody::Close => {
                if !view.read_only {
                    view.mailbox.expunge(|_uid| true);
                }
                self.view = None;
                Ok(Answer::ok("closed"))
            }
            CommandBody::Unselect => {
                self.view = None;
                Ok(Answer::ok("closed"))
            }
            _ => {
                self.mistakes += 1;
                Ok(Answer::bad("command not known"))
            }
        }
    }

    async fn search(
        &mut self,
        charset: Option<Charset<'static>>,
        criteria: Vec1<search::Key>,
        by_uid: bool,
    ) -> io::Result<Answer> {
        let Some(view) = &self.view else { return Ok(Answer::bad("SELECT first")) };
        let known = |charset: &Charset<'_>| {
            let name = match charset {
                Charset::Atom(atom) => atom.inner(),
                Charset::Quoted(quoted) => quoted.inner(),
            };
            name.eq_ignore_ascii_case("UTF-8") || name.eq_ignore_ascii_case("US-ASCII")
        };
        if !charset.as_ref().is_none_or(known) {
            let code = Code::BadCharset { allowed: Vec::new() };
            return Ok(Answer::no("UTF-8 and US-ASCII only").with(code));
        }
        let found = search::search(view, criteria.as_ref(), by_uid);
        self.line.data(Data::Search(found)).await?;
        Ok(Answer::ok("searched"))
    }

    async fn fetch(
        &mut self,
        set: &SequenceSet,
        wanted: MacroOrMessageDataItemNames<'static>,
        by_uid: bool,
    ) -> io::Result<Answer> {
        let Some(view) = &mut self.view else { return Ok(Answer::bad("SELECT first")) };
        let wanted = fetch::wanted(wanted, by_uid);
        if !wanted.iter().all(fetch::is_known) {
            return Ok(Answer::no("this sandbox does not parse MIME"));
        }
        for numbered in view.chosen(set, by_uid) {
            // Expunged by another session, and this client not told yet: nothing to give.
            let Some(mut message) = view.mailbox.message(numbered.uid) else { continue };
            let mut wanted = wanted.clone();
            if !view.read_only && fetch::marks_seen(&wanted) && !message.flags.has(Flags::SEEN) {
                let see = |flags: Flags| flags.with(Flags::SEEN);
                message.flags = view.mailbox.set_flags(message.uid, see).unwrap_or(message.flags);
                view.knows_flags(numbered, message.flags);
                fetch::add_flags(&mut wanted);
            }
            let items: Vec<_> =
                wanted.iter().filter_map(|name| fetch::item(name, &message, view)).collect();
            if let Ok(items) = Vec1::try_from(items) {
                // One at a time, so that a big mailbox does not stand in memory twice.
                self.line.data(Data::Fetch { seq: numbered.number, items }).await?;
            }
        }
        Ok(Answer::ok("fetched"))
    }

    async fn store(&mut self, set: &SequenceSet, wish: StoreWish) -> io::Result<Answer> {
        let Some(view) = &mut self.view else { return Ok(Answer::bad("SELECT first")) };
        if view.read_only {
            return Ok(read_only());
        }
        for numbered in view.chosen(set, wish.by_uid) {
            let changed = view.mailbox.set_flags(numbered.uid, |flags| match wish.kind {
                StoreType::Replace => wish.flags,
                StoreType::Add => flags.with(wish.flags),
                StoreType::Remove => flags.without(wish.flags),
            });
            let Some(flags) = changed else { continue };
            view.knows_flags(numbered, flags);
            if wish.response == StoreResponse::Answer {
                self.line.data(view.flags_changed(numbered, flags)).await?;
            }
        }
        Ok(Answer::ok("stored"))
    }
}

fn read_only() -> Answer {
    Answer::no("opened with EXAMINE, for reading only")
}
