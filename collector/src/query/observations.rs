//! The newest observations, read backwards from the ledger.
//!
//! Records can only be read forwards, so a segment is read from its start and the newest that fit are
//! kept; then the segment before it. The answer says how far back it looked when it did not look at all.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::{Next, SegmentFacts};
use mailsonde_proto::{AgentId, Clock, Fact, Observation, Verdict, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FaultAnswer, QueryError, VoidAnswer};
use crate::registry::Registry;
use crate::store::ledger::{Entry, Ledger, Source};

/// Observations in one answer when nobody says how many.
pub const DEFAULT_LIMIT: usize = 20;
/// Observations in one answer at most.
pub const MAX_LIMIT: usize = 1_000;
/// No further segment is begun after so long.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// Which observations are wanted; all that is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Of this check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Of the agent of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Received at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// `pass`, `fail` or `void`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictWord>,
    /// So many at most; [`DEFAULT_LIMIT`] when it is not said, [`MAX_LIMIT`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A verdict without what it says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// It works.
    Pass,
    /// It does not.
    Fail,
    /// It could not be judged.
    Void,
}

impl VerdictWord {
    fn is(self, verdict: &Verdict) -> bool {
        match self {
            Self::Pass => matches!(verdict, Verdict::Pass),
            Self::Fail => matches!(verdict, Verdict::Fail(_)),
            Self::Void => matches!(verdict, Verdict::Void { .. }),
        }
    }
}

/// The newest observations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservationsAnswer {
    /// In the order in which they were received, newest first.
    pub observations: Vec<ObservationAnswer>,
    /// Looking took too long: there may be more that were received before this time.
    pub looked_back_to: Option<Timestamp>,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservationAnswer {
    /// The vantage point's name; its identity when it is not enrolled any more.
    pub agent: String,
    /// The epoch of the agent's outbox: 16 hexadecimal digits.
    pub epoch: String,
    /// Its sequence in that epoch.
    pub sequence: u64,
    /// The run's number in that epoch.
    pub intent: u64,
    /// The check's name.
    pub check: String,
    /// The check's kind.
    pub kind: String,
    /// The slot that the run was for.
    pub scheduled_for: Timestamp,
    /// When the run began, by the agent's clock.
    pub started_at: Timestamp,
    /// When the collector had it, by its own clock.
    pub received_at: Timestamp,
    /// `scheduled`, `confirmation`, `on_demand` or `unknown`.
    pub cause: String,
    /// The earlier run about which this tells more: epoch and intent.
    pub amends: Option<(String, u64)>,
    /// `pass`, `fail` or `void`.
    pub verdict: String,
    /// Of a failure: why.
    pub fault: Option<FaultAnswer>,
    /// Of a void run: why.
    pub void: Option<VoidAnswer>,
    /// How long the run took, in microseconds.
    pub total_us: u64,
    /// Its timed parts.
    pub phases: Vec<PhaseAnswer>,
    /// Names and values that the probe learnt, in its order.
    pub facts: Vec<FactAnswer>,
    /// Posture rules that do not hold.
    pub findings: Vec<FindingAnswer>,
    /// What was said on the wire, of a failure.
    pub transcript: String,
}

/// A name and a value that the probe learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FactAnswer {
    /// Dotted words, such as `smtp.greeting`.
    pub name: String,
    /// Text as it is shown.
    pub value: String,
}

impl From<Fact> for FactAnswer {
    fn from(Fact { name, value }: Fact) -> Self {
        Self { name, value }
    }
}

/// One timed part of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseAnswer {
    /// Such as `connect`.
    pub name: String,
    /// From the start of the run, in microseconds.
    pub start_us: i64,
    /// In microseconds.
    pub duration_us: i64,
    /// The end is known to within this, in microseconds.
    pub uncertainty_us: u64,
}

impl PhaseAnswer {
    /// Whether the figure says more than its own uncertainty, as [`Phase::is_known`] has it.
    pub fn is_known(&self) -> bool {
        self.uncertainty_us == 0 || self.duration_us.unsigned_abs() > self.uncertainty_us
    }
}

/// One posture rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingAnswer {
    /// The rule's name.
    pub rule: String,
    /// `notice`, `warning`, `critical` or `unknown`.
    pub severity: String,
    /// What was seen.
    pub evidence: String,
    /// The document that the rule comes from.
    pub source: String,
    /// What to do.
    pub advice: String,
}

/// Where an observation stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whose it is.
    pub source: Source,
    /// Its sequence there.
    pub sequence: u64,
    /// When the collector had it.
    pub received_at: WallTime,
}

/// Where an observation stands in the ledger: the record's sequence, and its place in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    record: u64,
    place: usize,
}

/// Such as `17-3`.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.record, self.place)
    }
}

impl FromStr for Standing {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (record, place) = text.split_once('-').ok_or(QueryError::Gone)?;
        let record = record.parse().map_err(|_no_number| QueryError::Gone)?;
        let place = place.parse().map_err(|_no_number| QueryError::Gone)?;
        Ok(Self { record, place })
    }
}

