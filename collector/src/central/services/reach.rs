//! What services reach: which is right and will not work as it reads, as agents and checks are now. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::definition::{Definitions, Quorum, ROUND_TRIP, Service, Sli};
use crate::selector::{Selector, is_match};

/// A vantage point, and what it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runner {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Names of its checks, and the kind of each; empty where it is not known.
    pub checks: BTreeMap<String, String>,
}

/// What will not work as it reads, in the order of services.
pub fn warnings(definitions: &Definitions, runners: &[Runner]) -> Vec<String> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for runner in runners {
        names.extend(runner.checks.keys().map(String::as_str));
    }
    let of = |service| Looked { service, names: &names, runners }.warnings();
    definitions.services.iter().flat_map(of).collect()
}

struct Looked<'l> {
    service: &'l Service,
    /// Of every check that anybody runs.
    names: &'l BTreeSet<&'l str>,
    runners: &'l [Runner],
}

impl Looked<'_> {
    fn warnings(&self) -> Vec<String> {
        let Self { service, names, runners } = self;
        let mut told = Vec::new();
        let mut warn = |words: String| told.push(format!("service \"{}\": {words}", service.name));
        let is_met = |pattern: &&String| names.iter().any(|name| is_match(pattern, name));
        let unmet: Vec<_> =
            service.checks.iter().filter(|pattern| !is_met(pattern)).map(String::as_str).collect();
        if !unmet.is_empty() && unmet.len() < service.checks.len() {
            warn(format!("nobody runs a check called {}", unmet.join(" or ")));
        }
        // Looked up once: there may be many vantage points with the same checks.
        let ours: BTreeSet<&str> =
            names.iter().copied().filter(|name| service.has_check(name)).collect();
        let on = service.on.parse::<Selector>().ok();
        let is_here = |runner: &&Runner| {
            on.as_ref().is_some_and(|on| on.selects(&runner.name, &runner.labels))
        };
        let here: Vec<&Runner> = runners.iter().filter(is_here).collect();
        let is_member =
            |runner: &&&Runner| runner.checks.keys().any(|name| ours.contains(name.as_str()));
        let voices: BTreeSet<&str> = here
            .iter()
            .filter(is_member)
            .map(|runner| service.voice_of(&runner.name, &runner.labels))
            .collect();
        if here.is_empty() {
            warn(format!(
                "no agent is selected by on = \"{}\": nothing is known of it",
                service.on
            ));
        } else if voices.is_empty() {
            warn("no agent that on selects runs any of its checks: nothing is known of it".into());
        } else {
            self.quorum(voices.len()).into_iter().for_each(&mut warn);
            let ours = |runner: &&Runner| self.is_sending(runner);
            if self.counts_round_trips() && !here.iter().copied().any(|runner| ours(&runner)) {
                warn(format!(
                    "delivery and latency count checks of kind {ROUND_TRIP}, and it has none"
                ));
            }
        }
        told
    }

    fn quorum(&self, voices: usize) -> Option<String> {
        let Quorum::AtLeast(count) = self.service.down_when else { return None };
        let is_more = usize::try_from(count).is_ok_and(|count| count > voices);
        is_more.then(|| {
            let there = if voices == 1 { "is 1 voice".into() } else { format!("are {voices} voices") };
            let voice = &self.service.voice;
            format!(
                "down_when = \"{count}\" cannot be reached, because there {there} by {voice}: it is down when all of \
                 them fail"
            )
        })
    }

    fn counts_round_trips(&self) -> bool {
        let objectives = self.service.objectives.iter().map(|objective| objective.sli);
        let agreements = self.service.agreements.iter().map(|agreement| agreement.sli);
        let counts = |sli: Sli| matches!(sli, Sli::Delivery | Sli::Latency { .. });
        objectives.chain(agreements).any(counts)
    }

    /// Whether it runs one of the service's round trips, or something of which the kind is not known.
    fn is_sending(&self, runner: &Runner) -> bool {
        let may_be = |(name, kind): (&String, &String)| {
            (kind.is_empty() || kind == ROUND_TRIP) && self.service.has_check(name)
        };
        runner.checks.iter().any(may_be)
    }
}
