//! Where volume, latency, quota and stated numbers lead: a trend for each, beside the growth that is planned for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use crate::judge::capacity::{LEAST_DAYS, MOST_DAYS, Outlook, PLANNED_GROWTH, Point, Trend};
use crate::judge::definition::{ROUND_TRIP, Service, Share, Sli};
use crate::judge::gauge::{Gauges, LIMIT, USED, is_bytes};
use crate::judge::sketch::{P95, Sketch};
use crate::period::{Period, Resolution};
use crate::planning::defined;
use crate::registry::Registry;
use crate::rollups::Reader;
use crate::series::{PhaseId, SeriesId};

/// Which are wanted; all that is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityWanted {
    /// Of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The number of this name alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Everything that has a capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// So many days make a trend.
    pub least_days: usize,
    /// What reaches its limit first comes first.
    pub subjects: Vec<SubjectAnswer>,
}

/// One thing that has a capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectAnswer {
    /// The service's name; `None` for a number about none.
    pub service: Option<String>,
    /// What it is: a gauge such as `imap.quota.storage.used`, `latency_p95`, or a stated name.
    pub what: String,
    /// The check that measures it.
    pub check: Option<String>,
    /// At which vantage point; `None` for all of them together.
    pub vantage_point: Option<String>,
    /// `bytes`, `us` (microseconds) or `count`.
    pub unit: String,
    /// Days that are known.
    pub days: usize,
    /// The last of them.
    pub last_day: Option<Date>,
    /// What it was on that day.
    pub last: Option<i64>,
    /// What it may be.
    pub limit: Option<i64>,
    /// Its rise in a year in parts per million of what it is: the least that is likely at 95 %, the likeliest, the most.
    pub yearly_ppm: Option<[i64; 3]>,
    /// The growth that is planned for in a year.
    pub planned: Share,
    /// Where it leads.
    #[serde(flatten)]
    pub outlook: Outlook,
}

/// What is looked at, before its trend is known.
struct Subject {
    service: Option<String>,
    what: String,
    check: Option<String>,
    vantage_point: Option<String>,
    unit: &'static str,
    points: Vec<Point>,
    limit: Option<f64>,
    planned: Share,
}

/// A check at a vantage point of a service.
struct Member {
    series: SeriesId,
    check: String,
    kind: String,
    agent: String,
}

pub(super) fn answer(
    registry: &Registry,
    reader: &Reader,
    wanted: &CapacityWanted,
    now: WallTime,
) -> Result<CapacityAnswer, QueryError> {
    let definitions = defined(registry);
    if let Some(name) = &wanted.service
        && definitions.service(name).is_none()
    {
        return Err(QueryError::Unknown { what: "service", name: name.clone() });
    }
    let mut subjects = Vec::new();
    if wanted.name.is_none() {
        let gauges = by_series(&reader.gauges()?);
        let mut told = BTreeSet::new();
        let is_wanted =
            |service: &&Service| wanted.service.as_ref().is_none_or(|name| *name == service.name);
        for service in definitions.services.iter().filter(is_wanted) {
            let members = members(registry, service);
            latency(reader, service, &members, now, &mut subjects)?;
            for member in &members {
                if told.insert(member.series)
                    && let Some(gauges) = gauges.get(&member.series)
                {
                    gauged(service, member, gauges, &mut subjects);
                }
            }
        }
    }
    let numbers = registry.control().look(|roll| roll.numbers().clone());
    for (name, number) in numbers.iter() {
        let is_wanted = wanted.name.as_ref().is_none_or(|wanted| wanted == name)
            && (wanted.service.is_none() || wanted.service == number.service);
        if is_wanted {
            let service = number.service.as_deref().and_then(|name| definitions.service(name));
            let point = |(day, value): (&Date, &u64)| Point { day: *day, value: float(*value) };
            subjects.push(Subject {
                service: number.service.clone(),
                what: name.to_owned(),
                check: None,
                vantage_point: None,
                unit: "count",
                points: number.days.iter().map(point).collect(),
                limit: number.limit.map(float),
                planned: planned(service),
            });
        }
    }
    let mut subjects: Vec<_> = subjects.into_iter().map(judged).collect();
    subjects.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(CapacityAnswer { now: now.timestamp(), least_days: LEAST_DAYS, subjects })
}

