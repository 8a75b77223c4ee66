//! How is mail, on one screen: every service with its state, 90 days, latency, budget and incidents; the worst first.

use askama::Template;

use super::{Asked, top};
use crate::chart;
use crate::figures::{maybe, percent};
use crate::judge::definition::Voiced;
use crate::judge::incident;
use crate::query::objectives::{ObjectiveAnswer, ObjectivesAnswer};
use crate::query::strip::DayAnswer;
use crate::query::{IncidentLine, IncidentsWanted, ServiceAnswer, Spread, State};
use crate::web::address::What;
use crate::web::shown::{Moment, Pages, Piece, Shown, When, count, page_of, pieces};
use crate::web::{NoPage, Page, Part};

/// Services on one page.
const EACH: usize = 40;
/// Days of the strip.
pub(super) const DAYS: u32 = 90;
/// Incidents that are listed at the top.
const MOST_INCIDENTS: usize = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    sentence: Vec<Piece<'a>>,
    state: Shown,
    behind: u64,
    counts: Vec<(Shown, usize)>,
    incidents: Vec<Incident>,
    more_incidents: usize,
    mended: Vec<Incident>,
    rows: Vec<Row>,
    pages: Pages,
    are_defined: bool,
}

#[derive(Template)]
#[template(path = "overview_filter.html")]
struct Filter {
    q: String,
    state: String,
}

/// An incident in short.
pub(super) struct Incident {
    pub(super) number: u64,
    pub(super) headline: String,
    pub(super) scope: String,
    pub(super) severity: String,
    pub(super) state: String,
    pub(super) since: Moment,
}

impl Incident {
    pub(super) fn of(line: &IncidentLine, when: &When) -> Self {
        Self {
            number: line.number,
            headline: line.headline.clone(),
            scope: line.scope.clone(),
            severity: line.severity.as_str().to_owned(),
            state: line.state.as_str().to_owned(),
            since: when.moment(line.began_at),
        }
    }
}

struct Row {
    title: String,
    address: String,
    state: Shown,
    from: String,
    strip: String,
    p50: String,
    p95: String,
    budget: String,
    is_spent: bool,
    incidents: Vec<u64>,
}

pub(super) fn page(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let (query, when) = (asked.query(), asked.when());
    let (q, wanted) = (asked.address.get("q").to_lowercase(), asked.address.get("state"));
    let status = query.status()?;
    let mut services = query.services_of(&status)?;
    let live =
        query.incidents(&IncidentsWanted { live: true, ..IncidentsWanted::default() }, None)?;
    let counted = |state| services.services.iter().filter(|it| it.state == state).count();
    let counts = [Voiced::Down, Voiced::Unknown, Voiced::Up]
        .map(|state| (Shown::from(state), counted(state)))
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    services.services.retain(|service| {
        let text = format!("{} {} {}", service.name, service.title, service.owner).to_lowercase();
        text.contains(&q) && (wanted.is_empty() || wanted == Shown::from(service.state).word)
    });
    services.services.sort_by_key(rank);
    let (shown, pages) = page_of(services.services, EACH, asked.address);
    let names: Vec<&str> = shown.iter().map(|service| service.name.as_str()).collect();
    let days = query.days(&names, DAYS, &when.zone)?;
    let latencies = query.latencies(&names)?;
    let objectives = query.recent_objectives()?;
    let row = |service: &ServiceAnswer| {
        let latency = latencies.get(&service.name).copied().unwrap_or_default();
        row(service, days.get(&service.name), latency, &objectives)
    };
    let rows = shown.iter().map(row).collect();
    let (mended, open): (Vec<_>, Vec<_>) =
        live.incidents.iter().partition(|line| line.state == incident::State::Resolved);
    let first = |lines: &[&IncidentLine]| {
        lines.iter().take(MOST_INCIDENTS).map(|line| Incident::of(line, &when)).collect()
    };
    let known = status.vantage_points.iter().filter(|it| it.state != State::Unknown).count();
    let words = sentence(status.working, known, status.vantage_points.len());
    let overview = Overview {
        sentence: pieces(&words),
        state: status.state.into(),
        behind: status.collector.records_behind,
        counts,
        incidents: first(&open),
        more_incidents: open.len().saturating_sub(MOST_INCIDENTS) + live.more,
        mended: first(&mended),
        rows,
        pages,
        are_defined: services.are_defined,
    };
    let filter = Filter { q: asked.address.get("q").to_owned(), state: wanted.to_owned() };
    let parts = vec![Part::fixed("filter", &filter)?, Part::live("services", &overview)?];
    Ok(top("How mail is doing", "/", parts))
}

fn sentence(working: usize, known: usize, all: usize) -> String {
    match all {
        0 => "No agent has come yet: `mailsonde-collector token create` lets the first one in."
            .into(),
        _ if known == 0 => "Nobody knows whether mail works: no agent tells anything now.".into(),
        _ if working == all => {
            format!("Mail works from {}.", count(all, "vantage point", "vantage points"))
        }
        _ => format!(
            "Mail works from {working} of {}.",
            count(all, "vantage point", "vantage points")
        ),
    }
}

