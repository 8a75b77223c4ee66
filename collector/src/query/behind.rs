//! The failed runs behind a figure, read backwards from the ledger within a bound of time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::Next;
use mailsonde_proto::{AgentId, Cause, Clock, Verdict, WallTime};

use super::observations::{Place, shown};
use super::sla::Explained;
use super::{ObservationAnswer, QueryError};
use crate::registry::Registry;
use crate::series::SeriesId;
use crate::store::ledger::{Entry, Ledger};

/// Observations behind a figure that are told at most.
const MOST_OBSERVATIONS: usize = 50;
/// No further segment is begun after so long, to tell them.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// A run is received at most so long before its slot: clocks are off.
const AHEAD: Duration = Duration::from_secs(3_600);
/// A run that is received later than so long after its slot is not looked for.
const LATE: Duration = Duration::from_secs(8 * 86_400);

/// The newest failed runs behind a figure, as long as the ledger has them.
pub(super) fn failures(
    ledger: &Ledger,
    registry: &Registry,
    explained: &Explained,
    clock: Clock,
) -> Result<Vec<ObservationAnswer>, QueryError> {
    let names: HashMap<AgentId, String> =
        registry.agents().into_iter().map(|(agent, _)| (agent.agent, agent.name)).collect();
    let begun = clock.monotonic();
    let mut found: VecDeque<ObservationAnswer> = VecDeque::new();
    let mut end = ledger.index().next();
    for segment in ledger.index().segments().into_iter().rev() {
        let is_late = segment.created_at > explained.until.plus(LATE);
        if clock.monotonic().duration_since(begun) > TIME_LIMIT || found.len() >= MOST_OBSERVATIONS
        {
            break;
        }
        if !is_late {
            let mut older = failures_of(ledger, (segment.first, end), explained, &names)?;
            older.append(&mut found);
            found = older;
        }
        end = segment.first;
        if segment.created_at <= explained.from.minus(AHEAD) {
            break;
        }
    }
    let newest = found.into_iter().rev().take(MOST_OBSERVATIONS);
    Ok(newest.collect())
}

/// The minute of a slot, counted from 1970-01-01 UTC.
fn minute_of(slot: WallTime) -> u32 {
    u32::try_from(slot.as_ns().div_euclid(60_000_000_000)).unwrap_or(0)
}

/// Those of one segment, oldest first.
fn failures_of(
    ledger: &Ledger,
    (first, end): (u64, u64),
    explained: &Explained,
    names: &HashMap<AgentId, String>,
) -> Result<VecDeque<ObservationAnswer>, QueryError> {
    let mut newest = VecDeque::new();
    let mut records = ledger.follow(first);
    while records.position() < end {
        let record = match records.read()? {
            Next::Record { record, .. } => record,
            Next::Gap { .. } => continue,
            Next::CaughtUp => break,
        };
        let Ok(Entry::Batch { received_at, source, first, observations }) = Entry::decode(record)
        else {
            continue;
        };
        for (sequence, bytes) in (first..).zip(observations) {
            let Ok(observation) = observation_from_bytes(&bytes) else { continue };
            let slot = observation.scheduled_for;
            let is_wanted = matches!(observation.verdict, Verdict::Fail(_))
                && observation.cause == Cause::Scheduled
                && observation.amends.is_none()
                && explained.from <= slot
                && slot < explained.until
                && !explained.left_out.has(minute_of(slot))
                && explained.series.contains(&SeriesId::of(source.agent, &observation.check));
            if !bytes.is_empty() && is_wanted {
                let agent = source.agent;
                let name = names.get(&agent).cloned().unwrap_or_else(|| agent.to_string());
                newest.push_back(shown(name, Place { source, sequence, received_at }, observation));
                if newest.len() > MOST_OBSERVATIONS {
                    newest.pop_front();
                }
            }
        }
    }
    Ok(newest)
}