fn planned(service: Option<&Service>) -> Share {
    service.and_then(|service| service.growth).unwrap_or(PLANNED_GROWTH)
}

fn members(registry: &Registry, service: &Service) -> Vec<Member> {
    let mut members = Vec::new();
    for (enrolled, entry) in registry.agents() {
        if !service.is_at(&enrolled.name, &enrolled.labels) {
            continue;
        }
        for check in entry.checks.into_iter().filter(|check| service.has_check(&check.name)) {
            let series = SeriesId::of(enrolled.agent, &check.name);
            let agent = enrolled.name.clone();
            members.push(Member { series, check: check.name, kind: check.kind, agent });
        }
    }
    members
}

/// How long round trips take, by day and check, from everywhere.
fn latency(
    reader: &Reader,
    service: &Service,
    members: &[Member],
    now: WallTime,
    subjects: &mut Vec<Subject>,
) -> Result<(), QueryError> {
    let days = Resolution::Day.length() * u32::try_from(MOST_DAYS).unwrap_or(0);
    // The day that is under way is not over: it would be compared with whole ones.
    let today = now.as_ns().div_euclid(86_400_000_000_000);
    let today = WallTime::from_s(today.saturating_mul(86_400));
    let range = today.minus(days)..today;
    let mut checks: BTreeMap<&str, BTreeMap<WallTime, Sketch>> = BTreeMap::new();
    for member in members.iter().filter(|member| member.kind == ROUND_TRIP) {
        let cells = reader.cells((member.series, PhaseId::TOTAL), Resolution::Day, &range)?;
        let days = checks.entry(&member.check).or_default();
        for (begin, cell) in cells.into_iter().filter(|(_, cell)| !cell.latency.is_empty()) {
            days.entry(begin).or_default().merge(&cell.latency);
        }
    }
    let limit = service.objectives.iter().filter_map(|objective| match objective.sli {
        Sli::Latency { within_us } => Some(within_us),
        _ => None,
    });
    let limit = limit.min().map(float);
    for (check, days) in checks {
        let point = |(begin, sketch): (WallTime, Sketch)| {
            let value = u64::try_from(sketch.at(P95)?).ok()?;
            Some(Point { day: date(begin), value: float(value) })
        };
        subjects.push(Subject {
            service: Some(service.name.clone()),
            what: "latency_p95".to_owned(),
            check: Some(check.to_owned()),
            vantage_point: None,
            unit: "us",
            points: days.into_iter().filter_map(point).collect(),
            limit,
            planned: planned(Some(service)),
        });
    }
    Ok(())
}

/// The values of each gauge of each series, by day.
type ByDay = BTreeMap<String, BTreeMap<Date, u64>>;

fn by_series(gauges: &BTreeMap<(SeriesId, u32), Gauges>) -> BTreeMap<SeriesId, ByDay> {
    let mut found: BTreeMap<SeriesId, ByDay> = BTreeMap::new();
    for ((series, month), gauges) in gauges {
        let period = Period { resolution: Resolution::Day, number: *month };
        let of_series = found.entry(*series).or_default();
        for (name, values) in gauges.values() {
            let days = of_series.entry(name.to_owned()).or_default();
            for (day, value) in values {
                let begin = period.bucket_start(u8::try_from(day).unwrap_or(0));
                days.insert(date(begin), value);
            }
        }
    }
    found
}

/// What a target measured of itself.
fn gauged(service: &Service, member: &Member, gauges: &ByDay, subjects: &mut Vec<Subject>) {
    for (name, days) in gauges.iter().filter(|(name, _)| !name.ends_with(LIMIT)) {
        let limit = name
            .strip_suffix(USED)
            .and_then(|stem| gauges.get(&format!("{stem}{LIMIT}"))?.values().last().copied());
        let point = |(day, value): (&Date, &u64)| Point { day: *day, value: float(*value) };
        subjects.push(Subject {
            service: Some(service.name.clone()),
            what: name.clone(),
            check: Some(member.check.clone()),
            vantage_point: Some(member.agent.clone()),
            unit: if is_bytes(name) { "bytes" } else { "count" },
            points: days.iter().map(point).collect(),
            limit: limit.map(float),
            planned: planned(Some(service)),
        });
    }
}

