//! Points as requests of OTLP: `ExportMetricsServiceRequest` (opentelemetry/proto/metrics/v1/metrics.proto).
//!
//! Invariant: a request is no larger than [`MAX_BODY_BYTES`] by more than one point. A family may go over several.

use std::collections::HashMap;

use mailsonde_proto::WallTime;
use prost::Message;
use prost::bytes::Bytes;

use super::MAX_BODY_BYTES;
use super::points::{Family, Figure, Key, Point, Points, Told};
use super::wire::{
    AggregationTemporality, AnyValue, Data, ExportMetricsServiceRequest, Gauge, Histogram,
    HistogramDataPoint, InstrumentationScope, KeyValue, Metric, NumberDataPoint,
    Resource as WireResource, ResourceMetrics, ScopeMetrics, Sum, Value,
};
use crate::metrics::Kind;

/// Who tells.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// What agents call the collector.
    pub(super) name: String,
}

/// A request that is ready to be sent.
pub(super) struct Request {
    pub(super) body: Bytes,
    /// What is told by it of counters and histograms, as it stands then.
    pub(super) tells: Vec<(Key, Told)>,
}

/// When counting began, and now.
type Times = (WallTime, WallTime);

/// All points as requests; with `told`, of counters and histograms only what came since.
pub(super) fn of(
    points: &Points,
    times: Times,
    resource: &Resource,
    told: Option<&HashMap<Key, Told>>,
) -> Vec<Request> {
    let mut writer = Writer { times, resource, told, requests: Vec::new(), open: Open::default() };
    for (family, points) in points.families() {
        for point in points {
            writer.add(family, point);
        }
    }
    writer.close();
    writer.requests
}

/// The request that is being made.
#[derive(Default)]
struct Open {
    metrics: Vec<Metric>,
    bytes: usize,
    tells: Vec<(Key, Told)>,
}

struct Writer<'w> {
    times: Times,
    resource: &'w Resource,
    told: Option<&'w HashMap<Key, Told>>,
    requests: Vec<Request>,
    open: Open,
}

