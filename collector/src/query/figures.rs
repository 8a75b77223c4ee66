//! What an incident came to, measured: minutes of its services, runs of its checks, what it took of budgets, its course.
//!
//! Runs are counted by the minute as long as minutes are kept, then by whole hours or days, and that is said. Budgets are
//! those of the window in which the incident ended or, of a calendar one, began. Absent on purpose: latency objectives and
//! runs within business hours, of which a part of an hour cannot be counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;

use super::measured::{Measured, Tells, Wanted, measure, zone};
use super::sla::window_in_words;
use crate::judge::chronicle::Chronicle;
use crate::judge::definition::{Objective, ROUND_TRIP, Service, Sli, VOICE, Window};
use crate::judge::incident::Incident;
use crate::judge::incident::figures::{
    Course, Figures, MOST_SITES, MOST_STEPS, Ran, ServiceFigures, SiteCourse, SiteFigures, Spent,
};
use crate::judge::rollup::{Cell, Counts};
use crate::judge::sketch::Sketch;
use crate::judge::window::calendar;
use crate::period::{Period, Resolution};
use crate::rollups::{Detail, Reader};
use crate::series::SeriesId;
use crate::store::Error;

const MINUTE_S: i64 = 60;
const DAY: Duration = Duration::from_secs(86_400);
/// A course begins at least so long before the incident, and ends so long after it.
const MARGIN_S: i64 = 15 * MINUTE_S;
/// At most so long.
const MAX_MARGIN_S: i64 = 6 * 3_600;
/// How long a step of a course may be, in seconds.
const STEPS_S: [i64; 12] =
    [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800];

/// One check at one vantage point that the incident is about, or that a budget counts.
struct Seen {
    site: String,
    is_round_trip: bool,
    /// It is one of the incident's own checks.
    is_own: bool,
}

/// What an incident came to, by what is kept now.
pub(super) fn figures(reader: &Reader, incident: &Incident) -> Result<Figures, Error> {
    let now = reader.head().now();
    let ended = incident.ended_at.or(incident.resolved_at).unwrap_or(now.timestamp());
    let range = whole_minutes(incident.began_at, ended.max(incident.began_at));
    let chronicle = reader.chronicle();
    let asked = Asked::of(&chronicle, incident, &range);
    let measured = measure(reader, &chronicle, now, &asked.wanted)?;
    let seen = seen(&chronicle, incident, &range, &asked.members);
    drop(chronicle);
    let counted = count(reader, incident, &seen, &range)?;
    let own = |is_wanted: &dyn Fn(&Seen) -> bool| {
        let all = seen.iter().filter(|(_, seen)| seen.is_own && is_wanted(seen));
        sum(all.filter_map(|(series, _)| counted.ran.get(series)))
    };
    Ok(Figures {
        services: asked.services(&measured, &counted, &seen),
        runs: own(&|_| true),
        round_trips: own(&|seen| seen.is_round_trip),
        sites: sites(&counted.groups, |site| own(&|seen| counted.group_of(&seen.site) == site)),
        is_by_hour: counted.resolution != Resolution::Minute,
        course: counted.course(),
    })
}

/// The whole minutes in which anything of it was.
fn whole_minutes(from: Timestamp, until: Timestamp) -> Range<WallTime> {
    let first = from.as_second().div_euclid(MINUTE_S) * MINUTE_S;
    let last = (until.as_second() + MINUTE_S).div_euclid(MINUTE_S) * MINUTE_S;
    WallTime::from_s(first)..WallTime::from_s(last.max(first + MINUTE_S))
}

fn sum<'r>(all: impl Iterator<Item = &'r Ran>) -> Ran {
    all.fold(Ran::default(), |sum, ran| Ran {
        pass: sum.pass.saturating_add(ran.pass),
        fail: sum.fail.saturating_add(ran.fail),
        void: sum.void.saturating_add(ran.void),
    })
}

fn sites(groups: &[String], ran: impl Fn(usize) -> Ran) -> Vec<SiteFigures> {
    let all = groups.iter().enumerate();
    all.map(|(at, site)| SiteFigures { site: site.clone(), runs: ran(at) }).collect()
}

/// Figures that are asked for, and of what.
struct Asked {
    wanted: Vec<Wanted>,
    /// By service: where its minutes stand in `wanted`, and each budget.
    of: Vec<(ServiceFigures, usize, Vec<Budgeted>)>,
    /// Who belongs to each service.
    members: Vec<BTreeSet<SeriesId>>,
}

/// An objective, where its window stands in `wanted` and, of minutes, where what was spent does.
type Budgeted = (Objective, usize, Option<usize>);

