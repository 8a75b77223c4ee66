//! The course of an incident: charts for the page, small tables for Markdown.

use jiff::Timestamp;
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
        Part::Chart { table: failures(course, from, zone), chart: failed },
        Part::Chart { table: String::new(), chart: took },
    ]
}

fn called(site: &str) -> String {
    if site.is_empty() { "all other sites".to_owned() } else { site.to_owned() }
}

/// Failures by site, in few rows: neighbouring steps together.
fn failures(course: &Course, from: Timestamp, zone: &TimeZone) -> String {
    let together = course.len().div_ceil(MOST_ROWS).max(1);
    let mut table = String::from("| from |");
    for site in &course.sites {
        table.push_str(&format!(" {} |", markdown(&called(&site.site))));
    }
    table.push_str(&format!("\n|---|{}\n", "---|".repeat(course.sites.len())));
    for row in 0..course.len().div_ceil(together) {
        let after = u64::try_from(row * together).unwrap_or(0).saturating_mul(course.step_s);
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let at = Timestamp::from_second(from.as_second().saturating_add(after)).unwrap_or(from);
        table.push_str(&format!("| {} |", at.to_zoned(zone.clone()).strftime("%b %-d %H:%M")));
        for site in &course.sites {
            let steps = site.failed.iter().skip(row * together).take(together);
            let known: Vec<u64> = steps.flatten().copied().collect();
            match known.is_empty() {
                true => table.push_str(" – |"),
                false => table.push_str(&format!(" {} |", known.iter().sum::<u64>())),
            }
        }
        table.push('\n');
    }
    let each = i64::try_from(course.step_s).unwrap_or(0);
    let rows = i64::try_from(together).unwrap_or(1).saturating_mul(each);
    format!(
        "### Runs that failed, by site\n\nEach row is {}; – is where no run was seen.\n\n{table}",
        duration(rows)
    )
}
