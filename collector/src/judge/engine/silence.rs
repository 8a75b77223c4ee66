//! Vantage points of which nothing is heard, or that cannot judge: nobody knows how mail is from there. Never down,
//! never up, and somebody is told.

use std::collections::BTreeSet;
use std::time::Duration;

use mailsonde_proto::{Observation, Verdict, VoidReason, WallTime};

use super::super::incident::{FaultBrief, Incident, Kind, Place, Scope};
use super::super::watch::of_us;
use super::fleet::Agent;
use super::{Due, Engine};

/// How much later than its run's end something is heard from an agent at most.
const SLACK: Duration = Duration::from_secs(4);
/// An agent is silent after this at the earliest: three heartbeats.
const LEAST: Duration = Duration::from_secs(30);
/// Agents that fall silent within this are one incident: something that they share.
const TOGETHER: Duration = Duration::from_secs(60);
/// As many runs in a row that the agent's own trouble voided as it has checks are an incident, within these bounds.
const LEAST_VOIDS: u32 = 2;
const MOST_VOIDS: u32 = 8;
/// The phase of what is no phase of a run.
const PHASE: &str = "uplink";
/// The phase of a run that its own network left without a verdict.
const OWN_NETWORK: &str = "local_network";

impl Agent {
    fn is_history(&self, observation: &Observation) -> bool {
        let has_failed = matches!(observation.verdict, Verdict::Fail(_));
        has_failed && self.heard_again.is_some_and(|at| observation.scheduled_for < at)
    }
}

impl Engine {
    /// Something was heard from an agent.
    pub(super) fn heard_from(&mut self, number: usize, observation: &Observation) {
        let now = self.now;
        let Some(agent) = self.fleet.agents.get_mut(number) else { return };
        agent.heard = now;
        if agent.silent.is_none()
            && agent.heard_again.is_some_and(|at| observation.scheduled_for >= at)
        {
            agent.heard_again = None; // what it kept is over
        }
        if agent.silent.is_some() && agent.heard_again.is_none() {
            agent.heard_again = Some(now);
        }
        if matches!(observation.verdict, Verdict::Void { .. }) {
            return;
        }
        agent.voids = 0;
        let limit = agent.span.saturating_add(TOGETHER);
        let is_fresh = now.since(observation.scheduled_for) <= limit;
        let is_news = is_fresh && !agent.is_history(observation);
        if let Some(incident) = agent.silent.filter(|_| is_news) {
            self.agent_is_back(number, incident, "is heard again, and judges");
        }
    }

    /// Whether a failure is one that an agent kept while it was silent: what cut it off, and not news.
    pub(super) fn is_history(&self, number: usize, observation: &Observation) -> bool {
        self.fleet.agents.get(number).is_some_and(|agent| agent.is_history(observation))
    }

    /// An agent keeps no incident of silence open any more.
    pub(super) fn agent_is_back(&mut self, number: usize, incident: u64, words: &str) {
        let at = self.at();
        let Some(agent) = self.fleet.agents.get_mut(number) else { return };
        agent.silent = None;
        let name = agent.name.clone();
        if let Some(ends) = self.open_ends.get_mut(&incident) {
            ends.agents.remove(&number);
        }
        if let Some(incident) = self.incident(incident) {
            incident.tell(at, "heard", format!("{name} {words}"));
            for place in incident
                .places
                .iter_mut()
                .filter(|it| it.vantage_point == name && it.check.is_empty())
            {
                (place.passed_at, place.verified_at) = (Some(at), Some(at));
            }
            incident.ended_at = Some(at);
        }
        self.dirty.stale.insert(incident);
    }

    /// An agent's own trouble left a run without a verdict.
    pub(super) fn could_not_judge(&mut self, number: usize, reason: VoidReason) {
        if !matches!(
            reason,
            VoidReason::LocalNetwork | VoidReason::LocalClock | VoidReason::LocalDisk
        ) {
            return;
        }
        let Some(agent) = self.fleet.agents.get_mut(number) else { return };
        agent.voids = agent.voids.saturating_add(1);
        let checks = u32::try_from(agent.checks.len()).unwrap_or(u32::MAX);
        if agent.voids >= checks.clamp(LEAST_VOIDS, MOST_VOIDS)
            && agent.silent.is_none()
            && agent.is_here
        {
            let (phase, words) = match reason {
                VoidReason::LocalClock => ("local_clock", "it cannot judge: its own clock"),
                VoidReason::LocalDisk => ("local_disk", "it cannot judge: its own disk"),
                _ => (OWN_NETWORK, "it cannot judge: its own network"),
            };
            self.silent(number, phase, words, self.now);
        }
    }

    /// Looks which agents something must be heard from before the next tick.
    pub(super) fn look_at_agents(&mut self) {
        let soon = self.now.plus(super::ABSENCE);
        let due: Vec<_> = (0..self.fleet.agents.len())
            .filter_map(|number| Some((self.must_be_heard_by(number)?, Due::Agent(number))))
            .filter(|(by, _)| *by <= soon)
            .collect();
        self.due.extend(due);
    }

