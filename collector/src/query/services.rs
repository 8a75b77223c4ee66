//! How services are: the quorum over what is known from each site.
//!
//! Pure: [`answer`] is a function of what was in force and of the status of every check.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::{State, StatusAnswer};
use crate::judge::chronicle::Chronicle;
use crate::judge::definition::{Service, Voiced};
use crate::judge::incident::Incident;

/// Every service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServicesAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// Whether they were defined by somebody; otherwise each check is a service.
    pub are_defined: bool,
    /// In the order of their files.
    pub services: Vec<ServiceAnswer>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceAnswer {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// For people.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// How it is by its quorum.
    pub state: Voiced,
    /// How many sites must fail for it to be down.
    pub down_when: String,
    /// What is known from each site, by name.
    pub sites: Vec<SiteAnswer>,
    /// Services that it needs.
    pub depends_on: Vec<String>,
    /// People behind it, where known.
    pub users: Option<u64>,
    /// Incidents that touch it and are not over.
    pub incidents: Vec<u64>,
}

/// A service from one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteAnswer {
    /// The site, or the vantage point that is its own.
    pub site: String,
    /// How it is from there.
    pub state: Voiced,
    /// What is not up there: `CHECK at VANTAGE POINT: STATE`.
    pub not_up: Vec<String>,
    /// The service's checks there, by vantage point.
    #[serde(default)]
    pub checks: Vec<MemberAnswer>,
}

/// A check of a service at a vantage point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberAnswer {
    /// Where.
    pub vantage_point: String,
    /// Its name.
    pub check: String,
    /// How it is doing.
    pub state: State,
}

/// Judges what was read.
pub fn answer(
    chronicle: &Chronicle,
    status: &StatusAnswer,
    incidents: &[Incident],
    are_defined: bool,
) -> ServicesAnswer {
    let now = WallTime::from(status.now);
    let states = states(status);
    let services = chronicle.current().services.iter();
    let answers = services.filter_map(|service| {
        let sites = sites(chronicle, service, now, &states);
        if sites.is_empty() && !are_defined {
            return None; // a check that nobody runs any more
        }
        let state = judged(service, &sites);
        let touches = |it: &&Incident| it.is_live() && it.services.contains_key(&service.name);
        Some(ServiceAnswer {
            name: service.name.clone(),
            title: service.shown().to_owned(),
            description: service.description.clone(),
            owner: service.owner.clone(),
            state,
            down_when: service.down_when.to_string(),
            sites,
            depends_on: service.depends_on.clone(),
            users: service.users,
            incidents: incidents.iter().filter(touches).map(|it| it.number).collect(),
        })
    });
    ServicesAnswer { now: status.now, are_defined, services: answers.collect() }
}

/// How each check at each vantage point is.
pub(super) type States<'s> = BTreeMap<(&'s str, &'s str), State>;

/// How each check is, by vantage point and check.
pub(super) fn states(status: &StatusAnswer) -> States<'_> {
    let mut states = States::new();
    for vantage in &status.vantage_points {
        for check in &vantage.checks {
            states.insert((&vantage.name, &check.check), check.state);
        }
    }
    states
}

/// How a service is by its quorum.
pub(super) fn judged(service: &Service, sites: &[SiteAnswer]) -> Voiced {
    let count = |wanted| sites.iter().filter(|site| site.state == wanted).count();
    service.down_when.judge(count(Voiced::Up), count(Voiced::Down), count(Voiced::Unknown))
}

/// What is known of a check, as it counts: what is late is not known yet, and unknown is never up.
pub(super) fn voiced(state: State) -> Voiced {
    match state {
        State::Up => Voiced::Up,
        State::Failing => Voiced::Down,
        State::Late | State::Unknown => Voiced::Unknown,
    }
}

/// What is known of a service from each site, by name.
pub(super) fn sites(
    chronicle: &Chronicle,
    service: &Service,
    now: WallTime,
    states: &States<'_>,
) -> Vec<SiteAnswer> {
    let mut sites: BTreeMap<&str, SiteAnswer> = BTreeMap::new();
    for member in chronicle.members_at(service, now) {
        let (name, check) = (member.name, member.check.name.as_str());
        let state = states.get(&(name, check)).copied().unwrap_or(State::Unknown);
        let voiced = voiced(state);
        let site = sites.entry(member.voice).or_insert_with(|| SiteAnswer {
            site: member.voice.to_owned(),
            state: Voiced::Up,
            not_up: Vec::new(),
            checks: Vec::new(),
        });
        site.state = site.state.max(voiced);
        let (vantage_point, check_name) = (name.to_owned(), check.to_owned());
        site.checks.push(MemberAnswer { vantage_point, check: check_name, state });
        if voiced != Voiced::Up {
            site.not_up.push(format!("{check} at {name}: {}", state.as_str()));
        }
    }
    sites.into_values().collect()
}
