//! LIST, LSUB and STATUS over the two mailboxes that everybody has.

use std::num::NonZeroU32;
use std::sync::Arc;

use imap_next::imap_types::core::{Atom, QuotedChar};
use imap_next::imap_types::flag::FlagNameAttribute;
use imap_next::imap_types::mailbox::{ListMailbox, Mailbox as Name, MailboxOther};
use imap_next::imap_types::response::{Code, CodeOther, Data};
use imap_next::imap_types::status::{StatusDataItem, StatusDataItemName};

use super::Answer;
use crate::sandbox::accounts::Account;
use crate::sandbox::mailbox::Mailbox;
use crate::sandbox::message::{Flags, Message};

const JUNK: &str = "Junk";

/// Finds a mailbox by its name.
pub(super) fn open<'a>(account: &'a Account, name: &Name<'_>) -> Option<&'a Arc<Mailbox>> {
    match name {
        Name::Inbox => Some(account.inbox()),
        Name::Other(other) if other.as_ref() == JUNK.as_bytes() => Some(account.junk()),
        Name::Other(_) => None,
    }
}

pub(super) fn no_such_mailbox() -> Answer {
    Answer::no("INBOX and Junk only")
        .with(Code::Other(CodeOther::unvalidated(b"NONEXISTENT".as_slice())))
}

/// LIST responses, with the attribute of RFC 6154 for Junk.
pub(super) fn list(reference: &Name<'_>, wildcard: &ListMailbox<'_>) -> Vec<Data<'static>> {
    let pattern = pattern(reference, wildcard);
    if pattern.is_empty() {
        // Asks for the hierarchy's delimiter and root (RFC 3501 section 6.3.8).
        let root = Name::try_from("").unwrap_or(Name::Inbox);
        let (items, delimiter) = (vec![FlagNameAttribute::Noselect], delimiter());
        return vec![Data::List { items, delimiter, mailbox: root }];
    }
    matching(&pattern)
        .map(|(items, mailbox)| Data::List { items, delimiter: delimiter(), mailbox })
        .collect()
}

pub(super) fn lsub(reference: &Name<'_>, wildcard: &ListMailbox<'_>) -> Vec<Data<'static>> {
    matching(&pattern(reference, wildcard))
        .map(|(items, mailbox)| Data::Lsub { items, delimiter: delimiter(), mailbox })
        .collect()
}

pub(super) fn status(
    mailbox: &Mailbox,
    name: Name<'static>,
    wanted: &[StatusDataItemName],
) -> Data<'static> {
    let messages = mailbox.messages();
    let count = |counted: &dyn Fn(&Message) -> bool| {
        let count = messages.iter().filter(|message| counted(message)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let first_unclaimed = mailbox.first_unclaimed_uid(false);
    let item = |name: &StatusDataItemName| match name {
        StatusDataItemName::Messages => Some(StatusDataItem::Messages(count(&|_| true))),
        StatusDataItemName::Recent => {
            Some(StatusDataItem::Recent(count(&|message| message.uid >= first_unclaimed)))
        }
        StatusDataItemName::UidNext => {
            Some(StatusDataItem::UidNext(at_least_one(mailbox.next_uid())))
        }
        StatusDataItemName::UidValidity => {
            Some(StatusDataItem::UidValidity(at_least_one(mailbox.uid_validity())))
        }
        StatusDataItemName::Unseen => {
            Some(StatusDataItem::Unseen(count(&|message| !message.flags.has(Flags::SEEN))))
        }
        StatusDataItemName::Deleted => {
            Some(StatusDataItem::Deleted(count(&|message| message.flags.has(Flags::DELETED))))
        }
        _ => None,
    };
    let items: Vec<_> = wanted.iter().filter_map(item).collect();
    Data::Status { mailbox: name, items: items.into() }
}

fn delimiter() -> Option<QuotedChar> {
    QuotedChar::try_from('/').ok()
}

fn pattern(reference: &Name<'_>, wildcard: &ListMailbox<'_>) -> Vec<u8> {
    let reference = match reference {
        Name::Inbox => b"INBOX",
        Name::Other(other) => other.as_ref(),
    };
    let wildcard = match wildcard {
        ListMailbox::Token(token) => token.as_ref(),
        ListMailbox::String(string) => string.as_ref(),
    };
    [reference, wildcard].concat()
}

fn matching(
    pattern: &[u8],
) -> impl Iterator<Item = (Vec<FlagNameAttribute<'static>>, Name<'static>)> {
    let junk = MailboxOther::try_from(JUNK).map(Name::Other).ok();
    let junk_flag = Atom::try_from(JUNK).map(FlagNameAttribute::from).ok();
    let all = [
        (Some(Name::Inbox), "INBOX", vec![FlagNameAttribute::Noinferiors]),
        (junk, JUNK, std::iter::once(FlagNameAttribute::Noinferiors).chain(junk_flag).collect()),
    ];
    let chosen = all.into_iter().filter(|(_, name, _)| matches(pattern, name.as_bytes()));
    chosen.filter_map(|(name, _, items)| Some((items, name?))).collect::<Vec<_>>().into_iter()
}

/// `*` and `%` take any run of characters; no name here has a delimiter in it. Works through all
/// positions at once, so that no pattern can make it slow.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // reached[n]: the pattern so far can take exactly the first n bytes of the name.
    let mut reached = vec![false; name.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for wanted in pattern {
        reached = if matches!(wanted, b'*' | b'%') {
            let from = reached.iter().position(|reached| *reached).unwrap_or(usize::MAX);
            (0..=name.len()).map(|at| at >= from).collect()
        } else {
            let step = reached.iter().zip(name);
            let taken = step.map(|(reached, byte)| *reached && byte.eq_ignore_ascii_case(wanted));
            std::iter::once(false).chain(taken).collect()
        };
    }
    reached.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, name: &str, expected| {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        };
        check("*", "Junk", true);
        check("%", "Junk", true);
        check("inbox", "INBOX", true);
        check("J*k", "Junk", true);
        check("J*n", "Junk", false);
        check("*Junk*", "Junk", true);
        check("Junk%x", "Junk", false);
        check("", "Junk", false);
        check(&"*".repeat(10_000), "Junk", true);
    }

    #[test]
    fn a_mailbox_is_listed_with_its_special_use() {
        let wildcard = ListMailbox::try_from("J*").unwrap();
        let listed = list(&Name::try_from("").unwrap(), &wildcard);
        let [Data::List { items, .. }] = listed.as_slice() else { panic!("{listed:?}") };
        assert!(items.iter().any(|item| item.to_string() == "\\Junk"), "{items:?}");
    }
}
