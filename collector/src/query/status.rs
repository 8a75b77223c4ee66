//! Is mail working, from where not, since when, how slow compared with usual.
//!
//! Pure: [`answer`] is a function of what was read and of now. Unknown is never up: a check is up only as
//! long as its last judged run is recent and passed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::time::as_us;
use mailsonde_proto::{Check, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FaultAnswer, SeriesReading, Spread, VoidAnswer};
use crate::judge::availability::{Availability, GRACE};
use crate::judge::live::SeriesState;
use crate::registry::Presence;

/// What is late for so many more cadences is unknown.
const LATE_CADENCES: u32 = 2;

/// An agent of which nothing was heard for so long, three heartbeats, is lost: what it saw last is no news.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// How a check, a vantage point, or mail as a whole is doing.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its last judged run is recent and passed; of a whole: all of it is up.
    Up,
    /// The next judged run is overdue, not yet long.
    Late,
    /// Nobody knows: nothing was judged for long, or ever.
    Unknown,
    /// Its last judged run is recent and failed; of a whole: any of it fails.
    Failing,
}

impl State {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Late => "late",
            Self::Unknown => "unknown",
            Self::Failing => "failing",
        }
    }
}

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// The worst of all vantage points; unknown when there is none.
    pub state: State,
    /// From how many vantage points mail works.
    pub working: usize,
    /// Every agent that is enrolled, by name.
    pub vantage_points: Vec<VantageStatus>,
    /// The collector itself.
    pub collector: CollectorStatus,
}

/// One vantage point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VantageStatus {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether its agent's stream stands at the moment.
    pub connected: bool,
    /// When anything was heard of it last: connection, heartbeat or run.
    pub last_heard_at: Option<Timestamp>,
    /// Since when its agent is lost: nothing was heard of it for three heartbeats. Then all it tells is unknown.
    pub lost_since: Option<Timestamp>,
    /// The worst of its checks; unknown when there is none.
    pub state: State,
    /// Since when, as far as known.
    pub since: Option<Timestamp>,
    /// Every check that its agent runs, in the agent's order.
    pub checks: Vec<CheckStatus>,
}

/// One check at one vantage point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckStatus {
    /// Its name.
    pub check: String,
    /// The probe that carries it out.
    pub kind: String,
    /// From one slot to the next, in microseconds.
    pub cadence_us: u64,
    /// How it is doing.
    pub state: State,
    /// Since when: failing since the first failure, up since the first pass after the last failure, late
    /// and unknown since the last judged run. Null when that is not known.
    pub since: Option<Timestamp>,
    /// The slot of the last run of all.
    pub last_run_at: Option<Timestamp>,
    /// How long the last run that passed took, in microseconds.
    pub last_round_trip_us: Option<u64>,
    /// Round trips that passed, of the last 15 minutes.
    pub round_trip: Spread,
    /// Round trips that passed, of the same hour of each of the last seven days; where there is none, of
    /// all their hours.
    pub usual_round_trip: Spread,
    /// Of the last 24 hours; null when nothing was expected or seen.
    pub availability_24h: Option<AvailabilityAnswer>,
    /// Failures since the last pass.
    pub failures_in_a_row: u64,
    /// The latest failure.
    pub last_fault: Option<FaultAnswer>,
    /// The latest run that could not be judged.
    pub last_void: Option<VoidAnswer>,
}

/// How often it worked, as far as that is known; shares between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AvailabilityAnswer {
    /// Were everything unknown a failure.
    pub lower: f64,
    /// Were everything unknown a pass.
    pub upper: f64,
    /// The share of slots that have a verdict.
    pub coverage: f64,
}

impl From<Availability> for AvailabilityAnswer {
    fn from(Availability { lower, upper, coverage }: Availability) -> Self {
        Self { lower, upper, coverage }
    }
}

/// The collector itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollectorStatus {
    /// Its name and version.
    pub software: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// Records that are stored and not in these figures yet.
    pub records_behind: u64,
}

/// What was read of one vantage point.
#[derive(Clone, Debug)]
pub struct VantageReading {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How its agent is at the moment.
    pub presence: Presence,
    /// Its checks and what the views say of each.
    pub checks: Vec<(Check, SeriesReading)>,
}

/// Judges what was read.
pub fn answer(
    vantage_points: Vec<VantageReading>,
    collector: CollectorStatus,
    now: WallTime,
) -> StatusAnswer {
    let started_at = WallTime::from(collector.started_at);
    let vantage_points: Vec<_> =
        vantage_points.into_iter().map(|reading| vantage_point(reading, started_at, now)).collect();
    StatusAnswer {
        now: now.timestamp(),
        state: worst(vantage_points.iter().map(|vantage| vantage.state)),
        working: vantage_points.iter().filter(|vantage| vantage.state == State::Up).count(),
        vantage_points,
        collector,
    }
}

