//! FETCH (RFC 3501 section 6.4.5): the parts of a message that need no MIME parser.

use std::num::NonZeroU32;

use imap_next::imap_types::ToStatic;
use imap_next::imap_types::core::{AString, NString};
use imap_next::imap_types::datetime::DateTime;
use imap_next::imap_types::fetch::{
    MacroOrMessageDataItemNames, MessageDataItem, MessageDataItemName, Section,
};
use mailsonde_proto::WallTime;

use super::view::View;
use crate::sandbox::message::Message;

type ItemName = MessageDataItemName<'static>;

/// What is asked for, macros written out; UID commands always give the UID.
pub(super) fn wanted(names: MacroOrMessageDataItemNames<'static>, by_uid: bool) -> Vec<ItemName> {
    let mut names = match names {
        MacroOrMessageDataItemNames::Macro(shorthand) => shorthand.expand().to_static(),
        MacroOrMessageDataItemNames::MessageDataItemNames(names) => names,
    };
    if by_uid && !names.contains(&MessageDataItemName::Uid) {
        names.insert(0, MessageDataItemName::Uid);
    }
    names
}

/// Whether this item can be given at all.
pub(super) fn is_known(name: &ItemName) -> bool {
    match name {
        MessageDataItemName::Flags
        | MessageDataItemName::InternalDate
        | MessageDataItemName::Rfc822
        | MessageDataItemName::Rfc822Header
        | MessageDataItemName::Rfc822Size
        | MessageDataItemName::Rfc822Text
        | MessageDataItemName::Uid => true,
        MessageDataItemName::BodyExt { section, .. } => matches!(
            section,
            None | Some(
                Section::Header(None)
                    | Section::HeaderFields(None, _)
                    | Section::HeaderFieldsNot(None, _)
                    | Section::Text(None)
            )
        ),
        _ => false,
    }
}

/// Whether giving these items makes a message `\Seen`.
pub(super) fn marks_seen(names: &[ItemName]) -> bool {
    names.iter().any(|name| {
        matches!(
            name,
            MessageDataItemName::BodyExt { peek: false, .. }
                | MessageDataItemName::Rfc822
                | MessageDataItemName::Rfc822Text
        )
    })
}

/// New flags go with the response that caused them.
pub(super) fn add_flags(names: &mut Vec<ItemName>) {
    if !names.contains(&MessageDataItemName::Flags) {
        names.push(MessageDataItemName::Flags);
    }
}

/// One item of one message.
pub(super) fn item(
    name: &ItemName,
    message: &Message,
    view: &View,
) -> Option<MessageDataItem<'static>> {
    Some(match name {
        MessageDataItemName::Flags => view.flags_item(message.uid, message.flags),
        MessageDataItemName::InternalDate => {
            MessageDataItem::InternalDate(internal_date(message.stored_at)?)
        }
        MessageDataItemName::Uid => MessageDataItem::Uid(NonZeroU32::new(message.uid)?),
        MessageDataItemName::Rfc822Size => {
            MessageDataItem::Rfc822Size(u32::try_from(message.content.len()).ok()?)
        }
        MessageDataItemName::Rfc822 => MessageDataItem::Rfc822(string(message.content.to_vec())),
        MessageDataItemName::Rfc822Header => {
            MessageDataItem::Rfc822Header(string(message.header().to_vec()))
        }
        MessageDataItemName::Rfc822Text => {
            MessageDataItem::Rfc822Text(string(message.text().to_vec()))
        }
        MessageDataItemName::BodyExt { section, partial, .. } => {
            let whole = self::section(section.as_ref(), message)?;
            let (origin, bytes) = match partial {
                Some((first, length)) => (Some(*first), part(&whole, *first, *length).to_vec()),
                None => (None, whole),
            };
            MessageDataItem::BodyExt { section: section.clone(), origin, data: string(bytes) }
        }
        _ => return None,
    })
}

fn section(section: Option<&Section<'_>>, message: &Message) -> Option<Vec<u8>> {
    let listed = |names: &[AString<'_>], name: &[u8]| {
        names.iter().any(|listed| listed.as_ref().eq_ignore_ascii_case(name))
    };
    Some(match section {
        None => message.content.to_vec(),
        Some(Section::Header(None)) => message.header().to_vec(),
        Some(Section::Text(None)) => message.text().to_vec(),
        Some(Section::HeaderFields(None, names)) => {
            message.header_fields(|name| listed(names.as_ref(), name))
        }
        Some(Section::HeaderFieldsNot(None, names)) => {
            message.header_fields(|name| !listed(names.as_ref(), name))
        }
        Some(_) => return None,
    })
}

/// Beyond the end is empty, over the end is cut.
fn part(whole: &[u8], first: u32, length: NonZeroU32) -> &[u8] {
    let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let rest = whole.get(place(first)..).unwrap_or_default();
    rest.get(..place(length.get())).unwrap_or(rest)
}

/// SMTP took no NUL, so this is always a string.
fn string(bytes: Vec<u8>) -> NString<'static> {
    NString::try_from(bytes).unwrap_or(NString::NIL)
}

fn internal_date(at: WallTime) -> Option<DateTime> {
    // By way of text, because the type that DateTime holds is of a library that is not ours.
    let text = at.timestamp().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    text.parse().ok().map(DateTime::unvalidated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_are_cut_at_the_end() {
        let check = |first, length, expected: &[u8]| {
            let length = NonZeroU32::new(length).unwrap();
            assert_eq!(part(b"0123456789", first, length), expected);
        };
        check(0, 4, b"0123");
        check(8, 4, b"89");
        check(10, 4, b"");
        check(u32::MAX, u32::MAX, b"");
    }
}
