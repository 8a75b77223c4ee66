//! The course of an incident: charts for the page, small tables for Markdown.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::Part;
use crate::chart::{Band, Chart, Mark, Shape, Unit};
use crate::judge::draft::duration;
use crate::judge::incident::Incident;
use crate::judge::incident::figures::{Course, SiteCourse};
use crate::text::markdown;

/// Rows of a table at most.
const MOST_ROWS: usize = 16;

/// Failures and latency, from before until after.
pub(super) fn parts(incident: &Incident, course: &Course, zone: &TimeZone) -> Vec<Part> {
    let Some(from) = course.from.filter(|_| !course.is_empty()) else {
        return vec![Part::Text("No runs are kept of that time: there is no chart.\n".to_owned())];
    };
    let began = Mark { at: incident.began_at, label: "began".to_owned() };
    let ended = incident.ended_at.map(|at| Mark { at, label: "ended".to_owned() });
    let marks: Vec<Mark> = [Some(began), ended].into_iter().flatten().collect();
    let chart = |title: String, shape, unit, value: &dyn Fn(&SiteCourse) -> Vec<Option<u64>>| {
        let band = |site: &SiteCourse| Band { label: called(&site.site), values: value(site) };
        Chart {
            title,
            shape,
            unit,
            from,
            step_s: course.step_s,
            zone: zone.clone(),
            bands: course.sites.iter().map(band).collect(),
            marks: marks.clone(),
        }
    };
    let each = match course.step_s {
        60 => "per minute".to_owned(),
        s => format!("in each {}", duration(i64::try_from(s).unwrap_or(i64::MAX))),
    };
    let failed = chart(
        format!("Runs that failed {each}, by site"),
        Shape::Bars,
        Unit::Count("runs that failed"),
        &|site| site.failed.clone(),
    );
    let took = chart(
        "How long runs took that passed, by site (half took no longer)".to_owned(),
        Shape::Line,
        Unit::Micros,
        &|site| {
            let us = site.median_us.iter();
            us.map(|us| us.and_then(|us| u64::try_from(us).ok())).collect()
        },
    );
    vec![
        Part::Chart { table: table(&failed, "Runs that failed, by site", sum), chart: failed },
        Part::Chart {
            table: table(&took, "How long runs took that passed, by site", longest),
            chart: took,
        },
    ]
}

fn called(site: &str) -> String {
    if site.is_empty() { "all other sites".to_owned() } else { site.to_owned() }
}

/// Of neighbouring steps: all that failed.
fn sum(known: &[u64]) -> String {
    known.iter().sum::<u64>().to_string()
}

/// Of neighbouring steps: the longest.
fn longest(known: &[u64]) -> String {
    let us = known.iter().copied().max().unwrap_or(0);
    match us {
        0..1_000_000 => format!("{} ms", us.div_ceil(1_000)),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A chart in few rows: neighbouring steps together.
fn table(chart: &Chart, title: &str, told: impl Fn(&[u64]) -> String) -> String {
    let steps = chart.bands.iter().map(|band| band.values.len()).max().unwrap_or(0);
    let together = steps.div_ceil(MOST_ROWS).max(1);
    let length_s =
        u64::try_from(together).unwrap_or(1).saturating_mul(chart.step_s).try_into().unwrap_or(0);
    let each = if length_s == 60 { "a minute".to_owned() } else { duration(length_s) };
    let is_seen = |row: usize| {
        let mut steps = chart
            .bands
            .iter()
            .flat_map(|band| band.values.iter().skip(row * together).take(together));
        steps.any(Option::is_some)
    };
    let rows = steps.div_ceil(together);
    let first = (0..rows).find(|row| is_seen(*row)).unwrap_or(0);
    let end = (0..rows).rev().find(|row| is_seen(*row)).map_or(0, |last| last + 1);
    let mut table =
        format!("### {title}\n\nEach row is {each}; – is where none was seen.\n\n| from |");
    for band in &chart.bands {
        table.push_str(&format!(" {} |", markdown(&band.label)));
    }
    table.push_str(&format!("\n|---|{}\n", "---|".repeat(chart.bands.len())));
    let mut at = chart.from;
    for row in 0..end {
        if row < first {
            at = at.saturating_add(SignedDuration::from_secs(length_s)).unwrap_or(at);
            continue;
        }
        let time = at.to_zoned(chart.zone.clone());
        table.push_str(&format!("| {} |", time.strftime("%b %-d %H:%M")));
        for band in &chart.bands {
            let steps = band.values.iter().skip(row * together).take(together);
            let known: Vec<u64> = steps.flatten().copied().collect();
            let cell = if known.is_empty() { "–".to_owned() } else { told(&known) };
            table.push_str(&format!(" {cell} |"));
        }
        table.push('\n');
        at = at.saturating_add(SignedDuration::from_secs(length_s)).unwrap_or(at);
    }
    table
}
