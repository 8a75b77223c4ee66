//! What FETCH found, taken out of the server's answer.

use imap_next::imap_types::core::NString;
use imap_next::imap_types::fetch::MessageDataItem;
use imap_next::imap_types::response::Data;
use mailsonde_proto::WallTime;

/// A message as its folder describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its number in the folder just now.
    pub sequence: u32,
    /// Its UID.
    pub uid: u32,
    /// When it was stored, by the server's clock, in whole seconds.
    pub stored: Option<WallTime>,
    /// In bytes.
    pub size: u32,
    /// The headers that were asked for.
    pub headers: Vec<u8>,
}

/// The description of a message, where the data is one.
pub(super) fn described(data: Data<'static>) -> Option<Described> {
    let Data::Fetch { seq, items } = data else { return None };
    let mut found =
        Described { sequence: seq.get(), uid: 0, stored: None, size: 0, headers: Vec::new() };
    for item in items.into_iter() {
        match item {
            MessageDataItem::Uid(uid) => found.uid = uid.get(),
            MessageDataItem::Rfc822Size(size) => found.size = size,
            MessageDataItem::InternalDate(date) => {
                found.stored = Some(WallTime::from_s(date.as_ref().timestamp()));
            }
            MessageDataItem::BodyExt { data, .. } => found.headers = bytes(&data),
            _ => {}
        }
    }
    (found.uid != 0).then_some(found)
}

/// The body of a message with its UID, where the data is one.
pub(super) fn body(data: Data<'static>) -> Option<(u32, Vec<u8>)> {
    let Data::Fetch { items, .. } = data else { return None };
    let (mut uid, mut body) = (None, None);
    for item in items.into_iter() {
        match item {
            MessageDataItem::Uid(found) => uid = Some(found.get()),
            MessageDataItem::BodyExt { section: None, data, .. } => body = Some(bytes(&data)),
            _ => {}
        }
    }
    uid.zip(body)
}

fn bytes(data: &NString<'_>) -> Vec<u8> {
    data.0.as_ref().map(|text| text.as_ref().to_vec()).unwrap_or_default()
}
