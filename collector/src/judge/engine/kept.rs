//! What the engine keeps over a restart, as rows: encoded here, stored by whoever owns it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::chronicle::Chronicle;
use super::super::incident::Incident;
use super::super::watch::{Condition, Watch, of_us};
use super::traits::Traits;
use super::{About, Book, Due, Engine};
use crate::judge::live::SeriesState;
use crate::series::{SeriesId, ServiceId};
use mailsonde_proto::{AgentId, WallTime};

/// A row to be written, or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub about: About,
    /// Its value; `None` to remove it.
    pub value: Option<Vec<u8>>,
}

/// What was kept.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Watches by series.
    pub watches: Vec<(SeriesId, Vec<u8>)>,
    /// Traits by series.
    pub traits: Vec<(SeriesId, Vec<u8>)>,
    /// How fast budgets are spent, by service.
    pub burns: Vec<(ServiceId, Vec<u8>)>,
    /// Every incident, by number.
    pub incidents: Vec<Vec<u8>>,
    /// The rest.
    pub book: Vec<u8>,
    /// How each series is doing.
    pub states: Vec<(SeriesId, SeriesState)>,
    /// When each agent was heard of last.
    pub heard: Vec<(AgentId, WallTime)>,
}

/// The book as it is written: with what is kept of agents.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    book: Book,
    /// Agents that are silent or cannot judge: the incident, and how many runs in a row they voided.
    agents: Vec<(String, Option<u64>, u32)>,
    /// When those that are silent were heard again, in microseconds since 1970.
    #[serde(default)]
    heard_again: BTreeMap<String, i64>,
}

impl Engine {
    /// What changed since this was last asked, as rows.
    pub fn take(&mut self) -> Vec<Kept> {
        let mut rows = Vec::new();
        for number in std::mem::take(&mut self.dirty.watches) {
            let Some(series) = self.fleet.series.get_mut(number) else { continue };
            let value = (!series.watch.is_plain()).then(|| json(&series.watch));
            rows.push(Kept { about: About::Watch(series.id), value });
        }
        for number in std::mem::take(&mut self.dirty.traits) {
            let Some(series) = self.fleet.series.get(number) else { continue };
            rows.push(Kept { about: About::Traits(series.id), value: Some(json(&series.traits)) });
        }
        for number in std::mem::take(&mut self.dirty.incidents) {
            let Some(incident) = self.incidents.get(&number) else { continue };
            rows.push(Kept { about: About::Incident(number), value: Some(incident.encode()) });
        }
        for name in std::mem::take(&mut self.dirty.burns) {
            let value = self.burns_of(&name);
            rows.push(Kept { about: About::Burn(ServiceId::of(&name)), value });
        }
        let mut agents: Vec<_> = (self.fleet.agents.iter())
            .filter(|agent| agent.silent.is_some() || agent.voids > 0)
            .map(|agent| (agent.id.to_string(), agent.silent, agent.voids))
            .collect();
        agents.sort();
        let heard_again = (self.fleet.agents.iter())
            .filter_map(|agent| Some((agent.id.to_string(), agent.heard_again?.as_us())))
            .collect();
        let value = Some(json(&Written { book: self.book.clone(), agents, heard_again }));
        rows.push(Kept { about: About::Book, value });
        rows
    }

    /// An engine as it was left; what cannot be read any more is as if it had never been.
    pub fn restore(kept: Restored, chronicle: &Chronicle) -> Self {
        let written: Written = serde_json::from_slice(&kept.book).unwrap_or_default();
        let mut engine = Self { book: written.book, ..Self::default() };
        engine.now = of_us(engine.book.now_us);
        engine.planned = chronicle.planned.clone();
        engine.outside = chronicle.outside.clone();
        engine.reselect(chronicle, None);
        let numbers = engine.fleet.by_id();
        for (id, state) in &kept.states {
            let series = numbers.get(id).and_then(|number| engine.fleet.series.get_mut(*number));
            if let Some(series) = series {
                series.watch = of_state(state);
            }
        }
        for (id, bytes) in &kept.watches {
            let series = numbers.get(id).and_then(|number| engine.fleet.series.get_mut(*number));
            if let (Some(series), Ok(read)) = (series, serde_json::from_slice::<Watch>(bytes)) {
                let Watch { last_slot, usual_us, has_failed_last, .. } = series.watch;
                series.watch = Watch { last_slot, usual_us, has_failed_last, ..read };
            }
        }
        for (id, bytes) in &kept.traits {
            let series = numbers.get(id).and_then(|number| engine.fleet.series.get_mut(*number));
            if let (Some(series), Ok(read)) = (series, serde_json::from_slice::<Traits>(bytes)) {
                series.traits = read;
            }
        }
        for (id, heard) in kept.heard {
            let agent = engine.fleet.agent(id).and_then(|it| engine.fleet.agents.get_mut(it));
            if let Some(agent) = agent {
                agent.heard = heard;
            }
        }
        engine.restore_burns(&kept.burns);
        engine.restore_incidents(&kept.incidents, &written.agents, &written.heard_again);
        engine.look_at_agents();
        engine
    }

    fn restore_incidents(
        &mut self,
        incidents: &[Vec<u8>],
        agents: &[(String, Option<u64>, u32)],
        heard_again: &BTreeMap<String, i64>,
    ) {
        for incident in incidents.iter().filter_map(|bytes| Incident::decode(bytes).ok()) {
            if !incident.is_live() {
                self.remember(&incident);
            }
            self.incidents.insert(incident.number, incident);
        }
        for (number, series) in self.fleet.series.iter().enumerate() {
            match &series.watch.condition {
                Condition::Failing(failing) => {
                    self.open_ends.entry(failing.incident).or_default().series.insert(number);
                }
                Condition::Suspected(_) => {
                    self.due.extend(series.watch.due().map(|due| (due, Due::Series(number))));
                }
                Condition::Calm => {}
            }
        }
        for (number, agent) in self.fleet.agents.iter_mut().enumerate() {
            let id = agent.id.to_string();
            agent.heard_again = heard_again.get(&id).map(|at| of_us(*at));
            let Some((_, silent, voids)) = agents.iter().find(|(there, ..)| *there == id) else {
                continue;
            };
            (agent.silent, agent.voids) = (*silent, *voids);
            if let Some(incident) = silent {
                self.open_ends.entry(*incident).or_default().agents.insert(number);
            }
        }
        self.restore_peers();
        self.retire();
    }
}

/// What a watch is by the state of its series alone.
fn of_state(state: &SeriesState) -> Watch {
    let last_pass = state.last_pass();
    let last_fault = state.last_fault().map(|(slot, _)| slot);
    Watch {
        last_slot: last_pass.map(|pass| pass.slot()).max(last_fault),
        has_failed_last: last_fault > last_pass.map(|pass| pass.slot()),
        usual_us: last_pass.map_or(0, |pass| pass.total_us()),
        ..Watch::default()
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
