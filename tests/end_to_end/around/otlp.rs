//! Metrics that are sent, as whoever takes them sees them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use mailsonde_collector::otlp::wire::{Data, KeyValue, Metric, Value};
use mailsonde_tests::doubles::otlp::{Asked, Endpoint, Instead, KEY};

use crate::api::{python, well};
use crate::process::write_secret;
use crate::site::{Site, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// A site whose collector sends metrics there every five seconds.
fn sending(endpoint: &Endpoint, temporality: &str) -> Site {
    let mut site = Site::new();
    let headers = site.collector_folder().join("otlp.headers");
    write_secret(&headers, &format!("# of the account\napi-key: {KEY}\n"));
    site.configure(&format!(
        "[otlp]\nendpoint = \"{}\"\nheaders_file = \"otlp.headers\"\nevery = \"5s\"\n\
         temporality = \"{temporality}\"",
        endpoint.url()
    ));
    site.set_checks(1, "1s");
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    site
}

fn metrics(asked: &Asked) -> impl Iterator<Item = &Metric> {
    let scoped = asked.request.resource_metrics.iter().flat_map(|it| &it.scope_metrics);
    scoped.flat_map(|scoped| &scoped.metrics)
}

fn has(attributes: &[KeyValue], name: &str, wanted: &str) -> bool {
    attributes.iter().any(|attribute| {
        let value = attribute.value.as_ref().and_then(|value| value.string_value.as_deref());
        attribute.key == name && value == Some(wanted)
    })
}

/// From when to when a point tells, and how many runs passed: by the counter, and by the histogram.
type Told = (u64, u64, i64, u64);

fn told(asked: &Asked) -> Option<Told> {
    let mut count = None;
    let mut of = None;
    for metric in metrics(asked) {
        match (metric.name.as_str(), metric.data.as_ref()) {
            ("mailsonde_runs", Some(Data::Sum(sum))) => {
                let point =
                    sum.data_points.iter().find(|it| has(&it.attributes, "verdict", "pass"))?;
                let Some(Value::AsInt(value)) = point.value else { panic!("{point:?}") };
                count = Some((point.start_time_unix_nano, point.time_unix_nano, value));
            }
            ("mailsonde_round_trip_seconds", Some(Data::Histogram(histogram))) => {
                let point = histogram.data_points.first()?;
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count, "{point:?}");
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                of = Some(point.count);
            }
            _ => {}
        }
    }
    let (from, to, value) = count?;
    Some((from, to, value, of?))
}

fn taken(endpoint: &Endpoint) -> Vec<Told> {
    endpoint.asked().iter().filter(|it| it.status == 200).filter_map(told).collect()
}