fn worst(states: impl Iterator<Item = State>) -> State {
    states.max().unwrap_or(State::Unknown)
}

fn vantage_point(reading: VantageReading, started_at: WallTime, now: WallTime) -> VantageStatus {
    let VantageReading { name, labels, presence, checks } = reading;
    let mut checks: Vec<_> =
        checks.into_iter().map(|(check, read)| of(&check, &read, now)).collect();
    let lost_since = lost_since(&presence, started_at, now).filter(|_| !checks.is_empty());
    if let Some(since) = lost_since.map(WallTime::timestamp) {
        for check in checks.iter_mut().filter(|check| check.state != State::Unknown) {
            (check.state, check.since) = (State::Unknown, Some(since));
        }
    }
    let state = worst(checks.iter().map(|check| check.state));
    let in_state = || checks.iter().filter(|check| check.state == state).map(|check| check.since);
    let since = match state {
        // Not up before the last of them was; failing since the first of them.
        State::Up => in_state().flatten().max(),
        _ => in_state().flatten().min(),
    };
    let runs = checks.iter().filter_map(|check| check.last_run_at);
    let last_heard_at = runs.chain(presence.last_heard.map(WallTime::timestamp)).max();
    let connected = presence.connected_since.is_some();
    let lost_since = lost_since.map(WallTime::timestamp);
    VantageStatus { name, labels, connected, last_heard_at, lost_since, state, since, checks }
}

/// Since when an agent is lost; one that was not here since the collector's start, since then.
fn lost_since(presence: &Presence, started_at: WallTime, now: WallTime) -> Option<WallTime> {
    let heard = presence.last_heard.unwrap_or(started_at).max(started_at);
    let is_lost = presence.connected_since.is_none() && now.since(heard) >= LOST_AFTER;
    is_lost.then_some(heard)
}

fn of(check: &Check, read: &SeriesReading, now: WallTime) -> CheckStatus {
    let series = &read.state;
    let (state, since) = state_of(check, series, now);
    CheckStatus {
        check: check.name.clone(),
        kind: check.kind.clone(),
        cadence_us: as_us(check.cadence),
        state,
        since: since.map(WallTime::timestamp),
        last_run_at: series.last().map(|run| run.slot().timestamp()),
        last_round_trip_us: series.last_pass().map(|run| run.total_us()),
        round_trip: read.now,
        usual_round_trip: read.usual,
        availability_24h: read.day.map(Into::into),
        failures_in_a_row: series.consecutive_failures(),
        last_fault: series.last_fault().map(|(at, fault)| FaultAnswer::new(at, fault)),
        last_void: series.last_void().map(|(at, reason, detail)| VoidAnswer {
            at: at.timestamp(),
            reason: reason.as_str().to_owned(),
            detail: detail.to_owned(),
        }),
    }
}

fn state_of(check: &Check, series: &SeriesState, now: WallTime) -> (State, Option<WallTime>) {
    let last_pass = series.last_pass().map(|run| run.slot());
    let last_fault = series.last_fault().map(|(slot, _)| slot);
    let Some(judged) = last_pass.max(last_fault) else {
        return (State::Unknown, None);
    };
    let patience = check.cadence.saturating_add(check.timeout).saturating_add(GRACE);
    let silence = now.since(judged);
    if silence > patience.saturating_add(longer(check.cadence)) {
        (State::Unknown, Some(judged))
    } else if silence > patience {
        (State::Late, Some(judged))
    } else if let Some(since) = series.failing_since() {
        (State::Failing, Some(since))
    } else {
        (State::Up, up_since(series, last_fault))
    }
}

fn longer(cadence: Duration) -> Duration {
    cadence.saturating_mul(LATE_CADENCES).max(Duration::from_secs(30))
}

/// The first pass after the last failure, where it is among the runs that are kept; the last failure
/// where it is not; `None` when it never failed.
fn up_since(series: &SeriesState, last_fault: Option<WallTime>) -> Option<WallTime> {
    let fault = last_fault?;
    let oldest_kept = series.recent().first().map(|run| run.slot());
    let after = |run: &&crate::judge::live::Outcome| run.slot() > fault && run.verdict() == "pass";
    let first = series.recent().iter().find(after).map(|run| run.slot());
    if oldest_kept <= Some(fault) { first } else { Some(fault) }
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests;
