//! Runs one probe with settings as at a shell, for the tests of each kind.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{AgentId, Cause, Clock, Epoch, RunId, Verdict};
use tokio::sync::mpsc;

use super::{Kind, Outcome, Probe, Run, Section, Surroundings, strict};
use crate::config::mistake::Report;
use crate::config::value::Table;
use crate::mail::token::TokenKey;
use crate::net::Net;
use crate::peers::Peers;

/// The probe that these settings make, or what is wrong with them.
pub(super) fn configured(
    kind: &dyn Kind,
    settings: &[String],
) -> Result<Arc<dyn Probe>, Vec<String>> {
    let clock = Clock::system();
    let (mailboxes, peers) = (BTreeMap::new(), Peers::default());
    let surroundings = Surroundings { net: Net::new(), clock, mailboxes, peers };
    let (table, wrong) = Table::of_settings(settings.iter().map(String::as_str));
    assert!(wrong.is_empty(), "{wrong:?}");
    let report = Report::default();
    let mut section = Section::new(&table, &report, Path::new(""), "");
    let probe = kind.configure(&mut section, &surroundings);
    let probe = probe.map(|probe| strict(&mut section, probe));
    section.finish();
    match (report.into_result(), probe) {
        (Ok(_), Some(probe)) => Ok(probe),
        (Ok(_), None) => panic!("nothing is wrong, and there is no probe"),
        (Err(not), _) => Err(not.0.0.iter().map(|mistake| mistake.message.clone()).collect()),
    }
}

/// One run of a kind with these settings, at most 10 s long.
pub(super) async fn run(kind: &dyn Kind, settings: &[String]) -> Outcome {
    let probe = configured(kind, settings).unwrap();
    let clock = Clock::system();
    let (amendments, _none) = mpsc::channel(1);
    let run = Run {
        id: RunId { epoch: Epoch(1), intent: 1 },
        agent: AgentId([1; 16]),
        check: "trial".into(),
        cause: Cause::OnDemand,
        scheduled_for: clock.wall(),
        deadline: clock.monotonic() + Duration::from_secs(10),
        token_key: Arc::new(TokenKey::from_bytes([5; 32])),
        amendments,
    };
    probe.run(run).await
}

/// The verdict in words.
pub(super) fn verdict(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Fail(fault) => fault.to_string(),
        other => other.as_str().to_owned(),
    }
}

/// The rules that do not hold, with their severity, in order of their names.
pub(super) fn rules(outcome: &Outcome) -> Vec<String> {
    let mut rules: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| format!("{} {:?}", finding.rule, finding.severity))
        .collect();
    rules.sort();
    rules
}

/// The value of a fact.
pub(super) fn fact<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    let fact = outcome.facts.iter().find(|fact| fact.name == name);
    fact.map_or_else(|| panic!("no {name} in {:#?}", outcome.facts), |fact| &fact.value)
}
