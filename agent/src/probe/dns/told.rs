//! How a run is told: within an observation's bounds, whatever the domain publishes.

use std::net::SocketAddr;

use mailsonde_proto::time::Instant;
use mailsonde_proto::{Fact, Finding, Phase, Severity, Verdict};

use super::super::Outcome;
use super::group::{Group, Looked};
use super::records::cut;
use super::settings::DnsCheck;
use crate::mail::failure::Failure;
use crate::net::dns::Dns;
use crate::posture::Rule;
use crate::stopwatch::{Lap, Stopwatch, us};

/// The most facts, two of which each record set takes (of the 256 of an observation).
const MOST_FACTS: usize = 240;
/// The most findings (of 128).
const MOST_FINDINGS: usize = 120;
/// Bytes of all facts' values together (of 256 KiB for all of an observation).
const ALL_VALUES: usize = 120 * 1024;
/// Bytes of one value, of one evidence.
const LONGEST_VALUE: usize = 8 * 1024;
const LONGEST_EVIDENCE: usize = 512;

/// A group that was not done in time.
pub(super) const UNFINISHED: Rule = Rule {
    name: "dns.unfinished",
    severity: Severity::Notice,
    source: "the check's timeout",
    advice: "raise the check's timeout, leave groups out by skip, or see which name server is slow",
};

/// What is known of a run so far.
pub(super) struct Story {
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    phases: Vec<Phase>,
    faults: Vec<Failure>,
    transcript: String,
    bytes: usize,
    left_out: usize,
}

impl Story {
    pub(super) fn new(check: &DnsCheck) -> Self {
        Self {
            facts: vec![Fact::new("dns.domain", check.shown())],
            findings: Vec::new(),
            phases: Vec::new(),
            faults: Vec::new(),
            transcript: String::new(),
            bytes: 0,
            left_out: 0,
        }
    }

    pub(super) fn resolvers(&mut self, resolvers: &[SocketAddr]) {
        let shown: Vec<String> = resolvers.iter().map(ToString::to_string).collect();
        self.fact(Fact::new("dns.resolver", shown.join(" ")));
    }

    /// What one group found; `None` where its time ran out.
    pub(super) fn group(
        &mut self,
        group: &Group,
        lap: Lap,
        looked: Option<Looked>,
        origin: Instant,
    ) {
        self.phases.push(lap.phase_from(origin));
        let looked = looked.unwrap_or_else(|| {
            let mut looked = Looked::default();
            looked.find(&UNFINISHED, format!("the rules {} were not done in time", group.name));
            looked
        });
        for fact in looked.facts {
            self.fact(fact);
        }
        for finding in looked.findings {
            self.finding(finding);
        }
        for records in looked.records {
            let [text, digest] = records.facts(LONGEST_VALUE);
            let is_new = self.facts.iter().all(|known| known.name != digest.name);
            // The digest first: it is what a change is seen by.
            if is_new && self.fact(digest) {
                self.fact(text);
            }
        }
        self.faults.extend(looked.faults);
    }

    /// What was asked and what came, kept when the run fails.
    pub(super) fn transcript(&mut self, dns: &Dns) {
        self.transcript = dns.transcript();
    }

    pub(super) fn end(mut self, failed: Option<Failure>, watch: &Stopwatch) -> Outcome {
        if self.left_out > 0 {
            self.facts.push(Fact::new("dns.left_out", self.left_out.to_string()));
        }
        let mut phases = watch.phases_from(watch.started());
        phases.extend(self.phases);
        let fault = failed.or_else(|| self.faults.into_iter().next());
        let verdict = fault.map_or(Verdict::Pass, Failure::into_verdict);
        let failed = matches!(verdict, Verdict::Fail(_));
        Outcome {
            verdict,
            total_us: us(watch.started(), watch.now()),
            phases,
            facts: self.facts,
            findings: self.findings,
            transcript: if failed { self.transcript } else { String::new() },
        }
    }

    /// Adds a fact while there is room; a value that is too long for what is left is cut.
    fn fact(&mut self, mut fact: Fact) -> bool {
        let room = ALL_VALUES.saturating_sub(self.bytes).min(LONGEST_VALUE);
        if self.facts.len() >= MOST_FACTS || room < 128 {
            self.left_out += 1;
            return false;
        }
        fact.value = cut(&fact.value, room);
        self.bytes += fact.value.len();
        self.facts.push(fact);
        true
    }

    /// Adds a finding, once.
    fn finding(&mut self, mut finding: Finding) {
        finding.evidence = cut(&finding.evidence, LONGEST_EVIDENCE);
        if self.findings.contains(&finding) {
            return;
        }
        if self.findings.len() >= MOST_FINDINGS {
            self.left_out += 1;
            return;
        }
        self.findings.push(finding);
    }
}
