//! Runs under the agent's policy: what it refuses ends as `void(policy)` with the rule that refused it.
//!
//! Kind and hour are asked for before a run begins. Whatever is refused within a run, be it a question deep in an
//! evaluation or one address of many, makes the run void, whatever the probe made of it: what we did not look at
//! says nothing about the target, and a finding must never be of our own making.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::{Verdict, VoidReason};

use super::{Outcome, Probe, Run};
use crate::net::{Net, noting};
use crate::policy::Refusal;

/// Puts a probe of this kind under the policy of `net`, which must be the one that it was made with.
pub(crate) fn governed(probe: Arc<dyn Probe>, kind: &str, net: &Net) -> Arc<dyn Probe> {
    Arc::new(Governed { probe, kind: kind.to_owned(), net: net.clone() })
}

struct Governed {
    probe: Arc<dyn Probe>,
    kind: String,
    net: Net,
}

impl Probe for Governed {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move {
            if let Err(refusal) = self.net.may_begin(&self.kind) {
                return Outcome::refused(&refusal);
            }
            match noting(self.probe.run(run)).await {
                (outcome, None) => outcome,
                (outcome, Some(refusal)) => outcome.voided(&refusal),
            }
        }
        .boxed()
    }
}

impl Outcome {
    /// Of a run that policy did not let begin.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self {
            verdict: Verdict::void(VoidReason::Policy, refusal.to_string()),
            total_us: 0,
            phases: Vec::new(),
            facts: Vec::new(),
            findings: Vec::new(),
            transcript: String::new(),
        }
    }

    /// Phases and facts are what was seen until then; findings may be of what was not.
    fn voided(self, refusal: &Refusal) -> Self {
        let Self { total_us, phases, facts, .. } = self;
        Self { total_us, phases, facts, ..Self::refused(refusal) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::time;
    use mailsonde_proto::{AgentId, Cause, Clock, Epoch, Finding, RunId, Severity};
    use tokio::sync::mpsc;

    use super::*;
    use crate::mail::token::TokenKey;
    use crate::policy::{Policy, Quiet};

    /// Looks up a name, and passes with a finding whatever comes of it.
    struct Blithe(Net, &'static str);

    impl Probe for Blithe {
        fn run(&self, _run: Run) -> BoxFuture<'_, Outcome> {
            async {
                let failed = self.0.resolve(self.1, Duration::from_secs(5)).await.is_err();
                let finding = Finding {
                    rule: "dns.nobody".to_owned(),
                    severity: Severity::Critical,
                    evidence: "nobody is there".to_owned(),
                    source: "RFC".to_owned(),
                    advice: "mend".to_owned(),
                };
                Outcome {
                    verdict: Verdict::Pass,
                    total_us: 7,
                    phases: Vec::new(),
                    facts: Vec::new(),
                    findings: if failed { vec![finding] } else { Vec::new() },
                    transcript: String::new(),
                }
            }
            .boxed()
        }
    }

    async fn outcome(policy: Option<Policy>, host: &'static str) -> Outcome {
        let (net, clock) = (Net::new(), Clock::system());
        net.set_policy(policy);
        let probe = governed(Arc::new(Blithe(net.clone(), host)), "blithe", &net);
        let run = Run {
            id: RunId { epoch: Epoch(1), intent: 1 },
            agent: AgentId([1; 16]),
            check: "trial".into(),
            cause: Cause::OnDemand,
            scheduled_for: clock.wall(),
            deadline: clock.monotonic() + Duration::from_secs(10),
            token_key: Arc::new(TokenKey::from_bytes([5; 32])),
            amendments: mpsc::channel(1).0,
        };
        probe.run(run).await
    }

    fn words(outcome: &Outcome) -> String {
        match &outcome.verdict {
            Verdict::Void { reason, detail } => format!("{}: {detail}", reason.as_str()),
            other => other.as_str().to_owned(),
        }
    }

    #[tokio::test]
    async fn a_run_in_which_anything_was_refused_is_void_and_finds_nothing() {
        let free = outcome(None, "localhost").await;
        assert_eq!(words(&free), "pass");
        let allowed = outcome(Some(Policy::default()), "localhost").await;
        assert_eq!((words(&allowed).as_str(), allowed.total_us), ("pass", 7));
        let refused = outcome(Some(Policy::default()), "evil.test").await;
        assert_eq!(
            words(&refused),
            "policy: targets.hosts: DNS is not asked about evil.test, which is neither listed nor in a listed \
             domain"
        );
        assert!(refused.findings.is_empty(), "{refused:?}");
    }

    #[tokio::test]
    async fn kinds_and_hours_are_asked_for_before_a_run_begins() {
        let kinds = Policy { kinds: Some(["tcp".to_owned()].into()), ..Policy::default() };
        assert_eq!(
            words(&outcome(Some(kinds), "localhost").await),
            "policy: kinds: the kind blithe is not listed"
        );
        let midnight = time(0, 0, 0, 0);
        let always = Quiet { days: Vec::new(), from: midnight, to: midnight };
        let quiet = Policy { quiet: vec![always], ..Policy::default() };
        assert!(words(&outcome(Some(quiet), "localhost").await).starts_with("policy: quiet: "));
    }
}
