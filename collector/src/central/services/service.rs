//! One service as an operator writes it: `[[service]]`.

use std::collections::BTreeMap;

use super::super::folder::Place;
use super::hours;
use super::target::{self, MAX_TARGETS, Whose};
use crate::config::section::Section;
use crate::judge::definition::{NotAShare, Quorum, Service, Share, VOICE};
use crate::selector::{NotASelector, Selector};

/// Names of checks of one service at most.
const MAX_PATTERNS: usize = 100;
/// Services that one depends on at most.
const MAX_DEPENDENCIES: usize = 50;
/// People at most.
const MAX_USERS: u64 = 10_000_000_000;

/// A service, and where it stands.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) service: Service,
    /// Of its name.
    pub(super) place: Place,
    /// Of each that it depends on.
    pub(super) depends_on: Vec<Place>,
    /// Of each agreement's name.
    pub(super) agreements: Vec<Place>,
}

/// Reads it; `None` where it has no name. What else is wrong is left out of it, and told by the section.
pub(super) fn read(section: &mut Section<'_>) -> Option<Read> {
    section.require("name", "");
    let name = section.read("name", target::name);
    if let Some(name) = &name {
        section.set_label(format!("service \"{name}\": "));
    }
    let title = section.words("title", 128);
    let description = section.words("description", 2_000);
    let owner = section.words("owner", 256);
    section.require(
        "checks",
        "say which checks it is made of, such as checks = [\"mail\", \"imap-*\"]",
    );
    let checks = section.list("checks", MAX_PATTERNS, pattern);
    if section.is_empty("checks") {
        section
            .wrong("checks", "checks is empty: a service without checks can be judged by nothing");
    }
    let on = section.read("on", |text| {
        text.parse::<Selector>().map(|on| on.to_string()).map_err(|error: NotASelector| error)
    });
    let voice = section.read("voice", |text| {
        target::name(text).map_err(|_no_name| "must be a label such as \"site\", or \"name\"")
    });
    let down_when = section.read("down_when", str::parse::<Quorum>);
    let depends_on = section.list("depends_on", MAX_DEPENDENCIES, target::name);
    let users = section.whole("users", 0..=MAX_USERS);
    let hours = hours::read(section);
    let growth = section.read("growth", |text| text.parse().map_err(|error: NotAShare| error));
    let (objectives, agreements) = targets(section, hours.is_some());
    let (places, depends_on) = depends_on.into_iter().unzip();
    let (promised_at, agreements) = agreements.into_iter().unzip();
    let service = Service {
        name: name?,
        title,
        description,
        owner,
        checks: checks.into_iter().map(|(_, check)| check).collect(),
        on: on.unwrap_or_else(|| "*".to_owned()),
        voice: voice.unwrap_or_else(|| VOICE.to_owned()),
        down_when: down_when.unwrap_or(Quorum::Half),
        depends_on,
        users,
        hours,
        objectives,
        agreements,
        growth: growth.filter(|growth: &Share| growth.ppm() > 0),
    };
    Some(Read {
        service,
        place: section.place("name"),
        depends_on: places,
        agreements: promised_at,
    })
}

type Targets =
    (Vec<crate::judge::definition::Objective>, Vec<(Place, crate::judge::definition::Agreement)>);

fn targets(section: &mut Section<'_>, has_hours: bool) -> Targets {
    let label = section.label().to_owned();
    let mut objectives = Vec::new();
    let mut taken = BTreeMap::new();
    let whose = Whose::Service { has_hours };
    for mut inner in section.tables("objective", MAX_TARGETS, &format!("{label}objective: ")) {
        let read = target::objective(&mut inner, whose);
        keep(&mut inner, read, &mut taken, &mut objectives);
        section.take_over(inner);
    }
    let mut agreements = Vec::new();
    for mut inner in section.tables("agreement", MAX_TARGETS, &format!("{label}agreement: ")) {
        let read = target::agreement(&mut inner, has_hours);
        let place = inner.place("name");
        agreements.extend(read.map(|agreement| (place, agreement)));
        section.take_over(inner);
    }
    (objectives, agreements)
}

/// Keeps an objective whose name no other has.
pub(super) fn keep(
    section: &mut Section<'_>,
    objective: Option<crate::judge::definition::Objective>,
    taken: &mut BTreeMap<String, Place>,
    kept: &mut Vec<crate::judge::definition::Objective>,
) {
    let Some(objective) = objective else { return };
    if let Some(other) = taken.insert(objective.name.clone(), section.place("name")) {
        let name = &objective.name;
        let words =
            format!("another one at {other} is called {name} as well: give it a name of its own");
        section.wrong("name", words);
    }
    kept.push(objective);
}

/// The name of a check, with `*` for any characters.
fn pattern(text: &str) -> Result<String, String> {
    if text == "*" || mailsonde_proto::check::is_name(&text.replace('*', "")) {
        return Ok(text.to_owned());
    }
    Err(format!("must be names of checks, in which * stands for any characters, not \"{text}\""))
}
