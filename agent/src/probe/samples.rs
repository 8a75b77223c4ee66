//! A check of any kind from `--set`, and one run of it, for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{AgentId, Cause, Clock, Epoch, RunId};
use tokio::sync::mpsc;

use super::{Kind, Outcome, Probe, Run, Surroundings};
use crate::config::mistake::Report;
use crate::config::section::Section;
use crate::config::value::Table;
use crate::mail::token::TokenKey;
use crate::net::Net;
use crate::peers::Peers;

/// A check with these settings, or what is wrong with them.
pub(super) fn check(kind: &dyn Kind, pairs: &[&str]) -> Result<Arc<dyn Probe>, String> {
    let (table, _) = Table::of_settings(pairs.iter().copied());
    let report = Report::default();
    let surroundings = Surroundings {
        net: Net::new(),
        clock: Clock::system(),
        mailboxes: BTreeMap::new(),
        peers: Peers::default(),
    };
    let mut section = Section::new(&table, &report, Path::new(""), "");
    let probe = kind.configure(&mut section, &surroundings);
    section.finish();
    match report.into_result() {
        Ok(_) => probe.ok_or_else(|| "neither a probe nor a mistake".to_owned()),
        Err((mistakes, _)) => {
            let words: Vec<_> = mistakes.0.iter().map(|m| m.message.clone()).collect();
            Err(words.join("; "))
        }
    }
}

/// One run with 5 seconds.
pub(super) async fn run(probe: &dyn Probe) -> Outcome {
    let clock = Clock::system();
    let run = Run {
        id: RunId { epoch: Epoch(1), intent: 1 },
        agent: AgentId([1; 16]),
        check: "sandbox".into(),
        cause: Cause::OnDemand,
        scheduled_for: clock.wall(),
        deadline: clock.monotonic() + Duration::from_secs(5),
        token_key: Arc::new(TokenKey::from_bytes([5; 32])),
        amendments: mpsc::channel(1).0,
    };
    probe.run(run).await
}

/// The fault in words, or the verdict's word.
pub(super) fn verdict(outcome: &Outcome) -> String {
    match &outcome.verdict {
        mailsonde_proto::Verdict::Fail(fault) => fault.to_string(),
        other => other.as_str().to_owned(),
    }
}

/// The value of a fact; empty where there is none.
pub(super) fn fact<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    outcome.facts.iter().find(|fact| fact.name == name).map_or("", |fact| &fact.value)
}