/// What is down comes first, then what touches an incident or fails from anywhere, then what is unknown.
fn rank(service: &ServiceAnswer) -> (bool, bool, bool, std::cmp::Reverse<Voiced>) {
    let fails_somewhere = service.sites.iter().any(|site| site.state == Voiced::Down);
    (
        service.state != Voiced::Down,
        service.incidents.is_empty(),
        !fails_somewhere,
        std::cmp::Reverse(service.state),
    )
}

fn row(
    service: &ServiceAnswer,
    days: Option<&Vec<DayAnswer>>,
    latency: Spread,
    objectives: &ObjectivesAnswer,
) -> Row {
    let worst = worst_budget(&service.name, objectives);
    let of = |state: Voiced, words: &str| {
        let sites = service.sites.iter().filter(|site| site.state == state);
        let sites: Vec<&str> = sites.map(|site| site.site.as_str()).collect();
        match sites.as_slice() {
            [] => None,
            [one] => Some(format!("{words} from {one}")),
            more => Some(format!("{words} from {} of {} sites", more.len(), service.sites.len())),
        }
    };
    let from = [of(Voiced::Down, "not"), of(Voiced::Unknown, "unknown")];
    let from = from.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Row {
        title: service.title.clone(),
        address: What::Service(service.name.clone()).to_string(),
        state: service.state.into(),
        from,
        strip: days.map(|days| strip(days, &service.title)).unwrap_or_default(),
        p50: maybe(latency.p50_us),
        p95: maybe(latency.p95_us),
        budget: worst.map(budget_left).unwrap_or_default(),
        is_spent: worst.is_some_and(|it| it.budget_left < 0),
        incidents: service.incidents.clone(),
    }
}

/// The objective of a service of whose budget least is left.
fn worst_budget<'o>(service: &str, all: &'o ObjectivesAnswer) -> Option<&'o ObjectiveAnswer> {
    let own = all.objectives.iter().filter(|it| it.service == service && it.figure.lower.is_some());
    own.min_by(|a, b| left(a).total_cmp(&left(b)))
}

/// Which share of a budget is left; negative when more was spent.
#[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a share for people")]
fn left(objective: &ObjectiveAnswer) -> f64 {
    match objective.budget {
        0 if objective.budget_left < 0 => -1.0,
        0 => 1.0,
        budget => objective.budget_left as f64 / budget as f64,
    }
}

/// `57.00 %`, or that it is spent.
pub(super) fn budget_left(objective: &ObjectiveAnswer) -> String {
    let left = left(objective);
    if left < 0.0 { format!("spent {}", over(left)) } else { percent(left.min(1.0)) }
}

fn over(left: f64) -> String {
    if left <= -10.0 { "over 10 times".into() } else { format!("{:.1} times", 1.0 - left) }
}

/// The strip of a service's days.
pub(super) fn strip(days: &[DayAnswer], title: &str) -> String {
    let cells: Vec<chart::Cell> = days.iter().map(cell).collect();
    let bad = days.iter().filter(|day| day.down > 0).count();
    let label = format!("{title}, last {} days: down on {bad} of them", days.len());
    chart::strip(&cells, &label)
}

fn cell(day: &DayAnswer) -> chart::Cell {
    let all = day.up.saturating_add(day.down).saturating_add(day.unknown);
    let (class, words) = match day {
        _ if all == 0 => ("none", "nothing known".to_owned()),
        DayAnswer { down: 0, unknown: 0, .. } => ("up", "up".to_owned()),
        DayAnswer { down: 0, unknown, .. } if *unknown * 10 < all => {
            ("up", "up, with a little unknown".to_owned())
        }
        DayAnswer { down: 0, unknown, .. } => ("unknown", format!("{} unknown", minutes(*unknown))),
        DayAnswer { up, down, .. } if down > up => ("down", format!("down for {}", minutes(*down))),
        DayAnswer { down, .. } => ("partly", format!("down for {}", minutes(*down))),
    };
    chart::Cell { class, day: day.day.strftime("%-d %b").to_string(), words }
}

fn minutes(minutes: u32) -> String {
    if minutes < 120 {
        format!("{minutes} min")
    } else {
        format!("{} h {} min", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_what_it_was_mostly() {
        let day = |up, down, unknown| DayAnswer {
            day: jiff::civil::date(2026, 11, 5),
            up,
            down,
            unknown,
        };
        for (of, class, words) in [
            (day(0, 0, 0), "none", "nothing known"),
            (day(1_440, 0, 0), "up", "up"),
            (day(1_400, 0, 40), "up", "up, with a little unknown"),
            (day(1_000, 0, 440), "unknown", "7 h 20 min unknown"),
            (day(1_430, 10, 0), "partly", "down for 10 min"),
            (day(300, 1_140, 0), "down", "down for 19 h 0 min"),
        ] {
            let found = cell(&of);
            assert_eq!((found.class, found.words.as_str()), (class, words));
        }
    }

    #[test]
    fn the_sentence_counts() {
        assert_eq!(sentence(3, 3, 3), "Mail works from 3 vantage points.");
        assert_eq!(sentence(1, 1, 1), "Mail works from 1 vantage point.");
        assert_eq!(sentence(1, 3, 3), "Mail works from 1 of 3 vantage points.");
        assert_eq!(sentence(0, 1, 3), "Mail works from 0 of 3 vantage points.");
        assert!(sentence(0, 0, 3).starts_with("Nobody knows"));
    }
}
