//! Who would be told now: channels, and who is on call.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::zone;
use crate::rollups::Reader;

/// Who is on call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnCallAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// The organisation's time zone.
    pub time_zone: String,
    /// In the order of their definition.
    pub rotations: Vec<RotationAnswer>,
}

/// One rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotationAnswer {
    /// Its name.
    pub name: String,
    /// Who is on call now.
    pub now: Option<TurnAnswer>,
    /// And who after that.
    pub next: Option<TurnAnswer>,
}

/// Somebody's turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnAnswer {
    /// Who.
    pub name: String,
    /// Their channel.
    pub channel: String,
    /// Until when, as far as is planned.
    pub until: Timestamp,
}

pub(super) fn on_call(reader: &Reader, now: Timestamp) -> OnCallAnswer {
    let chronicle = reader.chronicle();
    let definitions = chronicle.current();
    let zone = zone(definitions);
    let rotations = definitions.rotations.iter().map(|rotation| {
        let turn = |at: Timestamp| {
            let (member, until) = rotation.on_call(&zone, at)?;
            let (name, channel) = (member.name.clone(), member.channel.clone());
            Some(TurnAnswer { name, channel, until })
        };
        let current = turn(now);
        let next = current.as_ref().and_then(|it| turn(it.until));
        RotationAnswer { name: rotation.name.clone(), now: current, next }
    });
    let time_zone = definitions.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    OnCallAnswer { now, time_zone, rotations: rotations.collect() }
}

impl super::Query {
    /// Who is on call now, and next.
    pub fn on_call(&self) -> OnCallAnswer {
        on_call(self.views.reader(), self.clock.wall().timestamp())
    }
}
