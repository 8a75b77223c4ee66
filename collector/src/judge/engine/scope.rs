//! From where something fails and from where not, how bad that is, and whether it is over.

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_proto::WallTime;

use super::super::definition::Voiced;
use super::super::incident::{FaultBrief, Incident, Kind, Place, Scope, Severity, State};
use super::Engine;
use super::evidence::in_words;
use super::grouping::family;

impl Engine {
    /// Puts the services of a series into its incident.
    pub(super) fn touch_services(&mut self, number: usize, site: &str) {
        let Some(series) = self.fleet.series.get(number) else { return };
        let Some(failing) = series.watch.failing() else { return };
        let incident = failing.incident;
        let is_security = is_of_security(&series.kind, &failing.fault.phase);
        let touched: Vec<(String, String, Option<u64>)> = (series.services.iter())
            .filter_map(|at| self.fleet.definitions.services.get(*at))
            .map(|service| (service.name.clone(), service.shown().to_owned(), service.users))
            .collect();
        let needs: BTreeMap<String, bool> = self.needs_of(series.services.clone(), incident);
        let Some(incident) = self.incident(incident) else { return };
        incident.is_security |= is_security;
        for (name, title, users) in touched {
            let root = incident.root.clone();
            let is_needing = needs.get(&name).copied().unwrap_or(false);
            let impact = incident.services.entry(name.clone()).or_default();
            impact.title = title;
            impact.users = users;
            impact.sites.insert(site.to_owned());
            if is_needing && root.as_deref() != Some(&name) {
                impact.because_of = root;
            }
            incident.root.get_or_insert(name);
        }
    }

    /// Which of these services need the root of an incident.
    fn needs_of(&self, services: Vec<usize>, incident: u64) -> BTreeMap<String, bool> {
        let root = self.incidents.get(&incident).and_then(|it| it.root.as_deref());
        let root = self.fleet.services.iter().position(|it| Some(it.name.as_str()) == root);
        let named = services.into_iter().filter_map(|at| {
            let name = self.fleet.services.get(at)?.name.clone();
            Some((name, root.is_some_and(|root| self.fleet.needs(at, root))))
        });
        named.collect()
    }

    /// Looks again from where an incident fails, and how bad it is.
    pub(super) fn look_again(&mut self, number: u64) {
        let Some(incident) = self.incidents.get(&number) else { return };
        if !matches!(incident.state, State::Open | State::Acknowledged) {
            return;
        }
        let (failing, passing) = self.sites_of(incident);
        let down: Vec<String> = (incident.services.keys())
            .filter(|name| self.voiced(name) == Voiced::Down)
            .cloned()
            .collect();
        let at = self.at();
        let Some(incident) = self.incident(number) else { return };
        if let Some(scope) = scope_of(&failing, &passing)
            && incident.kind != Kind::Silence
            && rank(&scope) >= rank(&incident.scope)
            && scope != incident.scope
        {
            let has_widened = rank(&scope) > rank(&incident.scope);
            incident.scope = scope;
            if has_widened {
                let words = incident.scope.in_words();
                incident.tell(at, "scope", words);
            }
        }
        incident.works_from = passing;
        for name in down {
            if let Some(impact) = incident.services.get_mut(&name) {
                impact.was_down = true;
            }
        }
        let severity = severity_of(incident);
        if severity > incident.severity {
            incident.severity = severity;
        }
        self.name_fault(number);
    }

    /// The run that failed first may have been under way when the trouble began, and have met with something else: where
    /// nothing that fails fails so any more, the incident is called by what most of it says now.
    fn name_fault(&mut self, number: u64) {
        let Some(incident) = self.incidents.get(&number) else { return };
        let root = incident.root.as_ref().and_then(|root| self.fleet.definitions.service(root));
        let is_of_root = |place: &&Place| root.is_none_or(|root| root.has_check(&place.check));
        let places: Vec<&Place> =
            incident.places.iter().filter(|it| !it.check.is_empty()).filter(is_of_root).collect();
        let how = |fault: &FaultBrief| (fault.phase.clone(), fault.class.clone());
        let named = how(&incident.fault);
        let has_passed = places.iter().any(|place| place.passed_at.is_some());
        let is_right = places.iter().any(|place| how(&place.fault) == named);
        if has_passed || is_right || !matches!(incident.kind, Kind::Outage | Kind::Flapping) {
            return;
        }
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for place in &places {
            *counts.entry(how(&place.fault)).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(how, _)| how);
        let fault = places.iter().find(|place| Some(how(&place.fault)) == most);
        let Some(fault) = fault.map(|place| place.fault.clone()) else { return };
        let at = self.at();
        if let Some(incident) = self.incident(number) {
            incident.tell(at, "fault", in_words(&fault));
            incident.fault = fault;
        }
    }

    /// Sites from which the checks of an incident fail, and from which they are known to work since it began.
    fn sites_of(&self, incident: &Incident) -> (BTreeSet<String>, BTreeSet<String>) {
        let since = WallTime::from(incident.began_at);
        let (mut failing, mut passing) = (BTreeSet::new(), BTreeSet::new());
        for check in &incident.checks {
            for (_, series) in self.fleet.of_check(check) {
                let fails = series.watch.failing().is_some_and(|it| it.incident == incident.number);
                if fails {
                    failing.insert(series.site.clone());
                } else if series.watch.has_passed_since(since) {
                    passing.insert(series.site.clone());
                }
            }
        }
        let passing = passing.difference(&failing).cloned().collect();
        (failing, passing)
    }

