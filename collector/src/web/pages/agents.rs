//! Agents: where they stand, whether they are heard, what waits at them; and one with its checks.

use askama::Template;

use super::{Asked, crumb, top};
use crate::figures::{bytes, duration};
use crate::query::{AgentAnswer, VantageStatus};
use crate::web::address::What;
use crate::web::shown::{Moment, Pages, Shown, When, page_of};
use crate::web::{NoPage, Page, Part};

/// Agents on one page of the list.
const EACH: usize = 100;

#[derive(Template)]
#[template(path = "agents.html")]
struct List {
    rows: Vec<Row>,
    pages: Pages,
    is_searched: bool,
}

struct Row {
    name: String,
    address: String,
    labels: String,
    heard: Shown,
    since: Option<Moment>,
    software: String,
    waits: String,
    refused: usize,
}

const CONNECTED: Shown = Shown { class: "up", mark: "●", word: "connected" };
const AWAY: Shown = Shown { class: "down", mark: "▼", word: "away" };

#[derive(Template)]
#[template(path = "agents_filter.html")]
struct Filter {
    q: String,
}

pub(super) fn list(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let (mut agents, when) = (asked.query().agents().agents, asked.when());
    let q = asked.address.get("q").to_lowercase();
    agents.retain(|agent| format!("{} {}", agent.name, labels(agent)).to_lowercase().contains(&q));
    agents.sort_by_key(|agent| agent.connected_since.is_some());
    let (agents, pages) = page_of(agents, EACH, asked.address);
    let list = List {
        rows: agents.iter().map(|agent| row(agent, &when)).collect(),
        pages,
        is_searched: !q.is_empty(),
    };
    let filter = Filter { q: asked.address.get("q").to_owned() };
    let parts = vec![Part::fixed("filter", &filter)?, Part::live("agents", &list)?];
    Ok(top("Agents", "/agents", parts))
}

fn labels(agent: &AgentAnswer) -> String {
    let labels = agent.labels.iter().map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(" ")
}

fn row(agent: &AgentAnswer, when: &When) -> Row {
    let waits = match agent.spooled {
        0 => "nothing".to_owned(),
        more => format!("{more} ({})", bytes(agent.spooled_bytes)),
    };
    Row {
        name: agent.name.clone(),
        address: What::Agent(agent.name.clone()).to_string(),
        labels: labels(agent),
        heard: if agent.connected_since.is_some() { CONNECTED } else { AWAY },
        since: agent.connected_since.or(agent.last_heard_at).map(|at| when.moment(at)),
        software: agent.software.clone(),
        waits,
        refused: agent.refused_checks.len(),
    }
}

#[derive(Template)]
#[template(path = "agent.html")]
struct One {
    row: Row,
    agent: AgentAnswer,
    clock: String,
    certificate: Option<Moment>,
    checks: Vec<(String, String, Shown)>,
}

pub(super) fn page(asked: &Asked<'_>, name: &str) -> Result<Page, NoPage> {
    let (query, when) = (asked.query(), asked.when());
    let found = query.agents().agents.into_iter().find(|it| it.name.eq_ignore_ascii_case(name));
    let unknown = || crate::query::QueryError::Unknown { what: "agent", name: name.to_owned() };
    let agent = found.ok_or_else(unknown)?;
    let status = query.status()?;
    let point = status.vantage_points.iter().find(|point| point.name == agent.name);
    let clock = match (agent.clock_offset_us, agent.clock_error_us) {
        (Some(offset), Some(error)) => {
            let error = i64::try_from(error).unwrap_or(i64::MAX);
            format!("{} off ours, ± {}", duration(offset), duration(error))
        }
        _ => String::new(),
    };
    let one = One {
        row: row(&agent, &when),
        clock,
        certificate: agent.certificate_not_after.map(|at| when.moment(at)),
        checks: point.map(checks).unwrap_or_default(),
        agent,
    };
    Ok(Page {
        title: one.agent.name.clone(),
        under: "/agents",
        crumbs: vec![crumb("Agents", What::Agents)],
        parts: vec![Part::live("agent", &one)?],
    })
}

fn checks(point: &VantageStatus) -> Vec<(String, String, Shown)> {
    let all = point.checks.iter().map(|check| {
        let address = What::Check(check.check.clone(), point.name.clone()).to_string();
        (check.check.clone(), address, Shown::from(check.state))
    });
    all.collect()
}
