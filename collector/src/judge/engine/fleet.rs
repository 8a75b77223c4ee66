//! Who runs what for which service at the moment, by numbers of the engine's own: found in no time for each run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{AgentId, WallTime};

use super::super::chronicle::{Chronicle, History};
use super::super::definition::{Definitions, Service, VOICE};
use super::super::watch::{Pace, Watch};
use super::Engine;
use super::traits::Traits;
use crate::selector::Selector;
use crate::series::SeriesId;

/// Everything that is there.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    pub(super) definitions: Arc<Definitions>,
    pub(super) services: Vec<Serving>,
    pub(super) agents: Vec<Agent>,
    pub(super) series: Vec<Series>,
    numbers: HashMap<AgentId, usize>,
    /// The series of each check.
    checks: BTreeMap<String, BTreeSet<usize>>,
}

/// A service and what belongs to it.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) name: String,
    on: Option<Selector>,
    pub(super) members: BTreeSet<usize>,
    /// Services that it needs, directly.
    pub(super) needs: Vec<usize>,
}

/// A vantage point's agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    /// It is enrolled and runs something.
    pub(super) is_here: bool,
    pub(super) checks: HashMap<Box<str>, usize>,
    /// When anything was heard from it last.
    pub(super) heard: WallTime,
    /// Something must be heard from it within this.
    pub(super) span: Duration,
    /// Runs in a row that its own trouble left without a verdict.
    pub(super) voids: u32,
    /// The incident of its silence.
    pub(super) silent: Option<u64>,
    /// While it is silent: when it was heard again. What failed before that is history.
    pub(super) heard_again: Option<WallTime>,
}

/// A check at a vantage point.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) id: SeriesId,
    pub(super) agent: usize,
    pub(super) check: String,
    pub(super) kind: String,
    pub(super) pace: Pace,
    /// It is to run at the moment.
    pub(super) is_active: bool,
    pub(super) services: Vec<usize>,
    /// Which voice it is part of.
    pub(super) site: String,
    pub(super) watch: Watch,
    pub(super) traits: Traits,
}

impl Fleet {
    /// The number of an agent.
    pub(super) fn agent(&self, agent: AgentId) -> Option<usize> {
        self.numbers.get(&agent).copied()
    }

    /// The number of a check at an agent.
    pub(super) fn series_of(&self, agent: usize, check: &str) -> Option<usize> {
        self.agents.get(agent)?.checks.get(check).copied()
    }

    /// Every series of a check.
    pub(super) fn of_check(&self, check: &str) -> impl Iterator<Item = (usize, &Series)> {
        let all = self.checks.get(check).into_iter().flatten();
        all.filter_map(|number| Some((*number, self.series.get(*number)?)))
            .filter(|(_, series)| series.is_active)
    }

    pub(super) fn by_id(&self) -> HashMap<SeriesId, usize> {
        self.series.iter().enumerate().map(|(number, series)| (series.id, number)).collect()
    }

