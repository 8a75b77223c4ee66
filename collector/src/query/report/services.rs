//! Services of a month: minutes, runs and agreements as other questions have them; sites and days from hours' figures.
//!
//! Runs of a site are those of whole UTC hours that begin in the month, as in the figures of agreements. What is left out
//! of agreements is in here: this tells how it was, and the agreements what counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;

use super::answer::{AgreementReport, DayFigures, ServiceReport, SiteReport, TrendPoint};
use crate::judge::chronicle::Chronicle;
use crate::judge::definition::{ROUND_TRIP, Service, Sli, Window};
use crate::judge::objective::Events;
use crate::judge::rollup::{Cell, Counts};
use crate::judge::sketch::{P50, P95, Sketch};
use crate::judge::window::calendar;
use crate::period::{Period, Resolution};
use crate::query::measured::{Measured, Tells, Wanted, measure, stays};
use crate::query::sla::{
    AgreementAnswer, ExcludedAnswer, Month, RunsAnswer, SlaAnswer, services as defined, spent_by,
};
use crate::query::{QueryError, Spread};
use crate::rollups::{Detail, Reader};
use crate::series::SeriesId;

/// Sites of a service that are told one by one.
const MOST_SITES: usize = 200;
/// Kinds of failures that are told.
const MOST_SPENT_BY: usize = 20;
/// What is measured of each service.
const MEASURED: [Sli; 3] = [Sli::Uptime, Sli::Success, Sli::Delivery];

/// Every service of the month; agreements come measured.
pub(super) fn services(
    reader: &Reader,
    (month, zone): (Month, &TimeZone),
    (sla, excluded): (&SlaAnswer, &[Vec<ExcludedAnswer>]),
    earlier: &[(Month, SlaAnswer)],
) -> Result<Vec<ServiceReport>, QueryError> {
    let now = reader.head().now();
    let phases = reader.phases()?;
    let range = calendar(Window::Month, zone, month.first_day());
    let chronicle = reader.chronicle();
    let services = defined(&chronicle, chronicle.current(), &range);
    let wanted: Vec<Wanted> = services
        .iter()
        .flat_map(|service| MEASURED.map(|sli| wanted(service, sli, range.clone())))
        .collect();
    let measured = measure(reader, &chronicle, now, &wanted)?;
    let members = Members::of(&chronicle, &wanted);
    drop(chronicle);
    let tallied = members.count(reader, services.len(), (&range, zone))?;
    let of_measured = measured.chunks(MEASURED.len());
    let all = services.iter().zip(of_measured).zip(tallied).map(|((service, it), tallied)| {
        let it = |at: usize| it.get(at).cloned().unwrap_or_default();
        let (uptime, all, round_trips): (Measured, Measured, Measured) = (it(0), it(1), it(2));
        let own = sla.agreements.iter().zip(excluded);
        let own = own.filter(|(kept, _)| kept.service == service.name);
        let agreements = own.map(|(kept, excluded)| AgreementReport {
            trend: trend(kept, month, earlier),
            kept: kept.clone(),
            excluded: excluded.clone(),
        });
        ServiceReport {
            name: service.name.clone(),
            title: service.shown().to_owned(),
            owner: service.owner.clone(),
            up_minutes: uptime.tallied.good,
            down_minutes: uptime.tallied.bad,
            unknown_minutes: uptime.tallied.unknown,
            runs: runs(&all.events),
            round_trips: runs(&round_trips.events),
            latency: tallied.latency(),
            agreements: agreements.collect(),
            days: tallied.days(),
            sites: tallied.into_sites(),
            spent_by: spent_by(&all, &phases).into_iter().take(MOST_SPENT_BY).collect(),
        }
    });
    Ok(all.collect())
}

fn wanted(service: &Service, sli: Sli, range: std::ops::Range<WallTime>) -> Wanted {
    Wanted {
        service: service.name.clone(),
        sli,
        range,
        in_hours: false,
        left_out: Vec::new(),
        is_rolling: false,
        tells: Tells::default(),
    }
}

fn runs(events: &Events) -> RunsAnswer {
    let Events { pass, fail, void, missed, .. } = *events;
    RunsAnswer { pass, fail, void, missed }
}

/// How the same agreement did before, month by month; nothing where its window is another.
fn trend(kept: &AgreementAnswer, month: Month, earlier: &[(Month, SlaAnswer)]) -> Vec<TrendPoint> {
    if kept.figure.window != "month" {
        return Vec::new();
    }
    let point = |month: Month, found: Option<&AgreementAnswer>| {
        let found = found.filter(|it| it.figure.lower.is_some());
        TrendPoint {
            month,
            result: found.map(|it| it.result),
            lower: found.and_then(|it| it.figure.lower),
            upper: found.and_then(|it| it.figure.upper),
        }
    };
    let is_same = |it: &&AgreementAnswer| {
        it.service == kept.service && it.agreement == kept.agreement && it.figure.window == "month"
    };
    let earlier = earlier.iter();
    let earlier = earlier.map(|(month, sla)| point(*month, sla.agreements.iter().find(is_same)));
    earlier.chain([point(month, Some(kept))]).collect()
}

