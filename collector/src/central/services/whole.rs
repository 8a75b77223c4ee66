//! What is wrong between services: names that are taken, dependencies that are not there or go in a circle. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::super::folder::Place;
use super::service::Read;
use crate::config::Mistake;

/// Every mistake between services of all files.
pub(super) fn mistakes(services: &[Read]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut taken: BTreeMap<&str, &Place> = BTreeMap::new();
    let mut promised: BTreeMap<&str, &Place> = BTreeMap::new();
    for Read { service, place, agreements, .. } in services {
        let name = &service.name;
        if let Some(other) = taken.insert(name, place) {
            let words =
                format!("service \"{name}\": there is another service of this name at {other}");
            mistakes.push(place.mistake(words));
        }
        for (agreement, place) in service.agreements.iter().zip(agreements) {
            let agreement = &agreement.name;
            if let Some(other) = promised.insert(agreement, place) {
                mistakes.push(place.mistake(format!(
                    "service \"{name}\": there is another agreement called {agreement} at {other}"
                )));
            }
        }
    }
    for Read { service, depends_on, .. } in services {
        for (dependency, place) in service.depends_on.iter().zip(depends_on) {
            if !taken.contains_key(dependency.as_str()) {
                mistakes.push(place.mistake(format!(
                    "service \"{}\": depends_on: there is no service called {dependency}",
                    service.name
                )));
            }
        }
    }
    mistakes.extend(circles(services));
    mistakes
}

/// Each service that stands in a circle is told once, with one such circle, at the first place of it that is read.
fn circles(services: &[Read]) -> Vec<Mistake> {
    let by_name: BTreeMap<&str, &Read> =
        services.iter().map(|read| (read.service.name.as_str(), read)).collect();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut mistakes = Vec::new();
    for Read { service, place, .. } in services {
        if told.contains(service.name.as_str()) {
            continue;
        }
        if let Some(circle) = way_back(&service.name, &by_name) {
            let way = circle.iter().chain([&service.name.as_str()]).copied().collect::<Vec<_>>();
            mistakes.push(place.mistake(format!(
                "service \"{}\": depends_on goes in a circle: {}",
                service.name,
                way.join(" -> ")
            )));
            told.extend(circle);
        }
    }
    mistakes
}

/// The shortest way along dependencies from a service to itself.
fn way_back<'r>(from: &'r str, by_name: &BTreeMap<&'r str, &'r Read>) -> Option<Vec<&'r str>> {
    let needs = |name: &str| {
        let read = by_name.get(name);
        read.into_iter().flat_map(|read| read.service.depends_on.iter().map(String::as_str))
    };
    // Through whom each was reached first.
    let mut reached: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next: Vec<&str> = vec![from];
    while !next.is_empty() {
        let mut further = Vec::new();
        for name in next {
            for dependency in needs(name) {
                if dependency == from {
                    let mut way = vec![name];
                    let mut at = name;
                    while let Some(before) = reached.get(at).filter(|_| at != from) {
                        way.push(before);
                        at = before;
                    }
                    way.reverse();
                    return Some(way);
                }
                if !reached.contains_key(dependency) {
                    reached.insert(dependency, name);
                    further.push(dependency);
                }
            }
        }
        next = further;
    }
    None
}
