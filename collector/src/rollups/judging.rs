//! The engine beside the fold: it hears the same records, and what it keeps is part of the same commit.

use std::sync::PoisonError;

use prost::Message;

use super::Rollups;
use crate::judge::action::Action;
use crate::judge::engine::{About, Engine, Kept, Restored, Wish};
use crate::judge::fold::Folded;
use crate::judge::incident::Incident;
use crate::judge::live::SeriesState;
use crate::judge::registry::AgentRecord;
use crate::judge::telling::Notified;
use crate::store::{Error, Row, Table, Views, Writes};
use mailsonde_proto::{AgentId, WallTime};

/// What happened, as far as judging cares beside observations.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// Time passed.
    Tick,
    /// The collector was started.
    Started,
    /// Names, labels or checks of an agent changed.
    Agent(AgentId),
    /// Services were defined.
    Services,
    /// An operator did something.
    Acted(Box<Action>, String),
    /// An incident that is over, as it is to be kept.
    Archived(Vec<u8>),
    /// Something was heard from outside.
    Heard,
    /// A run that was asked for did not begin.
    NotRun(AgentId, String),
    /// It is known what became of a message.
    Notified(Box<Notified>),
}

impl Rollups {
    /// Begins to judge where the views stand; what was in force must be in the chronicle by then.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn begin_judging(&mut self) -> Result<(), Error> {
        let kept = kept(&self.views)?;
        let engine = Engine::restore(kept, &self.chronicle());
        self.engine = engine;
        self.teller = super::telling::restored(&self.views)?;
        Ok(())
    }

    /// Takes in an observation of the journal.
    pub fn observe(&mut self, folded: Folded<'_>) {
        let is_new = folded.sequence >= self.floor;
        self.fold.observe(folded);
        if is_new {
            let Folded { received_at, agent, observation, .. } = folded;
            self.engine.observe(agent, observation, received_at);
        }
    }

    /// Takes in what happened at `now`; the chronicle must have been told before.
    pub fn judge(&mut self, now: WallTime, happened: Happened) -> Result<(), Error> {
        match happened {
            Happened::Tick => self.engine.tick(now),
            Happened::Started => self.engine.started(now),
            Happened::Agent(agent) => self.reselect(Some(agent)),
            Happened::Services => self.reselect(None),
            Happened::Acted(action, by) => self.acted(*action, &by, now)?,
            Happened::Archived(bytes) => {
                if let Ok(incident) = Incident::decode(&bytes) {
                    self.engine.archived(incident, now);
                }
            }
            Happened::Heard => {
                let outside = self.chronicle().outside.clone();
                self.engine.hear(outside, now);
            }
            Happened::NotRun(agent, check) => self.engine.not_run(agent, &check, now),
            Happened::Notified(notified) => self.teller.notified(&notified, now),
        }
        self.settle();
        Ok(())
    }

    fn acted(&mut self, action: Action, by: &str, now: WallTime) -> Result<(), Error> {
        match action {
            Action::Incident(action) => {
                let number = action.incident();
                let kept = match self.engine.has_incident(number) {
                    true => None,
                    false => self.views.get(&Row::Incident(number))?,
                };
                let kept = kept.and_then(|bytes| Incident::decode(&bytes).ok());
                self.engine.act(&action, by, now, kept);
            }
            Action::Planned(_) => {
                let planned = self.chronicle().planned.clone();
                self.engine.replan(planned, now);
            }
            Action::Stated(_) | Action::FollowUp(_) | Action::Feedback(_) | Action::Report(_) => {}
        }
        Ok(())
    }

    /// A record of the ledger was taken in whole.
    pub fn settle(&mut self) {
        self.engine.settle();
        self.tell();
    }

    /// When judging wants to be told the time, at the latest.
    pub fn due(&self) -> Option<WallTime> {
        self.engine.due().into_iter().chain(self.teller.due()).min()
    }

    /// Runs that are wanted to confirm what was seen.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        self.engine.take_wishes()
    }

    /// Incidents that are over, to be put where they outlive their evidence.
    pub fn take_archive(&mut self) -> Vec<Incident> {
        self.engine.take_archive()
    }

    fn reselect(&mut self, agent: Option<AgentId>) {
        let chronicle = self.chronicle.read().unwrap_or_else(PoisonError::into_inner);
        self.engine.reselect(&chronicle, agent);
    }
}

/// What the engine keeps, as rows.
pub(super) fn put(writes: &mut Writes, kept: Vec<Kept>) {
    for Kept { about, value } in kept {
        let row = match about {
            About::Watch(series) => Row::Watch(series),
            About::Traits(series) => Row::Traits(series),
            About::Burn(service) => Row::Burn(service),
            About::Incident(number) => Row::Incident(number),
            About::Book => Row::Judge,
        };
        writes.insert(row, value);
    }
}

fn kept(views: &Views) -> Result<Restored, Error> {
    let mut kept = Restored::default();
    views.table(Table::Watches, |row, value| {
        if let Row::Watch(series) = row {
            kept.watches.push((series, value.to_vec()));
        }
        Ok(())
    })?;
    views.table(Table::Traits, |row, value| {
        if let Row::Traits(series) = row {
            kept.traits.push((series, value.to_vec()));
        }
        Ok(())
    })?;
    views.table(Table::Burns, |row, value| {
        if let Row::Burn(service) = row {
            kept.burns.push((service, value.to_vec()));
        }
        Ok(())
    })?;
    views.table(Table::Incidents, |_, value| {
        kept.incidents.push(value.to_vec());
        Ok(())
    })?;
    views.table(Table::States, |row, value| {
        if let (Row::State(series), Ok(state)) = (row, SeriesState::decode(value)) {
            kept.states.push((series, state));
        }
        Ok(())
    })?;
    views.table(Table::Agents, |row, value| {
        if let (Row::Agent(agent), Ok(record)) = (row, AgentRecord::decode(value)) {
            kept.heard.extend(record.last_seen().map(|at| (agent, at)));
        }
        Ok(())
    })?;
    kept.book = views.get(&Row::Judge)?.unwrap_or_default();
    Ok(kept)
}
