//! What was in force when: who was enrolled under which name and labels, what each agent was to run, which services
//! were defined, what was planned. A fold over the control journal.
//!
//! Everything is kept with the time from which it held, so that a figure of last month is made by last month's
//! services and labels, however late it is made. Invariant: a question about a time up to the latest record gets
//! the same answer for ever.

mod silenced;
mod stays;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use mailsonde_proto::{AgentId, Check, WallTime};

pub use silenced::Labels;
pub use stays::Stay;

use super::availability::Schedule;
use super::definition::{Definitions, Service};
use super::outside::Outside;
use super::planned::{Planned, PlannedAction};
use crate::selector::Selector;
use crate::series::SeriesId;

/// What was in force when.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    definitions: Vec<(WallTime, Defined)>,
    /// What holds where nothing was defined.
    implicit: Defined,
    /// Every check that was ever to be run, with its kind: what is not said is made of them.
    kinds: BTreeSet<(String, String)>,
    agents: BTreeMap<AgentId, History>,
    series: HashMap<SeriesId, AgentId>,
    /// What is planned or left out.
    pub planned: Planned,
    /// What was heard from outside, as it is now.
    pub outside: Outside,
}

/// What was said, and what it comes to with what holds where nothing is said.
#[derive(Clone, Debug, Default)]
struct Defined {
    said: Definitions,
    /// Made when it is asked for, and again when there are other checks.
    whole: OnceLock<Arc<Definitions>>,
}

impl Defined {
    fn whole(&self, kinds: &BTreeSet<(String, String)>) -> &Arc<Definitions> {
        self.whole.get_or_init(|| {
            let kinds: Vec<_> = kinds.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            Arc::new(self.said.completed(&kinds))
        })
    }
}
/// An agent's name and labels.
pub type Called = (String, BTreeMap<String, String>);

/// What is known of one agent.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What it was called, oldest first.
    named: Vec<Named>,
    /// What it was to run, by the check's name.
    runs: BTreeMap<String, Runs>,
}

/// What an agent was called from a time on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    from: WallTime,
    /// Its name and labels; `None` once it was revoked.
    named: Option<(String, BTreeMap<String, String>)>,
}

/// A check at a vantage point, and when it was to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// What both together are called.
    pub series: SeriesId,
    /// When it was to run.
    pub schedule: Schedule,
}

/// A check at a vantage point that belongs to a service at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'c> {
    /// Which.
    pub series: SeriesId,
    /// As it was to run then.
    pub check: &'c Check,
    /// The vantage point's agent.
    pub agent: AgentId,
    /// The vantage point's name then.
    pub name: &'c str,
    /// Its labels then.
    pub labels: &'c BTreeMap<String, String>,
    /// Which voice it is part of.
    pub voice: &'c str,
}

impl Chronicle {
    /// An agent is called so from `at` on.
    pub fn name(
        &mut self,
        at: WallTime,
        agent: AgentId,
        name: String,
        labels: BTreeMap<String, String>,
    ) {
        let named = Named { from: at, named: Some((name, labels)) };
        self.agents.entry(agent).or_default().named.push(named);
    }

    /// An agent is ours no more from `at` on.
    pub fn revoke(&mut self, at: WallTime, agent: AgentId) {
        self.announce(at, agent, &[]);
        self.agents.entry(agent).or_default().named.push(Named { from: at, named: None });
    }

    /// An agent runs these checks and no others from `at` on.
    pub fn announce(&mut self, at: WallTime, agent: AgentId, checks: &[Check]) {
        let history = self.agents.entry(agent).or_default();
        for (name, runs) in &mut history.runs {
            if !checks.iter().any(|check| check.name == *name) {
                runs.schedule.withdraw(at);
            }
        }
        let mut is_new = false;
        for check in checks {
            let runs = history.runs.entry(check.name.clone()).or_insert_with(|| {
                let series = SeriesId::of(agent, &check.name);
                self.series.insert(series, agent);
                Runs { series, schedule: Schedule::default() }
            });
            runs.schedule.announce(at, check);
            is_new |= self.kinds.insert((check.name.clone(), check.kind.clone()));
        }
        if is_new {
            let defined = self.definitions.iter_mut().map(|(_, defined)| defined);
            for defined in defined.chain([&mut self.implicit]) {
                defined.whole.take();
            }
        }
    }