impl Asked {
    fn of(chronicle: &Chronicle, incident: &Incident, range: &Range<WallTime>) -> Self {
        let definitions = chronicle.definitions_at(range.start);
        let zone = zone(definitions);
        let window = |window: Window| match window {
            Window::Rolling { days } => range.end.minus(DAY * u32::from(days))..range.end,
            _ => calendar(window, &zone, zone.to_datetime(incident.began_at).date()),
        };
        let mut asked = Self { wanted: Vec::new(), of: Vec::new(), members: Vec::new() };
        for (name, impact) in &incident.services {
            let Some(service) = definitions.service(name) else { continue };
            let minutes = asked.want(service, Sli::Uptime, (range.clone(), false), false);
            let mut budgets = Vec::new();
            for objective in service.objectives.iter().filter(|it| is_told(it)) {
                let Objective { sli, in_hours, .. } = *objective;
                let is_rolling = matches!(objective.window, Window::Rolling { .. });
                let whole =
                    asked.want(service, sli, (window(objective.window), in_hours), is_rolling);
                let own = (sli == Sli::Uptime)
                    .then(|| asked.want(service, sli, (range.clone(), in_hours), false));
                budgets.push((objective.clone(), whole, own));
            }
            let figures = ServiceFigures {
                service: name.clone(),
                title: impact.title.clone(),
                ..ServiceFigures::default()
            };
            asked.of.push((figures, minutes, budgets));
            let members = chronicle.members_at(service, range.start).map(|member| member.series);
            asked.members.push(members.collect());
        }
        asked
    }

    fn want(
        &mut self,
        service: &Service,
        sli: Sli,
        (range, in_hours): (Range<WallTime>, bool),
        is_rolling: bool,
    ) -> usize {
        self.wanted.push(Wanted {
            service: service.name.clone(),
            sli,
            range,
            in_hours,
            left_out: Vec::new(),
            is_rolling,
            tells: Tells::default(),
        });
        self.wanted.len().saturating_sub(1)
    }

    fn services(
        self,
        measured: &[Measured],
        counted: &Counted,
        seen: &BTreeMap<SeriesId, Seen>,
    ) -> Vec<ServiceFigures> {
        let tallied = |at: usize| measured.get(at).map(|it| it.tallied).unwrap_or_default();
        let all = self.of.into_iter().zip(&self.members);
        let services = all.map(|((mut figures, minutes, budgets), members)| {
            let of_service = tallied(minutes);
            figures.up_minutes = of_service.good;
            figures.down_minutes = of_service.bad;
            figures.unknown_minutes = of_service.unknown;
            for (objective, whole, own) in budgets {
                let is_counted = |series: &&SeriesId| {
                    objective.sli != Sli::Delivery
                        || seen.get(*series).is_some_and(|seen| seen.is_round_trip)
                };
                let spent = match own {
                    Some(own) => tallied(own).bad,
                    None => {
                        let members = members.iter().filter(is_counted);
                        sum(members.filter_map(|series| counted.ran.get(series))).fail
                    }
                };
                let to_come = measured.get(whole).map_or(0, |it| it.to_come);
                figures.budgets.push(Spent {
                    objective: objective.name.clone(),
                    target: objective.target,
                    window: window_in_words(objective.window),
                    unit: if own.is_some() { "minutes" } else { "runs" }.to_owned(),
                    spent,
                    allowed: tallied(whole).budget(objective.target, to_come).allowed,
                });
            }
            figures
        });
        services.collect()
    }
}

/// Whether what an incident spent of a budget can be counted.
fn is_told(objective: &Objective) -> bool {
    match objective.sli {
        Sli::Uptime => true,
        Sli::Delivery | Sli::Success => !objective.in_hours,
        Sli::Latency { .. } | Sli::Resolution { .. } | Sli::Security => false,
    }
}

/// Every check at every vantage point that is counted.
fn seen(
    chronicle: &Chronicle,
    incident: &Incident,
    range: &Range<WallTime>,
    members: &[BTreeSet<SeriesId>],
) -> BTreeMap<SeriesId, Seen> {
    let mut seen = BTreeMap::new();
    for (_, history) in chronicle.agents() {
        let Some((name, labels)) = history.named_at(range.start) else { continue };
        let site = labels.get(VOICE).map_or(name, String::as_str);
        for (check, runs) in history.runs() {
            let is_own = incident.checks.contains(check);
            if !is_own && !members.iter().any(|members| members.contains(&runs.series)) {
                continue;
            }
            let schedule = &runs.schedule;
            let Some(check) = schedule.at(range.start).or_else(|| schedule.at(range.end)) else {
                continue;
            };
            let is_round_trip = check.kind == ROUND_TRIP;
            seen.insert(runs.series, Seen { site: site.to_owned(), is_round_trip, is_own });
        }
    }
    seen
}

/// What was counted.
struct Counted {
    resolution: Resolution,
    /// While the incident lasted.
    ran: BTreeMap<SeriesId, Ran>,
    /// Sites that are told one by one; the last, without a name, is all the others.
    groups: Vec<String>,
    from: i64,
    step_s: i64,
    steps: usize,
    /// By group and step.
    course: BTreeMap<(usize, usize), (Counts, Sketch)>,
}