    /// How a service is by the evidence of the moment.
    pub(super) fn voiced(&self, name: &str) -> Voiced {
        let at = self.fleet.services.iter().position(|it| it.name == name);
        let Some((at, serving)) = at.and_then(|at| Some((at, self.fleet.services.get(at)?))) else {
            return Voiced::Unknown;
        };
        let Some(service) = self.fleet.definitions.services.get(at) else { return Voiced::Unknown };
        let mut voices: BTreeMap<&str, Voiced> = BTreeMap::new();
        for series in serving.members.iter().filter_map(|number| self.fleet.series.get(*number)) {
            let agent = self.fleet.agents.get(series.agent);
            let is_silent = agent.is_some_and(|agent| agent.silent.is_some());
            let voiced = if series.watch.failing().is_some() {
                Voiced::Down
            } else if is_silent || series.watch.last_slot.is_none() {
                Voiced::Unknown
            } else {
                Voiced::Up
            };
            let voice = voices.entry(&series.site).or_insert(voiced);
            *voice = voiced.max(*voice);
        }
        let count = |wanted| voices.values().filter(|voiced| **voiced == wanted).count();
        service.down_when.judge(count(Voiced::Up), count(Voiced::Down), count(Voiced::Unknown))
    }

    /// Whether an incident is mended, or over.
    pub(super) fn go_on(&mut self, number: u64) {
        let at = self.at();
        let ends = self.open_ends.get(&number).cloned().unwrap_or_default();
        let has_passed = |series: &usize| {
            let series = self.fleet.series.get(*series);
            series.and_then(|it| it.watch.failing()).is_none_or(|failing| failing.passes > 0)
        };
        let all_pass = ends.agents.is_empty() && ends.series.iter().all(has_passed);
        let Some(incident) = self.incidents.get(&number).filter(|it| it.is_live()) else { return };
        let is_mended = all_pass && incident.kind != Kind::Burn;
        if is_mended
            && incident.state < State::Resolved
            && let Some(incident) = self.incident(number)
        {
            incident.state = State::Resolved;
            incident.resolved_at = Some(at);
            incident.tell(at, "resolved", "runs pass from everywhere again");
        }
        if is_mended && ends.is_empty() {
            self.open_ends.remove(&number);
            if let Some(incident) = self.incident(number) {
                incident.state = State::Verified;
                incident.verified_at = Some(at);
                incident.ended_at.get_or_insert(at);
                let words = "passing runs from every vantage point that had failed";
                incident.tell(at, "verified", words);
            }
            if let Some(incident) = self.incidents.get(&number).cloned() {
                self.remember(&incident);
            }
            self.dirty.archive.insert(number);
        }
    }
}

impl Scope {
    /// One sentence without a full stop.
    pub fn in_words(&self) -> String {
        match self {
            Self::OnePlace { site } => {
                format!("seen from {site} only: whether it is {site} or the target nobody can tell")
            }
            Self::Branch { site } => {
                format!("fails from {site} and works from elsewhere: the trouble is {site}'s")
            }
            Self::Some { failing, of } => format!("fails from {failing} of {of} sites"),
            Self::Everywhere { sites } => {
                format!("fails from all {sites} sites: the trouble is the target's")
            }
        }
    }
}

fn scope_of(failing: &BTreeSet<String>, passing: &BTreeSet<String>) -> Option<Scope> {
    let first = failing.first()?.clone();
    Some(match (failing.len(), passing.len()) {
        (1, 0) => Scope::OnePlace { site: first },
        (1, _) => Scope::Branch { site: first },
        (sites, 0) => Scope::Everywhere { sites },
        (failing, passing) => Scope::Some { failing, of: failing + passing },
    })
}

/// A scope is told at its widest.
fn rank(scope: &Scope) -> (u8, usize) {
    match scope {
        Scope::OnePlace { .. } => (0, 0),
        Scope::Branch { .. } => (1, 0),
        Scope::Some { failing, .. } => (2, *failing),
        Scope::Everywhere { sites } => (3, *sites),
    }
}

fn severity_of(incident: &Incident) -> Severity {
    let is_down = incident.services.values().any(|impact| impact.was_down);
    let is_everywhere = matches!(incident.scope, Scope::Everywhere { .. });
    match incident.kind {
        Kind::Silence => Severity::Notice,
        _ if is_down && is_everywhere => Severity::Critical,
        _ if is_down => Severity::Major,
        _ => Severity::Minor,
    }
}

/// Certificates, sign-in policy, and what others think of us.
fn is_of_security(kind: &str, phase: &str) -> bool {
    matches!(kind, "dnsbl" | "spf" | "tls") || family(phase) == "tls"
}

impl Incident {
    /// One line: what fails, from where.
    pub fn headline(&self) -> String {
        let what = match (&self.root, self.services.len()) {
            (Some(root), _) => self
                .services
                .get(root)
                .map(|it| it.title.clone())
                .filter(|it| !it.is_empty())
                .unwrap_or(root.clone()),
            (None, _) => self.checks.iter().cloned().collect::<Vec<_>>().join(", "),
        };
        match self.kind {
            Kind::Silence => in_words(&self.fault),
            Kind::Burn => format!("{what}: {}", self.fault.explanation),
            Kind::Flapping => format!("{what} comes and goes: {}", in_words(&self.fault)),
            Kind::Outage => format!("{what}: {}", in_words(&self.fault)),
        }
    }
}
