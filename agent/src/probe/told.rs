//! How a conversation becomes an outcome, and which findings fail a run.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::{Clock, Fact, Fault, FaultClass, Finding, Severity, Verdict};

use super::{Outcome, Probe, Run, Section};
use crate::mail::dial::Patience;
use crate::mail::failure::Failure;
use crate::mail::mailbox::STEP;
use crate::mail::wire::Record;
use crate::stopwatch::{Stopwatch, us};

/// The phase of a fault that a finding makes: nothing on the wire failed.
const POSTURE: &str = "posture";

/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
const MARGIN: Duration = Duration::from_millis(100);

impl Run {
    /// How long its steps may take, and all of them together.
    pub(crate) fn patience(&self, clock: Clock) -> Patience {
        let deadline = self.deadline.checked_sub(MARGIN).unwrap_or(self.deadline);
        Patience { clock, step: STEP, deadline }
    }
}

impl Outcome {
    /// Of a conversation: the laps are its phases, its length ends with now, and what was said is kept
    /// when it failed.
    pub fn of(ended: Result<(), Failure>, watch: &Stopwatch, record: &Record) -> Self {
        let verdict = match ended {
            Ok(()) => Verdict::Pass,
            Err(failure) => failure.into_verdict(),
        };
        let failed = matches!(verdict, Verdict::Fail(_));
        Self {
            verdict,
            total_us: us(watch.started(), watch.now()),
            phases: watch.phases_from(watch.started()),
            facts: Vec::new(),
            findings: Vec::new(),
            transcript: if failed { record.text() } else { String::new() },
        }
    }

    /// With what was learnt.
    #[must_use]
    pub fn with(mut self, facts: Vec<Fact>, findings: Vec<Finding>) -> Self {
        self.facts.extend(facts);
        self.findings.extend(findings);
        self
    }
}

/// Reads `fail_from`, which every check has, and puts it around the probe: from this severity on a
/// finding fails a run that would pass.
pub(crate) fn strict(section: &mut Section<'_>, probe: Arc<dyn Probe>) -> Arc<dyn Probe> {
    let words = [
        ("never", None),
        ("notice", Some(Severity::Notice)),
        ("warning", Some(Severity::Warning)),
        ("critical", Some(Severity::Critical)),
    ];
    match section.choice("fail_from", &words, None) {
        Some(least) => Arc::new(Strict { probe, least }),
        None => probe,
    }
}

struct Strict {
    probe: Arc<dyn Probe>,
    least: Severity,
}

impl Probe for Strict {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { judged(self.probe.run(run).await, self.least) }.boxed()
    }
}

/// The worst finding fails the run, the first of several that are equally bad.
fn judged(mut outcome: Outcome, least: Severity) -> Outcome {
    if outcome.verdict != Verdict::Pass {
        return outcome;
    }
    let severe = outcome.findings.iter().filter(|finding| finding.severity >= least);
    if let Some(worst) = severe.rev().max_by_key(|finding| finding.severity) {
        let words = format!("{}: {}", worst.rule, worst.evidence);
        outcome.verdict = Verdict::Fail(Fault::new(POSTURE, FaultClass::Mismatch, words));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_fails_a_run_only_from_the_severity_that_the_check_says() {
        let finding = |rule: &str, severity| Finding {
            rule: rule.to_owned(),
            severity,
            evidence: "seen".to_owned(),
            source: "RFC".to_owned(),
            advice: "mend".to_owned(),
        };
        let outcome = |verdict| Outcome {
            verdict,
            total_us: 1,
            phases: Vec::new(),
            facts: Vec::new(),
            findings: vec![
                finding("a", Severity::Notice),
                finding("b", Severity::Warning),
                finding("c", Severity::Warning),
            ],
            transcript: String::new(),
        };
        let words = |least| match judged(outcome(Verdict::Pass), least).verdict {
            Verdict::Fail(fault) => fault.explanation,
            other => other.as_str().to_owned(),
        };
        assert_eq!(words(Severity::Critical), "pass");
        assert_eq!(words(Severity::Warning), "b: seen");
        assert_eq!(words(Severity::Notice), "b: seen");
        let failed = Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "refused"));
        assert_eq!(judged(outcome(failed.clone()), Severity::Notice).verdict, failed);
    }
}
