//! What operators do to incidents, in the order of the control journal.

use mailsonde_proto::WallTime;

use super::super::chronicle::Chronicle;
use super::super::incident::{Incident, IncidentAction, State};
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
        self.dirty.incidents.insert(number);
    }

    /// Whether a series is under maintenance: what it shows is kept, and opens no incident.
    pub(super) fn is_planned(&self, _number: usize, _chronicle: &Chronicle) -> bool {
        false
    }
}
