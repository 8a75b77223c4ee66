//! Checks at vantage points: the list, and one of them with its course, its last runs and its failures.

use askama::Template;

use super::run::Run;
use super::{Asked, Choice, crumb, top};
use crate::chart::{Band, Chart, Heat, Shape, Unit};
use crate::figures::{cadence, duration, maybe, percent, roughly};
use crate::query::course::{CLASSES_US, CourseAnswer, StepAnswer};
use crate::query::{CheckStatus, VantageStatus};
use crate::web::address::{Span, What};
use crate::web::shown::{Moment, Pages, Shown, When, page_of};
use crate::web::{NoPage, Page, Part};

/// Checks on one page of the list.
const EACH: usize = 100;
/// Runs that are shown whole.
const MOST_RUNS: usize = 8;

#[derive(Template)]
#[template(path = "checks.html")]
struct List {
    rows: Vec<Line>,
    pages: Pages,
}

struct Line {
    check: String,
    agent: String,
    address: String,
    kind: String,
    cadence: String,
    state: Shown,
    since: String,
    p50: String,
    p95: String,
    day: String,
}

#[derive(Template)]
#[template(path = "checks_filter.html")]
struct Filter {
    q: String,
    state: String,
}

pub(super) fn list(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let status = asked.query().status()?;
    let (q, wanted) = (asked.address.get("q").to_lowercase(), asked.address.get("state"));
    let all = status
        .vantage_points
        .iter()
        .flat_map(|point| point.checks.iter().map(move |check| (point, check)));
    let mut found: Vec<(&VantageStatus, &CheckStatus)> = all
        .filter(|(point, check)| {
            let labels: Vec<&str> = point.labels.values().map(String::as_str).collect();
            let text =
                format!("{} {} {} {}", check.check, point.name, check.kind, labels.join(" "));
            text.to_lowercase().contains(&q)
                && (wanted.is_empty() || wanted == check.state.as_str())
        })
        .collect();
    found.sort_by_key(|(_, check)| std::cmp::Reverse(check.state));
    let (found, pages) = page_of(found, EACH, asked.address);
    let line = |(point, check): &(&VantageStatus, &CheckStatus)| Line {
        check: check.check.clone(),
        agent: point.name.clone(),
        address: What::Check(check.check.clone(), point.name.clone()).to_string(),
        kind: check.kind.clone(),
        cadence: cadence(check.cadence_us),
        state: check.state.into(),
        since: check.since.map(|at| format!("for {}", roughly(at, status.now))).unwrap_or_default(),
        p50: maybe(check.round_trip.p50_us),
        p95: maybe(check.round_trip.p95_us),
        day: check.availability_24h.map(|it| percent(it.lower)).unwrap_or_default(),
    };
    let list = List { rows: found.iter().map(line).collect(), pages };
    let filter = Filter { q: asked.address.get("q").to_owned(), state: wanted.to_owned() };
    let parts = vec![Part::fixed("filter", &filter)?, Part::live("checks", &list)?];
    Ok(top("Checks", "/checks", parts))
}

#[derive(Template)]
#[template(path = "check.html")]
struct Now {
    state: Shown,
    since: Option<Moment>,
    kind: String,
    cadence: String,
    last: String,
    p50: String,
    p95: String,
    usual: String,
    day: String,
    lost: Option<Moment>,
    fault: String,
    failures: u64,
}

#[derive(Template)]
#[template(path = "check_course.html")]
struct Course {
    ranges: Vec<Choice>,
    said: Option<(String, String)>,
    pass: u64,
    fail: u64,
    void: u64,
    p50: String,
    p95: String,
    p99: String,
    heat: String,
    lines: String,
    is_empty: bool,
    steps: Vec<(Moment, StepAnswer)>,
}

#[derive(Template)]
#[template(path = "check_runs.html")]
struct Runs {
    newest: Option<Run>,
    runs: Vec<Run>,
    failures: Vec<Run>,
}

pub(super) fn page(asked: &Asked<'_>, check: &str, agent: &str) -> Result<Page, NoPage> {
    let (query, when) = (asked.query(), asked.when());
    let span = asked.address.span(asked.now, "1d");
    let course = query.course((check, agent), span.from..span.until)?;
    let all = query.last_runs(check, agent)?;
    let status = query.status()?;
    let point = status.vantage_points.iter().find(|point| point.name.eq_ignore_ascii_case(agent));
    let found = point.and_then(|point| point.checks.iter().find(|it| it.check == check));
    let mut parts = Vec::new();
    if let (Some(point), Some(found)) = (point, found) {
        parts.push(Part::live("now", &now(point, found, &when))?);
    }
    let mut runs: Vec<Run> = all.iter().take(MOST_RUNS).map(|run| Run::of(run, &when)).collect();
    let newest = if runs.is_empty() { None } else { Some(runs.remove(0)) };
    let failed = all.iter().skip(MOST_RUNS).filter(|run| run.verdict == "fail");
    let failures = failed.take(MOST_RUNS).map(|run| Run::of(run, &when)).collect();
    parts.push(Part::live("runs", &Runs { newest, runs, failures })?);
    parts.push(Part::live("course", &course_of(asked, (&course, &span), &when))?);
    Ok(Page {
        title: format!("{check} at {agent}"),
        under: "/checks",
        crumbs: vec![crumb("Checks", What::Checks), crumb(agent, What::Agent(agent.to_owned()))],
        parts,
    })
}

