//! Raw data, and what is needed to make any figure of it again: observations, services' minutes, and what was in force
//! when. A line of JSON each, as they are read: nothing is gathered in memory.
//!
//! Absent on purpose: figures. Whoever recounts must need nothing of ours.

mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::Next;
use mailsonde_proto::time::as_us;
use mailsonde_proto::{AgentId, Observation, Verdict, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use line::{DefinitionLine, ObservationLine, SlotsLine};

use super::measured::{excluded, minute_start};
use super::{Query, QueryError};
use crate::judge::objective::minutes_of;
use crate::judge::slots::MINUTES_OF_DAY;
use crate::series::ServiceId;
use crate::store::ledger::Entry;

/// A run is received at most so long before its slot: clocks are off.
const AHEAD: Duration = Duration::from_secs(3_600);
const DAY_S: i64 = 86_400;
const MINUTE_NS: i64 = 60_000_000_000;

/// Which time is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportWanted {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// What can be exported.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Exported {
    /// Every observation whose slot lies in the time, as long as the ledger has it.
    Observations,
    /// Every service's minutes: stretches in one state.
    Slots,
    /// What was in force when: services, agents' names and labels, checks' schedules, excluded time.
    Definitions,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// A moment: microseconds since 1970-01-01 UTC, or RFC 3339.
    Moment,
}

impl Exported {
    /// Its columns, in order; none where lines have no common form.
    pub const fn columns(self) -> &'static [(&'static str, Holds)] {
        match self {
            Self::Observations => &[
                ("agent", Holds::Text),
                ("vantage_point", Holds::Text),
                ("check", Holds::Text),
                ("kind", Holds::Text),
                ("scheduled_us", Holds::Moment),
                ("received_us", Holds::Moment),
                ("cause", Holds::Text),
                ("amends", Holds::Flag),
                ("verdict", Holds::Text),
                ("phase", Holds::Text),
                ("class", Holds::Text),
                ("reason", Holds::Text),
                ("total_us", Holds::Number),
            ],
            Self::Slots => &[
                ("service", Holds::Text),
                ("from", Holds::Moment),
                ("until", Holds::Moment),
                ("minutes", Holds::Number),
                ("state", Holds::Text),
            ],
            Self::Definitions => &[],
        }
    }
}

impl Query {
    /// Hands out what is wanted line by line, until `each` says that it is enough.
    ///
    /// # Errors
    /// When the journal or the views cannot be read.
    pub fn export(
        &self,
        what: Exported,
        wanted: ExportWanted,
        mut each: impl FnMut(Vec<u8>) -> bool,
    ) -> Result<(), QueryError> {
        match what {
            Exported::Observations => self.export_observations(wanted, |line| each(bytes(&line))),
            Exported::Slots => self.export_slots(wanted, |line| each(bytes(&line))),
            Exported::Definitions => {
                let all = self.definition_lines();
                all.iter().all(|line| each(bytes(line)));
                Ok(())
            }
        }
    }

