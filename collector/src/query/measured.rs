//! Figures of services over a time, read in one go for any number of them.
//!
//! Uptime comes from services' minutes. Runs are counted by whole UTC hours that begin in the window, and by whole
//! UTC days where all of a day counts: in a time zone that is off by a part of an hour, the runs of that part count
//! in the window in which their hour begins. Where a part of an hour is left out, its runs are counted by the minute. Of
//! the hour under way, runs count as they come, and slots are missed once
//! they must have come.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::Duration;

use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;

use crate::judge::agreement::{Excluded, LeftOut};
use crate::judge::availability::{Schedule, horizon, missed};
use crate::judge::chronicle::{Chronicle, Stay};
use crate::judge::definition::{Definitions, Service, Sli, Voiced};
use crate::judge::objective::{Events, Part, Tallied, minutes_of, parts};
use crate::judge::rollup::{Cell, Counts};
use crate::judge::slots::MINUTES_OF_DAY;
use crate::judge::window::{Stretches, in_hours};
use crate::period::{Period, Resolution};
use crate::rollups::{Detail, Reader};
use crate::series::{SeriesId, ServiceId};
use crate::store::Error;

/// A figure that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Of which service.
    pub(super) service: String,
    /// What is measured.
    pub(super) sli: Sli,
    /// Over which time.
    pub(super) range: Range<WallTime>,
    /// Only within the service's hours.
    pub(super) in_hours: bool,
    /// What is left out.
    pub(super) left_out: Vec<LeftOut>,
    /// Whether the window goes along with the time: then what it holds once the service is old enough is still to come.
    pub(super) is_rolling: bool,
    /// What is to be told beside the sum.
    pub(super) tells: Tells,
}

/// What is told of a figure beside its sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tells {
    /// Whose runs failed, also where minutes are measured.
    pub(super) whose: bool,
    /// Every stretch of minutes that were down or unknown.
    pub(super) stretches: bool,
}

/// What it comes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    /// Minutes or runs.
    pub(super) tallied: Tallied,
    /// What runs came to, also where minutes are measured: who spent the budget.
    pub(super) events: Events,
    /// How many minutes of each of what is left out would have counted.
    pub(super) left_out: Vec<u64>,
    /// How much is still to come until the window ends, or is full.
    pub(super) to_come: u64,
    /// Minutes from 1970-01-01 UTC that were down or unknown, where that was asked.
    pub(super) stretches: Vec<(Range<u32>, Voiced)>,
    /// Minutes (from 1970-01-01 UTC) or, for runs, hours, that were looked at.
    counted: Stretches,
    /// What is left out of those.
    without: Vec<Stretches>,
}

/// The organisation's time zone; UTC where it has none, or where this machine does not know it.
pub(super) fn zone(definitions: &Definitions) -> TimeZone {
    let name = definitions.time_zone.as_deref();
    name.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// Measures all that is wanted, by what was known at `now`.
pub(super) fn measure(
    reader: &Reader,
    chronicle: &Chronicle,
    now: WallTime,
    wanted: &[Wanted],
) -> Result<Vec<Measured>, Error> {
    let mut measured: Vec<Measured> = vec![Measured::default(); wanted.len()];
    let mut plan = Plan::default();
    for (at, (wanted, measured)) in wanted.iter().zip(&mut measured).enumerate() {
        let stays = stays(chronicle, wanted);
        let timeout = stays.iter().map(|stay| stay.check.timeout).max().unwrap_or_default();
        let known = horizon(now, timeout);
        let times = times(chronicle, wanted);
        let left: Vec<Stretches> =
            wanted.left_out.iter().map(|out| out.stretches.clone()).collect();
        let all_left = Stretches::of(left.iter().flat_map(Stretches::iter));
        let to_come = known.max(wanted.range.start)..wanted.range.end;
        if wanted.sli == Sli::Uptime {
            let minutes = Stretches::minutes(times.iter().cloned());
            measured.without = left.iter().map(|each| each.and(&minutes)).collect();
            measured.counted = minutes.without(&all_left);
            measured.to_come = measured.counted.and(&Stretches::minutes([to_come])).count();
            plan.services.insert(ServiceId::of(&wanted.service), Vec::new());
            if wanted.tells.whose {
                let all = (&hours(&times, known), &Stretches::default());
                plan.events(at, &stays, Sli::Success, all);
            }
        } else {
            let hours = hours(&times, known);
            let whole = Stretches::hours_begun(times.clone()).to_minutes();
            measured.left_out = left.iter().map(|each| each.and(&whole).count()).collect();
            measured.to_come = expected_of(&stays, &to_come, wanted.sli);
            let (whole, parts) = all_left.to_hours();
            let minutes = parts.and(&hours).to_minutes().without(&all_left);
            let hours = hours.without(&whole).without(&parts);
            plan.events(at, &stays, wanted.sli, (&hours, &minutes));
        }
    }
    for (at, wanted) in wanted.iter().enumerate().filter(|(_, wanted)| wanted.sli == Sli::Uptime) {
        plan.services.entry(ServiceId::of(&wanted.service)).or_default().push(at);
    }
    read_minutes(reader, &plan, wanted, &mut measured)?;
    read_events(reader, (chronicle, now), &plan, (wanted, &mut measured))?;
    for (wanted, measured) in wanted.iter().zip(&mut measured) {
        if wanted.sli != Sli::Uptime {
            measured.tallied = measured.events.tallied(wanted.sli);
        }
        if wanted.is_rolling {
            let full = match wanted.sli {
                Sli::Uptime => measured.counted.count(),
                sli => full_window(&stays(chronicle, wanted), &wanted.range, sli),
            };
            measured.to_come = full.saturating_sub(measured.tallied.all());
        }
    }
    Ok(measured)
}

/// Slots of a window, had all that is run at its end been run in all of it.
fn full_window(stays: &[Stay<'_>], range: &Range<WallTime>, sli: Sli) -> u64 {
    let now = stays.iter().filter(|stay| stay.until >= range.end);
    let all: Vec<Stay<'_>> = now.map(|stay| Stay { from: range.start, ..*stay }).collect();
    expected_of(&all, range, sli)
}

/// What belonged to the service in the window, by whatever definition held.
pub(super) fn stays<'c>(chronicle: &'c Chronicle, wanted: &Wanted) -> Vec<Stay<'c>> {
    let mut stays = Vec::new();
    for (part, definitions) in chronicle.definitions_between(&wanted.range) {
        if let Some(service) = definitions.service(&wanted.service) {
            stays.extend(chronicle.stays(service, &part));
        }
    }
    stays
}

