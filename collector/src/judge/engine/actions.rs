//! What operators do to incidents, in the order of the control journal.

use mailsonde_proto::WallTime;

use super::super::incident::{Incident, IncidentAction, State};
use super::super::planned::{Place, Planned};
use super::Engine;

impl Engine {
    /// An operator did something to an incident at `now`. One that has left the memory is given by the caller.
    pub fn act(
        &mut self,
        action: &IncidentAction,
        by: &str,
        now: WallTime,
        kept: Option<Incident>,
    ) {
        self.proceed(now);
        let number = action.incident();
        if let Some(kept) = kept {
            self.incidents.entry(number).or_insert(kept);
        }
        let at = self.at();
        let Some(incident) = self.incident(number) else { return };
        incident.act(action, at, by);
        let incident = incident.clone();
        if incident.state >= State::Verified {
            self.dirty.archive.insert(number);
            self.remember(&incident);
        }
        self.dirty.stale.insert(number);
        self.settle();
    }

    /// A run that was to confirm a failure did not begin: the next one decides.
    pub fn not_run(&mut self, agent: mailsonde_proto::AgentId, check: &str, now: WallTime) {
        self.proceed(now);
        let number = self.fleet.agent(agent).and_then(|agent| self.fleet.series_of(agent, check));
        if let Some(number) = number {
            self.undecided(number);
        }
    }

    /// Whether an incident is in memory.
    pub fn has_incident(&self, number: u64) -> bool {
        self.incidents.contains_key(&number)
    }

    /// What is known of an incident that is over, from the control journal: kept where the views lost it.
    pub fn archived(&mut self, incident: Incident, now: WallTime) {
        self.proceed(now);
        let number = incident.number;
        self.book.incidents = self.book.incidents.max(number);
        if self.incidents.contains_key(&number)
            || self.past.iter().any(|past| past.number == number)
        {
            return;
        }
        self.remember(&incident);
        self.incidents.insert(number, incident);
        self.dirty.incident(number);
    }

    /// Other things are planned at `now`.
    pub fn replan(&mut self, planned: Planned, now: WallTime) {
        self.proceed(now);
        self.planned = planned;
    }

    /// Whether a series is under maintenance: what it shows is kept, and opens no incident.
    pub(super) fn is_planned(&self, number: usize) -> bool {
        let Some(series) = self.fleet.series.get(number) else { return false };
        let services: Vec<&str> = (series.services.iter())
            .filter_map(|at| Some(self.fleet.services.get(*at)?.name.as_str()))
            .collect();
        self.is_under_maintenance(series.agent, &services, &series.check)
    }

    /// Whether all that an agent runs is under maintenance: then its silence is, too.
    pub(super) fn is_agent_planned(&self, agent: usize) -> bool {
        let of_agent = |(_, series): &(usize, &super::fleet::Series)| {
            series.agent == agent && series.is_active
        };
        let mut of_agent = self.fleet.series.iter().enumerate().filter(of_agent);
        of_agent.all(|(number, _)| self.is_planned(number))
    }

    fn is_under_maintenance(&self, agent: usize, services: &[&str], check: &str) -> bool {
        let Some(agent) = self.fleet.agents.get(agent) else { return false };
        let place = Place { services, agent: &agent.name, labels: &agent.labels, check };
        self.planned.under_maintenance(self.now, &place).is_some()
    }
}