fn count(
    reader: &Reader,
    incident: &Incident,
    seen: &BTreeMap<SeriesId, Seen>,
    range: &Range<WallTime>,
) -> Result<Counted, Error> {
    let mut counted = Counted::planned(reader, incident, seen, range);
    let all: BTreeMap<SeriesId, Detail> =
        seen.keys().map(|series| (*series, Detail::Latencies)).collect();
    // where round trips are among them, it is those whose time tells how mail was
    let are_round_trips = seen.values().any(|it| it.is_own && it.is_round_trip);
    let length = counted.resolution.length();
    let (from, until) = (WallTime::from_s(counted.from), WallTime::from_s(counted.until()));
    let (mut period, _) = Period::of(counted.resolution, from);
    while period.start() < until {
        reader.counted(period, &all, |series, bucket, cell| {
            let Some(it) = seen.get(&series) else { return };
            let at = period.bucket_start(bucket);
            if at < range.end && range.start < at.plus(length) {
                counted.count(series, &cell.counts);
            }
            if it.is_own && from <= at && at < until {
                counted.go(at, &it.site, cell, it.is_round_trip || !are_round_trips);
            }
        })?;
        period = period.next();
    }
    Ok(counted)
}

impl Counted {
    fn planned(
        reader: &Reader,
        incident: &Incident,
        seen: &BTreeMap<SeriesId, Seen>,
        range: &Range<WallTime>,
    ) -> Self {
        let now = reader.head().now();
        let (start, end) = (range.start.timestamp().as_second(), range.end.timestamp().as_second());
        let margin = ((end - start) / 4).clamp(MARGIN_S, MAX_MARGIN_S);
        let from = WallTime::from_s(start - margin);
        let is_kept = |it: &Resolution| !Period::of(*it, from).0.is_over(now);
        let resolution = Resolution::ALL.into_iter().find(is_kept).unwrap_or(Resolution::Day);
        let least = i64::try_from(resolution.length().as_secs()).unwrap_or(i64::MAX);
        let long = end - start + 2 * margin;
        let most = i64::try_from(MOST_STEPS).unwrap_or(i64::MAX);
        let fits = |step: &&i64| **step >= least && long / **step < most;
        let step_s = STEPS_S.iter().find(fits).copied().unwrap_or(604_800);
        let from = (start - margin).div_euclid(step_s) * step_s;
        let until = (end + margin).min(now.timestamp().as_second()).max(end);
        let steps = (until - from + step_s - 1).div_euclid(step_s);
        let steps = usize::try_from(steps).unwrap_or(0).min(MOST_STEPS);
        let (groups, course) = (groups(incident, seen), BTreeMap::new());
        Self { resolution, ran: BTreeMap::new(), groups, from, step_s, steps, course }
    }

    fn until(&self) -> i64 {
        let steps = i64::try_from(self.steps).unwrap_or(i64::MAX);
        self.from.saturating_add(steps.saturating_mul(self.step_s))
    }

    fn group_of(&self, site: &str) -> usize {
        let last = self.groups.len().saturating_sub(1);
        self.groups.iter().position(|group| group == site).unwrap_or(last)
    }

    fn count(&mut self, series: SeriesId, counts: &Counts) {
        let ran = self.ran.entry(series).or_default();
        ran.pass = ran.pass.saturating_add(counts.pass);
        ran.fail = ran.fail.saturating_add(counts.fail);
        ran.void = ran.void.saturating_add(counts.void);
    }

    fn go(&mut self, at: WallTime, site: &str, cell: &Cell, is_timed: bool) {
        let after = at.timestamp().as_second().saturating_sub(self.from);
        let Ok(step) = usize::try_from(after.div_euclid(self.step_s)) else { return };
        let group = self.group_of(site);
        let (counts, latency) = self.course.entry((group, step)).or_default();
        counts.merge(&cell.counts);
        if is_timed {
            latency.merge(&cell.latency);
        }
    }

    fn course(&self) -> Course {
        let site = |(group, site): (usize, &String)| {
            let at = |step| self.course.get(&(group, step));
            SiteCourse {
                site: site.clone(),
                failed: (0..self.steps)
                    .map(|step| at(step).filter(|(it, _)| it.observed() > 0).map(|(it, _)| it.fail))
                    .collect(),
                median_us: (0..self.steps)
                    .map(|step| at(step).and_then(|(_, latency)| latency.at(500)))
                    .collect(),
            }
        };
        Course {
            from: Timestamp::from_second(self.from).ok(),
            step_s: u64::try_from(self.step_s).unwrap_or(0),
            sites: self.groups.iter().enumerate().map(site).collect(),
        }
    }
}

/// The sites at which most failed, then others; what is left is one without a name.
fn groups(incident: &Incident, seen: &BTreeMap<SeriesId, Seen>) -> Vec<String> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for it in seen.values().filter(|it| it.is_own) {
        places.entry(&it.site).or_default();
    }
    for place in &incident.places {
        if let Some(count) = places.get_mut(place.site.as_str()) {
            *count += 1;
        }
    }
    let mut ranked: Vec<(&str, usize)> = places.into_iter().collect();
    ranked.sort_by_key(|(site, count)| (std::cmp::Reverse(*count), *site));
    let all = ranked.len();
    let most = if all > MOST_SITES { MOST_SITES - 1 } else { all };
    let mut groups: Vec<String> =
        ranked.into_iter().take(most).map(|(site, _)| site.to_owned()).collect();
    if all > most {
        groups.push(String::new());
    }
    groups
}
