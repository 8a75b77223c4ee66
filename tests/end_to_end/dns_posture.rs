//! DNS posture against Knot and Unbound: for each finding a domain that has it, and good ones that have
//! none.

mod lists;
mod policies;
mod zone;

mod drift;

use std::collections::BTreeMap;

use mailsonde_tests::lab::Lab;

use crate::agent::{Told, bounded, lab, output_of};

/// The lab's addresses are those of benchmarks (RFC 2544), which the Internet does not reach.
const LAB_NETWORK: &str = "198.18.0.0/15";

/// `mailsonde-agent probe KIND --json` in branch 1, with the branch's own resolver, Unbound; later settings win.
pub(crate) fn probe(kind: &str, settings: &[(&str, &str)]) -> Told {
    let mut command = bounded(&[]);
    command.args(["agent", "probe", kind, "--json"]);
    let anchor = Lab::trust_anchor(lab()).display().to_string();
    let mut all = BTreeMap::from([("timeout", "60s"), ("trust_anchor", &anchor)]);
    all.extend(settings.iter().copied());
    for (key, value) in all {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    Told::of(output_of(&mut command))
}

/// The probe `dns` of a domain, and of some groups of its rules.
pub(crate) fn dns(domain: &str, rules: &str, more: &[(&str, &str)]) -> Told {
    let mut settings = vec![("domain", domain), ("rules", rules), ("own_networks", LAB_NETWORK)];
    settings.extend(more);
    probe("dns", &settings)
}
