//! Incidents: the list with how well they were dealt with, and one with its timeline and what can be done to it.

use askama::Template;

use super::overview::Incident as Line;
use super::{Asked, crumb, top};
use crate::figures::{UNKNOWN, roughly};
use crate::judge::diagnosis::Diagnosis;
use crate::judge::incident::kpi::Times;
use crate::judge::incident::{self, Incident, State};
use crate::judge::timeline::folded;
use crate::query::{IncidentsWanted, incidents::MAX_LIMIT};
use crate::web::address::What;
use crate::web::shown::{Moment, Pages, Shown, When, count, page_of};
use crate::web::{NoPage, Page, Part};

/// Incidents on one page of the list.
const EACH: usize = 50;
/// Lines of a timeline that are shown, the newest.
const MOST_LINES: usize = 120;
/// Places that are shown.
const MOST_PLACES: usize = 60;

#[derive(Template)]
#[template(path = "incidents.html")]
struct List {
    rows: Vec<Line>,
    pages: Pages,
    figures: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "incidents_filter.html")]
struct Filter {
    service: String,
    is_live: bool,
}

pub(super) fn list(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let (service, is_live) = (asked.address.get("service"), asked.address.get("state") == "open");
    let wanted = IncidentsWanted {
        live: is_live,
        service: Some(service.to_owned()).filter(|name| !name.is_empty()),
        limit: Some(MAX_LIMIT),
        ..IncidentsWanted::default()
    };
    let (answer, when) = (asked.query().incidents(&wanted, None)?, asked.when());
    let kpi = &answer.kpi;
    let time = |times: &Times| {
        times.median_s.map_or_else(|| UNKNOWN.to_owned(), crate::judge::draft::duration)
    };
    let figures = vec![
        ("opened", kpi.opened.to_string()),
        ("not mended yet", kpi.unresolved.to_string()),
        ("time to detect, median", time(&kpi.to_detect)),
        ("time to acknowledge, median", time(&kpi.to_acknowledge)),
        ("time to resolve, median", time(&kpi.to_resolve)),
    ];
    let rows: Vec<Line> = answer.incidents.iter().map(|line| Line::of(line, &when)).collect();
    let (rows, pages) = page_of(rows, EACH, asked.address);
    let filter = Filter { service: service.to_owned(), is_live };
    let list = List { rows, pages, figures };
    let parts = vec![Part::fixed("filter", &filter)?, Part::live("incidents", &list)?];
    Ok(top("Incidents", "/incidents", parts))
}

#[derive(Template)]
#[template(path = "incident.html")]
struct One {
    can: &'static str,
    incident: Incident,
    diagnosis: Diagnosis,
    state: Shown,
    scope: String,
    began: Moment,
    lasted: String,
    steps: Vec<(&'static str, Moment)>,
    services: Vec<(String, String, String)>,
    places: Vec<Place>,
    more_places: usize,
    lines: Vec<Told>,
    silenced_by: Option<u64>,
    has_review: bool,
    actions: Vec<(u64, String, String)>,
}

struct Place {
    check: String,
    agent: String,
    address: String,
    since: Moment,
    words: String,
    is_over: bool,
}

struct Told {
    at: Moment,
    what: String,
    words: String,
    by: String,
}

#[derive(Template)]
#[template(path = "incident_act.html")]
struct Act {
    number: u64,
    csrf: String,
    can: &'static str,
}

impl Act {
    fn can(&self, what: &str) -> bool {
        self.can.contains(what)
    }
}

/// What can be done about an incident as it stands. It is told with what is live, because the form is not: a page shows those
/// buttons of it that fit.
const fn can(state: State) -> &'static str {
    match state {
        State::Open => "acknowledge note resolve",
        State::Acknowledged => "note resolve",
        // what was learnt afterwards
        State::Resolved | State::Verified | State::Reviewed => "note",
    }
}

