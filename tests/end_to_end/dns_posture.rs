//! DNS posture against Knot and Unbound: for each finding a domain that has it, and good ones that have
//! none.

mod lists;
mod policies;
mod zone;

mod drift;

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_tests::lab::Lab;
use serde::Deserialize;

use crate::agent::{Told, bounded, lab, output_of};

/// The lab's addresses are those of benchmarks (RFC 2544), which the Internet does not reach.
const LAB_NETWORK: &str = "198.18.0.0/15";

/// What `probe --json` told, with its findings.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Posture {
    #[serde(flatten)]
    pub(crate) told: Told,
    pub(crate) findings: Vec<Finding>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) evidence: String,
    pub(crate) source: String,
    pub(crate) advice: String,
}

impl Posture {
    /// The rules that do not hold, each once.
    pub(crate) fn rules(&self) -> BTreeSet<&str> {
        self.findings.iter().map(|finding| finding.rule.as_str()).collect()
    }

    /// The first finding of a rule.
    pub(crate) fn finding(&self, rule: &str) -> &Finding {
        let finding = self.findings.iter().find(|finding| finding.rule == rule);
        finding.unwrap_or_else(|| panic!("no finding {rule}: {self:#?}"))
    }
}

/// `mailsonde-agent probe KIND --json` in branch 1, with the branch's own resolver, Unbound; later settings win.
pub(crate) fn probe(kind: &str, settings: &[(&str, &str)]) -> Posture {
    let mut command = bounded(&[]);
    command.args(["agent", "probe", kind, "--json"]);
    let anchor = Lab::trust_anchor(lab()).display().to_string();
    let mut all = BTreeMap::from([("timeout", "60s"), ("trust_anchor", &anchor)]);
    all.extend(settings.iter().copied());
    for (key, value) in all {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    let (exit, output, errors) = output_of(&mut command);
    let posture: Posture = serde_json::from_str(&output).unwrap_or_else(|error| {
        panic!("{settings:?} ended with {exit}: {error}: {output}{errors}")
    });
    for finding in &posture.findings {
        let Finding { evidence, source, advice, .. } = finding;
        assert!(![evidence, source, advice].iter().any(|text| text.is_empty()), "{finding:?}");
    }
    posture
}

/// The probe `dns` of a domain, and of some groups of its rules.
pub(crate) fn dns(domain: &str, rules: &str, more: &[(&str, &str)]) -> Posture {
    let mut settings = vec![("domain", domain), ("rules", rules), ("own_networks", LAB_NETWORK)];
    settings.extend(more);
    probe("dns", &settings)
}
