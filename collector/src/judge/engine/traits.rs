//! What targets tell of themselves: banners, certificates, records, routes. What changed shortly before a failure is
//! the first thing to look at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mailsonde_proto::{Fact, Observation, WallTime};
use serde::{Deserialize, Serialize};

use super::super::incident::{Changed, shortened};
use super::super::watch::of_us;
use super::Engine;

/// Traits of one series at most.
const MOST: usize = 64;
/// Changes of one series that are kept.
const MOST_CHANGES: usize = 16;
/// Facts that tell a target from another, or from itself after a change.
const NAMES: [&str; 16] = [
    "http.exchange.server",
    "imap.capabilities",
    "imap.greeting",
    "pop3.capabilities",
    "pop3.greeting",
    "smtp.exchanger",
    "smtp.extensions",
    "smtp.greeting",
    "smtp.name",
    "tcp.banner",
    "tls.chain.0.issuer",
    "tls.names",
    "tls.serial",
    "tls.spki_sha256",
    "mta_sts.mode",
    "dmarc.policy",
];
/// Beginnings of such names.
const BEGINNINGS: [&str; 2] = ["record.", "gateway."];
/// Beside a record's text stands its digest, which says no more.
const DIGEST: &str = ".digest";
/// What a change of a check's settings is called.
const CONFIGURATION: &str = "configuration";

/// What a series' target told of itself last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Traits {
    values: BTreeMap<String, String>,
    /// Oldest first.
    changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    at_us: i64,
    what: String,
    from: String,
    to: String,
}

fn is_trait(name: &str) -> bool {
    NAMES.contains(&name)
        || (BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
            && !name.ends_with(DIGEST))
}

/// Without what changes with each connection: times, and the stamp in a POP3 greeting (RFC 1939 section 7).
fn steady(value: &str) -> String {
    let is_steady = |word: &&str| {
        let is_stamp = word.starts_with('<') && word.ends_with('>');
        let is_time = word.contains(':') && word.bytes().all(|b| b.is_ascii_digit() || b == b':');
        !is_stamp && !is_time
    };
    // "ready at Mon, 30 Nov 2026 10:00:00 +0200"
    let value = value.split(" ready at ").next().unwrap_or(value);
    shortened(&value.split(' ').filter(is_steady).collect::<Vec<_>>().join(" "))
}

impl Traits {
    /// Takes in what a run learnt; whether anything is new.
    fn hear(&mut self, facts: &[Fact], configuration: &str, at: WallTime) -> bool {
        let mut is_new = self.put(CONFIGURATION, configuration.to_owned(), at);
        for Fact { name, value } in facts.iter().filter(|fact| is_trait(&fact.name)) {
            is_new |= self.put(name, steady(value), at);
        }
        is_new
    }

    fn put(&mut self, name: &str, value: String, at: WallTime) -> bool {
        let has_room = self.values.len() < MOST;
        match self.values.get_mut(name) {
            Some(known) if *known == value => return false,
            Some(known) => {
                let from = std::mem::replace(known, value.clone());
                let change = Change { at_us: at.as_us(), what: name.to_owned(), from, to: value };
                self.changes.push(change);
                if self.changes.len() > MOST_CHANGES {
                    self.changes.remove(0);
                }
            }
            None if has_room => drop(self.values.insert(name.to_owned(), value)),
            None => return false,
        }
        true
    }

    /// What changed since a time.
    fn since(&self, since: WallTime) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.at_us >= since.as_us())
    }
}

impl Engine {
    /// Takes note of what a run's target tells of itself.
    pub(super) fn hear_traits(&mut self, number: usize, observation: &Observation) {
        let Some(series) = self.fleet.series.get_mut(number) else { return };
        let configuration = observation.settings_digest.to_string();
        if series.traits.hear(&observation.facts, &configuration, observation.started_at) {
            self.dirty.traits.insert(number);
        }
    }

    /// What changed at the targets of some checks since a time, each change once, as it was seen first.
    pub(super) fn changes_since<'c>(
        &self,
        checks: impl Iterator<Item = &'c String>,
        since: WallTime,
    ) -> Vec<Changed> {
        let mut found: BTreeMap<(String, String, String, String), Changed> = BTreeMap::new();
        for check in checks {
            for (_, series) in self.fleet.of_check(check) {
                let agent = self.fleet.agents.get(series.agent);
                for Change { at_us, what, from, to } in series.traits.since(since) {
                    let at: Timestamp = of_us(*at_us).timestamp();
                    let key = (check.clone(), what.clone(), from.clone(), to.clone());
                    let changed = Changed {
                        at,
                        what: what.clone(),
                        from: from.clone(),
                        to: to.clone(),
                        check: check.clone(),
                        seen_from: agent.map(|agent| agent.name.clone()).unwrap_or_default(),
                    };
                    let earlier = found.entry(key).or_insert_with(|| changed.clone());
                    if changed.at < earlier.at {
                        *earlier = changed;
                    }
                }
            }
        }
        let mut all: Vec<Changed> = found.into_values().collect();
        all.sort();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_with_each_connection_is_no_change() {
        for (value, expected) in [
            ("220 mx ESMTP Postfix", "220 mx ESMTP Postfix"),
            (
                "220 mx Microsoft ESMTP MAIL Service ready at Mon, 30 Nov 2026 10:00:00 +0200",
                "220 mx Microsoft ESMTP MAIL Service",
            ),
            ("+OK Dovecot ready. <1896.697170952@dbc>", "+OK Dovecot ready."),
            ("220 mx 10:20:31 hello", "220 mx hello"),
        ] {
            assert_eq!(steady(value), expected);
        }
        assert!(is_trait("record.mx") && !is_trait("record.mx.digest") && !is_trait("message_id"));
    }

    #[test]
    fn a_change_is_kept_with_what_it_was() {
        let mut traits = Traits::default();
        let at = WallTime::from_s;
        assert!(traits.hear(&[Fact::new("smtp.greeting", "a")], "1", at(10)));
        assert!(!traits.hear(&[Fact::new("smtp.greeting", "a")], "1", at(20)));
        assert!(!traits.hear(&[], "1", at(25)));
        assert!(traits.hear(&[Fact::new("smtp.greeting", "b")], "2", at(30)));
        let changed: Vec<_> = traits.since(at(5)).map(|change| change.what.as_str()).collect();
        assert_eq!(changed, ["configuration", "smtp.greeting"]);
        assert_eq!(traits.since(at(31)).count(), 0);
    }
}