    fn export_observations(
        &self,
        wanted: ExportWanted,
        mut each: impl FnMut(ObservationLine) -> bool,
    ) -> Result<(), QueryError> {
        let (since, until) = (WallTime::from(wanted.since), WallTime::from(wanted.until));
        let segments = self.ledger.index().segments();
        // the last segment that was begun before anything wanted can have come
        let before = segments.iter().rev().find(|segment| segment.created_at <= since.minus(AHEAD));
        let first = before.or(segments.first()).map_or(1, |segment| segment.first);
        let mut records = self.ledger.follow(first);
        let end = self.ledger.index().next();
        while records.position() < end {
            let record = match records.read()? {
                Next::Record { record, .. } => record,
                Next::Gap { .. } => continue,
                Next::CaughtUp => break,
            };
            let Ok(Entry::Batch { received_at, source, observations, .. }) = Entry::decode(record)
            else {
                continue;
            };
            for bytes in observations.iter().filter(|bytes| !bytes.is_empty()) {
                let Ok(observation) = observation_from_bytes(bytes) else { continue };
                let slot = observation.scheduled_for;
                if slot < since || slot >= until {
                    continue;
                }
                let name = self.name_at(source.agent, slot);
                if !each(observation_line(source.agent, name, received_at, observation)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn name_at(&self, agent: AgentId, at: WallTime) -> String {
        let chronicle = self.views.reader().chronicle();
        chronicle.named_at(agent, at).map(|(name, _)| name.to_owned()).unwrap_or_default()
    }

    fn export_slots(
        &self,
        wanted: ExportWanted,
        mut each: impl FnMut(SlotsLine) -> bool,
    ) -> Result<(), QueryError> {
        let reader = self.views.reader();
        // whole minutes, each where it begins
        let whole = |at: Timestamp| {
            let minute = WallTime::from(at).as_ns().saturating_add(MINUTE_NS - 1);
            WallTime::from_ns(minute.div_euclid(MINUTE_NS).saturating_mul(MINUTE_NS))
        };
        let (since, until) = (whole(wanted.since), whole(wanted.until));
        let names: BTreeMap<ServiceId, String> = {
            let chronicle = reader.chronicle();
            let parts = chronicle.definitions_between(&(since..until));
            let services = parts.iter().flat_map(|(_, definitions)| &definitions.services);
            services.map(|service| (ServiceId::of(&service.name), service.name.clone())).collect()
        };
        let services: BTreeSet<ServiceId> = names.keys().copied().collect();
        let day_of = |at: WallTime| {
            u32::try_from(at.as_ns().div_euclid(DAY_S * 1_000_000_000).max(0)).unwrap_or(u32::MAX)
        };
        // one day beyond what was ever written is enough: nobody asks a million empty days
        let last = day_of(until.min(reader.head().now()));
        for day in day_of(since)..=last {
            let mut lines = Vec::new();
            reader.slots(day..day.saturating_add(1), &services, |day, service, slots| {
                lines.extend(minutes_of(day, slots).filter_map(|(range, state)| {
                    let from = minute_start(range.start).max(since);
                    let to = minute_start(range.end).min(until);
                    let minutes = to.since(from).as_secs() / 60;
                    (minutes > 0).then(|| SlotsLine {
                        service: names.get(&service).cloned().unwrap_or_default(),
                        from: from.timestamp(),
                        until: to.timestamp(),
                        minutes,
                        state: state.as_str().to_owned(),
                    })
                }));
            })?;
            debug_assert!(lines.len() <= services.len() * usize::from(MINUTES_OF_DAY));
            if !lines.into_iter().all(&mut each) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn definition_lines(&self) -> Vec<DefinitionLine> {
        let reader = self.views.reader();
        let chronicle = reader.chronicle();
        let mut lines: Vec<DefinitionLine> = chronicle
            .all_definitions()
            .map(|(from, definitions)| DefinitionLine::Definitions {
                from_ns: from.as_ns(),
                definitions: definitions.clone(),
            })
            .collect();
        let always = WallTime::default()..reader.head().now();
        for service in &chronicle.current().services {
            let all = excluded(&chronicle, service, &always).into_iter();
            lines.extend(all.map(|each| DefinitionLine::Excluded {
                service: service.name.clone(),
                from_ns: each.from.as_ns(),
                until_ns: each.until.as_ns(),
                kind: each.kind,
                reason: each.reason,
                number: each.number,
                noted_ns: each.noted_at.as_ns(),
            }));
        }
        for (agent, history) in chronicle.agents() {
            let agent = agent.to_string();
            lines.extend(history.names().map(|(from, named)| {
                let (name, labels) = named.cloned().unzip();
                let (agent, labels) = (agent.clone(), labels.unwrap_or_default());
                DefinitionLine::Agent { agent, from_ns: from.as_ns(), name, labels }
            }));
            for (_, runs) in history.runs() {
                lines.extend(runs.schedule.spans().iter().map(|span| DefinitionLine::Schedule {
                    agent: agent.clone(),
                    check: span.check.name.clone(),
                    kind: span.check.kind.clone(),
                    from_ns: span.from.as_ns(),
                    until_ns: span.until.map(WallTime::as_ns),
                    cadence_us: as_us(span.check.cadence),
                    slot_offset_us: as_us(span.check.slot_offset),
                    timeout_us: as_us(span.check.timeout),
                }));
            }
        }
        lines
    }
}

fn bytes(line: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn observation_line(
    agent: AgentId,
    vantage_point: String,
    received_at: WallTime,
    observation: Observation,
) -> ObservationLine {
    let (phase, class, reason) = match &observation.verdict {
        Verdict::Pass => (String::new(), "", ""),
        Verdict::Fail(fault) => (fault.phase.clone(), fault.class.as_str(), ""),
        Verdict::Void { reason, .. } => (String::new(), "", reason.as_str()),
    };
    ObservationLine {
        agent: agent.to_string(),
        vantage_point,
        scheduled_us: observation.scheduled_for.as_us(),
        received_us: received_at.as_us(),
        cause: observation.cause.as_str().to_owned(),
        amends: observation.amends.is_some(),
        verdict: observation.verdict.as_str().to_owned(),
        phase,
        class: class.to_owned(),
        reason: reason.to_owned(),
        total_us: observation.total_us,
        check: observation.check,
        kind: observation.kind,
    }
}
