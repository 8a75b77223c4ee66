//! One service: from where it works, by which checks; its days, budgets and incidents.

use askama::Template;

use super::overview::{DAYS, Incident, budget_left, strip};
use super::{Asked, crumb};
use crate::figures::{maybe, percent, roughly};
use crate::judge::definition::Voiced;
use crate::query::objectives::{ObjectiveAnswer, ObjectivesWanted};
use crate::query::{CheckStatus, IncidentsWanted, ServiceAnswer, StatusAnswer};
use crate::web::address::What;
use crate::web::shown::{Shown, count};
use crate::web::{NoPage, Page, Part};

/// Checks that are listed; those with trouble first.
const MOST_ROWS: usize = 200;
/// Incidents that are listed.
const MOST_INCIDENTS: usize = 10;

#[derive(Template)]
#[template(path = "service.html")]
struct Shows {
    service: ServiceAnswer,
    state: Shown,
    down_when: String,
    p50: String,
    p95: String,
    runs: u64,
    strip: String,
    sites: Vec<Site>,
    rows: Vec<Row>,
    more_rows: usize,
    objectives: Vec<Objective>,
    incidents: Vec<Incident>,
}

struct Site {
    name: String,
    state: Shown,
    words: String,
}

struct Row {
    site: String,
    check: String,
    agent: String,
    address: String,
    state: Shown,
    since: String,
    fault: String,
    last: String,
    p50: String,
    p95: String,
    usual: String,
    day: String,
    rank: std::cmp::Reverse<crate::query::State>,
}

struct Objective {
    name: String,
    target: String,
    window: String,
    reached: String,
    result: Shown,
    left: String,
    burn: String,
}

pub(super) fn page(asked: &Asked<'_>, name: &str) -> Result<Page, NoPage> {
    let (query, when) = (asked.query(), asked.when());
    let definition = query.service(name)?;
    let status = query.status()?;
    let services = query.services_of(&status)?.services;
    let service = services.into_iter().find(|service| service.name == name);
    let Some(service) = service else {
        let name = name.to_owned();
        return Err(crate::query::QueryError::Unknown { what: "service", name }.into());
    };
    let mut rows: Vec<Row> = query
        .members(&definition)
        .into_iter()
        .filter_map(|(site, check, agent)| row(site, (&check, &agent), &status))
        .collect();
    rows.sort_by(|a, b| (&a.rank, &a.site, &a.check).cmp(&(&b.rank, &b.site, &b.check)));
    let more_rows = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let days = query.days(&[name], DAYS, &when.zone)?;
    let latency = query.latencies(&[name])?.remove(name).unwrap_or_default();
    let wanted = ObjectivesWanted { service: Some(name.to_owned()) };
    let objectives = query.objectives(&wanted)?.objectives;
    let incidents = query.incidents(
        &IncidentsWanted {
            service: Some(name.to_owned()),
            limit: Some(MOST_INCIDENTS),
            ..IncidentsWanted::default()
        },
        None,
    )?;
    let mut sites: Vec<_> = service.sites.iter().collect();
    sites.sort_by_key(|site| std::cmp::Reverse(site.state));
    let title = service.title.clone();
    let shows = Shows {
        state: service.state.into(),
        down_when: format!("down when it fails from {}", down_when(&service.down_when)),
        p50: maybe(latency.p50_us),
        p95: maybe(latency.p95_us),
        runs: latency.runs,
        strip: days.get(name).map(|days| strip(days, &title)).unwrap_or_default(),
        sites: sites
            .into_iter()
            .filter(|site| site.state != Voiced::Up)
            .map(|site| Site {
                name: site.site.clone(),
                state: site.state.into(),
                words: site.not_up.join("; "),
            })
            .collect(),
        rows,
        more_rows,
        objectives: objectives.iter().map(objective).collect(),
        incidents: incidents.incidents.iter().map(|line| Incident::of(line, &when)).collect(),
        service,
    };
    Ok(Page {
        title,
        under: "/",
        crumbs: vec![crumb("Overview", What::Overview)],
        parts: vec![Part::live("service", &shows)?],
    })
}

fn down_when(quorum: &str) -> String {
    match quorum {
        "any" => "any site".to_owned(),
        "all" => "all sites".to_owned(),
        other => format!("{other} of its sites"),
    }
}

fn row(site: String, (check, agent): (&str, &str), status: &StatusAnswer) -> Option<Row> {
    let point = status.vantage_points.iter().find(|point| point.name == agent)?;
    let found: &CheckStatus = point.checks.iter().find(|it| it.check == check)?;
    let fault = found.last_fault.as_ref().filter(|_| found.failures_in_a_row > 0);
    let fault = fault.map(|fault| format!("{}: {}", fault.phase, fault.explanation));
    Some(Row {
        site,
        check: check.to_owned(),
        agent: agent.to_owned(),
        address: What::Check(check.to_owned(), agent.to_owned()).to_string(),
        state: found.state.into(),
        since: found.since.map(|at| format!("for {}", roughly(at, status.now))).unwrap_or_default(),
        fault: fault.unwrap_or_default(),
        last: maybe(found.last_round_trip_us.and_then(|us| i64::try_from(us).ok())),
        p50: maybe(found.round_trip.p50_us),
        p95: maybe(found.round_trip.p95_us),
        usual: maybe(found.usual_round_trip.p50_us),
        day: found.availability_24h.map(|it| percent(it.lower)).unwrap_or_default(),
        rank: std::cmp::Reverse(found.state),
    })
}

fn objective(answer: &ObjectiveAnswer) -> Objective {
    let figure = &answer.figure;
    let burns = answer.burn_rates.iter();
    let burn = burns.filter_map(|rate| Some((rate.long?, rate))).max_by(|a, b| a.0.total_cmp(&b.0));
    Objective {
        name: answer.objective.clone(),
        target: answer.figure.target.to_string(),
        window: figure.window.clone(),
        reached: super::sla::reached(figure),
        result: super::sla::result(answer.result),
        left: format!(
            "{} ({} of {} {})",
            budget_left(answer),
            answer.budget_left,
            answer.budget,
            figure.unit
        ),
        burn: burn.map(|(long, rate)| format!("{long:.1} ({})", rate.rule)).unwrap_or_default(),
    }
}

impl Shows {
    fn sites_in_words(&self) -> String {
        count(self.service.sites.len(), "site", "sites")
    }
}
