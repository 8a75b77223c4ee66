//! Both journals: every definition and tick of the year, and the raw observations of its last day.

use std::sync::Arc;

use anyhow::Context;
use mailsonde_collector::control::{Control, ControlJournal, Enrolled};
use mailsonde_collector::folder::Folder;
use mailsonde_collector::store::ledger::{Ledger, LedgerOptions, Opened, Source};
use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{Cause, Clock, Epoch, Observation, Phase, Verdict, WallTime};

use super::plan::{DAY, Plan, Series, mixed, time, wide};

/// Observations that an agent sends at once.
const BATCH: usize = 120;

/// Writes both, and says how many observations there are.
pub(super) fn write(plan: &Plan, folder: &Folder) -> anyhow::Result<u64> {
    let (control, _) = ControlJournal::open(&folder.control())?;
    control.append_all(beginning(plan))?;
    let raw = plan.end.saturating_sub(DAY).max(plan.begin) / 60 * 60;
    for day in plan.begin / DAY..=raw / DAY {
        control.append_all(ticks(plan.begin.max(day * DAY), raw.min((day + 1) * DAY)))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut written = vec![0_u64; plan.agents.len()];
    for first in (raw..plan.end).step_by(60) {
        let until = plan.end.min(first + 60);
        // what agents kept for an hour comes at its end, by a clock that is set to it
        let clock = Clock::starting_at(time(until));
        let Opened { ledger, writer, .. } =
            Ledger::open(folder.path(), LedgerOptions::default(), clock)?;
        control.go_with(Arc::clone(ledger.index()));
        control.append_all(ticks(first, until))?;
        runtime.block_on(send(plan, &ledger, (first, until), &mut written))?;
        while ledger.compact(ledger.index().next())? {}
        drop(ledger);
        writer.join().ok().context("the ledger's thread ended by a panic")?;
    }
    control.append_all([(time(plan.end), Control::Tick)])?;
    Ok(written.iter().sum())
}

fn ticks(first: u32, until: u32) -> impl Iterator<Item = (WallTime, Control)> {
    (first..until).map(|minute| (time(minute), Control::Tick))
}

/// Who was enrolled, what each runs, and the services.
fn beginning(plan: &Plan) -> Vec<(WallTime, Control)> {
    let mut records = Vec::new();
    for (at, agent) in plan.agents.iter().enumerate() {
        let mut key_digest = [0; 32];
        for (part, number) in key_digest.chunks_exact_mut(8).zip(0..) {
            part.copy_from_slice(&mixed(plan.seed, [20, wide(at), number]).to_be_bytes());
        }
        records.push(Control::Enrolled(Enrolled {
            agent: agent.id,
            name: agent.name.clone(),
            labels: agent.labels.clone(),
            key_digest,
            token: None,
        }));
        let checks = plan.series.iter().filter(|series| series.agent == at);
        records.push(Control::Defined {
            agent: agent.id,
            checks: checks.map(|series| series.check.clone()).collect(),
            signing_key: None,
            mailboxes: Vec::new(),
        });
    }
    records.push(Control::Services(plan.definitions()));
    records.into_iter().map(|record| (time(plan.begin), record)).collect()
}

/// What every agent observed in these minutes.
async fn send(
    plan: &Plan,
    ledger: &Ledger,
    (first, until): (u32, u32),
    written: &mut [u64],
) -> anyhow::Result<()> {
    for (agent, sent) in written.iter_mut().enumerate() {
        let Some(id) = plan.agents.get(agent).map(|agent| agent.id) else { continue };
        let source = Source { agent: id, epoch: Epoch(1 + wide(agent)) };
        let mut observations = Vec::new();
        for minute in first..until {
            let all = plan.series.iter().enumerate().filter(|(_, series)| series.agent == agent);
            for (at, series) in all {
                let intent = *sent + wide(observations.len()) + 1;
                let observed = observation(plan, (at, series), minute, intent);
                observations.extend(observed.as_ref().map(observation_to_bytes));
            }
        }
        for batch in observations.chunks(BATCH) {
            ledger.append(source, *sent + 1, batch.to_vec()).await?;
            *sent += wide(batch.len());
        }
    }
    Ok(())
}

/// What the run of a minute found; `None` where nothing came.
pub(super) fn observation(
    plan: &Plan,
    (at, series): (usize, &Series),
    minute: u32,
    intent: u64,
) -> Option<Observation> {
    let verdict = Plan::verdict(series, series.at(minute))?;
    let slot = time(minute).plus(series.check.slot_offset);
    let mut start_us = 0_i64;
    let mut phases = Vec::new();
    if verdict == Verdict::Pass {
        for (name, took_us) in plan.took(at, minute) {
            let duration_us = i64::from(took_us);
            phases.push(Phase { name: name.to_owned(), start_us, duration_us, uncertainty_us: 0 });
            start_us += duration_us;
        }
    }
    Some(Observation {
        intent,
        check: series.check.name.clone(),
        kind: series.check.kind.clone(),
        scheduled_for: slot,
        started_at: slot,
        clock_error_us: Some(900),
        cause: Cause::Scheduled,
        settings_digest: series.check.settings_digest,
        amends: None,
        verdict,
        total_us: u64::try_from(start_us).unwrap_or(0),
        phases,
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    })
}
