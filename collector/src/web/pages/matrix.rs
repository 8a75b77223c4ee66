//! Sites by services: where what works and where not.

use std::collections::BTreeMap;

use askama::Template;

use super::{Asked, top};
use crate::judge::definition::Voiced;
use crate::web::address::What;
use crate::web::shown::{Pages, Shown, page_of};
use crate::web::{NoPage, Page, Part};

/// Services on one page.
const EACH: usize = 40;
/// Sites in one row; those with trouble first.
const SITES: usize = 30;

#[derive(Template)]
#[template(path = "matrix.html")]
struct Matrix {
    sites: Vec<String>,
    more_sites: usize,
    more_not_up: usize,
    rows: Vec<Row>,
    pages: Pages,
}

struct Row {
    title: String,
    address: String,
    state: Shown,
    cells: Vec<Option<Cell>>,
}

struct Cell {
    state: Shown,
    words: String,
}

#[derive(Template)]
#[template(path = "matrix_filter.html")]
struct Filter {
    q: String,
}

pub(super) fn page(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let q = asked.address.get("q").to_lowercase();
    let mut services = asked.query().services()?.services;
    services.retain(|service| {
        let sites = service.sites.iter().any(|site| site.site.to_lowercase().contains(&q));
        format!("{} {}", service.name, service.title).to_lowercase().contains(&q) || sites
    });
    services.sort_by_key(|service| std::cmp::Reverse(service.state));
    let (shown, pages) = page_of(services, EACH, asked.address);
    let mut all: BTreeMap<&str, Voiced> = BTreeMap::new();
    for site in shown.iter().flat_map(|service| &service.sites) {
        let worst = all.entry(&site.site).or_insert(site.state);
        *worst = site.state.max(*worst);
    }
    // where the worst is comes first
    let mut sorted: Vec<(&str, Voiced)> = all.into_iter().collect();
    sorted.sort_by_key(|(_, state)| std::cmp::Reverse(*state));
    let left = sorted.split_off(sorted.len().min(SITES));
    let sites: Vec<String> = sorted.into_iter().map(|(site, _)| site.to_owned()).collect();
    let rows = shown.iter().map(|service| {
        let cell = |site: &String| {
            let found = service.sites.iter().find(|it| it.site == *site)?;
            let state = Shown::from(found.state);
            let words = match found.not_up.as_slice() {
                [] => format!("{} from {site}: {}", service.title, state.word),
                not_up => {
                    format!("{} from {site}: {}: {}", service.title, state.word, not_up.join("; "))
                }
            };
            Some(Cell { state, words })
        };
        Row {
            title: service.title.clone(),
            address: What::Service(service.name.clone()).to_string(),
            state: service.state.into(),
            cells: sites.iter().map(cell).collect(),
        }
    });
    let matrix = Matrix {
        rows: rows.collect(),
        more_sites: left.len(),
        more_not_up: left.iter().filter(|(_, state)| *state != Voiced::Up).count(),
        sites,
        pages,
    };
    let filter = Filter { q: asked.address.get("q").to_owned() };
    let parts = vec![Part::fixed("filter", &filter)?, Part::live("matrix", &matrix)?];
    Ok(top("Where mail works", "/matrix", parts))
}
