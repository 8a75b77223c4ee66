//! The keys of rows.

use mailsonde_proto::AgentId;

use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId, ServiceId};

/// Names one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// An agent.
    Agent(AgentId),
    /// What a series is called.
    Series(SeriesId),
    /// What a phase is called.
    Phase(PhaseId),
    /// How a series is doing.
    State(SeriesId),
    /// When a series' check was to run.
    Schedule(SeriesId),
    /// That a period is sealed, and up to which mark: a file that is missing is noticed by this.
    Sealed(Period),
    /// How a service was in each minute of a day; days are counted from 1970-01-01 UTC.
    Slots {
        /// Which day.
        day: u32,
        /// Which service.
        service: ServiceId,
    },
    /// An hour whose services' minutes have to be made anew; hours are counted like days.
    Stale(u32),
    /// What judging has to know of a series beyond its state.
    Watch(SeriesId),
    /// What a series' target told of itself last, and when that changed.
    Traits(SeriesId),
    /// How fast a service spends its budget.
    Burn(ServiceId),
    /// An incident.
    Incident(u64),
    /// What judging has to know beside all these; there is one.
    Judge,
    /// What a series' target measured of itself in each day of a month; months are counted from 1970-01.
    Gauges {
        /// Which series.
        series: SeriesId,
        /// Which month.
        month: u32,
    },
    /// What was told of an incident.
    Told(u64),
    /// A message to a channel.
    Notice(u64),
    /// What telling has to know beside these; there is one.
    Telling,
    /// Figures of an open period.
    Figures {
        /// Which period.
        period: Period,
        /// The mark of the sealed file that they add to; 0 is none.
        mark: u64,
        /// Which series.
        series: SeriesId,
        /// Which stretch of neighbouring buckets.
        stretch: u8,
    },
}

pub(super) const HEAD: &[u8] = &[0];
const AGENT: u8 = 1;
const SERIES: u8 = 2;
const PHASE: u8 = 3;
const STATE: u8 = 4;
const SCHEDULE: u8 = 5;
const SEALED: u8 = 6;
const SLOTS: u8 = 7;
const STALE: u8 = 8;
const WATCH: u8 = 9;
const TRAITS: u8 = 10;
const BURN: u8 = 11;
const INCIDENT: u8 = 12;
const JUDGE: u8 = 13;
const GAUGES: u8 = 15;
const FIGURES: u8 = 16;
const TOLD: u8 = 17;
const NOTICE: u8 = 18;
const TELLING: u8 = 19;

/// All rows of one sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// [`Row::Agent`].
    Agents,
    /// [`Row::Series`].
    Series,
    /// [`Row::Phase`].
    Phases,
    /// [`Row::State`].
    States,
    /// [`Row::Schedule`].
    Schedules,
    /// [`Row::Sealed`].
    Sealed,
    /// [`Row::Slots`].
    Slots,
    /// [`Row::Stale`].
    Stale,
    /// [`Row::Watch`].
    Watches,
    /// [`Row::Traits`].
    Traits,
    /// [`Row::Burn`].
    Burns,
    /// [`Row::Incident`].
    Incidents,
    /// [`Row::Judge`].
    Judge,
    /// [`Row::Gauges`].
    Gauges,
    /// [`Row::Told`].
    Told,
    /// [`Row::Notice`].
    Notices,
    /// [`Row::Telling`].
    Telling,
    /// [`Row::Figures`].
    Figures,
}

impl Table {
    pub(super) fn prefix(self) -> u8 {
        match self {
            Self::Agents => AGENT,
            Self::Series => SERIES,
            Self::Phases => PHASE,
            Self::States => STATE,
            Self::Schedules => SCHEDULE,
            Self::Sealed => SEALED,
            Self::Slots => SLOTS,
            Self::Stale => STALE,
            Self::Watches => WATCH,
            Self::Traits => TRAITS,
            Self::Burns => BURN,
            Self::Incidents => INCIDENT,
            Self::Judge => JUDGE,
            Self::Gauges => GAUGES,
            Self::Told => TOLD,
            Self::Notices => NOTICE,
            Self::Telling => TELLING,
            Self::Figures => FIGURES,
        }
    }
}