fn now(point: &VantageStatus, found: &CheckStatus, when: &When) -> Now {
    let fault = found.last_fault.as_ref().map(|fault| {
        format!("{}, {}: {}", when.moment(fault.at).text, fault.phase, fault.explanation)
    });
    Now {
        state: found.state.into(),
        since: found.since.map(|at| when.moment(at)),
        kind: found.kind.clone(),
        cadence: cadence(found.cadence_us),
        last: maybe(found.last_round_trip_us.and_then(|us| i64::try_from(us).ok())),
        p50: maybe(found.round_trip.p50_us),
        p95: maybe(found.round_trip.p95_us),
        usual: maybe(found.usual_round_trip.p50_us),
        day: found.availability_24h.map(|it| percent(it.lower)).unwrap_or_default(),
        lost: point.lost_since.map(|at| when.moment(at)),
        fault: fault.unwrap_or_default(),
        failures: found.failures_in_a_row,
    }
}

fn course_of(asked: &Asked<'_>, (course, span): (&CourseAnswer, &Span), when: &When) -> Course {
    let heat = Heat {
        label: "How long runs that passed took, over time: darker is more of them",
        bounds_us: &CLASSES_US,
        steps: course.steps.iter().map(|step| step.classes.as_slice()).collect(),
        from: course.from,
        step_s: course.step_s,
        zone: &when.zone,
    };
    let total = &course.total;
    let begin = |at: usize| {
        let after = u64::try_from(at).unwrap_or(0).saturating_mul(course.step_s);
        let after = i64::try_from(after).unwrap_or(0);
        jiff::Timestamp::from_second(course.from.as_second().saturating_add(after)).ok()
    };
    let steps = course.steps.iter().enumerate().filter(|(_, step)| !step.is_empty());
    Course {
        ranges: asked.ranges(span),
        said: span
            .name
            .is_none()
            .then(|| (when.moment(span.from).text, when.moment(span.until).text)),
        pass: total.pass,
        fail: total.fail,
        void: total.void,
        p50: maybe(total.p50_us),
        p95: maybe(total.p95_us),
        p99: maybe(total.p99_us),
        heat: heat.svg(),
        lines: lines(course, when),
        is_empty: total.is_empty(),
        steps: steps
            .filter_map(|(at, step)| Some((when.moment(begin(at)?), step.clone())))
            .collect(),
    }
}

/// Percentiles and failures, a band each.
fn lines(course: &CourseAnswer, when: &When) -> String {
    let chart = |title: &str, shape, unit, bands| Chart {
        title: title.to_owned(),
        shape,
        unit,
        from: course.from,
        step_s: course.step_s,
        zone: when.zone.clone(),
        bands,
        marks: Vec::new(),
    };
    type Value = fn(&StepAnswer) -> Option<i64>;
    let band = |(label, value): (&str, Value)| Band {
        label: label.to_owned(),
        values: course.steps.iter().map(|step| u64::try_from(value(step)?).ok()).collect(),
    };
    let percentiles: [(&str, Value); 3] =
        [("p50", |step| step.p50_us), ("p95", |step| step.p95_us), ("p99", |step| step.p99_us)];
    let took = chart(
        "How long runs that passed took",
        Shape::Line,
        Unit::Micros,
        percentiles.into_iter().map(band).collect(),
    );
    let counts: [(&str, Value); 2] = [
        ("failed", |step| (!step.is_empty()).then(|| i64::try_from(step.fail).unwrap_or(i64::MAX))),
        ("could not be judged", |step| {
            (!step.is_empty()).then(|| i64::try_from(step.void).unwrap_or(i64::MAX))
        }),
    ];
    let failed = chart(
        "Runs that did not pass",
        Shape::Bars,
        Unit::Count("runs"),
        counts.into_iter().map(band).collect(),
    );
    format!("{}{}", took.svg_with_figures(), failed.svg_with_figures())
}

impl Course {
    fn figure(&self, us: &Option<i64>) -> String {
        us.map(duration).unwrap_or_default()
    }
}
