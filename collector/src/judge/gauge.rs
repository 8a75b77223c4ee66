//! What a target measures of itself (quota, messages, bytes), kept as the last value of each day.
//!
//! Facts are text for people; what is a gauge is decided here, by name. Values are in bytes where the fact says bytes
//! or KiB, else plain counts. Invariant: gauges merge in any order and as often as one likes to the same bytes.

use std::collections::BTreeMap;

use mailsonde_proto::{Fact, Observation, WallTime};
use prost::Message;

use crate::period::{Period, Resolution};

/// Gauges of one series at most; more of them are not kept.
const MOST: usize = 8;
/// Bytes of a gauge's name at most.
const NAME_BYTES: usize = 96;
/// The kinds of checks whose targets tell gauges.
const KINDS: [&str; 2] = ["imap", "pop3"];
/// What marks the limit of the gauge that is called so otherwise with [`USED`].
pub const LIMIT: &str = ".limit";
/// What marks a gauge that has a limit.
pub const USED: &str = ".used";

/// The gauges of one series in one month.
#[derive(Clone, PartialEq, Message)]
pub struct Gauges {
    #[prost(message, repeated, tag = "1")]
    gauges: Vec<Gauge>,
}

/// One gauge's days.
#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(string, tag = "1")]
    name: String,
    /// In order of their days, one a day.
    #[prost(message, repeated, tag = "2")]
    days: Vec<DayValue>,
}

/// The last value of a day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Message)]
struct DayValue {
    /// From 0 within the month.
    #[prost(uint32, tag = "1")]
    day: u32,
    /// When, in seconds of the day.
    #[prost(uint32, tag = "2")]
    second: u32,
    #[prost(uint64, tag = "3")]
    value: u64,
}

/// The month in which a moment lies, and its day within it, from 0; in UTC.
pub fn month_of(at: WallTime) -> (u32, u32) {
    let (period, bucket) = Period::of(Resolution::Day, at);
    (period.number, bucket.into())
}

/// Whether an observation may tell gauges.
pub fn may_tell(observation: &Observation) -> bool {
    KINDS.contains(&observation.kind.as_str())
}

impl Gauges {
    /// What an observation tells of the day at which it was made.
    pub fn of(observation: &Observation) -> Self {
        let at = observation.scheduled_for;
        let (_, day) = month_of(at);
        let second = at.as_ns().div_euclid(1_000_000_000).rem_euclid(86_400);
        let second = u32::try_from(second).unwrap_or(0);
        let mut gauges = Self::default();
        for Fact { name, value } in &observation.facts {
            if let Some(value) = is_gauge(name).then(|| parsed(value)).flatten() {
                gauges.take(name, DayValue { day, second, value });
            }
        }
        gauges
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.gauges.is_empty()
    }

    /// Takes in others of the same series and month.
    pub fn merge(&mut self, other: &Self) {
        for gauge in &other.gauges {
            for value in &gauge.days {
                self.take(&gauge.name, *value);
            }
        }
    }

    /// The later of a day stands; of one second the greater.
    fn take(&mut self, name: &str, value: DayValue) {
        let place = self.gauges.binary_search_by(|gauge| gauge.name.as_str().cmp(name));
        let place = match place {
            Ok(place) => place,
            Err(place) => {
                self.gauges.insert(place, Gauge { name: name.to_owned(), days: Vec::new() });
                // which are kept must not depend on the order in which they come
                self.gauges.truncate(MOST);
                place
            }
        };
        let Some(gauge) = self.gauges.get_mut(place).filter(|gauge| gauge.name == name) else {
            return;
        };
        match gauge.days.binary_search_by_key(&value.day, |known| known.day) {
            Ok(day) => {
                if let Some(known) = gauge.days.get_mut(day) {
                    *known = value.max(*known);
                }
            }
            Err(day) => gauge.days.insert(day, value),
        }
    }

    /// The values of each gauge, by the day within the month.
    pub fn values(&self) -> BTreeMap<&str, Vec<(u32, u64)>> {
        let values = |gauge: &Gauge| gauge.days.iter().map(|day| (day.day, day.value)).collect();
        self.gauges.iter().map(|gauge| (gauge.name.as_str(), values(gauge))).collect()
    }
}

/// Whether a fact of this name is one.
fn is_gauge(name: &str) -> bool {
    let is_quota =
        name.starts_with("imap.quota.") && (name.ends_with(USED) || name.ends_with(LIMIT));
    let is_stock = matches!(name, "imap.messages" | "pop3.messages" | "pop3.bytes");
    name.len() <= NAME_BYTES && (is_quota || is_stock)
}

/// `19 KiB` in bytes, `12` as it is.
fn parsed(value: &str) -> Option<u64> {
    match value.strip_suffix(" KiB") {
        Some(kib) => kib.parse::<u64>().ok()?.checked_mul(1_024),
        None => value.parse().ok(),
    }
}

/// Whether a gauge counts bytes.
pub fn is_bytes(name: &str) -> bool {
    name.contains(".storage") || name.ends_with(".bytes")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::judge::sample;

    fn told(at_s: i64, facts: &[(&str, &str)]) -> Gauges {
        let slot = WallTime::from_s(at_s);
        let mut observation =
            sample::observation("box", slot, mailsonde_proto::Verdict::Pass, Duration::ZERO);
        observation.kind = "imap".into();
        observation.facts = facts.iter().map(|(name, value)| Fact::new(*name, *value)).collect();
        Gauges::of(&observation)
    }

    #[test]
    fn facts_that_are_gauges() {
        let day = 20_454 * 86_400; // 2026-01-01
        let gauges = told(
            day + 86_400 + 5,
            &[
                ("imap.quota.storage.used", "19 KiB"),
                ("imap.quota.storage.limit", "20 KiB"),
                ("imap.quota.storage.percent", "95"),
                ("imap.quota", "not offered"),
                ("imap.messages", "12"),
                ("imap.unread", "3"),
                ("pop3.bytes", "a lot"),
            ],
        );
        let values: Vec<_> = gauges.values().into_iter().collect();
        assert_eq!(
            values,
            [
                ("imap.messages", vec![(1, 12)]),
                ("imap.quota.storage.limit", vec![(1, 20 * 1_024)]),
                ("imap.quota.storage.used", vec![(1, 19 * 1_024)]),
            ]
        );
        assert_eq!(month_of(WallTime::from_s(day)), (56 * 12, 0));
        assert!(is_bytes("imap.quota.storage.used") && !is_bytes("imap.quota.message.used"));
    }

    proptest! {
        #[test]
        fn gauges_merge_in_any_order(
            values in prop::collection::vec((0_i64..5, 0_i64..86_400, 0_usize..12, 0_u64..9), 1..20),
            turn in any::<prop::sample::Index>(),
        ) {
            let day = 20_454 * 86_400;
            let all: Vec<Gauges> = values
                .iter()
                .map(|(on, second, name, value)| {
                    let name = format!("imap.quota.r{name:02}.used");
                    told(day + on * 86_400 + second, &[(name.as_str(), value.to_string().as_str())])
                })
                .collect();
            let merged = |all: &[Gauges]| all.iter().fold(Gauges::default(), |mut sum, one| {
                sum.merge(one);
                sum
            });
            let mut turned = all.clone();
            turned.rotate_left(turn.index(all.len()));
            turned.push(all[0].clone());
            prop_assert_eq!(merged(&all).encode_to_vec(), merged(&turned).encode_to_vec());
        }
    }
}
