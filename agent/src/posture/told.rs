//! What a look at one kind of record has to tell.

use mailsonde_proto::{Fact, Finding};

use super::rule::{MOST_BYTES, Rule, bounded};
use crate::dns::AskError;

/// Findings of one rule group: an observation takes 128 of all groups together.
const MOST_FINDINGS: usize = 24;
/// Facts of one rule group: an observation takes 256 of all groups together.
const MOST_FACTS: usize = 40;

/// Facts and findings, never more than an observation takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What was learnt.
    pub facts: Vec<Fact>,
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// Questions that nobody answered, so that something is not known.
    pub unanswered: Vec<AskError>,
    /// Records whose change is worth knowing: a key such as `mta_sts.id`, and their texts.
    pub records: Vec<(String, Vec<String>)>,
}

impl Told {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something was learnt.
    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<String>) {
        if self.facts.len() < MOST_FACTS {
            self.facts.push(Fact::new(name, bounded(value.into(), MOST_BYTES)));
        }
    }

    /// A rule does not hold. The same finding twice is one.
    pub fn finding(&mut self, rule: &Rule, evidence: impl Into<String>) {
        let finding = rule.finding(evidence);
        if self.findings.len() < MOST_FINDINGS && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Nobody answered a question.
    pub fn unanswered(&mut self, error: AskError) {
        if self.unanswered.len() < MOST_FINDINGS && !self.unanswered.contains(&error) {
            self.unanswered.push(error);
        }
    }

    /// Records are kept, so that a change of them is seen; none at all are kept as well.
    pub fn keep(&mut self, key: impl Into<String>, texts: Vec<String>) {
        if self.records.len() < MOST_FINDINGS {
            self.records.push((key.into(), texts));
        }
    }

    /// And what another look has told.
    pub fn extend(&mut self, other: Self) {
        self.facts.extend(other.facts);
        self.findings.extend(other.findings);
        self.unanswered.extend(other.unanswered);
        self.records.extend(other.records);
    }

    /// The names of the rules that do not hold, in order, and `unanswered` for each question that was
    /// not; for tests.
    #[cfg(test)]
    pub(crate) fn rules(&self) -> Vec<&str> {
        let rules = self.findings.iter().map(|finding| finding.rule.as_str());
        rules.chain(self.unanswered.iter().map(|_| "unanswered")).collect()
    }

    /// The value of a fact; for tests.
    #[cfg(test)]
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_told_is_longer_than_an_observation_takes() {
        assert_eq!(bounded("short".into(), 8), "short");
        let cut = bounded("ö".repeat(5_000), MOST_BYTES);
        assert!(cut.len() <= MOST_BYTES && cut.ends_with("more bytes)"), "{}", cut.len());
        let rule = Rule::notice("a.b", "RFC", "mend");
        let mut told = Told::new();
        (0..500).for_each(|n| {
            told.fact(format!("f.{n}"), "");
            told.finding(&rule, n.to_string());
            told.finding(&rule, n.to_string());
        });
        assert_eq!((told.facts.len(), told.findings.len()), (MOST_FACTS, MOST_FINDINGS));
    }
}
