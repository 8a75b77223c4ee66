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