/// A sample of `/metrics`.
fn sample(site: &Site, begin: &str) -> Option<u64> {
    let text = site.text("/metrics");
    let line = text.lines().find(|line| line.starts_with(begin))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// The runs that passed, by `/metrics`: as counter and histogram have them.
fn scraped(site: &Site) -> (u64, u64) {
    let series = "vantage_point=\"branch\",check=\"made-up-0\"";
    let runs = format!("mailsonde_runs_total{{{series},verdict=\"pass\"}}");
    let count = format!("mailsonde_round_trip_seconds_count{{{series}}}");
    (sample(site, &runs).unwrap_or_default(), sample(site, &count).unwrap_or_default())
}

#[test]
fn deltas_add_up_to_what_is_scraped_although_the_endpoint_was_away() {
    let endpoint = Endpoint::start().unwrap();
    let mut site = sending(&endpoint, "delta");
    wait_until("runs are told", PATIENCE, || taken(&endpoint).len() > 1);
    let refused = |endpoint: &Endpoint, status| {
        endpoint.asked().iter().filter(|it| it.status == status).count()
    };
    endpoint.answer_instead(Some(Instead::Refuse(503, None)));
    wait_until("it is tried again, and given up", PATIENCE, || refused(&endpoint, 503) > 3);
    endpoint.answer_instead(Some(Instead::Refuse(403, None)));
    wait_until("a refusal is not tried again at once", PATIENCE, || refused(&endpoint, 403) > 0);
    endpoint.answer_instead(Some(Instead::Refuse(429, Some(7))));
    wait_until("it asks to wait", PATIENCE, || refused(&endpoint, 429) > 0);
    endpoint.answer_instead(Some(Instead::TakeInPart));
    let before = taken(&endpoint).len();
    wait_until("what is taken in part is taken", PATIENCE, || taken(&endpoint).len() > before);
    endpoint.answer_instead(None);
    site.stop_agent();
    let sums = || {
        let all = taken(&endpoint);
        let passed: i64 = all.iter().map(|it| it.2).sum();
        (u64::try_from(passed).unwrap(), all.iter().map(|it| it.3).sum::<u64>())
    };
    wait_until("everything is told", PATIENCE, || sums() == scraped(&site) && sums().0 > 5);
    for two in taken(&endpoint).windows(2) {
        assert_eq!(two[0].1, two[1].0, "one begins where the other ends: {two:?}");
    }
    let all = endpoint.asked();
    let at = all.iter().position(|it| it.status == 429).unwrap();
    let pause = all[at + 1].at - all[at].at;
    assert!(pause >= Duration::from_secs(7), "it came again after {pause:?}");
    assert_eq!(endpoint.complaints(), Vec::<String>::new());
    let log = site.log("collector");
    for (words, times) in [
        ("metrics do not get through", 1),
        ("metrics get through to the OTLP endpoint again", 1),
        ("refused some of the metrics", 1),
        (KEY, 0),
    ] {
        let found = log.matches(words).count();
        assert!(
            found == times || (times == 1 && found > 0 && words.starts_with("refused")),
            "{words}: {found}\n{log}"
        );
    }
}

#[test]
fn totals_are_those_of_the_metrics_and_everything_scraped_is_sent() {
    let endpoint = Endpoint::start().unwrap();
    let mut site = sending(&endpoint, "cumulative");
    wait_until("runs are told", PATIENCE, || !taken(&endpoint).is_empty());
    site.stop_agent();
    wait_until("everything is told", PATIENCE, || {
        let last = taken(&endpoint).last().copied();
        let (runs, count) = scraped(&site);
        last.is_some_and(|(.., passed, of)| u64::try_from(passed) == Ok(runs) && of == count)
    });
    let last = endpoint.asked().pop().unwrap();
    let sent: BTreeMap<&str, bool> =
        metrics(&last).map(|metric| (metric.name.as_str(), metric.data.is_some())).collect();
    let text = site.text("/metrics");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    for name in samples.filter_map(|line| line.split(['{', ' ']).next()) {
        let ends = ["_bucket", "_sum", "_count", "_total"];
        let family = ends.iter().fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(sent.contains_key(family), "{family} is not sent: {sent:?}");
    }
    as_opentelemetry_reads_it(&site, &last);
    let resource = last.request.resource_metrics[0].resource.as_ref().unwrap();
    assert!(has(&resource.attributes, "service.name", "mailsonde-collector"), "{resource:?}");
    assert!(has(&resource.attributes, "service.instance.id", "localhost"), "{resource:?}");
}

/// OpenTelemetry's own messages read the same of the bytes, and know all of it.
fn as_opentelemetry_reads_it(site: &Site, asked: &Asked) {
    let file = site.folder().join("request");
    fs::write(&file, &asked.body).unwrap();
    let read =
        well(python("python").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/otlp.py")).arg(&file));
    let mut lines = Vec::new();
    for metric in metrics(asked) {
        let (kind, points) = match metric.data.as_ref().unwrap() {
            Data::Gauge(gauge) => ("gauge", gauge.data_points.len()),
            Data::Sum(sum) => ("sum", sum.data_points.len()),
            Data::Histogram(histogram) => ("histogram", histogram.data_points.len()),
        };
        lines.push(format!("{} {} {kind} {points}", metric.name, metric.unit));
    }
    let (.., passed, of) = told(asked).unwrap();
    lines.push(format!("runs {passed} round trips {of}"));
    assert_eq!(read.lines().collect::<Vec<_>>(), lines);
}