impl Row {
    /// Its key. Keys of one table have one length, so that no key starts another.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::Agent(agent) => joined(AGENT, &[&agent.0]),
            Self::Series(series) => joined(SERIES, &[&series.0.to_be_bytes()]),
            Self::Phase(phase) => joined(PHASE, &[&phase.0.to_be_bytes()]),
            Self::State(series) => joined(STATE, &[&series.0.to_be_bytes()]),
            Self::Schedule(series) => joined(SCHEDULE, &[&series.0.to_be_bytes()]),
            Self::Sealed(period) => {
                joined(SEALED, &[&[period.resolution.code()], &period.number.to_be_bytes()])
            }
            Self::Slots { day, service } => {
                joined(SLOTS, &[&day.to_be_bytes(), &service.0.to_be_bytes()])
            }
            Self::Stale(hour) => joined(STALE, &[&hour.to_be_bytes()]),
            Self::Watch(series) => joined(WATCH, &[&series.0.to_be_bytes()]),
            Self::Traits(series) => joined(TRAITS, &[&series.0.to_be_bytes()]),
            Self::Burn(service) => joined(BURN, &[&service.0.to_be_bytes()]),
            Self::Incident(number) => joined(INCIDENT, &[&number.to_be_bytes()]),
            Self::Judge => joined(JUDGE, &[]),
            Self::Gauges { series, month } => {
                joined(GAUGES, &[&series.0.to_be_bytes(), &month.to_be_bytes()])
            }
            Self::Told(number) => joined(TOLD, &[&number.to_be_bytes()]),
            Self::Notice(number) => joined(NOTICE, &[&number.to_be_bytes()]),
            Self::Telling => joined(TELLING, &[]),
            Self::Figures { period, mark, series, stretch } => {
                let mut key = figures_prefix(*period, Some(*mark), Some(*series));
                key.push(*stretch);
                key
            }
        }
    }

    /// Reads a key back; `None` when it is none of ours.
    pub(super) fn from_key(key: &[u8]) -> Option<Self> {
        let (table, mut rest) = key.split_first()?;
        let row = match *table {
            AGENT => Self::Agent(AgentId(taken(&mut rest)?)),
            SERIES => Self::Series(SeriesId(u64::from_be_bytes(taken(&mut rest)?))),
            PHASE => Self::Phase(PhaseId(u32::from_be_bytes(taken(&mut rest)?))),
            STATE => Self::State(SeriesId(u64::from_be_bytes(taken(&mut rest)?))),
            SCHEDULE => Self::Schedule(SeriesId(u64::from_be_bytes(taken(&mut rest)?))),
            SEALED => Self::Sealed(period(&mut rest)?),
            SLOTS => Self::Slots {
                day: u32::from_be_bytes(taken(&mut rest)?),
                service: ServiceId(u64::from_be_bytes(taken(&mut rest)?)),
            },
            STALE => Self::Stale(u32::from_be_bytes(taken(&mut rest)?)),
            WATCH => Self::Watch(SeriesId(u64::from_be_bytes(taken(&mut rest)?))),
            TRAITS => Self::Traits(SeriesId(u64::from_be_bytes(taken(&mut rest)?))),
            BURN => Self::Burn(ServiceId(u64::from_be_bytes(taken(&mut rest)?))),
            INCIDENT => Self::Incident(u64::from_be_bytes(taken(&mut rest)?)),
            JUDGE => Self::Judge,
            GAUGES => Self::Gauges {
                series: SeriesId(u64::from_be_bytes(taken(&mut rest)?)),
                month: u32::from_be_bytes(taken(&mut rest)?),
            },
            TOLD => Self::Told(u64::from_be_bytes(taken(&mut rest)?)),
            NOTICE => Self::Notice(u64::from_be_bytes(taken(&mut rest)?)),
            TELLING => Self::Telling,
            FIGURES => {
                let period = period(&mut rest)?;
                let mark = u64::from_be_bytes(taken(&mut rest)?);
                let series = SeriesId(u64::from_be_bytes(taken(&mut rest)?));
                let [stretch] = taken(&mut rest)?;
                Self::Figures { period, mark, series, stretch }
            }
            _ => return None,
        };
        rest.is_empty().then_some(row)
    }
}

/// What the keys of a period's figures start with, of one mark, of one series.
pub(super) fn figures_prefix(
    period: Period,
    mark: Option<u64>,
    series: Option<SeriesId>,
) -> Vec<u8> {
    let mut key = joined(FIGURES, &[&[period.resolution.code()], &period.number.to_be_bytes()]);
    if let Some(mark) = mark {
        key.extend(mark.to_be_bytes());
    }
    if let Some(series) = series {
        key.extend(series.0.to_be_bytes());
    }
    key
}

/// What the keys of a day's slots start with.
pub(super) fn slots_prefix(day: u32) -> Vec<u8> {
    joined(SLOTS, &[&day.to_be_bytes()])
}

fn period(rest: &mut &[u8]) -> Option<Period> {
    let [code] = taken(rest)?;
    let resolution = Resolution::from_code(code)?;
    Some(Period { resolution, number: u32::from_be_bytes(taken(rest)?) })
}

fn joined(table: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(24);
    key.push(table);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// Takes the first bytes off.
pub(super) fn taken<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_back() {
        let period = Period { resolution: Resolution::Hour, number: 20_000 };
        let figures = Row::Figures { period, mark: 7, series: SeriesId(9), stretch: 3 };
        for row in [
            Row::Agent(AgentId([3; 16])),
            Row::Series(SeriesId(5)),
            Row::Phase(PhaseId(6)),
            Row::State(SeriesId(u64::MAX)),
            Row::Schedule(SeriesId(8)),
            Row::Sealed(period),
            Row::Slots { day: 20_000, service: ServiceId(4) },
            Row::Stale(480_000),
            Row::Watch(SeriesId(5)),
            Row::Traits(SeriesId(5)),
            Row::Burn(ServiceId(4)),
            Row::Incident(17),
            Row::Told(17),
            Row::Notice(18),
            Row::Gauges { series: SeriesId(5), month: 683 },
            figures,
        ] {
            assert_eq!(Row::from_key(&row.key()), Some(row));
            assert_eq!(Row::from_key(&row.key()[1..]), None);
        }
        assert!(figures.key().starts_with(&figures_prefix(period, Some(7), Some(SeriesId(9)))));
        assert_eq!(Row::from_key(HEAD), None);
    }
}