    fn must_be_heard_by(&self, number: usize) -> Option<WallTime> {
        let agent = self.fleet.agents.get(number)?;
        if !agent.is_here || agent.silent.is_some() || agent.span == Duration::MAX {
            return None;
        }
        let heard = agent.heard.max(of_us(self.book.here_since_us));
        Some(heard.plus(agent.span.saturating_add(SLACK).max(LEAST)))
    }

    pub(super) fn agent_is_due(&mut self, number: usize) {
        let Some(by) = self.must_be_heard_by(number) else { return };
        if by > self.now {
            if by <= self.now.plus(super::ABSENCE) {
                self.due.insert((by, Due::Agent(number)));
            }
            return;
        }
        if self.is_agent_planned(number) {
            return;
        }
        let since = self.fleet.agents.get(number).map_or(self.now, |agent| agent.heard);
        self.silent(number, PHASE, "nothing is heard from it", since);
    }

    fn silent(&mut self, number: usize, phase: &str, words: &str, since: WallTime) {
        let Some(agent) = self.fleet.agents.get(number) else { return };
        let name = agent.name.clone();
        let site = self.site_of(number);
        let fault = FaultBrief {
            phase: phase.to_owned(),
            class: "unknown".to_owned(),
            explanation: format!("nobody knows how mail is from {name}: {words}"),
            ..FaultBrief::default()
        };
        let place = Place {
            vantage_point: name.clone(),
            site: site.clone(),
            check: String::new(),
            since: since.timestamp(),
            fault,
            passed_at: None,
            verified_at: None,
        };
        let incident = match self.shared(&place) {
            Some(known) => known,
            None => {
                let scope = Scope::Branch { site };
                let opened = self.open_of(Kind::Silence, scope, &place);
                let at = self.at();
                if let Some(incident) = self.incident(opened) {
                    incident.tell(at, "opened", words);
                }
                opened
            }
        };
        self.add_silent(incident, number, place);
    }

    /// The incident that this is part of: of the same silence, or of the same site.
    fn shared(&self, place: &Place) -> Option<u64> {
        let since = self.now.minus(TOGETHER).timestamp();
        let is_shared = |it: &&Incident| {
            it.is_live()
                && it.kind != Kind::Burn
                && match it.kind {
                    Kind::Silence => it.opened_at >= since && it.fault.phase == place.fault.phase,
                    _ => it.places.iter().all(|there| there.site == place.site),
                }
        };
        self.incidents.values().find(is_shared).map(|it| it.number)
    }

    fn add_silent(&mut self, number_of: u64, number: usize, place: Place) {
        let at = self.at();
        self.open_ends.entry(number_of).or_default().agents.insert(number);
        if let Some(agent) = self.fleet.agents.get_mut(number) {
            agent.silent = Some(number_of);
            // one that cannot judge is heard all the time
            agent.heard_again = (place.fault.phase != PHASE).then(WallTime::default);
        }
        if let Some(incident) = self.incident(number_of) {
            let words = format!("{}: {}", place.vantage_point, place.fault.explanation);
            incident.tell(at, "silent", words);
            incident.places.push(place);
            let sites: BTreeSet<_> = incident.places.iter().map(|it| it.site.clone()).collect();
            if incident.kind == Kind::Silence && sites.len() > 1 {
                incident.scope = Scope::Some { failing: sites.len(), of: sites.len() };
            }
        }
        self.touch_unknown(number_of, number);
        self.dirty.stale.insert(number_of);
    }

    /// Puts the services of a silent agent's checks into its incident: nobody knows how they are from there.
    fn touch_unknown(&mut self, number_of: u64, agent: usize) {
        let site = self.site_of(agent);
        let all = self.fleet.series.iter().filter(|it| it.agent == agent && it.is_active);
        let services: BTreeSet<usize> = all.flat_map(|it| it.services.iter().copied()).collect();
        let touched: Vec<(String, String, Option<u64>)> = (services.into_iter())
            .filter_map(|at| self.fleet.definitions.services.get(at))
            .map(|service| (service.name.clone(), service.shown().to_owned(), service.users))
            .collect();
        let Some(incident) = self.incident(number_of) else { return };
        if incident.kind != Kind::Silence {
            return;
        }
        for (name, title, users) in touched {
            let impact = incident.services.entry(name).or_default();
            (impact.title, impact.users) = (title, users);
            impact.sites.insert(site.clone());
        }
    }

    fn site_of(&self, number: usize) -> String {
        let of_agent = self.fleet.series.iter().find(|it| it.agent == number && it.is_active);
        let name = self.fleet.agents.get(number).map(|agent| agent.name.clone());
        of_agent.map(|it| it.site.clone()).filter(|it| !it.is_empty()).or(name).unwrap_or_default()
    }
}
