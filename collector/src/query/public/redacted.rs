//! An incident out of which everything internal was taken, so that whatever words are made of it say nothing internal.
//!
//! Words are found by the templates of drafts, which operators can replace: what a template is not given it cannot tell.
//! So each part of an incident is named here and kept, or left out; what is new is left out by the compiler's reminder.

use std::collections::{BTreeMap, BTreeSet};

use super::Known;
use crate::judge::incident::{
    Entry, Estimate, FaultBrief, Impact, Incident, Kind, Place, Scope, Similar,
};

/// Everything of an incident that everybody may know; `None`: nothing of it is about the page's services, or it is about
/// what was agreed, which is between those who agreed.
#[allow(clippy::too_many_lines, reason = "a line for each field, so that none is kept unseen")]
pub(super) fn redacted(known: &Known<'_>, incident: &Incident) -> Option<Incident> {
    if incident.merged_into.is_some() || incident.kind == Kind::Burn {
        return None;
    }
    let services = services(known, incident);
    if services.is_empty() {
        return None;
    }
    let Incident {
        number,
        kind,
        state,
        severity,
        ref scope,
        began_at,
        opened_at,
        confirmed_by: _,
        acknowledged_at,
        resolved_at,
        verified_at,
        reviewed_at,
        ended_at,
        ref fault,
        ref root,
        checks: _,
        services: _,
        places: _,
        more_places,
        ref works_from,
        changes: _,
        ref similar,
        vendors: _,
        reopened,
        is_security: _,
        merged_into,
        ref timeline,
        more_entries,
        ref estimate,
        figures: _,
    } = *incident;
    Some(Incident {
        number,
        kind,
        state,
        severity,
        scope: self::scope(known, scope),
        began_at,
        opened_at,
        confirmed_by: None,
        acknowledged_at,
        resolved_at,
        verified_at,
        reviewed_at,
        ended_at,
        fault: brief(fault),
        root: root.clone().filter(|root| services.contains_key(root)),
        checks: BTreeSet::new(),
        places: places(known, incident, &services),
        services,
        more_places,
        works_from: works_from.iter().filter(|site| known.is_site(site)).cloned().collect(),
        changes: Vec::new(),
        similar: similar.iter().map(|it| Similar { note: String::new(), ..it.clone() }).collect(),
        vendors: Vec::new(),
        reopened,
        is_security: false,
        merged_into,
        timeline: timeline.iter().map(entry).collect(),
        more_entries,
        estimate: estimate.as_ref().map(|it| Estimate { by: String::new(), ..it.clone() }),
        figures: None,
    })
}

fn services(known: &Known<'_>, incident: &Incident) -> BTreeMap<String, Impact> {
    let of_page = incident.services.iter().filter_map(|(name, impact)| {
        let Impact { title: _, sites, was_down, users: _, because_of } = impact;
        let impact = Impact {
            title: known.title(name)?.to_owned(),
            sites: sites.iter().map(|site| site_of(known, site)).collect(),
            was_down: *was_down,
            users: None,
            because_of: because_of.clone().filter(|other| known.title(other).is_some()),
        };
        Some((name.clone(), impact))
    });
    of_page.collect()
}

/// A place's site; without a name where that would be an agent's.
fn site_of(known: &Known<'_>, site: &str) -> String {
    if known.is_site(site) { site.to_owned() } else { String::new() }
}

fn scope(known: &Known<'_>, scope: &Scope) -> Scope {
    match scope {
        Scope::OnePlace { site } => Scope::OnePlace { site: site_of(known, site) },
        Scope::Branch { site } => Scope::Branch { site: site_of(known, site) },
        Scope::Some { failing, of } => Scope::Some { failing: *failing, of: *of },
        Scope::Everywhere { sites } => Scope::Everywhere { sites: *sites },
    }
}

/// What kind of failure it is, from which words for people are found; nothing that a server or probe said.
fn brief(FaultBrief { phase, class, .. }: &FaultBrief) -> FaultBrief {
    FaultBrief { phase: phase.clone(), class: class.clone(), ..FaultBrief::default() }
}

/// Places of the page's services: where another service fails is nobody's business.
fn places(
    known: &Known<'_>,
    incident: &Incident,
    services: &BTreeMap<String, Impact>,
) -> Vec<Place> {
    let defined: Vec<_> =
        services.keys().filter_map(|name| known.definitions.service(name)).collect();
    // of one that is defined no more nobody knows which checks were its own
    let is_whole = defined.len() == services.len();
    let is_ours =
        |place: &&Place| !is_whole || defined.iter().any(|service| service.has_check(&place.check));
    let shown = |place: &Place| Place {
        vantage_point: String::new(),
        site: site_of(known, &place.site),
        check: String::new(),
        since: place.since,
        fault: brief(&place.fault),
        passed_at: place.passed_at,
        verified_at: place.verified_at,
    };
    incident.places.iter().filter(is_ours).map(shown).collect()
}

/// What happened and when; that somebody did it, and not who; no words.
fn entry(Entry { at, what, words: _, by }: &Entry) -> Entry {
    Entry {
        at: *at,
        what: what.clone(),
        words: String::new(),
        by: by.as_ref().map(|_| "somebody".to_owned()),
    }
}