    /// These definitions hold from `at` on.
    pub fn define(&mut self, at: WallTime, definitions: Definitions) {
        let defined = Defined { said: definitions, whole: OnceLock::new() };
        self.definitions.push((at, defined));
    }

    /// Takes in what was planned at `at`.
    pub fn plan(&mut self, at: WallTime, action: &PlannedAction) {
        self.planned.apply(at, action);
    }

    /// What is defined now.
    pub fn current(&self) -> &Arc<Definitions> {
        let defined = self.definitions.last().map_or(&self.implicit, |(_, defined)| defined);
        defined.whole(&self.kinds)
    }

    /// Everything that was ever defined, from when on; where nothing was, what holds instead.
    pub fn all_definitions(&self) -> impl Iterator<Item = (WallTime, &Definitions)> {
        let implicit = (!self.is_defined()).then_some((WallTime::default(), &self.implicit));
        let said = self.definitions.iter().map(|(from, defined)| (*from, defined));
        implicit.into_iter().chain(said).map(|(from, it)| (from, &**it.whole(&self.kinds)))
    }

    /// Whether anything was ever defined.
    pub fn is_defined(&self) -> bool {
        !self.definitions.is_empty()
    }

    /// What was defined at a time. What was defined first holds back to the beginning: whoever defines services after
    /// a week wants that week's figures.
    pub fn definitions_at(&self, at: WallTime) -> &Arc<Definitions> {
        let held = self.definitions.iter().rev().find(|(from, _)| *from <= at);
        let held = held.or(self.definitions.first());
        held.map_or(&self.implicit, |(_, defined)| defined).whole(&self.kinds)
    }

    /// What an agent was called at a time.
    pub fn named_at(
        &self,
        agent: AgentId,
        at: WallTime,
    ) -> Option<(&str, &BTreeMap<String, String>)> {
        self.agents.get(&agent)?.named_at(at)
    }

    /// What is known of one agent.
    pub fn agent(&self, agent: AgentId) -> Option<&History> {
        self.agents.get(&agent)
    }

    /// Every agent that there ever was.
    pub fn agents(&self) -> impl Iterator<Item = (AgentId, &History)> {
        self.agents.iter().map(|(agent, history)| (*agent, history))
    }

    /// One check at one vantage point.
    pub fn run(&self, series: SeriesId) -> Option<(AgentId, &Runs)> {
        let agent = *self.series.get(&series)?;
        let mut runs = self.agents.get(&agent)?.runs.values();
        Some((agent, runs.find(|runs| runs.series == series)?))
    }

    /// What belongs to a service at a time, by agent and check.
    pub fn members_at<'c>(
        &'c self,
        service: &'c Service,
        at: WallTime,
    ) -> impl Iterator<Item = Member<'c>> + 'c {
        let on = service.on.parse::<Selector>().ok();
        self.agents.iter().flat_map(move |(agent, history)| {
            let named = history
                .named_at(at)
                .filter(|(name, labels)| on.as_ref().is_some_and(|on| on.selects(name, labels)));
            named.into_iter().flat_map(move |(name, labels)| {
                let voice = service.voice_of(name, labels);
                history.runs.values().filter_map(move |Runs { series, schedule }| {
                    let check = schedule.at(at).filter(|check| service.has_check(&check.name))?;
                    Some(Member { series: *series, check, agent: *agent, name, labels, voice })
                })
            })
        })
    }
}

