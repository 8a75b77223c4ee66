//! A handful of agents at sites, a clock that the scenario turns.

use std::collections::BTreeMap;
use std::time::Duration;

use mailsonde_proto::{AgentId, Cause, Check, Fault, FaultClass, Verdict, VoidReason, WallTime};

use super::super::{Engine, Kept, Restored, Wish};
use crate::judge::chronicle::Chronicle;
use crate::judge::definition::Definitions;
use crate::judge::engine::About;
use crate::judge::incident::Incident;
use crate::judge::outside::Heard;
use crate::judge::planned::PlannedAction;
use crate::judge::sample;

pub(super) struct Scene {
    pub(super) engine: Engine,
    pub(super) chronicle: Chronicle,
    pub(super) now: WallTime,
    rows: BTreeMap<About, Vec<u8>>,
}

pub(super) const CADENCE: Duration = Duration::from_secs(60);
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

fn id(name: &str) -> AgentId {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    AgentId(bytes)
}

pub(super) fn fault(phase: &str, class: FaultClass) -> Verdict {
    Verdict::Fail(Fault::new(phase, class, "as the scenario wants"))
}

impl Scene {
    /// Agents are `name@site`; each runs every check.
    pub(super) fn new(agents: &[&str], checks: &[&str]) -> Self {
        let mut scene = Self {
            engine: Engine::default(),
            chronicle: Chronicle::default(),
            now: WallTime::from_s(1_000_000),
            rows: BTreeMap::new(),
        };
        for agent in agents {
            let (name, site) = agent.split_once('@').unwrap_or((agent, agent));
            let labels = [("site".to_owned(), site.to_owned())].into();
            scene.chronicle.name(scene.now, id(name), name.to_owned(), labels);
            let check = |check: &&str| Check {
                name: (*check).to_owned(),
                kind: "round-trip".into(),
                cadence: CADENCE,
                timeout: TIMEOUT,
                slot_offset: Duration::ZERO,
                settings_digest: Default::default(),
            };
            let checks: Vec<Check> = checks.iter().map(check).collect();
            scene.chronicle.announce(scene.now, id(name), &checks);
        }
        scene.engine.reselect(&scene.chronicle, None);
        scene.engine.started(scene.now);
        scene.after(60);
        scene
    }

    /// The agent runs nothing any more.
    pub(super) fn withdraw(&mut self, agent: &str) {
        self.chronicle.announce(self.now, id(agent), &[]);
        self.engine.reselect(&self.chronicle, Some(id(agent)));
        self.engine.settle();
    }

    pub(super) fn define(&mut self, definitions: Definitions) {
        self.chronicle.define(self.now, definitions);
        self.engine.reselect(&self.chronicle, None);
        self.engine.settle();
    }

    pub(super) fn plan(&mut self, action: &PlannedAction) {
        self.chronicle.planned.apply(self.now, action);
        self.engine.replan(self.chronicle.planned.clone(), self.now);
    }

    pub(super) fn hear(&mut self, heard: &Heard) {
        self.chronicle.outside.hear(heard);
        self.engine.hear(self.chronicle.outside.clone(), self.now);
    }

    /// Time goes by, and is told.
    pub(super) fn after(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now.plus(Duration::from_secs(1));
            let is_due = self.engine.due().is_some_and(|due| due <= self.now);
            if is_due || self.now.as_ns() % 60_000_000_000 == 0 {
                self.engine.tick(self.now);
            }
        }
    }

    pub(super) fn run(&mut self, agent: &str, check: &str, cause: Cause, verdict: Verdict) {
        let slot = self.now.minus(Duration::from_millis(200));
        let mut observation = sample::observation(check, slot, verdict, Duration::from_millis(150));
        observation.cause = cause;
        self.engine.observe(id(agent), &observation, self.now);
        self.engine.settle();
    }

    /// A run of so many seconds ago, heard of now.
    pub(super) fn kept(&mut self, agent: &str, check: &str, seconds: u64, verdict: Verdict) {
        let slot = self.now.minus(Duration::from_secs(seconds));
        let observation = sample::observation(check, slot, verdict, Duration::from_millis(150));
        self.engine.observe(id(agent), &observation, self.now);
        self.engine.settle();
    }

    pub(super) fn scheduled(&mut self, agent: &str, check: &str, verdict: Verdict) {
        self.run(agent, check, Cause::Scheduled, verdict);
    }

    /// Runs of one check from several agents, a second apart.
    pub(super) fn all(&mut self, agents: &[&str], check: &str, verdict: &Verdict) {
        for agent in agents {
            self.after(1);
            self.scheduled(agent, check, verdict.clone());
        }
    }

    /// What was asked for is done at once, by what each agent would find.
    pub(super) fn answer(&mut self, finds: impl Fn(&str, &str) -> Verdict) -> Vec<Wish> {
        let wishes = self.engine.take_wishes();
        for wish in &wishes {
            for agent in &wish.agents {
                let name = self.chronicle.named_at(*agent, self.now).unwrap().0.to_owned();
                self.after(1);
                self.run(&name, &wish.check, Cause::Confirmation, finds(&name, &wish.check));
            }
        }
        wishes
    }

    pub(super) fn void(&mut self, agent: &str, check: &str) {
        let verdict = Verdict::void(VoidReason::LocalNetwork, "no route");
        self.scheduled(agent, check, verdict);
    }

    pub(super) fn incidents(&self) -> Vec<Incident> {
        self.engine.incidents().cloned().collect()
    }

    pub(super) fn only(&self) -> Incident {
        let all = self.incidents();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.into_iter().next().unwrap()
    }

    /// What is kept, as rows.
    pub(super) fn keep(&mut self) -> &BTreeMap<About, Vec<u8>> {
        for Kept { about, value } in self.engine.take() {
            match value {
                Some(value) => drop(self.rows.insert(about, value)),
                None => drop(self.rows.remove(&about)),
            }
        }
        &self.rows
    }

    /// The collector ends, and another begins with what was kept; states of series are kept by others.
    pub(super) fn restart(&mut self) {
        self.keep();
        let heard = self.engine.fleet.agents.iter().map(|agent| (agent.id, agent.heard)).collect();
        let mut kept = Restored { heard, ..Restored::default() };
        for (about, value) in &self.rows {
            match about {
                About::Watch(series) => kept.watches.push((*series, value.clone())),
                About::Traits(series) => kept.traits.push((*series, value.clone())),
                About::Incident(_) => kept.incidents.push(value.clone()),
                About::Burn(service) => kept.burns.push((*service, value.clone())),
                About::Book => kept.book.clone_from(value),
            }
        }
        let before = std::mem::take(&mut self.engine);
        self.engine = Engine::restore(kept, &self.chronicle);
        // what the state of each series has
        for (series, kept) in self.engine.fleet.series.iter_mut().zip(before.fleet.series) {
            series.watch.last_slot = kept.watch.last_slot;
            series.watch.usual_us = kept.watch.usual_us;
            series.watch.has_failed_last = kept.watch.has_failed_last;
        }
    }
}
