//! What users are told: how their services are, what is wrong in plain words, what is planned, how mail programs are set up.
//!
//! Invariant: nothing in an answer is internal. It is made of what the page's configuration names, of titles, of sites'
//! names, of figures, and of words that drafts find for everybody from an incident out of which all else was taken
//! ([`redacted`]): no names of agents, checks or people, no server's own words, no notes. Unknown is never up.
//! Absent on purpose: HTML, feeds, which `public` writes.

mod answer;
mod days;
mod incidents;
mod redacted;
mod services;
mod setup;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_proto::WallTime;

use super::{Query, QueryError, StatusAnswer, measured};
use crate::config::StatusPageConfig;
use crate::judge::chronicle::Chronicle;
use crate::judge::definition::{Definitions, Service, VOICE, VOICE_OF_NAME};
use crate::judge::draft::Templates;
use crate::judge::incident::Incident;
use crate::judge::telling::Notice;

pub use answer::{
    MOST_SITES, Progress, PublicAnswer, PublicClient, PublicDay, PublicIncident, PublicServer,
    PublicService, PublicState, PublicUpdate, PublicWindow, Sites,
};
pub use days::DaysKept;
pub use incidents::PastKept;
pub use setup::ChecksFound;

/// What an answer goes by.
struct Known<'k> {
    config: &'k StatusPageConfig,
    chronicle: &'k Chronicle,
    /// Of the page's services only.
    definitions: Definitions,
    templates: &'k Templates,
    /// Names that are sites': what else might be taken for one is an agent's own name.
    sites: BTreeSet<String>,
    now: WallTime,
}

impl<'k> Known<'k> {
    fn new(
        config: &'k StatusPageConfig,
        chronicle: &'k Chronicle,
        templates: &'k Templates,
        now: WallTime,
    ) -> Self {
        let definitions = told_definitions(config, chronicle.current());
        let sites = sites(chronicle, &definitions, now);
        Self { config, chronicle, definitions, templates, sites, now }
    }

    /// What the page calls a service; `None`: it does not stand there.
    fn title(&self, service: &str) -> Option<&str> {
        let named = self.config.services.iter().find(|it| it.name == service)?;
        Some(match (named.title.as_str(), self.definitions.service(service)) {
            ("", Some(service)) => service.shown(),
            ("", None) => &named.name,
            (title, _) => title,
        })
    }

    fn is_site(&self, name: &str) -> bool {
        self.sites.contains(name)
    }
}

/// What is kept from one answer to the next.
#[derive(Debug, Default)]
pub struct PublicKept {
    /// Days that are over.
    pub days: DaysKept,
    /// Which checks show whether a server works.
    pub checks: ChecksFound,
    /// Words about incidents that are over.
    pub past: PastKept,
}

impl Query {
    /// Everything that users are told; drafts are made by these templates.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn public(
        &self,
        config: &StatusPageConfig,
        templates: &Templates,
        kept: &mut PublicKept,
    ) -> Result<PublicAnswer, QueryError> {
        let status = self.status()?;
        let reader = self.views.reader();
        let (incidents, notices) = (reader.incidents()?, reader.notices()?);
        let checks = self.registry.control().look(|roll| kept.checks.of(config, roll.applied()));
        let chronicle = reader.chronicle();
        let known = Known::new(config, &chronicle, templates, status.now.into());
        let zone = measured::zone(&known.definitions);
        let read =
            Read { status: &status, incidents: &incidents, notices: &notices, checks: &checks };
        let mut answer = known.answer(&read, &mut kept.past);
        drop(known);
        drop(chronicle);
        let names: Vec<&str> = config.services.iter().map(|it| it.name.as_str()).collect();
        kept.days.read(self, &names, (&zone, status.now.into()))?;
        for (service, named) in answer.services.iter_mut().zip(&config.services) {
            service.days = kept.days.of(&named.name);
        }
        Ok(answer)
    }
}

/// What was read.
struct Read<'r> {
    status: &'r StatusAnswer,
    incidents: &'r [Incident],
    notices: &'r [Notice],
    checks: &'r BTreeMap<(usize, usize), BTreeSet<String>>,
}

impl Known<'_> {
    /// All but the days.
    fn answer(&self, read: &Read<'_>, past: &mut PastKept) -> PublicAnswer {
        let mut services = services::services(self, read.status);
        let (incidents, past_incidents) =
            incidents::incidents(self, read.incidents, read.notices, past);
        let planned = windows::windows(self);
        for (service, named) in services.iter_mut().zip(&self.config.services) {
            service.is_in_maintenance = planned.running.contains(named.name.as_str());
        }
        let zone = measured::zone(&self.definitions);
        PublicAnswer {
            now: read.status.now,
            time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            title: self.config.title.clone(),
            state: services.iter().map(|it| it.state).max().unwrap_or(PublicState::Unknown),
            services,
            incidents,
            maintenance: planned.coming,
            mail_clients: setup::clients(self, read.status, read.checks),
            past_incidents,
            past_maintenance: planned.past,
            calendar: planned.calendar,
            sites: self.sites.clone(),
        }
    }
}

/// Of what is defined, what words for everybody are made of: the page's services, and not who answers for them.
fn told_definitions(config: &StatusPageConfig, definitions: &Definitions) -> Definitions {
    let of_page = config.services.iter().filter_map(|it| definitions.service(&it.name));
    let shown = |service: &Service| Service { owner: String::new(), ..service.clone() };
    Definitions {
        time_zone: definitions.time_zone.clone(),
        instead: definitions.instead.clone(),
        services: of_page.map(shown).collect(),
        ..Definitions::default()
    }
}

/// Everything that is a site's name: values of the labels that make voices, never an agent's own name by itself.
fn sites(chronicle: &Chronicle, definitions: &Definitions, now: WallTime) -> BTreeSet<String> {
    let voices = definitions.services.iter().map(|service| service.voice.as_str());
    let keys: BTreeSet<&str> =
        voices.filter(|voice| *voice != VOICE_OF_NAME).chain([VOICE]).collect();
    let named = chronicle.agents().filter_map(|(_, history)| history.named_at(now));
    let labels = named.flat_map(|(_, labels)| keys.iter().filter_map(|key| labels.get(*key)));
    labels.cloned().collect()
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests;