/// That a check at a vantage point belonged to a service for a time, as part of a voice.
struct Member {
    service: usize,
    site: String,
    is_round_trip: bool,
    from: WallTime,
    until: WallTime,
}

/// Who belonged to which service when.
struct Members {
    all: HashMap<SeriesId, Vec<Member>>,
    /// Services that have round trips: it is their time that tells how mail was.
    with_round_trips: BTreeSet<usize>,
}

impl Members {
    fn of(chronicle: &Chronicle, wanted: &[Wanted]) -> Self {
        let mut members = Self { all: HashMap::new(), with_round_trips: BTreeSet::new() };
        for (service, wanted) in wanted.chunks(MEASURED.len()).enumerate() {
            for stay in wanted.first().map(|it| stays(chronicle, it)).unwrap_or_default() {
                let is_round_trip = stay.check.kind == ROUND_TRIP;
                if is_round_trip {
                    members.with_round_trips.insert(service);
                }
                members.all.entry(stay.series).or_default().push(Member {
                    service,
                    site: stay.voice.to_owned(),
                    is_round_trip,
                    from: stay.from,
                    until: stay.until,
                });
            }
        }
        members
    }

    fn count(
        &self,
        reader: &Reader,
        services: usize,
        (range, zone): (&std::ops::Range<WallTime>, &TimeZone),
    ) -> Result<Vec<Tallied>, QueryError> {
        let last = zone.to_datetime(range.end.timestamp()).date().yesterday();
        let days = last.map_or(31, |last| usize::try_from(last.day()).unwrap_or(31));
        let mut tallied: Vec<Tallied> = vec![Tallied::of_days(days); services];
        let series: BTreeMap<SeriesId, Detail> =
            self.all.keys().map(|series| (*series, Detail::Latencies)).collect();
        let now = reader.head().now();
        let (mut period, _) = Period::of(Resolution::Hour, range.start);
        while period.start() < range.end && period.start() <= now {
            reader.counted(period, &series, |series, bucket, cell| {
                let at = period.bucket_start(bucket);
                if !range.contains(&at) {
                    return;
                }
                let day = zone.to_datetime(at.timestamp()).date().day();
                let day = usize::try_from(day).unwrap_or(1).saturating_sub(1);
                let end = at.plus(Resolution::Hour.length());
                let of_series = self.all.get(&series).into_iter().flatten();
                // the hour in which a vantage point moved counts as where it was first
                let mut counted = BTreeSet::new();
                for member in of_series.filter(|it| it.from < end && at < it.until) {
                    if let Some(into) = tallied.get_mut(member.service)
                        && counted.insert(member.service)
                    {
                        let timed = member.is_round_trip
                            || !self.with_round_trips.contains(&member.service);
                        into.add(&member.site, day, cell, timed);
                    }
                }
            })?;
            period = period.next();
        }
        Ok(tallied)
    }
}

/// What a service's hours come to.
#[derive(Clone, Default)]
struct Tallied {
    sites: BTreeMap<String, (Counts, Sketch)>,
    days: Vec<(Counts, Sketch)>,
    all: Sketch,
}

impl Tallied {
    fn of_days(days: usize) -> Self {
        Self { days: vec![(Counts::default(), Sketch::default()); days], ..Self::default() }
    }

    fn add(&mut self, site: &str, day: usize, cell: &Cell, is_timed: bool) {
        let site = match self.sites.get_mut(site) {
            Some(there) => there,
            None => self.sites.entry(site.to_owned()).or_default(),
        };
        for (counts, latency) in self.days.get_mut(day).into_iter().chain([site]) {
            counts.merge(&cell.counts);
            if is_timed {
                latency.merge(&cell.latency);
            }
        }
        if is_timed {
            self.all.merge(&cell.latency);
        }
    }

    fn latency(&self) -> Spread {
        spread(&self.all)
    }

    fn days(&self) -> Vec<DayFigures> {
        let day = |(counts, latency): &(Counts, Sketch)| DayFigures {
            failed: (counts.observed() > 0).then_some(counts.fail),
            p50_us: latency.at(P50),
            p95_us: latency.at(P95),
        };
        self.days.iter().map(day).collect()
    }

    fn into_sites(self) -> Vec<SiteReport> {
        let mut sites: Vec<_> = self.sites.into_iter().collect();
        // a site's name breaks ties, so that equal months are equal bytes
        sites.sort_by(|(name, (one, _)), (other_name, (other, _))| {
            (other.fail, name).cmp(&(one.fail, other_name))
        });
        let rest = sites.split_off(sites.len().min(MOST_SITES));
        if !rest.is_empty() {
            let mut others = (Counts::default(), Sketch::default());
            for (_, (counts, latency)) in rest {
                others.0.merge(&counts);
                others.1.merge(&latency);
            }
            sites.push((String::new(), others));
        }
        let site = |(site, (counts, latency)): (String, (Counts, Sketch))| SiteReport {
            site,
            pass: counts.pass,
            fail: counts.fail,
            void: counts.void,
            latency: spread(&latency),
        };
        sites.into_iter().map(site).collect()
    }
}

fn spread(sketch: &Sketch) -> Spread {
    Spread { p50_us: sketch.at(P50), p95_us: sketch.at(P95), runs: sketch.count() }
}
