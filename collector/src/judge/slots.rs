//! A service's minutes: up, down or unknown, by the voices of its members.
//!
//! A member (a check at a vantage point) is judged in a minute by the newest minute in which it was observed, at
//! most one cadence back: down when at least half of that minute's judged runs failed, up when fewer, unknown when
//! none was judged or nothing came. A voice is as bad as the worst of its members; the quorum makes one state of
//! the voices. Who is a member, by which definition, is asked of the minute's first moment. A service without a
//! member has no slot in that minute: it is not counted.
//!
//! Invariant: what a minute is depends on the counts of minutes and on the chronicle, not on when or in which order
//! anything came. Absent on purpose: where counts come from, and what became of them.

mod day;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use mailsonde_proto::WallTime;
use mailsonde_proto::time::as_us;

pub use day::{MINUTES_OF_DAY, Slots};

use super::availability::horizon;
use super::chronicle::{Chronicle, Stay};
use super::definition::{Service, Voiced};
use super::rollup::Counts;
use crate::series::{SeriesId, ServiceId};

/// How far back a run speaks for the minutes after it, at most. A check that runs less often than daily says nothing of
/// most minutes, and they are unknown.
pub const LOOK_BACK_MINUTES: u32 = 1_440;

const MINUTE: Duration = Duration::from_secs(60);
const MINUTE_NS: i64 = 60_000_000_000;
const MINUTE_US: u64 = 60_000_000;
const HOUR_MINUTES: u32 = 60;

/// What the runs of each series in each minute amount to; minutes are counted from 1970-01-01 UTC, and only those
/// stand here in which a scheduled run was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<SeriesId, BTreeMap<u32, Voiced>>);

impl Seen {
    /// Takes in what was counted in one minute.
    pub fn insert(&mut self, series: SeriesId, minute: u32, counts: &Counts) {
        if let Some(voiced) = voiced(counts) {
            self.0.entry(series).or_default().insert(minute, voiced);
        }
    }

    /// Whether any minute of a series is known.
    pub fn knows(&self, series: SeriesId) -> bool {
        self.0.contains_key(&series)
    }

    /// What a member is in a minute, when a run speaks for so many minutes.
    fn at(&self, series: SeriesId, minute: u32, look_back: u32) -> Voiced {
        let first = minute.saturating_sub(look_back.saturating_sub(1));
        let newest = self.0.get(&series).and_then(|seen| seen.range(first..=minute).next_back());
        newest.map_or(Voiced::Unknown, |(_, voiced)| *voiced)
    }
}

/// What the counts of a minute amount to; `None` when no scheduled run was observed in it.
fn voiced(counts: &Counts) -> Option<Voiced> {
    let judged = counts.pass.saturating_add(counts.fail);
    if counts.observed() == 0 {
        None
    } else if judged == 0 {
        Some(Voiced::Unknown)
    } else if counts.fail >= counts.pass {
        Some(Voiced::Down)
    } else {
        Some(Voiced::Up)
    }
}

/// For how many minutes a run speaks: its own and those after it until the next is due.
pub fn look_back(cadence: Duration) -> u32 {
    let minutes = as_us(cadence).div_ceil(MINUTE_US);
    u32::try_from(minutes).unwrap_or(u32::MAX).clamp(1, LOOK_BACK_MINUTES)
}

/// One hour of every service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// The states of its 60 minutes; `None` where the service had no member, or where it is too early to say.
    pub services: BTreeMap<ServiceId, Vec<Option<Voiced>>>,
    /// No minute of it is too early to say: only what comes late can change it.
    pub is_whole: bool,
}

/// Judges an hour (counted from 1970-01-01 UTC) by what was in force in it and by what is known at `now`.
pub fn hour(chronicle: &Chronicle, hour: u32, now: WallTime, seen: &Seen) -> Hour {
    let start = WallTime::from_s(i64::from(hour) * 3_600);
    let end = start.plus(MINUTE * HOUR_MINUTES);
    let mut judged =
        Hour { services: BTreeMap::new(), is_whole: horizon(now, Duration::ZERO) >= end };
    for (part, definitions) in chronicle.definitions_between(&(start..end)) {
        for service in &definitions.services {
            let stays = chronicle.stays(service, &part);
            if stays.is_empty() {
                continue;
            }
            let longest = stays.iter().map(|stay| stay.check.timeout).max().unwrap_or_default();
            let known = horizon(now, longest);
            judged.is_whole &= known >= end;
            let states = states(service, &stays, minutes(&(part.start..part.end.min(known))), seen);
            let slots = judged.services.entry(ServiceId::of(&service.name)).or_default();
            slots.resize(60, None);
            let first = hour.saturating_mul(HOUR_MINUTES);
            for (minute, state) in states {
                let at = usize::try_from(minute.saturating_sub(first)).unwrap_or(usize::MAX);
                if let Some(slot) = slots.get_mut(at) {
                    *slot = Some(state);
                }
            }
        }
    }
    judged
}

/// The minutes whose first moment lies in a range.
fn minutes(range: &Range<WallTime>) -> Range<u32> {
    let first = |at: WallTime| {
        let minutes = at.as_ns().div_euclid(MINUTE_NS) + i64::from(at.as_ns() % MINUTE_NS != 0);
        u32::try_from(minutes.max(0)).unwrap_or(u32::MAX)
    };
    first(range.start)..first(range.end)
}

/// The states of a service in these minutes, where it has members.
fn states<'s>(
    service: &'s Service,
    stays: &[Stay<'_>],
    within: Range<u32>,
    seen: &Seen,
) -> impl Iterator<Item = (u32, Voiced)> + use<'s> {
    // by minute and voice, the worst that a member is
    let mut voices: BTreeMap<u32, BTreeMap<&str, Voiced>> = BTreeMap::new();
    for stay in stays {
        let look_back = look_back(stay.check.cadence);
        let stayed = minutes(&(stay.from..stay.until));
        for minute in stayed.start.max(within.start)..stayed.end.min(within.end) {
            let state = seen.at(stay.series, minute, look_back);
            let voice = voices.entry(minute).or_default().entry(stay.voice).or_insert(state);
            *voice = (*voice).max(state);
        }
    }
    let judged: Vec<(u32, Voiced)> = voices
        .into_iter()
        .map(|(minute, voices)| {
            let count = |state| voices.values().filter(|voice| **voice == state).count();
            let (up, down) = (count(Voiced::Up), count(Voiced::Down));
            (minute, service.down_when.judge(up, down, count(Voiced::Unknown)))
        })
        .collect();
    judged.into_iter()
}

#[cfg(test)]
mod tests;
