//! What a peer sent, judged.

use std::time::Duration;

use super::crossing::{mailboxes, sender_key};
use super::{
    Ack, Batch, FromAgent, FromCollector, Heartbeat, HeartbeatAnswer, Hello, Reject, RejectReason,
    SequenceRange, Throttle, Tombstone, TombstoneReason, Welcome,
};
use crate::check::Check;
use crate::convert::Malformed;
use crate::convert::enrolment::labels;
use crate::convert::limits::{self, MAX_TEXT_BYTES};
use crate::convert::observation::digest;
use crate::time::WallTime;
use crate::vantage::{AgentId, Epoch, VantagePoint};
use crate::wire;

/// Longest pause that an agent lets itself be told.
const MAX_PAUSE: Duration = Duration::from_secs(600);

impl TryFrom<wire::AgentMessage> for FromAgent {
    type Error = Malformed;

    fn try_from(sent: wire::AgentMessage) -> Result<Self, Malformed> {
        use wire::agent_message::Body;
        Ok(match sent.body {
            Some(Body::Hello(hello)) => Self::Hello(hello.try_into()?),
            Some(Body::Batch(batch)) => Self::Batch(batch.try_into()?),
            Some(Body::Tombstone(tombstone)) => Self::Tombstone(tombstone.try_into()?),
            Some(Body::Heartbeat(beat)) => Self::Heartbeat(Heartbeat {
                sent_at: wall(beat.sent_at_ns),
                spooled: beat.spooled,
                spooled_bytes: beat.spooled_bytes,
                clock_offset_us: (beat.clock_error_us > 0)
                    .then_some((beat.clock_offset_us, beat.clock_error_us)),
                running: Duration::from_micros(beat.running_us),
            }),
            Some(Body::Assigned(assigned)) => Self::Assigned(assigned.try_into()?),
            Some(Body::RunAnswer(answer)) => Self::RunAnswer(answer.try_into()?),
            Some(Body::Crossing(crossing)) => Self::Crossing(crossing.try_into()?),
            None => Self::Unknown,
        })
    }
}

impl TryFrom<wire::CollectorMessage> for FromCollector {
    type Error = Malformed;

    fn try_from(sent: wire::CollectorMessage) -> Result<Self, Malformed> {
        use wire::collector_message::Body;
        Ok(match sent.body {
            Some(Body::Welcome(welcome)) => Self::Welcome(welcome.try_into()?),
            Some(Body::Ack(ack)) => Self::Ack(Ack { through: ack.through }),
            Some(Body::HeartbeatAnswer(answer)) => Self::HeartbeatAnswer(HeartbeatAnswer {
                agent_sent_at: wall(answer.agent_sent_at_ns),
                received_at: wall(answer.received_at_ns),
                sent_at: wall(answer.sent_at_ns),
            }),
            Some(Body::Reject(reject)) => Self::Reject(reject.try_into()?),
            Some(Body::Throttle(throttle)) => Self::Throttle(Throttle {
                pause: Duration::from_micros(throttle.pause_us).min(MAX_PAUSE),
                reason: limits::text("a reason", throttle.reason, MAX_TEXT_BYTES)?,
            }),
            Some(Body::Assignment(assignment)) => Self::Assignment(assignment.try_into()?),
            Some(Body::RunRequest(request)) => Self::RunRequest(request.try_into()?),
            Some(Body::Crossing(crossing)) => Self::Crossing(crossing.try_into()?),
            None => Self::Unknown,
        })
    }
}

/// A clock that is off by centuries is still a clock: saturates instead of refusing.
pub(in crate::convert) fn wall(ns: u64) -> WallTime {
    WallTime::from_ns(i64::try_from(ns).unwrap_or(i64::MAX))
}

impl TryFrom<wire::Hello> for Hello {
    type Error = Malformed;

    fn try_from(sent: wire::Hello) -> Result<Self, Malformed> {
        limits::count("checks", sent.checks.len(), limits::MAX_CHECKS)?;
        if sent.epoch == 0 || sent.next_sequence == 0 || sent.oldest_sequence > sent.next_sequence {
            let form = "an epoch and sequences from 1, the oldest not after the next";
            return Err(Malformed::Form { what: "a hello", form });
        }
        let vantage = sent.vantage_point.ok_or(Malformed::Missing("the vantage point"))?;
        Ok(Self {
            protocol: sent.protocol,
            software: limits::text("the software", sent.software, limits::MAX_NAME_BYTES)?,
            epoch: Epoch(sent.epoch),
            next_sequence: sent.next_sequence,
            oldest_sequence: sent.oldest_sequence.max(1),
            vantage_point: VantagePoint {
                name: limits::name("the vantage point's name", vantage.name)?,
                labels: labels(vantage.labels)?,
            },
            checks: sent.checks.into_iter().map(Check::try_from).collect::<Result<_, _>>()?,
            instance: sent.instance,
            signing_key: sender_key(&sent.signing_key)?,
            mailboxes: mailboxes(sent.mailboxes)?,
        })
    }
}

