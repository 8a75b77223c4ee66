//! What changed, as rows: each is read, merged with the change, and written whole.

use std::collections::BTreeMap;

use mailsonde_proto::{AgentId, Check, WallTime};
use prost::Message;

use super::merge::Names;
use crate::judge::availability::Schedule;
use crate::judge::column::Column;
use crate::judge::fold::{Delta, RowKey};
use crate::judge::gauge::Gauges;
use crate::judge::live::SeriesState;
use crate::judge::registry::{AgentRecord, SeriesRecord};
use crate::series::{PhaseId, SeriesId};
use crate::store::views::{each_phase, figures_row};
use crate::store::{Error, Row, Views, Writes};

/// The rows that a change comes down to.
pub(super) fn writes(views: &Views, delta: Delta) -> Result<Writes, Error> {
    let mut writes = Writes::new();
    for (key, columns) in &delta.rows {
        let (row, value) = figures(views, key, columns)?;
        writes.insert(row, Some(value));
    }
    for (series, state) in &delta.states {
        let row = Row::State(*series);
        let mut kept = read(views, &row, SeriesState::decode)?;
        kept.merge(state);
        writes.insert(row, Some(kept.encode_to_vec()));
    }
    for (series, record) in &delta.series {
        put_changed(views, &mut writes, Row::Series(*series), record.encode_to_vec())?;
    }
    for (phase, name) in &delta.phases {
        put_changed(views, &mut writes, Row::Phase(*phase), name.as_bytes().to_vec())?;
    }
    for ((series, month), gauges) in &delta.gauges {
        let row = Row::Gauges { series: *series, month: *month };
        let mut kept = read(views, &row, Gauges::decode)?;
        kept.merge(gauges);
        put_changed(views, &mut writes, row, kept.encode_to_vec())?;
    }
    agents(views, &delta, &mut writes)?;
    Ok(writes)
}

/// Puts back what series and phases are called, from the sealed files, where the registry lost it.
pub(super) fn restore_names(views: &Views) -> Result<(), Error> {
    let mut writes = Writes::new();
    views.names(|bytes| {
        let names = Names::decode(bytes).unwrap_or_default();
        for record in names.series {
            let series = SeriesId::of(record.agent(), &record.check);
            writes.insert(Row::Series(series), Some(record.encode_to_vec()));
        }
        for name in names.phases {
            writes.insert(Row::Phase(PhaseId::of(&name)), Some(name.into_bytes()));
        }
        Ok(())
    })?;
    let mut missing = Writes::new();
    for (row, value) in writes {
        if views.get(&row)?.is_none() {
            missing.insert(row, value);
        }
    }
    if missing.is_empty() { Ok(()) } else { views.commit(&missing, views.head()) }
}

fn figures(
    views: &Views,
    key: &RowKey,
    columns: &BTreeMap<PhaseId, Column>,
) -> Result<(Row, Vec<u8>), Error> {
    let RowKey { period, series, stretch } = *key;
    let row = Row::Figures { period, mark: views.mark(period), series, stretch };
    let kept = views.get(&row)?.unwrap_or_default();
    let mut phases: BTreeMap<PhaseId, Vec<u8>> = BTreeMap::new();
    each_phase(&kept, |phase, bytes| {
        phases.insert(phase, bytes.to_vec());
    });
    for (phase, column) in columns {
        let bytes = phases.entry(*phase).or_default();
        let why = "its rows cannot be read";
        let mut merged = Column::decode(bytes).ok().ok_or(Error::Damaged { period, why })?;
        merged.merge(column);
        *bytes = merged.encode();
    }
    Ok((row, figures_row(phases.iter().map(|(phase, bytes)| (*phase, bytes.as_slice())))))
}

fn agents(views: &Views, delta: &Delta, writes: &mut Writes) -> Result<(), Error> {
    let mut records: BTreeMap<AgentId, AgentRecord> = BTreeMap::new();
    let mut schedules: BTreeMap<SeriesId, Schedule> = BTreeMap::new();
    for (agent, heard) in &delta.agents {
        record(views, &mut records, *agent)?.merge(heard);
    }
    for (agent, at, checks) in &delta.defined {
        let record = record(views, &mut records, *agent)?;
        let names = checks.iter().map(|check| check.name.clone()).collect();
        let before = std::mem::replace(&mut record.checks, names);
        for gone in before.iter().filter(|gone| !record.checks.contains(gone)) {
            schedule(views, &mut schedules, SeriesId::of(*agent, gone))?.withdraw(*at);
        }
        for check in checks {
            announce(views, (&mut schedules, writes), (*agent, *at), check)?;
        }
    }
    for (agent, record) in records {
        writes.insert(Row::Agent(agent), Some(record.encode_to_vec()));
    }
    for (series, schedule) in schedules {
        writes.insert(Row::Schedule(series), Some(schedule.encode()));
    }
    Ok(())
}

fn announce(
    views: &Views,
    (schedules, writes): (&mut BTreeMap<SeriesId, Schedule>, &mut Writes),
    (agent, at): (AgentId, WallTime),
    check: &Check,
) -> Result<(), Error> {
    let series = SeriesId::of(agent, &check.name);
    schedule(views, schedules, series)?.announce(at, check);
    let record = SeriesRecord::new(agent, &check.name, &check.kind);
    put_changed(views, writes, Row::Series(series), record.encode_to_vec())
}

fn record<'a>(
    views: &Views,
    records: &'a mut BTreeMap<AgentId, AgentRecord>,
    agent: AgentId,
) -> Result<&'a mut AgentRecord, Error> {
    if let std::collections::btree_map::Entry::Vacant(vacant) = records.entry(agent) {
        vacant.insert(read(views, &Row::Agent(agent), AgentRecord::decode)?);
    }
    Ok(records.entry(agent).or_default())
}

fn schedule<'a>(
    views: &Views,
    schedules: &'a mut BTreeMap<SeriesId, Schedule>,
    series: SeriesId,
) -> Result<&'a mut Schedule, Error> {
    if let std::collections::btree_map::Entry::Vacant(vacant) = schedules.entry(series) {
        let bytes = views.get(&Row::Schedule(series))?.unwrap_or_default();
        vacant.insert(Schedule::decode(&bytes));
    }
    Ok(schedules.entry(series).or_default())
}

/// A row that has been checked by the head's sum reads; one that a newer version wrote otherwise begins
/// anew.
fn read<'a, T: Default>(
    views: &Views,
    row: &Row,
    decode: impl Fn(std::io::Cursor<Vec<u8>>) -> Result<T, prost::DecodeError> + 'a,
) -> Result<T, Error> {
    let bytes = views.get(row)?;
    Ok(bytes.and_then(|bytes| decode(std::io::Cursor::new(bytes)).ok()).unwrap_or_default())
}

fn put_changed(views: &Views, writes: &mut Writes, row: Row, value: Vec<u8>) -> Result<(), Error> {
    if views.get(&row)?.as_ref() != Some(&value) {
        writes.insert(row, Some(value));
    }
    Ok(())
}
