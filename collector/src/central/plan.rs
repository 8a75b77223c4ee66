//! What applying would change: checks, which agents run them, and services. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CheckSet;
use super::services::{ServicesDifference, compare};
use crate::control::{AppliedCheck, Enrolled};
use crate::judge::definition::Definitions;
use crate::selector::Selector;

/// What applying would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Names what would be in force and what is: applying asks for the same, so that nothing is applied that was
    /// not shown. 32 hexadecimal digits.
    pub id: String,
    /// By name.
    pub changes: Vec<Change>,
    /// Checks that stay as they are.
    pub unchanged: usize,
    /// What would change in services.
    #[serde(default)]
    pub services: ServicesDifference,
}

impl Difference {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.services.is_empty()
    }
}

/// All that operators define in files.
#[derive(Clone, Copy, Debug)]
pub struct Defined<'d> {
    /// The checks.
    pub checks: &'d CheckSet,
    /// The services.
    pub services: &'d Definitions,
}

/// One check that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Its name.
    pub check: String,
    /// `added`, `changed` or `removed`.
    pub what: String,
    /// Each key that changes: its name, what it is and what it would be; as TOML, empty where it is not there.
    pub settings: Vec<(String, String, String)>,
    /// Agents that would run it and do not, by name.
    pub starts_on: Vec<String>,
    /// Agents that run it and would not any more.
    pub stops_on: Vec<String>,
    /// How many agents it is for afterwards.
    pub agents: usize,
}

/// Compares what is in force with what would be.
pub fn plan(now: Defined<'_>, then: Defined<'_>, agents: &[Enrolled]) -> Difference {
    let services = compare(now.services, then.services);
    let (changes, unchanged) = checks(now.checks, then.checks, agents);
    Difference { id: id(now, then), changes, unchanged, services }
}

fn checks(now: &CheckSet, then: &CheckSet, agents: &[Enrolled]) -> (Vec<Change>, usize) {
    let (before, after) = (now.by_name(), then.by_name());
    let mut names: Vec<&str> = before.keys().chain(after.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let runs_on = |on: Option<&Selector>| -> BTreeSet<&str> {
        let selected =
            |agent: &&Enrolled| on.is_some_and(|on| on.selects(&agent.name, &agent.labels));
        agents.iter().filter(selected).map(|agent| agent.name.as_str()).collect()
    };
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for name in names {
        let (old_on, new_on) = (before.get(name).map(|it| it.1), after.get(name).map(|it| it.1));
        let (old, new) = (before.get(name).map(|it| it.0), after.get(name).map(|it| it.0));
        let what = match (old, new) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(old), Some(new)) if is_same(old, new) => {
                unchanged += 1;
                continue;
            }
            _ => "changed",
        };
        let (ran, runs) = (runs_on(old_on), runs_on(new_on));
        let without = |all: &BTreeSet<&str>, some: &BTreeSet<&str>| {
            all.difference(some).map(|agent| (*agent).to_owned()).collect()
        };
        changes.push(Change {
            check: name.to_owned(),
            what: what.to_owned(),
            settings: settings(old, new),
            starts_on: without(&runs, &ran),
            stops_on: without(&ran, &runs),
            agents: runs.len(),
        });
    }
    (changes, unchanged)
}

fn is_same(old: &AppliedCheck, new: &AppliedCheck) -> bool {
    (&old.on, &old.pair, &old.settings) == (&new.on, &new.pair, &new.settings)
}

/// The keys that differ, those in tables with dots.
fn settings(
    old: Option<&AppliedCheck>,
    new: Option<&AppliedCheck>,
) -> Vec<(String, String, String)> {
    let flat = |check: Option<&AppliedCheck>| {
        let mut flat = BTreeMap::new();
        if let Some(check) = check {
            let table = toml::from_str(&check.settings).unwrap_or_default();
            flatten("", &table, &mut flat);
            for (key, value) in whom(check) {
                flat.insert(key.to_owned(), toml::Value::from(value).to_string());
            }
            flat.remove("name");
        }
        flat
    };
    let (old, new) = (flat(old), flat(new));
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let value = |flat: &BTreeMap<String, String>, key| flat.get(key).cloned().unwrap_or_default();
    let both = keys.into_iter().map(|key| (key.clone(), value(&old, key), value(&new, key)));
    both.filter(|(_, old, new)| old != new).collect()
}

