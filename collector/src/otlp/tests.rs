use std::collections::HashMap;

use mailsonde_proto::WallTime;
use prost::Message;

use super::points::{Key, Points, Told};
use super::request::{self, Request, Resource};
use super::wire::{Data, ExportMetricsServiceRequest, Metric, Value};
use super::{MAX_BODY_BYTES, headers_of};
use crate::metrics::{Form, Kind};
use crate::secret::Secret;

const BEGUN: WallTime = WallTime::from_s(1_000);
const NOW: WallTime = WallTime::from_s(1_060);
const NS: u64 = 1_000_000_000;

/// So many runs, one of three of them within half a second, two within one.
fn points(runs: u64) -> Points {
    let mut points = Points::default();
    points.family(Kind::Gauge, "mailsonde_disk_free_bytes", "Room.");
    points.gauge(&[], 5.0);
    points.gauge(&[], None);
    points.family(Kind::Counter, "mailsonde_runs", "Runs.");
    points.counter(&[("check", "mail"), ("verdict", "pass")], runs * 3);
    points.family(Kind::Histogram, "mailsonde_round_trip_seconds", "How long.");
    let within = [(0.5, runs), (1.0, runs * 2)];
    points.histogram(&[("check", "mail")], &within, (runs * 3, 4.5));
    points
}

fn requests(
    points: &Points,
    at: WallTime,
    told: Option<&HashMap<Key, Told>>,
) -> Vec<(Request, Vec<Metric>)> {
    let resource = Resource { name: "collector.example.org".into() };
    let made = request::of(points, (BEGUN, at), &resource, told);
    let metrics = |request: Request| {
        let decoded = ExportMetricsServiceRequest::decode(request.body.clone()).unwrap();
        let [of_resource] = decoded.resource_metrics.as_slice() else { panic!("one resource") };
        let [scoped] = of_resource.scope_metrics.as_slice() else { panic!("one scope") };
        let metrics = scoped.metrics.clone();
        (request, metrics)
    };
    made.into_iter().map(metrics).collect()
}

/// Start, value of the counter; start, buckets, count and sum of the histogram; the temporality of both.
type Shown = ((u64, Value), (u64, Vec<u64>, u64, Option<f64>), i32);

fn shown(metrics: &[Metric]) -> Shown {
    let [gauge, sum, histogram] = metrics else { panic!("{metrics:?}") };
    let Some(Data::Gauge(gauge)) = &gauge.data else { panic!("{gauge:?}") };
    assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(5.0)));
    assert_eq!((gauge.data_points.len(), gauge.data_points[0].start_time_unix_nano), (1, 0));
    let Some(Data::Sum(sum)) = &sum.data else { panic!("{sum:?}") };
    let Some(Data::Histogram(histogram)) = &histogram.data else { panic!("{histogram:?}") };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality, histogram.aggregation_temporality);
    let (count, of) = (&sum.data_points[0], &histogram.data_points[0]);
    assert_eq!(of.explicit_bounds, [0.5, 1.0]);
    (
        (count.start_time_unix_nano, count.value.unwrap()),
        (of.start_time_unix_nano, of.bucket_counts.clone(), of.count, of.sum),
        sum.aggregation_temporality,
    )
}

#[test]
fn counters_tell_all_since_the_start_with_buckets_side_by_side() {
    let made = requests(&points(2), NOW, None);
    let [(request, metrics)] = made.as_slice() else { panic!("one request") };
    let names: Vec<_> = metrics.iter().map(|metric| (&*metric.name, &*metric.unit)).collect();
    assert_eq!(
        names,
        [
            ("mailsonde_disk_free_bytes", "By"),
            ("mailsonde_runs", ""),
            ("mailsonde_round_trip_seconds", "s")
        ]
    );
    let begun = 1_000 * NS;
    let histogram = (begun, vec![2, 2, 2], 6, Some(4.5));
    assert_eq!(shown(metrics), ((begun, Value::AsInt(6)), histogram, 2));
    assert_eq!(request.tells.len(), 2, "gauges are not remembered");
}

#[test]
fn a_delta_begins_where_the_last_one_that_was_taken_ended() {
    let mut told = HashMap::new();
    let first = requests(&points(2), NOW, Some(&told));
    let begun = 1_000 * NS;
    let whole = (begun, vec![2, 2, 2], 6, Some(4.5));
    assert_eq!(shown(&first[0].1), ((begun, Value::AsInt(6)), whole, 1));
    for (request, _) in first {
        told.extend(request.tells);
    }
    // the next one is not taken: what it told is in the one after
    let at = |s| WallTime::from_s(s);
    assert_eq!(requests(&points(3), at(1_120), Some(&told)).len(), 1);
    let third = requests(&points(5), at(1_180), Some(&told));
    let after = (1_060 * NS, vec![3, 3, 3], 9, Some(0.0));
    assert_eq!(shown(&third[0].1), ((1_060 * NS, Value::AsInt(9)), after, 1));
}

#[test]
fn many_points_are_many_requests_and_each_is_bounded() {
    let mut points = Points::default();
    points.family(Kind::Counter, "mailsonde_runs", "Runs.");
    let names: Vec<_> = (0..20_000).map(|number| format!("check-{number:0>40}")).collect();
    for name in &names {
        points.counter(&[("check", name), ("verdict", "pass")], 1);
    }
    let made = requests(&points, NOW, None);
    let mut seen = 0;
    for (request, metrics) in &made {
        assert!(request.body.len() < MAX_BODY_BYTES + 1_024, "{}", request.body.len());
        let [Metric { data: Some(Data::Sum(sum)), .. }] = metrics.as_slice() else {
            panic!("{metrics:?}")
        };
        assert_eq!(request.tells.len(), sum.data_points.len());
        seen += sum.data_points.len();
    }
    assert_eq!(seen, 20_000);
    assert!(made.len() > 2 && made.len() < 10, "{}", made.len());
}

#[test]
fn headers_are_lines_and_secrets() {
    let lines = |text: &str| -> Vec<Secret> {
        text.lines().map(|line| Secret::new(line.to_owned())).collect()
    };
    let headers = headers_of(&lines("api-key: hunter2\nX-Scope-OrgID:a:b")).unwrap();
    assert_eq!(
        (&headers["api-key"], &headers["x-scope-orgid"]),
        (&"hunter2".parse().unwrap(), &"a:b".parse().unwrap())
    );
    assert!(!format!("{headers:?}").contains("hunter2"));
    for wrong in ["api-key hunter2", "api key: x", "api-key:", ": x", "a: \u{7}"] {
        assert!(headers_of(&lines(wrong)).is_err(), "{wrong}");
    }
    assert!(headers_of(&lines(&"a: b\n".repeat(17))).is_err());
}
