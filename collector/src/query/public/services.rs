//! How the page's services are, by the same quorum by which operators see them.

use super::{Known, PublicService, PublicState, Sites};
use crate::config::status_page::PageService;
use crate::judge::definition::Voiced;
use crate::query::StatusAnswer;
use crate::query::services::{States, judged, sites, states};

/// Each service of the page, in its order; without its days.
pub(super) fn services(known: &Known<'_>, status: &StatusAnswer) -> Vec<PublicService> {
    let states = states(status);
    known.config.services.iter().map(|named| service(known, named, &states)).collect()
}

fn service(known: &Known<'_>, named: &PageService, states: &States<'_>) -> PublicService {
    let mut shown = PublicService {
        title: known.title(&named.name).unwrap_or(&named.name).to_owned(),
        description: named.description.clone(),
        // of one that nobody defines or looks at nobody knows anything
        state: PublicState::Unknown,
        places: 0,
        fails_at: Sites::default(),
        unknown_at: Sites::default(),
        is_in_maintenance: false,
        days: Vec::new(),
    };
    let Some(service) = known.definitions.service(&named.name) else { return shown };
    if shown.description.is_empty() {
        shown.description.clone_from(&service.description);
    }
    let sites = sites(known.chronicle, service, known.now, states);
    for site in &sites {
        let name = Some(site.site.as_str()).filter(|name| known.is_site(name));
        match site.state {
            Voiced::Up => {}
            Voiced::Unknown => shown.unknown_at.add(name),
            Voiced::Down => shown.fails_at.add(name),
        }
    }
    shown.places = sites.len();
    shown.state = match judged(service, &sites) {
        _ if sites.is_empty() => PublicState::Unknown,
        Voiced::Down => PublicState::Down,
        Voiced::Unknown => PublicState::Unknown,
        Voiced::Up if shown.fails_at.count() > 0 => PublicState::Partly,
        Voiced::Up => PublicState::Works,
    };
    shown
}