    /// Whether a service needs another, through others too.
    pub(super) fn needs(&self, service: usize, other: usize) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![service]);
        while let Some(at) = next.pop() {
            for needed in self.services.get(at).into_iter().flat_map(|it| &it.needs) {
                if *needed == other {
                    return true;
                }
                if seen.insert(*needed) {
                    next.push(*needed);
                }
            }
        }
        false
    }

    fn number(&mut self, id: AgentId) -> usize {
        let next = self.agents.len();
        *self.numbers.entry(id).or_insert_with(|| {
            self.agents.push(Agent {
                id,
                name: id.to_string(),
                labels: BTreeMap::new(),
                is_here: false,
                checks: HashMap::new(),
                heard: WallTime::default(),
                span: Duration::MAX,
                voids: 0,
                silent: None,
                heard_again: None,
            });
            next
        })
    }

    /// Takes over the services that are defined now, and who belongs to them.
    fn define(&mut self, definitions: &Arc<Definitions>) {
        self.definitions = Arc::clone(definitions);
        let places: HashMap<&str, usize> =
            definitions.services.iter().zip(0..).map(|(it, at)| (it.name.as_str(), at)).collect();
        let serving = |service: &Service| Serving {
            name: service.name.clone(),
            on: service.on.parse().ok(),
            members: BTreeSet::new(),
            needs: service
                .depends_on
                .iter()
                .filter_map(|on| places.get(on.as_str()))
                .copied()
                .collect(),
        };
        self.services = definitions.services.iter().map(serving).collect();
        for agent in 0..self.agents.len() {
            self.choose(agent);
        }
    }

    /// Takes over what an agent is called and runs now.
    fn take_over(&mut self, id: AgentId, history: &History) {
        let number = self.number(id);
        let named = history.named_at(WallTime::from_ns(i64::MAX));
        let Some(agent) = self.agents.get_mut(number) else { return };
        if let Some((name, labels)) = named {
            (agent.name, agent.labels) = (name.to_owned(), labels.clone());
        }
        agent.span = Duration::MAX;
        let known: Vec<usize> = agent.checks.values().copied().collect();
        for series in known {
            if let Some(series) = self.series.get_mut(series) {
                series.is_active = false;
            }
        }
        let mut is_here = false;
        for (name, runs) in history.runs() {
            let Some(check) = runs.schedule.current().filter(|_| named.is_some()) else { continue };
            let pace = Pace { cadence: check.cadence, timeout: check.timeout };
            let series = self.series_number(number, name, runs.series);
            if let Some(series) = self.series.get_mut(series) {
                (series.pace, series.is_active) = (pace, true);
                series.kind.clone_from(&check.kind);
            }
            if let Some(agent) = self.agents.get_mut(number) {
                agent.span = agent.span.min(pace.cadence.saturating_add(pace.timeout));
                is_here = true;
            }
        }
        if let Some(agent) = self.agents.get_mut(number) {
            agent.is_here = is_here;
        }
        self.choose(number);
    }

    fn series_number(&mut self, agent: usize, check: &str, id: SeriesId) -> usize {
        if let Some(known) = self.series_of(agent, check) {
            return known;
        }
        let number = self.series.len();
        self.series.push(Series {
            id,
            agent,
            check: check.to_owned(),
            kind: String::new(),
            pace: Pace { cadence: Duration::ZERO, timeout: Duration::ZERO },
            is_active: false,
            services: Vec::new(),
            site: String::new(),
            watch: Watch::default(),
            traits: Traits::default(),
        });
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.checks.insert(check.into(), number);
        }
        self.checks.entry(check.to_owned()).or_default().insert(number);
        number
    }

    /// Finds out to which services an agent's series belong.
    fn choose(&mut self, number: usize) {
        let Self { definitions, services, agents, series, .. } = self;
        let Some(agent) = agents.get(number) else { return };
        for at in agent.checks.values() {
            let Some(one) = series.get_mut(*at) else { continue };
            one.services.clear();
            one.site = agent.labels.get(VOICE).unwrap_or(&agent.name).clone();
            for (place, (serving, service)) in
                services.iter_mut().zip(&definitions.services).enumerate()
            {
                let on = serving.on.as_ref();
                let is_member = one.is_active
                    && service.has_check(&one.check)
                    && on.is_some_and(|on| on.selects(&agent.name, &agent.labels));
                if is_member {
                    if one.services.is_empty() {
                        one.site = service.voice_of(&agent.name, &agent.labels).to_owned();
                    }
                    serving.members.insert(*at);
                    one.services.push(place);
                } else {
                    serving.members.remove(at);
                }
            }
        }
    }
}

impl Engine {
    /// Names, labels, checks or services changed: of one agent, or anything.
    pub fn reselect(&mut self, chronicle: &Chronicle, agent: Option<AgentId>) {
        match agent.map(|agent| (agent, chronicle.agent(agent))) {
            Some((agent, Some(history))) => self.fleet.take_over(agent, history),
            Some((_, None)) => {}
            None => chronicle.agents().for_each(|(id, history)| self.fleet.take_over(id, history)),
        }
        if !Arc::ptr_eq(&self.fleet.definitions, chronicle.current()) {
            self.fleet.define(chronicle.current());
        }
        self.forget_inactive();
    }

    /// What is not to run any more keeps no incident open.
    fn forget_inactive(&mut self) {
        let gone: Vec<(usize, u64)> = (self.fleet.series.iter().enumerate())
            .filter(|(_, series)| !series.is_active)
            .filter_map(|(number, series)| Some((number, series.watch.failing()?.incident)))
            .collect();
        for (number, incident) in gone {
            self.withdraw(number, incident);
        }
        let silent: Vec<(usize, u64)> = (self.fleet.agents.iter().enumerate())
            .filter(|(_, agent)| !agent.is_here)
            .filter_map(|(number, agent)| Some((number, agent.silent?)))
            .collect();
        for (number, incident) in silent {
            self.agent_is_back(number, incident, "is not to run anything any more");
        }
    }
}
