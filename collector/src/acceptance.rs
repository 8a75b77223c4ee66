//! The acceptance run after a maintenance window: its checks must pass, else it says so loudly.
//!
//! What is due is asked of the control journal, and what came of it is written there: a restart in between runs again
//! what was not written yet. Only the newest time of a window is accepted, and none that ended over an hour ago.
//! Absent on purpose: judgement beyond passed or not; a check that could not be judged has not passed.

use std::collections::BTreeSet;
use std::time::Duration;

use mailsonde_proto::{Cause, Clock};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use crate::control::{Author, Control, ControlError};
use crate::fleet::{Fleet, FleetError, RunLine, RunWish};
use crate::judge::action::Action;
use crate::judge::planned::{Acceptance, Due, NotAccepted, PlannedAction};
use crate::selector::Selector;

/// It looks so often.
const LOOK: Duration = Duration::from_secs(2);
/// Agents are waited for so long.
const GATHER: Duration = Duration::from_secs(60);
/// Where more runs are asked for than may be, it tries again so often.
const TRIES: usize = 30;
/// Failures that are written down of one window; more are counted.
const MOST_FAILED: usize = 100;

/// Runs what is due until the shutdown.
pub(crate) async fn accept(fleet: Fleet, clock: Clock, shutdown: CancellationToken) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = look.tick() => {}
        }
        for due in due(&fleet, clock) {
            tokio::select! {
                () = shutdown.cancelled() => return,
                acceptance = checked(&fleet, &due) => write(&fleet, clock, &due, acceptance).await,
            }
        }
    }
}

fn due(fleet: &Fleet, clock: Clock) -> Vec<Due> {
    fleet.registry.control().look(|roll| roll.planned().due(clock.wall()))
}

/// Has each check run once, wherever it is to pass.
async fn checked(fleet: &Fleet, due: &Due) -> Acceptance {
    gathered(fleet, due).await;
    let from = due.occurrence.from.timestamp();
    let mut acceptance =
        Acceptance { window: due.window, from, passed: Vec::new(), failed: Vec::new() };
    for check in &due.checks {
        let wish = RunWish { check: check.clone(), on: Some(due.on.clone()) };
        let failed = match begun(fleet, &wish).await {
            Ok(told) => heard(check, told).await,
            Err(error) => vec![not(check, "", error.to_string())],
        };
        if failed.is_empty() {
            acceptance.passed.push(check.clone());
        }
        acceptance.failed.extend(failed);
    }
    let more = acceptance.failed.len().saturating_sub(MOST_FAILED);
    if more > 0 {
        acceptance.failed.truncate(MOST_FAILED);
        acceptance.failed.push(not("", "", format!("and {more} more")));
    }
    acceptance
}

/// Waits until every agent is here that is to run something, or for long enough: after maintenance, or a start of the
/// collector's own, some come back later than others.
async fn gathered(fleet: &Fleet, due: &Due) {
    let Ok(on) = due.on.parse::<Selector>() else { return };
    let is_away = || {
        fleet.registry.agents().iter().any(|(enrolled, entry)| {
            let is_meant = on.selects(&enrolled.name, &enrolled.labels)
                && entry.checks.iter().any(|check| due.checks.contains(&check.name));
            is_meant && entry.presence.connected_since.is_none()
        })
    };
    let until = fleet.clock.monotonic() + GATHER;
    while is_away() && fleet.clock.monotonic() < until {
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks for the runs; waits where too many are under way.
async fn begun(fleet: &Fleet, wish: &RunWish) -> Result<Receiver<RunLine>, FleetError> {
    for _ in 0..TRIES {
        match fleet.run(wish, Cause::OnDemand).await {
            Err(FleetError::Busy) => tokio::time::sleep(LOOK).await,
            begun => return begun,
        }
    }
    Err(FleetError::Busy)
}

/// What did not pass of one check; it must pass somewhere.
async fn heard(check: &str, mut told: Receiver<RunLine>) -> Vec<NotAccepted> {
    let (mut passed, mut failed) = (BTreeSet::new(), Vec::new());
    while let Some(line) = told.recv().await {
        match line {
            RunLine::Asked { .. } => {}
            RunLine::Refused { agent, reason } => failed.push(not(check, &agent, reason)),
            RunLine::Overdue { agent, what } => failed.push(not(check, &agent, what)),
            RunLine::Observed(observation) if observation.verdict == "pass" => {
                passed.insert(observation.agent);
            }
            RunLine::Observed(observation) => {
                let fault = observation.fault.as_ref();
                let why = fault.map(|fault| format!("{}: {}", fault.phase, fault.explanation));
                let why = why.unwrap_or_else(|| "it could not be judged".to_owned());
                failed.push(not(check, &observation.agent, why));
            }
        }
    }
    if passed.is_empty() && failed.is_empty() {
        failed.push(not(check, "", "it ran nowhere".to_owned()));
    }
    failed
}

fn not(check: &str, agent: &str, why: String) -> NotAccepted {
    NotAccepted { check: check.to_owned(), agent: agent.to_owned(), why }
}

/// Puts on disk what came of it, and says so.
async fn write(fleet: &Fleet, clock: Clock, due: &Due, acceptance: Acceptance) {
    let Due { window, title, .. } = due;
    if acceptance.failed.is_empty() {
        tracing::info!(window, title, "the acceptance run after maintenance passed");
    }
    for NotAccepted { check, agent, why } in &acceptance.failed {
        tracing::error!(
            window,
            title,
            check,
            agent,
            why,
            "a check does not pass after maintenance"
        );
    }
    let (registry, now) = (fleet.registry.clone(), clock.wall());
    let author = Author { who: "the collector".to_owned(), from: "itself".to_owned() };
    let action = Action::Planned(PlannedAction::AcceptanceDone(acceptance));
    let written = tokio::task::spawn_blocking(move || {
        let control = registry.control();
        control.decide(now, author, |_| Ok::<_, ControlError>((Control::Acted(action), ())))
    });
    if let Ok(Err(error)) = written.await {
        tracing::error!(window, %error, "what came of an acceptance run cannot be written");
    }
}