pub(super) fn page(asked: &Asked<'_>, number: u64) -> Result<Page, NoPage> {
    let (answer, when) = (asked.query().incident(number)?, asked.when());
    let incident = answer.incident;
    let lines = lines(&incident, &when);
    let mut places: Vec<Place> = incident.places.iter().map(|place| of(place, &when)).collect();
    places.sort_by_key(|place| place.is_over);
    let all_places = places.len();
    places.truncate(MOST_PLACES);
    let services = incident.services.iter().map(|(name, impact)| {
        let sites: Vec<&str> = impact.sites.iter().map(String::as_str).collect();
        let words = match sites.as_slice() {
            [] => String::new(),
            [one] => format!("from {one}"),
            more => format!("from {}", count(more.len(), "site", "sites")),
        };
        let title = if impact.title.is_empty() { name.clone() } else { impact.title.clone() };
        (title, What::Service(name.clone()).to_string(), words)
    });
    let actions = answer.actions.iter().map(|item| {
        let words = format!("{}, due {}", item.owner, item.due);
        (item.number, item.title.clone(), words)
    });
    let act = Act { number, csrf: asked.viewer.csrf.clone(), can: can(incident.state) };
    let headline = incident.headline();
    let one = One {
        can: can(incident.state),
        state: state(&incident),
        scope: incident.wherefrom(),
        began: when.to_the_second(incident.began_at),
        lasted: lasted(&incident, asked.now),
        steps: steps(&incident, &when),
        services: services.collect(),
        more_places: all_places.saturating_sub(places.len()),
        places,
        lines,
        silenced_by: answer.silenced_by,
        has_review: incident.state >= State::Verified && incident.merged_into.is_none(),
        actions: actions.collect(),
        diagnosis: answer.diagnosis,
        incident,
    };
    let mut parts = vec![Part::live("incident", &one)?];
    if asked.may_act() && one.incident.merged_into.is_none() {
        parts.insert(0, Part::fixed("act", &act)?);
    }
    Ok(Page {
        title: format!("#{number} {headline}"),
        under: "/incidents",
        crumbs: vec![crumb("Incidents", What::Incidents)],
        parts,
    })
}

fn state(incident: &Incident) -> Shown {
    let word = incident.state.as_str();
    if incident.is_live() && incident.state < State::Resolved {
        Shown { class: "down", mark: "▼", word }
    } else if incident.is_live() {
        Shown { class: "late", mark: "◐", word }
    } else {
        Shown { class: "up", mark: "●", word }
    }
}

fn lasted(incident: &Incident, now: jiff::Timestamp) -> String {
    match incident.ended_at.or(incident.resolved_at) {
        Some(ended) => roughly(incident.began_at, ended),
        None => format!("{} so far", roughly(incident.began_at, now)),
    }
}

fn steps(incident: &Incident, when: &When) -> Vec<(&'static str, Moment)> {
    let all = [
        ("opened", Some(incident.opened_at)),
        ("acknowledged", incident.acknowledged_at),
        ("resolved", incident.resolved_at),
        ("verified", incident.verified_at),
        ("reviewed", incident.reviewed_at),
    ];
    all.into_iter().filter_map(|(word, at)| Some((word, when.to_the_second(at?)))).collect()
}

fn of(place: &incident::Place, when: &When) -> Place {
    Place {
        check: place.check.clone(),
        agent: place.vantage_point.clone(),
        address: What::Check(place.check.clone(), place.vantage_point.clone()).to_string(),
        since: when.to_the_second(place.since),
        words: format!("{}: {}", place.fault.phase, place.fault.explanation),
        is_over: place.passed_at.is_some(),
    }
}

/// The newest first: what happens is on the screen.
fn lines(incident: &Incident, when: &When) -> Vec<Told> {
    let folded = folded(&incident.timeline);
    let told = folded.into_iter().rev().take(MOST_LINES).map(|line| {
        let more = match line.more {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Told {
            at: when.to_the_second(line.at),
            what: line.what,
            words: format!("{}{more}", line.words.join("; ")),
            by: line.by.unwrap_or_default(),
        }
    });
    told.collect()
}
