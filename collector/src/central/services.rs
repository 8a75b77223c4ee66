//! Reads `services.d`: services, objectives, agreements, and who is told of incidents, every mistake of every file with its
//! place; what applying them would change; and what is right and will not work as it reads.
//!
//! Invariant: what is read says what the operator said and no more. What holds where nothing is said (each check a
//! service, the usual objectives) `judge` knows, because it depends on the checks that there are.

mod difference;
mod hours;
mod reach;
mod route;
mod service;
mod target;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::{self, Place};
use crate::config::Mistake;
use crate::config::section::{self, Section};
use crate::judge::definition::{Definitions, Objective};
use crate::judge::routing::{Rotation, Route};
use target::{MAX_TARGETS, Whose};

pub(super) use difference::compare;
pub use difference::{ServiceChange, ServicesDifference};
pub use reach::{Runner, warnings};

/// The folder's name in the collector's folder.
pub const FOLDER: &str = "services.d";
/// Services in all files at most.
pub const MAX_SERVICES: usize = 1_000;
/// Characters of what people do while mail does not work, at most.
const MAX_INSTEAD: usize = 200;
/// Bytes of all that is said at most: it becomes one record of the control journal.
const MAX_BYTES: usize = 4 << 20;

/// Reads every `*.toml` in a folder, by name; a folder that is not there defines nothing. In mistakes files are named
/// with the folder's usual name before them. `channels` are the names of those that there are, where that is known.
///
/// # Errors
/// Every mistake, in the order of files and lines.
pub fn read_services(
    folder: &Path,
    channels: Option<&BTreeSet<String>>,
) -> Result<Definitions, Vec<Mistake>> {
    let mut reading = Reading::default();
    match folder::names(folder) {
        Ok(names) => names.iter().for_each(|name| reading.file(folder, name)),
        Err(message) => reading.mistakes.push(folder::whole(folder, message)),
    }
    let Reading { services, mut mistakes, time_zone, instead, objectives, routes, .. } = reading;
    let rotations = reading.rotations;
    mistakes.extend(route::mistakes(&reading.mentions, channels));
    mistakes.extend(whole::mistakes(&services));
    if services.len() > MAX_SERVICES {
        let words = format!("holds more than {MAX_SERVICES} services");
        mistakes.push(folder::whole(folder, words));
    }
    let services = services.into_iter().map(|read| read.service).collect();
    let time_zone = time_zone.map(|(_, time_zone)| time_zone);
    let instead = instead.map(|(_, instead)| instead).unwrap_or_default();
    let is_without_canary = reading.canary == Some(false);
    let definitions = Definitions {
        time_zone,
        instead,
        services,
        objectives,
        routes,
        rotations,
        templates: BTreeMap::new(),
        is_without_canary,
    };
    let bytes = serde_json::to_vec(&definitions).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > MAX_BYTES {
        let words = format!("the services hold more than {} MiB", MAX_BYTES >> 20);
        mistakes.push(folder::whole(folder, words));
    }
    mistakes.sort();
    if mistakes.is_empty() { Ok(definitions) } else { Err(mistakes) }
}

#[derive(Default)]
struct Reading {
    services: Vec<service::Read>,
    objectives: Vec<Objective>,
    routes: Vec<Route>,
    rotations: Vec<Rotation>,
    canary: Option<bool>,
    mentions: route::Mentions,
    time_zone: Option<(Place, String)>,
    instead: Option<(Place, String)>,
    mistakes: Vec<Mistake>,
    /// Where each objective of the organisation stands, each route, each rotation.
    taken: BTreeMap<String, Place>,
    taken_by_routes: BTreeMap<String, Place>,
    taken_by_rotations: BTreeMap<String, Place>,
}

impl Reading {
    fn file(&mut self, folder: &Path, name: &str) {
        let called = format!("{FOLDER}/{name}");
        let mistakes =
            section::read_file(&folder.join(name), &called, |section| self.tables(section));
        self.mistakes.extend(mistakes);
    }

    fn tables(&mut self, section: &mut Section<'_>) {
        self.time_zone(section);
        self.instead(section);
        for mut inner in section.tables("service", MAX_SERVICES + 1, "service: ") {
            self.services.extend(service::read(&mut inner));
            section.take_over(inner);
        }
        for mut inner in section.tables("objective", MAX_TARGETS, "objective: ") {
            let read = target::objective(&mut inner, Whose::Organisation);
            service::keep(&mut inner, read, &mut self.taken, &mut self.objectives);
            section.take_over(inner);
        }
        if self.objectives.len() > MAX_TARGETS {
            section.wrong("objective", format!("there must be {MAX_TARGETS} objectives at most"));
        }
        self.telling(section);
    }

    /// Who is told.
    fn telling(&mut self, section: &mut Section<'_>) {
        for mut inner in section.tables("route", route::MAX_ROUTES, "route: ") {
            let read = route::route(&mut inner, &mut self.mentions);
            let named = (read.as_ref().map(|it| it.name.clone()), read);
            route::keep(&mut inner, named, &mut self.taken_by_routes, &mut self.routes);
            section.take_over(inner);
        }
        for mut inner in section.tables("rotation", route::MAX_ROUTES, "rotation: ") {
            let read = route::rotation(&mut inner, &mut self.mentions);
            let named = (read.as_ref().map(|it| it.name.clone()), read);
            route::keep(&mut inner, named, &mut self.taken_by_rotations, &mut self.rotations);
            section.take_over(inner);
        }
        if section.has("canary") {
            self.canary = Some(section.flag("canary"));
        }
    }

    fn time_zone(&mut self, section: &mut Section<'_>) {
        let Some(zone) = section.read("time_zone", time_zone) else { return };
        match &self.time_zone {
            Some((other, _)) => {
                let words = format!("time_zone is said at {other} already: there is one for all");
                section.wrong("time_zone", words);
            }
            None => self.time_zone = Some((section.place("time_zone"), zone)),
        }
    }

    fn instead(&mut self, section: &mut Section<'_>) {
        let said = section.words("instead", MAX_INSTEAD);
        if said.is_empty() {
            return;
        }
        match &self.instead {
            Some((other, _)) => {
                let words = format!(
                    "instead is said at {other} already: there is one for all, and a service may have its own"
                );
                section.wrong("instead", words);
            }
            None => self.instead = Some((section.place("instead"), said)),
        }
    }
}

fn time_zone(text: &str) -> Result<String, String> {
    let is_form = text.len() <= 64 && text.is_ascii();
    let zone = is_form.then(|| jiff::tz::TimeZone::get(text).ok()).flatten();
    let name = zone.as_ref().and_then(jiff::tz::TimeZone::iana_name).map(str::to_owned);
    name.ok_or_else(|| {
        format!(
            "must be a time zone by its IANA name, such as \"Africa/Johannesburg\", not \"{text}\""
        )
    })
}

#[cfg(test)]
mod tests;
