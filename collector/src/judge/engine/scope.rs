//! From where something fails and from where not, how bad that is, and whether it is over.

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_proto::WallTime;

use super::super::definition::Voiced;
use super::super::incident::{FaultBrief, Incident, Kind, Place, Scope, Severity, State};
use super::super::watch::{Condition, Watch};
use super::Engine;
use super::grouping::family;

impl Engine {
    /// Puts the services of a series into its incident.
    pub(super) fn touch_services(&mut self, number: usize, site: &str) {
        let Some(series) = self.fleet.series.get(number) else { return };
        let Some(failing) = series.watch.failing() else { return };
        let incident = failing.incident;
        let is_security = is_of_security(&series.kind, &failing.fault);
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
        let seen = self.seen_of(incident);
        let down: Vec<String> = (incident.services.keys())
            .filter(|name| incident.kind != Kind::Silence && self.voiced(name) == Voiced::Down)
            .cloned()
            .collect();
        let at = self.at();
        let Some(incident) = self.incident(number) else { return };
        if let Some(scope) = seen.scope()
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
        incident.works_from = seen.passing;
        for name in down {
            if let Some(impact) = incident.services.get_mut(&name) {
                impact.was_down = true;
            }
        }
        let severity = severity_of(incident);
        if severity > incident.severity {
            incident.severity = severity;
        }
        self.move_on(number);
        self.name_fault(number);
    }

    /// What the others were thought to need works again, and they still fail: they have a cause of their own.
    fn move_on(&mut self, number: u64) {
        let Some(incident) = self.incidents.get(&number) else { return };
        let Some(root) = incident.root.clone().filter(|_| incident.kind == Kind::Outage) else {
            return;
        };
        let ends = self.open_ends.get(&number).map(|ends| ends.series.clone()).unwrap_or_default();
        let services_of = |series: &usize| {
            let series = self.fleet.series.get(*series);
            series.map(|series| series.services.as_slice()).unwrap_or_default()
        };
        let name_of = |at: &usize| self.fleet.services.get(*at).map(|service| &service.name);
        let failing: BTreeSet<usize> = ends.iter().flat_map(services_of).copied().collect();
        if failing.is_empty() || failing.iter().any(|at| name_of(at) == Some(&root)) {
            return;
        }
        // that which needs no other of them
        let needs_none = |at: &&usize| {
            !failing.iter().any(|other| other != *at && self.fleet.needs(**at, *other))
        };
        let cause = failing.iter().find(needs_none).or(failing.first());
        let fault = cause.and_then(|cause| {
            let fails = ends.iter().find(|series| services_of(series).contains(cause))?;
            let fault = self.fleet.series.get(*fails)?.watch.failing()?.fault.clone();
            Some((name_of(cause)?.clone(), fault))
        });
        let needs: BTreeSet<String> = match cause {
            Some(cause) => {
                let others = failing.iter().filter(|at| self.fleet.needs(**at, *cause));
                others.filter_map(name_of).cloned().collect()
            }
            None => BTreeSet::new(),
        };
        let at = self.at();
        let (Some((cause, fault)), Some(incident)) = (fault, self.incident(number)) else { return };
        for (name, impact) in &mut incident.services {
            let is_needing = *name != cause && needs.contains(name);
            if is_needing || impact.because_of.as_ref() == Some(&root) {
                impact.because_of = is_needing.then(|| cause.clone());
            }
        }
        incident.tell(at, "cause", format!("{root} works again, and {cause} still fails"));
        (incident.root, incident.fault) = (Some(cause), fault);
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
            incident.tell(at, "fault", fault.in_words());
            incident.fault = fault;
        }
    }

    /// From where the checks of an incident fail, and from where they are known to work since it began.
    fn seen_of(&self, incident: &Incident) -> Seen {
        let began = WallTime::from(incident.began_at);
        let mut seen = Seen::default();
        let mut beside = Vec::new();
        for check in &incident.checks {
            for (_, series) in self.fleet.of_check(check) {
                let Some(agent) = self.fleet.agents.get(series.agent) else { continue };
                let fails = series.watch.failing().is_some_and(|it| it.incident == incident.number);
                let span = series.pace.cadence.saturating_add(series.pace.timeout);
                let has_to_come = began.plus(span);
                // what passed long ago says nothing of now
                let since = began.max(self.now.minus(span.saturating_mul(2)));
                if fails && agent.silent.is_none() {
                    seen.failing.insert(series.site.clone());
                    seen.vantage_points.insert(agent.name.clone());
                } else if agent.silent.is_none() && series.watch.has_passed_since(since) {
                    seen.passing.insert(series.site.clone());
                    beside.push((&series.site, &agent.name));
                } else {
                    let can_tell = agent.is_here && agent.silent.is_none() && agent.voids == 0;
                    seen.awaits |= can_tell && series.is_active && self.now < has_to_come;
                }
            }
        }
        seen.passing = seen.passing.difference(&seen.failing).cloned().collect();
        // where one of a site's vantage points fails and another does not, that is told by its name
        let beside = beside.into_iter().filter(|(site, name)| {
            seen.failing.contains(*site) && !seen.vantage_points.contains(*name)
        });
        let beside: Vec<String> = beside.map(|(_, name)| name.clone()).collect();
        seen.is_split = !beside.is_empty();
        seen.passing.extend(beside);
        seen
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
            let voiced = if is_silent {
                Voiced::Unknown
            } else if series.watch.failing().is_some() {
                Voiced::Down
            } else if series.watch.last_slot.is_none() || is_excused(&series.watch) {
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
        let nobody_is_silent = ends.agents.is_empty() && ends.peers.is_empty();
        let all_pass = nobody_is_silent && ends.series.iter().all(has_passed);
        let Some(incident) = self.incidents.get(&number).filter(|it| it.is_live()) else { return };
        let is_mended = all_pass && incident.kind != Kind::Burn;
        if is_mended
            && incident.state < State::Resolved
            && let Some(incident) = self.incident(number)
        {
            incident.state = State::Resolved;
            incident.resolved_at = Some(at);
            let words = match incident.is_proven() {
                true if incident.is_of_peer() => "it is heard to be healthy again",
                true => "runs pass from everywhere again",
                false => "what had failed is not to run any more",
            };
            incident.tell(at, "resolved", words);
        }
        if is_mended && ends.is_empty() {
            self.open_ends.remove(&number);
            if let Some(incident) = self.incident(number) {
                incident.state = State::Verified;
                incident.verified_at = Some(at);
                incident.ended_at.get_or_insert(at);
                let words = match incident.is_proven() {
                    true if incident.is_of_peer() => "it is heard to be healthy again",
                    true => "passing runs from every vantage point that had failed",
                    false => {
                        "nothing that had failed is to run any more: no run has shown that it works"
                    }
                };
                incident.tell(at, "verified", words);
            }
            if let Some(incident) = self.incidents.get(&number).cloned() {
                self.remember(&incident);
            }
            self.dirty.archive.insert(number);
        }
    }
}

