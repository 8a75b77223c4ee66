//! What judging goes by, on disk: definitions, operators' actions, incidents that are over.

use prost::Message;

use super::{NotAControlRecord, wrong};
use crate::control::Control;
use crate::judge::action::Action;
use crate::judge::definition::Definitions;
use crate::judge::outside::Heard;
use crate::judge::telling::Notified;

/// As JSON: it is written rarely, and read by whoever looks at the journal.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServicesOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    json: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ActedOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    json: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ArchivedOnDisk {
    #[prost(uint64, tag = "1")]
    pub(super) incident: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NotRunOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) agent: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(super) check: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HeardOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    json: Vec<u8>,
}

/// As JSON, like what it is about.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NotifiedOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    json: Vec<u8>,
}

pub(super) fn services_of(definitions: &Definitions) -> ServicesOnDisk {
    ServicesOnDisk { json: serde_json::to_vec(definitions).unwrap_or_default() }
}

pub(super) fn services(read: &ServicesOnDisk) -> Result<Control, NotAControlRecord> {
    let read: Result<Definitions, _> = serde_json::from_slice(&read.json);
    read.map(Control::Services).map_err(|error| wrong(&error))
}

pub(super) fn acted_of(action: &Action) -> ActedOnDisk {
    ActedOnDisk { json: action.encode() }
}

/// An action that a newer collector wrote is passed over, like any record that we do not know.
pub(super) fn acted(read: &ActedOnDisk) -> Control {
    Action::decode(&read.json).map_or(Control::Unknown, Control::Acted)
}

pub(super) fn heard_of(heard: &Heard) -> HeardOnDisk {
    HeardOnDisk { json: serde_json::to_vec(heard).unwrap_or_default() }
}

/// What a newer collector heard is passed over, like any record that we do not know.
pub(super) fn heard(read: &HeardOnDisk) -> Control {
    serde_json::from_slice(&read.json).map_or(Control::Unknown, Control::Heard)
}

pub(super) fn notified_of(notified: &Notified) -> NotifiedOnDisk {
    NotifiedOnDisk { json: serde_json::to_vec(notified).unwrap_or_default() }
}

pub(super) fn notified(read: &NotifiedOnDisk) -> Result<Control, NotAControlRecord> {
    let read: Result<Notified, _> = serde_json::from_slice(&read.json);
    read.map(Control::Notified).map_err(|error| wrong(&error))
}