fn judged(subject: Subject) -> SubjectAnswer {
    let Subject { service, what, check, vantage_point, unit, points, limit, planned } = subject;
    let trend = Trend::of(&points);
    let days = points.len();
    let yearly = trend.as_ref().and_then(Trend::yearly);
    SubjectAnswer {
        service,
        what,
        check,
        vantage_point,
        unit: unit.to_owned(),
        days,
        last_day: points.last().map(|point| point.day),
        last: points.last().map(|point| whole(point.value)),
        limit: limit.map(whole),
        yearly_ppm: yearly.map(|shares| shares.map(|share| whole(share * 1e6))),
        planned,
        outlook: trend.map_or(Outlook::TooFew, |trend| trend.outlook(limit)),
    }
}

/// What is to be looked at first.
fn order(subject: &SubjectAnswer) -> (u8, Option<Date>, &Option<String>, &str, &Option<String>) {
    let (rank, day) = match subject.outlook {
        Outlook::Reached => (0, None),
        Outlook::Reaches { earliest, .. } => (1, Some(earliest)),
        Outlook::Rises | Outlook::Far => (2, None),
        Outlook::NoTrend | Outlook::Falls => (3, None),
        Outlook::TooFew => (4, None),
    };
    (rank, day, &subject.service, &subject.what, &subject.vantage_point)
}

fn date(at: WallTime) -> Date {
    at.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A number as it is reckoned with: exact up to 2^53.
fn float(value: u64) -> f64 {
    let part = |part: u64| u32::try_from(part).map_or(0.0, f64::from);
    part(value >> 32) * 4_294_967_296.0 + part(value & 0xffff_ffff)
}

/// The whole part; by way of seconds, the one conversion that is checked.
fn whole(value: f64) -> i64 {
    SignedDuration::try_from_secs_f64(value).map_or(0, |duration| duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(values: &[u64], limit: Option<u64>) -> Subject {
        let day = |index: i8| jiff::civil::date(2026, 11, 1 + index);
        let point = |(value, index): (&u64, i8)| Point { day: day(index), value: float(*value) };
        Subject {
            service: Some("mail".into()),
            what: "imap.quota.storage.used".into(),
            check: Some("box".into()),
            vantage_point: Some("hq".into()),
            unit: "bytes",
            points: values.iter().zip(0..).map(point).collect(),
            limit: limit.map(float),
            planned: PLANNED_GROWTH,
        }
    }

    #[test]
    fn what_is_first_is_what_ends_first() {
        let rising: Vec<u64> = (0..20).map(|day| 1_000 + day * 10).collect();
        let subjects = [
            subject(&[1; 3], None),
            subject(&[5; 20], Some(10)),
            subject(&rising, Some(9_000)),
            subject(&rising, Some(2_000)),
            subject(&rising, Some(1_000)),
        ];
        let mut judged: Vec<_> = subjects.into_iter().map(judged).collect();
        judged.sort_by(|one, other| order(one).cmp(&order(other)));
        let limits: Vec<_> = judged.iter().map(|subject| subject.limit).collect();
        assert_eq!(limits, [Some(1_000), Some(2_000), Some(9_000), Some(10), None]);
        let json = serde_json::to_string(&judged[1]).unwrap();
        insta::assert_snapshot!(json, @r#"
        {"service":"mail","what":"imap.quota.storage.used","check":"box","vantage_point":"hq","unit":"bytes","days":20,"last_day":"2026-11-20","last":1190,"limit":2000,"yearly_ppm":[3069327,3069327,3069327],"planned":"10%","outlook":"reaches","day":"2027-02-09","earliest":"2027-02-09","latest":"2027-02-09"}
        "#);
        assert_eq!(serde_json::from_str::<SubjectAnswer>(&json).unwrap(), judged[1]);
    }

    #[test]
    fn numbers_are_exact_there_and_back() {
        for value in [0, 1, 19 * 1_024, u64::from(u32::MAX) + 7, (1 << 53) - 1] {
            assert_eq!(u64::try_from(whole(float(value))), Ok(value));
        }
        assert_eq!(whole(f64::INFINITY), 0);
        assert_eq!(whole(-3.9), -3);
    }
}