impl Writer<'_> {
    fn add(&mut self, family: Family, point: &Point) {
        let is_open = self.open.metrics.last().is_some_and(|metric| metric.name == family.name);
        if !is_open {
            let metric = self.metric(family);
            self.open.bytes += metric.encoded_len();
            self.open.metrics.push(metric);
        }
        let now_ns = unix_ns(self.times.1);
        let (start_ns, figure) = self.since(family, point);
        let attributes = attributes(point.labels.iter().map(|(name, value)| (&**name, &**value)));
        let Some(data) = self.open.metrics.last_mut().and_then(|metric| metric.data.as_mut())
        else {
            return;
        };
        let number = |value| NumberDataPoint {
            attributes: attributes.clone(),
            start_time_unix_nano: start_ns,
            time_unix_nano: now_ns,
            value: Some(value),
        };
        // a length of its own stands before each
        self.open.bytes += 4;
        match (data, figure) {
            (Data::Gauge(gauge), Figure::Gauge(value)) => {
                let point = number(Value::AsDouble(value));
                self.open.bytes += point.encoded_len();
                gauge.data_points.push(point);
            }
            (Data::Sum(sum), Figure::Counter(count)) => {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                let point = number(Value::AsInt(count));
                self.open.bytes += point.encoded_len();
                sum.data_points.push(point);
            }
            (Data::Histogram(histogram), Figure::Histogram(within, count, sum)) => {
                let point = HistogramDataPoint {
                    attributes,
                    start_time_unix_nano: start_ns,
                    time_unix_nano: now_ns,
                    count,
                    sum: Some(sum),
                    bucket_counts: buckets(&within, count),
                    explicit_bounds: within.iter().map(|(bound, _)| *bound).collect(),
                };
                self.open.bytes += point.encoded_len();
                histogram.data_points.push(point);
            }
            _ => {}
        }
        if family.kind != Kind::Gauge {
            let told = Told { at_unix_ns: now_ns, figure: point.figure.clone() };
            self.open.tells.push(((family.name, point.labels.clone()), told));
        }
        if self.open.bytes >= MAX_BODY_BYTES {
            self.close();
        }
    }

    /// Since when a point tells, and what came since.
    fn since(&self, family: Family, point: &Point) -> (u64, Figure) {
        if family.kind == Kind::Gauge {
            return (0, point.figure.clone());
        }
        let key = (family.name, point.labels.clone());
        let begun_ns = unix_ns(self.times.0);
        match self.told.and_then(|told| told.get(&key)) {
            Some(told) => (told.at_unix_ns, beyond(&point.figure, &told.figure)),
            None => (begun_ns, point.figure.clone()),
        }
    }

    fn metric(&self, family: Family) -> Metric {
        let temporality = match self.told {
            Some(_) => AggregationTemporality::Delta,
            None => AggregationTemporality::Cumulative,
        };
        let aggregation_temporality = temporality.into();
        let data = match family.kind {
            Kind::Gauge => Data::Gauge(Gauge::default()),
            Kind::Counter => {
                Data::Sum(Sum { is_monotonic: true, aggregation_temporality, ..Sum::default() })
            }
            Kind::Histogram => {
                Data::Histogram(Histogram { aggregation_temporality, ..Histogram::default() })
            }
        };
        Metric {
            name: family.name.to_owned(),
            description: family.help.to_owned(),
            unit: unit(family.name).to_owned(),
            data: Some(data),
        }
    }

    fn close(&mut self) {
        let Open { metrics, tells, .. } = std::mem::take(&mut self.open);
        if metrics.is_empty() {
            return;
        }
        let scope = InstrumentationScope {
            name: "mailsonde".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        // OpenTelemetry's semantic conventions 1.37, attributes of a service
        let resource = attributes(
            [
                ("service.name", "mailsonde-collector"),
                ("service.version", env!("CARGO_PKG_VERSION")),
                ("service.instance.id", self.resource.name.as_str()),
            ]
            .into_iter(),
        );
        let resource = WireResource { attributes: resource };
        let scoped = ScopeMetrics { scope: Some(scope), metrics };
        let of_resource = ResourceMetrics { resource: Some(resource), scope_metrics: vec![scoped] };
        let request = ExportMetricsServiceRequest { resource_metrics: vec![of_resource] };
        self.requests.push(Request { body: request.encode_to_vec().into(), tells });
    }
}

fn attributes<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>) -> Vec<KeyValue> {
    let one = |(name, value): (&str, &str)| KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { string_value: Some(value.to_owned()) }),
    };
    labels.map(one).collect()
}

/// How many lie between two bounds, and beyond the last: `/metrics` counts up to each.
fn buckets(within: &[(f64, u64)], count: u64) -> Vec<u64> {
    let mut below = 0;
    let upper = within.iter().map(|(_, count)| *count).chain([count]);
    upper
        .map(|upper| {
            let between = upper.saturating_sub(below);
            below = upper;
            between
        })
        .collect()
}

/// What came to a figure since the other one.
fn beyond(figure: &Figure, before: &Figure) -> Figure {
    match (figure, before) {
        (Figure::Counter(count), Figure::Counter(told)) => {
            Figure::Counter(count.saturating_sub(*told))
        }
        (Figure::Histogram(within, count, sum), Figure::Histogram(told, told_count, told_sum)) => {
            let within = within
                .iter()
                .zip(told)
                .map(|((bound, count), (_, told))| (*bound, count.saturating_sub(*told)));
            let (count, sum) = (count.saturating_sub(*told_count), sum - told_sum);
            Figure::Histogram(within.collect(), count, sum.max(0.0))
        }
        _ => figure.clone(),
    }
}

/// As UCUM writes it: what a name's last word says.
fn unit(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        Some("ratio") => "1",
        _ => "",
    }
}

fn unix_ns(at: WallTime) -> u64 {
    u64::try_from(at.as_ns()).unwrap_or_default()
}