impl History {
    /// What it was called at a time; before it was first called anything, what it was called first.
    pub fn named_at(&self, at: WallTime) -> Option<(&str, &BTreeMap<String, String>)> {
        let held = self.named.iter().rev().find(|named| named.from <= at);
        let held = held.or(self.named.first())?;
        held.named.as_ref().map(|(name, labels)| (name.as_str(), labels))
    }

    /// Everything it was ever called, from when on; `None` once it was revoked.
    pub fn names(&self) -> impl Iterator<Item = (WallTime, Option<&Called>)> {
        self.named.iter().map(|named| (named.from, named.named.as_ref()))
    }

    /// Everything it was ever to run, by the check's name.
    pub fn runs(&self) -> impl Iterator<Item = (&str, &Runs)> {
        self.runs.iter().map(|(name, runs)| (name.as_str(), runs))
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::Quorum;
    use super::*;

    fn at(s: i64) -> WallTime {
        WallTime::from_s(s)
    }

    fn check(name: &str) -> Check {
        Check {
            name: name.into(),
            kind: "round-trip".into(),
            cadence: std::time::Duration::from_secs(60),
            timeout: std::time::Duration::from_secs(30),
            slot_offset: std::time::Duration::ZERO,
            settings_digest: Default::default(),
        }
    }

    fn site(site: &str) -> BTreeMap<String, String> {
        [("site".to_owned(), site.to_owned())].into()
    }

    #[test]
    fn a_question_about_the_past_is_answered_by_what_held_then() {
        let (one, two) = (AgentId([1; 16]), AgentId([2; 16]));
        let mut chronicle = Chronicle::default();
        chronicle.name(at(10), one, "one".into(), site("durban"));
        chronicle.name(at(10), two, "two".into(), site("cape"));
        chronicle.announce(at(20), one, &[check("mail"), check("dns")]);
        chronicle.announce(at(20), two, &[check("mail")]);
        chronicle.announce(at(100), one, &[check("mail")]);
        chronicle.name(at(200), two, "two".into(), site("durban"));
        chronicle.revoke(at(300), one);
        let mail = Service { down_when: Quorum::Any, ..Service::of_check("*", "") };
        let members = |when| -> Vec<String> {
            let all = chronicle.members_at(&mail, at(when));
            let mut all: Vec<_> =
                all.map(|m| format!("{}@{}/{}", m.check.name, m.name, m.voice)).collect();
            all.sort();
            all
        };
        assert!(members(15).is_empty());
        assert_eq!(members(50), ["dns@one/durban", "mail@one/durban", "mail@two/cape"]);
        assert_eq!(members(150), ["mail@one/durban", "mail@two/cape"]);
        assert_eq!(members(250), ["mail@one/durban", "mail@two/durban"]);
        assert_eq!(members(350), ["mail@two/durban"]);
    }

    #[test]
    fn what_was_defined_first_holds_back() {
        let mut chronicle = Chronicle::default();
        chronicle.announce(at(5), AgentId([1; 16]), &[check("mail")]);
        assert_eq!(chronicle.current().services.len(), 1);
        let named = |name: &str| Definitions {
            services: vec![Service::of_check(name, "")],
            ..Definitions::default()
        };
        chronicle.define(at(100), named("a"));
        chronicle.define(at(200), named("b"));
        for (when, name) in [(0, "a"), (150, "a"), (200, "b"), (900, "b")] {
            assert_eq!(chronicle.definitions_at(at(when)).services[0].name, name);
        }
        // services that were withdrawn leave each check as one, whenever it came
        chronicle.define(at(1_000), Definitions::default());
        chronicle.announce(at(1_100), AgentId([2; 16]), &[check("later")]);
        let names = |when| -> Vec<String> {
            let definitions = chronicle.definitions_at(at(when));
            definitions.services.iter().map(|service| service.name.clone()).collect()
        };
        assert_eq!(names(900), ["b"]);
        assert_eq!(names(1_200), ["later", "mail"]);
    }
}