/// The times that count: the window, or the service's hours in it.
fn times(chronicle: &Chronicle, wanted: &Wanted) -> Vec<Range<WallTime>> {
    let definitions = chronicle.definitions_at(wanted.range.end);
    let hours = definitions.service(&wanted.service).and_then(|service| service.hours.as_ref());
    match hours.filter(|_| wanted.in_hours) {
        Some(hours) => in_hours(hours, &zone(definitions), &wanted.range),
        None => vec![wanted.range.clone()],
    }
}

/// The hours of these times, up to the one under way.
fn hours(times: &[Range<WallTime>], known: WallTime) -> Stretches {
    let begun = Stretches::hours_begun(times.iter().cloned());
    begun.and(&Stretches::hours_touched([WallTime::default()..known]))
}

fn expected_of(stays: &[Stay<'_>], range: &Range<WallTime>, sli: Sli) -> u64 {
    let counted =
        stays.iter().filter(|stay| crate::judge::objective::counts_kind(sli, &stay.check.kind));
    let slots = counted.map(|stay| {
        let (from, until) = (stay.from.max(range.start), stay.until.min(range.end));
        if from < until { stay.check.slots_between(from, until) } else { 0 }
    });
    slots.fold(0, u64::saturating_add)
}

/// Who is to be read, and for which figures.
#[derive(Default)]
struct Plan {
    services: BTreeMap<ServiceId, Vec<usize>>,
    series: HashMap<SeriesId, Vec<(usize, Part, Sli)>>,
}

impl Plan {
    fn events(
        &mut self,
        at: usize,
        stays: &[Stay<'_>],
        sli: Sli,
        counted: (&Stretches, &Stretches),
    ) {
        for (series, part) in parts(stays, sli, counted) {
            self.series.entry(series).or_default().push((at, part, sli));
        }
    }
}

fn read_minutes(
    reader: &Reader,
    plan: &Plan,
    wanted: &[Wanted],
    measured: &mut [Measured],
) -> Result<(), Error> {
    let day = u32::from(MINUTES_OF_DAY);
    let of_uptime = || wanted.iter().zip(&*measured).filter(|(w, _)| w.sli == Sli::Uptime);
    let minutes = Stretches::of(of_uptime().flat_map(|(wanted, _)| {
        let all = Stretches::minutes([wanted.range.clone()]);
        all.iter().collect::<Vec<_>>()
    }));
    let services: BTreeSet<ServiceId> = plan.services.keys().copied().collect();
    for stretch in minutes.iter() {
        let days = stretch.start / day..stretch.end.div_ceil(day);
        reader.slots(days, &services, |day, service, slots| {
            for at in plan.services.get(&service).into_iter().flatten() {
                let (Some(wanted), Some(into)) = (wanted.get(*at), measured.get_mut(*at)) else {
                    continue;
                };
                into.tallied.add_minutes(day, slots, &into.counted);
                into.left_out.resize(into.without.len(), 0);
                for (count, without) in into.left_out.iter_mut().zip(&into.without) {
                    let mut left = Tallied::default();
                    left.add_minutes(day, slots, without);
                    *count = count.saturating_add(left.all());
                }
                if wanted.tells.stretches {
                    let bad = minutes_of(day, slots).filter(|(_, state)| *state != Voiced::Up);
                    for (range, state) in bad {
                        let counted = Stretches::of([range]).and(&into.counted);
                        into.stretches.extend(counted.iter().map(|range| (range, state)));
                    }
                }
            }
        })?;
    }
    measured.iter_mut().for_each(|measured| {
        measured.left_out.resize(measured.left_out.len().max(measured.without.len()), 0)
    });
    Ok(())
}

fn read_events(
    reader: &Reader,
    (chronicle, now): (&Chronicle, WallTime),
    plan: &Plan,
    (wanted, measured): (&[Wanted], &mut Vec<Measured>),
) -> Result<(), Error> {
    let mut periods: BTreeMap<Period, BTreeMap<SeriesId, Detail>> = BTreeMap::new();
    for (series, parts) in &plan.series {
        let is_timed = parts.iter().any(|(_, _, sli)| matches!(sli, Sli::Latency { .. }));
        let detail = if is_timed { Detail::Latencies } else { Detail::Counts };
        for (_, part, _) in parts {
            for (resolution, buckets) in [
                (Resolution::Day, &part.days),
                (Resolution::Hour, &part.hours),
                (Resolution::Minute, &part.minutes),
            ] {
                for bucket in buckets.iter().flatten() {
                    let (period, _) = Period::of(resolution, start_of(resolution, bucket));
                    periods.entry(period).or_default().insert(*series, detail);
                }
            }
        }
    }
    let none = Schedule::default();
    debug_assert_eq!(wanted.len(), measured.len());
    for (period, all) in &periods {
        let mut observed: HashMap<(SeriesId, u32), u64> = HashMap::new();
        reader.counted(*period, all, |series, bucket, cell: &Cell| {
            let number = number_of(*period, bucket);
            let mut is_counted = false;
            for (at, part, sli) in plan.series.get(&series).into_iter().flatten() {
                if buckets(part, period.resolution).has(number)
                    && let Some(measured) = measured.get_mut(*at)
                {
                    measured.events.add(*sli, &part.by, cell);
                    is_counted = true;
                }
            }
            if is_counted {
                let sum = observed.entry((series, number)).or_default();
                *sum = sum.saturating_add(cell.counts.observed());
            }
        })?;
        let whole = number_of(*period, 0)..number_of(period.next(), 0);
        let whole = Stretches::of(std::iter::once(whole));
        for series in all.keys() {
            let schedule = chronicle.run(*series).map_or(&none, |(_, runs)| &runs.schedule);
            let timeout = schedule.spans().iter().map(|span| span.check.timeout).max();
            let known = horizon(now, timeout.unwrap_or_default());
            for (at, part, _) in plan.series.get(series).into_iter().flatten() {
                let Some(measured) = measured.get_mut(*at) else { continue };
                for number in buckets(part, period.resolution).and(&whole).iter().flatten() {
                    let begin = start_of(period.resolution, number);
                    let end = begin.plus(period.resolution.length()).min(known);
                    let expected = if begin < end { schedule.expected(begin, end) } else { 0 };
                    let pass = observed.get(&(*series, number)).copied().unwrap_or(0);
                    let counts = Counts { pass, ..Counts::default() };
                    measured.events.miss(missed(expected, &counts));
                }
            }
        }
    }
    Ok(())
}

fn buckets(part: &Part, resolution: Resolution) -> &Stretches {
    match resolution {
        Resolution::Day => &part.days,
        Resolution::Hour => &part.hours,
        Resolution::Minute => &part.minutes,
    }
}

/// A bucket's number, counted from 1970-01-01 UTC in its own length.
fn number_of(period: Period, bucket: u8) -> u32 {
    let begin = period.bucket_start(bucket).as_ns();
    let length = period.resolution.length().as_nanos();
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    u32::try_from(begin.div_euclid(length)).unwrap_or(u32::MAX)
}

fn start_of(resolution: Resolution, number: u32) -> WallTime {
    let length_s = i64::try_from(resolution.length().as_secs()).unwrap_or(i64::MAX);
    WallTime::from_s(i64::from(number).saturating_mul(length_s))
}

/// The begin of a minute that is counted from 1970-01-01 UTC.
pub(super) fn minute_start(minute: u32) -> WallTime {
    WallTime::default().plus(Duration::from_secs(u64::from(minute) * 60))
}

/// Every series that belonged to the service in the window.
pub(super) fn members(chronicle: &Chronicle, wanted: &Wanted) -> BTreeSet<SeriesId> {
    stays(chronicle, wanted).iter().map(|stay| stay.series).collect()
}

/// What operators left out of a service's agreements, in a time.
pub(super) fn excluded(
    chronicle: &Chronicle,
    service: &Service,
    range: &Range<WallTime>,
) -> Vec<Excluded> {
    chronicle.planned.excluded(service, range.clone())
}