/// Whether it fails, and maintenance excuses that.
fn is_excused(watch: &Watch) -> bool {
    watch.has_failed_last && watch.condition == Condition::Calm
}

/// From where something fails and works.
#[derive(Default)]
struct Seen {
    /// Sites from which it fails.
    failing: BTreeSet<String>,
    /// Vantage points from which it fails.
    vantage_points: BTreeSet<String>,
    /// Sites from which it works; of a site from which it fails too, vantage points.
    passing: BTreeSet<String>,
    /// Whether a site has both.
    is_split: bool,
    /// Whether somebody has yet to tell.
    awaits: bool,
}

impl Seen {
    fn scope(&self) -> Option<Scope> {
        let first = match self.vantage_points.first() {
            Some(only) if self.is_split && self.vantage_points.len() == 1 => only.clone(),
            _ => self.failing.first()?.clone(),
        };
        Some(match (self.failing.len(), self.passing.len()) {
            (1, 0) => Scope::OnePlace { site: first },
            (1, _) => Scope::Branch { site: first },
            (sites, 0) if self.awaits => Scope::Some { failing: sites, of: sites },
            (sites, 0) => Scope::Everywhere { sites },
            (failing, passing) => Scope::Some { failing, of: failing + passing },
        })
    }
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
fn is_of_security(kind: &str, fault: &FaultBrief) -> bool {
    // a server that hangs up or is not there says nothing of its certificate
    let is_refused = matches!(fault.class.as_str(), "permanent" | "mismatch");
    matches!(kind, "dnsbl" | "spf")
        || (is_refused && (kind == "tls" || family(&fault.phase) == "tls"))
}