/// Whom a check is for, by the keys of its file.
fn whom(check: &AppliedCheck) -> Vec<(&'static str, &str)> {
    match &check.pair {
        None => vec![("on", &check.on)],
        Some(pair) => {
            vec![("from", &check.on), ("to", &pair.to), ("to_mailbox", &pair.mailbox)]
        }
    }
}

fn flatten(path: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = format!("{path}{key}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}."), inner, flat),
            other => {
                flat.insert(key, other.to_string());
            }
        }
    }
}

fn id(now: Defined<'_>, then: Defined<'_>) -> String {
    let mut text = String::new();
    for Defined { checks, services } in [now, then] {
        for check in checks.checks() {
            let whom = whom(check).into_iter().flat_map(|(key, value)| [key, value]);
            for part in [check.name.as_str(), &check.settings].into_iter().chain(whom) {
                text.push_str(&format!("{}:{part}", part.len()));
            }
        }
        let services = serde_json::to_string(services).unwrap_or_default();
        text.push_str(&format!("|{}:{services}|", services.len()));
    }
    let digest = digest(&SHA256, text.as_bytes());
    hex::encode(digest.as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{agent, check};
    use super::*;

    #[test]
    fn what_changes_is_told_key_by_key_and_agent_by_agent() {
        let tcp = |host: &str| format!("kind = \"tcp\"\nhost = \"{host}\"\n");
        let now = CheckSet::new(vec![
            check("stays", "*", &tcp("a.test")),
            check("moves", "site=durban", &tcp("a.test")),
            check("goes", "*", &tcp("a.test")),
        ])
        .unwrap();
        let then = CheckSet::new(vec![
            check("comes", "site=cape", "kind = \"tcp\"\n[smtp]\nport = 25\n"),
            check("moves", "site=cape", &tcp("b.test")),
            AppliedCheck { line: 9, ..check("stays", "*", &tcp("a.test")) },
        ])
        .unwrap();
        let agents = [agent("one", "durban"), agent("three", "cape")];
        let services = Definitions::default();
        let differ = |now, then| {
            let of = |checks| Defined { checks, services: &services };
            plan(of(now), of(then), &agents)
        };
        let difference = differ(&now, &then);
        assert_eq!(difference.unchanged, 1);
        let told: Vec<_> = difference
            .changes
            .iter()
            .map(|change| serde_json::to_string(change).unwrap())
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        {"check":"comes","what":"added","settings":[["kind","","\"tcp\""],["on","","\"site=cape\""],["smtp.port","","25"]],"starts_on":["three"],"stops_on":[],"agents":1}
        {"check":"goes","what":"removed","settings":[["host","\"a.test\"",""],["kind","\"tcp\"",""],["on","\"*\"",""]],"starts_on":[],"stops_on":["one","three"],"agents":0}
        {"check":"moves","what":"changed","settings":[["host","\"a.test\"","\"b.test\""],["on","\"site=durban\"","\"site=cape\""]],"starts_on":["three"],"stops_on":["one"],"agents":1}
        "#);
        assert_eq!(differ(&now, &now).changes, []);
        assert_ne!(differ(&now, &now).id, difference.id);
        assert_ne!(differ(&then, &now).id, difference.id);
        let zone = Definitions { time_zone: Some("Asia/Tokyo".into()), ..Definitions::default() };
        let (now, zoned) = (
            Defined { checks: &now, services: &services },
            Defined { checks: &now, services: &zone },
        );
        let difference = plan(now, zoned, &agents);
        assert!(difference.changes.is_empty() && !difference.is_empty());
        assert_ne!(difference.id, plan(now, now, &agents).id);
    }
}
