//! What an operator wrote: the collector's checks in `checks.d`, and which agents each is for; services in `services.d`.
//!
//! Invariant: what is in force is what was applied last, whatever stands in the files. Settings are only carried: what
//! they mean the probe on the agent knows. Absent on purpose: any stream, which `ingest` has, and any agent's answer,
//! which the registry has.

mod files;
mod pairs;
mod plan;
pub(crate) mod services;

use std::collections::BTreeMap;

use mailsonde_proto::convert::{AssignedCheck, Assignment};

use crate::config::folder;
use crate::control::{AppliedCheck, Enrolled};
use crate::selector::{NotASelector, Selector};

pub use files::{FOLDER, read_folder};
pub use pairs::{PairTrouble, Receiver};
pub use plan::{Change, Defined, Difference, plan};
pub use services::{
    FOLDER as SERVICES_FOLDER, MAX_SERVICES, Runner, ServiceChange, ServicesDifference,
    read_services, warnings,
};

/// Checks in all files at most; as many as one agent may have.
pub const MAX_CHECKS: usize = mailsonde_proto::convert::MAX_CHECKS;

/// Checks and whom each is for.
#[derive(Debug, Default)]
pub struct CheckSet(Vec<Chosen>);

#[derive(Debug)]
struct Chosen {
    check: AppliedCheck,
    /// Empty where it is not to be seen.
    kind: String,
    on: Selector,
    /// Of a check between two agents: at which it arrives.
    to: Option<Selector>,
}

impl CheckSet {
    /// Of these checks.
    ///
    /// # Errors
    /// When one is for nobody that can be meant.
    pub fn new(checks: Vec<AppliedCheck>) -> Result<Self, NotASelector> {
        let chosen = checks.into_iter().map(|check| {
            let on = check.on.parse()?;
            let to = check.pair.as_ref().map(|pair| pair.to.parse()).transpose()?;
            let settings = toml::from_str::<toml::Table>(&check.settings).unwrap_or_default();
            let kind = settings.get("kind").and_then(toml::Value::as_str).unwrap_or_default();
            Ok(Chosen { kind: kind.to_owned(), check, on, to })
        });
        Ok(Self(chosen.collect::<Result<_, _>>()?))
    }

    /// All of them, in the order of the files.
    pub fn checks(&self) -> impl Iterator<Item = &AppliedCheck> {
        self.0.iter().map(|chosen| &chosen.check)
    }

    /// The check of this name, or the one between two agents that an agent runs by this name.
    pub fn check(&self, name: &str) -> Option<&AppliedCheck> {
        let is_of = |check: &&AppliedCheck| {
            check.pair.is_some()
                && name.strip_prefix(&check.name).is_some_and(|rest| rest.starts_with('-'))
        };
        self.checks().find(|check| check.name == name).or_else(|| self.checks().find(is_of))
    }

    /// Those for this agent.
    pub fn of<'s>(&'s self, agent: &'s Enrolled) -> impl Iterator<Item = &'s AppliedCheck> {
        let chosen = self.0.iter().filter(|chosen| chosen.on.selects(&agent.name, &agent.labels));
        chosen.map(|chosen| &chosen.check)
    }

    /// Each with whom it is for.
    fn by_name(&self) -> BTreeMap<&str, (&AppliedCheck, &Selector)> {
        let all = self.0.iter();
        all.map(|Chosen { check, on, .. }| (check.name.as_str(), (check, on))).collect()
    }

    /// How many checks this agent is told to run.
    pub fn count(&self, agent: &Enrolled, receivers: &[Receiver]) -> usize {
        let chosen = self.0.iter().filter(|it| it.on.selects(&agent.name, &agent.labels));
        let counts = chosen.map(|Chosen { check, to, .. }| match (&check.pair, to) {
            (Some(pair), Some(to)) => pairs::of_sender((pair, to), agent, receivers).count(),
            _ => 1,
        });
        counts.sum::<usize>().min(MAX_CHECKS)
    }

    /// Names and kinds of what this agent is told to run.
    pub fn names(&self, agent: &Enrolled, receivers: &[Receiver]) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let chosen = self.0.iter().filter(|it| it.on.selects(&agent.name, &agent.labels));
        for Chosen { check, kind, to, .. } in chosen {
            match (&check.pair, to) {
                (Some(pair), Some(to)) => {
                    let to = pairs::of_sender((pair, to), agent, receivers);
                    let named = to.map(|(receiver, _)| pairs::name_of(check, &receiver.name));
                    names.extend(named.map(|name| (name, kind.clone())));
                }
                _ => drop(names.insert(check.name.clone(), kind.clone())),
            }
        }
        names
    }

    /// Whether any of them goes from one agent to another.
    pub fn has_pairs(&self) -> bool {
        self.0.iter().any(|chosen| chosen.to.is_some())
    }

    /// What this agent is told to run; `receivers` are those at which mail of others may arrive.
    pub fn assignment(&self, agent: &Enrolled, receivers: &[Receiver]) -> Assignment {
        let mut checks = Vec::new();
        let chosen = self.0.iter().filter(|it| it.on.selects(&agent.name, &agent.labels));
        for Chosen { check, to, .. } in chosen {
            match (&check.pair, to) {
                (Some(pair), Some(to)) => {
                    checks.extend(pairs::expanded(check, (pair, to), agent, receivers));
                }
                _ => checks.push(AssignedCheck {
                    name: check.name.clone(),
                    settings: check.settings.clone(),
                }),
            }
        }
        Assignment::new(pairs::bounded(checks))
    }

    /// Whether a check sends mail from the one to the other.
    pub fn is_pair(&self, sender: &Enrolled, receiver: &Enrolled) -> bool {
        let selects = |on: &Selector, agent: &Enrolled| on.selects(&agent.name, &agent.labels);
        sender.agent != receiver.agent
            && self.0.iter().any(|Chosen { on, to, .. }| {
                to.as_ref().is_some_and(|to| selects(on, sender) && selects(to, receiver))
            })
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use mailsonde_proto::AgentId;

    use super::*;

    pub(crate) fn check(name: &str, on: &str, settings: &str) -> AppliedCheck {
        AppliedCheck {
            name: name.into(),
            on: on.into(),
            pair: None,
            settings: settings.into(),
            file: "mail.toml".into(),
            line: 1,
        }
    }

    pub(crate) fn agent(name: &str, site: &str) -> Enrolled {
        Enrolled {
            agent: AgentId([u8::try_from(name.len()).unwrap(); 16]),
            name: name.into(),
            labels: [("site".to_owned(), site.to_owned())].into(),
            key_digest: [0; 32],
            token: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{agent, check};
    use super::*;

    #[test]
    fn an_agent_is_told_what_is_for_it_and_nothing_else() {
        let set = CheckSet::new(vec![
            check("all", "*", "a"),
            check("durban", "site=durban", "b"),
            check("others", "site!=durban", "c"),
        ])
        .unwrap();
        let told = |agent: &Enrolled| -> Vec<String> {
            set.assignment(agent, &[]).checks.into_iter().map(|check| check.name).collect()
        };
        assert_eq!(told(&agent("one", "durban")), ["all", "durban"]);
        assert_eq!(told(&agent("two", "cape")), ["all", "others"]);
        assert!(CheckSet::new(vec![check("none", "", "")]).is_err());
    }
}
