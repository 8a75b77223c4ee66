//! What applying would change in services: which, and key by key. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::hours;
use super::target::{sli_within, sli_word, window_word};
use crate::judge::definition::{
    Agreement, Credit, Definitions, Exclusion, Objective, Service, Share,
};

/// What applying would change in services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServicesDifference {
    /// By name.
    pub changes: Vec<ServiceChange>,
    /// Each key of the organisation's own that changes (its time zone, objectives about incidents): its name, what it
    /// is and what it would be; empty where it is not there.
    pub settings: Vec<(String, String, String)>,
    /// Services that stay as they are.
    pub unchanged: usize,
    /// No service is defined afterwards: then each check is a service of its own.
    pub is_implicit: bool,
}

/// One service that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceChange {
    /// Its name.
    pub service: String,
    /// `added`, `changed` or `removed`.
    pub what: String,
    /// Each key that changes: its name, what it is and what it would be; as TOML, empty where it is not there.
    pub settings: Vec<(String, String, String)>,
}

impl ServicesDifference {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty()
    }
}

/// Compares what is in force with what would be.
pub(crate) fn compare(now: &Definitions, then: &Definitions) -> ServicesDifference {
    let named = |definitions: &Definitions| -> BTreeMap<String, Keys> {
        let services = definitions.services.iter();
        services.map(|service| (service.name.clone(), keys(service))).collect()
    };
    let (before, after) = (named(now), named(then));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut unchanged = 0;
    let none = Keys::new();
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let what = match (old, new) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(old), Some(new)) if old == new => {
                unchanged += 1;
                continue;
            }
            _ => "changed",
        };
        let settings = differ(old.unwrap_or(&none), new.unwrap_or(&none));
        changes.push(ServiceChange { service: name.clone(), what: what.to_owned(), settings });
    }
    let settings = differ(&of_organisation(now), &of_organisation(then));
    ServicesDifference { changes, settings, unchanged, is_implicit: then.services.is_empty() }
}

/// Keys as they are written, and their values as TOML.
type Keys = BTreeMap<String, String>;

fn differ(old: &Keys, new: &Keys) -> Vec<(String, String, String)> {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let value = |of: &Keys, key| of.get(key).cloned().unwrap_or_default();
    let all = keys.into_iter().map(|key| (key.clone(), value(old, key), value(new, key)));
    all.filter(|(_, old, new)| old != new).collect()
}

/// A table in one line.
fn told(value: &impl Serialize) -> String {
    Value::try_from(value).map(|value| value.to_string()).unwrap_or_default()
}

fn text(value: &str) -> Value {
    Value::from(value)
}

fn texts<'t>(all: impl IntoIterator<Item = &'t String>) -> Value {
    Value::Array(all.into_iter().map(|one| text(one)).collect())
}

fn share(share: Share) -> Value {
    Value::from(String::from(share))
}

fn of_organisation(definitions: &Definitions) -> Keys {
    // Every field by name: a new one cannot be forgotten here.
    let Definitions {
        time_zone,
        instead,
        services: _,
        objectives,
        routes,
        rotations,
        templates,
        is_without_canary,
    } = definitions;
    let mut keys = Keys::new();
    if let Some(zone) = time_zone {
        keys.insert("time_zone".to_owned(), text(zone).to_string());
    }
    if !instead.is_empty() {
        keys.insert("instead".to_owned(), text(instead).to_string());
    }
    objectives.iter().for_each(|objective| of_objective(objective, &mut keys));
    // as they are kept: key by key they would be a page
    for route in routes {
        keys.insert(format!("route.{}", route.name), told(route));
    }
    for rotation in rotations {
        keys.insert(format!("rotation.{}", rotation.name), told(rotation));
    }
    for (name, template) in templates {
        let sum = crc32c::crc32c(template.as_bytes());
        let short = format!("{} bytes, {sum:08x}", template.len());
        keys.insert(format!("template.{name}"), text(&short).to_string());
    }
    if *is_without_canary {
        keys.insert("canary".to_owned(), Value::from(false).to_string());
    }
    keys
}

fn keys(service: &Service) -> Keys {
    let Service {
        name: _,
        title,
        description,
        owner,
        checks,
        on,
        voice,
        down_when,
        depends_on,
        users,
        hours,
        objectives,
        agreements,
        growth,
        instead,
    } = service;
    let mut keys = Keys::new();
    let mut add = |key: &str, value: Value| {
        keys.insert(key.to_owned(), value.to_string());
    };
    for (key, words) in
        [("title", title), ("description", description), ("owner", owner), ("instead", instead)]
    {
        if !words.is_empty() {
            add(key, text(words));
        }
    }
    add("checks", texts(checks));
    add("on", text(on));
    add("voice", text(voice));
    add("down_when", text(&down_when.to_string()));
    if !depends_on.is_empty() {
        add("depends_on", texts(depends_on));
    }
    if let Some(users) = users {
        add("users", Value::from(i64::try_from(*users).unwrap_or(i64::MAX)));
    }
    if let Some(hours) = hours {
        add("hours", texts(&hours::shown(hours)));
        if !hours.holidays.is_empty() {
            let days: Vec<_> = hours.holidays.iter().map(ToString::to_string).collect();
            add("holidays", texts(&days));
        }
    }
    if let Some(growth) = growth {
        add("growth", share(*growth));
    }
    objectives.iter().for_each(|objective| of_objective(objective, &mut keys));
    agreements.iter().for_each(|agreement| of_agreement(agreement, &mut keys));
    keys
}

fn of_objective(objective: &Objective, keys: &mut Keys) {
    let Objective { name, sli, target, window, in_hours } = objective;
    let mut add = |key: &str, value: Value| {
        keys.insert(format!("objective.{name}.{key}"), value.to_string());
    };
    add("sli", text(sli_word(*sli)));
    if let Some(within) = sli_within(*sli) {
        add("within", text(&within));
    }
    add("target", share(*target));
    add("window", text(&window_word(*window)));
    if *in_hours {
        add("hours_only", Value::from(true));
    }
}

fn of_agreement(agreement: &Agreement, keys: &mut Keys) {
    let Agreement { name, customer, sli, target, window, in_hours, excludes, credits } = agreement;
    let mut add = |key: &str, value: Value| {
        keys.insert(format!("agreement.{name}.{key}"), value.to_string());
    };
    if !customer.is_empty() {
        add("customer", text(customer));
    }
    add("sli", text(sli_word(*sli)));
    if let Some(within) = sli_within(*sli) {
        add("within", text(&within));
    }
    add("target", share(*target));
    add("window", text(&window_word(*window)));
    if *in_hours {
        add("hours_only", Value::from(true));
    }
    let word = |exclusion: &Exclusion| match exclusion {
        Exclusion::Maintenance => text("maintenance"),
        Exclusion::CustomerFault => text("customer"),
    };
    add("excludes", Value::Array(excludes.iter().map(word).collect()));
    let step = |Credit { below, credit }: &Credit| {
        let table = [("below", share(*below)), ("credit", share(*credit))];
        Value::Table(table.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    if !credits.is_empty() {
        add("credits", Value::Array(credits.iter().map(step).collect()));
    }
}