impl TryFrom<wire::Check> for Check {
    type Error = Malformed;

    fn try_from(sent: wire::Check) -> Result<Self, Malformed> {
        let form = "between 1 ms and 366 days";
        let sane = 1_000..=366 * 86_400 * 1_000_000;
        if !sane.contains(&sent.cadence_us) || !sane.contains(&sent.timeout_us) {
            return Err(Malformed::Form { what: "a check's cadence or timeout", form });
        }
        Ok(Self {
            name: limits::name("the check's name", sent.name)?,
            kind: limits::name("the check's kind", sent.kind)?,
            cadence: Duration::from_micros(sent.cadence_us),
            timeout: Duration::from_micros(sent.timeout_us),
            slot_offset: Duration::from_micros(sent.slot_offset_us % sent.cadence_us),
            settings_digest: digest(&sent.settings_digest)?,
        })
    }
}

impl TryFrom<wire::Batch> for Batch {
    type Error = Malformed;

    fn try_from(sent: wire::Batch) -> Result<Self, Malformed> {
        limits::count("a batch", sent.observations.len(), limits::MAX_BATCH_OBSERVATIONS)?;
        if sent.observations.is_empty() {
            return Err(Malformed::Missing("a batch's observations"));
        }
        let batch = Self { first_sequence: sent.first_sequence, observations: sent.observations };
        SequenceRange::checked(batch.first_sequence, batch.last_sequence())?;
        Ok(batch)
    }
}

impl TryFrom<wire::Tombstone> for Tombstone {
    type Error = Malformed;

    fn try_from(sent: wire::Tombstone) -> Result<Self, Malformed> {
        Ok(Self {
            range: SequenceRange::checked(sent.first_sequence, sent.last_sequence)?,
            reason: match wire::TombstoneReason::try_from(sent.reason) {
                Ok(wire::TombstoneReason::SpoolFull) => TombstoneReason::SpoolFull,
                Ok(wire::TombstoneReason::TooOld) => TombstoneReason::TooOld,
                Ok(wire::TombstoneReason::Damaged) => TombstoneReason::Damaged,
                Ok(wire::TombstoneReason::Unspecified) | Err(_) => TombstoneReason::Unknown,
            },
            pass: sent.pass,
            fail: sent.fail,
            void: sent.void,
        })
    }
}

impl TryFrom<wire::Welcome> for Welcome {
    type Error = Malformed;

    fn try_from(sent: wire::Welcome) -> Result<Self, Malformed> {
        let agent = <[u8; 16]>::try_from(sent.agent_id.as_slice())
            .ok()
            .ok_or(Malformed::Form { what: "the agent's identity", form: "16 bytes" })?;
        Ok(Self {
            protocol: sent.protocol,
            software: limits::text("the software", sent.software, limits::MAX_NAME_BYTES)?,
            agent: AgentId(agent),
            registered_name: limits::name("the registered name", sent.registered_name)?,
            stored_through: sent.stored_through,
            window: sent.window.max(1),
        })
    }
}

impl TryFrom<wire::Reject> for Reject {
    type Error = Malformed;

    fn try_from(sent: wire::Reject) -> Result<Self, Malformed> {
        limits::count("ranges", sent.ranges.len(), limits::MAX_RANGES)?;
        Ok(Self {
            ranges: sent
                .ranges
                .into_iter()
                .map(|range| SequenceRange::checked(range.first, range.last))
                .collect::<Result<_, _>>()?,
            reason: match wire::RejectReason::try_from(sent.reason) {
                Ok(wire::RejectReason::Malformed) => RejectReason::Malformed,
                Ok(wire::RejectReason::Conflict) => RejectReason::Conflict,
                Ok(wire::RejectReason::Unspecified) | Err(_) => RejectReason::Unknown,
            },
            detail: limits::text("a detail", sent.detail, MAX_TEXT_BYTES)?,
        })
    }
}