/// The newest, of those before a place; where the next ones stand, if there may be any.
pub(super) fn answer(
    (ledger, registry): (&Ledger, &Registry),
    wanted: &Wanted,
    before: Option<Standing>,
    clock: Clock,
) -> Result<(ObservationsAnswer, Option<Standing>), QueryError> {
    let names: HashMap<AgentId, String> =
        registry.agents().into_iter().map(|(agent, _)| (agent.agent, agent.name)).collect();
    let agent = match &wanted.agent {
        None => None,
        Some(name) => {
            let found = names.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            let unknown = || QueryError::Unknown { what: "agent", name: name.clone() };
            Some(*found.ok_or_else(unknown)?.0)
        }
    };
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let since = wanted.since.map(WallTime::from);
    let search = Search { ledger, wanted, agent, since, before };
    let begun = clock.monotonic();
    let mut found: VecDeque<Found> = VecDeque::new();
    let mut looked_back_to = None;
    let next = ledger.index().next();
    let mut end = before.map_or(next, |before| before.record.saturating_add(1).min(next));
    let (mut goes_on, newest, segments) = (None, end, ledger.index().segments());
    for segment in segments.into_iter().rev().filter(|segment| segment.first < newest) {
        if clock.monotonic().duration_since(begun) > TIME_LIMIT {
            looked_back_to = Some(segment_end(ledger, end));
            goes_on = Some(Standing { record: end, place: 0 });
            break;
        }
        let mut older = search.segment(&segment, end, limit - found.len())?;
        older.append(&mut found);
        found = older;
        end = segment.first;
        let all_newer = since.is_some_and(|since| segment.created_at < since);
        if found.len() >= limit {
            goes_on = found.front().map(|(standing, ..)| *standing);
            break;
        }
        if all_newer {
            break;
        }
    }
    let show = |(_, place, observation): Found| {
        let agent = place.source.agent;
        let name = names.get(&agent).cloned().unwrap_or_else(|| agent.to_string());
        shown(name, place, observation)
    };
    let observations = found.into_iter().rev().map(show).collect();
    let looked_back_to = looked_back_to.flatten().map(WallTime::timestamp);
    Ok((ObservationsAnswer { observations, looked_back_to }, goes_on))
}

/// When the segment that begins with this sequence was begun.
fn segment_end(ledger: &Ledger, first: u64) -> Option<WallTime> {
    let segments = ledger.index().segments();
    segments.into_iter().find(|segment| segment.first == first).map(|segment| segment.created_at)
}

struct Search<'a> {
    ledger: &'a Ledger,
    wanted: &'a Wanted,
    agent: Option<AgentId>,
    since: Option<WallTime>,
    before: Option<Standing>,
}

/// Where it stands, whose it is, and what it is.
type Found = (Standing, Place, Observation);

impl Search<'_> {
    /// The newest `limit` that are wanted of one segment, oldest first.
    fn segment(
        &self,
        segment: &SegmentFacts,
        end: u64,
        limit: usize,
    ) -> Result<VecDeque<Found>, QueryError> {
        let mut newest = VecDeque::new();
        let mut records = self.ledger.follow(segment.first);
        while records.position() < end {
            let (position, record) = match records.read()? {
                Next::Record { sequence, record } => (sequence, record),
                Next::Gap { .. } => continue,
                Next::CaughtUp => break,
            };
            let Ok(Entry::Batch { received_at, source, first, observations }) =
                Entry::decode(record)
            else {
                continue;
            };
            let here = self.agent.is_none_or(|agent| agent == source.agent)
                && self.since.is_none_or(|since| received_at >= since);
            if !here {
                continue;
            }
            for (place, (sequence, bytes)) in (first..).zip(observations).enumerate() {
                let standing = Standing { record: position, place };
                if self.before.is_some_and(|before| standing >= before) {
                    break;
                }
                // Empty: refused as malformed, and not an observation.
                let Ok(observation) = observation_from_bytes(&bytes) else { continue };
                if !bytes.is_empty() && self.is_wanted(&observation) {
                    let place = Place { source, sequence, received_at };
                    newest.push_back((standing, place, observation));
                    if newest.len() > limit {
                        newest.pop_front();
                    }
                }
            }
        }
        Ok(newest)
    }

    fn is_wanted(&self, observation: &Observation) -> bool {
        let Wanted { check, verdict, .. } = self.wanted;
        check.as_ref().is_none_or(|check| *check == observation.check)
            && verdict.is_none_or(|verdict| verdict.is(&observation.verdict))
    }
}

/// As it is shown; `agent` is the vantage point's name.
pub fn shown(agent: String, place: Place, observation: Observation) -> ObservationAnswer {
    let Place { source, sequence, received_at } = place;
    let slot = observation.scheduled_for;
    let verdict = observation.verdict.as_str().to_owned();
    let (fault, void) = match observation.verdict {
        Verdict::Pass => (None, None),
        Verdict::Fail(fault) => (Some(FaultAnswer::new(slot, fault)), None),
        Verdict::Void { reason, detail } => {
            let reason = reason.as_str().to_owned();
            (None, Some(VoidAnswer { at: slot.timestamp(), reason, detail }))
        }
    };
    ObservationAnswer {
        agent,
        epoch: source.epoch.to_string(),
        sequence,
        intent: observation.intent,
        check: observation.check,
        kind: observation.kind,
        scheduled_for: slot.timestamp(),
        started_at: observation.started_at.timestamp(),
        received_at: received_at.timestamp(),
        cause: observation.cause.as_str().to_owned(),
        amends: observation.amends.map(|run| (run.epoch.to_string(), run.intent)),
        verdict,
        fault,
        void,
        total_us: observation.total_us,
        phases: observation.phases.into_iter().map(phase).collect(),
        facts: observation.facts.into_iter().map(FactAnswer::from).collect(),
        findings: observation.findings.into_iter().map(finding).collect(),
        transcript: observation.transcript,
    }
}

fn phase(phase: mailsonde_proto::Phase) -> PhaseAnswer {
    let mailsonde_proto::Phase { name, start_us, duration_us, uncertainty_us } = phase;
    PhaseAnswer { name, start_us, duration_us, uncertainty_us }
}

fn finding(finding: mailsonde_proto::Finding) -> FindingAnswer {
    FindingAnswer {
        rule: finding.rule,
        severity: finding.severity.as_str().to_owned(),
        evidence: finding.evidence,
        source: finding.source,
        advice: finding.advice,
    }
}
